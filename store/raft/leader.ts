/**
 * What only a leader does: propose, replicate, commit, confirm reads, hand over.
 * In: proposals, followers' answers, ticks, what its own disk made durable. Out: messages, commits.
 * Never: counts itself before its disk answered; commits an older term's entry by counting.
 * Handlers only note that appends are due; `sendAppends` runs once per Ready, so that whatever
 * gathered meanwhile leaves in one message per follower.
 * Source: Ongaro's thesis, sections 3.5, 3.6, 3.10, 6.2 and 10.2.
 */
import {
  applyToConf,
  encodeConfChange,
  isJoint,
  leaveJoint,
  parseConfChange,
} from "./conf_change.ts";
import { noEntries, unknownTerm } from "./log.ts";
import type { Progress } from "./progress.ts";
import { leaseHolds } from "./read_index.ts";
import type { RaftState } from "./state.ts";
import type { ConfChange, Entry, EntryKind, Message, ProposeOutcome } from "./types.ts";

const noData = new Uint8Array(0);

/** Takes office: the term's first entry is what lets earlier ones commit. */
export function lead(r: RaftState): void {
  r.becomeLeader();
  r.log.append(r.term, "normal", noData);
  r.appendsDue = true;
}

export function tickLeader(r: RaftState): void {
  r.heartbeatElapsed++;
  r.electionElapsed++;
  if (r.electionElapsed >= r.config.electionTicks) {
    r.electionElapsed = 0;
    if (r.config.checkQuorum && !quorumIsActive(r)) {
      r.becomeFollower(r.term, 0n);
      return;
    }
    for (const peer of r.peers) peer.recentActive = false;
    abortTransfer(r);
  }
  if (r.heartbeatElapsed >= r.config.heartbeatTicks) {
    r.heartbeatElapsed = 0;
    sendHeartbeats(r);
    if (!r.isVoter) handOver(r);
  }
}

function quorumIsActive(r: RaftState): boolean {
  return r.quorumVote((member) => member === r.self || member.recentActive) === "won";
}

/** Appends to the log of a leader that may take proposals; see `ProposeOutcome`. */
export function propose(r: RaftState, kind: EntryKind, data: Uint8Array): ProposeOutcome {
  if (r.role !== "leader") return { kind: "notLeader", leader: r.leader };
  if (r.transferee !== 0n || !r.isVoter) return { kind: "transferring" };
  // Empty entries always fit: a new leader and the end of a joint configuration depend on them.
  if (data.length > 0 && r.uncommittedBytes + data.length > r.config.maxUncommittedBytes) {
    return { kind: "overloaded" };
  }
  r.uncommittedBytes += data.length;
  const index = r.log.append(r.term, kind, data);
  r.appendsDue = true;
  return { kind: "accepted", term: r.term, index };
}

/** One change at a time: the next may be proposed once the last one is applied here. */
export function proposeConfChange(r: RaftState, change: ConfChange): ProposeOutcome {
  if (r.role !== "leader") return { kind: "notLeader", leader: r.leader };
  if (r.pendingConfIndex > r.log.applied) return { kind: "confChangePending" };
  const leaves = change.changes.length === 0 && change.transition === "auto";
  if (isJoint(r.conf) && !leaves) return { kind: "confChangePending" };
  const next = applyToConf(r.conf, change);
  if (next.kind === "invalid") return { kind: "invalidConfChange", reason: next.reason };
  const outcome = propose(r, "confChange", encodeConfChange(change));
  if (outcome.kind === "accepted") r.pendingConfIndex = outcome.index;
  return outcome;
}

/** Leaves a joint configuration that says it is to be left as soon as it is in force. */
export function leaveJointIfDue(r: RaftState): void {
  if (r.role !== "leader" || !r.conf.autoLeave || r.log.applied < r.pendingConfIndex) return;
  proposeConfChange(r, leaveJoint);
}

export function stepLeader(r: RaftState, message: Message): void {
  switch (message.type) {
    case "propose":
      proposeForwarded(r, message.entries);
      return;
    case "readIndex":
      takeRead(r, message.from, message.context);
      return;
    case "transferLeader":
      transferTo(r, message.context);
      return;
    case "appendResponse": {
      const peer = r.members.get(message.from);
      if (peer !== undefined) stepAppendResponse(r, peer, message);
      return;
    }
    case "heartbeatResponse": {
      const peer = r.members.get(message.from);
      if (peer !== undefined) stepHeartbeatResponse(r, peer, message);
      return;
    }
    default:
      return;
  }
}

function proposeForwarded(r: RaftState, entries: readonly Entry[]): void {
  for (const entry of entries) {
    if (entry.kind === "normal") {
      propose(r, "normal", entry.data);
    } else {
      const change = parseConfChange(entry.data);
      if (change !== null) proposeConfChange(r, change);
    }
  }
}

