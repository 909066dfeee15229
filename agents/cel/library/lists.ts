/**
 * Functions on lists and sets, and on values that may be absent.
 * In: values. Out: declarations.
 * Never: changes a list. Source: upstream's library/lists.go; cel-go's ext/lists.go (version 3),
 * ext/sets.go and cel/library.go (optional types).
 */
import { compare, equal } from "../equality.ts";
import {
  type Cost,
  type Declaration,
  eachElement,
  type Extent,
  global,
  member,
  type Overload,
} from "../functions.ts";
import { checkedInt, checkedUint } from "../operators.ts";
import {
  BOOL,
  BYTES,
  type CelType,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  listOf,
  optionalOf,
  param,
  STRING,
  TIMESTAMP,
  UINT,
} from "../types.ts";
import {
  ArrayList,
  CelError,
  Duration,
  ListValue,
  MapValue,
  NONE,
  Optional,
  Uint,
  type Value,
} from "../values.ts";

const T = param("T");
const COMPARABLE = [INT, UINT, DOUBLE, BOOL, DURATION, TIMESTAMP, STRING, BYTES];

function isSorted(list: ListValue): boolean {
  for (let index = 1; index < list.size; index++) {
    if (compare(list.at(index - 1), list.at(index)) > 0) return false;
  }
  return true;
}

function extreme(name: string, sign: number): (list: ListValue) => Value {
  return (list) => {
    if (list.size === 0) throw new CelError(`${name} called on empty list`);
    let best = list.at(0);
    for (let index = 1; index < list.size; index++) {
      const item = list.at(index);
      if (compare(item, best) * sign > 0) best = item;
    }
    return best;
  };
}

function position(list: ListValue, wanted: Value): bigint {
  for (let index = 0; index < list.size; index++) {
    if (equal(list.at(index), wanted)) return BigInt(index);
  }
  return -1n;
}

function lastPosition(list: ListValue, wanted: Value): bigint {
  for (let index = list.size - 1; index >= 0; index--) {
    if (equal(list.at(index), wanted)) return BigInt(index);
  }
  return -1n;
}

function sumOf<T extends Value>(
  type: CelType,
  zero: T,
  add: (total: T, item: T) => T,
): Declaration {
  const call = (list: ListValue) =>
    Array.from(list).reduce((total, item) => add(total as T, item as T), zero as Value);
  return member("sum", [listOf(type)], type, call, { cost: eachElement });
}

const byElement = { cost: eachElement };
const anElement = {
  cost: eachElement,
  resultExtent: ([list]: readonly Extent[]): Extent => list.element ?? { size: Infinity },
};

const kubernetes: readonly Declaration[] = [
  ...COMPARABLE.map((type) => member("isSorted", [listOf(type)], BOOL, isSorted, byElement)),
  ...COMPARABLE.map((type) => member("max", [listOf(type)], type, extreme("max", 1), anElement)),
  ...COMPARABLE.map((type) => member("min", [listOf(type)], type, extreme("min", -1), anElement)),
  sumOf<bigint>(INT, 0n, (total, item) => checkedInt(total + item)),
  sumOf<Uint>(UINT, new Uint(0n), (total, item) => checkedUint(total.amount + item.amount)),
  sumOf<number>(DOUBLE, 0, (total, item) => total + item),
  sumOf<Duration>(DURATION, new Duration(0n), (total, item) => {
    return new Duration(checkedInt(total.nanos + item.nanos));
  }),
  member("indexOf", [listOf(T), T], INT, position, byElement),
  member("lastIndexOf", [listOf(T), T], INT, lastPosition, byElement),
];

function range(count: bigint): ListValue {
  return new ArrayList(Array.from({ length: Math.max(0, Number(count)) }, (_, at) => BigInt(at)));
}

function slice(list: ListValue, start: bigint, end: bigint): ListValue {
  if (start < 0n || end < 0n) {
    throw new CelError(`cannot slice(${start}, ${end}), negative indexes not supported`);
  }
  if (start > end) {
    throw new CelError(
      `cannot slice(${start}, ${end}), start index must be less than or equal to end index`,
    );
  }
  if (end > list.size) {
    throw new CelError(`cannot slice(${start}, ${end}), list is length ${list.size}`);
  }
  const items: Value[] = [];
  for (let index = Number(start); index < end; index++) items.push(list.at(index));
  return new ArrayList(items);
}

function flatten(list: ListValue, depth = 1n): ListValue {
  if (depth < 0n) throw new CelError("level must be non-negative");
  return new ArrayList(flatItems(list, Number(depth)));
}

function flatItems(list: ListValue, depth: number): Value[] {
  return Array.from(list).flatMap((item) =>
    depth > 0 && item instanceof ListValue ? flatItems(item, depth - 1) : [item]
  );
}

function distinct(list: ListValue): ListValue {
  const items: Value[] = [];
  for (const item of list) {
    if (!items.some((other) => equal(item, other))) items.push(item);
  }
  return new ArrayList(items);
}

function edge(list: ListValue, index: number): Optional {
  return list.size === 0 ? NONE : new Optional(list.at(index));
}

