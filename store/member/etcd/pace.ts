/**
 * How long work that nobody is in a hurry for may hold a member's thread.
 * In: a timer, whether writes are under way. Out: promises to wait for between steps.
 * Never: starves such work either: it gets a part of the thread even under full load.
 */
import type { Timer } from "../../ports.ts";

/** Work goes on for this long, then it rests. */
const SLICE_MILLIS = 1;
/** A rest while writes are under way; otherwise it ends with the thread's turn. */
const REST_MILLIS = 2;

export class Pace {
  readonly #timer: Timer;
  readonly #isBusy: () => boolean;
  #sliceEnd: number;

  /** @param isBusy whether somebody waits for a write */
  constructor(timer: Timer, isBusy: () => boolean) {
    this.#timer = timer;
    this.#isBusy = isBusy;
    this.#sliceEnd = timer.now() + SLICE_MILLIS;
  }

  /** Call between steps, each far shorter than a slice. Resolves when the next one may run. */
  async step(): Promise<void> {
    if (this.#timer.now() < this.#sliceEnd) return;
    await new Promise<void>((resolve) => {
      if (this.#isBusy()) this.#timer.after(REST_MILLIS, resolve);
      else this.#timer.soon(resolve);
    });
    this.#sliceEnd = this.#timer.now() + SLICE_MILLIS;
  }
}
