/**
 * Which rows changed, in order, as far back as caches may lag behind.
 * In: rows as they change. Out: a generation that moves with each, and the rows since an earlier
 * one.
 * Never: forgets silently; whoever asks about too long ago is told so and starts over.
 */

/** Changed rows remembered; a power of two. */
export const CHANGE_RING = 4096;

/** Noted in place of a row when something changed that belongs to no row. */
export const NO_ROW = -1;

export class ChangeLog {
  /** Moves with every change of any kind. */
  generation = 0;
  readonly #rows = new Int32Array(CHANGE_RING);

  note(row: number): void {
    this.generation++;
    this.#rows[this.generation % CHANGE_RING] = row;
  }

  /**
   * Visits the rows changed since a generation; changes of one row in a row count as one.
   *
   * @returns false when that is too long ago to know; the caller must start over.
   */
  each(since: number, visit: (row: number) => void): boolean {
    if (this.generation - since > CHANGE_RING) return false;
    for (let at = since + 1; at <= this.generation; at++) {
      const row = this.#rows[at % CHANGE_RING];
      const isFollowed = at < this.generation && this.#rows[(at + 1) % CHANGE_RING] === row;
      if (row >= 0 && !isFollowed) visit(row);
    }
    return true;
  }
}
