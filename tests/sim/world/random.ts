/**
 * Chance of a simulation: a seeded generator that can be split.
 * In: a seed. Out: integers, fractions, choices; independent streams by name, so that one more draw
 * in the network does not change what the clients do.
 * Never: draws from anything but the seed. Source: mulberry32; FNV-1a for the names of streams.
 */
import type { Random } from "../../../store/raft/types.ts";

export class SimRandom implements Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** @returns a stream of its own, the same for the same seed and name */
  static stream(seed: number, name: string): SimRandom {
    let hash = 0x811c9dc5 ^ Math.imul(seed, 0x9e3779b1);
    for (let i = 0; i < name.length; i++) {
      hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
    }
    const random = new SimRandom(hash);
    random.#next();
    return random;
  }

  /** @returns an integer in `[0, below)` */
  nextInt(below: number): number {
    return Math.floor(this.#next() / 2 ** 32 * below);
  }

  /** @returns a number in `[low, high)` */
  between(low: number, high: number): number {
    return low + this.#next() / 2 ** 32 * (high - low);
  }

  /** @returns true with this probability, 0..1 */
  chance(probability: number): boolean {
    return this.#next() < probability * 2 ** 32;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.nextInt(items.length)];
  }

  /** Mostly near `mean`, sometimes much longer. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.#next() / 2 ** 32);
  }

  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }
}
