/**
 * One node of the key order: entries sorted by key, found mostly without looking at keys.
 * In: ids and key bytes. Out: positions by binary search.
 * Never: knows its parent.
 *
 * Keys of a node are neighbours and begin alike, so a node keeps the beginning they share and of
 * each key the four bytes after it (its head). Only where heads are equal is a key itself read.
 * A key shorter than what is looked at counts as filled up with zero bytes, here and throughout;
 * that keeps the order, and the tie is then broken by the keys themselves.
 */
import { compareSpans, type KeyTable } from "./key_table.ts";

export const NODE_ENTRIES = 128;
/** Set in a leaf's entry when the key exists now; ids are below it. */
export const EXISTS = 0x80000000;
export const ID_MASK = 0x7fffffff;

const MAX_PREFIX_BYTES = 64;
const HEADS = MAX_PREFIX_BYTES >>> 2;
const IDS = HEADS + NODE_ENTRIES;
const COUNTS = IDS + NODE_ENTRIES;

/** @returns the four bytes at `at` as a big-endian number, zeros past `end`. */
function headAt(bytes: Uint8Array, at: number, end: number): number {
  if (at + 4 <= end) {
    return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
  }
  let head = 0;
  for (let i = 0; i < 4; i++) head = (head << 8) | (at + i < end ? bytes[at + i] : 0);
  return head >>> 0;
}

export class OrderNode {
  /** Memory of a leaf, object included. */
  static readonly BYTES = COUNTS * 4 + 200;

  readonly #keys: KeyTable;
  /** Shared beginning (big-endian words), heads, ids; in a branch then keys existing below. */
  readonly #words: Uint32Array;
  #prefixBytes = 0;
  count = 0;
  /** Nodes below, one an entry; undefined in a leaf. */
  readonly children: OrderNode[] | undefined;
  /** A branch's own copies of its keys: few, and read all the time. */
  readonly #separators: Uint8Array[] = [];
  /** The neighbours of a leaf. */
  next: OrderNode | undefined = undefined;
  #previous: OrderNode | undefined = undefined;
  /** Whether the last `lowerBound` stands on the key itself. */
  found = false;

  constructor(keys: KeyTable, isBranch: boolean) {
    this.#keys = keys;
    this.#words = new Uint32Array(isBranch ? COUNTS + NODE_ENTRIES : COUNTS);
    this.children = isBranch ? [] : undefined;
  }

  idAt(position: number): number {
    return this.#words[IDS + position] & ID_MASK;
  }

  /** @returns the first position whose key is at or after the given one. */
  lowerBound(bytes: Uint8Array, start: number, end: number): number {
    this.found = false;
    const words = this.#words;
    const side = this.#comparePrefix(bytes, start, end);
    if (side !== 0) return side < 0 ? 0 : this.count;
    const head = headAt(bytes, start + this.#prefixBytes, end);
    const known = this.#prefixBytes + 4;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const mine = words[HEADS + middle];
      if (mine === head) {
        const order = this.#compare(middle, bytes, start, end, known);
        if (order === 0) {
          this.found = true;
          return middle;
        }
        if (order < 0) low = middle + 1;
        else high = middle;
      } else if (mine < head) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** @returns whether the first key is after the given one. */
  startsAfter(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#compare(0, bytes, start, end, 0) > 0;
  }

  /** As `KeyTable.compare`, with the key at a position. */
  #compare(
    position: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    known: number,
  ): number {
    if (this.children === undefined) {
      return this.#keys.compare(this.idAt(position), bytes, start, end, known);
    }
    const mine = this.#separators[position];
    return compareSpans(mine, 0, mine.length, bytes, start, end, known);
  }

  /** @returns below, at or above zero as the key is before, at or after the shared beginning. */
  #comparePrefix(bytes: Uint8Array, start: number, end: number): number {
    const words = this.#words;
    let left = this.#prefixBytes;
    for (let i = 0; left > 0; i++, left -= 4, start += 4) {
      const mask = left >= 4 ? -1 : -1 << (32 - 8 * left);
      const theirs = (headAt(bytes, start, end) & mask) >>> 0;
      const mine = (words[i] & mask) >>> 0;
      if (mine !== theirs) return theirs < mine ? -1 : 1;
    }
    return 0;
  }

