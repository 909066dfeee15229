/**
 * Describes tabled types as OpenAPI schemas, in the words of version 2 or 3.
 * In: names of types. Out: one schema for each type that they reach.
 * Version 3, which `kubectl explain` reads, has descriptions, in our own words.
 * Never: upstream's sentences. Source: kube-openapi's generators.
 */
import { describeField, describeType } from "../descriptions/descriptions.ts";
import { type Field, groupTypes, mustTypeInfo, type TypeInfo } from "../fields.ts";

export type Schema = Record<string, unknown>;

export interface Dialect {
  readonly version: 2 | 3;
  /** `#/components/schemas/` or `#/definitions/`. */
  readonly refPrefix: string;
}

export const V3: Dialect = { version: 3, refPrefix: "#/components/schemas/" };
export const V2: Dialect = { version: 2, refPrefix: "#/definitions/" };

const META = "io.k8s.apimachinery.pkg.apis.meta.v1";

/** Where the types with a JSON form of their own stand in upstream's documents. */
const SPECIAL_NAMES = {
  Quantity: "io.k8s.apimachinery.pkg.api.resource.Quantity",
  IntOrString: "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
  Raw: "io.k8s.apimachinery.pkg.runtime.RawExtension",
  Time: `${META}.Time`,
  MicroTime: `${META}.MicroTime`,
  Duration: `${META}.Duration`,
  FieldsV1: `${META}.FieldsV1`,
} as const;

function specialSchema(kind: keyof typeof SPECIAL_NAMES, dialect: Dialect): Schema {
  const isNew = dialect.version === 3;
  switch (kind) {
    case "Quantity":
      return isNew ? { oneOf: [{ type: "string" }, { type: "number" }] } : { type: "string" };
    case "IntOrString":
      return isNew
        ? { format: "int-or-string", oneOf: [{ type: "integer" }, { type: "string" }] }
        : { type: "string", format: "int-or-string" };
    case "Time":
    case "MicroTime":
      return { type: "string", format: "date-time" };
    case "Duration":
      return { type: "string" };
    case "Raw":
    case "FieldsV1":
      return { type: "object" };
  }
}

/**
 * Schemas of the types and of all that they refer to.
 * @param roots full names of tabled types.
 * @returns by full name, in alphabetical order.
 */
export function collectSchemas(roots: Iterable<string>, dialect: Dialect): Record<string, Schema> {
  const found = new Map<string, Schema>();
  const waiting = [...roots];
  while (waiting.length > 0) {
    const name = waiting.pop() as string;
    if (found.has(name)) continue;
    const special = Object.entries(SPECIAL_NAMES).find(([, fullName]) => fullName === name);
    if (special !== undefined) {
      found.set(name, specialSchema(special[0] as keyof typeof SPECIAL_NAMES, dialect));
      continue;
    }
    const type = mustTypeInfo(name);
    found.set(name, typeSchema(type, dialect));
    for (const field of type.byName.values()) {
      const target = targetOf(field);
      if (target !== "") waiting.push(target);
    }
  }
  return Object.fromEntries([...found].sort(([a], [b]) => a < b ? -1 : 1));
}

/** Full name of the schema that a field's items have, or "" for plain scalars. */
function targetOf(field: Field): string {
  if (field.kind === "message") return mustTypeInfo(field.ref).wrapped ? "" : field.ref;
  return Object.hasOwn(SPECIAL_NAMES, field.kind)
    ? SPECIAL_NAMES[field.kind as keyof typeof SPECIAL_NAMES]
    : "";
}

