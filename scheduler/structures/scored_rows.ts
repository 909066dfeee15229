/**
 * Rows kept by score: the best score, how many rows have it, and the n-th of them in order of rows.
 * In: rows with integer scores that change. Out: bit sets of the rows that share a score.
 * Never: sorts. Scores are few and rows many, so each score has a set of bits; one change costs two
 * bits, and a score is looked for only when the best one has lost its last row.
 */

/** Rows of which the n-th is found fast. */
export interface RankedRows {
  /** `Int32Array[ceil(rows / 32)]`, bit `row & 31` of word `row >> 5`. */
  readonly bits: Int32Array;
  /** `Int32Array[ceil(rows / 1024)]`: how many rows each group of 32 words holds. */
  readonly groups: Int32Array;
}

/** The rows of one score. */
export interface ScoreSet extends RankedRows {
  readonly score: number;
  count: number;
}

const GROUP_SHIFT = 10;
const GROUP_WORDS = 32;

export class ScoredRows {
  readonly #words: number;
  readonly #sets = new Map<number, ScoreSet>();
  /** Emptied sets to be used again. */
  readonly #spare: ScoreSet[] = [];
  #best: ScoreSet | null = null;
  /** Rows held. */
  size = 0;

  constructor(rows: number) {
    this.#words = (rows + 31) >> 5;
  }

  /** The rows with the highest score, null when there is no row. */
  get best(): ScoreSet | null {
    return this.#best;
  }

  add(row: number, score: number): void {
    let set = this.#sets.get(score);
    if (set === undefined) {
      const { bits, groups } = this.#spare.pop() ?? this.#make();
      set = { score, bits, groups, count: 0 };
      this.#sets.set(score, set);
      if (this.#best === null || score > this.#best.score) this.#best = set;
    }
    set.bits[row >> 5] |= 1 << (row & 31);
    set.groups[row >> GROUP_SHIFT]++;
    set.count++;
    this.size++;
  }

  /** Removes a row; it must be here with that score. */
  remove(row: number, score: number): void {
    const set = this.#sets.get(score)!;
    set.bits[row >> 5] &= ~(1 << (row & 31));
    set.groups[row >> GROUP_SHIFT]--;
    this.size--;
    if (--set.count > 0) return;
    this.#sets.delete(score);
    this.#spare.push(set);
    if (set === this.#best) this.#findBest();
  }

  /** @returns any row, -1 when there is none. */
  any(): number {
    return this.#best === null ? -1 : nthRow([this.#best], 0);
  }

  #make() {
    const groups = new Int32Array(Math.ceil(this.#words / GROUP_WORDS));
    return { score: 0, bits: new Int32Array(this.#words), groups, count: 0 };
  }

  #findBest(): void {
    let best: ScoreSet | null = null;
    for (const set of this.#sets.values()) if (best === null || set.score > best.score) best = set;
    this.#best = best;
  }
}

function countBits(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** @returns the row that is `rank`-th (from 0, in order of rows) in the union of disjoint sets. */
export function nthRow(sets: readonly RankedRows[], rank: number): number {
  const { bits: first, groups } = sets[0];
  let group = 0;
  for (; group < groups.length; group++) {
    let count = groups[group];
    for (let i = 1; i < sets.length; i++) count += sets[i].groups[group];
    if (rank < count) break;
    rank -= count;
  }
  for (let at = group * GROUP_WORDS; at < first.length; at++) {
    let word = first[at];
    for (let i = 1; i < sets.length; i++) word |= sets[i].bits[at];
    if (word === 0) continue;
    const count = countBits(word);
    if (rank >= count) {
      rank -= count;
      continue;
    }
    for (; rank > 0; rank--) word &= word - 1;
    return at * 32 + 31 - Math.clz32(word & -word);
  }
  throw new Error(`scored rows: no row of rank ${rank}`);
}
