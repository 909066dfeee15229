/**
 * What the etcd API services need from the member they speak for.
 * In: nothing. Out: types only; `store/member.ts` implements them, `fake_member.ts` for tests.
 * Hot calls take a callback and no promise, so that every answer of one apply batch lands in one
 * socket write. Callbacks run exactly once, from the apply loop or before the call returns.
 * Never: gRPC codes (see `errors.ts`), sockets.
 */
import type { DurationHistogram } from "../../disk/duration_histogram.ts";
import type { CommandName } from "../../mvcc/command.ts";
import type { AlarmMember, ApplyOutcome, Identity, Permission } from "../../mvcc/outcome.ts";
import type { StoreFailure, TxnRequest, TxnResponse, WatchRequest } from "../../mvcc/types.ts";
import type { NoticeListener, Watcher } from "../../mvcc/api.ts";
import type { StoreStatus } from "../../mod.ts";

/** Requests that go through the log as the client sent them, named after their etcd message. */
export type WireCommand = Exclude<CommandName, "leaseCheckpoint" | "note">;

/** Failures only a member of a group can meet; the rest are `StoreFailure`s. */
export type MemberFailure =
  | StoreFailure
  | {
    readonly kind: "member";
    readonly reason:
      | "memberExists"
      | "peerUrlExists"
      | "notEnoughStarted"
      | "badUrls"
      | "memberNotFound"
      | "notLearner"
      | "learnerNotReady"
      | "tooManyLearners"
      | "unhealthy"
      | "badTransferee"
      | "learnerUnsupported"
      | "leaderChanged"
      | "downgradeInProgress"
      | "noDowngrade"
      | "badDowngradeVersion"
      | "downgradeTarget"
      | "clusterVersionUnavailable";
  };

export interface MemberInfo {
  readonly id: bigint;
  /** Empty until the member has started once. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

export interface MemberList {
  readonly kind: "members";
  /** The member an add created; absent otherwise. */
  readonly added?: MemberInfo;
  readonly members: readonly MemberInfo[];
}

export interface LeaseInfo {
  readonly kind: "lease";
  readonly id: bigint;
  /** Remaining; -1 when the lease does not exist. */
  readonly ttlSeconds: number;
  readonly grantedTtlSeconds: number;
  /** Empty unless asked for. */
  readonly keys: readonly Uint8Array[];
}

/** A consistent copy of the store's data, streamed in order. */
export interface SnapshotStream {
  readonly kind: "snapshot";
  readonly totalBytes: number;
  /** @returns the next slice, or `null` after the last one; throws when the source fails. */
  next(): Promise<Uint8Array | null>;
  close(): void;
}

export interface HashResult {
  readonly kind: "hash";
  readonly hash: number;
  readonly compactRevision: number;
  /** Revision the hash covers. */
  readonly revision: number;
}

/** What a member counts since its start. */
export interface MemberCounters {
  readonly appliedCommands: number;
  /** Of the log. */
  readonly walSyncs: DurationHistogram;
  /** Since they were last read. */
  readonly longestStallMillis: number;
}

export interface MemberStatus extends StoreStatus {
  /** etcd version this API follows, "3.6.0" for example. */
  readonly version: string;
  readonly storageVersion: string;
  readonly dbSizeQuotaBytes: number;
  readonly downgrade: { readonly enabled: boolean; readonly targetVersion: string };
}

/** The questions of the auth service; its commands go through `submit`. */
export interface AuthApi {
  enabled(): boolean;
  revision(): number;
  /** Checks a password (slowly, off the apply loop) and issues a token. */
  authenticate(name: string, password: string): Promise<
    { readonly kind: "token"; readonly token: string } | StoreFailure
  >;
  /** Hashes a new password, so that the log never holds it in the clear. */
  hashPassword(password: string): Promise<string>;
  /** Who a token stands for. */
  callerOfToken(
    token: string,
  ): { readonly kind: "caller"; readonly caller: Identity } | StoreFailure;
  /** Who a verified client certificate stands for; the user need not exist. */
  callerOfCertificate(commonName: string): Identity;
  /** `adminOnly` questions check the caller; `name` empty lists all. */
  users(caller: Identity | null): Promise<
    { readonly kind: "names"; readonly names: readonly string[] } | StoreFailure
  >;
  roles(caller: Identity | null): Promise<
    { readonly kind: "names"; readonly names: readonly string[] } | StoreFailure
  >;
  user(name: string, caller: Identity | null): Promise<
    { readonly kind: "names"; readonly names: readonly string[] } | StoreFailure
  >;
  role(name: string, caller: Identity | null): Promise<
    { readonly kind: "permissions"; readonly permissions: readonly Permission[] } | StoreFailure
  >;
  /** Whether the caller may do what only root may (members, alarms, auth, defragment). */
  requireAdmin(caller: Identity | null): StoreFailure | null;
}

