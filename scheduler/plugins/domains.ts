/**
 * Sums over topology domains: a count by row becomes a count by label value.
 * In: `Int32Array[rows]` counts, a topology key. Out: `Int32Array[label values]`.
 * Never: counts a node that lacks the label.
 */

import type { NodeTable } from "../node_table.ts";

/** @returns whether no two rows share a value of the label: each is a domain of its own. */
export function isSingular(table: NodeTable, key: string): boolean {
  const ids = table.labelIds(key);
  const seen = new Uint8Array(table.labelSpan);
  for (let row = 0; row < table.rows; row++) {
    const id = ids[row];
    if (id === 0) continue;
    if (seen[id] !== 0) return false;
    seen[id] = 1;
  }
  return true;
}

const EMPTY = new Int32Array(0);

/** A live column of counts that was summed, and what was seen of it. */
interface Source {
  readonly key: string;
  /** The holder, because the column itself may be replaced by a longer one. */
  readonly counted: { readonly counts: Int32Array };
  readonly factor: number;
  seen: Int32Array;
}

/** Numbers by domain, for several topology keys. */
export class DomainSums {
  readonly #table: NodeTable;
  readonly #sums = new Map<string, Int32Array>();
  readonly #sources: Source[] = [];
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

  /** Adds counts of every row, times a factor. */
  addColumn(key: string, counted: { readonly counts: Int32Array }, factor: number): void {
    const ids = this.#table.labelIds(key);
    const sums = this.of(key);
    const { counts } = counted;
    for (let row = 0; row < this.#table.rows; row++) {
      const id = ids[row];
      if (id === 0 || counts[row] === 0) continue;
      sums[id] += factor * counts[row];
      this.total += factor * counts[row];
    }
    this.#sources.push({ key, counted, factor, seen: EMPTY });
  }

  /** Starts to remember what the added columns hold, so that `refresh` can tell the difference. */
  remember(): void {
    for (const source of this.#sources) {
      source.seen = source.counted.counts.slice(0, this.#table.rows);
    }
  }

  /** Adds what changed on a row of the added columns. */
  refresh(row: number): void {
    for (const { key, counted, factor, seen } of this.#sources) {
      const delta = counted.counts[row] - seen[row];
      if (delta === 0) continue;
      seen[row] += delta;
      this.addRow(key, row, factor * delta);
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
