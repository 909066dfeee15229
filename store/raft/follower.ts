/**
 * What a follower does with its leader's messages, and everybody's answer to a vote request.
 * In: appends, heartbeats, snapshots, vote requests, requests to forward. Out: answers.
 * Never: acknowledges or votes ahead of the disk: those answers wait for `messagesAfterPersist`.
 * Source: Ongaro's thesis, sections 3.5, 3.6.1, 4.2.1 and 5.
 */
import { parseConfChange } from "./conf_change.ts";
import type { RaftState } from "./state.ts";
import type { Message } from "./types.ts";

export function stepFollower(r: RaftState, message: Message): void {
  switch (message.type) {
    case "append":
      heardLeader(r, message.from);
      stepAppend(r, message);
      return;
    case "heartbeat":
      heardLeader(r, message.from);
      stepHeartbeat(r, message);
      return;
    case "snapshot":
      heardLeader(r, message.from);
      stepSnapshot(r, message);
      return;
    case "propose":
    case "readIndex":
    case "transferLeader":
      forward(r, message);
      return;
    case "readIndexResponse":
      r.readStates.push({ index: message.index, requestId: message.context });
      return;
    default:
      return;
  }
}

function heardLeader(r: RaftState, leader: bigint): void {
  r.electionElapsed = 0;
  r.leader = leader;
  r.blocksElection = false;
}

/** Passes a request on to the leader, under the name of who asked first. */
function forward(r: RaftState, message: Message): void {
  if (r.leader === 0n || r.leader === message.from) return;
  r.messages.push({ ...message, to: r.leader });
}

function stepAppend(r: RaftState, message: Message): void {
  if (!isWellFormed(message)) return;
  const answer = r.draft("appendResponse", message.from);
  if (message.index < r.log.commit) {
    answer.index = r.log.commit;
  } else {
    const last = r.log.tryAppend(message.index, message.logTerm, message.entries);
    if (last >= 0) {
      r.log.commitTo(Math.min(message.commit, last));
      answer.index = last;
    } else {
      const hint = r.log.lastNotAbove(message.index, message.logTerm);
      answer.index = message.index;
      answer.reject = true;
      answer.rejectHint = hint;
      answer.logTerm = Math.max(0, r.log.termAt(hint));
    }
  }
  r.messagesAfterPersist.push(answer);
}

/** A leader's entries have no gap, terms that never fall, and readable membership changes. */
function isWellFormed(message: Message): boolean {
  let term = message.logTerm;
  for (let i = 0; i < message.entries.length; i++) {
    const entry = message.entries[i];
    if (entry.index !== message.index + 1 + i || entry.term < term) return false;
    if (entry.kind === "confChange" && parseConfChange(entry.data) === null) return false;
    term = entry.term;
  }
  return term <= message.term;
}

function stepHeartbeat(r: RaftState, message: Message): void {
  // A leader never names more than this member acknowledged; beyond the log it is no news of ours.
  if (message.commit <= r.log.lastIndex) r.log.commitTo(message.commit);
  const answer = r.draft("heartbeatResponse", message.from);
  answer.context = message.context;
  r.messages.push(answer);
}

function stepSnapshot(r: RaftState, message: Message): void {
  const meta = message.snapshot;
  if (meta === null) return;
  const answer = r.draft("appendResponse", message.from);
  if (meta.index > r.log.commit) {
    if (r.log.termAt(meta.index) === meta.term) {
      // The log holds all of it already: only the commit index was behind.
      r.log.commitTo(meta.index);
    } else {
      // Also when `meta.conf` does not name this member yet: the entry that adds it follows.
      r.log.restore(meta);
      r.installConf(meta.conf);
    }
  }
  answer.index = r.log.commit;
  r.messagesAfterPersist.push(answer);
}

/**
 * Answers a request for a vote or a pre-vote of this term or, for a pre-vote, a later one.
 * Learners answer too: one may have been promoted without knowing it yet.
 */
export function answerVoteRequest(r: RaftState, message: Message): void {
  const asksOnly = message.type === "preVote";
  const free = r.vote === message.from || (r.vote === 0n && r.leader === 0n) ||
    (asksOnly && message.term > r.term);
  const upToDate = r.log.isUpToDate(message.index, message.logTerm);
  const grants = free && upToDate;
  if (!upToDate && !r.isVoter) r.blocksElection = true;
  const answer = r.draft(asksOnly ? "preVoteResponse" : "voteResponse", message.from);
  if (grants) {
    // The asked-for term, for a pre-candidate drops answers below the term it wants.
    answer.term = message.term;
    if (!asksOnly) {
      r.electionElapsed = 0;
      r.vote = message.from;
    }
  } else {
    answer.reject = true;
  }
  r.messagesAfterPersist.push(answer);
}
