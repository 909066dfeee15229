/**
 * What passes between the runner and Raft's proposals: configuration, messages, refusals.
 * In: the store's configuration, entry data, outcomes. Out: what the other side understands.
 * Never: has an effect.
 */
import type { Message, ProposeOutcome, RaftConfig, Random } from "../raft/types.ts";
import type { ConfChangeOutcome } from "./applier.ts";
import type { StoreConfig } from "./config.ts";

/** @returns Raft's configuration; one tick is one heartbeat interval */
export function raftConfigOf(config: StoreConfig, id: bigint, random: Random): RaftConfig {
  const ticks = Math.round(config.electionTimeoutMillis / config.heartbeatIntervalMillis);
  return {
    id,
    electionTicks: Math.max(2, ticks),
    heartbeatTicks: 1,
    preVote: true,
    checkQuorum: true,
    readMode: "readIndex",
    maxAppendBytes: 1024 * 1024,
    maxInflightMessages: 256,
    maxUncommittedBytes: 64 * 1024 * 1024,
    tailEntries: config.snapshotCatchUpEntries,
    tailBytes: 32 * 1024 * 1024,
    laggingBytes: config.snapshotLogBytes,
    random,
  };
}

/** @returns the message that asks the leader to propose `data` */
export function forwardedProposal(
  route: { readonly from: bigint; readonly to: bigint },
  data: Uint8Array,
): Message {
  return {
    type: "propose",
    from: route.from,
    to: route.to,
    term: 0,
    logTerm: 0,
    index: 0,
    commit: 0,
    entries: [{ term: 0, index: 0, kind: "normal", data }],
    reject: false,
    rejectHint: 0,
    snapshot: null,
    context: 0n,
  };
}

/** @returns what the proposer of a membership change is told when Raft does not take it */
export function confChangeRefusal(
  outcome: Exclude<ProposeOutcome, { readonly kind: "accepted" }>,
): ConfChangeOutcome {
  switch (outcome.kind) {
    case "notLeader":
      return { kind: "notLeader" };
    case "transferring":
    case "overloaded":
      return { kind: "tooManyRequests" };
    case "confChangePending":
      return { kind: "refused", reason: "another change is under way" };
    case "invalidConfChange":
      return { kind: "refused", reason: outcome.reason };
  }
}
