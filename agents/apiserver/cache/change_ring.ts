/**
 * The recent changes of one resource, oldest first, for watches that resume from a revision.
 * In: changes in revision order. Out: those after a revision, or "too old".
 * Never: grows beyond its capacity; forgets whole revisions' promises by raising its floor.
 */
import type { Change } from "./stored_object.ts";

export class ChangeRing {
  #slots: (Change | undefined)[] = [];
  #start = 0;
  #count = 0;
  /** Every change after this revision is still here. */
  #floor: number;

  /**
   * @param capacity most changes kept
   * @param floor revision of the state that the first change comes after
   */
  constructor(readonly capacity: number, floor: number) {
    this.#floor = floor;
  }

  /** The oldest revision from which a watch can resume. */
  get floor(): number {
    return this.#floor;
  }

  get length(): number {
    return this.#count;
  }

  push(change: Change): void {
    if (this.#count < this.capacity) {
      // Grows by appending while nothing has wrapped around yet.
      this.#slots.push(change);
      this.#count++;
      return;
    }
    this.#floor = this.#slots[this.#start]!.revision;
    this.#slots[this.#start] = change;
    this.#start = (this.#start + 1) % this.capacity;
  }

  /** Forgets everything; changes up to `floor` can't be asked for any more. */
  reset(floor: number): void {
    this.#slots = [];
    this.#start = 0;
    this.#count = 0;
    this.#floor = floor;
  }

  /**
   * Calls `visit` for each change after `revision`, in order.
   * @returns false when some of them are gone
   */
  replayAfter(revision: number, visit: (change: Change) => void): boolean {
    if (revision < this.#floor) return false;
    for (let i = this.#firstAfter(revision); i < this.#count; i++) visit(this.#at(i));
    return true;
  }

  #at(index: number): Change {
    return this.#slots[(this.#start + index) % this.#slots.length]!;
  }

  #firstAfter(revision: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#at(middle).revision > revision) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
