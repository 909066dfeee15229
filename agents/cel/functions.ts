/**
 * How functions of expressions are declared: types of arguments, what is done, what it costs.
 * In: declarations. Out: a table by name.
 * Never: an expression. Source: the CEL language definition; upstream's costs (checker/cost.go).
 */
import type { CelType } from "./types.ts";
import { ListValue, LiteralMap, MapValue, Optional, type Value } from "./values.ts";

/** How large an argument is: as it is while running, at most while estimating. */
export interface Extent {
  /** Characters, bytes, elements or entries; 1 for anything else. */
  readonly size: number;
  /** Of an element of a list, or of a value of a map, where that is known. */
  readonly element?: Extent;
  /** Of an int that stands in the source: itself. */
  readonly amount?: number;
}

/** What a call costs beyond its arguments; grows with every extent. Values only while running. */
export type Cost = (extents: readonly Extent[], values?: readonly Value[]) => number;

export interface Overload {
  /** Whether it is called as `receiver.name(…)`. */
  readonly member: boolean;
  /** The receiver first. */
  readonly params: readonly CelType[];
  readonly result: CelType;
  /** Errors: a CelError. */
  readonly call: (...args: readonly never[]) => Value;
  readonly cost: Cost;
  /** The largest that the result can be; its type says so where this is absent. */
  readonly resultExtent?: (extents: readonly Extent[]) => Extent;
}

export type Declaration = readonly [name: string, overload: Overload];

export interface FunctionTable {
  readonly byName: ReadonlyMap<string, readonly Overload[]>;
}

export function functionTable(...libraries: readonly (readonly Declaration[])[]): FunctionTable {
  const byName = new Map<string, Overload[]>();
  for (const [name, overload] of libraries.flat()) {
    const known = byName.get(name);
    if (known === undefined) byName.set(name, [overload]);
    else known.push(overload);
  }
  return { byName };
}

interface Extras {
  readonly cost?: Cost;
  readonly resultExtent?: Overload["resultExtent"];
}

type Call = (...args: never[]) => Value;

/** A function called by its name alone. */
export function global(
  name: string,
  params: readonly CelType[],
  result: CelType,
  call: Call,
  extras: Extras = {},
): Declaration {
  return [name, { member: false, params, result, call, cost: nominal, ...extras }];
}

/** A function called on a receiver, the first of `params`. */
export function member(
  name: string,
  params: readonly CelType[],
  result: CelType,
  call: Call,
  extras: Extras = {},
): Declaration {
  return [name, { member: true, params, result, call, cost: nominal, ...extras }];
}

export const nominal: Cost = () => 1;

const TRAVERSAL = 0.1;
const REGEX = 0.25;

/** Reading `times` over the argument at an index. */
export function traverses(index: number, times = 1): Cost {
  return (extents) => Math.ceil(extents[index].size * TRAVERSAL * times);
}

export const traverse = traverses(0);

/** A pattern run over text. */
export const regexCost: Cost = ([text, pattern]) =>
  Math.ceil((text.size + 1) * TRAVERSAL) * Math.ceil(pattern.size * REGEX);

/** Comparing two values as far as the shorter one goes. */
export const comparison: Cost = ([a, b]) => Math.ceil(Math.min(a.size, b.size) * TRAVERSAL);

/** One step for each element, and reading through those that have a length. */
export const eachElement: Cost = ([list]) =>
  list.size * (1 + Math.ceil((list.element?.size ?? 0) * TRAVERSAL));

export const ONE: Extent = { size: 1 };

/** @returns how large a value is. */
export function extentOf(value: Value): Extent {
  if (typeof value === "string") return { size: value.length };
  if (value instanceof ListValue || value instanceof MapValue) return { size: value.size };
  if (value instanceof Uint8Array) return { size: value.length };
  if (value instanceof Optional && value.value !== undefined) return extentOf(value.value);
  return ONE;
}

/** @returns a map of these entries. */
export function mapFrom(entries: Iterable<readonly [Value, Value]>): MapValue {
  const map = new LiteralMap();
  for (const [key, value] of entries) map.add(key, value);
  return map;
}
