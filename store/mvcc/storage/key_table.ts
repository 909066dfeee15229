/**
 * Every key of the store: its bytes, its newest version, and its id by hash.
 * In: key bytes. Out: small key ids, dense and reused.
 * Never: knows an order of keys (`key_order.ts`) or what a version holds.
 *
 * The hash index is 256 small tables, so that growing one never stalls the caller.
 */
import {
  afterRecord,
  Arena,
  copyBytes,
  DEAD,
  ownerAt,
  recordAddress,
  type Segment,
  Stream,
} from "./arena.ts";

const PAGE_BITS = 14;
const PAGE_MASK = (1 << PAGE_BITS) - 1;
const SHARDS = 256;
const FIRST_SLOTS = 16;
/** Ids are below this; the value marks a removed slot of a hash table. */
const REMOVED = 0xffffffff;

/** Open addressing with linear probing; a slot is [id + 1, hash]. */
interface Shard {
  slots: Uint32Array;
  /** Slots in use, counting removed ones. */
  filled: number;
  removed: number;
}

/**
 * Hashes a key (FNV-1a, then mixed so that high and low bits are both good).
 * @param bytes buffer. @param start first byte. @param end byte after the last.
 * @returns u32.
 */
export function hashKey(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}

export class KeyTable {
  readonly arena: Arena;
  readonly #stream = new Stream();
  /** [address, newest version] a key. */
  readonly #pages: Uint32Array[] = [];
  readonly #shards: Shard[] = [];
  readonly #freeIds: number[] = [];
  #nextId = 0;
  #sweeping: Segment | undefined;
  #sweepUnit = 0;

  constructor(segmentBytes: number) {
    this.arena = new Arena(segmentBytes);
    for (let i = 0; i < SHARDS; i++) {
      this.#shards.push({ slots: new Uint32Array(FIRST_SLOTS * 2), filled: 0, removed: 0 });
    }
  }

  get count(): number {
    return this.#nextId - this.#freeIds.length;
  }

