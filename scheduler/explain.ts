/**
 * Words for a pod that fits nowhere, exactly as kube-scheduler words and sorts them.
 * In: a diagnosis, what preemption said. Out: the message of the event and of the pod's condition.
 * Source: FitError of the Kubernetes v1.36 scheduler framework.
 */

import type { Diagnosis } from "./decide.ts";

/** The message when the cluster has no node at all. */
export const NO_NODES_MESSAGE = "no nodes available to schedule pods";

/** The longest note that an event may carry, in bytes. */
const NOTE_LIMIT = 1024;

/** @returns the reasons, each with its count of nodes before it, sorted as text. */
export function formatReasons(reasons: ReadonlyMap<string, number>): string {
  return [...reasons].map(([reason, count]) => `${count} ${reason}`).sort().join(", ");
}

/**
 * Formats a diagnosis.
 *
 * @param postFilterMessage what preemption said, "" when it was not tried.
 */
export function explain(diagnosis: Diagnosis, postFilterMessage = ""): string {
  let message = `0/${diagnosis.nodeCount} nodes are available:`;
  if (diagnosis.preFilterMessage !== "") message += ` ${diagnosis.preFilterMessage}.`;
  else if (diagnosis.reasons.size > 0) message += ` ${formatReasons(diagnosis.reasons)}.`;
  return postFilterMessage === "" ? message : `${message} ${postFilterMessage}`;
}

/** @returns the message cut to what an event note may hold. */
export function truncateNote(message: string): string {
  if (message.length <= NOTE_LIMIT) return message;
  const suffix = " ...";
  return message.slice(0, NOTE_LIMIT - suffix.length) + suffix;
}
