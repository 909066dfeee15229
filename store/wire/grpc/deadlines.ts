/**
 * Deadlines of many calls with one timer.
 * In: calls and how long each may take. Out: `expire` of those that took longer.
 * Never: ends a call early; a long deadline is kept to a tick, a short one to the millisecond.
 */

/** Deadlines this long share a tick. */
const TICK_MILLIS = 100;
const SHORT_MILLIS = 1_000;

/** A call that can run out of time; the two fields belong to `Deadlines`. */
export interface Expiring {
  /** Calls of the same tick, null while this one has no deadline there. */
  bucket: Expiring[] | null;
  /** Its place in the bucket. */
  position: number;
  /** The deadline passed; nothing happens when the call is over. */
  expire(): void;
}

export class Deadlines {
  readonly #after: (delayMillis: number, callback: () => void) => () => void;
  readonly #buckets = new Map<number, Expiring[]>();
  /** Counts on only while there are deadlines to keep. */
  #tick = 0;
  #isTicking = false;

  constructor(after: (delayMillis: number, callback: () => void) => () => void) {
    this.#after = after;
  }

  /** Gives a call `millis` from now; `remove` it when it ends before. */
  add(call: Expiring, millis: number): void {
    if (millis < SHORT_MILLIS) {
      this.#after(millis, () => call.expire());
      return;
    }
    // The running tick counts for nothing: it may be nearly over.
    const tick = this.#tick + Math.ceil(millis / TICK_MILLIS) + 1;
    let bucket = this.#buckets.get(tick);
    if (bucket === undefined) {
      bucket = [];
      this.#buckets.set(tick, bucket);
      this.#run();
    }
    call.bucket = bucket;
    call.position = bucket.push(call) - 1;
  }

  remove(call: Expiring): void {
    const { bucket } = call;
    if (bucket === null) return;
    const last = bucket.pop()!;
    if (last !== call) {
      bucket[call.position] = last;
      last.position = call.position;
    }
    call.bucket = null;
  }

  #run(): void {
    if (this.#isTicking) return;
    this.#isTicking = true;
    this.#after(TICK_MILLIS, () => {
      this.#isTicking = false;
      const due = this.#buckets.get(++this.#tick);
      this.#buckets.delete(this.#tick);
      for (const call of due ?? []) {
        call.bucket = null;
        call.expire();
      }
      if (this.#buckets.size > 0) this.#run();
    });
  }
}
