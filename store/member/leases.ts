/**
 * Time of leases: the leader revokes what has expired; anyone passes a renewal to the leader.
 * In: ticks, keep-alives. Out: revocations and checkpoints through the log, remaining times.
 * Never: ends a lease without the log's word; promises time, or takes it, as a leader of the past:
 * renewals wait until a quorum confirms the leader, revocations go into its own log or nowhere.
 */
import { encodeLeaseCheckpoints, encodeLeaseRevoke } from "../mvcc/admin_codec.ts";
import { COMMAND } from "../mvcc/command.ts";
import { LeaseClock } from "../mvcc/lease/lease_clock.ts";
import { type ApplyOutcome, type Identity, isFailure } from "../mvcc/outcome.ts";
import type { StoreFailure } from "../mvcc/types.ts";
import type { Member } from "./member.ts";
import { callLeader } from "./peer_calls.ts";
import { encodeAlone } from "./proposals.ts";

/** Revocations proposed in one tick. */
const REVOKES_PER_TICK = 1_000;

export type KeepAliveOutcome =
  | { readonly kind: "lease"; readonly id: bigint; readonly ttlSeconds: number }
  | StoreFailure;

/** Whole seconds; `remainingSeconds` is -1 for a lease that is gone. */
export interface LeaseTime {
  readonly kind: "time";
  readonly remainingSeconds: number;
  readonly grantedSeconds: number;
}

export class Leases {
  readonly #member: Member;
  readonly #clock: LeaseClock;
  /** In which the clock last began to lead. */
  #term = 0;

  constructor(member: Member) {
    this.#member = member;
    this.#clock = new LeaseClock(() => member.machine.leases, {
      extendMillis: member.config.electionTimeoutMillis,
      checkpointMillis: member.config.leaseCheckpointMillis,
    });
    member.onTick(() => this.#tick());
  }

  /** Renews a lease; a follower asks the leader. */
  async keepAlive(id: bigint): Promise<KeepAliveOutcome> {
    if (this.#member.isServingLeader) return await this.#renew(id);
    const answer = await callLeader(this.#member, { ask: "keepAlive", id: id.toString() });
    if (answer === null) return { kind: "noLeader" };
    if (typeof answer.ttlSeconds === "number") {
      return { kind: "lease", id, ttlSeconds: answer.ttlSeconds };
    }
    return { kind: answer.failure === "leaseNotFound" ? "leaseNotFound" : "notLeader" };
  }

  /** As `keepAlive`, without a promise; null when it has to wait for another member or the log. */
  keepAliveNow(id: bigint): KeepAliveOutcome | null {
    if (!this.#member.canReadNow) return null;
    this.#follow();
    const renewed = this.#clock.renew(id, this.#member.now());
    if (renewed.kind !== "lease") return renewed;
    return renewed.wasCheckpointed ? null : { kind: "lease", id, ttlSeconds: renewed.ttlSeconds };
  }

  /** How long a lease still lives; a follower asks the leader. */
  async timeToLive(id: bigint): Promise<LeaseTime | StoreFailure> {
    if (this.#member.isServingLeader) return this.#remaining(id);
    const answer = await callLeader(this.#member, { ask: "leaseTime", id: id.toString() });
    if (typeof answer?.remainingSeconds !== "number") return { kind: "noLeader" };
    const { remainingSeconds, grantedSeconds } = answer;
    return { kind: "time", remainingSeconds, grantedSeconds: Number(grantedSeconds) };
  }

  /** Answers another member's question; null when it is not about leases. */
  async answer(question: Record<string, unknown>): Promise<Record<string, unknown> | null> {
    if (question.ask !== "keepAlive" && question.ask !== "leaseTime") return null;
    if (!/^-?\d{1,20}$/.test(String(question.id))) return { failure: "leaseNotFound" };
    if (!this.#member.isServingLeader) return { failure: "notLeader" };
    const id = BigInt(String(question.id));
    if (question.ask === "leaseTime") return { ...this.#remaining(id) };
    const outcome = await this.#renew(id);
    return outcome.kind === "lease"
      ? { ttlSeconds: outcome.ttlSeconds }
      : { failure: outcome.kind };
  }

  async #renew(id: bigint): Promise<KeepAliveOutcome> {
    const unconfirmed = await new Promise<StoreFailure | null>((resolve) => {
      this.#member.readIndex(resolve);
    });
    if (unconfirmed !== null) return unconfirmed;
    if (!this.#member.isServingLeader) return { kind: "notLeader" };
    this.#follow();
    const { term } = this.#member.raft;
    const renewed = this.#clock.renew(id, this.#member.now());
    if (renewed.kind !== "lease") return renewed;
    if (renewed.wasCheckpointed) {
      // Until the log forgets what was left, a new leader would give no more than that.
      const checkpoint = this.#clock.checkpointOf(id);
      const body = encodeLeaseCheckpoints([{ id, remainingTtlSeconds: 0 }]);
      const outcome = await new Promise<ApplyOutcome>((resolve) => {
        this.#member.submit(COMMAND.leaseCheckpoint, body, undefined, resolve);
      });
      if (isFailure(outcome)) return outcome;
      // Another leader may have begun with what was left before the log forgot it.
      if (this.#member.raft.term !== term) return { kind: "notLeader" };
      this.#clock.cleared(id, checkpoint);
    }
    return { kind: "lease", id, ttlSeconds: renewed.ttlSeconds };
  }

  #remaining(id: bigint): LeaseTime {
    this.#follow();
    const remaining = this.#clock.remaining(id, this.#member.now());
    return remaining.kind === "remaining"
      ? {
        kind: "time",
        remainingSeconds: remaining.seconds,
        grantedSeconds: remaining.grantedSeconds,
      }
      : { kind: "time", remainingSeconds: -1, grantedSeconds: 0 };
  }

  /** Keeps the clock's role equal to the member's; who leads again leads anew. */
  #follow(): void {
    const leads = this.#member.isServingLeader;
    const { term } = this.#member.raft;
    if (leads && (!this.#clock.isLeading || this.#term !== term)) {
      this.#clock.promote(this.#member.now());
      this.#term = term;
    }
    if (!leads && this.#clock.isLeading) this.#clock.demote();
  }

  /** While auth is enabled, what expires is revoked in root's name, whoever wrote the keys. */
  #revoker(): Identity | undefined {
    const { enabled, revision } = this.#member.machine.auth;
    return enabled ? { user: "root", authRevision: revision } : undefined;
  }

  #tick(): void {
    this.#follow();
    if (!this.#clock.isLeading) return;
    const now = this.#member.now();
    for (const id of this.#clock.expired(now, REVOKES_PER_TICK)) {
      const revoke = encodeAlone(COMMAND.leaseRevoke, encodeLeaseRevoke({ id }), this.#revoker());
      this.#member.raft.propose(revoke);
    }
    const due = this.#clock.dueCheckpoints(now, REVOKES_PER_TICK);
    if (due.length === 0) return;
    const body = encodeLeaseCheckpoints(due);
    this.#member.raft.propose(encodeAlone(COMMAND.leaseCheckpoint, body));
  }
}
