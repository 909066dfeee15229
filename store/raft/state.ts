/**
 * One member's whole volatile state, shared by the role files; and the changes of role.
 * In: configuration and what the disk held. Out: fields that leader, candidate and follower work
 * on.
 * Never: handles a message; decides when a role changes.
 * Source: figure 3.1 of Ongaro's thesis.
 */
import { assert } from "./assert.ts";
import { applyToConf, decodeConfChange } from "./conf_change.ts";
import { noEntries, RaftLog } from "./log.ts";
import { Progress } from "./progress.ts";
import { jointVote, majorityIndex, majorityVote, type VoteResult } from "./quorum.ts";
import { ReadIndexQueue } from "./read_index.ts";
import type {
  ConfState,
  Message,
  MessageType,
  RaftConfig,
  RaftInitialState,
  ReadState,
  Role,
} from "./types.ts";

/** A message being filled in; it is not changed any more once queued. */
export type DraftMessage = { -readonly [K in keyof Message]: Message[K] };

export class RaftState {
  readonly config: RaftConfig;
  readonly id: bigint;
  readonly log: RaftLog;
  readonly reads = new ReadIndexQueue();
  term: number;
  vote: bigint;
  role: Role = "follower";
  leader = 0n;

  conf: ConfState;
  /** Everybody in the configuration, this member included. */
  members = new Map<bigint, Progress>();
  /** Null once removed, or before being added. */
  self: Progress | null = null;
  /** Everybody but this member, by id, in one order on every run. */
  peers: Progress[] = [];
  voters: Progress[] = [];
  votersOutgoing: Progress[] = [];

  /** Answers of the running election, by voter. */
  readonly votes = new Map<bigint, boolean>();
  /**
   * Somebody behind the removal or demotion of this member asked for its vote, and its longer log
   * forbade it. If it led then, its unknown tail could keep everybody else from winning for good,
   * so it may stand itself until it hears a leader.
   */
  blocksElection = false;
  /** Ticks since this member started; rounds and leases are dated with it. */
  ticks = 0;
  electionElapsed = 0;
  heartbeatElapsed = 0;
  /** This round's election timeout, in ticks. */
  electionTimeout = 0;
  /** Until this tick a restarted member keeps the promise that it may have made to a lease. */
  readonly quietUntil: number;

  /** Whom the leader is handing over to; 0n when nobody. */
  transferee = 0n;
  /** A `timeoutNow` of this term may still arrive somewhere: leases prove nothing any more. */
  leaseForfeited = false;
  /** No membership change may be proposed before this index is applied. */
  pendingConfIndex = 0;
  /** Bytes proposed in this term and not committed. */
  uncommittedBytes = 0;
  /** Something changed that followers may have to be told by an append. */
  appendsDue = false;
  /** A follower lacks entries that neither the log nor the last snapshot holds any more. */
  snapshotWanted = false;

  messages: Message[] = [];
  messagesAfterPersist: Message[] = [];
  readStates: ReadState[] = [];
  readonly #scratch: number[] = [];

  constructor(config: RaftConfig, initial: RaftInitialState) {
    assert(config.id !== 0n, "a member's id is never zero");
    assert(config.electionTicks > config.heartbeatTicks, "elections wait longer than heartbeats");
    assert(config.heartbeatTicks > 0, "heartbeats take at least a tick");
    assert(config.maxInflightMessages > 0, "at least one message may be in flight");
    assert(config.readMode !== "leaderLease" || config.checkQuorum, "leases need checkQuorum");
    this.config = config;
    this.id = config.id;
    this.term = initial.hardState.term;
    this.vote = initial.hardState.vote;
    this.log = new RaftLog({
      snapshot: initial.snapshot,
      entries: initial.entries,
      commit: initial.hardState.commit,
      applied: initial.applied,
    });
    this.conf = initial.snapshot.conf;
    for (let index = this.log.firstIndex; index <= this.log.applied; index++) {
      const entry = this.log.at(index);
      if (entry.kind !== "confChange") continue;
      const outcome = applyToConf(this.conf, decodeConfChange(entry.data));
      assert(outcome.kind === "changed", "an applied membership change is valid");
      this.conf = outcome.conf;
    }
    this.quietUntil = config.readMode === "leaderLease" && this.term > 0 ? config.electionTicks : 0;
    this.installConf(this.conf);
    this.#drawTimeout();
  }

