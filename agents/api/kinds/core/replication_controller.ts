/**
 * The rules of replication controllers, the elders of replica sets.
 * In: drafts. Out: defaults, checks, columns, fields. Never: counts pods.
 * Source: pkg/registry/core/replicationcontroller/strategy.go, ValidateReplicationController
 * (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import type { FieldError, Rules } from "../../resource.ts";
import type { ReplicationController } from "../../schema/generated/core_v1.ts";
import { formatLabelSet } from "../../selector.ts";
import { ageColumn, column, containerColumns, nameColumn } from "../columns.ts";
import { setPodTemplateDefaults } from "../pod/defaults.ts";
import { validatePodTemplate } from "../pod/validate.ts";
import { ownStatus } from "../prepare.ts";
import { Problems } from "../problems.ts";

export type {
  ReplicationController,
  ReplicationControllerSpec,
  ReplicationControllerStatus,
} from "../../schema/generated/core_v1.ts";
import { type ReplicaCounts, validateReplicaCounts } from "../replica_counts.ts";

function setDefaults(draft: KubeObject): void {
  const controller = draft as ReplicationController;
  const spec = controller.spec ??= {};
  spec.replicas ??= 1;
  setPodTemplateDefaults(spec.template);
  const labels = spec.template?.metadata?.labels;
  if (labels === undefined) return;
  if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
  if (Object.keys(controller.metadata.labels ?? {}).length === 0) {
    controller.metadata.labels = { ...labels };
  }
}

function validateTemplate(problems: Problems, spec: ReplicationController["spec"]): void {
  const { template, selector = {} } = spec ?? {};
  const at = "spec.template";
  if (template === undefined) return problems.required(at);
  const labels = template.metadata?.labels ?? {};
  if (Object.entries(selector).some(([key, value]) => labels[key] !== value)) {
    const detail = "`selector` does not match template `labels`";
    problems.invalid(`${at}.metadata.labels`, labels, detail);
  }
  validatePodTemplate(problems, at, template);
  const { restartPolicy, activeDeadlineSeconds } = template.spec ?? {};
  if (restartPolicy !== "Always") {
    problems.notSupported(`${at}.spec.restartPolicy`, restartPolicy, ["Always"]);
  }
  if (activeDeadlineSeconds !== undefined) {
    problems.forbidden(
      `${at}.spec.activeDeadlineSeconds`,
      "activeDeadlineSeconds in ReplicationController is not Supported",
    );
  }
}

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { spec } = draft as ReplicationController;
  problems.nonNegative("spec.minReadySeconds", spec?.minReadySeconds);
  if (Object.keys(spec?.selector ?? {}).length === 0) problems.required("spec.selector");
  problems.nonNegative("spec.replicas", spec?.replicas);
  validateTemplate(problems, spec);
  return problems.errors;
}

const BOUNDED = ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"];
const COUNTS: ReplicaCounts = { counts: ["replicas", ...BOUNDED], bounded: BOUNDED };

const asInteger = { type: "integer" } as const;

export const replicationControllerRules: Rules = {
  setDefaults,
  ...ownStatus(() => ({ replicas: 0 })),
  validate,
  validateStatusUpdate: (draft) => validateReplicaCounts(draft, COUNTS),
  selectableFields: {
    "status.replicas": (controller) => String(controller.status?.replicas ?? 0),
  },
  defaultPropagation: "Orphan",
  columns: [
    nameColumn,
    column("Desired", "Pods wanted.", (item) => item.spec?.replicas ?? 0, asInteger),
    column("Current", "Pods there are.", (item) => item.status?.replicas ?? 0, asInteger),
    column("Ready", "Pods that are ready.", (item) => item.status?.readyReplicas ?? 0, asInteger),
    ageColumn,
    ...containerColumns((item) => item.spec?.template),
    column(
      "Selector",
      "Labels of the pods it keeps.",
      (item) => formatLabelSet(item.spec?.selector ?? {}) || "<none>",
      { wide: true },
    ),
  ],
};
