/**
 * Sets of keys as merged half-open intervals, for permissions.
 * In: grants. Out: whether a key or a whole range lies inside.
 * Never: knows users or roles.
 * Source: etcd's rule that a range is allowed when the union of the grants covers it.
 */
import { compareBytes, isOpenEnd } from "../storage/kv.ts";

interface Interval {
  readonly begin: Uint8Array;
  /** Undefined = no upper bound. */
  readonly end: Uint8Array | undefined;
}

function endOf(key: Uint8Array, rangeEnd: Uint8Array): Uint8Array | undefined {
  if (isOpenEnd(rangeEnd)) return undefined;
  if (rangeEnd.length > 0) return rangeEnd;
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

function compareEnds(a: Uint8Array | undefined, b: Uint8Array | undefined): number {
  if (a === undefined) return b === undefined ? 0 : 1;
  return b === undefined ? -1 : compareBytes(a, b);
}

export class IntervalSet {
  readonly #merged: Interval[] = [];

  /** @param grants key and range end each, in etcd's notation. */
  constructor(grants: readonly { readonly key: Uint8Array; readonly rangeEnd: Uint8Array }[]) {
    const sorted = grants
      .map(({ key, rangeEnd }): Interval => ({ begin: key, end: endOf(key, rangeEnd) }))
      .sort((a, b) => compareBytes(a.begin, b.begin));
    for (const interval of sorted) {
      const last = this.#merged[this.#merged.length - 1];
      if (last === undefined || compareEnds(interval.begin, last.end) > 0) {
        this.#merged.push(interval);
      } else if (compareEnds(interval.end, last.end) > 0) {
        this.#merged[this.#merged.length - 1] = { begin: last.begin, end: interval.end };
      }
    }
  }

  /** @returns whether the key, or every key of the range, is in the set. */
  covers(key: Uint8Array, rangeEnd: Uint8Array): boolean {
    let low = 0;
    let high = this.#merged.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareBytes(this.#merged[middle].begin, key) <= 0) low = middle + 1;
      else high = middle;
    }
    const candidate = this.#merged[low - 1];
    return candidate !== undefined && compareEnds(candidate.end, endOf(key, rangeEnd)) >= 0;
  }
}