  /** Makes `conf` the membership; keeps the progress of those who stay. */
  installConf(conf: ConfState): void {
    this.conf = conf;
    const before = this.members;
    this.members = new Map();
    const votersOf = (ids: readonly bigint[]) => ids.map((id) => this.#member(id, false, before));
    this.voters = votersOf(conf.voters);
    this.votersOutgoing = votersOf(conf.votersOutgoing);
    for (const id of conf.learners) this.#member(id, true, before);
    this.self = this.members.get(this.id) ?? null;
    this.peers = [...this.members.values()].filter((member) => member.id !== this.id);
    this.peers.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  #member(id: bigint, learner: boolean, before: ReadonlyMap<bigint, Progress>): Progress {
    let member = this.members.get(id) ?? before.get(id);
    // A newcomer counts as active, or the next quorum check could depose the leader for it.
    member ??= new Progress({
      id,
      learner,
      next: this.log.lastIndex,
      recentActive: true,
      maxInflightMessages: this.config.maxInflightMessages,
    });
    member.learner = learner;
    this.members.set(id, member);
    return member;
  }

  /** Whether this member may stand for election, which takes a whole state machine. */
  get promotable(): boolean {
    if (this.log.pendingSnapshot !== null) return false;
    return this.isVoter || (this.blocksElection && this.log.lastIndex > this.log.commit);
  }

  /** Whether this member votes in either half of its configuration. */
  get isVoter(): boolean {
    return this.self !== null && !this.self.learner;
  }

  /** Whether this member alone is the quorum. */
  get isAlone(): boolean {
    return this.votersOutgoing.length === 0 && this.voters.length === 1 &&
      this.voters[0] === this.self;
  }

  /** A message of this member's term with every other field zero. */
  draft(type: MessageType, to: bigint): DraftMessage {
    return {
      type,
      from: this.id,
      to,
      term: this.term,
      logTerm: 0,
      index: 0,
      commit: 0,
      entries: noEntries,
      reject: false,
      rejectHint: 0,
      snapshot: null,
      context: 0n,
    };
  }

  /** The largest `value` that a quorum of voters has reached, in both halves when joint. */
  quorumOf(value: (member: Progress) => number): number {
    const incoming = this.#majorityOf(this.voters, value);
    if (this.votersOutgoing.length === 0) return incoming;
    return Math.min(incoming, this.#majorityOf(this.votersOutgoing, value));
  }

  #majorityOf(group: readonly Progress[], value: (member: Progress) => number): number {
    for (let i = 0; i < group.length; i++) this.#scratch[i] = value(group[i]);
    return majorityIndex(this.#scratch, group.length);
  }

  /** The verdict on `agrees`, which answers undefined for those not heard yet. */
  quorumVote(agrees: (member: Progress) => boolean | undefined): VoteResult {
    return jointVote(tally(this.voters, agrees), tally(this.votersOutgoing, agrees));
  }

  becomeFollower(term: number, leader: bigint): void {
    this.#reset(term);
    this.role = "follower";
    this.leader = leader;
  }

  /** Asks for votes without changing the term or the vote. */
  becomePreCandidate(): void {
    assert(this.role !== "leader", "a leader does not stand for election");
    this.votes.clear();
    this.role = "preCandidate";
    this.leader = 0n;
    this.electionElapsed = 0;
    this.#drawTimeout();
  }

  becomeCandidate(): void {
    assert(this.role !== "leader", "a leader does not stand for election");
    this.#reset(this.term + 1);
    this.vote = this.id;
    this.role = "candidate";
  }

  /** The caller appends the term's first entry. */
  becomeLeader(): void {
    assert(this.role === "candidate", "only a candidate is elected");
    this.#reset(this.term);
    this.role = "leader";
    this.leader = this.id;
    for (const peer of this.peers) peer.reset(this.log.lastIndex + 1);
    if (this.self !== null) {
      this.self.reset(this.log.lastIndex + 1);
      this.self.state = "replicate";
      this.self.recentActive = true;
      this.self.match = this.log.stable;
    }
    // A change of membership may hide in the inherited tail; waiting is cheaper than searching.
    this.pendingConfIndex = this.log.lastIndex;
  }

  #reset(term: number): void {
    if (term !== this.term) {
      assert(term > this.term, "terms only grow");
      this.term = term;
      this.vote = 0n;
    }
    this.leader = 0n;
    this.votes.clear();
    this.electionElapsed = 0;
    this.heartbeatElapsed = 0;
    this.#drawTimeout();
    this.transferee = 0n;
    this.leaseForfeited = false;
    this.pendingConfIndex = 0;
    this.uncommittedBytes = 0;
    this.appendsDue = false;
    this.snapshotWanted = false;
    this.reads.clear();
  }

  #drawTimeout(): void {
    const base = this.config.electionTicks;
    this.electionTimeout = base + this.config.random.nextInt(base);
  }
}

function tally(
  group: readonly Progress[],
  agrees: (member: Progress) => boolean | undefined,
): VoteResult {
  let granted = 0;
  let rejected = 0;
  for (const member of group) {
    const answer = agrees(member);
    if (answer === true) granted++;
    else if (answer === false) rejected++;
  }
  return majorityVote({ granted, rejected }, group.length);
}
