/**
 * PURE. The arithmetic of a rollout: surge, unavailability, counts and proportions.
 * In: a Deployment and its ReplicaSets. Out: numbers. Never: decides or writes.
 * Source: pkg/controller/deployment/util (v1.36).
 */
import { parseMillis } from "../../api/time.ts";
import type { Deployment, ReplicaSet } from "../kinds.ts";

export const REVISION = "deployment.kubernetes.io/revision";
export const REVISION_HISTORY = "deployment.kubernetes.io/revision-history";
export const DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas";
export const MAX_REPLICAS = "deployment.kubernetes.io/max-replicas";

/** What Go calls MaxInt32: the value that means "no limit". */
const UNLIMITED = 2_147_483_647;

export function replicasOf(object: Deployment | ReplicaSet): number {
  return object.spec.replicas ?? 1;
}

export function isRolling(deployment: Deployment): boolean {
  return deployment.spec.strategy?.type !== "Recreate";
}

/**
 * How far a rollout may go beyond and below the wanted number.
 * @returns pods above, pods missing; at least one of them is not 0 while pods are wanted.
 */
export function fenceposts(deployment: Deployment): { surge: number; unavailable: number } {
  if (!isRolling(deployment)) return { surge: 0, unavailable: 0 };
  const { maxSurge = 0, maxUnavailable = 0 } = deployment.spec.strategy?.rollingUpdate ?? {};
  const wanted = replicasOf(deployment);
  const surge = scaled(maxSurge, wanted, Math.ceil);
  const unavailable = scaled(maxUnavailable, wanted, Math.floor);
  return surge === 0 && unavailable === 0 ? { surge, unavailable: 1 } : { surge, unavailable };
}

export function maxSurge(deployment: Deployment): number {
  return fenceposts(deployment).surge;
}

export function maxUnavailable(deployment: Deployment): number {
  const wanted = replicasOf(deployment);
  return wanted === 0 ? 0 : Math.min(fenceposts(deployment).unavailable, wanted);
}

function scaled(value: number | string, of: number, round: (value: number) => number): number {
  if (typeof value === "number") return value;
  const percent = /^(\d+)%$/.exec(value);
  return percent === null ? 0 : round(Number(percent[1]) * of / 100);
}

type Count = "replicas" | "readyReplicas" | "availableReplicas";

/** The sum of a status field. */
export function countOf(replicaSets: readonly ReplicaSet[], field: Count): number {
  return replicaSets.reduce((sum, set) => sum + (set.status?.[field] ?? 0), 0);
}

/** The sum of what is asked for. */
export function askedOf(replicaSets: readonly ReplicaSet[]): number {
  return replicaSets.reduce((sum, set) => sum + replicasOf(set), 0);
}

/** How many pods the new ReplicaSet should have now. @param all including `newSet`. */
export function newReplicas(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  newSetReplicas: number,
): number {
  const wanted = replicasOf(deployment);
  if (!isRolling(deployment)) return wanted;
  const room = wanted + maxSurge(deployment) - askedOf(all);
  if (room <= 0) return newSetReplicas;
  return newSetReplicas + Math.min(room, wanted - newSetReplicas);
}

export function hasProgressDeadline(deployment: Deployment): boolean {
  const { progressDeadlineSeconds } = deployment.spec;
  return progressDeadlineSeconds !== undefined && progressDeadlineSeconds !== UNLIMITED;
}

/** @returns undefined for no limit. */
export function historyLimit(deployment: Deployment): number | undefined {
  const { revisionHistoryLimit } = deployment.spec;
  return revisionHistoryLimit === UNLIMITED ? undefined : revisionHistoryLimit;
}

/** @returns the number an annotation holds; undefined where there is none. */
export function annotatedNumber(set: ReplicaSet, annotation: string): number | undefined {
  const text = set.metadata.annotations?.[annotation];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

export function revisionOf(set: ReplicaSet): number {
  return annotatedNumber(set, REVISION) ?? 0;
}

/** Below 0 when `left` is older. */
export function byAge(left: ReplicaSet, right: ReplicaSet): number {
  const difference = parseMillis(left.metadata.creationTimestamp) -
    parseMillis(right.metadata.creationTimestamp);
  if (difference) return difference;
  return (left.metadata.name ?? "") < (right.metadata.name ?? "") ? -1 : 1;
}

/**
 * How the replicas to add (or remove, below 0) spread over active ReplicaSets in proportion to
 * their sizes; the largest one takes what rounding left.
 * @returns the new size of each, by name.
 */
export function proportions(
  deployment: Deployment,
  active: readonly ReplicaSet[],
): Map<string, number> {
  const wanted = replicasOf(deployment);
  const allowed = wanted > 0 ? wanted + maxSurge(deployment) : 0;
  const toAdd = allowed - askedOf(active);
  const newerFirst = toAdd > 0 ? -1 : 1;
  const sorted = [...active].sort((left, right) =>
    replicasOf(right) - replicasOf(left) || newerFirst * byAge(left, right)
  );
  const sizes = new Map<string, number>();
  let added = 0;
  for (const set of sorted) {
    const left = toAdd - added;
    const fraction = left === 0 ? 0 : fractionOf(deployment, set);
    const share = toAdd > 0 ? Math.min(fraction, left) : Math.max(fraction, left);
    sizes.set(set.metadata.name!, replicasOf(set) + (toAdd === 0 ? 0 : share));
    added += toAdd === 0 ? 0 : share;
  }
  const largest = sorted[0]?.metadata.name;
  if (largest !== undefined && toAdd !== 0) {
    sizes.set(largest, Math.max(0, sizes.get(largest)! + toAdd - added));
  }
  return sizes;
}

function fractionOf(deployment: Deployment, set: ReplicaSet): number {
  const size = replicasOf(set);
  if (replicasOf(deployment) === 0) return -size;
  const before = annotatedNumber(set, MAX_REPLICAS) || deployment.status?.replicas || 0;
  if (before === 0) return 0;
  const after = replicasOf(deployment) + maxSurge(deployment);
  return Math.round(size * after / before) - size;
}