function stepAppendResponse(r: RaftState, peer: Progress, message: Message): void {
  peer.recentActive = true;
  if (message.reject) {
    const hint = message.logTerm > 0
      ? r.log.lastNotAbove(message.rejectHint, message.logTerm)
      : message.rejectHint;
    if (peer.rejected(message.index, hint)) r.appendsDue = true;
    return;
  }
  if (message.index > r.log.lastIndex) return;
  const news = peer.acknowledged(message.index);
  if (!news && !(peer.state === "probe" && message.index === peer.match)) return;
  if (peer.state === "replicate") {
    peer.inflights.freeTo(message.index);
  } else if (peer.state === "probe" || peer.match + 1 >= r.log.firstIndex) {
    peer.becomeReplicate();
  }
  r.appendsDue = true;
  advanceCommit(r);
  if (peer.id === r.transferee && peer.match === r.log.lastIndex) sendTimeoutNow(r, peer.id);
}

function stepHeartbeatResponse(r: RaftState, peer: Progress, message: Message): void {
  peer.recentActive = true;
  peer.probeSent = false;
  if (peer.match < r.log.lastIndex || peer.state === "probe") {
    peer.poked = true;
    r.appendsDue = true;
  }
  const round = Number(message.context);
  if (round <= peer.ackedRound || round > r.reads.round) return;
  peer.ackedRound = round;
  for (const read of r.reads.takeConfirmed(confirmedRound(r))) answerRead(r, read);
}

/** Commits what a quorum holds durably, if it ends in an entry of this leader's own term. */
export function advanceCommit(r: RaftState): void {
  const before = r.log.commit;
  const index = r.quorumOf(matchOf);
  if (index <= before || r.log.termAt(index) !== r.term) return;
  r.log.commitTo(index);
  for (let i = before + 1; i <= index; i++) {
    const entry = r.log.at(i);
    if (entry.term === r.term) r.uncommittedBytes -= entry.data.length;
  }
  r.appendsDue = true;
  for (const read of r.reads.takeWaiting()) takeRead(r, read.from, read.requestId);
}

const matchOf = (member: Progress): number => member.match;

/** The leader's own disk holds the log up to `log.stable`. */
export function ownLogPersisted(r: RaftState): void {
  if (r.self === null || !r.self.acknowledged(r.log.stable)) return;
  advanceCommit(r);
}

/** The membership changed: fewer may be needed to commit, and newcomers want the log. */
export function confChanged(r: RaftState): void {
  advanceCommit(r);
  r.appendsDue = true;
  const transferee = r.members.get(r.transferee);
  if (transferee === undefined || transferee.learner) abortTransfer(r);
  leaveJointIfDue(r);
}

/**
 * A leader that was removed or demoted stays in office until a voter takes over: were it to leave
 * at
 * once, voters which have not heard that its removal is committed could need its vote, and its log
 * might be longer than theirs. So it asks the best voter to stand, again and again.
 */
function handOver(r: RaftState): void {
  let best: Progress | null = null;
  for (const voter of r.voters) {
    if (best === null || voter.match > best.match) best = voter;
  }
  if (best !== null && best.match === r.log.lastIndex) sendTimeoutNow(r, best.id);
}

/** Sends every follower what it lacks, as far as its flow control allows. */
export function sendAppends(r: RaftState): void {
  r.appendsDue = false;
  for (const peer of r.peers) {
    switch (peer.state) {
      case "probe":
        if (!peer.probeSent) sendAppend(r, peer, false);
        break;
      case "replicate":
        replicate(r, peer);
        break;
      case "snapshot":
        break;
    }
  }
}

function replicate(r: RaftState, peer: Progress): void {
  let sent = false;
  while (!peer.inflights.full && peer.next <= r.log.lastIndex) {
    sent = true;
    if (!sendAppend(r, peer, false)) return;
  }
  if (!sent && (peer.poked || peer.needsCommit(r.log.commit))) sendAppend(r, peer, true);
}

/** @returns false when a snapshot is needed first, so that no append was sent. */
function sendAppend(r: RaftState, peer: Progress, empty: boolean): boolean {
  const prevTerm = r.log.termAt(peer.next - 1);
  if (prevTerm === unknownTerm) {
    sendSnapshot(r, peer);
    return false;
  }
  const entries = empty
    ? noEntries
    : r.log.slice(peer.next, r.log.lastIndex, r.config.maxAppendBytes);
  const message = r.draft("append", peer.id);
  message.index = peer.next - 1;
  message.logTerm = prevTerm;
  message.entries = entries;
  message.commit = r.log.commit;
  r.messages.push(message);
  peer.sent(entries.length, r.log.commit);
  return true;
}