function typeSchema(type: TypeInfo, dialect: Dialect): Schema {
  const properties: Record<string, Schema> = {};
  const required: string[] = [];
  for (const [name, field] of [...type.byName].sort(([a], [b]) => a < b ? -1 : 1)) {
    const description = dialect.version === 3 ? describeField(type.fullName, name) : "";
    const schema = fieldSchema(field, dialect);
    properties[name] = description === "" ? schema : { description, ...schema };
    if (field.required) required.push(name);
  }
  const description = dialect.version === 3 ? describeType(type.fullName) : "";
  return {
    ...(description === "" ? {} : { description }),
    type: "object",
    ...(Object.keys(properties).length > 0 ? { properties } : {}),
    ...(required.length > 0 ? { required } : {}),
    ...(type.atomic ? { "x-kubernetes-map-type": "atomic" } : {}),
    ...(type.isKind ? { "x-kubernetes-group-version-kind": kindsOf(type) } : {}),
  };
}

const GROUP_NAMES: Readonly<Record<string, string>> = {
  core: "",
  admissionregistration: "admissionregistration.k8s.io",
  apiextensions: "apiextensions.k8s.io",
  apiregistration: "apiregistration.k8s.io",
  authentication: "authentication.k8s.io",
  authorization: "authorization.k8s.io",
  certificates: "certificates.k8s.io",
  coordination: "coordination.k8s.io",
  discovery: "discovery.k8s.io",
  events: "events.k8s.io",
  flowcontrol: "flowcontrol.apiserver.k8s.io",
  networking: "networking.k8s.io",
  node: "node.k8s.io",
  rbac: "rbac.authorization.k8s.io",
  resource: "resource.k8s.io",
  scheduling: "scheduling.k8s.io",
  storage: "storage.k8s.io",
  meta: "",
};

function kindsOf(type: TypeInfo): Schema[] {
  const match = /\.(\w+)\.(v\w+)\.\w+$/.exec(type.fullName);
  if (match === null) return [];
  const group = GROUP_NAMES[match[1]] ?? match[1];
  return [{ group, kind: type.name, version: match[2] }];
}

function fieldSchema(field: Field, dialect: Dialect): Schema {
  const schema = containerSchema(field, dialect);
  if (field.patchStrategies.length > 0) {
    schema["x-kubernetes-patch-strategy"] = field.patchStrategies.join(",");
  }
  if (field.mergeKey !== "") schema["x-kubernetes-patch-merge-key"] = field.mergeKey;
  if (field.listType !== "") schema["x-kubernetes-list-type"] = field.listType;
  if (field.listKeys.length > 0) schema["x-kubernetes-list-map-keys"] = field.listKeys;
  if (field.atomic) schema["x-kubernetes-map-type"] = "atomic";
  return schema;
}

function containerSchema(field: Field, dialect: Dialect): Schema {
  const item = itemSchema(field, dialect, field.container !== "one");
  if (field.container === "list") return { type: "array", items: item };
  if (field.container === "map") return { type: "object", additionalProperties: item };
  if (field.defaultValue !== undefined) return { ...item, default: field.defaultValue };
  return item;
}

const SCALARS: Readonly<Record<string, Schema>> = {
  string: { type: "string" },
  bool: { type: "boolean" },
  int32: { type: "integer", format: "int32" },
  int64: { type: "integer", format: "int64" },
  double: { type: "number", format: "double" },
  bytes: { type: "string", format: "byte" },
};

function itemSchema(field: Field, dialect: Dialect, isContained: boolean): Schema {
  const target = targetOf(field);
  if (target !== "") {
    const reference = { $ref: dialect.refPrefix + target };
    if (dialect.version === 2) return reference;
    const fallback = field.kind === "message" && (isContained || !field.pointer);
    return { allOf: [reference], ...(fallback ? { default: {} } : {}) };
  }
  // A type that is a bare list of strings in JSON.
  if (field.kind === "message") return { type: "array", items: { type: "string" } };
  const enumeration = field.enumValues.length > 0 ? { enum: [...field.enumValues] } : {};
  return { ...SCALARS[field.kind], ...enumeration };
}

/** Full name of a kind's list type, where a table has one. */
export function listTypeName(typeName: string): string | undefined {
  const match = /\.(\w+\.\w+)\.(\w+)$/.exec(typeName);
  if (match === null) return undefined;
  return groupTypes(match[1])?.get(`${match[2]}List`)?.fullName;
}
