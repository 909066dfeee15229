/**
 * Which watchers a key concerns: a hash map for single keys, an interval tree for ranges.
 * In: groups of watchers of equal range and options. Out: the groups that cover a key.
 * Never: delivers anything.
 *
 * The tree is an array sorted by range start, each entry knowing the largest end of its subtree.
 * It is rebuilt lazily: new ranges wait in a short list that is searched one by one.
 * Source: augmented interval tree, Cormen et al., "Introduction to Algorithms", chapter 14.
 */
import { EMPTY_BYTES } from "../proto.ts";
import { hashKey } from "../storage/key_table.ts";
import { compareBytes, isOpenEnd } from "../storage/kv.ts";
import type { WatchRequest } from "../types.ts";
import type { EventOptions } from "./event_batch.ts";

/** Ranges that may wait outside the tree. */
const MAX_FRESH = 32;

/** Watchers that ask the same question and so share each answer. */
export class WatchGroup<W> implements EventOptions {
  readonly name: string;
  readonly key: Uint8Array;
  /** Empty for a single key; undefined when open ended. */
  readonly end: Uint8Array | undefined;
  readonly prevKv: boolean;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  readonly watchers = new Set<W>();
  /** Versions matched in the step under way. */
  readonly matched: number[] = [];

  constructor(name: string, request: WatchRequest) {
    this.name = name;
    this.key = request.key;
    const end = request.rangeEnd ?? EMPTY_BYTES;
    this.end = isOpenEnd(end) ? undefined : end;
    this.prevKv = request.prevKv === true;
    this.noPut = request.noPut === true;
    this.noDelete = request.noDelete === true;
  }

  get isPoint(): boolean {
    return this.end !== undefined && this.end.length === 0;
  }

  endsAfter(key: Uint8Array): boolean {
    return this.end === undefined || compareBytes(key, this.end) < 0;
  }
}

/** @returns text equal for requests that can share a group. */
export function groupName(request: WatchRequest): string {
  const flags = (request.prevKv ? 1 : 0) | (request.noPut ? 2 : 0) | (request.noDelete ? 4 : 0);
  const end = request.rangeEnd ?? EMPTY_BYTES;
  let name = `${flags}:${request.key.length}:`;
  for (const byte of request.key) name += String.fromCharCode(byte);
  for (const byte of end) name += String.fromCharCode(byte);
  return name;
}

export class WatchIndex<W> {
  readonly #groups = new Map<string, WatchGroup<W>>();
  readonly #points = new Map<number, WatchGroup<W>[]>();
  #sorted: WatchGroup<W>[] = [];
  /** Index of the group with the largest end in each subtree. */
  #furthest: Int32Array = new Int32Array(0);
  #fresh: WatchGroup<W>[] = [];
  /** Groups in `#sorted` without watchers. */
  #stale = 0;

  get isEmpty(): boolean {
    return this.#groups.size === 0;
  }

  /** Puts a watcher into the group of its request. */
  add(name: string, request: WatchRequest, watcher: W): void {
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = new WatchGroup<W>(name, request);
      this.#groups.set(name, group);
      if (group.isPoint) {
        const hash = hashKey(group.key, 0, group.key.length);
        const bucket = this.#points.get(hash);
        if (bucket === undefined) this.#points.set(hash, [group]);
        else bucket.push(group);
      } else this.#fresh.push(group);
    }
    group.watchers.add(watcher);
  }

  remove(name: string, watcher: W): void {
    const group = this.#groups.get(name);
    if (group === undefined || !group.watchers.delete(watcher) || group.watchers.size > 0) return;
    this.#groups.delete(name);
    if (group.isPoint) {
      const hash = hashKey(group.key, 0, group.key.length);
      const rest = this.#points.get(hash)!.filter((one) => one !== group);
      if (rest.length === 0) this.#points.delete(hash);
      else this.#points.set(hash, rest);
    } else {
      const fresh = this.#fresh.indexOf(group);
      if (fresh >= 0) this.#fresh.splice(fresh, 1);
      else this.#stale++;
    }
  }

  /**
   * Adds a version to every group that covers its key.
   * @param key bytes. @param hash of the key. @param version to add.
   * @param touched collects the groups whose list was empty.
   */
  match(key: Uint8Array, hash: number, version: number, touched: WatchGroup<W>[]): void {
    const points = this.#points.size === 0 ? undefined : this.#points.get(hash);
    if (points !== undefined) {
      for (const group of points) {
        if (compareBytes(group.key, key) === 0) touch(group, version, touched);
      }
    }
    if (this.#fresh.length > MAX_FRESH || this.#stale > MAX_FRESH + this.#sorted.length / 2) {
      this.#rebuild();
    }
    for (const group of this.#fresh) {
      if (compareBytes(group.key, key) <= 0 && group.endsAfter(key)) touch(group, version, touched);
    }
    this.#search(0, this.#sorted.length, key, version, touched);
  }

  #search(
    low: number,
    high: number,
    key: Uint8Array,
    version: number,
    touched: WatchGroup<W>[],
  ): void {
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (!this.#sorted[this.#furthest[middle]].endsAfter(key)) return;
      this.#search(low, middle, key, version, touched);
      const group = this.#sorted[middle];
      if (compareBytes(group.key, key) > 0) return;
      if (group.watchers.size > 0 && group.endsAfter(key)) touch(group, version, touched);
      low = middle + 1;
    }
  }

  #rebuild(): void {
    this.#sorted = [...this.#sorted.filter((group) => group.watchers.size > 0), ...this.#fresh]
      .sort((a, b) => compareBytes(a.key, b.key));
    this.#fresh = [];
    this.#stale = 0;
    this.#furthest = new Int32Array(this.#sorted.length);
    this.#measure(0, this.#sorted.length);
  }

  #measure(low: number, high: number): number {
    if (low >= high) return -1;
    const middle = (low + high) >>> 1;
    let best = middle;
    for (const other of [this.#measure(low, middle), this.#measure(middle + 1, high)]) {
      if (other >= 0 && endsLater(this.#sorted[other], this.#sorted[best])) best = other;
    }
    this.#furthest[middle] = best;
    return best;
  }
}

function touch<W>(group: WatchGroup<W>, version: number, touched: WatchGroup<W>[]): void {
  if (group.matched.length === 0) touched.push(group);
  group.matched.push(version);
}

function endsLater<W>(a: WatchGroup<W>, b: WatchGroup<W>): boolean {
  if (b.end === undefined) return false;
  return a.end === undefined || compareBytes(a.end, b.end) > 0;
}
