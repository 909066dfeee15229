/**
 * Pods bound per second, from the moments at which bindings were seen committed.
 * In: counts with times. Out: mean and percentiles of per-second throughput as a DataItem.
 * Never: leaves out a second: unlike upstream's collector, the first one counts, and so do idle
 * ones. The mean is all pods over the time from the first creation to the last binding.
 */
import type { DataItem } from "../result.ts";

const WINDOW_MILLIS = 1000;
/** A last window shorter than this is too coarse to be a sample of its own. */
const SHORTEST_WINDOW_MILLIS = 250;

export class ThroughputCollector {
  readonly #startMillis: number;
  #lastMillis: number;
  #total = 0;
  /** Pods bound in each second since the start. */
  readonly #windows: number[] = [];

  /** @param startMillis when the first pod is about to be created */
  constructor(startMillis: number) {
    this.#startMillis = startMillis;
    this.#lastMillis = startMillis;
  }

  /** Counts pods whose bindings were seen at a time. */
  add(count: number, atMillis: number): void {
    const window = Math.floor((atMillis - this.#startMillis) / WINDOW_MILLIS);
    while (this.#windows.length <= window) this.#windows.push(0);
    this.#windows[window] += count;
    this.#total += count;
    this.#lastMillis = atMillis;
  }

  get total(): number {
    return this.#total;
  }

  /** From the start to the last binding. */
  get elapsedMillis(): number {
    return this.#lastMillis - this.#startMillis;
  }

  /** @returns pods per second of each window, ascending. */
  samples(): number[] {
    const rates = [...this.#windows];
    const lastMillis = this.elapsedMillis - (rates.length - 1) * WINDOW_MILLIS;
    const last = rates.pop() ?? 0;
    if (rates.length === 0 || lastMillis >= SHORTEST_WINDOW_MILLIS) {
      rates.push(last * WINDOW_MILLIS / Math.max(1, lastMillis));
    }
    return rates.sort((a, b) => a - b);
  }

  /** @returns the row as perf dashboards read it. */
  toItem(name: string): DataItem {
    const sorted = this.samples();
    const at = (percent: number) => sorted[Math.ceil(sorted.length * percent / 100) - 1];
    return {
      data: {
        Average: this.#total * 1000 / Math.max(1, this.elapsedMillis),
        Perc50: at(50),
        Perc90: at(90),
        Perc95: at(95),
        Perc99: at(99),
      },
      unit: "pods/s",
      labels: { Name: name, Metric: "SchedulingThroughput" },
    };
  }
}
