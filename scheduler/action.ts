/**
 * What the scheduler asks to be done: bindings, refusals, and what became of groups.
 * In: nothing. Out: types.
 * Never: does anything; the runner performs actions.
 */

import type { PodRow } from "./pod_row.ts";
import type { QueuedPod } from "./queue.ts";

export type Action =
  | {
    readonly kind: "bind";
    readonly entry: QueuedPod;
    readonly nodeName: string;
    /** Name of the group that this binding starts with others, "" = it stands for itself. */
    readonly gang: string;
  }
  | {
    readonly kind: "reject";
    readonly entry: QueuedPod;
    /** Text of the event and of the PodScheduled condition. */
    readonly message: string;
    /** Node promised to the pod, "" = none, null = as it was. */
    readonly nominatedNode: string | null;
    /** Pods to delete, so that the promise can be kept. */
    readonly victims: readonly PodRow[];
    /** Less important pods that the node was promised to, and is no more. */
    readonly displaced?: readonly PodRow[];
    /** "namespace/name" of a claim whose devices nobody uses and that stands in the pod's way. */
    readonly idleClaim?: string;
    /** Set when nothing was decided, as the pod can't be tried as it is. */
    readonly isError?: true;
  };

/** Whether the pods of a group could be placed, for the group's own status. */
export interface GroupVerdict {
  readonly result: "scheduled" | "unschedulable" | "waitingOnPreemption" | "error";
  /** "" when they could. */
  readonly message: string;
  /** Name of the profile that its pods are scheduled by. */
  readonly schedulerName: string;
  /** When it was tried and how long that took; null where one pod's fate told of it. */
  readonly time: { readonly startedMillis: number; readonly millis: number } | null;
}
