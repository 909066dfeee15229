/**
 * The rules of namespaces.
 * In: drafts. Out: defaults, columns, fields. Never: empties a namespace; a controller does.
 * Source: pkg/registry/core/namespace/strategy.go (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import type { Rules } from "../../resource.ts";
import type { Namespace } from "../../schema/generated/core_v1.ts";
import { checkQualifiedName } from "../../names.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { Problems } from "../problems.ts";

export type { Namespace } from "../../schema/generated/core_v1.ts";

/** Held in spec.finalizers until the namespace is empty. */
export const NAMESPACE_FINALIZER = "kubernetes";

function setDefaults(draft: KubeObject): void {
  const { name } = draft.metadata;
  if (!name) return;
  draft.metadata.labels = { ...draft.metadata.labels, "kubernetes.io/metadata.name": name };
}

function prepareForCreate(draft: KubeObject): void {
  const namespace = draft as Namespace;
  namespace.status = { phase: "Active" };
  const finalizers = namespace.spec?.finalizers ?? [];
  if (!finalizers.includes(NAMESPACE_FINALIZER)) {
    namespace.spec = { ...namespace.spec, finalizers: [...finalizers, NAMESPACE_FINALIZER] };
  }
}

function prepareForUpdate(draft: KubeObject, old: KubeObject): void {
  draft.spec = { ...draft.spec, finalizers: old.spec?.finalizers };
  draft.status = old.status;
}

function validate(draft: KubeObject) {
  const problems = new Problems();
  for (const [index, name] of (draft.spec?.finalizers ?? []).entries()) {
    if (name !== NAMESPACE_FINALIZER) {
      problems.checkName(`spec.finalizers[${index}]`, name, checkQualifiedName);
    }
  }
  return problems.errors;
}

export const namespaceRules: Rules = {
  setDefaults,
  prepareForCreate,
  prepareForUpdate,
  validate,
  validateName: "dns1123Label",
  generationFields: [],
  selectableFields: { "status.phase": (object) => object.status?.phase ?? "" },
  columns: [
    nameColumn,
    column("Status", "Active or Terminating.", (object) => object.status?.phase ?? ""),
    ageColumn,
  ],
};
