/**
 * The queue of keys between what a component observes and what it plans.
 * In: keys, at once, after a delay or after a failure. Out: each key to one worker at a time.
 * Never: holds objects, or gives one key to two workers; a key added while in work comes again.
 * Source: client-go's workqueue (5 ms first retry, doubling, 1,000 s at most).
 */
import type { Cancel, Clock } from "./clock.ts";

export interface WorkQueueOptions {
  readonly clock: Clock;
  /** First retry delay, milliseconds. Default 5. */
  readonly baseDelayMillis?: number;
  /** Longest retry delay, milliseconds. Default 1,000,000. */
  readonly maxDelayMillis?: number;
  /** Share of the delay added at random, so that failed keys spread. Default 0.1. */
  readonly jitter?: number;
}

interface Delayed {
  readonly dueMillis: number;
  readonly cancel: Cancel;
}

export class WorkQueue {
  readonly #clock: Clock;
  readonly #baseDelayMillis: number;
  readonly #maxDelayMillis: number;
  readonly #jitter: number;
  /** A Set keeps the order of insertion, so it is a queue without duplicates. */
  readonly #waiting = new Set<string>();
  readonly #inWork = new Set<string>();
  /** Added while in work: to be queued again when done. */
  readonly #again = new Set<string>();
  readonly #delayed = new Map<string, Delayed>();
  readonly #failures = new Map<string, number>();
  #closed = false;
  #onReady: () => void = () => {};

  constructor(options: WorkQueueOptions) {
    this.#clock = options.clock;
    this.#baseDelayMillis = options.baseDelayMillis ?? 5;
    this.#maxDelayMillis = options.maxDelayMillis ?? 1_000_000;
    this.#jitter = options.jitter ?? 0.1;
  }

  /** Called whenever a key becomes takeable. */
  set onReady(callback: () => void) {
    this.#onReady = callback;
  }

  /** Keys that wait to be taken. */
  get length(): number {
    return this.#waiting.size;
  }

  /** Nothing waits, is in work, or is due later. */
  get idle(): boolean {
    return this.#waiting.size === 0 && this.#inWork.size === 0 && this.#delayed.size === 0;
  }

  /** Queues a key; one that waits already is not doubled. */
  add(key: string): void {
    if (this.#closed) return;
    if (this.#inWork.has(key)) {
      this.#again.add(key);
      return;
    }
    if (this.#waiting.has(key)) return;
    this.#waiting.add(key);
    this.#onReady();
  }

  /**
   * Queues a key later; of two delays the earlier one holds.
   * @param delayMillis milliseconds; 0 or less queues at once.
   */
  addAfter(key: string, delayMillis: number): void {
    if (this.#closed) return;
    if (delayMillis <= 0) return this.add(key);
    const dueMillis = this.#clock.nowMillis() + delayMillis;
    const earlier = this.#delayed.get(key);
    if (earlier !== undefined) {
      if (earlier.dueMillis <= dueMillis) return;
      earlier.cancel();
    }
    const cancel = this.#clock.after(delayMillis, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { dueMillis, cancel });
  }

  /** Queues a key after a delay that doubles with each failure since `forget`. */
  addRateLimited(key: string): void {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const delay = Math.min(this.#baseDelayMillis * 2 ** failures, this.#maxDelayMillis);
    this.addAfter(key, delay * (1 + this.#jitter * this.#clock.random()));
  }

  /** The key went well: its next failure starts from the first delay. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** Failures since `forget`. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /** Takes the oldest key into work. @returns undefined when none waits. */
  take(): string | undefined {
    for (const key of this.#waiting) {
      this.#waiting.delete(key);
      this.#inWork.add(key);
      return key;
    }
    return undefined;
  }

  /** Ends the work on a taken key. */
  done(key: string): void {
    this.#inWork.delete(key);
    if (this.#again.delete(key)) this.add(key);
  }

  /** Takes no more keys and drops those that wait. */
  close(): void {
    this.#closed = true;
    this.#waiting.clear();
    this.#again.clear();
    for (const delayed of this.#delayed.values()) delayed.cancel();
    this.#delayed.clear();
  }
}

export interface WorkerOptions {
  readonly queue: WorkQueue;
  /** Keys in work at the same time, 1 or more. */
  readonly workers: number;
  /** Must not reject: what to do about a failure is the component's own decision. */
  readonly work: (key: string) => Promise<void>;
}

/**
 * Feeds a queue's keys to at most `workers` runs of `work`.
 * @returns stops the queue and waits for the runs under way.
 */
export function runWorkers(options: WorkerOptions): () => Promise<void> {
  const { queue, workers, work } = options;
  const running = new Set<Promise<void>>();
  const pump = () => {
    while (running.size < workers) {
      const key = queue.take();
      if (key === undefined) return;
      const run = work(key).finally(() => {
        running.delete(run);
        queue.done(key);
        pump();
      });
      running.add(run);
    }
  };
  queue.onReady = pump;
  pump();
  return async () => {
    queue.close();
    await Promise.allSettled([...running]);
  };
}
