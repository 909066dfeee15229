/**
 * A set of rows that is walked in order from any place and asked for its n-th member.
 * In: rows that come and go. Out: how many there are, the next one at or after a row, the n-th.
 * Never: costs more to walk than its members and a thirty-second of the rows.
 */

import { nthRow } from "./scored_rows.ts";
import type { RankedRows } from "./scored_rows.ts";

const GROUP_SHIFT = 10;

export class RowSet implements RankedRows {
  readonly bits: Int32Array;
  readonly groups: Int32Array;
  size = 0;

  /** @param rows none that is higher comes in */
  constructor(rows: number) {
    const words = (rows + 31) >> 5;
    this.bits = new Int32Array(words);
    this.groups = new Int32Array(Math.ceil(rows / (1 << GROUP_SHIFT)));
  }

  /** Takes a row in, or out, unless it is so already. */
  put(row: number, isIn: boolean): void {
    const bit = 1 << (row & 31);
    const word = this.bits[row >> 5];
    if (((word & bit) !== 0) === isIn) return;
    this.bits[row >> 5] = word ^ bit;
    const by = isIn ? 1 : -1;
    this.groups[row >> GROUP_SHIFT] += by;
    this.size += by;
  }

  /** @returns the first row of the set that is not before a row, -1 when there is none. */
  next(row: number): number {
    const { bits } = this;
    let at = row >> 5;
    if (at >= bits.length) return -1;
    let word = bits[at] & (-1 << (row & 31));
    while (word === 0) {
      if (++at === bits.length) return -1;
      word = bits[at];
    }
    return at * 32 + 31 - Math.clz32(word & -word);
  }

  /** @returns the row of a rank, from 0, in order of rows; there are more rows than that. */
  nth(rank: number): number {
    return nthRow([this], rank);
  }
}
