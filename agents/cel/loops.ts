/**
 * Evaluates the macros that walk a list, a map or an optional.
 * In: a loop's node and the builder of its parts. Out: a step.
 * Never: walks past the frame's budget. Source: the CEL language definition, section Macros;
 * costs are those of the folds that cel-go expands them to.
 */
import { compare } from "./equality.ts";
import { charge, type Frame, type Step } from "./frame.ts";
import type { Builder } from "./interpret.ts";
import type { Loop } from "./syntax/ast.ts";
import {
  ArrayList,
  CelError,
  ListValue,
  LiteralMap,
  MapValue,
  NONE,
  Optional,
  type Value,
} from "./values.ts";

interface Parts {
  readonly range: Step;
  readonly filter: Step | undefined;
  readonly body: Step;
  readonly slots: readonly number[];
}

/** @returns the step of a loop. */
export function planLoop(node: Loop, builder: Builder): Step {
  const range = builder.build(node.range);
  const parts = builder.within(node.variables, (slots): Parts => ({
    range,
    slots,
    filter: node.filter === undefined ? undefined : builder.build(node.filter),
    body: builder.build(node.body),
  }));
  switch (node.loop) {
    case "all":
      return (frame) => quantified(frame, parts, false);
    case "exists":
      return (frame) => quantified(frame, parts, true);
    case "existsOne":
      return (frame) => existsOne(frame, parts);
    case "map":
    case "transformList":
      return (frame) => mapped(frame, parts);
    case "filter":
      return (frame) => filtered(frame, parts);
    case "transformMap":
      return (frame) => mapEntries(frame, parts);
    case "transformMapEntry":
      return (frame) => wholeEntries(frame, parts);
    case "sortBy":
      return (frame) => sorted(frame, parts);
    case "optMap":
      return (frame) => optional(frame, parts, (value) => new Optional(value));
    case "optFlatMap":
      return (frame) => optional(frame, parts, (value) => value);
  }
}

/** Sets the loop's variables to each element in turn. */
function* walk(frame: Frame, { range, slots }: Parts): Generator<void> {
  const container = range(frame);
  if (container instanceof ListValue) {
    for (let index = 0; index < container.size; index++) {
      const item = container.at(index);
      if (slots.length === 2) frame.slots[slots[0]] = BigInt(index);
      frame.slots[slots[slots.length - 1]] = item;
      yield;
    }
  } else if (container instanceof MapValue) {
    for (const key of container.keys()) {
      frame.slots[slots[0]] = key;
      if (slots.length === 2) frame.slots[slots[1]] = container.get(key);
      yield;
    }
  } else throw new CelError("no such overload");
}

function wantBool(value: Value): boolean {
  if (typeof value !== "boolean") throw new CelError("no such overload");
  return value;
}

/** `all` ends at the first false, `exists` at the first true; failures count only without one. */
function quantified(frame: Frame, parts: Parts, decisive: boolean): boolean {
  let failure: CelError | undefined;
  for (const _ of walk(frame, parts)) {
    charge(frame, decisive ? 4 : 3);
    try {
      if (wantBool(parts.body(frame)) === decisive) return decisive;
    } catch (error) {
      if (!(error instanceof CelError)) throw error;
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
  charge(frame, 1);
  return !decisive;
}

function existsOne(frame: Frame, parts: Parts): boolean {
  let count = 0;
  for (const _ of walk(frame, parts)) {
    const holds = wantBool(parts.body(frame));
    charge(frame, holds ? 2 : 1);
    if (holds) count++;
  }
  charge(frame, 2);
  return count === 1;
}

function passes(frame: Frame, { filter }: Parts): boolean {
  if (filter === undefined || wantBool(filter(frame))) return true;
  charge(frame, 1);
  return false;
}

function mapped(frame: Frame, parts: Parts): Value {
  const items: Value[] = [];
  charge(frame, 10);
  for (const _ of walk(frame, parts)) {
    if (!passes(frame, parts)) continue;
    items.push(parts.body(frame));
    charge(frame, 12);
  }
  charge(frame, 1);
  return new ArrayList(items);
}

function filtered(frame: Frame, parts: Parts): Value {
  const items: Value[] = [];
  charge(frame, 10);
  for (const _ of walk(frame, parts)) {
    const item = frame.slots[parts.slots[parts.slots.length - 1]]!;
    const holds = wantBool(parts.body(frame));
    charge(frame, holds ? 13 : 1);
    if (holds) items.push(item);
  }
  charge(frame, 1);
  return new ArrayList(items);
}

function mapEntries(frame: Frame, parts: Parts): Value {
  const map = new LiteralMap();
  charge(frame, 30);
  for (const _ of walk(frame, parts)) {
    const key = frame.slots[parts.slots[0]]!;
    if (!passes(frame, parts)) continue;
    map.add(key, parts.body(frame));
    charge(frame, 3);
  }
  charge(frame, 1);
  return map;
}

function wholeEntries(frame: Frame, parts: Parts): Value {
  const map = new LiteralMap();
  charge(frame, 30);
  for (const _ of walk(frame, parts)) {
    if (!passes(frame, parts)) continue;
    const entries = parts.body(frame);
    if (!(entries instanceof MapValue)) throw new CelError("no such overload");
    for (const key of entries.keys()) map.add(key, entries.get(key)!);
    charge(frame, 2);
  }
  charge(frame, 1);
  return map;
}

function sorted(frame: Frame, parts: Parts): Value {
  const keyed: { readonly item: Value; readonly key: Value }[] = [];
  charge(frame, 10);
  for (const _ of walk(frame, parts)) {
    const item = frame.slots[parts.slots[0]]!;
    keyed.push({ item, key: parts.body(frame) });
    charge(frame, 13);
  }
  // A comparison sort looks at each element about as often as its count has binary digits.
  charge(frame, keyed.length * Math.ceil(Math.log2(keyed.length + 1)));
  keyed.sort((a, b) => compare(a.key, b.key));
  return new ArrayList(keyed.map(({ item }) => item));
}

function optional(frame: Frame, parts: Parts, wrap: (value: Value) => Value): Value {
  const container = parts.range(frame);
  if (!(container instanceof Optional)) throw new CelError("no such overload");
  charge(frame, 1);
  if (container.value === undefined) return NONE;
  frame.slots[parts.slots[0]] = container.value;
  return wrap(parts.body(frame));
}