  /** Bytes of pages and hash tables. */
  get indexBytes(): number {
    let slots = 0;
    for (const shard of this.#shards) slots += shard.slots.byteLength;
    return slots + this.#pages.length * (8 << PAGE_BITS);
  }

  /** @returns the id, or -1. */
  find(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const { slots } = this.#shards[hash >>> 24];
    const mask = (slots.length >>> 1) - 1;
    for (let at = hash & mask;; at = (at + 1) & mask) {
      const entry = slots[at * 2];
      if (entry === 0) return -1;
      if (slots[at * 2 + 1] !== hash || entry === REMOVED) continue;
      if (this.#equals(entry - 1, bytes, start, end)) return entry - 1;
    }
  }

  /** Adds a key that `find` did not find; it has no version yet. */
  insert(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const id = this.#freeIds.pop() ?? this.#nextId++;
    if (id >>> PAGE_BITS === this.#pages.length) {
      this.#pages.push(new Uint32Array(2 << PAGE_BITS));
    }
    const address = this.arena.append(this.#stream, end - start, id, hash);
    copyBytes(bytes, start, end, this.arena.bytesAt(address), this.arena.offsetOf(address));
    const page = this.#pages[id >>> PAGE_BITS];
    const at = (id & PAGE_MASK) * 2;
    page[at] = address;
    page[at + 1] = 0;
    this.#link(id, hash);
    return id;
  }

  #link(id: number, hash: number): void {
    const shard = this.#shards[hash >>> 24];
    if ((shard.filled + 1) * 4 > (shard.slots.length >>> 1) * 3) this.#grow(shard);
    const { slots } = shard;
    const mask = (slots.length >>> 1) - 1;
    let at = hash & mask;
    while (slots[at * 2] !== 0) at = (at + 1) & mask;
    slots[at * 2] = id + 1;
    slots[at * 2 + 1] = hash;
    shard.filled++;
  }

  #grow(shard: Shard): void {
    const old = shard.slots;
    const live = shard.filled - shard.removed;
    let size = FIRST_SLOTS;
    while (size < live * 2) size *= 2;
    const slots = new Uint32Array(size * 2);
    const mask = size - 1;
    for (let i = 0; i < old.length; i += 2) {
      if (old[i] === 0 || old[i] === REMOVED) continue;
      let at = old[i + 1] & mask;
      while (slots[at * 2] !== 0) at = (at + 1) & mask;
      slots[at * 2] = old[i];
      slots[at * 2 + 1] = old[i + 1];
    }
    shard.slots = slots;
    shard.filled = live;
    shard.removed = 0;
  }

  /** Forgets a key; its id may be given to another. */
  remove(id: number): void {
    const address = this.#address(id);
    const hash = this.arena.extraAt(address);
    const shard = this.#shards[hash >>> 24];
    const { slots } = shard;
    const mask = (slots.length >>> 1) - 1;
    let at = hash & mask;
    while (slots[at * 2] !== id + 1) at = (at + 1) & mask;
    slots[at * 2] = REMOVED;
    shard.removed++;
    this.arena.free(address);
    this.#freeIds.push(id);
  }

  /** @returns the newest version of the key, 0 when it has none yet. */
  newest(id: number): number {
    return this.#pages[id >>> PAGE_BITS][(id & PAGE_MASK) * 2 + 1];
  }

  setNewest(id: number, version: number): void {
    this.#pages[id >>> PAGE_BITS][(id & PAGE_MASK) * 2 + 1] = version;
  }

  hashOf(id: number): number {
    return this.arena.extraAt(this.#address(id));
  }

  /** @returns a view of the key's bytes, true for ever. */
  bytesOf(id: number): Uint8Array {
    return this.arena.viewAt(this.#address(id));
  }

  /** @returns below, at or above zero as the key sorts before, at or after the given bytes. */
  compare(id: number, bytes: Uint8Array, start: number, end: number): number {
    const address = this.#address(id);
    const mine = this.arena.bytesAt(address);
    let at = this.arena.offsetOf(address);
    const length = this.arena.lengthAt(address);
    const shared = Math.min(length, end - start);
    for (const stop = at + shared; at < stop; at++, start++) {
      const difference = mine[at] - bytes[start];
      if (difference !== 0) return difference;
    }
    return shared === length ? start - end : 1;
  }

  #address(id: number): number {
    return this.#pages[id >>> PAGE_BITS][(id & PAGE_MASK) * 2];
  }

  #equals(id: number, bytes: Uint8Array, start: number, end: number): boolean {
    const address = this.#address(id);
    if (this.arena.lengthAt(address) !== end - start) return false;
    const mine = this.arena.bytesAt(address);
    let at = this.arena.offsetOf(address);
    for (; start < end; at++, start++) if (mine[at] !== bytes[start]) return false;
    return true;
  }

  /**
   * Moves keys out of half-empty segments.
   * @param budget records to look at.
   * @returns true when there is more to move.
   */
  reclaimStep(budget: number): boolean {
    for (let left = budget; left > 0; left--) {
      const segment = this.#sweeping ?? this.#nextSweep();
      if (segment === undefined) return false;
      if (this.#sweepUnit >= segment.used) {
        this.arena.drop(segment);
        this.#sweeping = undefined;
        continue;
      }
      const id = ownerAt(segment, this.#sweepUnit);
      const from = recordAddress(segment, this.#sweepUnit);
      this.#sweepUnit = afterRecord(segment, this.#sweepUnit);
      if (id !== DEAD) this.#move(id, from);
    }
    return true;
  }

  #nextSweep(): Segment | undefined {
    const { segments } = this.#stream;
    const index = segments.findIndex((segment, i) =>
      i < segments.length - 1 && segment.live * 2 < segment.used
    );
    if (index < 0) return undefined;
    this.#sweeping = segments.splice(index, 1)[0];
    this.#sweepUnit = 0;
    return this.#sweeping;
  }

  #move(id: number, from: number): void {
    const { arena } = this;
    const bytes = arena.viewAt(from);
    const to = arena.append(this.#stream, bytes.length, id, arena.extraAt(from));
    arena.bytesAt(to).set(bytes, arena.offsetOf(to));
    arena.free(from);
    this.#pages[id >>> PAGE_BITS][(id & PAGE_MASK) * 2] = to;
  }
}
