/**
 * The rules of replica sets, and those that all controllers with a pod template share.
 * In: drafts. Out: defaults, checks, columns. Never: counts pods.
 * Source: pkg/registry/apps/replicaset/strategy.go, ValidateReplicaSetSpec (v1.36).
 */
import type { KubeObject, LabelSelector } from "../../meta.ts";
import { validateLabelSelector } from "../../object_meta.ts";
import type { FieldError, Rules } from "../../resource.ts";
import { formatLabelSelector, fromLabelSelector, matchesLabelSelector } from "../../selector.ts";
import type { ReplicaSet } from "../../schema/generated/apps_v1.ts";
import type { PodTemplateSpec } from "../../schema/generated/core_v1.ts";
import { ageColumn, column, containerColumns, nameColumn } from "../columns.ts";
import { ownStatus } from "../prepare.ts";
import { setPodTemplateDefaults } from "../pod/defaults.ts";
import { validatePodTemplate } from "../pod/validate.ts";
import { Problems } from "../problems.ts";

export type {
  ReplicaSet,
  ReplicaSetSpec,
  ReplicaSetStatus,
} from "../../schema/generated/apps_v1.ts";
import { type ReplicaCounts, validateReplicaCounts } from "../replica_counts.ts";

/** A selector as kubectl prints it. */
export function selectorCell(object: KubeObject): string {
  const parsed = fromLabelSelector(object.spec?.selector);
  if (parsed === null) return "<none>";
  const equalities = parsed.map((requirement) =>
    requirement.operator === "in" && requirement.values.length === 1
      ? { ...requirement, operator: "=" as const }
      : requirement
  );
  return formatLabelSelector(equalities) || "<none>";
}

/** Selector and template of a controller. @param word the controller's kind in its messages. */
export function validateSelectorAndTemplate(
  problems: Problems,
  spec: { readonly selector?: LabelSelector; readonly template?: PodTemplateSpec },
  word: string,
): void {
  const { selector, template } = spec;
  if (selector === undefined) problems.required("spec.selector");
  else {
    validateLabelSelector(problems, "spec.selector", selector);
    const parts = Object.keys(selector.matchLabels ?? {}).length +
      (selector.matchExpressions ?? []).length;
    if (parts === 0) {
      problems.invalid("spec.selector", selector, `empty selector is invalid for ${word}`);
    }
  }
  if (template === undefined) return problems.required("spec.template");
  const labels = template.metadata?.labels ?? {};
  if (selector !== undefined && !matchesLabelSelector(selector, labels)) {
    problems.invalid(
      "spec.template.metadata.labels",
      labels,
      "`selector` does not match template `labels`",
    );
  }
  validatePodTemplate(problems, "spec.template", template);
  const { restartPolicy, activeDeadlineSeconds } = template.spec ?? {};
  if (restartPolicy !== "Always") {
    problems.notSupported("spec.template.spec.restartPolicy", restartPolicy, ["Always"]);
  }
  if (activeDeadlineSeconds !== undefined) {
    problems.forbidden(
      "spec.template.spec.activeDeadlineSeconds",
      `activeDeadlineSeconds in ReplicaSet is not Supported`,
    );
  }
}

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { spec } = draft as ReplicaSet;
  problems.nonNegative("spec.replicas", spec.replicas);
  problems.nonNegative("spec.minReadySeconds", spec.minReadySeconds);
  validateSelectorAndTemplate(problems, spec, "replicaset");
  return problems.errors;
}

/** Whose pods are its own can't change. */
export function validateSelectorKept(draft: KubeObject, old: KubeObject): FieldError[] {
  const problems = new Problems();
  problems.immutable("spec.selector", draft.spec?.selector, old.spec?.selector);
  return problems.errors;
}

const COUNTS: ReplicaCounts = {
  counts: [
    "replicas",
    "fullyLabeledReplicas",
    "readyReplicas",
    "availableReplicas",
    "observedGeneration",
    "terminatingReplicas",
  ],
  bounded: ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"],
};

export const replicaSetRules: Rules = {
  setDefaults: (draft) => {
    const set = draft as ReplicaSet;
    set.spec ??= {} as ReplicaSet["spec"];
    set.spec.replicas ??= 1;
    setPodTemplateDefaults(set.spec.template);
  },
  ...ownStatus(() => ({ replicas: 0 })),
  validateStatusUpdate: (draft) => validateReplicaCounts(draft, COUNTS),
  validate,
  validateUpdate: validateSelectorKept,
  selectableFields: { "status.replicas": (set) => String(set.status?.replicas ?? 0) },
  defaultPropagation: "Background",
  columns: [
    nameColumn,
    column("Desired", "Pods wanted.", (set) => set.spec?.replicas ?? 0, { type: "integer" }),
    column("Current", "Pods there are.", (set) => set.status?.replicas ?? 0, { type: "integer" }),
    column("Ready", "Pods that are ready.", (set) => set.status?.readyReplicas ?? 0, {
      type: "integer",
    }),
    ageColumn,
    ...containerColumns((set) => set.spec?.template),
    column("Selector", "Labels of the pods it keeps.", selectorCell, { wide: true }),
  ],
};
