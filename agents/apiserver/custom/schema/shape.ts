/**
 * How a custom object merges under server-side apply: what its schema says of lists and maps.
 * In: a structural schema. Out: a Shape. Never: looks at a value.
 * Source: kube-openapi pkg/schemaconv; apiextensions' x-kubernetes-list-type and -map-type.
 */
import { type Shape, shapeOfType } from "../../../api/patch/apply/shape.ts";
import { isEmbedded, isOpen, itemsOf, type Schema, valuesOf } from "./prune.ts";

const SCALAR: Shape = { kind: "scalar" };
const ATOMIC: Shape = { kind: "atomic" };
const UNTYPED: Shape = { kind: "untyped" };
const META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/** The shape of a whole object. */
export function shapeOfObject(schema: Schema): Shape {
  return shapeOf({ ...schema, "x-kubernetes-embedded-resource": true });
}

function shapeOf(schema: Schema): Shape {
  const items = itemsOf(schema);
  if (items !== undefined || schema.type === "array") return shapeOfList(schema, items);
  const values = valuesOf(schema);
  const hasFields = schema.properties !== undefined || values !== undefined || isEmbedded(schema);
  if (!hasFields) {
    return schema.type === "object" || isOpen(schema) || schema.type === undefined
      ? UNTYPED
      : SCALAR;
  }
  if (schema["x-kubernetes-map-type"] === "atomic") return ATOMIC;
  const members = new Map<string, Shape | undefined>();
  const { properties = {} } = schema;
  return {
    kind: "map",
    member(name) {
      if (!members.has(name)) members.set(name, memberShape(schema, name));
      return members.get(name);
    },
    isField: (name) => Object.hasOwn(properties, name),
    isPlain: () => false,
  };
}

function memberShape(schema: Schema, name: string): Shape | undefined {
  if (isEmbedded(schema)) {
    if (name === "metadata") return shapeOfType(META);
    if (name === "apiVersion" || name === "kind") return SCALAR;
  }
  const { properties = {} } = schema;
  if (Object.hasOwn(properties, name)) return shapeOf(properties[name]);
  const values = valuesOf(schema);
  if (values !== undefined) return shapeOf(values);
  return isOpen(schema) ? UNTYPED : undefined;
}

function shapeOfList(schema: Schema, items: Schema | undefined): Shape {
  if (items === undefined) return ATOMIC;
  switch (schema["x-kubernetes-list-type"]) {
    case "set":
      return { kind: "set", item: shapeOf(items) };
    case "map": {
      const keys = [...(schema["x-kubernetes-list-map-keys"] ?? [])].sort();
      const defaults: Record<string, unknown> = {};
      for (const key of keys) {
        const value = items.properties?.[key]?.default;
        if (value !== undefined) defaults[key] = value;
      }
      return { kind: "keyed", item: shapeOf(items), keys, defaults };
    }
    default:
      return ATOMIC;
  }
}