  /** Adds an entry. @param entry id, in a leaf with EXISTS. */
  insert(position: number, entry: number, bytes: Uint8Array, start: number, end: number): void {
    const words = this.#words;
    this.#shift(position, 1);
    words[IDS + position] = entry;
    words[HEADS + position] = headAt(bytes, start + this.#prefixBytes, end);
    if (this.count === 1 || this.#comparePrefix(bytes, start, end) !== 0) this.#refresh();
  }

  /** Opens (by +1) or closes (by -1) the gap at a position. */
  #shift(position: number, by: 1 | -1): void {
    const words = this.#words;
    const from = by > 0 ? position : position + 1;
    const last = this.children === undefined ? IDS : COUNTS;
    for (let column = HEADS; column <= last; column += NODE_ENTRIES) {
      words.copyWithin(column + from + by, column + from, column + this.count);
    }
    this.count += by;
  }

  /** Adds a node below, and takes its first key and its count. */
  insertChild(position: number, child: OrderNode): void {
    this.children!.splice(position, 0, child);
    this.#separators.splice(position, 0, this.#keys.bytesOf(child.idAt(0)).slice());
    const { bytes, start, end } = this.#keys.locate(child.idAt(0));
    this.insert(position, child.idAt(0), bytes, start, end);
    this.setExisting(position, child.sumExisting(child.count));
  }

  remove(position: number): void {
    this.#shift(position, -1);
    this.children?.splice(position, 1);
    this.#separators.splice(position, 1);
  }

  /** Gives an entry of a branch another key, still in order. */
  replaceId(position: number, id: number): void {
    const { bytes, start, end } = this.#keys.locate(id);
    this.#separators[position] = bytes.slice(start, end);
    this.#words[IDS + position] = id;
    this.#words[HEADS + position] = headAt(bytes, start + this.#prefixBytes, end);
    if (this.#comparePrefix(bytes, start, end) !== 0) this.#refresh();
  }

  /** Moves the entries from a position on to a new right neighbour. */
  split(position: number): OrderNode {
    const right = new OrderNode(this.#keys, this.children !== undefined);
    for (let column = HEADS; column < this.#words.length; column += NODE_ENTRIES) {
      const moved = this.#words.subarray(column + position, column + this.count);
      right.#words.set(moved, column);
    }
    right.count = this.count - position;
    this.count = position;
    if (this.children !== undefined) right.children!.push(...this.children.splice(position));
    right.#separators.push(...this.#separators.splice(position));
    right.next = this.next;
    right.#previous = this;
    if (this.next !== undefined) this.next.#previous = right;
    this.next = right;
    this.#refresh();
    right.#refresh();
    return right;
  }

  /** Leaves the row of its neighbours. */
  unlink(): void {
    if (this.#previous !== undefined) this.#previous.next = this.next;
    if (this.next !== undefined) this.next.#previous = this.#previous;
  }

  /** Finds again what all keys share, and every head. */
  #refresh(): void {
    const words = this.#words;
    const keys = this.#keys;
    const shared = keys.sharedBytes(this.idAt(0), this.idAt(this.count - 1));
    this.#prefixBytes = Math.min(MAX_PREFIX_BYTES, shared);
    const first = keys.locate(this.idAt(0));
    for (let i = 0; i < this.#prefixBytes; i += 4) {
      words[i >>> 2] = headAt(first.bytes, first.start + i, first.end);
    }
    for (let i = 0; i < this.count; i++) {
      const { bytes, start, end } = keys.locate(this.idAt(i));
      words[HEADS + i] = headAt(bytes, start + this.#prefixBytes, end);
    }
  }

  /** Marks a leaf's key. */
  setExists(position: number, exists: boolean): void {
    const id = this.idAt(position);
    this.#words[IDS + position] = exists ? id | EXISTS : id;
  }

  /** Sets how many keys exist below a branch's entry. */
  setExisting(position: number, count: number): void {
    this.#words[COUNTS + position] = count;
  }

  addExisting(position: number, delta: number): void {
    this.#words[COUNTS + position] += delta;
  }

  /** @returns how many keys exist in or below the entries before a position. */
  sumExisting(position: number): number {
    const words = this.#words;
    let total = 0;
    if (this.children === undefined) {
      for (let i = IDS; i < IDS + position; i++) total += words[i] >>> 31;
    } else for (let i = COUNTS; i < COUNTS + position; i++) total += words[i];
    return total;
  }
}
