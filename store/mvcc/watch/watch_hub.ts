/**
 * Tells watchers what changed: live as commands apply, or from history when they are behind.
 * In: the versions each command wrote; steps to catch up. Out: notices through callbacks.
 * Never: queues for a watcher. One that refuses a notice goes on from history, which is the queue.
 * Source: etcd's watchable store (synced and unsynced watchers), the watch guarantees of
 * https://etcd.io/docs/v3.6/learning/api/: ordered, reliable, atomic by revision.
 */
import type { NoticeListener, WatchAccess, Watcher } from "../api.ts";
import type { Kv } from "../storage/kv.ts";
import type { WatchNotice, WatchRequest } from "../types.ts";
import { EventBatch } from "./event_batch.ts";
import { groupName, type WatchGroup, WatchIndex } from "./watch_index.ts";

type State = "live" | "lagging" | "ended";

class HubWatcher implements Watcher {
  readonly #hub: WatchHub;
  readonly name: string;
  readonly request: WatchRequest;
  readonly listener: NoticeListener;
  /** Next revision this watcher has not seen; for a live one only as of its last event. */
  nextRevision: number;
  state: State = "ended";
  /** It refused a notice and has not said `resume`. */
  paused = false;
  wantsProgress = false;
  /** Something was delivered since the last progress tick. */
  active = false;

  constructor(
    hub: WatchHub,
    request: WatchRequest,
    listener: NoticeListener,
    nextRevision: number,
  ) {
    this.#hub = hub;
    this.name = groupName(request);
    this.request = request;
    this.listener = listener;
    this.nextRevision = nextRevision;
  }

  get synced(): boolean {
    return this.state === "live";
  }

  requestProgress(): void {
    this.#hub.requestProgress(this);
  }

  resume(): void {
    this.paused = false;
  }

  cancel(): void {
    this.#hub.end(this);
  }

  /** @returns whether the listener took it. */
  deliver(notice: WatchNotice): boolean {
    this.active = true;
    return this.listener(notice) !== false;
  }
}

export class WatchHub implements WatchAccess {
  #kv: Kv;
  readonly #live = new WatchIndex<HubWatcher>();
  readonly #lagging = new WatchIndex<HubWatcher>();
  readonly #watchers = new Set<HubWatcher>();
  readonly #behind = new Set<HubWatcher>();

  constructor(kv: Kv) {
    this.#kv = kv;
  }

  get watcherCount(): number {
    return this.#watchers.size;
  }

  get laggingCount(): number {
    return this.#behind.size;
  }

  watch(request: WatchRequest, onNotice: NoticeListener): Watcher {
    const start = request.startRevision ?? 0;
    const now = this.#kv.revision;
    const nextRevision = start > 0 ? start : now + 1;
    // The request outlives the bytes that it may be a view of.
    const owned: WatchRequest = {
      ...request,
      key: request.key.slice(),
      ...(request.rangeEnd === undefined ? {} : { rangeEnd: request.rangeEnd.slice() }),
    };
    const watcher = new HubWatcher(this, owned, onNotice, nextRevision);
    this.#watchers.add(watcher);
    this.#place(watcher, nextRevision > now ? "live" : "lagging");
    return watcher;
  }

