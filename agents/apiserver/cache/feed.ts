/**
 * Keeps every resource's cache equal to the store: one load at start, one watch ever after.
 * In: the store. Out: a cache per key prefix, and the revision that all of them have reached.
 * A read that must be fresh asks the store for its revision, once for all reads of a moment, and
 * waits until the watch has come that far.
 * Never: writes, or polls while nothing waits; a gap in the watch is closed by loading again and
 * telling what differs.
 */
import type { KeyValue, Store, StoreEvent, WatchHandle, WatchNotice } from "../../../store/mod.ts";
import type { KubeObject } from "../../api/meta.ts";
import type { Clock, Log } from "../ports.ts";
import { decodeKey, encodeKey, encodePrefixEnd, prefixOfKey, REGISTRY_ROOT } from "../registry.ts";
import { type OwnWrite, OwnWrites } from "./own_writes.ts";
import { ResourceCache } from "./resource_cache.ts";
import { StoredObject } from "./stored_object.ts";

export interface FeedOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly ringCapacity: number;
  readonly watcherCapacity: number;
  /**
   * "applied": this process holds the only member, so its applied revision is the truth.
   * "quorum": ask the store for a linearizable revision before each consistent read.
   */
  readonly consistentReads: "applied" | "quorum";
  /** Index function by key prefix. */
  readonly indexes: Readonly<Record<string, (object: KubeObject) => string>>;
}

const PAGE_SIZE = 1000;
const RELOAD_DELAY_MILLIS = 1000;
/** How long a read may wait for the caches; upstream's blockTimeout. */
const WAIT_MILLIS = 3000;
/** How often the store is asked how far its watch has come while reads wait for it. */
const PROGRESS_MILLIS = 100;

interface Waiter {
  readonly revision: number;
  readonly resolve: (isReached: boolean) => void;
  readonly stopTimer: () => void;
}

export class Feed {
  readonly #options: FeedOptions;
  readonly #caches = new Map<string, ResourceCache>();
  /** Writes of this process that the store has not told of yet. */
  readonly writes = new OwnWrites();
  #handle: WatchHandle | null = null;
  #revision = 0;
  #waiters: Waiter[] = [];
  /** Counts the watches of the store; what an earlier one still says is old news. */
  #watchTurn = 0;
  #stopAsking: (() => void) | null = null;
  /** Revision that the store was last asked to have reached. */
  #askedFor = 0;
  readonly #revisionNow = new Joined(() => this.#storeRevision());
  #isClosed = false;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** Every change up to this revision is in the caches. */
  get revision(): number {
    return this.#revision;
  }

