/**
 * The replicated state machine: commands go in by log order, every question is asked here.
 * In: encoded commands, reads with who asks. Out: outcomes, notices to watchers, snapshots.
 * Never: throws on bytes of a client or peer; reads a clock; gives members different answers.
 * Source: the order of checks is etcd's: alarms, then auth, then the request itself.
 */
import type {
  HashReader,
  HeaderFields,
  NoticeListener,
  OutcomeListener,
  RangeCursor,
  SizeStatus,
  SnapshotReader,
  SnapshotWriter,
  StateMachineApi,
  StateMachineOptions,
  WatchAccess,
  Watcher,
} from "./api.ts";
import { AdminApplier } from "./admin_applier.ts";
import { BatchReader, COMMAND, CommandView, malformed } from "./command.ts";
import { ConditionalWriteReader } from "./conditional_write_reader.ts";
import { Executor } from "./executor.ts";
import { openHash } from "./hash.ts";
import { LeaseTable } from "./lease/lease_table.ts";
import { AlarmSet } from "./alarm.ts";
import { Auth } from "./auth/auth.ts";
import { RequestAuth } from "./auth/request_auth.ts";
import type { AlarmMember, AlarmType, ApplyOutcome, Identity } from "./outcome.ts";
import { authFailure, isFailure } from "./outcome.ts";
import type { ProtoWriter } from "./proto.ts";
import { PutReader } from "./put_reader.ts";
import { RangeReader } from "./range_reader.ts";
import {
  checkDeleteRange,
  checkPut,
  checkRange,
  checkTxn,
  DEFAULT_MAX_TXN_OPS,
} from "./request_check.ts";
import { decodeDeleteRange, decodePut, decodeRange, decodeTxn } from "./request_codec.ts";
import { encodePoint, encodeResponse, encodeSelection, HeaderEncoder } from "./response_codec.ts";
import { type MachineState, openSnapshot, StateRestore } from "./snapshot.ts";
import { Kv } from "./storage/kv.ts";
import { selectRange } from "./storage/range.ts";
import { openRangeCursor } from "./storage/range_cursor.ts";
import type {
  RangeRequest,
  RangeResponse,
  ResponseOp,
  StoreFailure,
  TxnRequest,
  TxnResponse,
  WatchRequest,
} from "./types.ts";
import { WatchHub } from "./watch/watch_hub.ts";

const DEFAULT_MIN_LEASE_TTL_SECONDS = 2;
const DEFAULT_SEGMENT_BYTES = 4 << 20;

export class StateMachine implements StateMachineApi {
  readonly #options: Required<StateMachineOptions>;
  readonly #hub: WatchHub;
  readonly #command = new CommandView();
  readonly #put = new PutReader();
  readonly #conditional = new ConditionalWriteReader();
  readonly #point = new RangeReader();
  readonly #headers = new HeaderEncoder();
  #state: MachineState;
  #executor: Executor;
  #requestAuth: RequestAuth;
  #admin: AdminApplier;

  constructor(options: StateMachineOptions = {}) {
    this.#options = {
      minLeaseTtlSeconds: options.minLeaseTtlSeconds ?? DEFAULT_MIN_LEASE_TTL_SECONDS,
      maxTxnOps: options.maxTxnOps ?? DEFAULT_MAX_TXN_OPS,
      segmentBytes: options.segmentBytes ?? DEFAULT_SEGMENT_BYTES,
    };
    this.#state = {
      kv: new Kv(this.#options.segmentBytes),
      leases: new LeaseTable(this.#options.minLeaseTtlSeconds),
      auth: new Auth(),
      alarms: new AlarmSet(),
    };
    this.#executor = new Executor(this.#state.kv, this.#state.leases);
    this.#requestAuth = new RequestAuth(this.#state);
    this.#admin = new AdminApplier(this.#state, this.#executor, this.#requestAuth);
    this.#hub = new WatchHub(this.#state.kv);
  }

  get revision(): number {
    return this.#state.kv.revision;
  }

  get compactRevision(): number {
    return this.#state.kv.compactRevision;
  }

  /** The replicated leases; a restore replaces the table. */
  get leases(): LeaseTable {
    return this.#state.leases;
  }

