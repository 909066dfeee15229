/**
 * Pods that wait for an event, sorted by what they would ask of one.
 * In: entries of the queue that were rejected or held back. Out: groups of entries that every hint
 * answers alike, and the entry that has waited longest.
 * Never: looks at events; an event costs one question a group, however many pods are in it.
 */

import type { QueuedPod } from "../queue.ts";

export class ParkedPods {
  /** In the order of their coming, which is that of `sinceMs`. */
  readonly #waiting = new Map<string, QueuedPod>();
  /** Held back by a gate; patience does not end that. */
  readonly #gated = new Map<string, QueuedPod>();
  readonly #alike = new Map<string, Set<string>>();
  readonly #kindOf = new Map<string, string>();

  get waitingCount(): number {
    return this.#waiting.size;
  }

  get gatedCount(): number {
    return this.#gated.size;
  }

  /** @returns all entries, in no order. */
  *items(): Iterable<QueuedPod> {
    yield* this.#waiting.values();
    yield* this.#gated.values();
  }

  get(uid: string): QueuedPod | undefined {
    return this.#waiting.get(uid) ?? this.#gated.get(uid);
  }

  /** Takes in an entry as the one that came last. */
  park(entry: QueuedPod): void {
    this.take(entry.pod.uid);
    this.replace(entry);
  }

  /** Takes in an entry; one with the same pod keeps its place. */
  replace(entry: QueuedPod): void {
    const { uid } = entry.pod;
    this.#forgetKind(uid);
    (entry.gate === "" ? this.#waiting : this.#gated).set(uid, entry);
    const kind = kindOf(entry);
    let uids = this.#alike.get(kind);
    if (uids === undefined) this.#alike.set(kind, uids = new Set());
    uids.add(uid);
    this.#kindOf.set(uid, kind);
  }

  /** Takes an entry out. */
  take(uid: string): void {
    this.#waiting.delete(uid);
    this.#gated.delete(uid);
    this.#forgetKind(uid);
  }

  /** @returns the entry that has waited longest for an event, undefined when there is none. */
  oldest(): QueuedPod | undefined {
    return this.#waiting.values().next().value;
  }

  /** @returns uids by kind; entries may be taken out while this is walked. */
  alike(): Iterable<ReadonlySet<string>> {
    return [...this.#alike.values()];
  }

  #forgetKind(uid: string): void {
    const kind = this.#kindOf.get(uid);
    if (kind === undefined) return;
    this.#kindOf.delete(uid);
    const uids = this.#alike.get(kind)!;
    uids.delete(uid);
    if (uids.size === 0) this.#alike.delete(kind);
  }
}

function kindOf({ pod, profile, rejectedBy, gatedBy }: QueuedPod): string {
  const plugins = [...rejectedBy].join();
  return `${profile.schedulerName}/${pod.template.id}/${pod.group}/${gatedBy}/${plugins}`;
}
