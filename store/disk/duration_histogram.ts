/**
 * How long something took, counted by size, as Prometheus wants it.
 * In: durations. Out: counts below each bound, their sum and number.
 * Never: reads a clock; allocates once made.
 * Source: the buckets of etcd's disk histograms (1 ms doubled thirteen times).
 */

/** Upper bounds of the buckets, seconds. */
export const BUCKET_SECONDS: readonly number[] = Array.from(
  { length: 14 },
  (_, i) => 2 ** i / 1000,
);

export class DurationHistogram {
  /** Observations in each bucket alone; the last is for longer ones. */
  readonly #counts = new Float64Array(BUCKET_SECONDS.length + 1);
  #sumSeconds = 0;
  #count = 0;

  get sumSeconds(): number {
    return this.#sumSeconds;
  }

  get count(): number {
    return this.#count;
  }

  observe(seconds: number): void {
    let bucket = 0;
    while (bucket < BUCKET_SECONDS.length && seconds > BUCKET_SECONDS[bucket]) bucket++;
    this.#counts[bucket]++;
    this.#sumSeconds += seconds;
    this.#count++;
  }

  /** @returns how many took no longer than each of BUCKET_SECONDS */
  cumulative(): number[] {
    let total = 0;
    return BUCKET_SECONDS.map((_, i) => total += this.#counts[i]);
  }
}
