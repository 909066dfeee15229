/**
 * The rules of storage classes and of volume attributes classes.
 * In: drafts. Out: defaults, checks, columns. Never: provisions.
 * Source: pkg/apis/storage/validation, pkg/apis/storage/v1/defaults.go (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import { checkQualifiedName } from "../../names.ts";
import type { FieldError, Rules } from "../../resource.ts";
import type { TopologySelectorTerm } from "../../schema/generated/core_v1.ts";
import type { StorageClass, VolumeAttributesClass } from "../../schema/generated/storage_v1.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { Problems, sameJson } from "../problems.ts";

export type { StorageClass, VolumeAttributesClass } from "../../schema/generated/storage_v1.ts";

const MAX_PARAMETERS = 512;
const MAX_PARAMETER_BYTES = 256 * 1024;
const RECLAIM_POLICIES = ["Delete", "Retain"];
const BINDING_MODES = ["Immediate", "WaitForFirstConsumer"];
const DEFAULT_ANNOTATIONS = [
  "storageclass.kubernetes.io/is-default-class",
  "storageclass.beta.kubernetes.io/is-default-class",
];

/** Whether claims without a class get this one. */
export function isDefaultClass(object: KubeObject): boolean {
  return DEFAULT_ANNOTATIONS.some((name) => object.metadata.annotations?.[name] === "true");
}

function validateProvisioner(problems: Problems, path: string, name: string | undefined): void {
  if (!name) return problems.required(path);
  for (const detail of checkQualifiedName(name.toLowerCase())) {
    problems.invalid(path, name, detail);
  }
}

function validateParameters(
  problems: Problems,
  parameters: Readonly<Record<string, string>>,
): void {
  const entries = Object.entries(parameters);
  if (entries.length > MAX_PARAMETERS) return problems.tooLong("parameters", MAX_PARAMETERS);
  let bytes = 0;
  for (const [key, value] of entries) {
    if (key === "") problems.invalid("parameters", key, "field can not be empty.");
    bytes += key.length + value.length;
  }
  if (bytes > MAX_PARAMETER_BYTES) problems.tooLong("parameters", MAX_PARAMETER_BYTES);
}

function validateTopologies(
  problems: Problems,
  terms: readonly TopologySelectorTerm[],
): void {
  const seen: TopologySelectorTerm[] = [];
  terms.forEach((term, index) => {
    const at = `allowedTopologies[${index}].matchLabelExpressions`;
    const keys = new Set<string>();
    (term.matchLabelExpressions ?? []).forEach(({ key, values = [] }, at2) => {
      const path = `${at}[${at2}]`;
      if (values.length === 0) problems.required(`${path}.values`);
      values.forEach((value, at3) => {
        if (values.indexOf(value) < at3) problems.duplicate(`${path}.values[${at3}]`, value);
      });
      problems.checkName(`${path}.key`, key ?? "", checkQualifiedName);
      if (keys.has(key)) problems.duplicate(`${path}.key`, key);
      keys.add(key);
    });
    if (seen.some((other) => sameJson(other, term))) problems.duplicate(at, "");
    seen.push(term);
  });
}

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const storageClass = draft as StorageClass;
  validateProvisioner(problems, "provisioner", storageClass.provisioner);
  validateParameters(problems, storageClass.parameters ?? {});
  problems.oneOf("reclaimPolicy", storageClass.reclaimPolicy, RECLAIM_POLICIES);
  problems.oneOf("volumeBindingMode", storageClass.volumeBindingMode, BINDING_MODES);
  validateTopologies(problems, storageClass.allowedTopologies ?? []);
  return problems.errors;
}

export const storageClassRules: Rules = {
  setDefaults: (draft) => {
    draft.reclaimPolicy ??= "Delete";
    draft.volumeBindingMode ??= "Immediate";
  },
  validate,
  validateUpdate: (draft, old) => {
    const problems = new Problems();
    for (const field of ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"]) {
      problems.immutable(field, draft[field], old[field]);
    }
    return problems.errors;
  },
  generationFields: [],
  columns: [
    {
      ...nameColumn,
      cell: (object) =>
        `${object.metadata.name ?? ""}${isDefaultClass(object) ? " (default)" : ""}`,
    },
    column("Provisioner", "Who makes its volumes.", (item) => item.provisioner ?? ""),
    column(
      "ReclaimPolicy",
      "What becomes of released volumes.",
      (item) => item.reclaimPolicy ?? "Delete",
    ),
    column(
      "VolumeBindingMode",
      "When claims are bound.",
      (item) => item.volumeBindingMode ?? "Immediate",
    ),
    column(
      "AllowVolumeExpansion",
      "Whether volumes may grow.",
      (item) => item.allowVolumeExpansion === true,
    ),
    ageColumn,
  ],
};

export const volumeAttributesClassRules: Rules = {
  validate: (draft) => {
    const problems = new Problems();
    const { driverName, parameters = {} } = draft as VolumeAttributesClass;
    validateProvisioner(problems, "driverName", driverName);
    validateParameters(problems, parameters);
    if (Object.keys(parameters).length === 0) {
      problems.required("parameters", "must contain at least one key/value pair");
    }
    return problems.errors;
  },
  validateUpdate: (draft, old) => {
    const problems = new Problems();
    for (const field of ["driverName", "parameters"]) {
      if (sameJson(draft[field], old[field])) continue;
      problems.forbidden(field, `updates to ${field} are forbidden.`);
    }
    return problems.errors;
  },
  generationFields: [],
  columns: [
    {
      ...nameColumn,
      cell: (object) => object.metadata.name ?? "",
    },
    column("DriverName", "Driver that knows the attributes.", (item) => item.driverName ?? ""),
    ageColumn,
  ],
};
