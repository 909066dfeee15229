/**
 * PURE. What a Deployment's status says about its ReplicaSets and its progress.
 * In: the Deployment, its ReplicaSets, the time. Out: the new status, and when to look again.
 * Never: writes. Source: pkg/controller/deployment (v1.36), wording of conditions included.
 */
import { formatTime, parseMillis } from "../../api/time.ts";
import type { Deployment, DeploymentStatus, ReplicaSet, StatusCondition } from "../kinds.ts";
import { conditionOf } from "../pod_state.ts";
import {
  askedOf,
  countOf,
  hasProgressDeadline,
  maxUnavailable,
  replicasOf,
} from "./deployment_math.ts";

export type Conditions = readonly StatusCondition[];

interface NewCondition {
  readonly type: "Available" | "Progressing" | "ReplicaFailure";
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
}

/** Sets a condition; one of the same status and reason stays as it is. */
export function withCondition(
  conditions: Conditions,
  condition: NewCondition,
  nowMillis: number,
): Conditions {
  const current = conditionOf(conditions, condition.type);
  if (current?.status === condition.status && current.reason === condition.reason) {
    return conditions;
  }
  const now = formatTime(nowMillis);
  return [...without(conditions, condition.type), {
    ...condition,
    lastUpdateTime: now,
    lastTransitionTime: current?.status === condition.status
      ? current.lastTransitionTime ?? now
      : now,
  }];
}

export function without(conditions: Conditions, type: string): Conditions {
  return conditions.filter((condition) => condition.type !== type);
}

/** Marks that a rollout was halted or goes on, so that the time between does not count. */
export function withPause(deployment: Deployment, nowMillis: number): Conditions {
  const conditions = deployment.status?.conditions ?? [];
  if (!hasProgressDeadline(deployment)) return conditions;
  const reason = conditionOf(conditions, "Progressing")?.reason;
  if (reason === "ProgressDeadlineExceeded") return conditions;
  const paused = deployment.spec.paused === true;
  if (paused === (reason === "DeploymentPaused")) return conditions;
  return withCondition(conditions, {
    type: "Progressing",
    status: "Unknown",
    reason: paused ? "DeploymentPaused" : "DeploymentResumed",
    message: paused ? "Deployment is paused" : "Deployment is resumed",
  }, nowMillis);
}

export interface StatusInput {
  readonly deployment: Deployment;
  readonly newSet: ReplicaSet | undefined;
  readonly oldSets: readonly ReplicaSet[];
  /** As they are after pausing, resuming and new ReplicaSets have been noted. */
  readonly conditions: Conditions;
  readonly collisionCount: number | undefined;
  readonly nowMillis: number;
}

/** The status without an estimate of progress. */
export function countedStatus(input: StatusInput): DeploymentStatus {
  const { deployment, newSet, oldSets, nowMillis, collisionCount } = input;
  const all = newSet === undefined ? oldSets : [...oldSets, newSet];
  const available = countOf(all, "availableReplicas");
  const enough = available >= replicasOf(deployment) - maxUnavailable(deployment);
  const conditions = withCondition(input.conditions, {
    type: "Available",
    status: enough ? "True" : "False",
    reason: enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
    message: enough
      ? "Deployment has minimum availability."
      : "Deployment does not have minimum availability.",
  }, nowMillis);
  const counts = withoutZeros({
    observedGeneration: deployment.metadata.generation ?? 0,
    replicas: countOf(all, "replicas"),
    updatedReplicas: newSet?.status?.replicas ?? 0,
    readyReplicas: countOf(all, "readyReplicas"),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, askedOf(all) - available),
  });
  const terminating = terminatingOf(all);
  return {
    ...counts,
    ...(terminating === undefined ? {} : { terminatingReplicas: terminating }),
    ...(collisionCount === undefined ? {} : { collisionCount }),
    conditions: [...conditions],
  };
}

/** The status during a rollout, with its progress. */
export function rolloutStatus(input: StatusInput): DeploymentStatus {
  const { deployment, newSet, oldSets } = input;
  const status = countedStatus(input);
  let conditions: Conditions = status.conditions ?? [];
  const current = conditionOf(input.conditions, "Progressing");
  if (!hasProgressDeadline(deployment)) {
    conditions = without(conditions, "Progressing");
  } else {
    const settled = status.replicas === status.updatedReplicas &&
      current?.reason === "NewReplicaSetAvailable";
    if (!settled) conditions = withProgress(input, status, current);
  }
  const failure = failureOf(newSet, oldSets);
  conditions = failure === undefined
    ? without(conditions, "ReplicaFailure")
    : withFailure(conditions, failure);
  return { ...status, conditions: [...conditions] };
}

