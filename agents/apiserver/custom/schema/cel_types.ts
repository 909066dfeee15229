/**
 * How values of a schema look to its rules: types, with the most that the API lets them hold.
 * In: a structural schema. Out: a type of the expression language.
 * Never: a value. Source: apiextensions-apiserver's schema/cel/model and apiserver's
 * pkg/cel/common/schemas.go (v1.36).
 */
import { BOOL, type CelType, DOUBLE, INT, type ObjectType, STRING } from "../../../cel/mod.ts";
import { isEmbedded, isOpen, itemsOf, type Schema, valuesOf } from "./prune.ts";

/** Bytes of the largest request. */
export const MAX_REQUEST = 3 * 1024 * 1024;

const RESERVED = new Set(
  ("true false null in as break const continue else for function if import let loop package " +
    "namespace return var void while").split(" "),
);
const ACCESSIBLE = /^[A-Za-z_.\-/][A-Za-z0-9_.\-/]*$/;
const ESCAPES: Readonly<Record<string, string>> = {
  ".": "__dot__",
  "-": "__dash__",
  "/": "__slash__",
  "__": "__underscores__",
};

/** The name of a field in a rule; undefined where a rule can't name it. */
export function escapeName(name: string): string | undefined {
  if (RESERVED.has(name)) return `__${name}__`;
  if (!ACCESSIBLE.test(name)) return undefined;
  return name.replace(/__|[.\-/]/g, (found) => ESCAPES[found]);
}

/** The name of a field in JSON. */
export function unescapeName(name: string): string {
  return name.replace(/__(dot|dash|slash|underscores|[a-z]+)__/g, (found, word: string) => {
    for (const [text, escaped] of Object.entries(ESCAPES)) if (escaped === found) return text;
    return RESERVED.has(word) ? word : found;
  });
}

const types = new WeakMap<Schema, CelType>();

/** @param isRoot whether it has a header that the schema need not say. */
export function typeOfSchema(schema: Schema, isRoot = false): CelType {
  if (isRoot) return objectType(schema, true);
  let type = types.get(schema);
  if (type === undefined) types.set(schema, type = makeType(schema));
  return type;
}

function makeType(schema: Schema): CelType {
  if (schema["x-kubernetes-int-or-string"] === true) {
    return { kind: "dyn", maxSize: schema.maxLength ?? MAX_REQUEST - 2 };
  }
  switch (schema.type) {
    case "array": {
      const items = itemsOf(schema);
      if (items === undefined) break;
      const listKind = schema["x-kubernetes-list-type"];
      return {
        kind: "list",
        element: typeOfSchema(items),
        maxSize: maxItems(schema, items),
        ...(listKind === undefined ? {} : { listKind: listKind as "atomic" | "set" | "map" }),
        mapKeys: schema["x-kubernetes-list-map-keys"] ?? [],
      };
    }
    case "object": {
      const values = valuesOf(schema);
      if (values !== undefined) {
        return {
          kind: "map",
          key: STRING,
          value: typeOfSchema(values),
          maxSize: maxProperties(schema, values),
        };
      }
      if (schema.properties !== undefined || isEmbedded(schema)) {
        return objectType(schema, isEmbedded(schema));
      }
      break;
    }
    case "string":
      return textType(schema);
    case "boolean":
      return BOOL;
    case "integer":
      return INT;
    case "number":
      return DOUBLE;
  }
  return { kind: "dyn", maxSize: MAX_REQUEST - 2 };
}

function maxItems(schema: Schema, items: Schema): number {
  return schema.maxItems ?? Math.floor((MAX_REQUEST - 2) / (minSize(items) + 1));
}

/** At least two quotes, a colon and a comma for each. */
function maxProperties(schema: Schema, values: Schema): number {
  return schema.maxProperties ?? Math.floor((MAX_REQUEST - 2) / (minSize(values) + 5));
}

const TEXT_SIZES: Readonly<Record<string, number>> = { duration: 32, date: 12, "date-time": 32 };

function textType(schema: Schema): CelType {
  const { format = "", maxLength, enum: allowed } = schema;
  switch (format) {
    case "byte":
      return { kind: "bytes", maxSize: maxLength ?? MAX_REQUEST - 2 };
    case "duration":
      return { kind: "duration" };
    case "date":
    case "date-time":
      return { kind: "timestamp" };
  }
  const longest = allowed === undefined
    ? undefined
    : Math.max(0, ...allowed.map((value) => String(value).length));
  // A character is four bytes at most.
  const size = longest ?? (maxLength === undefined ? MAX_REQUEST - 2 : maxLength * 4);
  return { kind: "string", maxSize: size };
}

/** Characters of the shortest JSON that fits. */
export function minSize(schema: Schema): number {
  switch (schema.type) {
    case "array":
      return 2;
    case "object": {
      const { properties = {}, required = [] } = schema;
      let size = 2;
      for (const name of required) {
        const part = properties[name];
        if (part !== undefined && part.default === undefined) {
          size += name.length + 4 + minSize(part);
        }
      }
      return size;
    }
    case "string":
      return TEXT_SIZES[schema.format ?? ""] === undefined
        ? 2
        : schema.format === "duration"
        ? 3
        : 12;
    case "boolean":
      return 4;
    default:
      return 1;
  }
}

const HEADER_META: Schema = {
  type: "object",
  properties: { name: { type: "string" }, generateName: { type: "string" } },
};

let typeCount = 0;

/** Two types are the same where they came of the same schema, so each has a name of its own. */
function objectType(schema: Schema, hasHeader: boolean): ObjectType {
  const { properties = {} } = schema;
  const header: Record<string, Schema> = hasHeader
    ? { apiVersion: { type: "string" }, kind: { type: "string" }, metadata: HEADER_META }
    : {};
  const fields = new Map<string, { json: string; schema: Schema }>();
  for (const [json, part] of Object.entries({ ...properties, ...header })) {
    const name = escapeName(json);
    if (name !== undefined) fields.set(name, { json, schema: part });
  }
  return {
    kind: "object",
    name: `object${isOpen(schema) ? "Open" : ""}${++typeCount}`,
    field: (name) => {
      const found = fields.get(name);
      return found === undefined ? undefined : typeOfSchema(found.schema);
    },
    jsonName: (name) => fields.get(name)?.json ?? name,
    celName: (json) => {
      const name = escapeName(json);
      return name !== undefined && fields.has(name) ? name : undefined;
    },
  };
}
