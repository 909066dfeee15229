/**
 * A clock that moves only when a test moves it.
 * In: `advance(millis)`. Out: a Clock whose timers fire in order of their time.
 * Never: waits. Chance comes from a small seeded generator, so runs repeat.
 */
import type { Clock } from "../../agents/client/clock.ts";

interface Timer {
  readonly dueMillis: number;
  readonly order: number;
  readonly action: () => void;
}

export class ManualClock implements Clock {
  #nowMillis: number;
  #timers: Timer[] = [];
  #order = 0;
  #seed: number;

  /** @param startMillis milliseconds since 1970; default 2026-01-01T00:00:00Z. */
  constructor(startMillis = 1_767_225_600_000, seed = 1) {
    this.#nowMillis = startMillis;
    this.#seed = seed;
  }

  nowMillis(): number {
    return this.#nowMillis;
  }

  after(delayMillis: number, action: () => void): () => void {
    const timer = {
      dueMillis: this.#nowMillis + Math.max(0, delayMillis),
      order: this.#order++,
      action,
    };
    this.#timers.push(timer);
    return () => this.#timers = this.#timers.filter((other) => other !== timer);
  }

  random(): number {
    // mulberry32
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.length;
  }

  /** Moves time on, firing what falls due; lets promises settle before and after each. */
  async advance(millis: number): Promise<void> {
    const until = this.#nowMillis + millis;
    await settle();
    for (;;) {
      const due = this.#timers
        .filter((timer) => timer.dueMillis <= until)
        .sort((a, b) => a.dueMillis - b.dueMillis || a.order - b.order)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#nowMillis = Math.max(this.#nowMillis, due.dueMillis);
      due.action();
      await settle();
    }
    this.#nowMillis = until;
  }
}

/** Lets every promise chain that needs no timer run to its end. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) {
    await new Promise<void>((resolve) => setTimeout(resolve, 0));
  }
}
