/**
 * Standing for election: who may, whom to ask, and counting the answers.
 * In: an election timeout, a request to stand, answers to vote requests. Out: requests, a role.
 * Never: counts its own vote before the disk holds it; touches the log.
 * Source: Ongaro's thesis, sections 3.4, 4.2.3 and 9.6 (PreVote).
 */
import { lead } from "./leader.ts";
import type { RaftState } from "./state.ts";
import type { Message } from "./types.ts";

/** `transfer` is an election a leader asked for, which nobody's lease may hold up. */
export type CampaignKind = "preVote" | "vote" | "transfer";

/** Marks a vote request of an election that the leader itself asked for. */
export const transferContext = 1n;

/** Stands for election if this member may: a voter, up to date with committed memberships. */
export function stand(r: RaftState, kind: CampaignKind): void {
  if (r.role === "leader" || !r.promotable || r.log.hasUnappliedConfChange()) return;
  campaign(r, kind);
}

function campaign(r: RaftState, kind: CampaignKind): void {
  const asksOnly = kind === "preVote";
  if (asksOnly) r.becomePreCandidate();
  else r.becomeCandidate();
  for (const peer of r.peers) {
    if (peer.learner) continue;
    const message = r.draft(asksOnly ? "preVote" : "vote", peer.id);
    message.term = asksOnly ? r.term + 1 : r.term;
    message.index = r.log.lastIndex;
    message.logTerm = r.log.lastTerm;
    message.context = kind === "transfer" ? transferContext : 0n;
    r.messages.push(message);
  }
  // Asking binds nobody, so this needs no disk; a real vote counts in `ownVotePersisted`.
  if (asksOnly) countVote(r, r.id, true);
}

/** The disk holds this member's vote for itself. */
export function ownVotePersisted(r: RaftState): void {
  if (r.role === "candidate") countVote(r, r.id, true);
}

export function stepCandidate(r: RaftState, message: Message): void {
  const expected = r.role === "preCandidate" ? "preVoteResponse" : "voteResponse";
  if (message.type === expected) countVote(r, message.from, !message.reject);
}

function countVote(r: RaftState, from: bigint, granted: boolean): void {
  if (!r.votes.has(from)) r.votes.set(from, granted);
  switch (r.quorumVote((member) => r.votes.get(member.id))) {
    case "won":
      if (r.role === "preCandidate") campaign(r, "vote");
      else lead(r);
      return;
    case "lost":
      r.becomeFollower(r.term, 0n);
      return;
    case "pending":
      return;
  }
}