  #place(watcher: HubWatcher, state: State): void {
    if (watcher.state === "live") this.#live.remove(watcher.name, watcher);
    else if (watcher.state === "lagging") {
      this.#lagging.remove(watcher.name, watcher);
      this.#behind.delete(watcher);
    }
    watcher.state = state;
    if (state === "live") this.#live.add(watcher.name, watcher.request, watcher);
    else if (state === "lagging") {
      this.#lagging.add(watcher.name, watcher.request, watcher);
      this.#behind.add(watcher);
    } else this.#watchers.delete(watcher);
  }

  /** Ends a watch without a word. */
  end(watcher: HubWatcher): void {
    if (watcher.state !== "ended") this.#place(watcher, "ended");
  }

  requestProgress(watcher: HubWatcher): void {
    const { revision } = this.#kv;
    if (watcher.state === "live" && watcher.nextRevision <= revision + 1) {
      watcher.wantsProgress = !watcher.deliver({ kind: "progress", revision });
    } else if (watcher.state === "lagging") watcher.wantsProgress = true;
  }

  /** Tells live watchers of the revision just committed. */
  publish(): void {
    if (this.#live.isEmpty) return;
    const kv = this.#kv;
    const touched: WatchGroup<HubWatcher>[] = [];
    for (const version of kv.changes) {
      const key = kv.versions.keyOf(version);
      this.#live.match(kv.keys.bytesOf(key), kv.keys.hashOf(key), version, touched);
    }
    for (const group of touched) {
      const batch = new EventBatch(kv, group.matched, group, kv.revision);
      // One by one, as setting the length would throw the array's memory away each time.
      while (group.matched.length > 0) group.matched.pop();
      if (batch.size === 0) continue;
      // Whoever comes or goes meanwhile is passed over: it has seen this revision, or has ended.
      for (const watcher of group.watchers) this.#tell(watcher, batch);
    }
  }

  #tell(watcher: HubWatcher, batch: EventBatch): void {
    if (watcher.state !== "live" || watcher.nextRevision > batch.revision) return;
    if (watcher.deliver(batch)) {
      watcher.nextRevision = batch.revision + 1;
      return;
    }
    if (this.#isEnded(watcher)) return;
    watcher.paused = true;
    watcher.nextRevision = batch.revision;
    this.#place(watcher, "lagging");
  }

  /** Listeners may cancel from inside a notice. */
  #isEnded(watcher: HubWatcher): boolean {
    return watcher.state === "ended";
  }

  catchUpStep(budget: number): boolean {
    const kv = this.#kv;
    const from = this.#firstWanted();
    if (from === Infinity) return false;
    const touched: WatchGroup<HubWatcher>[] = [];
    let seen = kv.revision;
    if (from <= kv.revision) {
      const walk = kv.history.walkFrom(from);
      let left = budget;
      let last = 0;
      for (let version = walk.next(); version !== 0; version = walk.next()) {
        const revision = kv.versions.revisionOf(version);
        // A batch holds whole revisions, so the budget may be overdrawn by one of them.
        if (left-- <= 0 && revision !== last) {
          seen = revision - 1;
          break;
        }
        last = revision;
        const key = kv.versions.keyOf(version);
        this.#lagging.match(kv.keys.bytesOf(key), kv.keys.hashOf(key), version, touched);
      }
    }
    for (const group of touched) this.#replay(group, seen);
    this.#advance(seen);
    return this.#firstWanted() !== Infinity;
  }

  /** Ends watchers whose history is gone; the lowest revision that others still want. */
  #firstWanted(): number {
    const { compactRevision, revision } = this.#kv;
    let first = Infinity;
    for (const watcher of [...this.#behind]) {
      if (watcher.paused || watcher.state !== "lagging") continue;
      if (watcher.nextRevision < compactRevision) {
        if (watcher.deliver({ kind: "compacted", compactRevision, revision })) this.end(watcher);
        else watcher.paused = true;
      } else first = Math.min(first, watcher.nextRevision);
    }
    return first;
  }

  /** Gives each watcher of a group what it has not seen of the group's events. */
  #replay(group: WatchGroup<HubWatcher>, seen: number): void {
    const { versions } = this.#kv;
    const matched = group.matched.slice();
    group.matched.length = 0;
    const batches = new Map<number, EventBatch>();
    for (const watcher of [...group.watchers]) {
      if (watcher.paused || watcher.nextRevision > seen) continue;
      let skip = 0;
      while (
        skip < matched.length && versions.revisionOf(matched[skip]) < watcher.nextRevision
      ) skip++;
      if (skip === matched.length) continue;
      let batch = batches.get(skip);
      if (batch === undefined) {
        batch = new EventBatch(this.#kv, matched.slice(skip), group, seen);
        batches.set(skip, batch);
      }
      if (batch.size > 0 && !watcher.deliver(batch)) watcher.paused = true;
    }
  }

  /** Moves on everyone who took what there was up to a revision. */
  #advance(seen: number): void {
    for (const watcher of [...this.#behind]) {
      if (watcher.paused || this.#isEnded(watcher)) continue;
      if (watcher.nextRevision <= seen) watcher.nextRevision = seen + 1;
      if (watcher.nextRevision <= this.#kv.revision) continue;
      this.#place(watcher, "live");
      if (watcher.wantsProgress) this.requestProgress(watcher);
    }
  }

  progressTick(): void {
    const { revision } = this.#kv;
    for (const watcher of [...this.#watchers]) {
      const idle = watcher.state === "live" && watcher.request.progressNotify === true &&
        !watcher.active && watcher.nextRevision <= revision + 1;
      if (idle) watcher.deliver({ kind: "progress", revision });
      watcher.active = false;
    }
  }

  /** After the whole state was replaced: everyone goes on from what they had seen before. */
  onRestore(kv: Kv, revisionBefore: number): void {
    this.#kv = kv;
    for (const watcher of this.#watchers) {
      if (watcher.state === "live") {
        watcher.nextRevision = Math.max(watcher.nextRevision, revisionBefore + 1);
      }
      if (watcher.nextRevision <= this.#kv.revision) this.#place(watcher, "lagging");
    }
  }

  cancelAll(reason: string): void {
    for (const watcher of [...this.#watchers]) {
      this.end(watcher);
      watcher.deliver({ kind: "cancelled", reason });
    }
  }
}
