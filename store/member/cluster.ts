/**
 * Membership as users change it: add, remove, update, promote, move the leader.
 * In: requests on any member. Out: the changed list, or why not.
 * Never: decides alone; every change goes through the leader and the log.
 * Source: etcd server/etcdserver/api/membership (checks and their order).
 */
import type { StoreFailure } from "../mvcc/types.ts";
import type { Timer } from "../ports.ts";
import type { ConfChangeSingle } from "../raft/types.ts";
import type { ConfChangeOutcome } from "./applier.ts";
import { computeMemberId } from "./identity.ts";
import type { Member } from "./member.ts";
import { encodeMember, type MemberRecord } from "./membership.ts";
import { callLeader } from "./peer_calls.ts";

/** A learner may vote once its log is this close to the leader's. */
const READY_FRACTION = 0.9;
const MAX_LEARNERS = 1;

export type ClusterRefusal =
  | "memberExists"
  | "peerUrlExists"
  | "badUrls"
  | "memberNotFound"
  | "notLearner"
  | "learnerNotReady"
  | "tooManyLearners"
  | "notEnoughStarted"
  | "unhealthy"
  | "badTransferee";

export type ClusterOutcome =
  | { readonly kind: "changed"; readonly added?: MemberRecord }
  | { readonly kind: "member"; readonly reason: ClusterRefusal }
  | StoreFailure;

export type ClusterRequest =
  | { readonly ask: "memberAdd"; readonly peerUrls: readonly string[]; readonly isLearner: boolean }
  | { readonly ask: "memberRemove"; readonly id: string }
  | { readonly ask: "memberUpdate"; readonly id: string; readonly peerUrls: readonly string[] }
  | {
    readonly ask: "memberDescribe";
    readonly id: string;
    readonly name: string;
    readonly clientUrls: readonly string[];
  }
  | { readonly ask: "memberPromote"; readonly id: string };

const NO_CONTEXT = new Uint8Array(0);

export class Cluster {
  readonly #member: Member;
  readonly #timer: Timer;
  #describing = false;

  constructor(member: Member, timer: Timer) {
    this.#member = member;
    this.#timer = timer;
    member.onTick(() => this.#describeSelf());
  }

  /** Carries out a change, through the leader when this member is none. */
  async change(request: ClusterRequest): Promise<ClusterOutcome> {
    if (this.#member.isServingLeader) return await this.#changeAsLeader(request);
    const answer = await callLeader(this.#member, request);
    if (answer === null) return { kind: "noLeader" };
    const id = typeof answer.addedId === "string" ? BigInt(`0x${answer.addedId}`) : null;
    if (answer.kind === "changed" && id !== null) {
      const record = request.ask === "memberAdd" ? newRecord(id, request) : undefined;
      return record === undefined ? { kind: "changed" } : { kind: "changed", added: record };
    }
    if (answer.kind === "changed") return { kind: "changed" };
    if (answer.kind === "member") {
      return { kind: "member", reason: answer.reason as ClusterRefusal };
    }
    return { kind: answer.kind === "noLeader" ? "noLeader" : "timeout" };
  }

  /** Hands leadership to another voter. */
  async moveLeader(to: bigint): Promise<{ readonly kind: "done" } | ClusterOutcome> {
    const member = this.#member;
    if (!member.isLeader) return { kind: "notLeader" };
    if (!member.raft.conf.voters.includes(to)) return { kind: "member", reason: "badTransferee" };
    member.transferLeader(to);
    const deadline = member.now() + 2 * member.config.electionTimeoutMillis;
    while (member.raft.leader !== to) {
      if (member.now() > deadline || member.stopped) return { kind: "timeout" };
      await new Promise<void>((resolve) => this.#timer.after(10, resolve));
    }
    return { kind: "done" };
  }

  /** Answers another member's request; null when it is none of these. */
  async answer(question: Record<string, unknown>): Promise<Record<string, unknown> | null> {
    const request = parseRequest(question);
    if (request === null) return null;
    if (!this.#member.isServingLeader) return { kind: "noLeader" };
    const outcome = await this.#changeAsLeader(request);
    if (outcome.kind !== "changed") return { ...outcome };
    return { kind: "changed", addedId: outcome.added?.id.toString(16) };
  }

  async #changeAsLeader(request: ClusterRequest): Promise<ClusterOutcome> {
    const { membership } = this.#member;
    if (request.ask === "memberAdd") return await this.#add(request);
    const id = BigInt(`0x${request.id}`);
    const known = membership.get(id);
    if (known === undefined) return { kind: "member", reason: "memberNotFound" };
    switch (request.ask) {
      case "memberRemove":
        return await this.#propose({ type: "remove", id });
      case "memberUpdate": {
        const taken = this.#takenUrl(request.peerUrls, id);
        if (taken !== null) return taken;
        return await this.#propose({ type: "update", id }, {
          ...known,
          peerUrls: request.peerUrls,
        });
      }
      case "memberDescribe": {
        const { name, clientUrls } = request;
        return await this.#propose({ type: "update", id }, { ...known, name, clientUrls });
      }
      case "memberPromote": {
        if (!known.isLearner) return { kind: "member", reason: "notLearner" };
        if (!this.#isCaughtUp(id)) return { kind: "member", reason: "learnerNotReady" };
        return await this.#propose({ type: "addVoter", id }, { ...known, isLearner: false });
      }
    }
  }

  async #add(request: Extract<ClusterRequest, { ask: "memberAdd" }>): Promise<ClusterOutcome> {
    const { membership, config } = this.#member;
    if (request.peerUrls.length === 0 || !request.peerUrls.every(isPeerUrl)) {
      return { kind: "member", reason: "badUrls" };
    }
    const taken = this.#takenUrl(request.peerUrls, 0n);
    if (taken !== null) return taken;
    const learners = membership.list().filter((member) => member.isLearner).length;
    if (request.isLearner && learners >= MAX_LEARNERS) {
      return { kind: "member", reason: "tooManyLearners" };
    }
    const seconds = Math.floor(this.#timer.wallNow() / 1000);
    const id = computeMemberId(request.peerUrls, config.initialClusterToken, seconds);
    if (membership.get(id) !== undefined || membership.isRemoved(id)) {
      return { kind: "member", reason: "memberExists" };
    }
    const record = newRecord(id, request);
    const type = request.isLearner ? "addLearner" : "addVoter";
    const outcome = await this.#propose({ type, id }, record);
    return outcome.kind === "changed" ? { kind: "changed", added: record } : outcome;
  }

  async #propose(change: ConfChangeSingle, record?: MemberRecord): Promise<ClusterOutcome> {
    const outcome: ConfChangeOutcome = await this.#member.changeMembership({
      changes: [change],
      transition: "auto",
      context: record === undefined ? NO_CONTEXT : encodeMember(record),
    });
    if (outcome.kind === "refused") return { kind: "member", reason: "unhealthy" };
    return outcome;
  }

