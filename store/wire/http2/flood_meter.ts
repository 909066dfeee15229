/**
 * How much unproductive traffic a peer may still cause before it is sent away.
 * In: costs of frames that ask for work and carry none (pings, settings, resets, empty frames),
 * credits for answers delivered, and the injected clock. Out: whether the peer went too far.
 * Never: counts useful frames; a keep-alive ping a second costs a connection nothing.
 */

/** Most that can be saved up, and what a new connection starts with. */
const CAPACITY = 1000;
const REFILL_PER_SECOND = 100;

export class FloodMeter {
  #left = CAPACITY;
  #refilledAt: number;
  readonly #now: () => number;

  /** @param now monotonic milliseconds */
  constructor(now: () => number) {
    this.#now = now;
    this.#refilledAt = now();
  }

  /** @returns false once the peer's allowance is used up */
  spend(cost: number): boolean {
    this.#left -= cost;
    if (this.#left >= 0) return true;
    const now = this.#now();
    const refill = ((now - this.#refilledAt) / 1000) * REFILL_PER_SECOND;
    this.#refilledAt = now;
    this.#left = Math.min(CAPACITY, this.#left + refill);
    return this.#left >= 0;
  }

  /** Something useful was done for the peer. */
  earn(): void {
    if (this.#left < CAPACITY) this.#left++;
  }
}
