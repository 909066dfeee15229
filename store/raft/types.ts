/**
 * The vocabulary of consensus: entries, messages, Ready, and what a Raft core offers its runner.
 * In: nothing. Out: types only. Never: I/O, clocks, randomness.
 * Source: Ongaro's thesis (2014) and the field names of etcd-io/raft's raftpb.
 */

/** `confChange` entries carry an encoded ConfChange; `normal` ones a batch of store commands. */
export type EntryKind = "normal" | "confChange";

export interface Entry {
  readonly term: number;
  readonly index: number;
  readonly kind: EntryKind;
  /** Empty for the entry a new leader commits first. */
  readonly data: Uint8Array;
}

/** What must be durable before a vote or an acknowledgement leaves this member. */
export interface HardState {
  readonly term: number;
  /** Member id voted for in `term`, 0n when none. */
  readonly vote: bigint;
  readonly commit: number;
}

/** Membership as of some index. In a joint configuration `votersOutgoing` is not empty. */
export interface ConfState {
  readonly voters: readonly bigint[];
  readonly votersOutgoing: readonly bigint[];
  readonly learners: readonly bigint[];
  readonly learnersNext: readonly bigint[];
  readonly autoLeave: boolean;
}

export interface ConfChangeSingle {
  readonly type: "addVoter" | "addLearner" | "remove" | "update";
  readonly id: bigint;
}

export interface ConfChange {
  /** One change is applied simply, several jointly; none at all leaves a joint configuration. */
  readonly changes: readonly ConfChangeSingle[];
  readonly transition: "auto" | "jointImplicit" | "jointExplicit";
  /** Opaque to Raft: the member's name and URLs. */
  readonly context: Uint8Array;
}

export interface SnapshotMeta {
  readonly index: number;
  readonly term: number;
  readonly conf: ConfState;
}

export type MessageType =
  | "append"
  | "appendResponse"
  | "heartbeat"
  | "heartbeatResponse"
  | "preVote"
  | "preVoteResponse"
  | "vote"
  | "voteResponse"
  | "snapshot"
  | "propose"
  | "readIndex"
  | "readIndexResponse"
  | "transferLeader"
  | "timeoutNow";

/** One flat shape, so that an engine sees one hidden class; unused fields hold their zero. */
export interface Message {
  readonly type: MessageType;
  readonly from: bigint;
  readonly to: bigint;
  readonly term: number;
  /** Term of the entry before `entries`, or of the candidate's last entry. */
  readonly logTerm: number;
  readonly index: number;
  readonly commit: number;
  readonly entries: readonly Entry[];
  readonly reject: boolean;
  /** On a rejected append: the follower's guess where logs may match. */
  readonly rejectHint: number;
  /** `snapshot` only: what the receiver must install; its bytes travel by the peer transport. */
  readonly snapshot: SnapshotMeta | null;
  /** Heartbeat round or read request id. */
  readonly context: bigint;
}

export type Role = "follower" | "preCandidate" | "candidate" | "leader";

export interface SoftState {
  readonly role: Role;
  /** 0n when unknown. */
  readonly leader: bigint;
}

/** A linearizable read may be answered once `index` is applied. */
export interface ReadState {
  readonly index: number;
  readonly requestId: bigint;
}

/**
 * Everything the runner must do, in this order: send `messages` at once (they promise nothing that
 * is not durable yet); write `hardState`, `snapshot`, `entries` and sync when `mustSync`; then call
 * `persisted()`, which may release further messages; apply `committed`; answer `readStates`.
 */
export interface Ready {
  readonly soft: SoftState | null;
  readonly hardState: HardState | null;
  /** To append, replacing any stored entry of an equal or larger index. */
  readonly entries: readonly Entry[];
  /** To install in place of the state machine and the log. */
  readonly snapshot: SnapshotMeta | null;
  readonly messages: readonly Message[];
  /** To send only after this Ready's writes are durable (votes, acknowledgements). */
  readonly messagesAfterPersist: readonly Message[];
  readonly committed: readonly Entry[];
  readonly readStates: readonly ReadState[];
  readonly mustSync: boolean;
}

/** Integers drawn by the runner's seeded generator. */
export interface Random {
  /** @returns an integer in `[0, below)`. */
  nextInt(below: number): number;
}