function sendSnapshot(r: RaftState, peer: Progress): void {
  // A silent member may be gone for good; its snapshot waits until it answers a heartbeat.
  if (!peer.recentActive) return;
  const meta = r.log.snapshot;
  if (meta.index < r.log.firstIndex - 1) {
    // The log does not continue it any more; the runner makes another, then `snapshotTaken`.
    r.snapshotWanted = true;
    return;
  }
  peer.becomeSnapshot(meta.index);
  const message = r.draft("snapshot", peer.id);
  message.snapshot = meta;
  message.index = meta.index;
  message.logTerm = meta.term;
  r.messages.push(message);
}

/** A newer snapshot is there; whether it is new enough shows when it is about to be sent. */
export function snapshotTaken(r: RaftState): void {
  if (!r.snapshotWanted) return;
  r.snapshotWanted = false;
  r.appendsDue = true;
}

/** @returns the first index of the log that a follower is known to lack */
export function neededFrom(r: RaftState): number {
  const { firstIndex, lastIndex, snapshot } = r.log;
  let needed = lastIndex + 1;
  for (const peer of r.peers) {
    // What an answering member holds is about to be known.
    if (peer.state === "probe" && peer.recentActive) return firstIndex;
    const from = peer.state === "snapshot" ? peer.next : peer.match + 1;
    // Whom the log can't bring up to date, or a snapshot can, makes do with the tail.
    if (from >= firstIndex && from > snapshot.index) needed = Math.min(needed, from);
  }
  return needed;
}

function sendHeartbeats(r: RaftState): void {
  const context = BigInt(r.reads.beginRound(r.ticks));
  for (const peer of r.peers) {
    const message = r.draft("heartbeat", peer.id);
    // Never above what the follower is known to hold: its own entries there may be others.
    message.commit = Math.min(peer.match, r.log.commit);
    message.context = context;
    r.messages.push(message);
  }
}

/** Begins one heartbeat round for all reads that came since the last Ready. */
export function sendReadRound(r: RaftState): void {
  if (r.reads.needsRound) sendHeartbeats(r);
}

/** A read of this member or of a follower: answered at once, after a round, or after a commit. */
export function takeRead(r: RaftState, from: bigint, requestId: bigint): void {
  if (r.log.termAt(r.log.commit) !== r.term) {
    r.reads.hold(from, requestId);
    return;
  }
  const read = { from, requestId, index: r.log.commit, round: 0 };
  if (r.isAlone || holdsLease(r)) answerRead(r, read);
  else r.reads.confirm(read);
}

function holdsLease(r: RaftState): boolean {
  return r.config.readMode === "leaderLease" && !r.leaseForfeited && r.transferee === 0n &&
    leaseHolds(confirmedRound(r), r.ticks, r.config);
}

function confirmedRound(r: RaftState): number {
  const newest = r.reads.round;
  return r.quorumOf((member) => member === r.self ? newest : member.ackedRound);
}

function answerRead(r: RaftState, read: { from: bigint; requestId: bigint; index: number }): void {
  if (read.from === r.id) {
    r.readStates.push({ index: read.index, requestId: read.requestId });
    return;
  }
  const message = r.draft("readIndexResponse", read.from);
  message.index = read.index;
  message.context = read.requestId;
  r.messages.push(message);
}

/** Hands leadership to a voter: bring it up to date, then let it stand at once. */
export function transferTo(r: RaftState, to: bigint): void {
  const peer = r.members.get(to);
  if (peer === undefined || peer.learner || to === r.id || to === r.transferee) return;
  // The hand-over has one election timeout from here.
  r.electionElapsed = 0;
  r.transferee = to;
  if (peer.match === r.log.lastIndex) {
    sendTimeoutNow(r, to);
  } else {
    peer.poked = true;
    r.appendsDue = true;
  }
}

function sendTimeoutNow(r: RaftState, to: bigint): void {
  r.leaseForfeited = true;
  r.messages.push(r.draft("timeoutNow", to));
}

function abortTransfer(r: RaftState): void {
  if (r.transferee === 0n) return;
  r.transferee = 0n;
  leaveJointIfDue(r);
}

/** The transport lost messages to a peer: stop assuming that what was sent arrived. */
export function peerUnreachable(r: RaftState, id: bigint): void {
  const peer = r.members.get(id);
  if (peer === undefined || peer.state !== "replicate") return;
  peer.becomeProbe();
}

/** A snapshot's transfer ended. Its receiver's acknowledgement or a heartbeat resumes appends. */
export function snapshotReported(r: RaftState, id: bigint, ok: boolean): void {
  const peer = r.members.get(id);
  if (peer === undefined || peer.state !== "snapshot") return;
  if (ok) peer.becomeProbe();
  else peer.snapshotFailed();
  peer.probeSent = true;
}
