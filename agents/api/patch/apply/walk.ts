/**
 * Walks over typed values: which fields a value has, and where two values differ.
 * In: JSON values and their shape. Out: field sets.
 * Never: changes a value. Source: structured-merge-diff's typed package (tofieldset, compare).
 */
import { equalJson } from "../json_patch.ts";
import { isObject } from "../merge_patch.ts";
import type { Json } from "../outcome.ts";
import { fieldNode, type FieldSet, isEmptySet, LEAF_SET } from "./field_set.ts";
import type { Shape } from "./shape.ts";

/** A value that its type does not allow; `path` says where. */
export class BadValue extends Error {
  constructor(readonly path: string, readonly detail: string) {
    super(`${path}: ${detail}`);
  }
}

type Associative = Extract<Shape, { kind: "set" | "keyed" }>;

/** How one value merges: the shape, looked at with the value at hand. */
export function resolveShape(shape: Shape, value: Json): "leaf" | "map" | "list" {
  switch (shape.kind) {
    case "scalar":
    case "atomic":
      return "leaf";
    case "map":
      return isObject(value) ? "map" : "leaf";
    case "set":
    case "keyed":
      return Array.isArray(value) ? "list" : "leaf";
    case "untyped":
      return isObject(value) ? "map" : "leaf";
  }
}

/** The shape of a member, or of anything below an untyped value. */
export function memberShape(shape: Shape, name: string): Shape | undefined {
  return shape.kind === "map" ? shape.member(name) : shape;
}

/**
 * The path element of a list's item.
 * Errors: throws BadValue for an item without its keys.
 */
export function elementOf(shape: Associative, item: Json, position: number): string {
  if (shape.kind === "set") {
    if (typeof item === "object") {
      const what = item === null
        ? "that's an explicit null"
        : Array.isArray(item)
        ? "that's a list type"
        : "that's a map type";
      throw new BadValue(
        "",
        `element ${position}: associative list without keys has an element ${what}`,
      );
    }
    return "v:" + JSON.stringify(item);
  }
  if (!isObject(item)) {
    const detail = item === null
      ? "associative list with keys may not have a null element"
      : "associative list with keys may not have non-map elements";
    throw new BadValue("", `element ${position}: ${detail}`);
  }
  const key: Record<string, unknown> = {};
  let isAny = false;
  for (const name of shape.keys) {
    const value = Object.hasOwn(item, name) ? item[name] : shape.defaults[name];
    if (value === undefined) continue;
    key[name] = value;
    isAny = true;
  }
  if (isAny) return "k:" + JSON.stringify(key);
  const names = shape.keys.map((name) => JSON.stringify(name)).join(" ");
  throw new BadValue(
    "",
    `element ${position}: associative list with keys has an element that omits all key fields ` +
      `[${names}] (and doesn't have default values for any key fields)`,
  );
}

/**
 * Items of a list by element, in order; `null` stands for an element that occurs twice.
 * Errors: throws BadValue for an item without its keys.
 */
export function itemsByElement(
  shape: Associative,
  list: readonly Json[],
): Map<string, readonly Json[]> {
  const items = new Map<string, Json[]>();
  list.forEach((item, position) => {
    const element = elementOf(shape, item, position);
    const known = items.get(element);
    if (known === undefined) items.set(element, [item]);
    else known.push(item);
  });
  return items;
}

/** Adds where it happened to what went wrong below. */
export function located<T>(step: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof BadValue) throw new BadValue(step + error.path, error.detail);
    throw error;
  }
}

/** The fields that a value has. Errors: throws BadValue. */
export function fieldsOf(shape: Shape, value: Json): FieldSet {
  const kind = resolveShape(shape, value);
  if (kind === "leaf") {
    // A list or an object that should merge and isn't there owns nothing.
    const isMissing = value === null && shape.kind !== "scalar" && shape.kind !== "atomic";
    return isMissing ? fieldNode(false, new Map()) : LEAF_SET;
  }
  const children = new Map<string, FieldSet>();
  if (kind === "map") {
    for (const name of Object.keys(value)) {
      const child = value[name];
      const inner = memberShape(shape, name);
      if (inner === undefined) throw new BadValue(`.${name}`, "field not declared in schema");
      const fields = located(`.${name}`, () => fieldsOf(inner, child));
      const isEmpty = child === null || (isObject(child) && Object.keys(child).length === 0);
      const owned = isEmpty || fields.owned || (shape.kind === "map" && !shape.isField(name));
      const node = fieldNode(owned, fields.children);
      if (!isEmptySet(node)) children.set(`f:${name}`, node);
    }
    return fieldNode(false, children);
  }
  const list = shape as Associative;
  for (const [element, items] of itemsByElement(list, value)) {
    const parts = items.length > 1
      ? LEAF_SET.children
      : located(`[${element.slice(2)}]`, () => fieldsOf(list.item, items[0])).children;
    children.set(element, fieldNode(true, parts));
  }
  return fieldNode(false, children);
}

