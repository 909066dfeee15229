/**
 * Checks the schema of a custom resource: structural, of known types, without forbidden parts.
 * In: an OpenAPI v3 schema as a definition holds it. Out: field errors, by path in the schema.
 * Never: compiles a CEL rule or applies a default. Source: apiextensions-apiserver's
 * apiserver/schema/validation.go and apis/apiextensions/validation (v1.36).
 */
import type { JSONSchemaProps } from "../../schema/generated/apiextensions_v1.ts";
import type { Problems } from "../problems.ts";
import { validateRoot, validateRules } from "./structural_rules.ts";

const TYPES = ["array", "boolean", "integer", "number", "object", "string"];
const LIST_TYPES = ["atomic", "set", "map"];
const MAP_TYPES = ["atomic", "granular"];
const UNSUPPORTED = [
  "id",
  "additionalItems",
  "patternProperties",
  "definitions",
  "dependencies",
  "$ref",
] as const;
/** What may not stand inside allOf, anyOf, oneOf and not, with the word for its absence. */
const NOT_NESTED: readonly (readonly [keyof JSONSchemaProps, string])[] = [
  ["type", "empty"],
  ["additionalProperties", "undefined"],
  ["default", "undefined"],
  ["title", "empty"],
  ["description", "empty"],
  ["nullable", "false"],
  ["x-kubernetes-preserve-unknown-fields", "false"],
  ["x-kubernetes-embedded-resource", "false"],
  ["x-kubernetes-int-or-string", "false"],
  ["x-kubernetes-list-map-keys", "empty"],
  ["x-kubernetes-list-type", "undefined"],
  ["x-kubernetes-map-type", "undefined"],
  ["x-kubernetes-validations", "empty"],
];

/** Where a schema stands: each place has words of its own for a missing type. */
type Level = "root" | "item" | "field";

const MISSING_TYPE: Readonly<Record<Level, string>> = {
  root: "must not be empty at the root",
  item: "must not be empty for specified array items",
  field: "must not be empty for specified object fields",
};

/** A schema, or nothing where JSON holds something else. */
function schemaIn(value: unknown): JSONSchemaProps | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
}

/**
 * The whole schema of a version.
 * @param parts.at its path, ending in `openAPIV3Schema`
 * @param parts.hasStatus whether the version has the status subresource
 */
export function validateStructuralSchema(
  problems: Problems,
  schema: JSONSchemaProps,
  { at, hasStatus }: { readonly at: string; readonly hasStatus: boolean },
): void {
  validateRoot(problems, at, schema, hasStatus);
  validateSchema(problems, at, schema, "root");
}

function validateSchema(
  problems: Problems,
  at: string,
  schema: JSONSchemaProps,
  level: Level,
): void {
  validateType(problems, at, schema, level);
  for (const field of UNSUPPORTED) {
    const value = schema[field];
    if (value !== undefined && value !== "") {
      problems.forbidden(`${at}.${field}`, `${field} is not supported`);
    }
  }
  if (schema.uniqueItems === true) {
    problems.forbidden(
      `${at}.uniqueItems`,
      "uniqueItems cannot be set to true since the runtime " +
        "complexity becomes quadratic",
    );
  }
  if (schema.pattern) validatePattern(problems, at, schema.pattern);
  validateObject(problems, at, schema, level);
  validateList(problems, at, schema);
  validateRules(problems, at, schema);
  validateNestedParts(problems, at, schema);
  if (level === "root" || schema["x-kubernetes-embedded-resource"] === true) {
    validateHeader(problems, at, schema);
  }
}

function validateType(
  problems: Problems,
  at: string,
  schema: JSONSchemaProps,
  level: Level,
): void {
  const { type = "" } = schema;
  const isIntOrString = schema["x-kubernetes-int-or-string"] === true;
  const isOpen = schema["x-kubernetes-preserve-unknown-fields"] === true;
  if (schema["x-kubernetes-preserve-unknown-fields"] === false) {
    const path = `${at}.x-kubernetes-preserve-unknown-fields`;
    problems.invalid(path, false, "must be true or undefined");
  }
  const isEmbedded = schema["x-kubernetes-embedded-resource"] === true;
  if (isIntOrString) {
    for (
      const field of [
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-embedded-resource",
      ] as const
    ) {
      if (schema[field] !== true) continue;
      const detail = "must be false if x-kubernetes-int-or-string is true";
      problems.invalid(`${at}.${field}`, true, detail);
    }
  }
  const needed = "must be object if x-kubernetes-embedded-resource is true";
  if (type === "") {
    if (isEmbedded) problems.required(`${at}.type`, needed);
    else if (level === "root" || (!isIntOrString && !isOpen)) {
      problems.required(`${at}.type`, MISSING_TYPE[level]);
    }
    return;
  }
  if (!TYPES.includes(type)) {
    problems.notSupported(`${at}.type`, type, TYPES);
    if (type !== "null") return;
    const detail = "type cannot be set to null, use nullable as an alternative";
    return problems.forbidden(`${at}.type`, detail);
  }
  if (isEmbedded && type !== "object") problems.invalid(`${at}.type`, type, needed);
  if (level === "root" && type !== "object") {
    problems.invalid(`${at}.type`, type, "must be object at the root");
  }
}

