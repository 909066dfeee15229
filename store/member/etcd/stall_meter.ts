/**
 * The longest time that a member's thread did not come round to its timers.
 * In: a timer. Out: milliseconds, for the bench and for scrapers.
 * Never: costs anything while nobody asks; it watches for a while after each question.
 */
import type { Timer } from "../../ports.ts";

/** A stall is seen to this precision. */
const PERIOD_MILLIS = 4;
const WATCH_MILLIS = 10 * 60 * 1000;

export class StallMeter {
  readonly #timer: Timer;
  #stop: (() => void) | null = null;
  #last = 0;
  #until = 0;
  #longest = 0;

  constructor(timer: Timer) {
    this.#timer = timer;
  }

  /** @returns the longest stall since the last call, milliseconds; 0 at the first one */
  read(): number {
    const now = this.#timer.now();
    const longest = this.#longest;
    this.#longest = 0;
    this.#until = now + WATCH_MILLIS;
    if (this.#stop === null) {
      this.#last = now;
      this.#stop = this.#timer.every(PERIOD_MILLIS, () => this.#watch());
    }
    return longest;
  }

  /** Ends the watch, as does a while without a question. */
  close(): void {
    this.#stop?.();
    this.#stop = null;
  }

  #watch(): void {
    const now = this.#timer.now();
    this.#longest = Math.max(this.#longest, now - this.#last - PERIOD_MILLIS);
    this.#last = now;
    if (now > this.#until) this.close();
  }
}