  get caches(): Iterable<ResourceCache> {
    return this.#caches.values();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The cache of a prefix; made when asked for the first time. */
  cache(prefix: string): ResourceCache {
    let cache = this.#caches.get(prefix);
    if (cache === undefined) {
      const { ringCapacity, watcherCapacity, indexes } = this.#options;
      const indexOf = indexes[prefix];
      const revision = this.#revision;
      cache = new ResourceCache({ prefix, ringCapacity, watcherCapacity, revision, indexOf });
      this.#caches.set(prefix, cache);
    }
    return cache;
  }

  /**
   * Loads a state of a while ago and lets the watch catch up, so that clients' watches go on from
   * where they were before this process started. Throws when the store can't be read.
   */
  async start(): Promise<void> {
    const now = await this.#storeRevision();
    if (now === null) throw new Error("the store does not answer");
    const { revision, kvs } = await this.#readAll(Math.max(1, now - this.#options.ringCapacity));
    this.#revision = revision;
    for (const kv of kvs) {
      const key = decodeKey(kv.key);
      const prefix = prefixOfKey(key);
      if (prefix !== null) this.cache(prefix).load(key, kv.value, kv.modRevision);
    }
    this.#watchFrom(revision + 1);
    while (!await this.waitFor(now)) {
      this.#options.log("warn", "still reading the store's history", { revision: this.#revision });
    }
  }

  /** Whether a consistent read can be answered from the caches at this instant. */
  get isFresh(): boolean {
    return this.#options.consistentReads === "applied" &&
      this.#revision >= this.#options.store.revision;
  }

  /** @returns true once the caches hold everything written before this call; false on timeout */
  async waitFresh(): Promise<boolean> {
    if (this.isFresh) return true;
    const revision = await this.#linearizableRevision();
    return revision !== null && await this.waitFor(revision);
  }

  /** @returns true once the caches have reached a revision, false when that takes too long */
  waitFor(revision: number): Promise<boolean> {
    if (this.#revision >= revision) return Promise.resolve(true);
    this.#askProgress(revision);
    if (this.#revision >= revision) return Promise.resolve(true);
    return new Promise((resolve) => {
      const before = this.#revision;
      const stopTimer = this.#options.clock.after(WAIT_MILLIS, () => {
        this.#waiters = this.#waiters.filter((waiter) => waiter.resolve !== resolve);
        resolve(false);
        if (this.#revision === before) this.#watchAnew();
      });
      this.#waiters.push({ revision, resolve, stopTimer });
    });
  }

  /** Asks once a revision, and again while reads wait: a member that lags says how far it is. */
  #askProgress(revision: number): void {
    if (revision <= this.#askedFor) return;
    this.#askedFor = revision;
    this.#handle?.requestProgress();
    if (this.#options.consistentReads === "applied" || this.#stopAsking !== null) return;
    this.#stopAsking = this.#options.clock.after(PROGRESS_MILLIS, () => {
      this.#stopAsking = null;
      this.#askedFor = 0;
      if (this.#waiters.length > 0) this.#askProgress(revision);
    });
  }

  /** The member behind the watch has fallen silent: another one may know more. */
  #watchAnew(): void {
    if (this.#isClosed || this.#handle === null) return;
    this.#options.log("warn", "store watch shows nothing new; opening another", {
      revision: this.#revision,
    });
    this.#handle.cancel();
    this.#watchFrom(this.#revision + 1);
  }

  close(): void {
    this.#isClosed = true;
    this.#stopAsking?.();
    this.#handle?.cancel();
    for (const cache of this.#caches.values()) cache.closeWatchers();
    for (const waiter of this.#waiters.splice(0)) {
      waiter.stopTimer();
      waiter.resolve(false);
    }
  }

  /** @returns null where no quorum tells */
  async #linearizableRevision(): Promise<number | null> {
    const { store, consistentReads } = this.#options;
    return consistentReads === "applied" ? store.revision : await this.#revisionNow.get();
  }

