/**
 * Counters, histograms and gauges in Prometheus' text format, under the scheduler's prefix.
 * In: additions, observations, values. Out: lines of /metrics.
 * Never: keeps a gauge; its values are handed in when they are read.
 */

const PREFIX = "scheduler_";

/** @returns the bounds start, start*factor, … */
export function exponential(start: number, factor: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => start * factor ** index);
}

export class Counter {
  readonly #counts = new Map<string, number>();

  constructor(readonly name: string, readonly help: string) {}

  /** @param labels `a="b",c="d"`, or "" */
  add(labels: string, amount = 1): void {
    this.#counts.set(labels, (this.#counts.get(labels) ?? 0) + amount);
  }

  lines(): string[] {
    return [
      ...head(this.name, "counter", this.help),
      ...[...this.#counts].map(([labels, count]) => sample(this.name, labels, count)),
    ];
  }
}

export class Histogram {
  readonly #series = new Map<string, { readonly counts: number[]; sum: number; count: number }>();

  constructor(
    readonly name: string,
    readonly help: string,
    readonly bounds: readonly number[],
  ) {}

  /** @param times how many observations of this value are made at once */
  observe(labels: string, value: number, times = 1): void {
    if (times === 0) return;
    let series = this.#series.get(labels);
    if (series === undefined) {
      series = { counts: new Array(this.bounds.length).fill(0), sum: 0, count: 0 };
      this.#series.set(labels, series);
    }
    const bucket = this.bounds.findIndex((bound) => value <= bound);
    if (bucket >= 0) series.counts[bucket] += times;
    series.sum += value * times;
    series.count += times;
  }

  lines(): string[] {
    const lines = head(this.name, "histogram", this.help);
    for (const [labels, { counts, sum, count }] of this.#series) {
      const and = labels === "" ? "" : `${labels},`;
      let below = 0;
      this.bounds.forEach((bound, index) => {
        below += counts[index];
        lines.push(sample(`${this.name}_bucket`, `${and}le="${bound}"`, below));
      });
      lines.push(sample(`${this.name}_bucket`, `${and}le="+Inf"`, count));
      lines.push(
        sample(`${this.name}_sum`, labels, sum),
        sample(`${this.name}_count`, labels, count),
      );
    }
    return lines;
  }
}

/** One value of a counter or gauge that is read where it is kept. */
export interface Reading {
  /** As in `Counter.add`. */
  readonly labels: string;
  readonly value: number;
}

/** @returns the lines of a metric whose values are kept elsewhere. */
export function readings(
  metric: {
    readonly name: string;
    readonly type: "counter" | "gauge";
    readonly help: string;
  },
  values: readonly Reading[],
): string[] {
  const { name, type, help } = metric;
  const samples = values.map(({ labels, value }) => sample(name, labels, value));
  return [...head(name, type, help), ...samples];
}

function head(name: string, type: string, help: string): string[] {
  return [`# HELP ${PREFIX}${name} ${help}`, `# TYPE ${PREFIX}${name} ${type}`];
}

function sample(name: string, labels: string, value: number): string {
  return `${PREFIX}${name}${labels === "" ? "" : `{${labels}}`} ${value}`;
}
