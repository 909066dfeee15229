/**
 * Preemptions whose evictions are still being asked for. Until they are under way, the pod that
 * they make room for is held back: tried in between, it might choose more victims elsewhere.
 * In: who evicts whom, victims as they leave. Out: whether a pod is held back, and who is free.
 * Never: keeps anything once the last victim leaves or the evictions have ended.
 * Source: the asynchronous preemption of Kubernetes v1.36 (preemption/executor.go).
 */

import type { PodRow } from "../pod_row.ts";

export const WAITING_FOR_EVICTIONS = "waiting for the preemption for this pod to be finished";

export class PendingEvictions {
  /** Uid of the pod that room is made for -> uids of victims that don't leave yet. */
  readonly #victims = new Map<string, Set<string>>();
  /** Uid of a victim -> uid of the pod that room is made for. */
  readonly #preemptors = new Map<string, string>();

  /** @returns whether there is anything to wait for: victims that don't leave already */
  begin(uid: string, victims: readonly PodRow[]): boolean {
    const staying = victims.filter(({ terminating }) => !terminating);
    if (staying.length === 0) return false;
    this.#victims.set(uid, new Set(staying.map((victim) => victim.uid)));
    for (const victim of staying) this.#preemptors.set(victim.uid, uid);
    return true;
  }

  /** Takes in that a pod leaves. @returns the uid of the pod that waits no more, "" = none */
  leave(uid: string): string {
    const preemptor = this.#preemptors.get(uid);
    if (preemptor === undefined) return "";
    this.#preemptors.delete(uid);
    const staying = this.#victims.get(preemptor);
    staying?.delete(uid);
    if (staying?.size !== 0) return "";
    this.#victims.delete(preemptor);
    return preemptor;
  }

  /** Forgets a preemption that has ended, or whose pod is gone. @returns whether it was pending */
  end(uid: string): boolean {
    const staying = this.#victims.get(uid);
    if (staying === undefined) return false;
    this.#victims.delete(uid);
    for (const victim of staying) {
      if (this.#preemptors.get(victim) === uid) this.#preemptors.delete(victim);
    }
    return true;
  }
}
