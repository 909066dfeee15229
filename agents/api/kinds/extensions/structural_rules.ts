/**
 * The rules of a schema as text, and what only the root of a schema may hold.
 * In: an OpenAPI v3 schema as a definition holds it. Out: field errors, by path in the schema.
 * Never: compiles a CEL rule; the API server's admission does.
 * Source: apiextensions-apiserver's apis/apiextensions/validation (v1.36).
 */
import type { JSONSchemaProps } from "../../schema/generated/apiextensions_v1.ts";
import type { Problems } from "../problems.ts";
import { findField } from "./field_path.ts";

const REASONS = [
  "FieldValueDuplicate",
  "FieldValueForbidden",
  "FieldValueInvalid",
  "FieldValueRequired",
];
const LINE_BREAK = /[\n\r]/;
const NO_BREAKS = "must not contain line breaks";
const NOT_BLANK = "must be non-empty if specified";

/** By which names Go's messages know the parts of a schema that a root with a status may have. */
const ROOT_FIELDS = [
  "Description",
  "Type",
  "Format",
  "Title",
  "Maximum",
  "ExclusiveMaximum",
  "Minimum",
  "ExclusiveMinimum",
  "MaxLength",
  "MinLength",
  "Pattern",
  "MaxItems",
  "MinItems",
  "UniqueItems",
  "MultipleOf",
  "Required",
  "Items",
  "Properties",
  "ExternalDocs",
  "Example",
  "XPreserveUnknownFields",
  "XValidations",
];

export function validateRules(problems: Problems, at: string, schema: JSONSchemaProps): void {
  (schema["x-kubernetes-validations"] ?? []).forEach((item, index) => {
    const { rule = "", message = "", messageExpression = "", reason, fieldPath = "" } = item;
    const path = `${at}.x-kubernetes-validations[${index}]`;
    const [text, shown] = [rule.trim(), message.trim()];
    if (text === "") problems.required(`${path}.rule`, "rule is not specified");
    else if (message !== "" && shown === "") {
      problems.invalid(`${path}.message`, message, NOT_BLANK);
    } else if (LINE_BREAK.test(shown)) {
      problems.invalid(`${path}.message`, message, NO_BREAKS);
    } else if (LINE_BREAK.test(text) && shown === "") {
      const detail = "message must be specified if rule contains line breaks";
      problems.required(`${path}.message`, detail);
    }
    if (messageExpression !== "" && messageExpression.trim() === "") {
      const detail = "messageExpression must be non-empty if specified";
      problems.required(`${path}.messageExpression`, detail);
    }
    if (reason !== undefined && !REASONS.includes(reason)) {
      problems.notSupported(`${path}.reason`, reason, REASONS);
    }
    if (fieldPath === "") return;
    const place = `${path}.fieldPath`;
    if (fieldPath.trim() === "") problems.invalid(place, fieldPath, NOT_BLANK);
    if (LINE_BREAK.test(fieldPath)) problems.invalid(place, fieldPath, NO_BREAKS);
    if (findField(schema, fieldPath, true).kind === "invalid") {
      problems.invalid(place, fieldPath, "must be a valid path");
    }
  });
}

/** @param hasStatus whether the version has the status subresource */
export function validateRoot(
  problems: Problems,
  at: string,
  schema: JSONSchemaProps,
  hasStatus: boolean,
): void {
  if (schema.nullable === true) {
    problems.forbidden(`${at}.nullable`, "nullable cannot be true at the root");
  }
  if (!hasStatus) return;
  // The schema of a status is taken out of the root's properties; all else would be lost there.
  for (const [name, value] of Object.entries(schema)) {
    if (isNothing(value) || ROOT_FIELDS.includes(goName(name))) continue;
    const detail = `only [${ROOT_FIELDS.join(" ")}] fields are allowed at the root of the schema ` +
      "if the status subresource is enabled";
    return problems.invalid(at, schema, detail);
  }
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null || value === false || value === "" || value === 0;
}

/** `x-kubernetes-list-type` -> `XListType`, `maxItems` -> `MaxItems` */
function goName(name: string): string {
  if (name === "x-kubernetes-validations") return "XValidations";
  return name.replace("x-kubernetes-", "x-").replace(
    /(^|-)([a-z])/g,
    (_found, _dash, letter: string) => letter.toUpperCase(),
  );
}
