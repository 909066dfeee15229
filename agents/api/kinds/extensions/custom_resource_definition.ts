/**
 * The rules of custom resource definitions.
 * In: drafts. Out: defaults, preparation, checks. Never: serves the resources that they define.
 * Source: apiextensions-apiserver's defaults, validation and strategy (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import { checkDns1035Label, checkDns1123Subdomain } from "../../names.ts";
import type { FieldError, Rules } from "../../resource.ts";
import type {
  CustomResourceColumnDefinition,
  CustomResourceConversion,
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionSpec,
  CustomResourceDefinitionVersion,
  CustomResourceSubresources,
} from "../../schema/generated/apiextensions_v1.ts";
import { validateClientConfig } from "../admission/webhooks.ts";
import { restoreFields } from "../prepare.ts";
import { Problems } from "../problems.ts";
import { findField } from "./field_path.ts";
import { validateStructuralSchema } from "./structural_schema.ts";

export type {
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionSpec,
  CustomResourceDefinitionVersion,
  JSONSchemaProps,
} from "../../schema/generated/apiextensions_v1.ts";

const SCOPES = ["Cluster", "Namespaced"];
const STRATEGIES = ["None", "Webhook"];
const COLUMN_TYPES = ["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS = [
  "byte",
  "date",
  "date-time",
  "double",
  "float",
  "int32",
  "int64",
  "password",
];
const REVIEW_VERSIONS = ["v1", "v1beta1"];
const WARNING_LIMIT = 256;
const SELECTABLE_LIMIT = 8;
const APPROVED_ANNOTATION = "api-approved.kubernetes.io";

function setDefaults(draft: KubeObject): void {
  const definition = draft as CustomResourceDefinition;
  const spec = definition.spec;
  if (spec === undefined) return;
  const names = spec.names ??= {} as CustomResourceDefinitionNames;
  names.singular ||= (names.kind ?? "").toLowerCase();
  if (names.kind) names.listKind ||= `${names.kind}List`;
  spec.conversion ??= { strategy: "None" };
  const service = spec.conversion.webhook?.clientConfig?.service;
  if (service !== undefined) service.port ??= 443;
  for (const version of spec.versions ?? []) {
    for (const item of version.additionalPrinterColumns ?? []) item.priority ??= 0;
  }
}

/** The version that objects are kept in joins those they were ever kept in. */
function recordStoredVersion(definition: CustomResourceDefinition): void {
  const storage = (definition.spec?.versions ?? []).find((version) => version.storage);
  const status = definition.status ??= {} as NonNullable<CustomResourceDefinition["status"]>;
  const stored = status.storedVersions ?? [];
  if (storage !== undefined && !stored.includes(storage.name)) {
    definition.status = { ...status, storedVersions: [...stored, storage.name] };
  }
}

function validateLabel(problems: Problems, path: string, value: string | undefined): void {
  if (!value) return;
  const faults = checkDns1035Label(value);
  if (faults.length > 0) problems.invalid(path, value, faults.join(","));
}

function validateNames(problems: Problems, names: CustomResourceDefinitionNames): void {
  const at = "spec.names";
  for (const field of ["plural", "singular", "kind", "listKind"] as const) {
    if (!names[field]) problems.required(`${at}.${field}`);
  }
  validateLabel(problems, `${at}.plural`, names.plural);
  validateLabel(problems, `${at}.singular`, names.singular);
  for (const field of ["kind", "listKind"] as const) {
    const value = names[field] ?? "";
    const faults = value === "" ? [] : checkDns1035Label(value.toLowerCase());
    if (faults.length > 0) {
      const detail = `may have mixed case, but should otherwise match: ${faults.join(",")}`;
      problems.invalid(`${at}.${field}`, value, detail);
    }
  }
  if (names.kind && names.kind === names.listKind) {
    const detail = "kind and listKind may not be the same";
    problems.invalid(`${at}.listKind`, names.listKind, detail);
  }
  for (const field of ["shortNames", "categories"] as const) {
    (names[field] ?? []).forEach((value, index) =>
      validateLabel(problems, `${at}.${field}[${index}]`, value)
    );
  }
}