function validatePattern(problems: Problems, at: string, pattern: string): void {
  try {
    new RegExp(pattern);
  } catch (error) {
    const why = error instanceof Error ? error.message : "";
    const detail = `must be a valid regular expression, but isn't: ${why}`;
    problems.invalid(`${at}.pattern`, pattern, detail);
  }
}

function validateObject(
  problems: Problems,
  at: string,
  schema: JSONSchemaProps,
  level: Level,
): void {
  const properties = schema.properties ?? {};
  const { additionalProperties } = schema;
  const path = `${at}.additionalProperties`;
  if (additionalProperties !== undefined) {
    if (level === "root") problems.forbidden(path, "must not be used at the root");
    if (schema["x-kubernetes-embedded-resource"] === true) {
      problems.forbidden(path, "must not be used if x-kubernetes-embedded-resource is set");
    }
    if (additionalProperties === false) {
      problems.forbidden(path, "additionalProperties cannot be set to false");
    }
    if (Object.keys(properties).length > 0) {
      problems.forbidden(path, "additionalProperties and properties are mutual exclusive");
    }
  }
  const mapType = schema["x-kubernetes-map-type"];
  if (mapType !== undefined) {
    const mapPath = `${at}.x-kubernetes-map-type`;
    if (schema.type !== "object") {
      const detail = "must be object if x-kubernetes-map-type is specified";
      if (schema.type) problems.invalid(`${at}.type`, schema.type, detail);
      else problems.required(`${at}.type`, detail);
    }
    if (!MAP_TYPES.includes(mapType)) problems.notSupported(mapPath, mapType, MAP_TYPES);
  }
  for (const [name, property] of Object.entries(properties)) {
    validateSchema(problems, `${at}.properties[${name}]`, property, "field");
  }
  const values = schemaIn(additionalProperties);
  if (values !== undefined) validateSchema(problems, path, values, "field");
}

function validateList(problems: Problems, at: string, schema: JSONSchemaProps): void {
  const { items } = schema;
  if (Array.isArray(items)) {
    problems.forbidden(`${at}.items`, "items must be a schema object and not an array");
    return;
  }
  const item = schemaIn(items);
  if (item !== undefined) validateSchema(problems, `${at}.items`, item, "item");
  else if (schema.type === "array") problems.required(`${at}.items`, "must be specified");
  const listType = schema["x-kubernetes-list-type"];
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  const typePath = `${at}.x-kubernetes-list-type`;
  if (listType !== undefined) {
    if (schema.type !== "array") {
      const detail = "must be array if x-kubernetes-list-type is specified";
      if (schema.type) problems.invalid(`${at}.type`, schema.type, detail);
      else problems.required(`${at}.type`, detail);
    }
    if (!LIST_TYPES.includes(listType)) problems.notSupported(typePath, listType, LIST_TYPES);
  }
  if (keys.length > 0 && listType !== "map") {
    const detail = "must be map if x-kubernetes-list-map-keys is non-empty";
    if (listType === undefined) problems.required(typePath, detail);
    else problems.invalid(typePath, listType, detail);
  }
  if (listType === "map") validateMapKeys(problems, at, schema, item);
  if (listType === "set") validateSetItems(problems, at, item);
  if ((listType === "map" || listType === "set") && item?.nullable === true) {
    const detail = `cannot be nullable when x-kubernetes-list-type is ${listType}`;
    problems.forbidden(`${at}.items.nullable`, detail);
  }
}

