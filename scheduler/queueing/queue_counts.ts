/**
 * What a queue's owner may want to know in figures: how many pods came where and by which event,
 * how many wait because of which plugin.
 * In: arrivals, waiting entries. Out: counts.
 * Never: more than an addition for each arrival; who waits for what is counted when it is asked.
 * Source: queue_incoming_pods_total and unschedulable_pods of Kubernetes v1.36.
 */

import type { QueuedPod } from "../queue.ts";

export type QueueName = "active" | "backoff" | "unschedulable";

/** Arrivals by queue and label of the event. */
export class QueueCounts {
  readonly #arrivals: Readonly<Record<QueueName, Map<string, number>>> = {
    active: new Map(),
    backoff: new Map(),
    unschedulable: new Map(),
  };

  /** @param label of the event that brought the pod */
  arrive(queue: QueueName, label: string): void {
    const counts = this.#arrivals[queue];
    counts.set(label, (counts.get(label) ?? 0) + 1);
  }

  get arrivals(): Readonly<Record<QueueName, ReadonlyMap<string, number>>> {
    return this.#arrivals;
  }
}

/** Pods of one profile that wait because of one plugin. */
export interface RejectionCount {
  readonly plugin: string;
  readonly schedulerName: string;
  readonly pods: number;
}

/** @returns how many entries each plugin rejected last; an entry counts for each of its plugins. */
export function countRejections(entries: Iterable<QueuedPod>): RejectionCount[] {
  const bySource = new Map<string, Map<string, number>>();
  for (const { profile: { schedulerName }, rejectedBy } of entries) {
    let byPlugin = bySource.get(schedulerName);
    if (byPlugin === undefined) bySource.set(schedulerName, byPlugin = new Map());
    for (const plugin of rejectedBy) byPlugin.set(plugin, (byPlugin.get(plugin) ?? 0) + 1);
  }
  return [...bySource].flatMap(([schedulerName, byPlugin]) =>
    [...byPlugin].map(([plugin, pods]) => ({ plugin, schedulerName, pods }))
  );
}
