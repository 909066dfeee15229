/**
 * The store in the plainest possible form, for comparing: a list of all events ever.
 * In: decoded requests. Out: what etcd's documentation says they answer.
 * Never: is fast; shares code with the real one beyond types.
 */
import type {
  Compare,
  KeyValue,
  RangeRequest,
  RequestOp,
  ResponseOp,
  TxnRequest,
  TxnResponse,
} from "../types.ts";

export interface NaiveEvent {
  readonly revision: number;
  readonly key: string;
  /** Undefined for a deletion. */
  readonly kv: KeyValue | undefined;
}

const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

export class NaiveStore {
  revision = 1;
  compactRevision = -1;
  events: NaiveEvent[] = [];
  readonly leases = new Set<bigint>();

  /** All keys as they were after a revision. */
  at(revision: number): Map<string, KeyValue> {
    const state = new Map<string, KeyValue>();
    for (const event of this.events) {
      if (event.revision > revision) break;
      if (event.kv === undefined) state.delete(event.key);
      else state.set(event.key, event.kv);
    }
    return new Map([...state].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #inRange(key: string, first: Uint8Array, rangeEnd: Uint8Array | undefined): boolean {
    const end = text(rangeEnd ?? new Uint8Array(0));
    if (end === "") return key === text(first);
    return key >= text(first) && (end === "\0" || key < end);
  }

  /** Keys of a range; `now` lets a transaction see its own writes. */
  select(first: Uint8Array, rangeEnd: Uint8Array | undefined, now: number): KeyValue[] {
    return [...this.at(now)].filter(([key]) => this.#inRange(key, first, rangeEnd))
      .map(([, kv]) => kv);
  }

  range(request: RangeRequest, now = this.revision): ResponseOp | { readonly kind: string } {
    const asked = request.revision ?? 0;
    if (asked > now) return { kind: "futureRevision" };
    if (asked > 0 && asked < this.compactRevision) return { kind: "compacted" };
    const all = this.select(request.key, request.rangeEnd, asked > 0 ? asked : now);
    let kvs = all.filter((kv) =>
      (!request.minModRevision || kv.modRevision >= request.minModRevision) &&
      (!request.maxModRevision || kv.modRevision <= request.maxModRevision) &&
      (!request.minCreateRevision || kv.createRevision >= request.minCreateRevision) &&
      (!request.maxCreateRevision || kv.createRevision <= request.maxCreateRevision)
    );
    const rank = (kv: KeyValue): string | number => {
      switch (request.sortTarget ?? "key") {
        case "key":
          return text(kv.key);
        case "value":
          return text(kv.value);
        case "version":
          return kv.version;
        case "create":
          return kv.createRevision;
        default:
          return kv.modRevision;
      }
    };
    const turn = request.sortOrder === "descend" ? -1 : 1;
    kvs.sort((a, b) => (rank(a) < rank(b) ? -turn : rank(a) > rank(b) ? turn : 0));
    if (request.countOnly) kvs = [];
    const limit = request.limit ?? 0;
    const more = limit > 0 && kvs.length > limit;
    if (more) kvs = kvs.slice(0, limit);
    if (request.keysOnly) kvs = kvs.map((kv) => ({ ...kv, value: new Uint8Array(0) }));
    return { kind: "range", revision: now, kvs, more, count: all.length };
  }

  /** Runs any request as a transaction of one. */
  run(op: RequestOp): ResponseOp | { readonly kind: string } {
    if (op.kind !== "txn") {
      const answer = this.run({ kind: "txn", compare: [], success: [op], failure: [] });
      return answer.kind === "txn" ? (answer as TxnResponse).responses[0] : answer;
    }
    const failed = this.#check(op);
    if (failed !== undefined) return failed;
    const before = this.events.length;
    const answer = this.#txn(op, this.at(this.revision));
    if (this.events.length > before) this.revision++;
    return { ...answer, revision: this.revision };
  }

  #branch(request: TxnRequest, state: Map<string, KeyValue>): boolean {
    return request.compare.every((compare) => {
      const kvs = [...state].filter(([key]) => this.#inRange(key, compare.key, compare.rangeEnd))
        .map(([, kv]) => kv);
      if (kvs.length > 0) return kvs.every((kv) => holds(compare, kv));
      if (compare.target === "value") return false;
      const none = new Uint8Array(0);
      return holds(compare, {
        key: none,
        value: none,
        createRevision: 0,
        modRevision: 0,
        version: 0,
        lease: 0n,
      });
    });
  }

  #check(request: TxnRequest): { readonly kind: string } | undefined {
    const state = this.at(this.revision);
    for (const op of this.#branch(request, state) ? request.success : request.failure) {
      if (op.kind === "txn") {
        const failed = this.#check(op);
        if (failed !== undefined) return failed;
      } else if (op.kind === "put") {
        if (op.lease && !this.leases.has(op.lease)) return { kind: "leaseNotFound" };
        if ((op.ignoreLease || op.ignoreValue) && !state.has(text(op.key))) {
          return { kind: "keyNotFound" };
        }
      } else if (op.kind === "range") {
        const answer = this.range(op);
        if (answer.kind !== "range") return answer;
      }
    }
    return undefined;
  }

  #now(): number {
    return this.events.at(-1)?.revision === this.revision + 1 ? this.revision + 1 : this.revision;
  }

