/**
 * Executes data requests on the map: what a put, a delete, a range and a transaction mean.
 * In: checked requests, one command at a time. Out: responses or failures; failures change nothing.
 * Never: checks who asks (`auth/`) or whether there is room (`alarm.ts`).
 * Source: etcd's apply: compare, then check the chosen branch, then execute it.
 */
import type { LeaseTable } from "./lease/lease_table.ts";
import { compareBytes, type Kv } from "./storage/kv.ts";
import { existingKeys, selectRange } from "./storage/range.ts";
import { type PutSource, RecordFields } from "./storage/record.ts";
import { EMPTY_BYTES } from "./proto.ts";
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
  StoreFailure,
  TxnRequest,
  TxnResponse,
} from "./types.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export class Executor {
  readonly #kv: Kv;
  readonly #leases: LeaseTable;
  readonly #source: PutSource = {
    keyBytes: EMPTY_BYTES,
    keyStart: 0,
    keyEnd: 0,
    valueBytes: EMPTY_BYTES,
    valueStart: 0,
    valueEnd: 0,
  };
  readonly #fields = new RecordFields();

  constructor(kv: Kv, leases: LeaseTable) {
    this.#kv = kv;
    this.#leases = leases;
  }

  /** A put without options, key and value as positions in the command's bytes: the hot path. */
  putPlain(source: PutSource): PutResponse {
    const kv = this.#kv;
    kv.begin();
    const previous = kv.put(source, 0n);
    if (previous !== 0 && this.#leases.size > 0) {
      const lease = kv.history.read(previous, this.#fields).lease;
      if (lease !== 0n) this.#leases.move(kv.versions.keyOf(previous), lease, 0n);
    }
    kv.commit();
    return { kind: "put", revision: kv.revision };
  }

  /**
   * The transaction that puts a key if it is at a revision; as `txn`, without its objects.
   * @param lease that exists, or 0n. @param expected 0: the key must not exist
   */
  putIf(source: PutSource, lease: bigint, expected: number): TxnResponse {
    const kv = this.#kv;
    kv.begin();
    const previous = kv.putIf(source, lease, expected);
    if (previous >= 0 && this.#leases.size > 0) {
      const had = previous === 0 ? 0n : kv.history.read(previous, this.#fields).lease;
      if (had !== lease) this.#leases.move(kv.versions.keyOf(kv.changes[0]), had, lease);
    }
    kv.commit();
    const { revision } = kv;
    const succeeded = previous >= 0;
    return {
      kind: "txn",
      revision,
      succeeded,
      responses: succeeded ? [{ kind: "put", revision }] : [],
    };
  }

  /** As `putIf`, for the transaction that deletes the key. */
  deleteIf({ keyBytes, keyStart, keyEnd }: PutSource, expected: number): TxnResponse {
    const kv = this.#kv;
    kv.begin();
    const version = kv.newestOf(keyBytes, keyStart, keyEnd);
    const exists = version !== 0 && !kv.versions.isTombstone(version);
    const succeeded = (exists ? kv.versions.revisionOf(version) : 0) === expected;
    if (succeeded && exists) this.#delete(kv.versions.keyOf(version));
    kv.commit();
    const { revision } = kv;
    const responses: ResponseOp[] = succeeded
      ? [{ kind: "deleteRange", revision, deleted: exists ? 1 : 0, prevKvs: [] }]
      : [];
    return { kind: "txn", revision, succeeded, responses };
  }

  put(request: PutRequest): PutResponse | StoreFailure {
    const failure = this.#checkPut(request);
    if (failure !== undefined) return failure;
    this.#kv.begin();
    const response = this.#put(request);
    this.#kv.commit();
    return response;
  }

  deleteRange(request: DeleteRangeRequest): DeleteRangeResponse {
    this.#kv.begin();
    const response = this.#deleteRange(request);
    this.#kv.commit();
    return response;
  }

  /** Deletes keys by id in one revision, in the order given; what the end of a lease does. */
  deleteKeys(ids: readonly number[]): void {
    this.#kv.begin();
    for (const id of ids) this.#delete(id);
    this.#kv.commit();
  }

  /** Errors: compacted, futureRevision. */
  range(request: RangeRequest): RangeResponse | StoreFailure {
    const kv = this.#kv;
    const selected = selectRange(kv, request);
    if (selected.kind !== "selection") return selected;
    const kvs = new Array<KeyValue>(selected.versions.length);
    const keysOnly = request.keysOnly === true;
    for (let i = 0; i < kvs.length; i++) {
      kvs[i] = kv.history.read(selected.versions[i], this.#fields).toKeyValue(keysOnly);
    }
    const { count, more } = selected;
    return { kind: "range", revision: kv.readRevision, kvs, more, count };
  }

  txn(request: TxnRequest): TxnResponse | StoreFailure {
    const kv = this.#kv;
    kv.begin();
    const path: boolean[] = [];
    this.#choose(request, path);
    const failure = this.#checkBranch(request, path, { at: 0 });
    if (failure !== undefined) {
      kv.commit();
      return failure;
    }
    const response = this.#execute(request, path, { at: 0 });
    kv.commit();
    return { ...response, revision: kv.revision };
  }

  /** Evaluates the compares of a transaction and of the nested ones in its chosen branch. */
  #choose(request: TxnRequest, path: boolean[]): void {
    const succeeded = request.compare.every((compare) => this.#holds(compare));
    path.push(succeeded);
    for (const op of succeeded ? request.success : request.failure) {
      if (op.kind === "txn") this.#choose(op, path);
    }
  }

  #holds(compare: Compare): boolean {
    const { key, rangeEnd } = compare;
    const selected = selectRange(this.#kv, {
      kind: "range",
      key,
      ...(rangeEnd === undefined ? {} : { rangeEnd }),
    });
    if (selected.kind !== "selection") return false;
    if (selected.versions.length === 0) {
      // An absent key has no value, not an empty one; its numbers are zero.
      return compare.target !== "value" && decide(compare, sign(0, compare.value));
    }
    return selected.versions.every((version) =>
      decide(compare, this.#difference(compare, this.#kv.history.read(version, this.#fields)))
    );
  }

  #difference(compare: Compare, fields: RecordFields): number {
    switch (compare.target) {
      case "version":
        return sign(fields.version, compare.value);
      case "create":
        return sign(fields.createRevision, compare.value);
      case "mod":
        return sign(fields.modRevision, compare.value);
      case "lease":
        return sign(fields.lease, compare.value);
      case "value":
        return compareBytes(
          fields.bytes.subarray(fields.valueStart, fields.valueEnd),
          compare.value,
        );
    }
  }

  /** Finds what would fail in the chosen branch, before anything is written. */
  #checkBranch(
    request: TxnRequest,
    path: readonly boolean[],
    step: { at: number },
  ): StoreFailure | undefined {
    const { success, failure } = request;
    for (const op of path[step.at++] ? success : failure) {
      const found = op.kind === "txn"
        ? this.#checkBranch(op, path, step)
        : op.kind === "put"
        ? this.#checkPut(op)
        : op.kind === "range"
        ? this.#checkRange(op)
        : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #checkRange(request: RangeRequest): StoreFailure | undefined {
    const asked = request.revision ?? 0;
    const { revision, compactRevision } = this.#kv;
    if (asked > revision) return { kind: "futureRevision", revision };
    if (asked !== 0 && asked < compactRevision) {
      return { kind: "compacted", compactRevision, revision };
    }
    return undefined;
  }

  #checkPut(request: PutRequest): StoreFailure | undefined {
    const lease = request.lease ?? 0n;
    if (lease !== 0n && !this.#leases.has(lease)) return { kind: "leaseNotFound" };
    if ((request.ignoreValue || request.ignoreLease) && this.#existing(request.key) === 0) {
      return { kind: "keyNotFound" };
    }
    return undefined;
  }

  /** @returns the key's version now, 0 when it does not exist. */
  #existing(key: Uint8Array): number {
    const id = this.#kv.find(key);
    return id < 0 ? 0 : this.#kv.visible(id, Infinity);
  }

  #execute(request: TxnRequest, path: readonly boolean[], step: { at: number }): TxnResponse {
    const succeeded = path[step.at++];
    const responses: ResponseOp[] = [];
    for (const op of succeeded ? request.success : request.failure) {
      responses.push(op.kind === "txn" ? this.#execute(op, path, step) : this.#executeOp(op));
    }
    return { kind: "txn", revision: this.#kv.readRevision, succeeded, responses };
  }

  #executeOp(op: Exclude<RequestOp, TxnRequest>): ResponseOp {
    if (op.kind === "put") return this.#put(op);
    if (op.kind === "deleteRange") return this.#deleteRange(op);
    const response = this.range(op);
    if (response.kind !== "range") throw new Error("txn: a checked range failed");
    return response;
  }

  /** Writes a put whose check passed. In a transaction an earlier operation may have changed it. */
  #put(request: PutRequest): PutResponse {
    const kv = this.#kv;
    const before = request.prevKv || request.ignoreValue || request.ignoreLease
      ? this.#existing(request.key)
      : 0;
    const source = this.#source;
    source.keyBytes = request.key;
    source.keyStart = 0;
    source.keyEnd = request.key.length;
    source.valueBytes = request.value;
    source.valueStart = 0;
    source.valueEnd = request.value.length;
    let lease = request.lease ?? 0n;
    const response: Mutable<PutResponse> = { kind: "put", revision: kv.revision + 1 };
    if (before !== 0) {
      const fields = kv.history.read(before, this.#fields);
      if (request.ignoreValue) {
        source.valueBytes = fields.bytes;
        source.valueStart = fields.valueStart;
        source.valueEnd = fields.valueEnd;
      }
      if (request.ignoreLease) lease = fields.lease;
      if (request.prevKv) response.prevKv = fields.toKeyValue();
    }
    const previous = kv.put(source, lease);
    const had = previous === 0 ? 0n : kv.history.read(previous, this.#fields).lease;
    if (had !== lease) {
      this.#leases.move(kv.versions.keyOf(kv.changes[kv.changes.length - 1]), had, lease);
    }
    return response;
  }

  #deleteRange(request: DeleteRangeRequest): DeleteRangeResponse {
    const kv = this.#kv;
    const ids = existingKeys(kv, request.key, request.rangeEnd);
    const prevKvs = request.prevKv === true ? ids.map((id) => kv.keyValue(kv.keys.newest(id))) : [];
    for (const id of ids) this.#delete(id);
    return { kind: "deleteRange", revision: kv.readRevision, deleted: ids.length, prevKvs };
  }

  #delete(id: number): void {
    const kv = this.#kv;
    if (this.#leases.size > 0) {
      const { lease } = kv.history.read(kv.keys.newest(id), this.#fields);
      if (lease !== 0n) this.#leases.move(id, lease, 0n);
    }
    kv.delete(id);
  }
}

function sign(a: number | bigint, b: number | bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function decide(compare: Compare, difference: number): boolean {
  switch (compare.result) {
    case "equal":
      return difference === 0;
    case "notEqual":
      return difference !== 0;
    case "greater":
      return difference > 0;
    case "less":
      return difference < 0;
  }
}
