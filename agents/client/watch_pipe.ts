/**
 * A watch stream that one side fills and the other side iterates.
 * In: batches of events, an end, or a failure. Out: a WatchStream that yields them in order.
 * Never: drops or reorders; a slow reader is reported through `onFull`, so the source can pause.
 */
import type { WatchStream } from "../api/call.ts";
import type { KubeObject, WatchEvent } from "../api/meta.ts";

export interface WatchPipeOptions {
  /** The reader has closed the stream; free the source. */
  readonly onClose?: () => void;
  /** More than `highWater` batches wait. */
  readonly onFull?: () => void;
  /** The waiting batches have been read. */
  readonly onDrained?: () => void;
  /** Batches that may wait before `onFull`. Default 64. */
  readonly highWater?: number;
}

type Batch<T extends KubeObject> = readonly WatchEvent<T>[];

interface Waiter<T extends KubeObject> {
  readonly resolve: (result: IteratorResult<Batch<T>>) => void;
  readonly reject: (error: Error) => void;
}

/** Errors: iteration rejects with what `fail` was given, after the batches before it. */
export class WatchPipe<T extends KubeObject = KubeObject> implements WatchStream<T> {
  readonly #options: WatchPipeOptions;
  readonly #highWater: number;
  #batches: Batch<T>[] = [];
  #waiter: Waiter<T> | undefined;
  #ended = false;
  #failure: Error | undefined;
  #full = false;

  constructor(options: WatchPipeOptions = {}) {
    this.#options = options;
    this.#highWater = options.highWater ?? 64;
  }

  /** Adds one batch; empty ones are left out. */
  push(batch: Batch<T>): void {
    if (this.#ended || batch.length === 0) return;
    const waiter = this.#waiter;
    if (waiter !== undefined) {
      this.#waiter = undefined;
      waiter.resolve({ done: false, value: batch });
      return;
    }
    this.#batches.push(batch);
    if (!this.#full && this.#batches.length > this.#highWater) {
      this.#full = true;
      this.#options.onFull?.();
    }
  }

  /** The source has no more. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.resolve({ done: true, value: undefined });
  }

  /** The source broke. */
  fail(error: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (waiter !== undefined) waiter.reject(error);
    else this.#failure = error;
  }

  /** The reader has had enough: waiting batches are dropped. */
  close(): void {
    const wasOpen = !this.#ended;
    this.#batches = [];
    this.#failure = undefined;
    this.end();
    if (wasOpen) this.#options.onClose?.();
  }

  [Symbol.asyncIterator](): AsyncIterator<Batch<T>> {
    return {
      next: () => this.#next(),
      return: () => {
        this.close();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  #next(): Promise<IteratorResult<Batch<T>>> {
    const batch = this.#batches.shift();
    if (batch !== undefined) {
      if (this.#full && this.#batches.length === 0) {
        this.#full = false;
        this.#options.onDrained?.();
      }
      return Promise.resolve({ done: false, value: batch });
    }
    const failure = this.#failure;
    if (failure !== undefined) {
      this.#failure = undefined;
      return Promise.reject(failure);
    }
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#waiter = { resolve, reject });
  }
}