  /** Users and roles, to read; changes come as commands. */
  get auth(): Auth {
    return this.#state.auth;
  }

  get watches(): WatchAccess {
    return this.#hub;
  }

  /** @returns the keys attached to a lease, in byte order. Errors: leaseNotFound. */
  leaseKeys(id: bigint): Uint8Array[] | StoreFailure {
    const lease = this.leases.get(id);
    if (lease === undefined) return { kind: "leaseNotFound" };
    return this.#admin.keysOf(lease).map((key) => this.#state.kv.keys.bytesOf(key));
  }

  checkLeaseKeysAccess(id: bigint, identity?: Identity): StoreFailure | undefined {
    return this.#requestAuth.leaseKeys(id, identity);
  }

  apply(command: Uint8Array): ApplyOutcome {
    this.#command.parse(command, 0, command.length);
    return this.#apply(command, command.length);
  }

  applyBatch(batch: Uint8Array, onOutcome: OutcomeListener): StoreFailure | undefined {
    const reader = new BatchReader(batch);
    const command = this.#command;
    while (reader.next()) {
      command.parse(batch, reader.start, reader.end);
      const { requestId } = command;
      onOutcome(requestId, this.#apply(batch, reader.end));
    }
    return reader.failed ? malformed("batch") : undefined;
  }

  /** Applies the command that `#command` was set on. */
  #apply(bytes: Uint8Array, end: number): ApplyOutcome {
    const command = this.#command;
    if (command.failed) return malformed("command");
    const { kv } = this.#state;
    kv.clearChanges();
    const { kind, bodyStart, identity } = command;
    const outcome = kind === COMMAND.put
      ? this.#applyPut(bytes, bodyStart, end, identity)
      : (kind === COMMAND.txn ? this.#applyConditional(bytes, bodyStart, end) : undefined) ??
        this.#applyOther(kind, bytes.subarray(bodyStart, end), identity);
    if (kv.changes.length > 0) this.#hub.publish();
    return outcome;
  }

  #applyPut(
    bytes: Uint8Array,
    start: number,
    end: number,
    identity: Identity | undefined,
  ): ApplyOutcome {
    const { alarms, auth } = this.#state;
    const put = this.#put;
    if (!put.read(bytes, start, end)) return malformed("PutRequest");
    if (put.isPlain && !auth.enabled) {
      return alarms.checkGrowth() ?? this.#executor.putPlain(put);
    }
    const request = decodePut(bytes.subarray(start, end));
    if (request.kind !== "put") return request;
    return checkPut(request) ?? alarms.checkGrowth() ?? this.#requestAuth.put(request, identity) ??
      this.#executor.put(request);
  }

