/**
 * One time limit for many requests, on one timer: all wait equally long, the oldest is due first.
 * In: requests as they start and end. Out: a call for each that did not end in time.
 * Never: keeps a timer while nothing waits.
 */
import type { Cancel } from "../clock.ts";
import type { TransportTime } from "./transport.ts";

interface Waiting {
  /** Monotonic milliseconds. */
  readonly due: number;
  readonly expired: () => void;
}

export class Deadlines {
  readonly #time: TransportTime;
  readonly #limitMillis: number;
  /** In the order they are due. */
  readonly #waiting = new Set<Waiting>();
  #stopTimer: Cancel | null = null;

  constructor(time: TransportTime, limitMillis: number) {
    this.#time = time;
    this.#limitMillis = limitMillis;
  }

  /** @returns ends the wait; `expired` is not called any more */
  add(expired: () => void): Cancel {
    const entry = { due: this.#time.now() + this.#limitMillis, expired };
    this.#waiting.add(entry);
    if (this.#stopTimer === null) this.#arm(this.#limitMillis);
    return () => {
      this.#waiting.delete(entry);
      if (this.#waiting.size > 0) return;
      this.#stopTimer?.();
      this.#stopTimer = null;
    };
  }

  #arm(delayMillis: number): void {
    this.#stopTimer = this.#time.after(delayMillis, () => this.#sweep());
  }

  #sweep(): void {
    this.#stopTimer = null;
    const now = this.#time.now();
    for (const entry of this.#waiting) {
      if (entry.due > now) return this.#arm(entry.due - now);
      this.#waiting.delete(entry);
      entry.expired();
    }
  }
}
