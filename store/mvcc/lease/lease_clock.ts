/**
 * When leases end, as the leader sees it; followers have none.
 * In: the replicated lease table and `now` in milliseconds. Out: leases to revoke, checkpoints to
 * propose. Never: changes replicated state; reads a clock.
 * Source: etcd's primary lessor: a new leader gives every lease its whole TTL again (or what the
 * last checkpoint left) plus an extension; piled-up expiries are spread over time.
 */
import type { StoreFailure } from "../types.ts";
import type { Lease, LeaseTable } from "./lease_table.ts";
import type { LeaseCheckpoint } from "../admin_codec.ts";

export interface LeaseClockOptions {
  /** Added to every TTL when a leader begins, milliseconds; etcd: the election timeout. */
  readonly extendMillis?: number;
  /** A lease not revoked by then is reported again. Default 3000. */
  readonly retryMillis?: number;
  /** Leases longer than this are checkpointed this often; 0 = never. Default 300000. */
  readonly checkpointMillis?: number;
  /** Expiries allowed per second right after a leader change. Default 750. */
  readonly expiriesPerSecond?: number;
}

/** One life of a lease: an id that is granted again after its end begins another. */
interface Timing {
  readonly lease: Lease;
  /** Milliseconds. */
  deadline: number;
  readonly expiry: Waiting;
  readonly checkpoint: Waiting;
  /** A checkpoint handed out and not cleared since; it may not be applied yet. */
  handedOut: number | undefined;
}

/** A lease's place in one heap. */
interface Waiting {
  /** The moment that counts, others are passed over when they come up; Infinity = none waits. */
  at: number;
}

interface Entry {
  readonly at: number;
  readonly waiting: Waiting;
  readonly timing: Timing;
}

/**
 * A binary heap of moments, soonest first, with one that counts per lease. A later moment for a
 * lease that waits already is not queued: a keep-alive a second would fill the heap with the past.
 */
class TimeHeap {
  readonly #items: Entry[] = [];
  readonly #place: "expiry" | "checkpoint";

  constructor(place: "expiry" | "checkpoint") {
    this.#place = place;
  }

  get first(): Entry | undefined {
    return this.#items[0];
  }

  /** Queues a moment, unless an earlier one of the same lease waits. */
  push(timing: Timing, moment: number): void {
    const waiting = timing[this.#place];
    if (waiting.at <= moment) return;
    waiting.at = moment;
    const item = { at: moment, waiting, timing };
    const items = this.#items;
    let at = items.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (items[parent].at <= moment) break;
      items[at] = items[parent];
      at = parent;
    }
    items[at] = item;
  }

  /** @returns the lease of the first moment where that is the one that counts, else undefined. */
  pop(): Timing | undefined {
    const { at: moment, waiting, timing } = this.#items[0];
    this.#dropFirst();
    if (waiting.at !== moment) return undefined;
    waiting.at = Infinity;
    return timing;
  }

  #dropFirst(): void {
    const items = this.#items;
    const last = items.pop();
    if (last === undefined || items.length === 0) return;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && items[child + 1].at < items[child].at) child++;
      if (items[child].at >= last.at) break;
      items[at] = items[child];
      at = child;
    }
    items[at] = last;
  }
}

export class LeaseClock {
  readonly #table: () => LeaseTable;
  readonly #extendMillis: number;
  readonly #retryMillis: number;
  readonly #checkpointMillis: number;
  readonly #expiriesPerSecond: number;
  #leading = false;
  /** By the lease itself, which is another one when its id is granted again. */
  #timings = new Map<Lease, Timing>();
  #expiries = new TimeHeap("expiry");
  #checkpoints = new TimeHeap("checkpoint");
  #checkpointCount = 0;

  /** @param table gives the current table; a restored snapshot replaces it. */
  constructor(table: () => LeaseTable, options: LeaseClockOptions = {}) {
    this.#table = table;
    this.#extendMillis = options.extendMillis ?? 0;
    this.#retryMillis = options.retryMillis ?? 3000;
    this.#checkpointMillis = options.checkpointMillis ?? 300_000;
    this.#expiriesPerSecond = options.expiriesPerSecond ?? 750;
  }

  get isLeading(): boolean {
    return this.#leading;
  }

  /** This member became leader: every lease starts anew. @param now milliseconds. */
  promote(now: number): void {
    this.#clear();
    this.#leading = true;
    const leases = [...this.#table().all()]
      .map((lease) => ({
        lease,
        at: now + this.#extendMillis + 1000 * (lease.remainingTtlSeconds || lease.ttlSeconds),
      }))
      .sort((a, b) => a.at - b.at);
    this.#table().granted.length = 0;
    // No second gets more expiries than can be revoked in it; the rest moves later.
    let windowStart = -Infinity;
    let inWindow = 0;
    for (const { lease, at } of leases) {
      let due = Math.max(at, windowStart);
      if (due >= windowStart + 1000) {
        windowStart = due;
        inWindow = 0;
      } else if (inWindow >= this.#expiriesPerSecond) {
        windowStart += 1000;
        inWindow = 0;
        due = Math.max(due, windowStart);
      }
      inWindow++;
      this.#begin(lease, due, now);
    }
  }

  /** This member is leader no more. */
  demote(): void {
    this.#clear();
    this.#leading = false;
  }

  #clear(): void {
    this.#timings = new Map();
    this.#expiries = new TimeHeap("expiry");
    this.#checkpoints = new TimeHeap("checkpoint");
  }