  /** @returns undefined for a transaction that asks for more, which nothing was done about */
  #applyConditional(bytes: Uint8Array, start: number, end: number): ApplyOutcome | undefined {
    const { alarms, auth, leases } = this.#state;
    const conditional = this.#conditional;
    const action = auth.enabled ? undefined : conditional.read(bytes, start, end);
    if (action === undefined) return undefined;
    const { put, modRevision } = conditional;
    if (action === "delete") return alarms.checkData() ?? this.#executor.deleteIf(put, modRevision);
    if (put.lease !== 0n && !leases.has(put.lease)) return undefined;
    return alarms.checkGrowth() ?? this.#executor.putIf(put, put.lease, modRevision);
  }

  #applyOther(kind: number, body: Uint8Array, identity: Identity | undefined): ApplyOutcome {
    const { alarms } = this.#state;
    if (kind === COMMAND.deleteRange) {
      const request = decodeDeleteRange(body);
      if (request.kind !== "deleteRange") return request;
      return checkDeleteRange(request) ?? alarms.checkData() ??
        this.#requestAuth.deleteRange(request, identity) ?? this.#executor.deleteRange(request);
    }
    if (kind === COMMAND.txn) {
      const request = decodeTxn(body);
      if (request.kind !== "txn") return request;
      return checkTxn(request, this.#options.maxTxnOps) ?? alarms.checkTxn(request) ??
        this.#requestAuth.txn(request, identity) ?? this.#executor.txn(request);
    }
    return this.#admin.apply(kind, body, identity);
  }

  range(request: RangeRequest, identity?: Identity): RangeResponse | StoreFailure {
    return checkRange(request) ?? this.#requestAuth.range(request, identity) ??
      this.#executor.range(request);
  }

  readTxn(request: TxnRequest, identity?: Identity): TxnResponse | StoreFailure {
    const failure = checkTxn(request, this.#options.maxTxnOps) ??
      this.#requestAuth.txn(request, identity);
    if (failure !== undefined) return failure;
    if (!isReadOnly(request)) return { kind: "invalidRequest", detail: "transaction writes" };
    return this.#executor.txn(request);
  }

  encodeRangeInto(
    writer: ProtoWriter,
    request: Uint8Array,
    header: HeaderFields,
    identity?: Identity,
  ): StoreFailure | undefined {
    if (this.#point.read(request) && !this.#state.auth.enabled) {
      this.#headers.encode(writer, header, this.#state.kv.revision);
      const { bytes, keyStart, keyEnd } = this.#point;
      encodePoint(writer, this.#state.kv, this.#state.kv.newestOf(bytes, keyStart, keyEnd));
      return undefined;
    }
    const decoded = decodeRange(request);
    if (decoded.kind !== "range") return decoded;
    const failure = checkRange(decoded) ?? this.#requestAuth.range(decoded, identity);
    if (failure !== undefined) return failure;
    const { kv } = this.#state;
    const selection = selectRange(kv, decoded);
    if (selection.kind !== "selection") return selection;
    this.#headers.encode(writer, header, kv.revision);
    encodeSelection(writer, kv, selection, decoded.keysOnly === true);
    return undefined;
  }

  /** Appends the etcd response for a data outcome; see `response_codec.ts`. */
  encodeResponseInto(writer: ProtoWriter, response: ResponseOp, header: HeaderFields): void {
    encodeResponse(writer, response, this.#headers, header);
  }

  /** Appends a ResponseHeader as field 1, the whole of many etcd responses. */
  encodeHeaderInto(writer: ProtoWriter, header: HeaderFields, revision = this.revision): void {
    this.#headers.encode(writer, header, revision);
  }

  openRange(request: RangeRequest, identity?: Identity): RangeCursor | StoreFailure {
    return checkRange(request) ?? this.#requestAuth.range(request, identity) ??
      openRangeCursor(this.#state.kv, request);
  }

  watch(
    request: WatchRequest,
    onNotice: NoticeListener,
    identity?: Identity,
  ): Watcher | StoreFailure {
    if (request.key.length === 0) return { kind: "emptyKey" };
    return this.#requestAuth.range(request, identity) ?? this.#hub.watch(request, onNotice);
  }

  compactStep(budgetKeys: number): boolean {
    return this.#state.kv.compaction.step(budgetKeys);
  }

  openHash(revision: number): HashReader | StoreFailure {
    return openHash(this.#state.kv, revision);
  }

  openSnapshot(): SnapshotReader {
    return openSnapshot(this.#state);
  }

  get state(): MachineState {
    return this.#state;
  }

  openRestore(): SnapshotWriter {
    const restore = new StateRestore(this.#options);
    return {
      push: (chunk) => restore.push(chunk),
      finish: () => {
        const failure = restore.finish();
        if (failure === undefined) this.#replace(restore.state);
        return failure;
      },
    };
  }

  #replace(state: MachineState): void {
    const before = this.revision;
    this.#state = state;
    this.#executor = new Executor(state.kv, state.leases);
    this.#requestAuth = new RequestAuth(state);
    this.#admin = new AdminApplier(state, this.#executor, this.#requestAuth);
    this.#hub.onRestore(state.kv, before);
  }

  alarms(type: AlarmType): readonly AlarmMember[] {
    return this.#state.alarms.list(type);
  }

  size(): SizeStatus {
    const { kv } = this.#state;
    return {
      dbSizeBytes: kv.dbSizeBytes,
      dbSizeInUseBytes: kv.dbSizeInUseBytes,
      keyCount: kv.existingCount,
    };
  }
}

/** @returns whether a transaction, nested ones included, only reads. */
export function isReadOnly(request: TxnRequest): boolean {
  return [...request.success, ...request.failure].every((op) =>
    op.kind === "range" || (op.kind === "txn" && isReadOnly(op))
  );
}

export { authFailure, isFailure };