function withProgress(
  input: StatusInput,
  status: DeploymentStatus,
  current: StatusCondition | undefined,
): Conditions {
  const { deployment, newSet, nowMillis } = input;
  const conditions = status.conditions ?? [];
  const subject = newSet === undefined
    ? `Deployment "${deployment.metadata.name}"`
    : `ReplicaSet "${newSet.metadata.name}"`;
  const type = "Progressing";
  if (isComplete(deployment, status)) {
    const message = `${subject} has successfully progressed.`;
    const reason = "NewReplicaSetAvailable";
    return withCondition(conditions, { type, status: "True", reason, message }, nowMillis);
  }
  if (hasProgressed(deployment.status ?? {}, status)) {
    // Each step forward renews the time of the last update, also under the same reason.
    const now = formatTime(nowMillis);
    return [...without(conditions, type), {
      type,
      status: "True",
      lastUpdateTime: now,
      lastTransitionTime: current?.status === "True" ? current.lastTransitionTime ?? now : now,
      reason: "ReplicaSetUpdated",
      message: `${subject} is progressing.`,
    }];
  }
  if (hasTimedOut(deployment, current, nowMillis)) {
    const message = `${subject} has timed out progressing.`;
    const reason = "ProgressDeadlineExceeded";
    return withCondition(conditions, { type, status: "False", reason, message }, nowMillis);
  }
  return conditions;
}

/** All wanted pods are new and available, and no old one is left. */
export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const wanted = replicasOf(deployment);
  return (status.updatedReplicas ?? 0) === wanted && (status.replicas ?? 0) === wanted &&
    (status.availableReplicas ?? 0) === wanted &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0);
}

function hasProgressed(old: DeploymentStatus, next: DeploymentStatus): boolean {
  const outdated = (status: DeploymentStatus) =>
    (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  return (next.updatedReplicas ?? 0) > (old.updatedReplicas ?? 0) ||
    outdated(next) < outdated(old) ||
    (next.readyReplicas ?? 0) > (old.readyReplicas ?? 0) ||
    (next.availableReplicas ?? 0) > (old.availableReplicas ?? 0);
}

function hasTimedOut(
  deployment: Deployment,
  progressing: StatusCondition | undefined,
  nowMillis: number,
): boolean {
  if (progressing === undefined || progressing.reason === "NewReplicaSetAvailable") return false;
  if (progressing.reason === "ProgressDeadlineExceeded") return true;
  return deadlineMillis(deployment, progressing) < nowMillis;
}

function deadlineMillis(deployment: Deployment, progressing: StatusCondition): number {
  const { progressDeadlineSeconds = 0 } = deployment.spec;
  return parseMillis(progressing.lastUpdateTime) + progressDeadlineSeconds * 1000;
}

/** When to check a rollout that shows no news; undefined when there is nothing to wait for. */
export function progressCheckMillis(
  deployment: Deployment,
  status: DeploymentStatus,
  nowMillis: number,
): number | undefined {
  const progressing = conditionOf(deployment.status?.conditions, "Progressing");
  if (!hasProgressDeadline(deployment) || progressing === undefined) return undefined;
  if (isComplete(deployment, status)) return undefined;
  if (progressing.reason === "ProgressDeadlineExceeded") return undefined;
  const wait = deadlineMillis(deployment, progressing) - nowMillis;
  return Number.isNaN(wait) ? undefined : Math.max(0, wait) + 1_000;
}

function failureOf(
  newSet: ReplicaSet | undefined,
  oldSets: readonly ReplicaSet[],
): StatusCondition | undefined {
  for (const set of newSet === undefined ? oldSets : [newSet, ...oldSets]) {
    const failure = conditionOf(set.status?.conditions, "ReplicaFailure");
    if (failure !== undefined) return failure;
  }
  return undefined;
}

function withFailure(conditions: Conditions, failure: StatusCondition): Conditions {
  const current = conditionOf(conditions, "ReplicaFailure");
  if (current?.status === failure.status && current.reason === failure.reason) return conditions;
  return [...without(conditions, "ReplicaFailure"), {
    ...failure,
    lastUpdateTime: failure.lastTransitionTime,
  }];
}

/** @returns undefined while a ReplicaSet that was looked after does not tell. */
function terminatingOf(sets: readonly ReplicaSet[]): number | undefined {
  let sum = 0;
  for (const { status } of sets) {
    if (status?.terminatingReplicas !== undefined) sum += status.terminatingReplicas;
    else if (status?.observedGeneration) return undefined;
  }
  return sum;
}

function withoutZeros<T extends Record<string, number>>(counts: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(counts).filter(([, value]) => value !== 0),
  ) as Partial<T>;
}

/** Whether a status says something that the stored one does not. */
export function isStatusNews(old: DeploymentStatus | undefined, next: DeploymentStatus): boolean {
  const numbers = (status: DeploymentStatus) =>
    [
      status.observedGeneration ?? 0,
      status.replicas ?? 0,
      status.updatedReplicas ?? 0,
      status.readyReplicas ?? 0,
      status.availableReplicas ?? 0,
      status.unavailableReplicas ?? 0,
      status.terminatingReplicas ?? -1,
      status.collisionCount ?? -1,
    ].join();
  const words = (status: DeploymentStatus) =>
    (status.conditions ?? []).map((condition) =>
      [
        condition.type,
        condition.status,
        condition.reason,
        condition.message,
        condition.lastUpdateTime,
        condition.lastTransitionTime,
      ].join("\n")
    ).join("\n\n");
  const before = old ?? {};
  return numbers(before) !== numbers(next) || words(before) !== words(next);
}
