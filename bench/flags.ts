/**
 * The flags of a bench.
 * In: the words after its name, and which flags it knows. Out: their values.
 * Never: starts a bench on words that it does not know: says which flags there are, and exits 2.
 */
import { parseArgs, type ParseArgsConfig } from "node:util";

type Options = NonNullable<ParseArgsConfig["options"]>;

/** Exits: 2 on an unknown flag or one without its value, 0 after `--help`. */
export function readFlags<const Known extends Options>(known: Known) {
  if (Deno.args.includes("--help")) {
    console.log(describe(known));
    Deno.exit(0);
  }
  try {
    return parseArgs({ args: Deno.args, options: known }).values;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    console.error(`${error.message}\n${describe(known)}`);
    Deno.exit(2);
  }
}

function describe(known: Options): string {
  const flags = Object.entries(known).map(([name, { type, default: value }]) => {
    const shown = type === "boolean" ? `--${name}` : `--${name} VALUE`;
    return value === undefined || value === "" || value === false || Array.isArray(value)
      ? `  ${shown}`
      : `  ${shown}   (${value} unless given)`;
  });
  return ["flags:", ...flags].join("\n");
}