/** `.spec.replicas`: dots and names, nothing else. */
function validateSimplePath(problems: Problems, path: string, value: string): void {
  if (!value.startsWith(".")) {
    problems.invalid(path, value, "must be a simple json path starting with .");
  } else if (value.slice(1).split(".").some((step) => step === "" || /[[\]*?@]/.test(step))) {
    if (!/\[/.test(value)) {
      problems.invalid(path, value, "must be a json path in the dot notation");
    }
  }
}

function validateColumn(
  problems: Problems,
  at: string,
  item: CustomResourceColumnDefinition,
): void {
  const { name, type = "", format, jsonPath } = item;
  if (!name) problems.required(`${at}.name`);
  const typeDetail = `must be one of ${COLUMN_TYPES.join(",")}`;
  if (type === "") problems.required(`${at}.type`, typeDetail);
  else if (!COLUMN_TYPES.includes(type)) problems.invalid(`${at}.type`, type, typeDetail);
  if (format && !COLUMN_FORMATS.includes(format)) {
    problems.invalid(`${at}.format`, format, `must be one of ${COLUMN_FORMATS.join(",")}`);
  }
  if (!jsonPath) problems.required(`${at}.JSONPath`);
  else validateSimplePath(problems, `${at}.JSONPath`, jsonPath);
}

function validateSubresources(
  problems: Problems,
  at: string,
  subresources: CustomResourceSubresources | undefined,
): void {
  const scale = subresources?.scale;
  if (scale === undefined) return;
  const { specReplicasPath, statusReplicasPath, labelSelectorPath } = scale;
  const paths = [
    ["specReplicasPath", specReplicasPath, [".spec."], "should be a json path under .spec"],
    ["statusReplicasPath", statusReplicasPath, [".status."], "should be a json path under .status"],
    [
      "labelSelectorPath",
      labelSelectorPath,
      [".spec.", ".status."],
      "should be a json path under either .spec or .status",
    ],
  ] as const;
  for (const [field, value, roots, detail] of paths) {
    const path = `${at}.scale.${field}`;
    if (!value) {
      if (field !== "labelSelectorPath") problems.required(path);
      continue;
    }
    validateSimplePath(problems, path, value);
    if (!roots.some((root) => value.startsWith(root))) problems.invalid(path, value, detail);
  }
}

function validateVersion(
  problems: Problems,
  at: string,
  version: CustomResourceDefinitionVersion,
): void {
  const { name = "", deprecated, deprecationWarning: warning, schema } = version;
  const faults = checkDns1035Label(name);
  if (faults.length > 0) problems.invalid(`${at}.name`, name, faults.join(","));
  const path = `${at}.deprecationWarning`;
  if (warning !== undefined && deprecated !== true) {
    problems.invalid(path, warning, "can only be set for deprecated versions");
  } else if (warning === "") problems.invalid(path, warning, "must not be an empty string");
  else if (warning !== undefined && warning.length > WARNING_LIMIT) {
    problems.invalid(path, warning, `must be <= ${WARNING_LIMIT} characters long`);
  }
  const root = schema?.openAPIV3Schema;
  const schemaPath = `${at}.schema.openAPIV3Schema`;
  if (root === undefined) problems.required(schemaPath, "schemas are required");
  else {
    const hasStatus = version.subresources?.status !== undefined;
    validateStructuralSchema(problems, root, { at: schemaPath, hasStatus });
  }
  validateSubresources(problems, `${at}.subresources`, version.subresources);
  (version.additionalPrinterColumns ?? []).forEach((item, index) =>
    validateColumn(problems, `${at}.additionalPrinterColumns[${index}]`, item)
  );
  validateSelectableFields(problems, at, version);
}

const SELECTABLE_TYPES = ["string", "boolean", "integer"];

function validateSelectableFields(
  problems: Problems,
  at: string,
  { selectableFields = [], schema }: CustomResourceDefinitionVersion,
): void {
  const seen = new Set<string>();
  selectableFields.forEach(({ jsonPath }, index) => {
    const place = `${at}.selectableFields[${index}].jsonPath`;
    if (!jsonPath) return problems.required(place);
    const found = findField(schema?.openAPIV3Schema ?? {}, jsonPath, false);
    if (found.kind === "invalid") {
      return problems.invalid(place, jsonPath, `is an invalid path: ${found.message}`);
    }
    if (found.steps[0] === "metadata") {
      problems.invalid(place, jsonPath, "must not point to fields in metadata");
    }
    if (!SELECTABLE_TYPES.includes(found.schema.type ?? "")) {
      const detail = "must point to a field of type string, boolean or integer. Enum string " +
        "fields and strings with formats are allowed.";
      problems.invalid(place, jsonPath, detail);
    }
    const spelled = found.steps.join(".");
    if (seen.has(spelled)) problems.duplicate(place, jsonPath);
    seen.add(spelled);
  });
  if (seen.size <= SELECTABLE_LIMIT) return;
  const detail = `must have at most ${SELECTABLE_LIMIT} items`;
  const path = `${at}.selectableFields`;
  problems.errors.push({ type: "tooMany", path, value: seen.size, detail });
}

function validateConversion(
  problems: Problems,
  conversion: CustomResourceConversion | undefined,
): void {
  const at = "spec.conversion";
  problems.oneOf(`${at}.strategy`, conversion?.strategy, STRATEGIES);
  const webhook = conversion?.webhook;
  if (conversion?.strategy !== "Webhook") {
    if (webhook === undefined) return;
    problems.forbidden(
      `${at}.webhookClientConfig`,
      "should not be set when strategy is not set " +
        "to Webhook",
    );
    return;
  }
  if (webhook?.clientConfig === undefined) {
    const detail = "required when strategy is set to Webhook";
    problems.required(`${at}.webhookClientConfig`, detail);
  } else validateClientConfig(problems, `${at}.webhookClientConfig`, webhook.clientConfig);
  const versions = webhook?.conversionReviewVersions ?? [];
  const path = `${at}.conversionReviewVersions`;
  if (versions.length === 0) problems.required(path);
  else if (!versions.some((version) => REVIEW_VERSIONS.includes(version))) {
    const detail = `must include at least one of ${REVIEW_VERSIONS.join(", ")}`;
    problems.invalid(path, versions, detail);
  }
}

function validateVersions(problems: Problems, spec: CustomResourceDefinitionSpec): void {
  const versions = spec.versions ?? [];
  const names = versions.map((version) => version.name);
  versions.forEach((version, index) =>
    validateVersion(problems, `spec.versions[${index}]`, version)
  );
  if (new Set(names).size < names.length) {
    problems.invalid("spec.versions", versions, "must contain unique version names");
  }
  if (versions.filter((version) => version.storage).length !== 1) {
    const detail = "must have exactly one version marked as storage version";
    problems.invalid("spec.versions", versions, detail);
  }
}

function validateGroup(problems: Problems, { metadata, spec }: CustomResourceDefinition): void {
  const group = spec.group ?? "";
  if (group === "") return problems.required("spec.group");
  const faults = checkDns1123Subdomain(group);
  if (faults.length > 0) problems.invalid("spec.group", group, faults.join(","));
  else if (!group.includes(".")) {
    problems.invalid("spec.group", group, "should be a domain with at least one dot");
  }
  const isProtected = /(^|\.)(k8s|kubernetes)\.io$/.test(group);
  const approval = metadata.annotations?.[APPROVED_ANNOTATION] ?? "";
  if (!isProtected || approval.startsWith("unapproved") || URL.canParse(approval)) return;
  const path = `metadata.annotations[${APPROVED_ANNOTATION}]`;
  const detail = "protected groups must have approval annotation " +
    `"${APPROVED_ANNOTATION}", see https://github.com/kubernetes/enhancements/pull/1111`;
  if (approval === "") problems.required(path, detail);
  else problems.invalid(path, approval, detail);
}

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const definition = draft as CustomResourceDefinition;
  const { spec, metadata, status } = definition;
  if (spec === undefined) {
    problems.required("spec");
    return problems.errors;
  }
  const names: CustomResourceDefinitionNames = spec.names ?? { plural: "", kind: "" };
  if (metadata.name !== `${names.plural}.${spec.group}`) {
    const detail = 'must be spec.names.plural+"."+spec.group';
    problems.invalid("metadata.name", metadata.name ?? "", detail);
  }
  validateGroup(problems, definition);
  problems.oneOf("spec.scope", spec.scope, SCOPES);
  if (spec.preserveUnknownFields === true) {
    problems.invalid(
      "spec.preserveUnknownFields",
      true,
      "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in " +
        "spec.versions[*].schema instead",
    );
  }
  validateVersions(problems, spec);
  validateNames(problems, names);
  validateConversion(problems, spec.conversion);
  validateStoredVersions(problems, spec, status?.storedVersions ?? []);
  return problems.errors;
}

