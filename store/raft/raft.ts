/**
 * The Raft core as its runner sees it: the rules on terms, dispatch by role, and Ready.
 * In: ticks, messages, proposals, "durable" and "applied" notices. Out: Ready after Ready.
 * Never: does I/O, reads a clock, draws randomness of its own, or waits.
 * At most one Ready's synced writes are outstanding: until `persisted`, later Readys carry messages
 * and committed entries only, while entries, term and vote gather for the next write.
 * Source: Ongaro's thesis (2014), chapters 3, 4, 6 and 10.
 */
import { assert } from "./assert.ts";
import { ownVotePersisted, stand, stepCandidate, transferContext } from "./candidate.ts";
import { applyToConf } from "./conf_change.ts";
import { answerVoteRequest, stepFollower } from "./follower.ts";
import * as leader from "./leader.ts";
import { type LogTail, noEntries } from "./log.ts";
import { RaftState } from "./state.ts";
import type {
  ConfChange,
  ConfState,
  HardState,
  Message,
  ProposeOutcome,
  RaftConfig,
  RaftCore,
  RaftInitialState,
  ReadState,
  Ready,
  Role,
  SnapshotMeta,
  SoftState,
} from "./types.ts";

const noMessages: readonly Message[] = Object.freeze([]);
const noReadStates: readonly ReadState[] = Object.freeze([]);
const noTail: LogTail = { entries: 0, bytes: 0 };

/**
 * Starts a member as a follower with what its disk held.
 * @param config ticks, limits and the source of randomness
 * @param initial hard state, snapshot and log as they were made durable
 * @returns the core; it does nothing until ticked, stepped or told to campaign.
 * Errors: throws when the configuration or the disk's parts contradict themselves.
 */
export function createRaft(config: RaftConfig, initial: RaftInitialState): RaftCore {
  return new Raft(config, initial);
}

/** What a Ready gave the runner to write and sync. */
interface OutstandingWrite {
  /** Last entry's index, or 0 without entries. */
  readonly lastIndex: number;
  readonly lastTerm: number;
  readonly term: number;
  readonly vote: bigint;
  readonly snapshot: SnapshotMeta | null;
}

class Raft implements RaftCore {
  readonly #r: RaftState;
  #outstanding: OutstandingWrite | null = null;
  #handedHard: HardState;
  #handedSoft: SoftState = { role: "follower", leader: 0n };

  constructor(config: RaftConfig, initial: RaftInitialState) {
    this.#r = new RaftState(config, initial);
    this.#handedHard = { ...initial.hardState };
  }

  get id(): bigint {
    return this.#r.id;
  }

  get term(): number {
    return this.#r.term;
  }

  get role(): Role {
    return this.#r.role;
  }

  get leader(): bigint {
    return this.#r.leader;
  }

  get commit(): number {
    return this.#r.log.commit;
  }

  get applied(): number {
    return this.#r.log.applied;
  }

  get firstIndex(): number {
    return this.#r.log.firstIndex;
  }

  get lastIndex(): number {
    return this.#r.log.lastIndex;
  }

  get conf(): ConfState {
    return this.#r.conf;
  }

  termAt(index: number): number {
    return this.#r.log.termAt(index);
  }

  tick(): void {
    const r = this.#r;
    r.ticks++;
    if (r.role === "leader") {
      leader.tickLeader(r);
      return;
    }
    r.electionElapsed++;
    if (r.electionElapsed >= r.electionTimeout && r.promotable) {
      r.electionElapsed = 0;
      this.campaign();
    }
  }

  campaign(): void {
    stand(this.#r, this.#r.config.preVote ? "preVote" : "vote");
  }

  step(message: Message): void {
    const r = this.#r;
    if (message.from === r.id || message.from === 0n) return;
    if (!isRequest(message) && !this.#settleTerm(message)) return;
    switch (message.type) {
      case "vote":
      case "preVote":
        answerVoteRequest(r, message);
        return;
      case "timeoutNow":
        // No pre-vote: the leader itself asks, so nobody is disturbed.
        if (r.role === "follower") stand(r, "transfer");
        return;
      default:
        this.#stepRole(message);
    }
  }

  #stepRole(message: Message): void {
    const r = this.#r;
    switch (r.role) {
      case "leader":
        leader.stepLeader(r, message);
        return;
      case "follower":
        stepFollower(r, message);
        return;
      case "preCandidate":
      case "candidate":
        if (isFromLeader(message)) {
          r.becomeFollower(message.term, message.from);
          stepFollower(r, message);
        } else {
          stepCandidate(r, message);
        }
    }
  }

  /**
   * Compares terms, which may depose this member. @returns whether the message is to be handled.
   */
  #settleTerm(message: Message): boolean {
    const r = this.#r;
    if (message.term === r.term) return true;
    if (message.term < r.term) {
      this.#answerStale(message);
      return false;
    }
    const asksVote = message.type === "vote" || message.type === "preVote";
    if (asksVote && message.context !== transferContext && this.#inLease(message.from)) {
      return false;
    }
    // A pre-vote and its grant speak of a term that nobody has entered yet.
    if (message.type === "preVote") return true;
    if (message.type === "preVoteResponse" && !message.reject) return true;
    r.becomeFollower(message.term, isFromLeader(message) ? message.from : 0n);
    return true;
  }