/** Where two versions of an object differ. */
export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

/** Nodes under construction. */
class Tree {
  owned = false;
  readonly children = new Map<string, Tree>();

  child(element: string): Tree {
    let tree = this.children.get(element);
    if (tree === undefined) this.children.set(element, tree = new Tree());
    return tree;
  }

  freeze(): FieldSet {
    const children = new Map<string, FieldSet>();
    for (const [element, tree] of this.children) {
      const node = tree.freeze();
      if (!isEmptySet(node)) children.set(element, node);
    }
    return fieldNode(this.owned, children);
  }
}

interface Trees {
  readonly added: Tree;
  readonly modified: Tree;
  readonly removed: Tree;
}

/** Errors: throws BadValue. */
export function compareValues(shape: Shape, before: Json, after: Json): Comparison {
  const trees = { added: new Tree(), modified: new Tree(), removed: new Tree() };
  compareChildren(shape, { before, after }, trees);
  return {
    added: trees.added.freeze(),
    modified: trees.modified.freeze(),
    removed: trees.removed.freeze(),
  };
}

interface Pair {
  readonly before: Json;
  readonly after: Json;
}

function compareNode(shape: Shape, pair: Pair, trees: () => Trees): void {
  const { before, after } = pair;
  if (before === after || (before === undefined && after === undefined)) return;
  const isLeaf = !isBranch(shape, before) && !isBranch(shape, after);
  if (isLeaf) {
    if (before === undefined) trees().added.owned = true;
    else if (after === undefined) trees().removed.owned = true;
    else if (!equalJson(before, after)) trees().modified.owned = true;
    return;
  }
  if (before !== undefined && after !== undefined && equalJson(before, after)) return;
  const here = trees();
  compareChildren(shape, pair, here);
  if (before === undefined) here.added.owned = true;
  else if (after === undefined) here.removed.owned = true;
}

/** Something to descend into: an object or an associative list that is not empty. */
function isBranch(shape: Shape, value: Json): boolean {
  const kind = resolveShape(shape, value);
  if (kind === "leaf") return false;
  return kind === "list" ? value.length > 0 : Object.keys(value).length > 0;
}

function compareChildren(shape: Shape, { before, after }: Pair, trees: Trees): void {
  const isList = Array.isArray(before) || Array.isArray(after);
  if (isList) compareItems(shape as Associative, { before, after }, trees);
  else compareMembers(shape, { before, after }, trees);
}

const below = (trees: Trees, element: string) => () => ({
  added: trees.added.child(element),
  modified: trees.modified.child(element),
  removed: trees.removed.child(element),
});

function compareMembers(shape: Shape, { before, after }: Pair, trees: Trees): void {
  const old = isObject(before) ? before : undefined;
  const next = isObject(after) ? after : undefined;
  const visit = (name: string) => {
    const inner = memberShape(shape, name);
    // What the type does not have can't be owned.
    if (inner === undefined) return;
    let was = old !== undefined && Object.hasOwn(old, name) ? old[name] : undefined;
    let is = next !== undefined && Object.hasOwn(next, name) ? next[name] : undefined;
    if (shape.kind === "map" && shape.isPlain(name)) {
      if (was === undefined && old !== undefined) was = {};
      if (is === undefined && next !== undefined) is = {};
    }
    located(
      `.${name}`,
      () => compareNode(inner, { before: was, after: is }, below(trees, `f:${name}`)),
    );
  };
  if (next !== undefined) { for (const name of Object.keys(next)) visit(name); }
  if (old === undefined) return;
  for (const name of Object.keys(old)) {
    if (next === undefined || !Object.hasOwn(next, name)) visit(name);
  }
}

function compareItems(shape: Associative, { before, after }: Pair, trees: Trees): void {
  const old = itemsByElement(shape, Array.isArray(before) ? before : []);
  const next = itemsByElement(shape, Array.isArray(after) ? after : []);
  for (const element of new Set([...old.keys(), ...next.keys()])) {
    const was = old.get(element) ?? [];
    const is = next.get(element) ?? [];
    const at = below(trees, element);
    if (was.length <= 1 && is.length <= 1) {
      located(
        `[${element.slice(2)}]`,
        () => compareNode(shape.item, { before: was[0], after: is[0] }, at),
      );
    } else if (was.length >= 2 && is.length >= 2) {
      if (!equalJson(was, is)) at().modified.owned = true;
    } else if (was.length >= 2) at().removed.owned = true;
    else at().added.owned = true;
  }
}