const asList: Overload["resultExtent"] = ([list]) => list;
const perItem: Cost = ([list]) => list.size + 10;
const sortCost: Cost = ([list]) => eachElement([list]) * Math.ceil(Math.log2(list.size + 2)) + 10;
const pairCost: Cost = ([list]) => eachElement([list]) * list.size + 10;
const LIST = listOf(T);

const general: readonly Declaration[] = [
  member("slice", [LIST, INT, INT], LIST, slice, { cost: perItem, resultExtent: asList }),
  member("flatten", [listOf(LIST)], LIST, flatten, {
    cost: ([list]) => list.size * (list.element?.size ?? 1) + 10,
    resultExtent: ([list]) => ({
      size: list.size * (list.element?.size ?? 1),
      ...(list.element?.element === undefined ? {} : { element: list.element.element }),
    }),
  }),
  member("flatten", [listOf(DYN), INT], listOf(DYN), flatten, {
    cost: ([list]) => list.size * (list.element?.size ?? 1) + 10,
    resultExtent: () => ({ size: Infinity }),
  }),
  ...COMPARABLE.map((type) =>
    member(
      "sort",
      [listOf(type)],
      listOf(type),
      (list: ListValue) => new ArrayList(Array.from(list).sort(compare)),
      { cost: sortCost, resultExtent: asList },
    )
  ),
  global("lists.range", [INT], listOf(INT), range, {
    cost: ([count], values) => (values ? Number(values[0]) : count.amount ?? Infinity) + 10,
    resultExtent: ([count]) => ({ size: count.amount ?? Infinity, element: { size: 1 } }),
  }),
  member("reverse", [LIST], LIST, (list: ListValue) => new ArrayList(Array.from(list).reverse()), {
    cost: perItem,
    resultExtent: asList,
  }),
  member("distinct", [LIST], LIST, distinct, { cost: pairCost, resultExtent: asList }),
  member("first", [LIST], optionalOf(T), (list: ListValue) => edge(list, 0), {
    resultExtent: anElement.resultExtent,
  }),
  member("last", [LIST], optionalOf(T), (list: ListValue) => edge(list, list.size - 1), {
    resultExtent: anElement.resultExtent,
  }),
];

function includesAll(list: ListValue, wanted: ListValue): boolean {
  return Array.from(wanted).every((item) => position(list, item) >= 0n);
}

const product: Cost = ([a, b]) => Math.max(1, a.size * b.size);

const sets: readonly Declaration[] = [
  global("sets.contains", [LIST, LIST], BOOL, includesAll, { cost: product }),
  global(
    "sets.equivalent",
    [LIST, LIST],
    BOOL,
    (a: ListValue, b: ListValue) => includesAll(a, b) && includesAll(b, a),
    { cost: ([a, b]) => 2 * product([a, b]) },
  ),
  global(
    "sets.intersects",
    [LIST, LIST],
    BOOL,
    (a: ListValue, b: ListValue) => Array.from(b).some((item) => position(a, item) >= 0n),
    { cost: product },
  ),
];

function isZero(value: Value): boolean {
  if (value === null || value === false || value === 0n || value === 0 || value === "") return true;
  if (value instanceof ListValue || value instanceof MapValue) return value.size === 0;
  if (value instanceof Uint8Array) return value.length === 0;
  if (value instanceof Uint) return value.amount === 0n;
  return value instanceof Duration && value.nanos === 0n;
}

function held(optional: Optional): Value {
  if (optional.value === undefined) throw new CelError("optional.none() dereference");
  return optional.value;
}

const OPTIONAL = optionalOf(T);
const inner = { resultExtent: ([value]: readonly Extent[]): Extent => value };
const larger = {
  resultExtent: ([a, b]: readonly Extent[]): Extent => a.size > b.size ? a : b,
};

function unwrapAll(list: ListValue): ListValue {
  return new ArrayList(
    Array.from(list).flatMap((item) =>
      item instanceof Optional && item.value !== undefined ? [item.value] : []
    ),
  );
}

const optionals: readonly Declaration[] = [
  global("optional.of", [T], OPTIONAL, (value: Value) => new Optional(value), inner),
  global(
    "optional.ofNonZeroValue",
    [T],
    OPTIONAL,
    (value: Value) => isZero(value) ? NONE : new Optional(value),
    inner,
  ),
  global("optional.none", [], OPTIONAL, () => NONE),
  global("optional.unwrap", [listOf(OPTIONAL)], LIST, unwrapAll, inner),
  member("unwrapOpt", [listOf(OPTIONAL)], LIST, unwrapAll, inner),
  member("value", [OPTIONAL], T, held, inner),
  member("hasValue", [OPTIONAL], BOOL, (optional: Optional) => optional.value !== undefined),
  member(
    "or",
    [OPTIONAL, OPTIONAL],
    OPTIONAL,
    (a: Optional, b: Optional) => a.value === undefined ? b : a,
    larger,
  ),
  member(
    "orValue",
    [OPTIONAL, T],
    T,
    (a: Optional, b: Value) => a.value === undefined ? b : a.value,
    larger,
  ),
];

export const lists: readonly Declaration[] = [...kubernetes, ...general, ...sets, ...optionals];
