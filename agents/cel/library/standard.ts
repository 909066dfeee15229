/**
 * The functions that every expression has: sizes, conversions, text tests, parts of times.
 * In: values. Out: declarations.
 * Never: locale or the machine's own time zone. Source: the CEL language definition, section
 * Standard Definitions.
 */
import { type Declaration, global, member, regexCost, traverse, traverses } from "../functions.ts";
import { checkedInt, checkedUint } from "../operators.ts";
import { compileRegex } from "../regex.ts";
import {
  BOOL,
  BYTES,
  type CelType,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  listOf,
  mapOf,
  param,
  STRING,
  TIMESTAMP,
  TYPE,
  UINT,
} from "../types.ts";
import {
  CelError,
  Duration,
  type ListValue,
  type MapValue,
  Timestamp,
  typeNameOf,
  TypeValue,
  Uint,
  type Value,
} from "../values.ts";
import {
  civil,
  type CivilTime,
  formatSeconds,
  formatTimestamp,
  parseGoDuration,
  parseTimestamp,
  zoneOffset,
} from "./clock_text.ts";

const A = param("A");
const B = param("B");

/** @returns the number of characters, not of UTF-16 units. */
export function characters(text: string): number {
  let count = text.length;
  for (let index = 0; index < text.length - 1; index++) {
    const code = text.charCodeAt(index);
    if (code >= 0xd800 && code <= 0xdbff) {
      count--;
      index++;
    }
  }
  return count;
}

function both(
  name: string,
  params: readonly CelType[],
  result: CelType,
  call: (...args: never[]) => Value,
): Declaration[] {
  return [global(name, params, result, call), member(name, params, result, call)];
}

const sizes: readonly Declaration[] = [
  ...both("size", [STRING], INT, (text: string) => BigInt(characters(text))),
  ...both("size", [BYTES], INT, (bytes: Uint8Array) => BigInt(bytes.length)),
  ...both("size", [listOf(A)], INT, (list: ListValue) => BigInt(list.size)),
  ...both("size", [mapOf(A, B)], INT, (map: MapValue) => BigInt(map.size)),
];

function matches(text: string, pattern: string): boolean {
  const compiled = compileRegex(pattern);
  if (compiled.kind === "error") throw new CelError(compiled.message);
  return compiled.regex.test(text);
}

const texts: readonly Declaration[] = [
  member("contains", [STRING, STRING], BOOL, (text: string, part: string) => text.includes(part), {
    cost: ([text, part]) => Math.ceil(text.size * 0.1) * Math.ceil(part.size * 0.1),
  }),
  member(
    "startsWith",
    [STRING, STRING],
    BOOL,
    (text: string, start: string) => text.startsWith(start),
    { cost: traverse },
  ),
  member("endsWith", [STRING, STRING], BOOL, (text: string, end: string) => text.endsWith(end), {
    cost: traverse,
  }),
  member("matches", [STRING, STRING], BOOL, matches, { cost: regexCost }),
  global("matches", [STRING, STRING], BOOL, matches, { cost: regexCost }),
];

function intOfDouble(amount: number): bigint {
  if (!Number.isFinite(amount) || Math.abs(amount) >= 2 ** 63) {
    throw new CelError("integer overflow");
  }
  return BigInt(Math.trunc(amount));
}

