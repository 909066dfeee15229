/**
 * Holds a lease for one of several equal processes: acquire, renew, resign.
 * In: a Client, a clock, the name of the lease, who this is. Out: leadership, and when it is lost.
 * Never: leads on after it could not renew in time; decides (`plan_leader.ts`).
 * Source: client-go tools/leaderelection (v1.36): leases of 15 s, renewed every 2 s.
 */
import type { KubeObject } from "../../api/meta.ts";
import { leases } from "../../api/resources.ts";
import { ApiError } from "../../api/status.ts";
import type { Client } from "../client.ts";
import { type Cancel, type Clock, sleep } from "../clock.ts";
import { JITTER, type LeaseTimes, leaseTimes } from "./election_config.ts";
import {
  type LeaderRecord,
  NOTHING_SEEN,
  observe,
  type Observed,
  planElection,
  resigned,
} from "./plan_leader.ts";

export interface ElectionOptions extends Partial<LeaseTimes> {
  readonly client: Client;
  readonly clock: Clock;
  readonly namespace: string;
  /** Of the lease, such as `kube-scheduler`. */
  readonly name: string;
  /** Unlike that of any other candidate. */
  readonly identity: string;
  /** Told of attempts that failed; the next follows by itself. */
  readonly onFailure?: (error: ApiError) => void;
}

export interface Leadership {
  /** Resolves when the lease could not be renewed in time, or another one has it. */
  readonly lost: Promise<void>;
  /** Stops renewing and lets others have the lease at once. */
  resign(): Promise<void>;
}

/** Resolves once this process leads. @param signal gives the wait up; then it never resolves */
export async function acquireLeadership(
  options: ElectionOptions,
  signal?: AbortSignal,
): Promise<Leadership> {
  const { clock } = options;
  const candidate = new LeaseCandidate(options);
  while (!signal?.aborted) {
    const askedMillis = clock.nowMillis();
    const isHeld = await candidate.attempt();
    // An answer that took too long says nothing of who leads now.
    const isFresh = clock.nowMillis() - askedMillis < candidate.renewWithinMillis;
    if (isHeld && isFresh) return new HeldLease(candidate, clock, askedMillis);
    await candidate.pause();
  }
  return await new Promise(() => {});
}

/** One candidate's view of the lease. */
class LeaseCandidate {
  readonly #options: ElectionOptions;
  readonly durationMillis: number;
  /** From asking for the lease to asking for it again with success, at most. */
  readonly renewWithinMillis: number;
  readonly #retryMillis: number;
  #observed: Observed = NOTHING_SEEN;

  constructor(options: ElectionOptions) {
    this.#options = options;
    const { durationSeconds, renewSeconds, retrySeconds } = leaseTimes(options);
    this.durationMillis = durationSeconds * 1000;
    this.renewWithinMillis = renewSeconds * 1000;
    this.#retryMillis = retrySeconds * 1000;
  }

  /** Takes the lease, or renews it. @returns whether it is this candidate's now */
  async attempt(): Promise<boolean> {
    const { clock, identity } = this.#options;
    try {
      const lease = await this.#read();
      const nowMillis = clock.nowMillis();
      this.#observed = observe(this.#observed, lease && recordOf(lease), nowMillis);
      const candidate = { identity, durationSeconds: this.durationMillis / 1000 };
      const now = microTime(nowMillis);
      const action = planElection(candidate, this.#observed, { nowMillis, now });
      if (action.kind === "wait") return false;
      await this.#write(action.record, lease);
      this.#observed = observe(this.#observed, action.record, nowMillis);
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#options.onFailure?.(error);
      return false;
    }
  }

  /** Gives the lease up if it is this candidate's. */
  async release(): Promise<void> {
    try {
      const lease = await this.#read();
      const record = lease && recordOf(lease);
      if (record?.holder !== this.#options.identity) return;
      await this.#write(resigned(record, microTime(this.#options.clock.nowMillis())), lease);
    } catch (error) {
      // Then it runs out.
      if (!(error instanceof ApiError)) throw error;
      this.#options.onFailure?.(error);
    }
  }

  pause(): Promise<void> {
    const { clock } = this.#options;
    const spread = 1 + clock.random() * (JITTER - 1);
    return sleep(clock, this.#retryMillis * spread);
  }

  async #read(): Promise<KubeObject | null> {
    const { client, namespace, name } = this.#options;
    try {
      return await client.get<KubeObject>(leases, { namespace, name });
    } catch (error) {
      if (error instanceof ApiError && error.reason === "NotFound") return null;
      throw error;
    }
  }

  /** Writes over exactly the lease that was read. Errors: rejects with ApiError. */
  async #write(record: LeaderRecord, lease: KubeObject | null): Promise<void> {
    const { client, namespace, name } = this.#options;
    const spec = {
      // Nobody is no holder: the API takes none that is empty.
      holderIdentity: record.holder === "" ? undefined : record.holder,
      leaseDurationSeconds: record.durationSeconds,
      acquireTime: record.acquireTime,
      renewTime: record.renewTime,
      leaseTransitions: record.transitions,
    };
    if (lease === null) await client.create(leases, { metadata: { namespace, name }, spec });
    else await client.update(leases, { ...lease, spec: { ...lease.spec, ...spec } });
  }
}

class HeldLease implements Leadership {
  readonly lost: Promise<void>;
  readonly #candidate: LeaseCandidate;
  readonly #clock: Clock;
  readonly #lost = Promise.withResolvers<void>();
  #stopDeadline: Cancel = () => {};
  #isOver = false;

  /** @param askedMillis when the lease was asked for, before the answer came */
  constructor(candidate: LeaseCandidate, clock: Clock, askedMillis: number) {
    this.#candidate = candidate;
    this.#clock = clock;
    this.lost = this.#lost.promise;
    this.#heldSince(askedMillis);
    void this.#renew();
  }

  async resign(): Promise<void> {
    if (this.#isOver) return;
    this.#end();
    await this.#candidate.release();
  }

  async #renew(): Promise<void> {
    for (;;) {
      await this.#candidate.pause();
      if (this.#isOver) return;
      const askedMillis = this.#clock.nowMillis();
      if (await this.#candidate.attempt() && !this.#isOver) this.#heldSince(askedMillis);
    }
  }

  #heldSince(askedMillis: number): void {
    this.#stopDeadline();
    const left = askedMillis + this.#candidate.renewWithinMillis - this.#clock.nowMillis();
    this.#stopDeadline = this.#clock.after(Math.max(0, left), () => {
      this.#end();
      this.#lost.resolve();
    });
  }

  #end(): void {
    this.#isOver = true;
    this.#stopDeadline();
  }
}

/** Errors: none: a lease that others have filled strangely reads as nobody's. */
function recordOf({ spec = {} }: KubeObject): LeaderRecord {
  return {
    holder: spec.holderIdentity ?? "",
    durationSeconds: spec.leaseDurationSeconds ?? 0,
    acquireTime: spec.acquireTime ?? "",
    renewTime: spec.renewTime ?? "",
    transitions: spec.leaseTransitions ?? 0,
  };
}

/** 2026-01-02T03:04:05.678000Z */
function microTime(millis: number): string {
  return new Date(millis).toISOString().replace("Z", "000Z");
}
