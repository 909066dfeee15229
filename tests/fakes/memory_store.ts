/**
 * A Store kept in plain arrays: the obviously correct stand-in for a member, for tests only.
 * In: the requests of `store/mod.ts`. Out: answers and watch notices, delivered synchronously.
 * Never: touches a disk, orders by anything but the key, supports leases beyond their ids.
 */
import type {
  Compare,
  DeleteRangeRequest,
  DeleteRangeResponse,
  KeyValue,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  RequestOp,
  ResponseOp,
  Store,
  StoreEvent,
  StoreFailure,
  StoreStatus,
  TxnRequest,
  TxnResponse,
  WatchHandle,
  WatchNotice,
  WatchRequest,
} from "../../store/mod.ts";

const EMPTY = new Uint8Array(0);

interface Watcher {
  readonly request: WatchRequest;
  readonly onNotice: (notice: WatchNotice) => void;
}

function text(bytes: Uint8Array): string {
  let out = "";
  for (const byte of bytes) out += String.fromCharCode(byte);
  return out;
}

function within(key: string, from: Uint8Array, to?: Uint8Array): boolean {
  const start = text(from);
  if (to === undefined || to.length === 0) return key === start;
  if (key < start) return false;
  return (to.length === 1 && to[0] === 0) || key < text(to);
}

/** A Store over arrays; every promise is already settled when it is returned. */
export class MemoryStore implements Store {
  revision = 1;
  /** Every version of every key, oldest first; a null is a deletion. */
  readonly #history = new Map<string, { revision: number; kv: KeyValue | null }[]>();
  #keys: string[] = [];
  readonly #watchers = new Set<Watcher>();
  readonly #log: { revision: number; events: StoreEvent[] }[] = [];
  #compacted = 0;
  #lastLease = 0n;
  /** Set by a test to make the next calls fail. */
  failWith: StoreFailure | null = null;
  transactions = 0;

