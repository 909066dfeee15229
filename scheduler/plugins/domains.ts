/**
 * Sums over topology domains: a count by row becomes a count by label value.
 * In: `Int32Array[rows]` counts, a topology key. Out: `Int32Array[label values]`.
 * Never: counts a node that lacks the label.
 */

import type { NodeTable } from "../node_table.ts";

/** Numbers by domain, for several topology keys. */
export class DomainSums {
  readonly #table: NodeTable;
  readonly #sums = new Map<string, Int32Array>();
  /** Sum over all domains of all keys. */
  total = 0;

  constructor(table: NodeTable) {
    this.#table = table;
  }

  /** Topology keys that have sums. */
  keys(): Iterable<string> {
    return this.#sums.keys();
  }

  /** @returns sums by label value id; all 0 for a key never added to. */
  of(key: string): Int32Array {
    let sums = this.#sums.get(key);
    if (sums === undefined) {
      // Asking for the ids first makes the table intern the key's values.
      this.#table.labelIds(key);
      sums = new Int32Array(this.#table.labelSpan);
      this.#sums.set(key, sums);
    }
    return sums;
  }

  /** Adds counts of every row, times a factor. @param counts `Int32Array[rows]`. */
  addColumn(key: string, counts: Int32Array, factor: number): void {
    const ids = this.#table.labelIds(key);
    const sums = this.of(key);
    for (let row = 0; row < this.#table.rows; row++) {
      const id = ids[row];
      if (id === 0 || counts[row] === 0) continue;
      sums[id] += factor * counts[row];
      this.total += factor * counts[row];
    }
  }

  /** Adds to the domain of one row. */
  addRow(key: string, row: number, amount: number): void {
    const id = this.#table.labelIds(key)[row];
    if (id === 0) return;
    this.of(key)[id] += amount;
    this.total += amount;
  }
}
