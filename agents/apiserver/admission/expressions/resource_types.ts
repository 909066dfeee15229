/**
 * The types that expressions know of the cluster's own resources and of custom ones.
 * In: a resource. Out: the type of its objects, or null where no table says it.
 * Never: a value. Source: the field tables; apiserver's cel/common/schemas.go (v1.36).
 */
import type { Resource } from "../../../api/resource.ts";
import { type Field, typeInfo } from "../../../api/schema/fields.ts";
import {
  BOOL,
  BYTES,
  type CelType,
  DOUBLE,
  DYN,
  INT,
  listOf,
  mapOf,
  STRING,
  TIMESTAMP,
} from "../../../cel/mod.ts";
import { typeOfSchema } from "../../custom/schema/cel_types.ts";
import type { Schema } from "../../custom/schema/prune.ts";

const SCALARS: Readonly<Partial<Record<Field["kind"], CelType>>> = {
  string: STRING,
  bool: BOOL,
  int32: INT,
  int64: INT,
  double: DOUBLE,
  bytes: BYTES,
  Time: TIMESTAMP,
  MicroTime: TIMESTAMP,
  Duration: STRING,
};

export function typeOfResource({ custom, typeName }: Resource): CelType | null {
  if (custom !== undefined) return typeOfSchema(custom.schema as Schema, true);
  return typeInfo(typeName) === undefined ? null : typeOfTable(typeName);
}

const known = new Map<string, CelType>();

/** Fields are looked up when they are asked for: types refer to each other, and to themselves. */
function typeOfTable(fullName: string): CelType {
  const ready = known.get(fullName);
  if (ready !== undefined) return ready;
  const info = typeInfo(fullName);
  const type: CelType = info === undefined || info.wrapped ? DYN : {
    kind: "object",
    name: fullName,
    field(name) {
      const field = info.byName.get(name);
      return field === undefined ? undefined : typeOfField(field);
    },
  };
  known.set(fullName, type);
  return type;
}

function typeOfField(field: Field): CelType {
  const one = field.kind === "message" ? typeOfTable(field.ref) : SCALARS[field.kind] ?? DYN;
  switch (field.container) {
    case "one":
      return one;
    case "list":
      return listOf(one);
    case "map":
      return mapOf(STRING, one);
  }
}
