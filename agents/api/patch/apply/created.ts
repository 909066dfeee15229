/**
 * The fields of an object that has just been made: the comparison with nothing, in one pass.
 * In: a value and its shape. Out: a FieldsV1 document, frozen; objects that are built alike, as
 * those of one controller are, share one.
 * Never: builds a set; every create over HTTP passes here, and most are never looked at.
 * Source: structured-merge-diff's compare of an empty object with a new one; the fields that
 * nobody owns are those of util/managedfields/internal/stripmeta.go (v1.36).
 */
import { isObject } from "../merge_patch.ts";
import type { Json } from "../outcome.ts";
import type { FieldsV1 } from "./field_set.ts";
import type { Shape } from "./shape.ts";
import { itemsByElement, memberShape } from "./walk.ts";

const LEAF: FieldsV1 = Object.freeze({});

/** Bookkeeping at the top of an object, and in its metadata. */
const UNOWNED_TOP: ReadonlySet<string> = new Set(["apiVersion", "kind"]);
const UNOWNED_META: ReadonlySet<string> = new Set([
  "name",
  "namespace",
  "creationTimestamp",
  "selfLink",
  "uid",
  "generation",
  "managedFields",
  "resourceVersion",
]);
const NONE: ReadonlySet<string> = new Set();

/** The last object of each type whose fields were written out. */
interface Memory {
  readonly ignored: string;
  readonly object: Json;
  readonly fields: FieldsV1 | null;
}

const memories = new WeakMap<Shape, Memory>();

/**
 * @param ignored top-level fields that a create does not write
 * @returns null when there is nothing to own
 * Errors: throws BadValue for a list item without its keys.
 */
export function createdFields(
  shape: Shape,
  object: Json,
  ignored: readonly string[],
): FieldsV1 | null {
  const last = memories.get(shape);
  const key = ignored.join();
  if (last?.ignored === key && isBuiltAlike(shape, last.object, object)) return last.fields;
  const fields = topFields(shape, object, ignored);
  freezeFields(fields);
  memories.set(shape, { ignored: key, object: structuredClone(object), fields });
  return fields;
}

/** Whether two values have the same fields, whatever stands in them. */
function isBuiltAlike(shape: Shape, a: Json, b: Json): boolean {
  switch (shape.kind) {
    case "scalar":
    case "atomic":
      return (a === undefined) === (b === undefined);
    case "map":
    case "untyped":
      if (isObject(a) && isObject(b)) return hasLikeMembers(shape, a, b);
      return isObject(a) === isObject(b) && (a === undefined) === (b === undefined);
    case "keyed":
    case "set":
      if (Array.isArray(a) && Array.isArray(b)) return hasLikeItems(shape, a, b);
      return Array.isArray(a) === Array.isArray(b) && (a === undefined) === (b === undefined);
  }
}

function hasLikeMembers(shape: Shape, a: Record<string, Json>, b: Record<string, Json>): boolean {
  let count = 0;
  for (const name in a) {
    if (!Object.hasOwn(b, name)) return false;
    count++;
    const inner = memberShape(shape, name);
    if (inner !== undefined && !isBuiltAlike(inner, a[name], b[name])) return false;
  }
  for (const _ in b) count--;
  return count === 0;
}

function hasLikeItems(
  shape: Extract<Shape, { kind: "keyed" | "set" }>,
  a: readonly Json[],
  b: readonly Json[],
): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (shape.kind === "set") {
      if (a[i] !== b[i]) return false;
      continue;
    }
    if (!isObject(a[i]) || !isObject(b[i])) return false;
    for (const key of shape.keys) if (a[i][key] !== b[i][key]) return false;
    if (!isBuiltAlike(shape.item, a[i], b[i])) return false;
  }
  return true;
}

function freezeFields(fields: FieldsV1 | null): void {
  if (fields === null || Object.isFrozen(fields)) return;
  Object.freeze(fields);
  for (const element in fields) freezeFields(fields[element]);
}

function topFields(shape: Shape, object: Json, ignored: readonly string[]): FieldsV1 | null {
  const out: FieldsV1 = {};
  let isAny = false;
  for (const name of Object.keys(object)) {
    if (UNOWNED_TOP.has(name) || ignored.includes(name)) continue;
    const fields = memberFields(shape, name, {
      value: object[name],
      isKnown: true,
      skip: name === "metadata" ? UNOWNED_META : NONE,
    });
    if (fields === null) continue;
    out[`f:${name}`] = fields;
    isAny = true;
  }
  return isAny ? out : null;
}

interface Member {
  readonly value: Json;
  /** The parent was there before, as Go's structs always are. */
  readonly isKnown: boolean;
  readonly skip: ReadonlySet<string>;
}

function memberFields(shape: Shape, name: string, member: Member): FieldsV1 | null {
  const inner = memberShape(shape, name);
  const { value } = member;
  if (inner === undefined || value === undefined) return null;
  const isPlain = member.isKnown && shape.kind === "map" && shape.isPlain(name);
  if (inner.kind === "map" || inner.kind === "untyped") {
    if (isObject(value)) return mapFields(inner, value, { ...member, isKnown: isPlain });
  } else if ((inner.kind === "keyed" || inner.kind === "set") && Array.isArray(value)) {
    if (value.length > 0) return listFields(inner, value);
  }
  return LEAF;
}

function mapFields(
  shape: Shape,
  value: Record<string, Json>,
  { isKnown, skip }: Member,
): FieldsV1 | null {
  const out: FieldsV1 = isKnown ? {} : { ".": LEAF };
  let isAny = false;
  for (const name of Object.keys(value)) {
    if (skip.has(name)) continue;
    const fields = memberFields(shape, name, { value: value[name], isKnown, skip: NONE });
    if (fields === null) continue;
    out[`f:${name}`] = fields;
    isAny = true;
  }
  if (isAny) return out;
  return isKnown ? null : LEAF;
}

function listFields(
  shape: Extract<Shape, { kind: "keyed" | "set" }>,
  value: readonly Json[],
): FieldsV1 {
  const out: FieldsV1 = { ".": LEAF };
  for (const [element, items] of itemsByElement(shape, value)) {
    const isOne = items.length === 1 && isObject(items[0]);
    const parts = isOne
      ? mapFields(shape.item, items[0], { value: items[0], isKnown: false, skip: NONE })
      : LEAF;
    out[element] = parts ?? LEAF;
  }
  return out;
}
