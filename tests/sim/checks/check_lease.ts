/**
 * What a lease promises: it lives as long as was acknowledged, it ends when nobody renews it, and
 * takes exactly its keys along.
 * In: grants, renewals and revocations as clients saw them; deletions as watchers heard them.
 * Out: nothing, or the broken promise.
 * Never: allows for more than the clocks' drift.
 */
import type { History } from "./history.ts";
import { Violation } from "./history.ts";
import type { Model, SimChange } from "./model.ts";
import { show } from "./model.ts";

/** Clocks of the simulation run up to this much too fast or too slow. */
export const MAX_DRIFT = 0.02;

export interface LeaseRecord {
  readonly id: bigint;
  readonly ttlSeconds: number;
  readonly key: string;
  /** World milliseconds at which the grant and each acknowledged renewal was asked for. */
  readonly renewed: number[];
  /** When a client asked to revoke it, Infinity = never. */
  revokeAsked: number;
  granted: boolean;
  /** Deleted by the lease's end, according to the replay. */
  endedAt: number;
}

export class LeaseBook {
  readonly leases = new Map<bigint, LeaseRecord>();
  readonly #history: History;
  expired = 0;

  constructor(history: History) {
    this.#history = history;
  }

  open(lease: Pick<LeaseRecord, "id" | "ttlSeconds" | "key">): LeaseRecord {
    const record: LeaseRecord = {
      ...lease,
      renewed: [],
      revokeAsked: Number.POSITIVE_INFINITY,
      granted: false,
      endedAt: Number.POSITIVE_INFINITY,
    };
    this.leases.set(lease.id, record);
    return record;
  }

  /** Whether a revision of deletions is the end of a lease that was due; asked in replay order. */
  explains(changed: readonly SimChange[], model: Model): boolean {
    const items = changed.map(({ item }) => model.items.get(item.key));
    const id = items[0]?.lease ?? 0n;
    const lease = this.leases.get(id);
    if (lease === undefined || items.some((item) => item?.lease !== id)) return false;
    const attached = [...model.items.values()].filter((item) => item.lease === id);
    if (attached.length !== changed.length) {
      throw new Violation(`lease ${id} left keys behind: ${show(attached)}, ${show(changed)}`);
    }
    const heard = this.#history.revision(changed[0].item.mod)?.firstHeard ?? 0;
    this.#checkNotEarly(lease, heard);
    lease.endedAt = heard;
    this.expired++;
    return true;
  }

  #checkNotEarly(lease: LeaseRecord, heard: number): void {
    if (lease.revokeAsked < heard) return;
    const renewed = Math.max(0, ...lease.renewed.filter((at) => at < heard));
    const least = 1000 * lease.ttlSeconds / (1 + MAX_DRIFT);
    if (renewed > 0 && heard < renewed + least) {
      throw new Violation(
        `lease ${lease.id} of ${lease.ttlSeconds} s ended ${
          Math.round(heard - renewed)
        } ms after ` +
          `a renewal that was acknowledged: ${show(lease)}, ended at ${heard}`,
      );
    }
  }

  /** Once everything had time to expire: no key of a lease is left. */
  checkAllEnded(model: Model): void {
    for (const item of model.items.values()) {
      if (item.lease !== 0n) throw new Violation(`lease ${item.lease} never ended: ${show(item)}`);
    }
  }
}