  range(request: RangeRequest): Promise<RangeResponse | StoreFailure> {
    return Promise.resolve(this.failWith ?? this.#range(request));
  }

  put(request: PutRequest): Promise<PutResponse | StoreFailure> {
    if (this.failWith) return Promise.resolve(this.failWith);
    return Promise.resolve(this.#commit((events) => this.#put(request, events)));
  }

  deleteRange(request: DeleteRangeRequest): Promise<DeleteRangeResponse | StoreFailure> {
    if (this.failWith) return Promise.resolve(this.failWith);
    return Promise.resolve(this.#commit((events) => this.#delete(request, events)));
  }

  txn(request: TxnRequest): Promise<TxnResponse | StoreFailure> {
    if (this.failWith) return Promise.resolve(this.failWith);
    this.transactions++;
    return Promise.resolve(this.#commit((events) => this.#txn(request, events)));
  }

  compact(revision: number) {
    this.#compacted = Math.max(this.#compacted, revision);
    return Promise.resolve({ kind: "compactedTo" as const, revision });
  }

  watch(request: WatchRequest, onNotice: (notice: WatchNotice) => void): WatchHandle {
    const watcher = { request, onNotice };
    this.#watchers.add(watcher);
    const start = request.startRevision ?? 0;
    if (start > 0 && start <= this.#compacted) {
      this.#watchers.delete(watcher);
      onNotice({ kind: "compacted", compactRevision: this.#compacted, revision: this.revision });
    } else if (start > 0) {
      for (const { revision, events } of this.#log) {
        if (revision >= start) this.#notify(watcher, revision, events);
      }
    }
    return {
      requestProgress: () => onNotice({ kind: "progress", revision: this.revision }),
      cancel: () => void this.#watchers.delete(watcher),
    };
  }

  /** Drops every watcher the way a member does to one that fell behind. */
  cancelWatchers(reason: string): void {
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    for (const watcher of watchers) watcher.onNotice({ kind: "cancelled", reason });
  }

  leaseGrant(request: { readonly id: bigint; readonly ttlSeconds: number }) {
    const id = request.id || ++this.#lastLease;
    return Promise.resolve({ kind: "lease" as const, ttlSeconds: request.ttlSeconds, id });
  }

  leaseRevoke(_id: bigint) {
    return Promise.resolve({ kind: "revoked" as const, revision: this.revision });
  }

  leaseKeepAlive(id: bigint) {
    return Promise.resolve({ kind: "lease" as const, id, ttlSeconds: 60 });
  }

  status(): StoreStatus {
    return {
      memberId: 1n,
      clusterId: 1n,
      leaderId: 1n,
      raftTerm: 1,
      raftIndex: this.revision,
      raftAppliedIndex: this.revision,
      dbSizeBytes: 0,
      dbSizeInUseBytes: 0,
      isLearner: false,
      errors: [],
    };
  }

  close(): Promise<void> {
    this.#watchers.clear();
    return Promise.resolve();
  }

  #commit<T extends { revision: number }>(run: (events: StoreEvent[]) => T): T {
    const events: StoreEvent[] = [];
    this.revision++;
    const answer = run(events);
    if (events.length === 0) {
      this.revision--;
      return { ...answer, revision: this.revision };
    }
    this.#log.push({ revision: this.revision, events });
    for (const watcher of [...this.#watchers]) this.#notify(watcher, this.revision, events);
    return answer;
  }

  #notify(watcher: Watcher, revision: number, events: readonly StoreEvent[]): void {
    const { key, rangeEnd } = watcher.request;
    const wanted = events.filter((event) => within(text(event.kv.key), key, rangeEnd));
    if (wanted.length > 0) watcher.onNotice({ kind: "events", revision, events: wanted });
  }

  #at(key: string, revision: number): KeyValue | null {
    const versions = this.#history.get(key);
    if (versions === undefined) return null;
    for (let i = versions.length - 1; i >= 0; i--) {
      if (versions[i].revision <= revision) return versions[i].kv;
    }
    return null;
  }

  #range(request: RangeRequest): RangeResponse | StoreFailure {
    const revision = request.revision || this.revision;
    if (revision > this.revision) return { kind: "futureRevision", revision: this.revision };
    if (request.revision && revision < this.#compacted) {
      return { kind: "compacted", compactRevision: this.#compacted, revision: this.revision };
    }
    const found: KeyValue[] = [];
    for (const key of this.#keys) {
      if (!within(key, request.key, request.rangeEnd)) continue;
      const kv = this.#at(key, revision);
      if (kv !== null) found.push(kv);
    }
    const kvs = request.limit ? found.slice(0, request.limit) : found;
    return {
      kind: "range",
      revision: this.revision,
      kvs: request.countOnly ? [] : kvs,
      more: kvs.length < found.length,
      count: found.length,
    };
  }

  #record(key: string, kv: KeyValue | null): void {
    let versions = this.#history.get(key);
    if (versions === undefined) {
      versions = [];
      this.#history.set(key, versions);
      this.#insert(key);
    }
    versions.push({ revision: this.revision, kv });
  }

  /** Keeps the keys in order by binary search. */
  #insert(key: string): void {
    let [low, high] = [0, this.#keys.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#keys[middle] < key) low = middle + 1;
      else high = middle;
    }
    this.#keys.splice(low, 0, key);
  }

  #put(request: PutRequest, events: StoreEvent[]): PutResponse {
    const key = text(request.key);
    const old = this.#at(key, this.revision);
    const kv: KeyValue = {
      key: request.key,
      value: request.value,
      createRevision: old?.createRevision ?? this.revision,
      modRevision: this.revision,
      version: (old?.version ?? 0) + 1,
      lease: request.lease ?? 0n,
    };
    this.#record(key, kv);
    events.push({ type: "put", kv, prevKv: old ?? undefined });
    return { kind: "put", revision: this.revision };
  }

  #delete(request: DeleteRangeRequest, events: StoreEvent[]): DeleteRangeResponse {
    const gone: KeyValue[] = [];
    for (const key of this.#keys.filter((key) => within(key, request.key, request.rangeEnd))) {
      const old = this.#at(key, this.revision);
      if (old === null) continue;
      gone.push(old);
      this.#record(key, null);
      const kv: KeyValue = {
        key: old.key,
        value: EMPTY,
        createRevision: 0,
        modRevision: this.revision,
        version: 0,
        lease: 0n,
      };
      events.push({ type: "delete", kv, prevKv: old });
    }
    return {
      kind: "deleteRange",
      revision: this.revision,
      deleted: gone.length,
      prevKvs: request.prevKv ? gone : [],
    };
  }

  #txn(request: TxnRequest, events: StoreEvent[]): TxnResponse {
    const succeeded = request.compare.every((compare) => this.#holds(compare));
    const operations = succeeded ? request.success : request.failure;
    const responses = operations.map((operation) => this.#perform(operation, events));
    return { kind: "txn", revision: this.revision, succeeded, responses };
  }

  #perform(operation: RequestOp, events: StoreEvent[]): ResponseOp {
    if (operation.kind === "put") return this.#put(operation, events);
    if (operation.kind === "deleteRange") return this.#delete(operation, events);
    if (operation.kind === "txn") return this.#txn(operation, events);
    return this.#range(operation) as RangeResponse;
  }

  #holds(compare: Compare): boolean {
    const kv = this.#at(text(compare.key), this.revision);
    let order: number;
    if (compare.target === "value") {
      if (kv === null) return false;
      const [have, want] = [text(kv.value), text(compare.value)];
      order = have < want ? -1 : have > want ? 1 : 0;
    } else if (compare.target === "lease") {
      order = Number((kv?.lease ?? 0n) - compare.value);
    } else {
      const field = ({ version: "version", create: "createRevision", mod: "modRevision" } as const)[
        compare.target
      ];
      order = (kv?.[field] ?? 0) - compare.value;
    }
    if (compare.result === "equal") return order === 0;
    if (compare.result === "notEqual") return order !== 0;
    return compare.result === "greater" ? order > 0 : order < 0;
  }
}
