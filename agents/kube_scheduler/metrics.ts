/**
 * The scheduler's numbers in Prometheus' text format, under upstream's names.
 * In: what became of attempts; the scheduler's state when it is read. Out: lines of /metrics.
 * Never: more than a few additions for a pod.
 * Source: pkg/scheduler/metrics of Kubernetes v1.36 (names, labels, buckets).
 */
import type { Action, GroupVerdict, Scheduler } from "../../scheduler/mod.ts";

const PREFIX = "scheduler_";

export type AttemptResult = "scheduled" | "unschedulable" | "error";
type Entry = Action["entry"];

/** @returns the bounds start, start*factor, … */
function exponential(start: number, factor: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => start * factor ** index);
}

const ATTEMPT_BOUNDS = exponential(0.001, 2, 15);
const SLI_BOUNDS = exponential(0.01, 2, 20);
/** Attempts are a label of the longest histogram; this many and more are one. */
const MOST_ATTEMPTS = 15;

class Counter {
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

class Histogram {
  readonly #series = new Map<string, { readonly counts: number[]; sum: number; count: number }>();

  constructor(
    readonly name: string,
    readonly help: string,
    readonly bounds: readonly number[],
  ) {}

  observe(labels: string, value: number): void {
    let series = this.#series.get(labels);
    if (series === undefined) {
      series = { counts: new Array(this.bounds.length).fill(0), sum: 0, count: 0 };
      this.#series.set(labels, series);
    }
    const bucket = this.bounds.findIndex((bound) => value <= bound);
    if (bucket >= 0) series.counts[bucket]++;
    series.sum += value;
    series.count++;
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

function head(name: string, type: string, help: string): string[] {
  return [`# HELP ${PREFIX}${name} ${help}`, `# TYPE ${PREFIX}${name} ${type}`];
}

function sample(name: string, labels: string, value: number): string {
  return `${PREFIX}${name}${labels === "" ? "" : `{${labels}}`} ${value}`;
}

export class SchedulerMetrics {
  readonly #attempts = new Counter("schedule_attempts_total", "Attempts by how they ended.");
  readonly #attemptSeconds = new Histogram(
    "scheduling_attempt_duration_seconds",
    "From a pod's turn to its binding or refusal.",
    ATTEMPT_BOUNDS,
  );
  readonly #untilBound = new Histogram(
    "pod_scheduling_sli_duration_seconds",
    "From a pod's coming to its binding, over all attempts.",
    SLI_BOUNDS,
  );
  readonly #attemptsUntilBound = new Histogram(
    "pod_scheduling_attempts",
    "Attempts until a pod was bound.",
    exponential(1, 2, 5),
  );
  readonly #preemptions = new Counter("preemption_attempts_total", "Looks for pods to evict.");
  readonly #victims = new Histogram(
    "preemption_victims",
    "Pods chosen for eviction.",
    exponential(1, 2, 7),
  );
  readonly #groups = new Counter(
    "podgroup_schedule_attempts_total",
    "Attempts to start groups by how they ended.",
  );

  /** @param millis from the pod's turn to the end of the attempt */
  attempted(entry: Entry, result: AttemptResult, millis: number): void {
    const labels = `result="${result}",profile="${entry.profile.schedulerName}"`;
    this.#attempts.add(labels);
    this.#attemptSeconds.observe(labels, millis / 1000);
  }

  bound({ attempts, triableMs }: Entry, nowMillis: number): void {
    const shown = attempts >= MOST_ATTEMPTS ? `${MOST_ATTEMPTS}+` : `${attempts}`;
    this.#untilBound.observe(`attempts="${shown}"`, (nowMillis - (triableMs ?? nowMillis)) / 1000);
    this.#attemptsUntilBound.observe("", attempts);
  }

  refused(entry: Entry, victims: number): void {
    if (entry.profile.preemption) this.#preemptions.add("");
    if (victims > 0) this.#victims.observe("", victims);
  }

  groupTried({ scheduled, reason }: GroupVerdict): void {
    const failure = reason === "SchedulerError" ? "error" : "unschedulable";
    this.#groups.add(`result="${scheduled ? "scheduled" : failure}"`);
  }

  /** @returns lines of /metrics. */
  lines({ queue, table }: Scheduler): string[] {
    const { active, backoff, unschedulable, gated } = queue.sizes;
    const pending = { active, backoff, unschedulable, gated };
    let pods = 0;
    for (let row = 0; row < table.rows; row++) pods += table.podCount[row];
    const cache = { nodes: table.nodeCount, pods };
    return [
      ...[
        this.#attempts,
        this.#attemptSeconds,
        this.#untilBound,
        this.#attemptsUntilBound,
        this.#preemptions,
        this.#victims,
        this.#groups,
      ].flatMap((metric) => metric.lines()),
      ...head("pending_pods", "gauge", "Pods that wait, by where they wait."),
      ...Object.entries(pending).map(([name, count]) =>
        sample("pending_pods", `queue="${name}"`, count)
      ),
      ...head("cache_size", "gauge", "Nodes and placed pods that decisions are made on."),
      ...Object.entries(cache).map(([name, count]) =>
        sample("cache_size", `type="${name}"`, count)
      ),
    ];
  }
}