function validateStoredVersions(
  problems: Problems,
  spec: CustomResourceDefinitionSpec,
  stored: readonly string[],
): void {
  const path = "status.storedVersions";
  if (stored.length === 0) {
    return problems.invalid(path, stored, "must have at least one stored version");
  }
  const versions = spec.versions ?? [];
  for (const { name, storage } of versions) {
    if (storage && !stored.includes(name)) {
      problems.invalid(path, stored, `must have the storage version ${name}`);
    }
  }
  stored.forEach((name, index) => {
    if (versions.some((version) => version.name === name)) return;
    problems.invalid(
      `${path}[${index}]`,
      name,
      `missing from spec.versions; ${name} was previously a storage version, and must remain in ` +
        "spec.versions until a storage migration ensures no data remains persisted in " +
        `${name} and removes ${name} from status.storedVersions`,
    );
  });
}

/** Once names are established, objects depend on them. */
function validateUpdate(draft: KubeObject, old: KubeObject): FieldError[] {
  const problems = new Problems();
  const now = (draft as CustomResourceDefinition).spec;
  const { spec: before, status } = old as CustomResourceDefinition;
  const isEstablished = (status?.conditions ?? []).some((condition) =>
    condition.type === "Established" && condition.status === "True"
  );
  if (isEstablished) {
    problems.immutable("spec.scope", now?.scope, before?.scope);
    problems.immutable("spec.names.kind", now?.names?.kind, before?.names?.kind);
  }
  problems.immutable("spec.group", now?.group, before?.group);
  problems.immutable("spec.names.plural", now?.names?.plural, before?.names?.plural);
  return problems.errors;
}

/** Holds a definition until its objects are gone. */
export const CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io";

export const customResourceDefinitionRules: Rules = {
  setDefaults,
  deletionFinalizers: [CLEANUP_FINALIZER],
  prepareForCreate: (draft) => {
    draft.status = {};
    recordStoredVersion(draft as CustomResourceDefinition);
  },
  prepareForUpdate: (draft, old) => {
    restoreFields(draft, old, ["status"]);
    recordStoredVersion(draft as CustomResourceDefinition);
  },
  prepareForStatusUpdate: (draft, old) => restoreFields(draft, old, ["spec"]),
  validate,
  validateUpdate,
  validateStatusUpdate: (draft) => {
    const problems = new Problems();
    const { spec, status } = draft as CustomResourceDefinition;
    validateStoredVersions(problems, spec, status?.storedVersions ?? []);
    return problems.errors;
  },
};
