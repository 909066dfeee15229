/**
 * `"%s is %d".format([…])`.
 * In: a template and its arguments. Out: text.
 * Never: locale. Source: cel-go's ext/formatting.go (version 1).
 */
import { CelError, Duration, ListValue, MapValue, Timestamp, TypeValue, Uint } from "../values.ts";
import { typeNameOf, type Value } from "../values.ts";
import { compareText } from "../equality.ts";
import { formatSeconds, formatTimestamp } from "./clock_text.ts";

const DEFAULT_PRECISION = 6;

/** Errors: a CelError for a clause or an argument that does not fit. */
export function formatText(template: string, args: ListValue): string {
  let text = "";
  let next = 0;
  for (let at = 0; at < template.length;) {
    if (template[at] !== "%") {
      text += template[at++];
      continue;
    }
    if (template[at + 1] === "%") {
      text += "%";
      at += 2;
      continue;
    }
    const clause = /%(?:\.(\d+))?(.?)/y;
    clause.lastIndex = at;
    const [all, precision, verb] = clause.exec(template)!;
    if (verb === "") throw new CelError("unexpected end of string");
    if (next >= args.size) throw new CelError(`index ${next} out of range`);
    text += formatClause(verb, args.at(next++), Number(precision ?? DEFAULT_PRECISION));
    at += all.length;
  }
  return text;
}

function formatClause(verb: string, value: Value, precision: number): string {
  switch (verb) {
    case "s":
      return plain(value);
    case "d":
      return integer(value);
    case "f":
      return fixed(value, precision);
    case "e":
      return scientific(value, precision);
    case "b":
      if (typeof value === "boolean") return value ? "1" : "0";
      return radix(value, 2, "b");
    case "o":
      return radix(value, 8, "o");
    case "x":
    case "X": {
      const hex = typeof value === "string"
        ? hexOf(new TextEncoder().encode(value))
        : value instanceof Uint8Array
        ? hexOf(value)
        : radix(value, 16, verb);
      return verb === "X" ? hex.toUpperCase() : hex;
    }
    default:
      throw new CelError(`unrecognized formatting clause "${verb}"`);
  }
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Numbers without a fraction that mean something: NaN and infinities are words. */
function wordFor(amount: number): string | undefined {
  if (Number.isNaN(amount)) return "NaN";
  if (amount === Infinity) return "Infinity";
  return amount === -Infinity ? "-Infinity" : undefined;
}

function plain(value: Value): string {
  switch (typeof value) {
    case "string":
      return value;
    case "boolean":
    case "bigint":
      return String(value);
    case "number":
      return wordFor(value) ?? String(value);
  }
  if (value === null) return "null";
  if (value instanceof Uint) return String(value.amount);
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  if (value instanceof Timestamp) return formatTimestamp(value.nanos);
  if (value instanceof Duration) return formatSeconds(value.nanos);
  if (value instanceof TypeValue) return value.name;
  if (value instanceof ListValue) return `[${Array.from(value, plain).join(", ")}]`;
  if (value instanceof MapValue) {
    const entries = Array.from(value.keys(), (key) => [plain(key), plain(value.get(key)!)]);
    entries.sort(([a], [b]) => compareText(a, b));
    return `{${entries.map(([key, entry]) => `${key}: ${entry}`).join(", ")}}`;
  }
  throw new CelError(
    "error during formatting: string clause can only be used on strings, bools, bytes, ints, " +
      `doubles, maps, lists, types, durations, and timestamps, was given ${typeNameOf(value)}`,
  );
}

function integer(value: Value): string {
  if (typeof value === "bigint") return String(value);
  if (value instanceof Uint) return String(value.amount);
  const word = typeof value === "number" ? wordFor(value) : undefined;
  if (word !== undefined) return word;
  throw wrong("decimal clause can only be used on integers", value);
}

function wrong(rule: string, value: Value): CelError {
  return new CelError(`error during formatting: ${rule}, was given ${typeNameOf(value)}`);
}

function amountOf(value: Value, clause: string): number {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Uint) return Number(value.amount);
  throw wrong(`${clause} clause can only be used on doubles`, value);
}

function fixed(value: Value, precision: number): string {
  const amount = amountOf(value, "fixed-point");
  return wordFor(amount) ?? amount.toFixed(Math.min(precision, 100));
}

function scientific(value: Value, precision: number): string {
  const amount = amountOf(value, "scientific");
  const word = wordFor(amount);
  if (word !== undefined) return word;
  const [mantissa, exponent] = amount.toExponential(Math.min(precision, 100)).split("e");
  return `${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
}

function radix(value: Value, base: number, clause: string): string {
  if (typeof value === "bigint") return value.toString(base);
  if (value instanceof Uint) return value.amount.toString(base);
  throw wrong(`%${clause} clause can only be used on integers`, value);
}
