/**
 * A set of keys that is read in order now and then and changed all the time.
 * In: additions and removals, O(1) each. Out: the sorted keys under a prefix.
 * Never: sorts more than what was added since the last read.
 */
export class OrderedKeys {
  #sorted: string[] = [];
  readonly #added = new Set<string>();
  readonly #removed = new Set<string>();

  add(key: string): void {
    if (!this.#removed.delete(key)) this.#added.add(key);
  }

  /** The key must be in the set. */
  remove(key: string): void {
    if (!this.#added.delete(key)) this.#removed.add(key);
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

  /** How many keys under `prefix` come at or after `from`. */
  countFrom(prefix: string, from: string): number {
    this.#settle();
    const end = lowerBound(this.#sorted, prefix + "\uffff");
    return Math.max(0, end - lowerBound(this.#sorted, from));
  }

  #settle(): void {
    if (this.#added.size === 0 && this.#removed.size === 0) return;
    const added = [...this.#added].sort();
    const merged: string[] = [];
    let next = 0;
    for (const key of this.#sorted) {
      while (next < added.length && added[next] < key) merged.push(added[next++]);
      if (!this.#removed.has(key)) merged.push(key);
    }
    while (next < added.length) merged.push(added[next++]);
    this.#sorted = merged;
    this.#added.clear();
    this.#removed.clear();
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
