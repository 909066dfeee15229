/**
 * Preemptions whose evictions are still being asked for. Until they are under way, the pod that
 * they make room for is held back: tried in between, it might choose more victims elsewhere.
 * In: who evicts whom, victims as they leave. Out: whether a pod is held back, and who is free.
 * Never: keeps anything once the last victim leaves or the evictions have ended.
 * Source: the asynchronous preemption of Kubernetes v1.36 (preemption/executor.go).
 */

import type { PodRow } from "../pod_row.ts";

export const WAITING_FOR_EVICTIONS = "waiting for the preemption for this pod to be finished";

interface Preemption {
  /** The pod that room is made for. */
  readonly uid: string;
  /** Those that did not leave when it began. */
  readonly victims: readonly PodRow[];
  /** How many of them don't leave yet. */
  staying: number;
}

export class PendingEvictions {
  /** By the uid of the pod that room is made for. */
  readonly #preemptions = new Map<string, Preemption>();
  /** By the uid of a victim that doesn't leave yet. */
  readonly #byVictim = new Map<string, Preemption>();

  /** @returns whether there is anything to wait for: victims that don't leave already */
  begin(uid: string, victims: readonly PodRow[]): boolean {
    const staying = victims.filter(({ terminating }) => !terminating);
    if (staying.length === 0) return false;
    const preemption = { uid, victims: staying, staying: staying.length };
    this.#preemptions.set(uid, preemption);
    for (const victim of staying) this.#byVictim.set(victim.uid, preemption);
    return true;
  }

  /** Takes in that a pod leaves. @returns the uid of the pod that waits no more, "" = none */
  leave(uid: string): string {
    const preemption = this.#byVictim.get(uid);
    if (preemption === undefined) return "";
    this.#byVictim.delete(uid);
    const { uid: preemptor } = preemption;
    if (--preemption.staying > 0 || this.#preemptions.get(preemptor) !== preemption) return "";
    this.#preemptions.delete(preemptor);
    return preemptor;
  }

  /** Forgets a preemption that has ended, or whose pod is gone. @returns whether it was pending */
  end(uid: string): boolean {
    const preemption = this.#preemptions.get(uid);
    if (preemption === undefined) return false;
    this.#preemptions.delete(uid);
    for (const victim of preemption.victims) {
      if (this.#byVictim.get(victim.uid) === preemption) this.#byVictim.delete(victim.uid);
    }
    return true;
  }
}