export interface MemberApi {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  /** Highest revision applied here. */
  readonly revision: number;
  readonly raftTerm: number;
  /** Whether this member does not vote yet; it serves next to nothing then. */
  readonly isLearner: boolean;

  /**
   * Puts one command through the log.
   *
   * @param bytes the protobuf message as the client sent it; a view that is only valid during the
   * call, so the member copies it into its command. Passwords were replaced by hashes.
   * @param done runs after the command is durable on a quorum and applied here.
   */
  submit(
    kind: WireCommand,
    bytes: Uint8Array,
    caller: Identity | null,
    done: (result: ApplyOutcome | MemberFailure) => void,
  ): void;

  /**
   * Answers RangeRequest bytes with RangeResponse bytes, after a read index unless the request is
   * `serializable`.
   *
   * @param bytes a view only valid during the call.
   * @param done gets a view only valid during the callback. Long lists come after a while, in parts
   * that never change.
   */
  range(
    bytes: Uint8Array,
    caller: Identity | null,
    done: (result: Uint8Array | readonly Uint8Array[] | MemberFailure) => void,
  ): void;

  /**
   * Answers a txn without writes from the applied state, after a read index unless `serializable`
   * (all its ranges are).
   */
  readTxn(
    request: TxnRequest,
    options: { readonly serializable: boolean; readonly caller: Identity | null },
    done: (result: TxnResponse | MemberFailure) => void,
  ): void;

  /** Resolves once everything acknowledged before the call is applied here. */
  readIndex(done: (failure: MemberFailure | null) => void): void;

  /**
   * Starts a watch. A notice refused with `false` is read again from history after `resume`, so a
   * slow client costs no queue.
   * @returns a failure when the caller may not read the range.
   */
  watch(
    request: WatchRequest,
    caller: Identity | null,
    onNotice: NoticeListener,
  ): Watcher | StoreFailure;

  /** Renewed by the leader; a follower forwards. */
  leaseKeepAlive(
    id: bigint,
    caller: Identity | null,
    done: (result: { kind: "lease"; id: bigint; ttlSeconds: number } | MemberFailure) => void,
  ): void;
  leaseTimeToLive(
    id: bigint,
    options: { readonly keys: boolean; readonly caller: Identity | null },
  ): Promise<LeaseInfo | MemberFailure>;
  leases(): Promise<{ readonly kind: "leases"; readonly ids: readonly bigint[] } | MemberFailure>;

  members(options: { readonly linearizable: boolean }): Promise<MemberList | MemberFailure>;
  memberAdd(
    request: { readonly peerUrls: readonly string[]; readonly isLearner: boolean },
  ): Promise<MemberList | MemberFailure>;
  memberRemove(id: bigint): Promise<MemberList | MemberFailure>;
  memberUpdate(id: bigint, peerUrls: readonly string[]): Promise<MemberList | MemberFailure>;
  memberPromote(id: bigint): Promise<MemberList | MemberFailure>;

  status(): MemberStatus;
  readCounters(): MemberCounters;
  /** Active alarms, without going through the log. */
  alarms(): readonly AlarmMember[];
  defragment(): Promise<{ readonly kind: "done" } | MemberFailure>;
  /** `revision` 0 = the current one. */
  hashKv(revision: number): Promise<HashResult | MemberFailure>;
  /** Hash over everything stored, whatever the revision. */
  hash(): Promise<HashResult | MemberFailure>;
  snapshot(): Promise<SnapshotStream | MemberFailure>;
  moveLeader(target: bigint): Promise<{ readonly kind: "done" } | MemberFailure>;
  downgrade(
    action: "validate" | "enable" | "cancel",
    version: string,
  ): Promise<{ readonly kind: "downgrade"; readonly version: string } | MemberFailure>;

  readonly auth: AuthApi;
}
