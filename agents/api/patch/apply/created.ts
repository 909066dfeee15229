/**
 * The fields of an object that has just been made: the comparison with nothing, in one pass.
 * In: a value and its shape. Out: a FieldsV1 document; its empty parts are one frozen object.
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