/** What is compared as a whole has to be changed as a whole. */
function validateSetItems(problems: Problems, at: string, item: JSONSchemaProps | undefined): void {
  const detail = "must be atomic as item of a list with x-kubernetes-list-type=set";
  const field = item?.type === "array" ? "x-kubernetes-list-type" : "x-kubernetes-map-type";
  const kept = item?.[field];
  const isWrong = item?.type === "array"
    ? kept !== undefined && kept !== "atomic"
    : item?.type === "object" && kept !== "atomic";
  if (isWrong) problems.invalid(`${at}.items.${field}`, kept ?? null, detail);
}

function validateMapKeys(
  problems: Problems,
  at: string,
  schema: JSONSchemaProps,
  item: JSONSchemaProps | undefined,
): void {
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  const path = `${at}.x-kubernetes-list-map-keys`;
  if (keys.length === 0) {
    problems.required(path, "must not be empty if x-kubernetes-list-type is map");
  }
  if (item === undefined) {
    const detail = "must have a schema if x-kubernetes-list-type is map";
    return problems.required(`${at}.items`, detail);
  }
  if (item.type !== "object") {
    const detail = "must be object if parent array's x-kubernetes-list-type is map";
    problems.invalid(`${at}.items.type`, item.type ?? "", detail);
  }
  keys.forEach((key, index) => {
    const property = item.properties?.[key];
    const place = `${at}.items.properties[${key}]`;
    if (property === undefined) {
      return problems.invalid(path, keys, "entries must all be names of item properties");
    }
    if (keys.indexOf(key) < index) {
      problems.invalid(path, keys, "must not contain duplicate entries");
    }
    if (property.type === "array" || property.type === "object") {
      const detail = "must be a scalar type if parent array's x-kubernetes-list-type is map";
      problems.invalid(`${place}.type`, item.type, detail);
    }
    if (property.nullable === true) {
      const detail = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
      problems.forbidden(`${place}.nullable`, detail);
    }
    if (property.default === undefined && !(item.required ?? []).includes(key)) {
      problems.required(
        `${place}.default`,
        "this property is in x-kubernetes-list-map-keys, so it must have a default or be a " +
          "required property",
      );
    }
  });
}

function validateNestedParts(problems: Problems, at: string, schema: JSONSchemaProps): void {
  const isIntOrString = schema["x-kubernetes-int-or-string"] === true;
  for (const field of ["allOf", "anyOf", "oneOf"] as const) {
    (schema[field] ?? []).forEach((part, index) =>
      validateNested(problems, `${at}.${field}[${index}]`, part, isIntOrString)
    );
  }
  if (schema.not !== undefined) validateNested(problems, `${at}.not`, schema.not, false);
}

/** @param mayChoose whether this is the choice between integer and string that is allowed. */
function validateNested(
  problems: Problems,
  at: string,
  schema: JSONSchemaProps,
  mayChoose: boolean,
): void {
  for (const [field, word] of NOT_NESTED) {
    const value = schema[field];
    const isEmpty = value === undefined || value === false || value === "" ||
      (Array.isArray(value) && value.length === 0);
    const isChoice = mayChoose && field === "type" && (value === "integer" || value === "string");
    if (isEmpty || isChoice) continue;
    problems.forbidden(`${at}.${field}`, `must be ${word} to be structural`);
  }
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    validateNested(problems, `${at}.properties[${name}]`, property, false);
  }
  const item = schemaIn(schema.items);
  if (item !== undefined) validateNested(problems, `${at}.items`, item, false);
  validateNestedParts(
    problems,
    at,
    mayChoose ? { ...schema, "x-kubernetes-int-or-string": true } : schema,
  );
}

/** apiVersion, kind and metadata are the API server's: a schema may only name their types. */
function validateHeader(problems: Problems, at: string, schema: JSONSchemaProps): void {
  const { apiVersion, kind, metadata } = schema.properties ?? {};
  for (const [name, property] of [["kind", kind], ["apiVersion", apiVersion]] as const) {
    if (property !== undefined && property.type !== "string") {
      problems.invalid(`${at}.properties[${name}].type`, property.type ?? "", "must be string");
    }
  }
  if (metadata === undefined) return;
  const path = `${at}.properties[metadata]`;
  if (metadata.type !== "object") {
    problems.invalid(`${path}.type`, metadata.type ?? "", "must be object");
  }
  const others = Object.keys(metadata.properties ?? {}).filter((name) =>
    name !== "name" && name !== "generateName"
  );
  if (others.length > 0) {
    problems.forbidden(
      path,
      "must not specify anything other than name and generateName, but metadata is implicitly " +
        "specified",
    );
  }
}
