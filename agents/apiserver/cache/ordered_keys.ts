/**
 * A set of keys that is read in order now and then and changed all the time.
 * In: additions and removals, O(1) each as a rule. Out: the sorted keys under a prefix.
 * Never: sorts more than what was added since the last read, or lets so much come together that
 * the next read is held up by it.
 */

/** So many additions and removals are put in order at once. */
const MOST_CHANGES = 4096;

export class OrderedKeys {
  #sorted: string[] = [];
  readonly #added = new Set<string>();
  readonly #removed = new Set<string>();

  add(key: string): void {
    if (!this.#removed.delete(key)) this.#added.add(key);
    if (this.#added.size >= MOST_CHANGES) this.#settle();
  }

  /** The key must be in the set. */
  remove(key: string): void {
    if (!this.#added.delete(key)) this.#removed.add(key);
    if (this.#removed.size >= MOST_CHANGES) this.#settle();
  }

  clear(): void {
    this.#sorted = [];
    this.#added.clear();
    this.#removed.clear();
  }

  /**
   * Calls `visit` with each key under `prefix` in order, until it answers false.
   * @param from first key wanted; "" = the prefix's first
   */
  visit(prefix: string, from: string, visit: (key: string) => boolean): void {
    this.#settle();
    const keys = this.#sorted;
    for (let i = lowerBound(keys, from > prefix ? from : prefix); i < keys.length; i++) {
      if (!keys[i].startsWith(prefix) || !visit(keys[i])) return;
    }
  }

  /** All keys under `prefix`, as a part of an array that stays as it is. */
  range(prefix: string): {
    readonly keys: readonly string[];
    readonly start: number;
    readonly end: number;
  } {
    this.#settle();
    const keys = this.#sorted;
    return { keys, start: lowerBound(keys, prefix), end: lowerBound(keys, prefix + "\uffff") };
  }

  /** How many keys under `prefix` come at or after `from`. */
  countFrom(prefix: string, from: string): number {
    this.#settle();
    const end = lowerBound(this.#sorted, prefix + "\uffff");
    return Math.max(0, end - lowerBound(this.#sorted, from));
  }

  /** Few changes are spliced in, as most of the array stays; many are merged. */
  #settle(): void {
    const changes = this.#added.size + this.#removed.size;
    if (changes === 0) return;
    this.#sorted = changes * 16 < this.#sorted.length ? this.#splice() : this.#merge();
    this.#added.clear();
    this.#removed.clear();
  }

  #splice(): string[] {
    const keys = this.#sorted;
    const parts: (readonly string[])[] = [];
    let from = 0;
    for (const key of [...this.#added, ...this.#removed].sort()) {
      const at = lowerBound(keys, key);
      parts.push(keys.slice(from, at));
      const isGone = this.#removed.has(key);
      if (!isGone) parts.push([key]);
      from = isGone ? at + 1 : at;
    }
    parts.push(keys.slice(from));
    return ([] as string[]).concat(...parts);
  }

  #merge(): string[] {
    const added = [...this.#added].sort();
    const merged: string[] = [];
    let next = 0;
    for (const key of this.#sorted) {
      while (next < added.length && added[next] < key) merged.push(added[next++]);
      if (!this.#removed.has(key)) merged.push(key);
    }
    while (next < added.length) merged.push(added[next++]);
    return merged;
  }
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle] < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
