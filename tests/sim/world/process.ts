/**
 * One run of a member on a machine: its clock, and whether it is alive, paused or dead.
 * In: work to do later. Out: the Timer port; work done at its moment unless the process died, or
 * after the pause it fell into.
 * Never: runs anything of a dead process.
 */
import type { Timer } from "../../../store/ports.ts";
import type { EventQueue } from "./event_queue.ts";
import type { SimRandom } from "./random.ts";

/** 2024-01-01, only for what users read. */
const WALL_START = 1_704_067_200_000;

/** A machine's clock: it drifts against the world's, and its wall clock jumps. */
export class SimClock {
  readonly #queue: EventQueue;
  #since = 0;
  #base = 0;
  #rate = 1;
  wallOffset = 0;

  constructor(queue: EventQueue) {
    this.#queue = queue;
  }

  get rate(): number {
    return this.#rate;
  }

  /** Monotonic milliseconds of this machine. */
  now(): number {
    return this.#base + (this.#queue.now - this.#since) * this.#rate;
  }

  /** From now on this clock runs at `rate` times the world's. */
  setRate(rate: number): void {
    this.#base = this.now();
    this.#since = this.#queue.now;
    this.#rate = rate;
  }
}

/** Thrown by whatever a dead process still tries. */
export class ProcessDead extends Error {
  constructor() {
    super("this process was killed");
  }
}

/** Where work comes from: its own timers and disk, the other members, the clients. */
export type Lane = "timer" | "peer" | "client";

export class SimProcess implements Timer {
  readonly #queue: EventQueue;
  readonly #clock: SimClock;
  readonly #random: SimRandom;
  #alive = true;
  #paused = false;
  #deferred: { readonly work: () => void; readonly lane: Lane }[] = [];
  /** Called once, by the call that kills. */
  onDeath: () => void = () => {};
  /** Called after each piece of work. */
  onStep: () => void = () => {};

  constructor(parts: { queue: EventQueue; clock: SimClock; random: SimRandom }) {
    this.#queue = parts.queue;
    this.#clock = parts.clock;
    this.#random = parts.random;
  }

  get alive(): boolean {
    return this.#alive;
  }

  get paused(): boolean {
    return this.#paused;
  }

  kill(): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#deferred = [];
    this.onDeath();
  }

  pause(): void {
    this.#paused = true;
  }

  /** What came due during the pause runs now, each lane in its order, the lanes in any. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    const waiting = this.#deferred.splice(0);
    const lanes: Lane[] = ["timer", "peer", "client"];
    while (lanes.length > 0) {
      const [lane] = lanes.splice(this.#random.nextInt(lanes.length), 1);
      for (const one of waiting) {
        if (one.lane === lane) this.#queue.after(0, () => this.run(one.work, lane));
      }
    }
  }

  /** Does `work` after world time, if this process still lives. */
  schedule(delayMillis: number, work: () => void): () => void {
    const event = this.#queue.after(delayMillis, () => this.run(work, "timer"));
    return () => event.run = null;
  }

  now(): number {
    return this.#clock.now();
  }

  wallNow(): number {
    return WALL_START + this.#clock.now() + this.#clock.wallOffset;
  }

  every(intervalMillis: number, callback: () => void): () => void {
    let cancel = () => {};
    const again = () => {
      cancel = this.schedule(intervalMillis / this.#clock.rate, () => {
        again();
        callback();
      });
    };
    again();
    return () => cancel();
  }

  after(delayMillis: number, callback: () => void): () => void {
    return this.schedule(delayMillis / this.#clock.rate, callback);
  }

  soon(callback: () => void): void {
    this.schedule(this.#random.between(0.005, 0.03), callback);
  }

  /** Does `work` now, or after the pause; nothing in a dead process. */
  run(work: () => void, lane: Lane): void {
    if (!this.#alive) return;
    if (this.#paused) {
      this.#deferred.push({ work, lane });
      return;
    }
    work();
    this.onStep();
  }
}
