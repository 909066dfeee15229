/**
 * PURE. What a pod's status says: active, terminal, ready, available.
 * In: pods, the time. Out: answers. Never: changes a pod.
 * Source: pkg/api/v1/pod and pkg/controller's pod filters (v1.36).
 */
import { parseMillis } from "../api/time.ts";
import type { Pod, StatusCondition } from "./kinds.ts";

export function conditionOf(
  conditions: readonly StatusCondition[] | undefined,
  type: string,
): StatusCondition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/** Succeeded or Failed: it will never run again. */
export function isTerminal(pod: Pod): boolean {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
}

/** Counts as a replica: neither terminal nor being deleted. */
export function isActive(pod: Pod): boolean {
  return !isTerminal(pod) && pod.metadata.deletionTimestamp === undefined;
}

/** On its way out, but not out. */
export function isTerminating(pod: Pod): boolean {
  return !isTerminal(pod) && pod.metadata.deletionTimestamp !== undefined;
}

export function isReady(pod: Pod): boolean {
  return conditionOf(pod.status?.conditions, "Ready")?.status === "True";
}

/** When it became ready, milliseconds since 1970; undefined when it is not, or does not say. */
export function readySinceMillis(pod: Pod): number | undefined {
  const ready = conditionOf(pod.status?.conditions, "Ready");
  if (ready?.status !== "True") return undefined;
  const millis = parseMillis(ready.lastTransitionTime);
  return Number.isNaN(millis) ? undefined : millis;
}

/**
 * Milliseconds until a ready pod counts as available.
 * @returns 0 or less when it does; undefined when it is not ready.
 */
export function untilAvailableMillis(
  pod: Pod,
  at: { readonly minReadySeconds: number; readonly nowMillis: number },
): number | undefined {
  if (!isReady(pod)) return undefined;
  if (at.minReadySeconds === 0) return 0;
  const since = readySinceMillis(pod);
  return since === undefined ? undefined : since + at.minReadySeconds * 1000 - at.nowMillis;
}
