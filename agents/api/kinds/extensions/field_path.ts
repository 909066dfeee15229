/**
 * Paths to fields as definitions write them: `.spec.size`, `.labels['a.b']`.
 * In: a path, a schema. Out: the schema at its end, or what is wrong with the path.
 * Never: an index or a wildcard; those are printer columns' business.
 * Source: apiextensions-apiserver's schema/cel/validation.go, ValidFieldPath (v1.36).
 */
import type { JSONSchemaProps } from "../../schema/generated/apiextensions_v1.ts";

export type FoundField =
  | {
    readonly kind: "found";
    readonly schema: JSONSchemaProps;
    /** Without quotes and dots: two spellings of one path have the same steps. */
    readonly steps: readonly string[];
  }
  | { readonly kind: "invalid"; readonly message: string };

const NO_FIELD = "does not refer to a valid field";
const CUT_SHORT = "unexpected end of JSON path";
/** A delimiter, a quoted name, or whatever stands before the next delimiter. */
const TOKEN = /[.[\]]|'(?:\\.|[^'\\])*'|[^.[\]]+/g;
const ESCAPED = /\\(.)/g;

/** @param allowsBrackets whether `['name']` may stand for `.name` */
export function findField(
  root: JSONSchemaProps,
  path: string,
  allowsBrackets: boolean,
): FoundField {
  const tokens = path.match(TOKEN) ?? [];
  const steps: string[] = [];
  let schema = root;
  for (let at = 0; at < tokens.length; at++) {
    const delimiter = tokens[at];
    if (delimiter !== "." && delimiter !== "[") {
      return invalid(`expected [ or . but got: ${delimiter}`);
    }
    if (delimiter === "[" && !allowsBrackets) return invalid("array notation is not allowed");
    let name = tokens[++at];
    if (name === undefined) return invalid(CUT_SHORT);
    if (delimiter === "[") {
      if (name.length < 2 || !name.startsWith("'") || !name.endsWith("'")) {
        return invalid(`expected single quoted string but got ${name}`);
      }
      name = name.slice(1, -1).replace(ESCAPED, "$1");
    }
    const inner = fieldOf(schema, name);
    if (inner === undefined) return invalid(NO_FIELD);
    if (delimiter === "[") {
      const end = tokens[++at];
      if (end === undefined) return invalid(CUT_SHORT);
      if (end !== "]") return invalid(`expected ] but got ${end}`);
    }
    schema = inner;
    steps.push(name);
  }
  return { kind: "found", schema, steps };
}

function fieldOf(schema: JSONSchemaProps, name: string): JSONSchemaProps | undefined {
  const { properties, additionalProperties: values } = schema;
  if (properties !== undefined) {
    return Object.hasOwn(properties, name) ? properties[name] : undefined;
  }
  return typeof values === "object" && values !== null ? values as JSONSchemaProps : undefined;
}

function invalid(message: string): FoundField {
  return { kind: "invalid", message };
}