export interface RaftConfig {
  /** This member's id, never 0n. */
  readonly id: bigint;
  /** Ticks without hearing of a leader before an election; drawn from `[n, 2n)`. Default 10. */
  readonly electionTicks: number;
  /** Ticks between heartbeats. Default 1. */
  readonly heartbeatTicks: number;
  readonly preVote: boolean;
  readonly checkQuorum: boolean;
  /** `leaderLease` answers reads without a round trip and needs `checkQuorum`. */
  readonly readMode: "readIndex" | "leaderLease";
  /** Bytes of entries in one append message. Default 1 MiB. */
  readonly maxAppendBytes: number;
  /** Append messages in flight to one follower. Default 256. */
  readonly maxInflightMessages: number;
  /** Bytes of proposals not yet committed; more are refused. Default 64 MiB. */
  readonly maxUncommittedBytes: number;
  /** Entries that `trim` leaves for members that fall behind. Default 5,000. */
  readonly tailEntries: number;
  /** Bytes of those at most. Default 32 MiB. */
  readonly tailBytes: number;
  /** Bytes that a leader keeps for a member known to lack them. Default 256 MiB. */
  readonly laggingBytes: number;
  readonly random: Random;
}

/** What a member found on its disk; the log's entries follow `snapshot.index` without a gap. */
export interface RaftInitialState {
  readonly hardState: HardState;
  readonly snapshot: SnapshotMeta;
  readonly entries: readonly Entry[];
  /** Index up to which the state machine was already applied (≥ snapshot.index). */
  readonly applied: number;
}

export type ProposeOutcome =
  | { readonly kind: "accepted"; readonly term: number; readonly index: number }
  | { readonly kind: "notLeader"; readonly leader: bigint }
  | { readonly kind: "transferring" }
  | { readonly kind: "overloaded" }
  | { readonly kind: "confChangePending" }
  /** The change contradicts the current membership, or would leave nobody to vote. */
  | { readonly kind: "invalidConfChange"; readonly reason: string };

/** The pure core as the runner sees it; `store/raft/raft.ts` implements it. */
export interface RaftCore {
  readonly id: bigint;
  readonly term: number;
  readonly role: Role;
  readonly leader: bigint;
  readonly commit: number;
  readonly applied: number;
  /** First index the log still holds; what lies before is applied. */
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly conf: ConfState;
  /** @returns the term of the entry at `index`, -1 when it is compacted or not written yet. */
  termAt(index: number): number;
  /** One unit of the runner's clock has passed. */
  tick(): void;
  /** A message from a peer; those of removed members or old terms are dropped as prescribed. */
  step(message: Message): void;
  campaign(): void;
  propose(data: Uint8Array): ProposeOutcome;
  proposeConfChange(change: ConfChange): ProposeOutcome;
  /** Asks for a read index; answered in `Ready.readStates`, or dropped when the leader changes. */
  readIndex(requestId: bigint): void;
  transferLeader(to: bigint): void;
  hasReady(): boolean;
  ready(): Ready;
  /**
   * The writes of the last Ready with `mustSync` are durable. Until then later Readys carry no
   * further writes. A call when nothing is outstanding changes nothing.
   * @param index that Ready's last entry's index, any index when it had no entries
   * @param term that entry's term, or any later one
   */
  persisted(index: number, term: number): void;
  /** Committed entries up to `index` are in the state machine. */
  appliedTo(index: number): void;
  /** A committed `confChange` entry was reached: switch to the new membership. */
  applyConfChange(change: ConfChange): ConfState;
  /** The runner holds a snapshot at `meta`; entries up to `compactTo`, default 0, are forgotten. */
  compact(meta: SnapshotMeta, compactTo?: number): void;
  /**
   * Forgets applied entries that nobody is known to lack, save a tail; a member alone keeps none.
   * @param upTo entries after this index stay: a snapshot of it is being made for somebody
   */
  trim(upTo: number): void;
  /** Whether a follower lacks entries that neither the log nor the last snapshot holds. */
  readonly wantsSnapshot: boolean;
  reportUnreachable(id: bigint): void;
  reportSnapshot(id: bigint, ok: boolean): void;
  /** Per-follower progress, for status answers and metrics; empty unless leader. */
  progress(): ReadonlyMap<
    bigint,
    { match: number; next: number; state: string; learner: boolean }
  >;
}
