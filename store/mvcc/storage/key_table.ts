/**
 * Every key of the store: its newest version, and its id by hash.
 * In: key bytes. Out: small key ids, dense and reused.
 * Never: knows an order of keys (`key_order.ts`); holds a key, for the record of its newest
 * version does, tombstones included.
 *
 * The hash index is 256 small tables, so that growing one never stalls the caller.
 */
import { EMPTY_BYTES } from "../proto.ts";
import type { History } from "./history.ts";
import type { VersionTable } from "./version_table.ts";

const PAGE_BITS = 16;
const PAGE_MASK = (1 << PAGE_BITS) - 1;
const SHARDS = 256;
const FIRST_SLOTS = 16;
/** Ids are below 2^31; the value marks a removed slot of a hash table. */
const REMOVED = 0xffffffff;

/** Open addressing with linear probing; a slot is [id + 1, hash]. */
interface Shard {
  slots: Uint32Array;
  /** Slots in use, counting removed ones. */
  filled: number;
  removed: number;
}

/** Where a key's bytes are. */
export interface KeyPlace {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/**
 * Hashes a key: multiply and rotate by four bytes, then a mix so that all bits are good.
 * @param bytes buffer. @param start first byte. @param end byte after the last.
 * @returns u32.
 */
export function hashKey(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5 ^ (end - start);
  let at = start;
  for (; at + 4 <= end; at += 4) {
    const word = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    hash = Math.imul(hash ^ Math.imul(word, 0x9e3779b1), 0x85ebca6b);
    hash ^= hash >>> 15;
  }
  for (; at < end; at++) hash = Math.imul(hash ^ bytes[at], 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
  return (hash ^ (hash >>> 15)) >>> 0;
}

/**
 * Compares two spans of bytes.
 * @param known bytes at the beginning that are known to be alike, perhaps past an end.
 * @returns below, at or above zero as the first sorts before, at or after the second.
 */
export function compareSpans(
  mine: Uint8Array,
  mineStart: number,
  mineEnd: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  known: number,
): number {
  const length = mineEnd - mineStart;
  const shift = mineStart - start;
  for (let at = start + known, stop = start + Math.min(length, end - start); at < stop; at++) {
    const difference = mine[at + shift] - bytes[at];
    if (difference !== 0) return difference;
  }
  return length - (end - start);
}

export class KeyTable {
  readonly #versions: VersionTable;
  readonly #history: History;
  /** Newest version of each key; of a free id the next free one, plus one. */
  readonly #pages: Uint32Array[] = [];
  readonly #shards: Shard[] = [];
  #firstFree = 0;
  #freeCount = 0;
  #nextId = 0;
  #slotBytes = SHARDS * FIRST_SLOTS * 2 * 4;
  /** What `locate` answers, again and again. */
  readonly #place = { bytes: EMPTY_BYTES, start: 0, end: 0 };

  constructor(versions: VersionTable, history: History) {
    this.#versions = versions;
    this.#history = history;
    const slots = new Uint32Array(SHARDS * FIRST_SLOTS * 2);
    for (let i = 0; i < SHARDS; i++) {
      const first = slots.subarray(i * FIRST_SLOTS * 2, (i + 1) * FIRST_SLOTS * 2);
      this.#shards.push({ slots: first, filled: 0, removed: 0 });
    }
  }

  get count(): number {
    return this.#nextId - this.#freeCount;
  }

  /** Bytes of pages and hash tables. */
  get indexBytes(): number {
    return this.#slotBytes + this.#pages.length * (4 << PAGE_BITS);
  }

  /** @returns the id, or -1. */
  find(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const { slots } = this.#shards[hash >>> 24];
    const mask = (slots.length >>> 1) - 1;
    for (let at = hash & mask;; at = (at + 1) & mask) {
      const entry = slots[at * 2];
      if (entry === 0) return -1;
      if (slots[at * 2 + 1] !== hash || entry === REMOVED) continue;
      if (this.compare(entry - 1, bytes, start, end) === 0) return entry - 1;
    }
  }

  /** Adds a key that `find` did not find; `setNewest` must follow before its bytes are asked. */
  insert(hash: number): number {
    let id = this.#nextId;
    if (this.#firstFree !== 0) {
      id = this.#firstFree - 1;
      this.#firstFree = this.newest(id);
      this.#freeCount--;
    } else if (this.#nextId++ >>> PAGE_BITS === this.#pages.length) {
      this.#pages.push(new Uint32Array(1 << PAGE_BITS));
    }
    this.setNewest(id, 0);
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
    this.#slotBytes += slots.byteLength - old.byteLength;
    shard.slots = slots;
    shard.filled = live;
    shard.removed = 0;
  }

  /** Forgets a key, before its last version is freed; its id may be given to another. */
  remove(id: number): void {
    const hash = this.hashOf(id);
    const shard = this.#shards[hash >>> 24];
    const { slots } = shard;
    const mask = (slots.length >>> 1) - 1;
    let at = hash & mask;
    while (slots[at * 2] !== id + 1) at = (at + 1) & mask;
    slots[at * 2] = REMOVED;
    shard.removed++;
    this.setNewest(id, this.#firstFree);
    this.#firstFree = id + 1;
    this.#freeCount++;
  }

  /** @returns the newest version of the key, 0 when it has none yet. */
  newest(id: number): number {
    return this.#pages[id >>> PAGE_BITS][id & PAGE_MASK];
  }

  setNewest(id: number, version: number): void {
    this.#pages[id >>> PAGE_BITS][id & PAGE_MASK] = version;
  }

  hashOf(id: number): number {
    return this.#versions.hashOf(this.newest(id));
  }

  /** @returns where the key's bytes are, valid until the next call. */
  locate(id: number): KeyPlace {
    const { arena } = this.#history;
    const address = this.#versions.addressOf(this.newest(id));
    const place = this.#place;
    const bytes = arena.bytesAt(address);
    // A record begins with the key: its tag, its length as a varint, its bytes.
    let at = arena.offsetOf(address) + 1;
    let length = bytes[at++];
    if (length >= 128) {
      length &= 127;
      for (let shift = 7, byte = 128; byte >= 128; shift += 7) {
        byte = bytes[at++];
        length |= (byte & 127) << shift;
      }
    }
    place.bytes = bytes;
    place.start = at;
    place.end = at + length;
    return place;
  }

  /** @returns a view of the key's bytes, true for ever. */
  bytesOf(id: number): Uint8Array {
    const { bytes, start, end } = this.locate(id);
    return bytes.subarray(start, end);
  }

  /**
   * Compares a key with bytes.
   * @param known bytes at the beginning that are known to be alike, perhaps past an end.
   * @returns below, at or above zero as the key sorts before, at or after the given bytes.
   */
  compare(id: number, bytes: Uint8Array, start: number, end: number, known = 0): number {
    const place = this.locate(id);
    return compareSpans(place.bytes, place.start, place.end, bytes, start, end, known);
  }

  /** @returns how many bytes two keys begin with alike, a shorter one filled up with zeros. */
  sharedBytes(id: number, other: number): number {
    const { bytes, start, end } = this.locate(id);
    const place = this.locate(other);
    const most = Math.max(end - start, place.end - place.start);
    for (let i = 0; i < most; i++) {
      const mine = start + i < end ? bytes[start + i] : 0;
      const theirs = place.start + i < place.end ? place.bytes[place.start + i] : 0;
      if (mine !== theirs) return i;
    }
    return most;
  }
}
