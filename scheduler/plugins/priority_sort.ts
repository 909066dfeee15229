/**
 * PrioritySort: higher priority first, then the one that waited longer.
 * In: two queued pods. Out: their order.
 * Source: Kubernetes v1.36 scheduler plugin PrioritySort.
 */

/** What the order looks at. */
export interface QueueRank {
  readonly priority: number;
  /** When it entered the queue or last failed, milliseconds. */
  readonly sinceMs: number;
  /** Counts entries, so that equal times keep their order. */
  readonly sequence: number;
}

/** @returns whether `a` is to be tried before `b`. */
export function goesFirst(a: QueueRank, b: QueueRank): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority;
  if (a.sinceMs !== b.sinceMs) return a.sinceMs < b.sinceMs;
  return a.sequence < b.sequence;
}