  #begin(lease: Lease, at: number, now: number): void {
    const timing: Timing = {
      lease,
      deadline: at,
      expiry: { at: Infinity },
      checkpoint: { at: Infinity },
      handedOut: undefined,
    };
    this.#timings.set(lease, timing);
    this.#set(timing, at, now);
  }

  #set(timing: Timing, at: number, now: number): void {
    timing.deadline = at;
    this.#expiries.push(timing, at);
    if (this.#checkpointMillis > 0 && at - now > this.#checkpointMillis) {
      this.#checkpoints.push(timing, now + this.#checkpointMillis);
    }
  }

  /** Starts the time of leases granted since the last look. Call at each tick. */
  observe(now: number): void {
    if (!this.#leading) return;
    const table = this.#table();
    if (table.granted.length === 0) return;
    for (const id of table.granted.splice(0)) {
      const lease = table.get(id);
      if (lease === undefined || this.#timings.has(lease)) continue;
      this.#begin(lease, now + 1000 * lease.ttlSeconds, now);
    }
  }

  #timingOf(id: bigint): Timing | undefined {
    const lease = this.#table().get(id);
    return lease && this.#timings.get(lease);
  }

  /**
   * Finds leases whose time is up; each is reported again after `retryMillis` until revoked.
   * @param now milliseconds. @param limit at most so many.
   * @returns ids to propose a revocation for.
   */
  expired(now: number, limit: number): bigint[] {
    this.observe(now);
    const ids: bigint[] = [];
    while (ids.length < limit) {
      const first = this.#expiries.first;
      if (first === undefined || first.at > now) break;
      const timing = this.#expiries.pop();
      if (timing === undefined) continue;
      const { lease, deadline } = timing;
      if (this.#table().get(lease.id) !== lease) {
        this.#timings.delete(lease);
      } else if (deadline <= now) {
        ids.push(lease.id);
        this.#expiries.push(timing, now + this.#retryMillis);
      } else this.#expiries.push(timing, deadline);
    }
    return ids;
  }

  /**
   * A keep-alive. Errors: notLeader; leaseNotFound, also for one that is up and being revoked.
   * @returns the TTL it has again; `wasCheckpointed` asks to propose a checkpoint of 0.
   */
  renew(
    id: bigint,
    now: number,
  ):
    | { readonly kind: "lease"; readonly ttlSeconds: number; readonly wasCheckpointed: boolean }
    | StoreFailure {
    if (!this.#leading) return { kind: "notLeader" };
    this.observe(now);
    const timing = this.#timingOf(id);
    if (timing === undefined || timing.deadline <= now) return { kind: "leaseNotFound" };
    const { ttlSeconds, remainingTtlSeconds } = timing.lease;
    this.#set(timing, now + 1000 * ttlSeconds, now);
    const wasCheckpointed = remainingTtlSeconds > 0 || timing.handedOut !== undefined;
    return { kind: "lease", ttlSeconds, wasCheckpointed };
  }

  /** @returns a name of the last checkpoint of a lease, for `cleared`; undefined = none */
  checkpointOf(id: bigint): number | undefined {
    return this.#timingOf(id)?.handedOut;
  }

  /** A checkpoint of 0 that was proposed after `checkpoint` is applied. */
  cleared(id: bigint, checkpoint: number | undefined): void {
    const timing = this.#timingOf(id);
    if (timing !== undefined && timing.handedOut === checkpoint) timing.handedOut = undefined;
  }

  /** @returns whole seconds left, at least 0. Errors: notLeader, leaseNotFound. */
  remaining(
    id: bigint,
    now: number,
  ):
    | { readonly kind: "remaining"; readonly seconds: number; readonly grantedSeconds: number }
    | StoreFailure {
    if (!this.#leading) return { kind: "notLeader" };
    this.observe(now);
    const timing = this.#timingOf(id);
    if (timing === undefined || timing.deadline <= now) return { kind: "leaseNotFound" };
    const seconds = Math.floor((timing.deadline - now) / 1000);
    return { kind: "remaining", seconds, grantedSeconds: timing.lease.ttlSeconds };
  }

  /**
   * Finds long leases whose rest should be written down, so that a new leader keeps it.
   * @param now milliseconds. @param limit at most so many.
   * @returns checkpoints to propose in one command.
   */
  dueCheckpoints(now: number, limit: number): LeaseCheckpoint[] {
    const due: LeaseCheckpoint[] = [];
    while (due.length < limit) {
      const first = this.#checkpoints.first;
      if (first === undefined || first.at > now) break;
      const timing = this.#checkpoints.pop();
      if (timing === undefined || timing.deadline <= now) continue;
      const { lease, deadline } = timing;
      if (this.#table().get(lease.id) !== lease) continue;
      const remainingTtlSeconds = Math.ceil((deadline - now) / 1000);
      if (remainingTtlSeconds >= lease.ttlSeconds) continue;
      due.push({ id: lease.id, remainingTtlSeconds });
      timing.handedOut = ++this.#checkpointCount;
      if (deadline - now > this.#checkpointMillis) {
        this.#checkpoints.push(timing, now + this.#checkpointMillis);
      }
    }
    return due;
  }
}
