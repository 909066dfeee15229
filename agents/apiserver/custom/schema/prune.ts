/**
 * Makes a value what its schema allows it to be: unknown fields go, defaults come.
 * In: a structural schema and a private JSON value. Out: the value, changed in place, and the
 * paths of what was unknown.
 * Never: judges a value. Source: apiextensions-apiserver's schema/pruning and schema/defaulting
 * (v1.36).
 */
import type { JSONSchemaProps } from "../../../api/kinds/extensions/custom_resource_definition.ts";
import { copyJson } from "../../registry.ts";

export type Schema = JSONSchemaProps;
type Json = Record<string, unknown>;

/** Fields that every object has, embedded ones included, whatever the schema says. */
const HEADER = new Set(["apiVersion", "kind", "metadata"]);

export function isOpen(schema: Schema): boolean {
  return schema["x-kubernetes-preserve-unknown-fields"] === true;
}

export function isEmbedded(schema: Schema): boolean {
  return schema["x-kubernetes-embedded-resource"] === true;
}

/** The schema of a map's values; undefined where fields have names. */
export function valuesOf(schema: Schema): Schema | undefined {
  const { additionalProperties: values } = schema;
  return typeof values === "object" && values !== null ? values as Schema : undefined;
}

export function itemsOf(schema: Schema): Schema | undefined {
  const { items } = schema;
  return typeof items === "object" && items !== null && !Array.isArray(items)
    ? items as Schema
    : undefined;
}

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Drops what the schema does not know.
 * @param value an object with apiVersion, kind and metadata, which stay.
 * @param report called with the path of each field that is dropped.
 */
export function pruneObject(
  schema: Schema,
  value: Json,
  report: (path: string) => void = () => {},
): void {
  prune({ ...schema, "x-kubernetes-embedded-resource": true }, value, "", report);
}

function prune(schema: Schema, value: unknown, at: string, report: (path: string) => void): void {
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    if (items !== undefined) {
      value.forEach((item, index) => prune(items, item, `${at}[${index}]`, report));
    } else if (!isOpen(schema)) {
      value.forEach((item, index) => prune({}, item, `${at}[${index}]`, report));
    }
    return;
  }
  if (!isObject(value)) return;
  const { properties = {} } = schema;
  const values = valuesOf(schema);
  for (const name of Object.keys(value)) {
    if (isEmbedded(schema) && HEADER.has(name)) continue;
    const path = at === "" ? name : `${at}.${name}`;
    const known = Object.hasOwn(properties, name) ? properties[name] : values;
    if (known !== undefined) prune(known, value[name], path, report);
    else if (!isOpen(schema) && schema.additionalProperties !== true) {
      report(path);
      delete value[name];
    }
  }
}

const defaulted = new WeakMap<Schema, boolean>();

/** Whether a default stands anywhere in a schema. */
export function hasDefaults(schema: Schema): boolean {
  const known = defaulted.get(schema);
  if (known !== undefined) return known;
  const parts = [itemsOf(schema), valuesOf(schema), ...Object.values(schema.properties ?? {})];
  const found = schema.default !== undefined ||
    parts.some((part) => part !== undefined && hasDefaults(part));
  defaulted.set(schema, found);
  return found;
}

/** Fills defaults, below objects that are there. */
export function setDefaults(schema: Schema, value: unknown): void {
  if (!hasDefaults(schema)) return;
  const filled = (part: Schema, current: unknown): unknown =>
    current === null && part.nullable !== true && part.default !== undefined
      ? copyJson(part.default)
      : current;
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    if (items === undefined) return;
    value.forEach((item, index) => {
      value[index] = filled(items, item);
      setDefaults(items, value[index]);
    });
    return;
  }
  if (!isObject(value)) return;
  const { properties = {} } = schema;
  for (const [name, part] of Object.entries(properties)) {
    if (part.default !== undefined && !Object.hasOwn(value, name)) {
      value[name] = copyJson(part.default);
    }
  }
  const values = valuesOf(schema);
  for (const name of Object.keys(value)) {
    const part = Object.hasOwn(properties, name) ? properties[name] : values;
    if (part === undefined) continue;
    value[name] = filled(part, value[name]);
    setDefaults(part, value[name]);
  }
}

/** Drops nulls that the schema does not allow and that no default replaces. */
export function dropNulls(schema: Schema, value: unknown): void {
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    if (items !== undefined) { for (const item of value) dropNulls(items, item); }
    return;
  }
  if (!isObject(value)) return;
  const { properties = {} } = schema;
  const values = valuesOf(schema);
  for (const name of Object.keys(value)) {
    const isNamed = Object.hasOwn(properties, name);
    const part = isNamed ? properties[name] : values;
    if (part === undefined) continue;
    if (isNamed && value[name] === null && part.nullable !== true && part.default === undefined) {
      delete value[name];
    } else dropNulls(part, value[name]);
  }
}
