/**
 * How a value merges: as one piece, by name, by key, or as a set.
 * In: the field tables. Out: shapes, one for each field, made once.
 * Never: looks at a value, except where no table tells the type.
 * Source: the conversion of OpenAPI extensions to structured-merge-diff schemas (kube-openapi
 * pkg/schemaconv): list-type first, then patch-strategy, then atomic.
 */
import { type Field, type TypeInfo, typeInfo } from "../../schema/fields.ts";

export type Shape =
  | { readonly kind: "scalar" }
  /** A list or an object that has one owner. */
  | { readonly kind: "atomic" }
  /** Merges by member name. */
  | {
    readonly kind: "map";
    /** The shape of a member. @returns undefined for a member that the type lacks */
    readonly member: (name: string) => Shape | undefined;
    /** Members of a struct are known by name; those of a map are data. */
    readonly isField: (name: string) => boolean;
    /** A struct that Go always has, so that its appearing is no change of its own. */
    readonly isPlain: (name: string) => boolean;
  }
  | { readonly kind: "set"; readonly item: Shape }
  | {
    readonly kind: "keyed";
    readonly item: Shape;
    /** Sorted by name. */
    readonly keys: readonly string[];
    /** By key, where the item may leave it out. */
    readonly defaults: Readonly<Record<string, unknown>>;
  }
  /** No table: objects merge by name, lists are one piece. */
  | { readonly kind: "untyped" };

const SCALAR: Shape = { kind: "scalar" };
const ATOMIC: Shape = { kind: "atomic" };
const UNTYPED: Shape = { kind: "untyped" };

const ofTypes = new Map<string, Shape>();

/** @param typeName full name in the field tables; a type without a table is untyped. */
export function shapeOfType(typeName: string): Shape {
  const known = ofTypes.get(typeName);
  if (known !== undefined) return known;
  const type = typeInfo(typeName);
  const shape = type === undefined ? UNTYPED : shapeOfInfo(type);
  ofTypes.set(typeName, shape);
  return shape;
}

function shapeOfInfo(type: TypeInfo): Shape {
  if (type.atomic || type.wrapped) return ATOMIC;
  const members = new Map<string, Shape>();
  return {
    kind: "map",
    member(name) {
      let shape = members.get(name);
      if (shape !== undefined) return shape;
      const field = type.byName.get(name);
      if (field === undefined) return undefined;
      members.set(name, shape = shapeOfField(field));
      return shape;
    },
    isField: (name) => type.byName.has(name),
    isPlain(name) {
      const field = type.byName.get(name);
      return field !== undefined && field.kind === "message" && field.container === "one" &&
        !field.pointer;
    },
  };
}

function shapeOfField(field: Field): Shape {
  switch (field.container) {
    case "one":
      return field.atomic ? ATOMIC : shapeOfItem(field);
    case "map":
      return field.atomic ? ATOMIC : mapOf(shapeOfItem(field));
    case "list":
      return listOf(field);
  }
}

function shapeOfItem(field: Field): Shape {
  if (field.kind === "message") return shapeOfType(field.ref);
  return field.kind === "Raw" || field.kind === "FieldsV1" ? ATOMIC : SCALAR;
}

function mapOf(item: Shape): Shape {
  return { kind: "map", member: () => item, isField: () => false, isPlain: () => false };
}

function listOf(field: Field): Shape {
  const isMerged = field.listType === "" && field.patchStrategies.includes("merge");
  if (field.listType === "map") return keyedBy(field, field.listKeys);
  if (isMerged && field.mergeKey !== "") return keyedBy(field, [field.mergeKey]);
  if (field.listType === "set" || isMerged) return { kind: "set", item: shapeOfItem(field) };
  return ATOMIC;
}

function keyedBy(field: Field, keys: readonly string[]): Shape {
  const defaults: Record<string, unknown> = {};
  const type = typeInfo(field.ref);
  for (const key of keys) {
    const value = type?.byName.get(key)?.defaultValue;
    if (value !== undefined) defaults[key] = value;
  }
  return { kind: "keyed", item: shapeOfItem(field), keys: [...keys].sort(), defaults };
}
