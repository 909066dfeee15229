/**
 * A clock that moves only when told to.
 * In: `advance`. Out: the Timer port; callbacks run in the order of their moments.
 * Never: looks at the real time.
 */
import type { Timer } from "../../store/ports.ts";

interface Scheduled {
  at: number;
  readonly every: number;
  readonly callback: () => void;
}

export class FakeTimer implements Timer {
  #now = 0;
  readonly #scheduled = new Set<Scheduled>();

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return 1_700_000_000_000 + this.#now;
  }

  every(intervalMillis: number, callback: () => void): () => void {
    return this.#add({ at: this.#now + intervalMillis, every: intervalMillis, callback });
  }

  after(delayMillis: number, callback: () => void): () => void {
    return this.#add({ at: this.#now + delayMillis, every: 0, callback });
  }

  /** A real turn of the event loop, so that promises settle between two pieces of work. */
  soon(callback: () => void): void {
    setTimeout(callback, 0);
  }

  /** Moves the clock; between two moments everything that is due settles. */
  async advance(millis: number): Promise<void> {
    const end = this.#now + millis;
    while (true) {
      const next = [...this.#scheduled].filter(({ at }) => at <= end)
        .sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#now = Math.max(this.#now, next.at);
      if (next.every > 0) next.at += next.every;
      else this.#scheduled.delete(next);
      next.callback();
      await settle();
    }
    this.#now = end;
    await settle();
  }

  #add(scheduled: Scheduled): () => void {
    this.#scheduled.add(scheduled);
    return () => this.#scheduled.delete(scheduled);
  }
}

/** Lets every promise and `soon` that is due run. */
export async function settle(turns = 3): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}

/** A generator of integers that repeats for one seed. */
export function seededRandom(seed: number): { nextInt(below: number): number } {
  let state = seed % 2147483646 + 1;
  return {
    nextInt(below) {
      state = (state * 48271) % 2147483647;
      return Math.floor((state - 1) / 2147483646 * below);
    },
  };
}
