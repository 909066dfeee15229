/**
 * A tree of matches over a column of scores: the best score, how many rows share it, and the n-th
 * of them, each in O(log rows), with O(log rows) to change one row.
 * In: integer scores, `OUT` for rows that don't take part. Out: rows.
 * Never: breaks ties by itself; the caller says which of the equals it wants.
 */

/** The score of a row that doesn't take part. */
export const OUT = -1;

export class Tournament {
  /** Leaves start here; leaf of row r is `#base + r`, its parent half of that. */
  readonly #base: number;
  readonly #best: Int32Array;
  readonly #ties: Int32Array;

  /** @param scores `Int32Array[rows]`, 0 and up or `OUT`. */
  constructor(scores: Int32Array, rows: number) {
    let base = 1;
    while (base < rows) base *= 2;
    this.#base = base;
    this.#best = new Int32Array(2 * base).fill(OUT);
    this.#ties = new Int32Array(2 * base);
    for (let row = 0; row < rows; row++) {
      this.#best[base + row] = scores[row];
      this.#ties[base + row] = scores[row] === OUT ? 0 : 1;
    }
    for (let node = base - 1; node >= 1; node--) this.#play(node);
  }

  /** Highest score, `OUT` when no row takes part. */
  get best(): number {
    return this.#best[1];
  }

  /** How many rows have the highest score. */
  get ties(): number {
    return this.#ties[1];
  }

  /** Replaces the score of a row. */
  set(row: number, score: number): void {
    let node = this.#base + row;
    this.#best[node] = score;
    this.#ties[node] = score === OUT ? 0 : 1;
    for (node >>= 1; node >= 1; node >>= 1) this.#play(node);
  }

  /** @returns the row that is `rank`-th (from 0, in order of rows) of those with the best score. */
  winner(rank: number): number {
    if (rank < 0 || rank >= this.ties) throw new Error(`tournament: no winner of rank ${rank}`);
    const best = this.best;
    let node = 1;
    while (node < this.#base) {
      node *= 2;
      const left = this.#best[node] === best ? this.#ties[node] : 0;
      if (rank >= left) {
        rank -= left;
        node++;
      }
    }
    return node - this.#base;
  }

  #play(node: number): void {
    const left = 2 * node;
    const right = left + 1;
    const a = this.#best[left];
    const b = this.#best[right];
    this.#best[node] = a > b ? a : b;
    this.#ties[node] = (a >= b ? this.#ties[left] : 0) + (b >= a ? this.#ties[right] : 0);
  }
}