  /** Whether a live leader's reign must not be disturbed by `candidate`. */
  #inLease(candidate: bigint): boolean {
    const r = this.#r;
    if (r.ticks < r.quietUntil) return true;
    if (r.leader === 0n || r.electionElapsed >= r.config.electionTicks) return false;
    return r.config.checkQuorum || !r.members.has(candidate);
  }

  #answerStale(message: Message): void {
    const r = this.#r;
    if (message.type === "preVote") {
      const answer = r.draft("preVoteResponse", message.from);
      answer.reject = true;
      r.messagesAfterPersist.push(answer);
    } else if (isFromLeader(message)) {
      // Leases and removals can keep vote requests from the old leader; this is how it hears.
      r.messagesAfterPersist.push(r.draft("appendResponse", message.from));
    }
  }

  propose(data: Uint8Array): ProposeOutcome {
    return leader.propose(this.#r, "normal", data);
  }

  proposeConfChange(change: ConfChange): ProposeOutcome {
    return leader.proposeConfChange(this.#r, change);
  }

  readIndex(requestId: bigint): void {
    const r = this.#r;
    if (r.role === "leader") {
      leader.takeRead(r, r.id, requestId);
    } else if (r.leader !== 0n) {
      const message = r.draft("readIndex", r.leader);
      message.context = requestId;
      r.messages.push(message);
    }
  }

  transferLeader(to: bigint): void {
    const r = this.#r;
    if (r.role === "leader") {
      leader.transferTo(r, to);
    } else if (r.leader !== 0n) {
      const message = r.draft("transferLeader", r.leader);
      message.context = to;
      r.messages.push(message);
    }
  }

  hasReady(): boolean {
    const r = this.#r;
    if (r.messages.length > 0 || r.readStates.length > 0 || r.log.hasCommitted) return true;
    if (r.role === "leader" && ((r.appendsDue && r.peers.length > 0) || r.reads.needsRound)) {
      return true;
    }
    if (r.role !== this.#handedSoft.role || r.leader !== this.#handedSoft.leader) return true;
    if (this.#outstanding !== null) return false;
    return r.messagesAfterPersist.length > 0 || r.log.handed < r.log.lastIndex ||
      r.log.pendingSnapshot !== null || this.#termOrVoteChanged() ||
      this.#durableCommit() !== this.#handedHard.commit;
  }

  ready(): Ready {
    const r = this.#r;
    if (r.role === "leader") {
      if (r.reads.needsRound) leader.sendReadRound(r);
      if (r.appendsDue) leader.sendAppends(r);
    }
    const soft = this.#takeSoft();
    const messages = r.messages;
    if (messages.length > 0) r.messages = [];
    const readStates = r.readStates;
    if (readStates.length > 0) r.readStates = [];
    const committed = r.log.takeCommitted(r.config.maxAppendBytes);
    if (this.#outstanding !== null) {
      return {
        soft,
        hardState: null,
        entries: noEntries,
        snapshot: null,
        messages: messages.length > 0 ? messages : noMessages,
        messagesAfterPersist: noMessages,
        committed,
        readStates: readStates.length > 0 ? readStates : noReadStates,
        mustSync: false,
      };
    }
    const termOrVoteChanged = this.#termOrVoteChanged();
    const hardState = this.#takeHard(termOrVoteChanged);
    const entries = r.log.takeUnwritten();
    const snapshot = r.log.pendingSnapshot;
    const mustSync = termOrVoteChanged || entries.length > 0 || snapshot !== null;
    if (mustSync) this.#outstanding = this.#outstandingWrite(entries.length > 0, snapshot);
    const messagesAfterPersist = r.messagesAfterPersist;
    if (messagesAfterPersist.length > 0) r.messagesAfterPersist = [];
    return {
      soft,
      hardState,
      entries,
      snapshot,
      messages: messages.length > 0 ? messages : noMessages,
      messagesAfterPersist: messagesAfterPersist.length > 0 ? messagesAfterPersist : noMessages,
      committed,
      readStates: readStates.length > 0 ? readStates : noReadStates,
      mustSync,
    };
  }

  #outstandingWrite(hasEntries: boolean, snapshot: SnapshotMeta | null): OutstandingWrite {
    const r = this.#r;
    return {
      lastIndex: hasEntries ? r.log.lastIndex : 0,
      lastTerm: hasEntries ? r.log.lastTerm : 0,
      term: r.term,
      vote: r.vote,
      snapshot,
    };
  }

  #takeSoft(): SoftState | null {
    const r = this.#r;
    if (r.role === this.#handedSoft.role && r.leader === this.#handedSoft.leader) return null;
    this.#handedSoft = { role: r.role, leader: r.leader };
    return this.#handedSoft;
  }

  #termOrVoteChanged(): boolean {
    return this.#r.term !== this.#handedHard.term || this.#r.vote !== this.#handedHard.vote;
  }

  /** The disk's commit index never runs ahead of the disk's log, in whatever order writes tear. */
  #durableCommit(): number {
    return Math.max(this.#handedHard.commit, Math.min(this.#r.log.commit, this.#r.log.stable));
  }

  #takeHard(termOrVoteChanged: boolean): HardState | null {
    const commit = this.#durableCommit();
    if (!termOrVoteChanged && commit === this.#handedHard.commit) return null;
    this.#handedHard = { term: this.#r.term, vote: this.#r.vote, commit };
    return this.#handedHard;
  }

  persisted(index: number, term: number): void {
    const r = this.#r;
    const write = this.#outstanding;
    if (write === null) return;
    r.log.stableTo(index);
    if (index < write.lastIndex) return;
    assert(term >= write.lastTerm, "what became durable is not older than what was to be written");
    this.#outstanding = null;
    if (write.snapshot !== null) r.log.installed(write.snapshot);
    if (r.role === "leader") leader.ownLogPersisted(r);
    else if (write.term === r.term && write.vote === r.id) ownVotePersisted(r);
  }

  appliedTo(index: number): void {
    this.#r.log.appliedTo(index);
    leader.leaveJointIfDue(this.#r);
  }

  applyConfChange(change: ConfChange): ConfState {
    const r = this.#r;
    // Handed out before a snapshot arrived whose membership already includes it.
    if (r.log.pendingSnapshot !== null) return r.conf;
    const outcome = applyToConf(r.conf, change);
    assert(outcome.kind === "changed", "a committed membership change is valid where it applies");
    r.installConf(outcome.conf);
    if (r.role === "leader") leader.confChanged(r);
    return r.conf;
  }

  compact(meta: SnapshotMeta, compactTo = 0): void {
    this.#r.log.compact(meta, compactTo);
    leader.snapshotTaken(this.#r);
  }

  trim(upTo: number): void {
    const { log, config, peers, role } = this.#r;
    if (peers.length === 0) return log.trim(log.applied + 1, noTail);
    const needed = role === "leader" ? Math.min(upTo + 1, leader.neededFrom(this.#r)) : upTo + 1;
    log.trim(needed, { entries: config.tailEntries, bytes: config.tailBytes });
    if (needed <= upTo) {
      log.trim(upTo + 1, { entries: Number.POSITIVE_INFINITY, bytes: config.laggingBytes });
    }
  }

  get wantsSnapshot(): boolean {
    return this.#r.snapshotWanted;
  }

  reportUnreachable(id: bigint): void {
    if (this.#r.role === "leader") leader.peerUnreachable(this.#r, id);
  }

  reportSnapshot(id: bigint, ok: boolean): void {
    if (this.#r.role === "leader") leader.snapshotReported(this.#r, id, ok);
  }

  progress(): ReadonlyMap<
    bigint,
    { match: number; next: number; state: string; learner: boolean }
  > {
    const all = new Map<bigint, { match: number; next: number; state: string; learner: boolean }>();
    if (this.#r.role !== "leader") return all;
    for (const { id, match, next, state, learner } of this.#r.members.values()) {
      all.set(id, { match, next, state, learner });
    }
    return all;
  }
}

/** Requests that a follower may forward; they belong to no term. */
function isRequest(message: Message): boolean {
  return message.type === "propose" || message.type === "readIndex" ||
    message.type === "transferLeader";
}

/** Only the leader of its term sends these. */
function isFromLeader(message: Message): boolean {
  return message.type === "append" || message.type === "heartbeat" || message.type === "snapshot";
}