  #takenUrl(peerUrls: readonly string[], except: bigint): ClusterOutcome | null {
    const taken = this.#member.membership.list().some((member) =>
      member.id !== except && member.peerUrls.some((url) => peerUrls.includes(url))
    );
    return taken ? { kind: "member", reason: "peerUrlExists" } : null;
  }

  #isCaughtUp(id: bigint): boolean {
    const progress = this.#member.progress().get(id);
    return progress !== undefined &&
      progress.match >= READY_FRACTION * this.#member.raft.lastIndex;
  }

  /** Makes this member's name and client URLs known once it is part of a cluster with a leader. */
  #describeSelf(): void {
    const { membership, config, id, raft } = this.#member;
    const known = membership.get(id);
    if (known === undefined || raft.leader === 0n || this.#describing) return;
    const { name, advertiseClientUrls: clientUrls } = config;
    if (known.name === name && known.clientUrls.join() === clientUrls.join()) return;
    this.#describing = true;
    void this.change({ ask: "memberDescribe", id: id.toString(16), name, clientUrls })
      .finally(() => this.#describing = false);
  }
}

function newRecord(
  id: bigint,
  request: { readonly peerUrls: readonly string[]; readonly isLearner: boolean },
): MemberRecord {
  const { peerUrls, isLearner } = request;
  return { id, name: "", peerUrls, clientUrls: [], isLearner };
}

function isPeerUrl(text: string): boolean {
  const protocol = URL.parse(text)?.protocol;
  return protocol === "http:" || protocol === "https:";
}

/** Reads a request that came from another member. */
function parseRequest(question: Record<string, unknown>): ClusterRequest | null {
  const texts = (value: unknown): string[] =>
    Array.isArray(value) ? value.filter((text) => typeof text === "string") : [];
  const id = String(question.id);
  const hasId = /^[0-9a-f]{1,16}$/.test(id);
  switch (question.ask) {
    case "memberAdd":
      return {
        ask: "memberAdd",
        peerUrls: texts(question.peerUrls),
        isLearner: question.isLearner === true,
      };
    case "memberRemove":
    case "memberPromote":
      return hasId ? { ask: question.ask, id } : null;
    case "memberUpdate":
      return hasId ? { ask: "memberUpdate", id, peerUrls: texts(question.peerUrls) } : null;
    case "memberDescribe":
      return hasId
        ? {
          ask: "memberDescribe",
          id,
          name: String(question.name),
          clientUrls: texts(question.clientUrls),
        }
        : null;
    default:
      return null;
  }
}
