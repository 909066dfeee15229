/**
 * Store leases for objects that expire, shared by many objects as upstream's lease manager does.
 * In: a time to live. Out: a lease id. Never: one lease per object, nor a lease reused for so long
 * that an object outlives its time by more than a minute.
 */
import type { Store } from "../../../store/mod.ts";
import type { Clock } from "../ports.ts";

const REUSE_MILLIS = 60_000;
const MAX_OBJECTS = 1000;

export class LeasePool {
  readonly #options: { readonly store: Store; readonly clock: Clock; readonly ttlSeconds: number };
  #current: { id: Promise<bigint>; until: number; objects: number } | null = null;

  /** @param options.ttlSeconds least time that objects are kept */
  constructor(
    options: { readonly store: Store; readonly clock: Clock; readonly ttlSeconds: number },
  ) {
    this.#options = options;
  }

  /** A lease that lasts at least the time to live; 0n when the store grants none. */
  take(): Promise<bigint> {
    const now = this.#options.clock.nowMillis();
    const current = this.#current;
    if (current !== null && now < current.until && current.objects < MAX_OBJECTS) {
      current.objects++;
      return current.id;
    }
    const id = this.#grant();
    this.#current = { id, until: now + REUSE_MILLIS, objects: 1 };
    return id;
  }

  async #grant(): Promise<bigint> {
    const ttlSeconds = this.#options.ttlSeconds + REUSE_MILLIS / 1000;
    const answer = await this.#options.store.leaseGrant({ id: 0n, ttlSeconds });
    if (answer.kind === "lease") return answer.id;
    // The next object asks again.
    this.#current = null;
    return 0n;
  }
}