function intOfText(text: string): bigint {
  if (!/^[+-]?\d+$/.test(text)) {
    throw new CelError(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  return checkedInt(BigInt(text.replace(/^\+/, "")));
}

function uintOfText(text: string): Uint {
  if (!/^\d+$/.test(text)) {
    throw new CelError(`strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  return checkedUint(BigInt(text));
}

function doubleOfText(text: string): number {
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) return Number(text);
  switch (text.replace(/^[+-]/, "").toLowerCase()) {
    case "inf":
    case "infinity":
      return text.startsWith("-") ? -Infinity : Infinity;
    case "nan":
      return NaN;
  }
  throw new CelError(`strconv.ParseFloat: parsing ${JSON.stringify(text)}: invalid syntax`);
}

function boolOfText(text: string): boolean {
  if (["1", "t", "T", "true", "TRUE", "True"].includes(text)) return true;
  if (["0", "f", "F", "false", "FALSE", "False"].includes(text)) return false;
  throw new CelError("type conversion error from 'string' to 'bool'");
}

/** A double as Go prints it with the fewest digits that read back the same. */
export function formatDouble(amount: number): string {
  if (Number.isNaN(amount)) return "NaN";
  if (!Number.isFinite(amount)) return amount > 0 ? "+Inf" : "-Inf";
  const size = Math.abs(amount);
  if (size !== 0 && (size < 1e-4 || size >= 1e21)) {
    const [mantissa, exponent] = amount.toExponential().split("e");
    const digits = exponent.slice(1).padStart(2, "0");
    return `${mantissa}e${exponent[0]}${digits}`;
  }
  return Object.is(amount, -0) ? "-0" : String(amount);
}

function timestampOf(text: string): Timestamp {
  const nanos = parseTimestamp(text);
  if (nanos === undefined) {
    throw new CelError(`cannot parse ${JSON.stringify(text)} as a timestamp`);
  }
  return new Timestamp(nanos);
}

function durationOf(text: string): Duration {
  const nanos = parseGoDuration(text);
  if (nanos === undefined) throw new CelError(`time: invalid duration ${JSON.stringify(text)}`);
  return new Duration(nanos);
}

function textOfBytes(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new CelError("invalid UTF-8 in bytes, cannot convert to string");
  }
}

/** Of a text that is never longer. */
function sized(size: number) {
  return { resultExtent: () => ({ size }) };
}

function same<T extends Value>(value: T): T {
  return value;
}

const NANO = 1_000_000_000n;

function secondsOf({ nanos }: Timestamp): bigint {
  return (nanos - ((nanos % NANO) + NANO) % NANO) / NANO;
}

const conversions: readonly Declaration[] = [
  global("int", [INT], INT, same),
  global("int", [UINT], INT, ({ amount }: Uint) => checkedInt(amount)),
  global("int", [DOUBLE], INT, intOfDouble),
  global("int", [STRING], INT, intOfText),
  global("int", [TIMESTAMP], INT, secondsOf),
  global("int", [DURATION], INT, ({ nanos }: Duration) => nanos),
  global("uint", [UINT], UINT, same),
  global("uint", [INT], UINT, checkedUint),
  global("uint", [DOUBLE], UINT, (amount: number) => {
    if (!(amount >= 0 && amount < 2 ** 64)) throw new CelError("unsigned integer overflow");
    return checkedUint(BigInt(Math.trunc(amount)));
  }),
  global("uint", [STRING], UINT, uintOfText),
  global("double", [DOUBLE], DOUBLE, same),
  global("double", [INT], DOUBLE, (amount: bigint) => Number(amount)),
  global("double", [UINT], DOUBLE, ({ amount }: Uint) => Number(amount)),
  global("double", [STRING], DOUBLE, doubleOfText),
  global("bool", [BOOL], BOOL, same),
  global("bool", [STRING], BOOL, boolOfText),
  global("bytes", [BYTES], BYTES, same),
  global("bytes", [STRING], BYTES, (text: string) => new TextEncoder().encode(text), {
    cost: traverse,
  }),
  global("string", [STRING], STRING, same),
  global("string", [BOOL], STRING, (value: boolean) => String(value), sized(5)),
  global("string", [INT], STRING, (value: bigint) => String(value), sized(20)),
  global("string", [UINT], STRING, ({ amount }: Uint) => String(amount), sized(20)),
  global("string", [DOUBLE], STRING, formatDouble, sized(24)),
  global("string", [BYTES], STRING, textOfBytes, { cost: traverse }),
  global("string", [TIMESTAMP], STRING, ({ nanos }: Timestamp) => formatTimestamp(nanos)),
  global("string", [DURATION], STRING, ({ nanos }: Duration) => formatSeconds(nanos)),
  global("timestamp", [TIMESTAMP], TIMESTAMP, same),
  global("timestamp", [STRING], TIMESTAMP, timestampOf, { cost: traverses(0) }),
  global("timestamp", [INT], TIMESTAMP, (seconds: bigint) => new Timestamp(seconds * NANO)),
  global("duration", [DURATION], DURATION, same),
  global("duration", [STRING], DURATION, durationOf, { cost: traverses(0) }),
  global("duration", [INT], DURATION, (nanos: bigint) => new Duration(nanos)),
  global("dyn", [A], DYN, same),
  global("type", [A], TYPE, (value: Value) => new TypeValue(typeNameOf(value))),
];

function civilIn(time: Timestamp, zone: string): CivilTime {
  const offset = zoneOffset(zone, time.nanos);
  if (offset === undefined) throw new CelError(`unknown time zone ${zone}`);
  return civil(time.nanos + offset);
}

function part(name: string, read: (time: CivilTime) => number): Declaration[] {
  return [
    member(name, [TIMESTAMP], INT, (time: Timestamp) => BigInt(read(civil(time.nanos)))),
    member(
      name,
      [TIMESTAMP, STRING],
      INT,
      (time: Timestamp, zone: string) => BigInt(read(civilIn(time, zone))),
    ),
  ];
}

function whole(name: string, unit: bigint): Declaration {
  return member(name, [DURATION], INT, ({ nanos }: Duration) => nanos / unit);
}

const times: readonly Declaration[] = [
  ...part("getFullYear", (time) => time.year),
  ...part("getMonth", (time) => time.month - 1),
  ...part("getDayOfYear", (time) => time.dayOfYear),
  ...part("getDayOfMonth", (time) => time.day - 1),
  ...part("getDate", (time) => time.day),
  ...part("getDayOfWeek", (time) => time.dayOfWeek),
  ...part("getHours", (time) => time.hours),
  ...part("getMinutes", (time) => time.minutes),
  ...part("getSeconds", (time) => time.seconds),
  ...part("getMilliseconds", (time) => Math.floor(time.nanosOfSecond / 1_000_000)),
  whole("getHours", 3600n * NANO),
  whole("getMinutes", 60n * NANO),
  whole("getSeconds", NANO),
  whole("getMilliseconds", 1_000_000n),
];

export const standard: readonly Declaration[] = [...sizes, ...texts, ...conversions, ...times];
