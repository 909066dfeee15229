/**
 * What operators do: arithmetic that never wraps, comparison across number types, membership.
 * In: values. Out: declarations of `_+_` and its kin.
 * Never: `&&`, `||`, `?:`, which decide what is evaluated at all. Source: the CEL language
 * definition, section Standard Definitions; errors worded as cel-go words them.
 */
import { compare, equal, identity } from "./equality.ts";
import {
  comparison,
  type Cost,
  type Declaration,
  global,
  nominal,
  type Overload,
} from "./functions.ts";
import { isTimestamp } from "./library/clock_text.ts";
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
  optionalOf,
  param,
  STRING,
  TIMESTAMP,
  UINT,
} from "./types.ts";
import {
  ArrayList,
  CelError,
  Duration,
  ListValue,
  MapValue,
  NONE,
  Optional,
  Timestamp,
  Uint,
  type Value,
} from "./values.ts";

const A = param("A");
const B = param("B");
const MAX_INT = (1n << 63n) - 1n;
const MIN_INT = -(1n << 63n);
const MAX_UINT = (1n << 64n) - 1n;

export function checkedInt(amount: bigint): bigint {
  if (amount > MAX_INT || amount < MIN_INT) throw new CelError("integer overflow");
  return amount;
}

export function checkedUint(amount: bigint): Uint {
  if (amount < 0n || amount > MAX_UINT) throw new CelError("unsigned integer overflow");
  return new Uint(amount);
}

function checkedDuration(nanos: bigint): Duration {
  if (nanos > MAX_INT || nanos < MIN_INT) throw new CelError("duration overflow");
  return new Duration(nanos);
}

function checkedTimestamp(nanos: bigint): Timestamp {
  if (!isTimestamp(nanos)) throw new CelError("timestamp overflow");
  return new Timestamp(nanos);
}

function divide(a: bigint, b: bigint): bigint {
  if (b === 0n) throw new CelError("division by zero");
  return a / b;
}

function modulo(a: bigint, b: bigint): bigint {
  if (b === 0n) throw new CelError("modulus by zero");
  return a % b;
}

/** Elements of both; of lists that are sets or maps, those of the second replace their twins. */
function joined(a: ListValue, b: ListValue): ListValue {
  const left = Array.from(a);
  const right = Array.from(b);
  if (a.listKind === "set") {
    return new ArrayList([
      ...left,
      ...right.filter((item) => !left.some((other) => equal(item, other))),
    ]);
  }
  if (a.listKind === "map") {
    const merged = new Map<string, Value>();
    for (const item of [...left, ...right]) merged.set(identity(item, a.mapKeys), item);
    return new ArrayList([...merged.values()]);
  }
  return new ArrayList([...left, ...right]);
}

/** Both are copied; upstream counts 1 for lists, which it chains. */
const joinCost: Cost = ([a, b]) => Math.ceil((a.size + b.size) * 0.1);
const sum: Overload["resultExtent"] = ([a, b]) => ({
  size: a.size + b.size,
  ...(a.element === undefined || b.element === undefined
    ? {}
    : { element: a.element.size > b.element.size ? a.element : b.element }),
});

const arithmetic: readonly Declaration[] = [
  global("_+_", [INT, INT], INT, (a: bigint, b: bigint) => checkedInt(a + b)),
  global("_+_", [UINT, UINT], UINT, (a: Uint, b: Uint) => checkedUint(a.amount + b.amount)),
  global("_+_", [DOUBLE, DOUBLE], DOUBLE, (a: number, b: number) => a + b),
  global("_+_", [STRING, STRING], STRING, (a: string, b: string) => a + b, {
    cost: joinCost,
    resultExtent: sum,
  }),
  global("_+_", [BYTES, BYTES], BYTES, joinBytes, { cost: joinCost, resultExtent: sum }),
  global("_+_", [listOf(A), listOf(A)], listOf(A), joined, {
    cost: joinCost,
    resultExtent: sum,
  }),
  global(
    "_+_",
    [TIMESTAMP, DURATION],
    TIMESTAMP,
    (a: Timestamp, b: Duration) => checkedTimestamp(a.nanos + b.nanos),
  ),
  global(
    "_+_",
    [DURATION, TIMESTAMP],
    TIMESTAMP,
    (a: Duration, b: Timestamp) => checkedTimestamp(a.nanos + b.nanos),
  ),
  global(
    "_+_",
    [DURATION, DURATION],
    DURATION,
    (a: Duration, b: Duration) => checkedDuration(a.nanos + b.nanos),
  ),
  global("_-_", [INT, INT], INT, (a: bigint, b: bigint) => checkedInt(a - b)),
  global("_-_", [UINT, UINT], UINT, (a: Uint, b: Uint) => checkedUint(a.amount - b.amount)),
  global("_-_", [DOUBLE, DOUBLE], DOUBLE, (a: number, b: number) => a - b),
  global(
    "_-_",
    [TIMESTAMP, TIMESTAMP],
    DURATION,
    (a: Timestamp, b: Timestamp) => checkedDuration(a.nanos - b.nanos),
  ),
  global(
    "_-_",
    [TIMESTAMP, DURATION],
    TIMESTAMP,
    (a: Timestamp, b: Duration) => checkedTimestamp(a.nanos - b.nanos),
  ),
  global(
    "_-_",
    [DURATION, DURATION],
    DURATION,
    (a: Duration, b: Duration) => checkedDuration(a.nanos - b.nanos),
  ),
  global("_*_", [INT, INT], INT, (a: bigint, b: bigint) => checkedInt(a * b)),
  global("_*_", [UINT, UINT], UINT, (a: Uint, b: Uint) => checkedUint(a.amount * b.amount)),
  global("_*_", [DOUBLE, DOUBLE], DOUBLE, (a: number, b: number) => a * b),
  global("_/_", [INT, INT], INT, (a: bigint, b: bigint) => checkedInt(divide(a, b))),
  global("_/_", [UINT, UINT], UINT, (a: Uint, b: Uint) => checkedUint(divide(a.amount, b.amount))),
  global("_/_", [DOUBLE, DOUBLE], DOUBLE, (a: number, b: number) => a / b),
  global("_%_", [INT, INT], INT, modulo),
  global("_%_", [UINT, UINT], UINT, (a: Uint, b: Uint) => new Uint(modulo(a.amount, b.amount))),
  global("-_", [INT], INT, (a: bigint) => checkedInt(-a)),
  global("-_", [DOUBLE], DOUBLE, (a: number) => -a),
  global("!_", [BOOL], BOOL, (a: boolean) => !a),
];

