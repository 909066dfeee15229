/**
 * PURE. The steps of a rollout: forward, proportional scaling, and cleaning up old revisions.
 * In: a Rollout. Out: its ReplicaSets with new sizes. Never: goes beyond maxSurge or below
 * maxUnavailable. Source: pkg/controller/deployment rolling.go and sync.go (v1.36).
 */
import type { ReplicaSet } from "../kinds.ts";
import {
  annotatedNumber,
  askedOf,
  byAge,
  countOf,
  DESIRED_REPLICAS,
  historyLimit,
  isRolling,
  maxUnavailable,
  newReplicas,
  proportions,
  replicasOf,
  revisionOf,
} from "./deployment_math.ts";
import type { Rollout } from "./rollout.ts";

/** ReplicaSets that have, or should have, pods. */
export function active(sets: readonly ReplicaSet[]): ReplicaSet[] {
  return sets.filter((set) => replicasOf(set) > 0);
}

/** One step of a rolling update: up if there is room, else down. @returns whether it scaled. */
export function rollForward(rollout: Rollout): boolean {
  return scaleUpNew(rollout) || scaleDownOld(rollout);
}

function scaleUpNew(rollout: Rollout): boolean {
  const { newSet, deployment } = rollout;
  if (newSet === undefined) return false;
  const wanted = replicasOf(deployment);
  const size = replicasOf(newSet);
  if (size === wanted) return false;
  const next = size > wanted ? wanted : newReplicas(deployment, rollout.all, size);
  return rollout.scale(newSet, next);
}

function scaleDownOld(rollout: Rollout): boolean {
  const { newSet, deployment } = rollout;
  if (newSet === undefined || askedOf(rollout.oldSets) === 0) return false;
  const leastAvailable = replicasOf(deployment) - maxUnavailable(deployment);
  const newUnavailable = replicasOf(newSet) - (newSet.status?.availableReplicas ?? 0);
  const room = askedOf(rollout.all) - leastAvailable - newUnavailable;
  if (room <= 0) return false;
  const cleaned = dropUnhealthy(rollout, room);
  const stepped = dropSurplus(rollout, leastAvailable);
  return cleaned || stepped;
}

/** Replicas of old ReplicaSets that are not available go first: nobody misses them. */
function dropUnhealthy(rollout: Rollout, room: number): boolean {
  let left = room;
  for (const set of active(rollout.oldSets)) {
    if (left <= 0) break;
    const size = replicasOf(set);
    const unhealthy = size - (set.status?.availableReplicas ?? 0);
    if (unhealthy <= 0) continue;
    const drop = Math.min(left, unhealthy);
    rollout.scale(set, size - drop);
    left -= drop;
  }
  return left < room;
}

function dropSurplus(rollout: Rollout, leastAvailable: number): boolean {
  // The new ReplicaSet and the old ones that were active when the plan began count.
  let left = countOf(rollout.all, "availableReplicas") - leastAvailable;
  let dropped = false;
  for (const set of active(rollout.oldSets)) {
    if (left <= 0) break;
    const drop = Math.min(replicasOf(set), left);
    rollout.scale(set, replicasOf(set) - drop);
    left -= drop;
    dropped = true;
  }
  return dropped;
}

/** Brings a Deployment of changed size, or a paused one, to its size without rolling forward. */
export function scaleAll(rollout: Rollout): void {
  const { deployment, newSet, oldSets } = rollout;
  const wanted = replicasOf(deployment);
  const activeSets = active(rollout.all);
  if (activeSets.length <= 1) {
    const only = activeSets[0] ?? newSet ?? oldSets.at(-1);
    if (only !== undefined) rollout.scale(only, wanted);
    return;
  }
  if (newSet !== undefined && isSaturated(newSet, wanted)) {
    for (const set of active(oldSets)) rollout.scale(set, 0);
    return;
  }
  if (!isRolling(deployment)) return;
  const sizes = proportions(deployment, activeSets);
  for (const set of activeSets) rollout.scale(set, sizes.get(set.metadata.name!)!, true);
}

function isSaturated(set: ReplicaSet, wanted: number): boolean {
  return replicasOf(set) === wanted && annotatedNumber(set, DESIRED_REPLICAS) === wanted &&
    (set.status?.availableReplicas ?? 0) === wanted;
}

/** Deletes the oldest revisions beyond revisionHistoryLimit, those without pods only. */
export function cleanUp(rollout: Rollout): void {
  const limit = historyLimit(rollout.deployment);
  if (limit === undefined) return;
  const deletable = rollout.oldSets
    .filter((set) => set.metadata.deletionTimestamp === undefined)
    .sort((left, right) => revisionOf(left) - revisionOf(right) || byAge(left, right));
  for (const set of deletable.slice(0, Math.max(0, deletable.length - limit))) {
    const { status, metadata } = set;
    const observed = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
    if ((status?.replicas ?? 0) === 0 && replicasOf(set) === 0 && observed) rollout.delete(set);
  }
}
