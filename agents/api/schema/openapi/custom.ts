/**
 * Schemas of custom resources, as OpenAPI documents of either version hold them.
 * In: rows with a schema of their own. Out: schemas by the names of their types.
 * Version 2 has no nullable values and no choices: what holds them is left open there.
 * Never: the schemas of tables. Source: apiextensions-apiserver's controller/openapi/builder and
 * controller/openapi/v2 (v1.36).
 */
import type { Resource } from "../../resource.ts";
import type { Dialect, Schema } from "./schemas.ts";

const META = "io.k8s.apimachinery.pkg.apis.meta.v1";
/** What only version 3 can say. */
const NEW = ["nullable", "oneOf", "anyOf", "allOf", "not"];
/** What a nullable value of version 2 loses: its readers would refuse a null. */
const TYPED = ["type", "properties", "items", "additionalProperties", "required", "format"];

/** By full name of the type. */
export function customSchemas(
  rows: readonly Resource[],
  dialect: Dialect,
): Record<string, Schema> {
  const schemas: Record<string, Schema> = {};
  for (const { custom, typeName, group, version, kind } of rows) {
    if (custom === undefined) continue;
    const schema = inDialect(custom.schema, dialect);
    const meta = { $ref: `${dialect.refPrefix}${META}.ObjectMeta` };
    schemas[typeName] = {
      ...schema,
      type: "object",
      properties: {
        ...(schema.properties as Schema | undefined),
        apiVersion: { type: "string", description: "The version of this object's schema." },
        kind: { type: "string", description: "The kind of this object." },
        metadata: dialect.version === 3 ? { allOf: [meta], default: {} } : meta,
      },
      "x-kubernetes-group-version-kind": [{ group, kind, version }],
    };
  }
  return schemas;
}

type Raw = Readonly<Record<string, unknown>>;

function inDialect(schema: Raw, dialect: Dialect): Schema {
  const made: Schema = {};
  const isOld = dialect.version === 2;
  const dropped = new Set<string>();
  if (isOld) { for (const name of NEW) dropped.add(name); }
  const isUntyped = isOld &&
    (schema.nullable === true || schema["x-kubernetes-int-or-string"] === true ||
      schema["x-kubernetes-preserve-unknown-fields"] === true);
  if (isUntyped) { for (const name of TYPED) dropped.add(name); }
  for (const [name, value] of Object.entries(schema)) {
    if (!dropped.has(name)) made[name] = partInDialect(name, value, dialect);
  }
  if (!isOld && schema["x-kubernetes-int-or-string"] === true && schema.type === undefined) {
    made.oneOf ??= [{ type: "integer" }, { type: "string" }];
  }
  return made;
}

function partInDialect(name: string, value: unknown, dialect: Dialect): unknown {
  switch (name) {
    case "properties":
      return Object.fromEntries(
        Object.entries(value as Record<string, Raw>).map(([field, part]) => [
          field,
          inDialect(part, dialect),
        ]),
      );
    case "items":
    case "additionalProperties":
      return typeof value === "object" && value !== null ? inDialect(value as Raw, dialect) : value;
    default:
      return value;
  }
}