  #txn(request: TxnRequest, start: Map<string, KeyValue>): TxnResponse {
    const succeeded = this.#branch(request, start);
    const responses = (succeeded ? request.success : request.failure).map((op): ResponseOp => {
      switch (op.kind) {
        case "txn":
          return this.#txn(op, start);
        case "range":
          return this.range(op, this.#now()) as ResponseOp;
        case "put": {
          const old = this.at(this.#now()).get(text(op.key));
          const revision = this.revision + 1;
          const kv: KeyValue = {
            key: op.key,
            value: op.ignoreValue ? old?.value ?? new Uint8Array(0) : op.value,
            createRevision: old?.createRevision ?? revision,
            modRevision: revision,
            version: (old?.version ?? 0) + 1,
            lease: op.ignoreLease ? old?.lease ?? 0n : op.lease ?? 0n,
          };
          this.events.push({ revision, key: text(op.key), kv });
          return op.prevKv && old !== undefined
            ? { kind: "put", revision, prevKv: old }
            : { kind: "put", revision };
        }
        case "deleteRange": {
          const old = this.select(op.key, op.rangeEnd, this.#now());
          for (const kv of old) this.#delete(text(kv.key));
          return {
            kind: "deleteRange",
            revision: this.#now(),
            deleted: old.length,
            prevKvs: op.prevKv ? old : [],
          };
        }
      }
    });
    return { kind: "txn", revision: this.#now(), succeeded, responses };
  }

  #delete(key: string): void {
    this.events.push({ revision: this.revision + 1, key, kv: undefined });
  }

  revoke(lease: bigint): boolean {
    if (!this.leases.delete(lease)) return false;
    const keys = [...this.at(this.revision)].filter(([, kv]) => kv.lease === lease);
    for (const [key] of keys) this.#delete(key);
    if (keys.length > 0) this.revision++;
    return true;
  }

  compact(revision: number): string {
    if (revision <= this.compactRevision) return "compacted";
    if (revision > this.revision) return "futureRevision";
    this.compactRevision = revision;
    return "compactedTo";
  }

  /** Events a watch from a revision sees, as "type key mod value", revision by revision. */
  watch(key: Uint8Array, rangeEnd: Uint8Array | undefined, from: number): string[] {
    return this.events
      .filter((event) => event.revision >= from && this.#inRange(event.key, key, rangeEnd))
      .map((event) =>
        event.kv === undefined
          ? `delete ${event.key} ${event.revision}`
          : `put ${event.key} ${event.revision} ${text(event.kv.value)}`
      );
  }
}

function holds(compare: Compare, kv: KeyValue): boolean {
  const mine = compare.target === "value"
    ? text(kv.value)
    : compare.target === "lease"
    ? kv.lease
    : compare.target === "version"
    ? kv.version
    : compare.target === "create"
    ? kv.createRevision
    : kv.modRevision;
  const theirs = compare.value instanceof Uint8Array ? text(compare.value) : compare.value;
  switch (compare.result) {
    case "equal":
      return mine === theirs;
    case "notEqual":
      return mine !== theirs;
    case "greater":
      return mine > theirs;
    case "less":
      return mine < theirs;
  }
}
