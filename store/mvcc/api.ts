/**
 * The state machine as its runner sees it: one interface, implemented by `state_machine.ts`.
 * In: commands in log order, reads, watches, ticks of the leader. Out: outcomes and notices.
 * Never: reads a clock, draws a random number, waits.
 * Source: DESIGN section 1 and the etcd v3.6 API.
 */
import type { Auth } from "./auth/auth.ts";
import type { LeaseTable } from "./lease/lease_table.ts";
import type { ProtoWriter } from "./proto.ts";
import type { MachineState } from "./snapshot.ts";
import type { AlarmMember, AlarmType, ApplyOutcome, Identity } from "./outcome.ts";
import type {
  RangeRequest,
  RangeResponse,
  ResponseOp,
  StoreFailure,
  TxnRequest,
  TxnResponse,
  WatchNotice,
  WatchRequest,
} from "./types.ts";

export interface StateMachineOptions {
  /** Shortest TTL a lease is granted, seconds; the same on every member. Default 2. */
  readonly minLeaseTtlSeconds?: number;
  /** Operations one transaction may hold, per branch. Default 128 (etcd's `--max-txn-ops`). */
  readonly maxTxnOps?: number;
  /** Bytes of one value segment. Default 4 MiB. */
  readonly segmentBytes?: number;
}

/** Called once for each command of a batch, in order. */
export type OutcomeListener = (requestId: number, outcome: ApplyOutcome) => void;

/** The fields of an etcd ResponseHeader that do not come from the data. */
export interface HeaderFields {
  readonly clusterId: bigint;
  readonly memberId: bigint;
  readonly raftTerm: number;
}

/**
 * What a watcher hears. Returning false says "not taken, my queue is full": the hub forgets the
 * notice, reads it from history again later, and so never queues on anyone's behalf.
 */
export type NoticeListener = (notice: WatchNotice) => boolean | void;

export interface Watcher {
  /** Asks for a `progress` notice as soon as every event up to now was delivered. */
  requestProgress(): void;
  /** True once the watcher hears events as they are applied. */
  readonly synced: boolean;
  /** After a refused notice: continue at the next `catchUpStep`. */
  resume(): void;
  cancel(): void;
}

export interface WatchAccess {
  /** Starts a watch; an old `startRevision` is served by `catchUpStep`. */
  watch(request: WatchRequest, onNotice: NoticeListener): Watcher;
  /**
   * Serves watchers behind the present from history.
   * @param budget records to look at, about 2 million a second.
   * @returns true when someone is still behind and could go on.
   */
  catchUpStep(budget: number): boolean;
  /** Progress notices for idle watchers that asked for them; call every ten minutes. */
  progressTick(): void;
  /** Ends every watch with `cancelled`. */
  cancelAll(reason: string): void;
  readonly watcherCount: number;
  /** Watchers reading history instead of hearing events live. */
  readonly laggingCount: number;
}

/** A read in slices at one revision; the revision stays readable until `close`. */
export interface RangeCursor {
  /** Store revision when the cursor was opened. */
  readonly revision: number;
  readonly done: boolean;
  /**
   * Writes up to `budgetKeys` further KeyValues as repeated field 2 of RangeResponse.
   * @returns how many were written.
   */
  encodeInto(writer: ProtoWriter, budgetKeys: number): number;
  /** `more` and `count` for the end of the response; valid once `done`. */
  readonly more: boolean;
  readonly count: number;
  close(): void;
}

/** The whole state at one revision, chunk by chunk, while writes go on. */
export interface SnapshotReader {
  readonly revision: number;
  /** @returns the next chunk, about `budgetBytes` long, or undefined at the end. */
  next(budgetBytes: number): Uint8Array | undefined;
  /** Must be called, also after the end: history is held back for the reader. */
  close(): void;
}

/** Takes chunks in order; the state machine changes only at `finish`. */
export interface SnapshotWriter {
  /** @returns a failure when the bytes are not a snapshot. */
  push(chunk: Uint8Array): StoreFailure | undefined;
  /** Replaces the whole state. Watchers go on, re-reading what they miss from history. */
  finish(): StoreFailure | undefined;
}

export type HashOutcome =
  | {
    readonly kind: "hash";
    readonly hash: number;
    readonly compactRevision: number;
    readonly hashRevision: number;
    readonly revision: number;
  }
  | StoreFailure;

/** A hash being computed in slices. */
export interface HashReader {
  /** @returns undefined until the last record was seen. */
  step(budgetRecords: number): HashOutcome | undefined;
  close(): void;
}

export interface SizeStatus {
  /** Bytes of segments and index held. */
  readonly dbSizeBytes: number;
  /** Bytes of them that hold something live. */
  readonly dbSizeInUseBytes: number;
  readonly keyCount: number;
}

export interface StateMachineApi {
  /** Highest revision applied; 1 when empty. */
  readonly revision: number;
  readonly compactRevision: number;
  /** The replicated leases; a restore replaces the table. `LeaseClock` keeps their time. */
  readonly leases: LeaseTable;
  /** Users and roles, to read; changes come as commands. */
  readonly auth: Auth;
  /** @returns the keys attached to a lease, in byte order. Errors: leaseNotFound. */
  leaseKeys(id: bigint): Uint8Array[] | StoreFailure;
  /** Whether someone may see which keys hang on a lease. */
  checkLeaseKeysAccess(id: bigint, identity?: Identity): StoreFailure | undefined;
  /** Applies one encoded command (`command.ts`). Never throws on any bytes. */
  apply(command: Uint8Array): ApplyOutcome;
  /**
   * Applies the commands of one log entry, in order.
   * @returns a failure when the framing is broken; commands before the break are applied.
   */
  applyBatch(batch: Uint8Array, onOutcome: OutcomeListener): StoreFailure | undefined;
  range(request: RangeRequest, identity?: Identity): RangeResponse | StoreFailure;
  /** A transaction without writes, served locally. Errors: `invalidRequest` when it writes. */
  readTxn(request: TxnRequest, identity?: Identity): TxnResponse | StoreFailure;
  /**
   * Answers etcd RangeRequest bytes with etcd RangeResponse bytes, without objects between.
   * @returns undefined when written, else the failure and nothing was written.
   */
  encodeRangeInto(
    writer: ProtoWriter,
    request: Uint8Array,
    header: HeaderFields,
    identity?: Identity,
  ): StoreFailure | undefined;
  /** Appends the etcd response for a data outcome; see `response_codec.ts`. */
  encodeResponseInto(writer: ProtoWriter, response: ResponseOp, header: HeaderFields): void;
  /** Appends a ResponseHeader as field 1, the whole of many etcd responses. */
  encodeHeaderInto(writer: ProtoWriter, header: HeaderFields, revision?: number): void;
  openRange(request: RangeRequest, identity?: Identity): RangeCursor | StoreFailure;
  /** Errors: `auth` when the identity may not read the range. */
  watch(
    request: WatchRequest,
    onNotice: NoticeListener,
    identity?: Identity,
  ): Watcher | StoreFailure;
  readonly watches: WatchAccess;
  /** @returns true when reclaiming is not finished. */
  compactStep(budgetKeys: number): boolean;
  openHash(revision: number): HashReader | StoreFailure;
  openSnapshot(): SnapshotReader;
  openRestore(): SnapshotWriter;
  /** What a snapshot is made of, for other formats of it; to read, and only in this turn. */
  readonly state: MachineState;
  alarms(type: AlarmType): readonly AlarmMember[];
  size(): SizeStatus;
}
