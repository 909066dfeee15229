/**
 * Numbers of a range that belong to objects: cluster IPs and node ports.
 * In: owners by key, as the objects say and as writes under way claim. Out: free numbers.
 * Never: gives one number to two owners, or forgets a claim before its write can be seen.
 */
import type { Clock, Random } from "../ports.ts";

interface Owner {
  readonly key: string;
  /** When a claim that no object confirmed may be taken over; Infinity once confirmed. */
  until: number;
}

const CLAIM_MILLIS = 30_000;

export class NumberPool {
  readonly #owners = new Map<number, Owner>();
  readonly #held = new Map<string, Set<number>>();
  readonly #options: {
    readonly first: number;
    readonly last: number;
    /** Automatic choices avoid the numbers below, which people pick by hand. */
    readonly dynamicFrom: number;
    readonly clock: Clock;
    readonly random: Random;
  };

  constructor(options: {
    readonly first: number;
    readonly last: number;
    readonly dynamicFrom: number;
    readonly clock: Clock;
    readonly random: Random;
  }) {
    this.#options = options;
  }

  contains(value: number): boolean {
    return value >= this.#options.first && value <= this.#options.last;
  }

  /** @returns false when another owner has the number */
  claim(value: number, key: string): boolean {
    const owner = this.#owners.get(value);
    if (owner !== undefined && owner.key !== key && owner.until > this.#now()) return false;
    if (owner?.key === key) return true;
    this.#own(value, { key, until: this.#now() + CLAIM_MILLIS });
    return true;
  }

  /** @returns a free number, now claimed, or null when there is none */
  take(key: string): number | null {
    const { first, last, dynamicFrom, random } = this.#options;
    return this.#search(dynamicFrom, last, random.integer(last - dynamicFrom + 1), key) ??
      this.#search(first, dynamicFrom - 1, 0, key);
  }

  /** What the object itself says: these numbers are its own and no others. */
  confirm(key: string, values: readonly number[]): void {
    const wanted = new Set(values);
    for (const value of [...this.#held.get(key) ?? []]) {
      if (!wanted.has(value)) this.#disown(value, key);
    }
    for (const value of wanted) this.#own(value, { key, until: Infinity });
  }

  #now(): number {
    return this.#options.clock.nowMillis();
  }

  #search(from: number, to: number, offset: number, key: string): number | null {
    const size = to - from + 1;
    for (let i = 0; i < size; i++) {
      const value = from + (offset + i) % size;
      const owner = this.#owners.get(value);
      if (owner !== undefined && owner.until > this.#now()) continue;
      this.#own(value, { key, until: this.#now() + CLAIM_MILLIS });
      return value;
    }
    return null;
  }

  #own(value: number, owner: Owner): void {
    const before = this.#owners.get(value);
    if (before !== undefined && before.key !== owner.key) this.#disown(value, before.key);
    this.#owners.set(value, owner);
    const held = this.#held.get(owner.key);
    if (held === undefined) this.#held.set(owner.key, new Set([value]));
    else held.add(value);
  }

  #disown(value: number, key: string): void {
    this.#owners.delete(value);
    const held = this.#held.get(key);
    held?.delete(value);
    if (held?.size === 0) this.#held.delete(key);
  }
}
