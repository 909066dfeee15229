/**
 * The replicated part of leases: which exist, how long they last, which keys hang on them.
 * In: grants, revocations and checkpoints in log order. Out: the same state on every member.
 * Never: knows what time it is; `lease_clock.ts` on the leader does.
 * Source: etcd's lessor.
 */
import type { StoreFailure } from "../types.ts";

/** About 285 years; etcd refuses longer ones. */
export const MAX_LEASE_TTL_SECONDS = 9_000_000_000;

export interface Lease {
  readonly id: bigint;
  /** Granted time to live. */
  readonly ttlSeconds: number;
  /** Rest at the last checkpoint, 0 when there was none since the last renewal. */
  remainingTtlSeconds: number;
  /** Ids of the keys attached (`storage/key_table.ts`). */
  readonly keys: Set<number>;
}

/** What a copy of the state says of a lease. */
export type LeaseNumbers = Pick<Lease, "id" | "ttlSeconds" | "remainingTtlSeconds">;

/** The numbers of all leases at one moment, by ascending unsigned id. */
export class LeaseCopy {
  readonly #ids: BigUint64Array;
  readonly #ttlSeconds: Float64Array;
  readonly #remainingTtlSeconds: Float64Array;

  constructor(leases: ReadonlyMap<bigint, Lease>) {
    this.#ids = BigUint64Array.from(leases.keys()).sort();
    this.#ttlSeconds = new Float64Array(leases.size);
    this.#remainingTtlSeconds = new Float64Array(leases.size);
    this.#ids.forEach((id, i) => {
      const lease = leases.get(BigInt.asIntN(64, id))!;
      this.#ttlSeconds[i] = lease.ttlSeconds;
      this.#remainingTtlSeconds[i] = lease.remainingTtlSeconds;
    });
  }

  get count(): number {
    return this.#ids.length;
  }

  at(position: number): LeaseNumbers {
    return {
      id: BigInt.asIntN(64, this.#ids[position]),
      ttlSeconds: this.#ttlSeconds[position],
      remainingTtlSeconds: this.#remainingTtlSeconds[position],
    };
  }
}

export class LeaseTable {
  readonly #leases = new Map<bigint, Lease>();
  readonly #minTtlSeconds: number;
  /** Leases granted since the clock last looked. */
  readonly granted: bigint[] = [];

  /** @param minTtlSeconds shorter wishes are raised to this; equal on every member. */
  constructor(minTtlSeconds: number) {
    this.#minTtlSeconds = minTtlSeconds;
  }

  get size(): number {
    return this.#leases.size;
  }

  get(id: bigint): Lease | undefined {
    return this.#leases.get(id);
  }

  has(id: bigint): boolean {
    return this.#leases.has(id);
  }

  /** @returns ids in ascending order. */
  ids(): bigint[] {
    return [...this.#leases.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  }

  all(): Iterable<Lease> {
    return this.#leases.values();
  }

  /** @returns what a snapshot needs; later changes don't show in it */
  copy(): LeaseCopy {
    return new LeaseCopy(this.#leases);
  }

  /** @returns the lease. Errors: leaseNotFound for id 0, leaseTtlTooLarge, leaseExists. */
  grant(id: bigint, ttlSeconds: number): Lease | StoreFailure {
    if (id === 0n) return { kind: "leaseNotFound" };
    if (ttlSeconds > MAX_LEASE_TTL_SECONDS) return { kind: "leaseTtlTooLarge" };
    if (this.#leases.has(id)) return { kind: "leaseExists" };
    return this.restore(id, Math.max(ttlSeconds, this.#minTtlSeconds), 0);
  }

  /** Puts a lease of a snapshot in place. */
  restore(id: bigint, ttlSeconds: number, remainingTtlSeconds: number): Lease {
    const lease: Lease = { id, ttlSeconds, remainingTtlSeconds, keys: new Set() };
    this.#leases.set(id, lease);
    this.granted.push(id);
    // Followers have no clock that drains the list; it need not outlive the table.
    if (this.granted.length > 2 * this.#leases.size + 1024) {
      this.granted.splice(0, this.granted.length, ...this.#leases.keys());
    }
    return lease;
  }

  remove(id: bigint): void {
    this.#leases.delete(id);
  }

  /** Records how much of a lease is left; unknown leases are passed over. */
  checkpoint(id: bigint, remainingTtlSeconds: number): void {
    const lease = this.#leases.get(id);
    if (lease !== undefined) lease.remainingTtlSeconds = remainingTtlSeconds;
  }

  /** Moves a key from one lease to another; 0n stands for none. */
  move(key: number, from: bigint, to: bigint): void {
    if (from === to) return;
    if (from !== 0n) this.#leases.get(from)?.keys.delete(key);
    if (to !== 0n) this.#leases.get(to)?.keys.add(key);
  }
}
