/**
 * What is written into the status of a pod or a group to tell its owner why it waits or must go.
 * In: a pod, a condition, a nominated node; a group and what became of it. Out: what a report of
 * the pod says, a strategic merge patch of the group; null when it would change nothing.
 * Source: Kubernetes v1.36 podutil.UpdatePodCondition and scheduler updatePod.
 */
import type { PodReport } from "../api/call.ts";
import type { Condition } from "../api/meta.ts";
import { formatTime } from "../api/time.ts";
import type { GroupVerdict } from "../../scheduler/mod.ts";
import type { Pod, PodGroup } from "./kinds.ts";

/** What a condition is to say. */
export interface ConditionWish {
  readonly type: "PodScheduled" | "DisruptionTarget";
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
}

/** @returns the condition as it should be, null when it is so already. */
function updated(pod: Pod, wish: ConditionWish, nowMillis: number): Condition | null {
  const generation = pod.metadata.generation;
  const before = pod.status?.conditions?.find(({ type }) => type === wish.type);
  const same = before !== undefined && before.status === wish.status &&
    before.reason === wish.reason && before.message === wish.message &&
    before.observedGeneration === generation;
  if (same) return null;
  const sameStatus = before?.status === wish.status;
  return {
    ...wish,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    lastTransitionTime: sameStatus && before.lastTransitionTime !== undefined
      ? before.lastTransitionTime
      : formatTime(nowMillis),
  };
}

/** @param nominatedNode "" clears the nomination, null leaves it. */
export function planReport(
  pod: Pod,
  wish: ConditionWish,
  nominatedNode: string | null,
  nowMillis: number,
): Pick<PodReport, "condition" | "nominatedNodeName"> | null {
  const condition = updated(pod, wish, nowMillis);
  const nominates = nominatedNode !== null &&
    nominatedNode !== (pod.status?.nominatedNodeName ?? "");
  if (condition === null && !nominates) return null;
  return {
    ...(condition === null ? {} : { condition }),
    ...(nominates ? { nominatedNodeName: nominatedNode } : {}),
  };
}

const GROUP_REASONS = {
  scheduled: "Scheduled",
  unschedulable: "Unschedulable",
  waitingOnPreemption: "Unschedulable",
  error: "SchedulerError",
} as const;

/**
 * A group that was scheduled once stays so, whatever becomes of pods that join later.
 *
 * @returns the body of a strategic merge patch of the group's status, null when nothing changes.
 */
export function planGroupPatch(
  group: PodGroup,
  { result, message }: GroupVerdict,
  nowMillis: number,
): { readonly metadata: { readonly uid?: string }; readonly status: object } | null {
  const { uid, generation } = group.metadata;
  const type = "PodGroupScheduled";
  const before = group.status?.conditions?.find((condition) => condition.type === type);
  if (before?.status === "True" && result !== "scheduled") return null;
  const status = result === "scheduled" ? "True" : "False";
  const wish = { type, status, reason: GROUP_REASONS[result], message };
  const same = before !== undefined && before.status === status && before.reason === wish.reason &&
    before.message === message && before.observedGeneration === generation;
  if (same) return null;
  const lastTransitionTime = before?.status === status
    ? before.lastTransitionTime
    : formatTime(nowMillis);
  const condition = {
    ...wish,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    lastTransitionTime,
  };
  return { metadata: { uid }, status: { conditions: [condition] } };
}
