/**
 * The state of a cache at one moment, read bit by bit while the cache moves on.
 * In: the keys of that moment; what changes replace meanwhile. Out: the objects as they were.
 * Never: copies the state: only versions that are replaced before they were read are kept.
 */
import type { StoredObject } from "./stored_object.ts";

export interface StateReaderOptions {
  /** Sorted, and never changed after. */
  readonly keys: readonly string[];
  /** `keys[start, end)` are read. */
  readonly start: number;
  readonly end: number;
  /** The cache's current objects. */
  readonly objects: ReadonlyMap<string, StoredObject>;
  readonly onClose: (reader: StateReader) => void;
}

export class StateReader {
  readonly #options: StateReaderOptions;
  readonly #replaced = new Map<string, StoredObject>();
  #at: number;

  constructor(options: StateReaderOptions) {
    this.#options = options;
    this.#at = options.start;
  }

  /** Keys not looked at yet. */
  get left(): number {
    return this.#options.end - this.#at;
  }

  /** The cache has replaced or removed a version. */
  keep(previous: StoredObject): void {
    const { key } = previous;
    if (!this.#replaced.has(key)) this.#replaced.set(key, previous);
  }

  /** The objects of the next `count` keys, fewer at the end. */
  take(count: number): StoredObject[] {
    const { keys, end, objects } = this.#options;
    const taken: StoredObject[] = [];
    for (const until = Math.min(end, this.#at + count); this.#at < until; this.#at++) {
      const key = keys[this.#at];
      taken.push((this.#replaced.get(key) ?? objects.get(key))!);
    }
    if (this.left === 0) this.close();
    return taken;
  }

  /** Nothing more is wanted. */
  close(): void {
    this.#at = this.#options.end;
    this.#replaced.clear();
    this.#options.onClose(this);
  }
}
