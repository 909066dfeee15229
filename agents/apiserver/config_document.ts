/**
 * Reads one configuration document against its schema.
 * In: YAML or JSON text, a zod schema. Out: the checked value, or every problem with its path.
 * Never: opens files; repeats values in a problem, for some of them are keys.
 */
import { parse as parseYaml } from "yaml";
import type { z } from "zod";

export type ReadDocument<T> =
  | { readonly kind: "value"; readonly value: T }
  | { readonly kind: "malformed"; readonly problems: readonly string[] };

export function readConfigDocument<Schema extends z.ZodType>(
  text: string,
  schema: Schema,
): ReadDocument<z.output<Schema>> {
  let value: unknown;
  try {
    value = parseYaml(text, { maxAliasCount: 100, uniqueKeys: true });
  } catch (error) {
    // What follows the first line shows the file's text.
    const [first] = (error as Error).message.split("\n");
    return { kind: "malformed", problems: [first] };
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return { kind: "value", value: parsed.data };
  return {
    kind: "malformed",
    problems: parsed.error.issues.map(({ path, message }) =>
      path.length === 0 ? message : `${formatPath(path)}: ${message}`
    ),
  };
}

/** `rules[0].level` */
function formatPath(path: readonly PropertyKey[]): string {
  return path.map((part) => typeof part === "number" ? `[${part}]` : `.${String(part)}`).join("")
    .replace(/^\./, "");
}
