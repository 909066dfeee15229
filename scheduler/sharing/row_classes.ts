/**
 * Rows sorted into classes by small tuples of numbers, each class with its rows by score.
 * In: rows with values and totals, changed one at a time. Out: classes, one row of each.
 * Never: holds more classes than pay off; it throws `TooManyClasses`, which the caller catches.
 */

import { FEASIBLE } from "../plugin.ts";
import { ScoredRows } from "../structures/scored_rows.ts";

export interface RowClass {
  readonly values: Float64Array;
  readonly rows: ScoredRows;
  /** A row of the class, unless it has left. */
  representative: number;
}

/** Sharing does not pay off: nearly every row would be a class of its own. */
export class TooManyClasses extends Error {}

const MOST_CLASSES = 1024;
/** Values are packed in pairs with a class id into one exact number. */
const VALUE_SPAN = 2 ** 26;
const VALUE_LIFT = 2 ** 25;

export class RowClasses {
  readonly list: RowClass[] = [];
  readonly #rows: number;
  /** For each place in the tuple: (prefix, value) -> prefix one longer. */
  readonly #prefixes: readonly Map<number, number>[];
  readonly #classOf: Int32Array;
  readonly #totalOf: Float64Array;

  /** @param depth length of the tuples */
  constructor(rows: number, depth: number) {
    this.#rows = rows;
    this.#prefixes = Array.from({ length: depth }, () => new Map<number, number>());
    this.#classOf = new Int32Array(rows).fill(-1);
    this.#totalOf = new Float64Array(rows);
  }

  /** @returns the class of a row, undefined when it is in none. */
  of(row: number): RowClass | undefined {
    return this.list[this.#classOf[row]];
  }

  /** @returns some row of a class that is not empty. */
  representative(at: number): number {
    const known = this.list[at];
    if (known.representative < 0 || this.#classOf[known.representative] !== at) {
      known.representative = known.rows.any();
    }
    return known.representative;
  }

  /** Takes a row out. */
  take(row: number): void {
    const at = this.#classOf[row];
    if (at < 0) return;
    this.list[at].rows.remove(row, this.#totalOf[row]);
    this.#classOf[row] = -1;
  }

  /** Puts a row where it belongs. */
  put(row: number, values: Float64Array, total: number): void {
    const at = this.#classOf[row];
    if (at >= 0 && sameValues(this.list[at].values, values)) {
      if (this.#totalOf[row] === total) return;
      this.list[at].rows.remove(row, this.#totalOf[row]);
      this.list[at].rows.add(row, total);
      this.#totalOf[row] = total;
      return;
    }
    const to = this.#find(values);
    if (at >= 0) this.list[at].rows.remove(row, this.#totalOf[row]);
    this.list[to].rows.add(row, total);
    this.#classOf[row] = to;
    this.#totalOf[row] = total;
  }

  /**
   * Picks the best of the rows that some verdicts leave feasible, where there is one class only.
   *
   * @param rankOf given how many rows share the best total, says which of them, from 0
   */
  pickAmong(verdicts: Uint32Array, rankOf: (ties: number) => number) {
    const totals = this.#totalOf;
    let best = -Infinity;
    let ties = 0;
    let feasibleCount = 0;
    for (let row = 0; row < this.#rows; row++) {
      if (verdicts[row] !== FEASIBLE) continue;
      feasibleCount++;
      const total = totals[row];
      if (total > best) {
        best = total;
        ties = 1;
      } else if (total === best) ties++;
    }
    if (feasibleCount === 0) return { row: -1, feasibleCount };
    let rank = rankOf(ties);
    let row = 0;
    while (verdicts[row] !== FEASIBLE || totals[row] !== best || rank-- > 0) row++;
    return { row, feasibleCount };
  }

  #find(values: Float64Array): number {
    const depth = values.length;
    let prefix = 0;
    for (let i = 0; i < depth; i++) {
      const lifted = values[i] + VALUE_LIFT;
      if (lifted < 0 || lifted >= VALUE_SPAN) throw new TooManyClasses();
      const key = prefix * VALUE_SPAN + lifted;
      const known = this.#prefixes[i].get(key);
      if (known !== undefined) prefix = known;
      else {
        prefix = this.#prefixes[i].size;
        if (prefix >= MOST_CLASSES) throw new TooManyClasses();
        this.#prefixes[i].set(key, prefix);
      }
    }
    // The longest prefixes are numbered as their classes are.
    if (prefix === this.list.length) {
      const rows = new ScoredRows(this.#rows);
      this.list.push({ values: values.slice(), rows, representative: -1 });
    }
    return prefix;
  }
}

function sameValues(a: Float64Array, b: Float64Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
