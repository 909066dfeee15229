/**
 * Key ids in the order of their keys: sorted leaves of up to 128 ids under one directory.
 * In: ids whose bytes the key table holds. Out: positions and walks in key order, fast counts.
 * Never: copies a key; compares through the table.
 *
 * A deleted key stays here until compaction drops its history; each leaf counts the keys that
 * exist now, so that counting a wide range skips over whole leaves.
 */
import type { KeyTable } from "./key_table.ts";

const LEAF_IDS = 128;

class Leaf {
  ids: Uint32Array = new Uint32Array(LEAF_IDS);
  count = 0;
  existing = 0;
}

/** A place between keys. Valid until the next insert or remove. */
export interface OrderCursor {
  leaf: number;
  position: number;
}

export class KeyOrder {
  readonly #keys: KeyTable;
  readonly #leaves: Leaf[] = [new Leaf()];
  /** The leaf of the last search: neighbours in time are often neighbours in order. */
  #finger = 0;

  constructor(keys: KeyTable) {
    this.#keys = keys;
  }

  get indexBytes(): number {
    return this.#leaves.length * (LEAF_IDS * 4 + 64);
  }

  /** Adds an id whose key is not present; `addExisting` tells when it begins to exist. */
  insert(id: number, bytes: Uint8Array, start: number, end: number): void {
    let index = this.#findLeaf(bytes, start, end);
    let leaf = this.#leaves[index];
    let position = this.#lowerBound(leaf, bytes, start, end);
    if (leaf.count === LEAF_IDS) {
      this.#split(index, position);
      if (position > leaf.count || leaf.count === LEAF_IDS) {
        position -= leaf.count;
        leaf = this.#leaves[++index];
      }
    }
    leaf.ids.copyWithin(position + 1, position, leaf.count);
    leaf.ids[position] = id;
    leaf.count++;
    this.#finger = index;
  }

  /** Halves a full leaf; one that grows at its end is left full, for keys that come in order. */
  #split(index: number, position: number): void {
    const leaf = this.#leaves[index];
    const right = new Leaf();
    if (position < LEAF_IDS) {
      const half = LEAF_IDS >>> 1;
      right.ids.set(leaf.ids.subarray(half));
      right.count = LEAF_IDS - half;
      leaf.count = half;
      right.existing = this.#recount(right);
      leaf.existing -= right.existing;
    }
    this.#leaves.splice(index + 1, 0, right);
  }

  #recount(leaf: Leaf): number {
    let existing = 0;
    for (let i = 0; i < leaf.count; i++) if (this.exists(leaf.ids[i])) existing++;
    return existing;
  }

  /** Whether a key exists now; the owner of the order sets it. */
  exists: (id: number) => boolean = () => false;

  /** Notes that a key began (+1) or ceased (-1) to exist. */
  addExisting(delta: 1 | -1, bytes: Uint8Array, start: number, end: number): void {
    this.#leaves[this.#findLeaf(bytes, start, end)].existing += delta;
  }

  /** Takes out the id of a key that does not exist any more. */
  remove(bytes: Uint8Array): void {
    const index = this.#findLeaf(bytes, 0, bytes.length);
    const leaf = this.#leaves[index];
    const position = this.#lowerBound(leaf, bytes, 0, bytes.length);
    leaf.ids.copyWithin(position, position + 1, leaf.count);
    leaf.count--;
    if (leaf.count === 0 && this.#leaves.length > 1) {
      this.#leaves.splice(index, 1);
      this.#finger = 0;
    }
  }

  /** Sets a cursor before the first key at or after the given one. */
  moveTo(cursor: OrderCursor, bytes: Uint8Array, start: number, end: number): void {
    cursor.leaf = this.#findLeaf(bytes, start, end);
    cursor.position = this.#lowerBound(this.#leaves[cursor.leaf], bytes, start, end);
  }

  moveToEnd(cursor: OrderCursor): void {
    cursor.leaf = this.#leaves.length - 1;
    cursor.position = this.#leaves[cursor.leaf].count;
  }

  /** @returns the id at the cursor, which then stands after it, or -1 at the end. */
  next(cursor: OrderCursor): number {
    let leaf = this.#leaves[cursor.leaf];
    while (cursor.position >= leaf.count) {
      if (cursor.leaf + 1 >= this.#leaves.length) return -1;
      leaf = this.#leaves[++cursor.leaf];
      cursor.position = 0;
    }
    return leaf.ids[cursor.position++];
  }

  /** @returns how many keys between two cursors exist now. */
  countExisting(from: OrderCursor, to: OrderCursor): number {
    let total = 0;
    for (let index = from.leaf; index <= to.leaf; index++) {
      const leaf = this.#leaves[index];
      const first = index === from.leaf ? from.position : 0;
      const last = index === to.leaf ? to.position : leaf.count;
      if (first === 0 && last === leaf.count) total += leaf.existing;
      else for (let i = first; i < last; i++) if (this.exists(leaf.ids[i])) total++;
    }
    return total;
  }

  /** The last leaf whose first key is at or before the given one, else the first leaf. */
  #findLeaf(bytes: Uint8Array, start: number, end: number): number {
    const leaves = this.#leaves;
    let low = 0;
    let high = leaves.length - 1;
    const finger = this.#finger;
    if (finger <= high && this.#startsAfter(finger, bytes, start, end)) high = finger - 1;
    else if (finger < high && !this.#startsAfter(finger + 1, bytes, start, end)) low = finger + 1;
    else if (finger <= high) return finger;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#startsAfter(middle, bytes, start, end)) high = middle - 1;
      else low = middle;
    }
    this.#finger = Math.max(low, 0);
    return this.#finger;
  }

  #startsAfter(index: number, bytes: Uint8Array, start: number, end: number): boolean {
    const leaf = this.#leaves[index];
    return leaf.count > 0 && this.#keys.compare(leaf.ids[0], bytes, start, end) > 0;
  }

  #lowerBound(leaf: Leaf, bytes: Uint8Array, start: number, end: number): number {
    let low = 0;
    let high = leaf.count;
    const { ids } = leaf;
    if (high > 0 && this.#keys.compare(ids[high - 1], bytes, start, end) < 0) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#keys.compare(ids[middle], bytes, start, end) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
