/**
 * A bag of numbers that knows its lowest.
 * In: numbers that come and go. Out: the lowest one there is.
 * Never: sorts; distinct numbers are few, and they are gone through only when the lowest leaves.
 */

export class CountedNumbers {
  readonly #counts = new Map<number, number>();
  #lowest = Infinity;

  /** Infinity when empty. */
  get lowest(): number {
    return this.#lowest;
  }

  add(value: number): void {
    this.#counts.set(value, (this.#counts.get(value) ?? 0) + 1);
    if (value < this.#lowest) this.#lowest = value;
  }

  /** Takes out one of a number that is in. */
  remove(value: number): void {
    const count = this.#counts.get(value)! - 1;
    if (count > 0) {
      this.#counts.set(value, count);
      return;
    }
    this.#counts.delete(value);
    if (value === this.#lowest) {
      this.#lowest = [...this.#counts.keys()].reduce((a, b) => Math.min(a, b), Infinity);
    }
  }
}