  /** The revision that a linearizable read finds, or null while no quorum answers. */
  async #storeRevision(): Promise<number | null> {
    const key = encodeKey(REGISTRY_ROOT);
    const answer = await this.#options.store.range({ kind: "range", key, countOnly: true });
    return answer.kind === "range" ? answer.revision : null;
  }

  /** @param at revision to read; 0 = now; where that is compacted, the oldest that is not */
  async #readAll(at = 0): Promise<{ revision: number; kvs: readonly KeyValue[] }> {
    const rangeEnd = encodePrefixEnd(REGISTRY_ROOT);
    const kvs: KeyValue[] = [];
    let key = encodeKey(REGISTRY_ROOT);
    let revision = at;
    for (;;) {
      const answer = await this.#options.store.range({
        kind: "range",
        key,
        rangeEnd,
        limit: PAGE_SIZE,
        revision,
      });
      if (answer.kind === "compacted" && kvs.length === 0 && answer.compactRevision > revision) {
        revision = answer.compactRevision;
        continue;
      }
      if (answer.kind !== "range") throw new Error(`store refused to list: ${answer.kind}`);
      revision ||= answer.revision;
      for (const kv of answer.kvs) kvs.push(kv);
      if (!answer.more) return { revision, kvs };
      const last = answer.kvs[answer.kvs.length - 1].key;
      key = new Uint8Array(last.length + 1);
      key.set(last);
    }
  }

  #watchFrom(startRevision: number): void {
    const turn = ++this.#watchTurn;
    this.#handle = this.#options.store.watch({
      key: encodeKey(REGISTRY_ROOT),
      rangeEnd: encodePrefixEnd(REGISTRY_ROOT),
      startRevision,
    }, (notice) => {
      if (turn === this.#watchTurn) this.#take(notice);
    });
  }

  #take(notice: WatchNotice): void {
    if (this.#isClosed) return;
    if (notice.kind === "events") {
      for (const event of notice.events) this.#takeEvent(event);
      this.#advance(notice.revision);
    } else if (notice.kind === "progress") this.#advance(notice.revision);
    else {
      this.#handle = null;
      this.#options.log("warn", "store watch ended; loading again", { why: notice.kind });
      this.#reload();
    }
  }

  #takeEvent({ type, kv }: StoreEvent): void {
    const { key: keyBytes, value, modRevision } = kv;
    const own = this.writes.take(keyBytes, type === "put" ? value : null);
    if (own !== undefined) return takeOwn(own, modRevision);
    const key = decodeKey(keyBytes);
    const prefix = prefixOfKey(key);
    if (prefix === null) return;
    const cache = this.cache(prefix);
    if (type === "put") cache.put(new StoredObject(key, value, modRevision));
    else cache.delete(key, modRevision);
  }

  #advance(revision: number): void {
    if (revision > this.#revision) this.#revision = revision;
    if (this.#waiters.length === 0) return;
    const ready = this.#waiters.filter((waiter) => waiter.revision <= this.#revision);
    if (ready.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => waiter.revision > this.#revision);
    for (const waiter of ready) {
      waiter.stopTimer();
      waiter.resolve(true);
    }
  }

  /** The watch broke: what happened in between is told as the difference of two states. */
  async #reload(): Promise<void> {
    if (this.#isClosed) return;
    let state: { revision: number; kvs: readonly KeyValue[] };
    try {
      state = await this.#readAll();
    } catch (error) {
      this.#options.log("error", "state can't be loaded; trying again", { error: String(error) });
      this.#options.clock.after(RELOAD_DELAY_MILLIS, () => this.#reload());
      return;
    }
    if (this.#isClosed) return;
    this.#replaceState(state);
    this.#advance(state.revision);
    this.#watchFrom(state.revision + 1);
  }

  #replaceState(state: { revision: number; kvs: readonly KeyValue[] }): void {
    const gone = new Map<string, ResourceCache>();
    for (const cache of this.#caches.values()) {
      for (const key of cache.keys()) gone.set(key, cache);
    }
    for (const kv of [...state.kvs].sort((a, b) => a.modRevision - b.modRevision)) {
      const key = decodeKey(kv.key);
      gone.delete(key);
      const prefix = prefixOfKey(key);
      if (prefix === null) continue;
      const cache = this.cache(prefix);
      if (cache.get(key)?.revision !== kv.modRevision) this.#takeEvent({ type: "put", kv });
    }
    for (const [key, cache] of gone) cache.delete(key, state.revision);
  }
}

function takeOwn({ key, cache, put }: OwnWrite, revision: number): void {
  if (put === null) return cache.delete(key, revision);
  put.stored = new StoredObject(key, put.value, revision, put);
  cache.put(put.stored);
}

/**
 * One question of the store for all reads that wait: a read joins the next question, never one that
 * is under way, which may have been answered before the read came.
 */
class Joined<T> {
  readonly #ask: () => Promise<T>;
  #current: Promise<T> | null = null;
  #next: Promise<T> | null = null;

  constructor(ask: () => Promise<T>) {
    this.#ask = ask;
  }

  get(): Promise<T> {
    if (this.#current === null) return this.#start();
    this.#next ??= this.#current.then(() => {
      this.#next = null;
      return this.#start();
    });
    return this.#next;
  }

  #start(): Promise<T> {
    const asked = this.#ask().finally(() => {
      if (this.#current === asked) this.#current = null;
    });
    this.#current = asked;
    return asked;
  }
}
