/**
 * The rules of deployments.
 * In: drafts. Out: defaults, checks, columns. Never: rolls anything out.
 * Source: pkg/registry/apps/deployment/strategy.go, ValidateDeploymentSpec (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import { checkPercent } from "../../names.ts";
import type { FieldError, Rules } from "../../resource.ts";
import type { Deployment, DeploymentSpec } from "../../schema/generated/apps_v1.ts";
import { ageColumn, column, containerColumns, nameColumn } from "../columns.ts";
import { ownStatus } from "../prepare.ts";
import { setPodTemplateDefaults } from "../pod/defaults.ts";
import { Problems } from "../problems.ts";
import { selectorCell, validateSelectorAndTemplate, validateSelectorKept } from "./replica_set.ts";

export type {
  Deployment,
  DeploymentSpec,
  DeploymentStatus,
} from "../../schema/generated/apps_v1.ts";
import { type ReplicaCounts, validateReplicaCounts } from "../replica_counts.ts";

function setDefaults(draft: KubeObject): void {
  const deployment = draft as Deployment;
  const spec: DeploymentSpec = deployment.spec ??= {} as DeploymentSpec;
  spec.replicas ??= 1;
  spec.strategy ??= {};
  spec.strategy.type ??= "RollingUpdate";
  if (spec.strategy.type === "RollingUpdate") {
    spec.strategy.rollingUpdate ??= {};
    spec.strategy.rollingUpdate.maxUnavailable ??= "25%";
    spec.strategy.rollingUpdate.maxSurge ??= "25%";
  }
  spec.revisionHistoryLimit ??= 10;
  spec.progressDeadlineSeconds ??= 600;
  setPodTemplateDefaults(spec.template);
}

/** A count or a percentage. @returns its number, for comparing with zero. */
function validateShare(problems: Problems, path: string, value: string | number): number {
  if (typeof value === "number") {
    problems.nonNegative(path, value);
    return value;
  }
  const wrong = checkPercent(value);
  for (const detail of wrong) problems.invalid(path, value, detail);
  return wrong.length > 0 ? NaN : Number(value.slice(0, -1));
}

function validateStrategy(problems: Problems, spec: DeploymentSpec): void {
  const { type, rollingUpdate } = spec.strategy ?? {};
  const path = "spec.strategy";
  if (type === "Recreate") {
    if (rollingUpdate !== undefined) {
      problems.forbidden(
        `${path}.rollingUpdate`,
        "may not be specified when strategy `type` is 'Recreate'",
      );
    }
    return;
  }
  if (type !== "RollingUpdate") {
    return problems.notSupported(`${path}.type`, type, ["Recreate", "RollingUpdate"]);
  }
  if (rollingUpdate === undefined) {
    return problems.required(`${path}.rollingUpdate`, "this should be defaulted and never be nil");
  }
  const unavailablePath = `${path}.rollingUpdate.maxUnavailable`;
  const { maxUnavailable = 0, maxSurge = 0 } = rollingUpdate;
  const unavailable = validateShare(problems, unavailablePath, maxUnavailable);
  const surge = validateShare(problems, `${path}.rollingUpdate.maxSurge`, maxSurge);
  if (unavailable === 0 && surge === 0) {
    problems.invalid(unavailablePath, maxUnavailable, "may not be 0 when `maxSurge` is 0");
  }
  if (typeof maxUnavailable === "string" && unavailable > 100) {
    problems.invalid(unavailablePath, maxUnavailable, "must not be greater than 100%");
  }
}

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { spec } = draft as Deployment;
  problems.nonNegative("spec.replicas", spec.replicas);
  validateSelectorAndTemplate(problems, spec, "deployment");
  validateStrategy(problems, spec);
  problems.nonNegative("spec.minReadySeconds", spec.minReadySeconds);
  problems.nonNegative("spec.revisionHistoryLimit", spec.revisionHistoryLimit);
  const deadline = spec.progressDeadlineSeconds;
  if (deadline !== undefined) {
    problems.nonNegative("spec.progressDeadlineSeconds", deadline);
    if (deadline <= (spec.minReadySeconds ?? 0)) {
      problems.invalid(
        "spec.progressDeadlineSeconds",
        deadline,
        "must be greater than minReadySeconds",
      );
    }
  }
  return problems.errors;
}

const COUNTS: ReplicaCounts = {
  counts: [
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
    "terminatingReplicas",
    "collisionCount",
  ],
  bounded: ["updatedReplicas", "readyReplicas", "availableReplicas"],
};

export const deploymentRules: Rules = {
  setDefaults,
  ...ownStatus(),
  validateStatusUpdate: (draft) => validateReplicaCounts(draft, COUNTS),
  validate,
  validateUpdate: validateSelectorKept,
  defaultPropagation: "Background",
  columns: [
    nameColumn,
    column(
      "Ready",
      "Pods that are ready, of those wanted.",
      (deployment) => `${deployment.status?.readyReplicas ?? 0}/${deployment.spec?.replicas ?? 0}`,
    ),
    column(
      "Up-to-date",
      "Pods of the latest template.",
      (deployment) => deployment.status?.updatedReplicas ?? 0,
    ),
    column(
      "Available",
      "Pods ready for long enough.",
      (deployment) => deployment.status?.availableReplicas ?? 0,
    ),
    ageColumn,
    ...containerColumns((deployment) => deployment.spec?.template),
    column("Selector", "Labels of the pods it keeps.", selectorCell, { wide: true }),
  ],
};
