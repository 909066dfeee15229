/**
 * When two values are equal, and which comes first.
 * In: values. Out: a boolean, or an order.
 * Never: fails on values of different types: they differ. Source: the CEL language definition,
 * section Equality; upstream's pkg/cel/common/maplist.go for lists that are sets or maps.
 */
import {
  CelError,
  Duration,
  ListValue,
  MapValue,
  Opaque,
  Optional,
  Timestamp,
  TypeValue,
  Uint,
  type Value,
} from "./values.ts";

/** @returns whether `a == b`. */
export function equal(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (a === null || b === null) return false;
  if (isNumeric(a)) return isNumeric(b) && compareNumbers(a, b) === 0;
  if (typeof a !== "object" || typeof b !== "object") return false;
  if (a instanceof ListValue) return b instanceof ListValue && equalLists(a, b);
  if (a instanceof MapValue) return b instanceof MapValue && equalMaps(a, b);
  if (a instanceof Uint8Array) return b instanceof Uint8Array && compareBytes(a, b) === 0;
  if (a instanceof Timestamp) return b instanceof Timestamp && a.nanos === b.nanos;
  if (a instanceof Duration) return b instanceof Duration && a.nanos === b.nanos;
  if (a instanceof TypeValue) return b instanceof TypeValue && a.name === b.name;
  if (a instanceof Opaque) {
    return b instanceof Opaque && a.typeName === b.typeName && a.equals(b);
  }
  if (!(a instanceof Optional) || !(b instanceof Optional)) return false;
  if (a.value === undefined || b.value === undefined) return a.value === b.value;
  return equal(a.value, b.value);
}

export function isNumeric(value: Value): value is bigint | number | Uint {
  return typeof value === "bigint" || typeof value === "number" || value instanceof Uint;
}

function amountOf(value: bigint | number | Uint): bigint | number {
  return value instanceof Uint ? value.amount : value;
}

/** @returns negative, 0, positive; NaN where one of them is. */
export function compareNumbers(a: bigint | number | Uint, b: bigint | number | Uint): number {
  const left = amountOf(a);
  const right = amountOf(b);
  if (left < right) return -1;
  return left > right ? 1 : Number.isNaN(left) || Number.isNaN(right) ? NaN : 0;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length);
  for (let index = 0; index < shorter; index++) {
    if (a[index] !== b[index]) return a[index] - b[index];
  }
  return a.length - b.length;
}

/** Orders text by code points, as its UTF-8 bytes would be. */
export function compareText(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let index = 0; index < shorter; index++) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left === right) continue;
    // Halves of surrogate pairs stand for characters above all others.
    const isLeftHigh = left >= 0xd800 && left <= 0xdfff;
    const isRightHigh = right >= 0xd800 && right <= 0xdfff;
    return isLeftHigh === isRightHigh ? left - right : isLeftHigh ? 1 : -1;
  }
  return a.length - b.length;
}

/**
 * The order of two values of one kind.
 * Errors: a CelError for values that have none.
 */
export function compare(a: Value, b: Value): number {
  if (isNumeric(a) && isNumeric(b)) return compareNumbers(a, b);
  if (typeof a === "string" && typeof b === "string") return compareText(a, b);
  if (typeof a === "boolean" && typeof b === "boolean") return Number(a) - Number(b);
  if (a instanceof Timestamp && b instanceof Timestamp) return order(a.nanos, b.nanos);
  if (a instanceof Duration && b instanceof Duration) return order(a.nanos, b.nanos);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return compareBytes(a, b);
  throw new CelError("no such overload");
}

function order(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function equalLists(a: ListValue, b: ListValue): boolean {
  if (a.size !== b.size) return false;
  const kind = a.listKind ?? b.listKind;
  if (kind === "set") {
    const others = Array.from(b);
    return Array.from(a).every((item) => others.some((other) => equal(item, other)));
  }
  if (kind === "map") {
    const keys = a.mapKeys.length > 0 ? a.mapKeys : b.mapKeys;
    const others = new Map(Array.from(b, (item) => [identity(item, keys), item]));
    return Array.from(a).every((item) => {
      const other = others.get(identity(item, keys));
      return other !== undefined && equal(item, other);
    });
  }
  for (let index = 0; index < a.size; index++) {
    if (!equal(a.at(index), b.at(index))) return false;
  }
  return true;
}

function equalMaps(a: MapValue, b: MapValue): boolean {
  if (a.size !== b.size) return false;
  for (const key of a.keys()) {
    const left = a.get(key);
    const right = b.get(key);
    if (left === undefined || right === undefined || !equal(left, right)) return false;
  }
  return true;
}

/** What tells an element of a list from the others: the values of its keys. */
export function identity(item: Value, keys: readonly string[]): string {
  if (!(item instanceof MapValue)) return "";
  return JSON.stringify(keys.map((key) => {
    const value = item.get(key);
    return typeof value === "bigint" ? `${value}` : typeof value === "object" ? null : value;
  }));
}