function joinBytes(a: Uint8Array, b: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(a.length + b.length);
  bytes.set(a);
  bytes.set(b, a.length);
  return bytes;
}

const NUMBERS = [INT, UINT, DOUBLE];
const ORDERED: readonly (readonly [CelType, CelType])[] = [
  ...NUMBERS.flatMap((a) => NUMBERS.map((b) => [a, b] as const)),
  ...[STRING, BYTES, BOOL, TIMESTAMP, DURATION].map((type) => [type, type] as const),
];

function relation(name: string, holds: (order: number) => boolean): Declaration[] {
  return ORDERED.map(([a, b]) => {
    const isSized = a === STRING || a === BYTES;
    const call = (left: Value, right: Value) => holds(compare(left, right));
    return global(name, [a, b], BOOL, call, { cost: isSized ? comparison : nominal });
  });
}

function contains(item: Value, list: ListValue): boolean {
  for (let index = 0; index < list.size; index++) {
    if (equal(item, list.at(index))) return true;
  }
  return false;
}

/** @returns the element, or undefined where the index points at none. */
export function elementAt(list: ListValue, index: Value): Value | undefined {
  const position = typeof index === "bigint"
    ? Number(index)
    : index instanceof Uint
    ? Number(index.amount)
    : typeof index === "number"
    ? index
    : NaN;
  if (!Number.isInteger(position)) {
    throw new CelError(`unsupported index type '${typeof index}' in list`);
  }
  return position >= 0 && position < list.size ? list.at(position) : undefined;
}

function index(list: ListValue, at: Value): Value {
  const element = elementAt(list, at);
  if (element === undefined) throw new CelError(`index out of bounds: ${shown(at)}`);
  return element;
}

function lookup(map: MapValue, key: Value): Value {
  const value = map.get(key);
  if (value === undefined) throw new CelError(`no such key: ${shown(key)}`);
  return value;
}

function shown(key: Value): string {
  return key instanceof Uint ? String(key.amount) : String(key);
}

/** `container[?key]`, where the container itself may be an optional that is empty. */
function maybe(container: ListValue | MapValue | Optional, key: Value): Optional {
  const inner = container instanceof Optional ? container.value : container;
  if (inner === undefined) return NONE;
  const value = inner instanceof MapValue
    ? inner.get(key)
    : inner instanceof ListValue
    ? elementAt(inner, key)
    : undefined;
  return value === undefined ? NONE : new Optional(value);
}

const element: Overload["resultExtent"] = ([container]) => container.element ?? { size: Infinity };

const access: readonly Declaration[] = [
  global("@in", [A, listOf(A)], BOOL, contains, { cost: ([, list]) => list.size }),
  global("@in", [A, mapOf(A, B)], BOOL, (key: Value, map: MapValue) => map.get(key) !== undefined),
  global("_[_]", [listOf(A), INT], A, index, { resultExtent: element }),
  global("_[_]", [mapOf(A, B), A], B, lookup, { resultExtent: element }),
  global("_[_]", [optionalOf(listOf(A)), INT], optionalOf(A), maybe, { resultExtent: element }),
  global("_[_]", [optionalOf(mapOf(A, B)), A], optionalOf(B), maybe, { resultExtent: element }),
  global("_[?_]", [listOf(A), INT], optionalOf(A), maybe, { resultExtent: element }),
  global("_[?_]", [optionalOf(listOf(A)), INT], optionalOf(A), maybe, { resultExtent: element }),
  global("_[?_]", [mapOf(A, B), A], optionalOf(B), maybe, { resultExtent: element }),
  global("_[?_]", [optionalOf(mapOf(A, B)), A], optionalOf(B), maybe, { resultExtent: element }),
];

export const operators: readonly Declaration[] = [
  ...arithmetic,
  ...relation("_<_", (order) => order < 0),
  ...relation("_<=_", (order) => order <= 0),
  ...relation("_>_", (order) => order > 0),
  ...relation("_>=_", (order) => order >= 0),
  global("_==_", [A, A], BOOL, equal, { cost: comparison }),
  global("_!=_", [A, A], BOOL, (a: Value, b: Value) => !equal(a, b), { cost: comparison }),
  ...access,
];

/** Any list, for functions that look at no element. */
export const ANY_LIST: CelType = listOf(DYN);
