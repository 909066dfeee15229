/**
 * The scheduler's numbers under upstream's names; each means what it means there, or is absent.
 * In: what became of attempts, times, the state when it is read. Out: lines of /metrics.
 * Never: more than a few additions for a pod. Times of single plugins come from one waiting pod a
 * second, which is put through all of them beside its decision.
 * Source: pkg/scheduler/metrics of Kubernetes v1.36 (names, labels, buckets).
 */
import { measureNext } from "../../../scheduler/mod.ts";
import type {
  Action,
  GroupVerdict,
  Scheduler,
  SchedulerWatch,
  Stopwatch,
} from "../../../scheduler/mod.ts";
import { Counter, exponential, Histogram, type Reading, readings } from "./series.ts";

export type AttemptResult = "scheduled" | "unschedulable" | "error";
type Entry = Action["entry"];
type RejectAction = Action & { readonly kind: "reject" };

const ATTEMPT_BOUNDS = exponential(0.001, 2, 15);
const SLI_BOUNDS = exponential(0.01, 2, 20);
const POINT_BOUNDS = exponential(0.0001, 2, 12);
const PLUGIN_BOUNDS = exponential(0.00001, 1.5, 20);
/** Attempts are a label of the longest histogram; this many and more are one. */
const MOST_ATTEMPTS = 15;
/** Between two pods whose plugins are timed. */
const SAMPLE_MILLIS = 1000;

/** Points of a pod's way that the runner times itself. */
export type TimedPoint = "PreBind" | "Bind";

/** How pods passed a point together. */
export interface Passage {
  readonly point: TimedPoint;
  /** That all plugins of the point took for each of the pods. */
  readonly millis: number;
  /** By pod: why it did not pass, null = it did; absent = all did. */
  readonly errors?: readonly (Error | null)[];
}

export class SchedulerMetrics {
  readonly #attempts = new Counter("schedule_attempts_total", "Attempts by how they ended.");
  readonly #attemptSeconds = new Histogram(
    "scheduling_attempt_duration_seconds",
    "From a pod's turn to its binding or refusal.",
    ATTEMPT_BOUNDS,
  );
  readonly #algorithmSeconds = new Histogram(
    "scheduling_algorithm_duration_seconds",
    "Deciding about a pod; pods decided in a row share the mean of their times.",
    ATTEMPT_BOUNDS,
  );
  readonly #untilBound = new Histogram(
    "pod_scheduling_sli_duration_seconds",
    "From when a pod first could be tried to its binding, over all attempts.",
    SLI_BOUNDS,
  );
  readonly #attemptsUntilBound = new Histogram(
    "pod_scheduling_attempts",
    "Attempts until a pod was bound.",
    exponential(1, 2, 5),
  );
  readonly #boundAfterFlush = new Counter(
    "pod_scheduled_after_flush_total",
    "Pods bound by an attempt that no event, but long waiting brought about.",
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
  readonly #groupSeconds = new Histogram(
    "podgroup_scheduling_attempt_duration_seconds",
    "From a group's turn to the verdict on it.",
    ATTEMPT_BOUNDS,
  );
  readonly #groupAlgorithmSeconds = new Histogram(
    "podgroup_scheduling_algorithm_duration_seconds",
    "Deciding about a group.",
    ATTEMPT_BOUNDS,
  );
  readonly #pointSeconds = new Histogram(
    "framework_extension_point_duration_seconds",
    "All plugins of a point for one pod; of PostFilter, PreBind and Bind for every pod that comes " +
      "there, of others for one pod a second.",
    POINT_BOUNDS,
  );
  readonly #pluginSeconds = new Histogram(
    "plugin_execution_duration_seconds",
    "One plugin for one pod, or for one node of a pod (the mean of its pass); one pod a second.",
    PLUGIN_BOUNDS,
  );
  readonly #eventSeconds = new Histogram(
    "event_handling_duration_seconds",
    "Taking in an event; events that came together share the mean of their times.",
    POINT_BOUNDS,
  );
  #nextSampleMillis = -Infinity;
  /** Told by the scheduler itself of what only it knows to have happened. */
  readonly watch: SchedulerWatch = {
    now: () => this.now(),
    preempted: (profile, helped, millis) => this.#preempted(profile, helped, millis),
  };

  /** @param now a stopwatch, milliseconds with fractions */
  constructor(readonly now: () => number = () => performance.now()) {}

  /** @param millis from the pod's turn to the end of the attempt */
  attempted(entry: Entry, result: AttemptResult, millis: number): void {
    const labels = `result="${result}",profile="${entry.profile.schedulerName}"`;
    this.#attempts.add(labels);
    this.#attemptSeconds.observe(labels, millis / 1000);
  }

  bound({ attempts, triableMs, outOfPatience }: Entry, nowMillis: number): void {
    const shown = attempts >= MOST_ATTEMPTS ? `${MOST_ATTEMPTS}+` : `${attempts}`;
    if (triableMs !== null) {
      this.#untilBound.observe(`attempts="${shown}"`, (nowMillis - triableMs) / 1000);
    }
    this.#attemptsUntilBound.observe("", attempts);
    if (outOfPatience) this.#boundAfterFlush.add("");
  }

  refused({ victims }: RejectAction): void {
    if (victims.length > 0) this.#victims.observe("", victims.length);
  }

  groupTried({ result, schedulerName, time }: GroupVerdict): void {
    const name = result === "waitingOnPreemption" ? "waiting_on_preemption" : result;
    const labels = `result="${name}",profile="${schedulerName}"`;
    this.#groups.add(labels);
    if (time === null) return;
    this.#groupAlgorithmSeconds.observe("", time.millis / 1000);
    this.#groupSeconds.observe(labels, (this.now() - time.startedMillis) / 1000);
  }

  /** @param started what `now` said before the pods were decided about */
  planned(pods: number, started: number): void {
    if (pods > 0) this.#algorithmSeconds.observe("", (this.now() - started) / pods / 1000, pods);
  }

  /** @param labels of events, by `eventLabel`; `started` as above */
  handled(labels: readonly string[], started: number): void {
    const each = (this.now() - started) / labels.length / 1000;
    const times = new Map<string, number>();
    for (const label of labels) times.set(label, (times.get(label) ?? 0) + 1);
    for (const [label, count] of times) this.#eventSeconds.observe(`event="${label}"`, each, count);
  }

  /** Neighbours of one profile that fared alike are counted at once. */
  passed(
    actions: readonly { readonly entry: Entry }[],
    { point, millis, errors = [] }: Passage,
  ): void {
    const hasPassed = (at: number) => (errors[at] ?? null) === null;
    for (let from = 0; from < actions.length;) {
      const { profile } = actions[from].entry;
      const isDone = hasPassed(from);
      let to = from + 1;
      while (to < actions.length && actions[to].entry.profile === profile) {
        if (hasPassed(to) !== isDone) break;
        to++;
      }
      const status = isDone ? "Success" : "Error";
      this.#observePoint(point, status, profile.schedulerName, millis, to - from);
      from = to;
    }
  }

  /** Times the plugins over the pod that is next in turn, now and then. */
  sample(scheduler: Scheduler, nowMillis: number): void {
    if (nowMillis < this.#nextSampleMillis) return;
    const profile = scheduler.queue.peek()?.profile.schedulerName ?? "";
    const stopwatch: Stopwatch = {
      now: this.now,
      point: (point, status, millis) => this.#observePoint(point, status, profile, millis),
      plugin: (point, plugin, run) => this.#observePlugin(point, plugin, run),
    };
    if (measureNext(scheduler, stopwatch)) this.#nextSampleMillis = nowMillis + SAMPLE_MILLIS;
  }

  #preempted(profile: string, helped: boolean, millis: number): void {
    const status = helped ? "Success" : "Unschedulable";
    this.#preemptions.add("");
    this.#observePoint("PostFilter", status, profile, millis);
    this.#observePlugin("PostFilter", "DefaultPreemption", { status, millis, times: 1 });
  }

  #observePoint(point: string, status: string, profile: string, millis: number, times = 1): void {
    const labels = `extension_point="${point}",status="${status}",profile="${profile}"`;
    this.#pointSeconds.observe(labels, millis / 1000, times);
  }

  #observePlugin(
    point: string,
    plugin: string,
    run: { readonly status: string; readonly millis: number; readonly times: number },
  ): void {
    const labels = `plugin="${plugin}",extension_point="${point}",status="${run.status}"`;
    this.#pluginSeconds.observe(labels, run.millis / 1000, run.times);
  }

  /** @returns lines of /metrics. */
  lines(scheduler: Scheduler): string[] {
    const kept = [
      this.#attempts,
      this.#attemptSeconds,
      this.#algorithmSeconds,
      this.#untilBound,
      this.#attemptsUntilBound,
      this.#boundAfterFlush,
      this.#preemptions,
      this.#victims,
      this.#groups,
      this.#groupSeconds,
      this.#groupAlgorithmSeconds,
      this.#pointSeconds,
      this.#pluginSeconds,
      this.#eventSeconds,
    ].flatMap((metric) => metric.lines());
    return [...kept, ...stateLines(scheduler)];
  }
}

/** @returns what is read off the scheduler itself. */
function stateLines({ queue, table, assumedCount }: Scheduler): string[] {
  const arrivals = Object.entries(queue.arrivals).flatMap(([name, counts]) =>
    [...counts].map(([event, value]): Reading => ({
      labels: `queue="${name}",event="${event}"`,
      value,
    }))
  );
  const rejections = queue.rejections().map(({ plugin, schedulerName, pods }): Reading => ({
    labels: `plugin="${plugin}",profile="${schedulerName}"`,
    value: pods,
  }));
  let pods = 0;
  for (let row = 0; row < table.rows; row++) pods += table.podCount[row];
  const cache = { nodes: table.nodeCount, pods, assumed_pods: assumedCount };
  const { active, backoff, unschedulable, gated } = queue.sizes;
  const pending = { active, backoff, unschedulable, gated };
  return [
    ...readings({
      name: "pending_pods",
      type: "gauge",
      help: "Pods that wait, by where they wait.",
    }, labelled("queue", pending)),
    ...readings({
      name: "unschedulable_pods",
      type: "gauge",
      help: "Waiting pods by the plugins that rejected them last.",
    }, rejections),
    ...readings({
      name: "queue_incoming_pods_total",
      type: "counter",
      help: "Pods that came into a queue, by what brought them.",
    }, arrivals),
    ...readings({
      name: "cache_size",
      type: "gauge",
      help: "Nodes and placed pods that decisions are made on.",
    }, labelled("type", cache)),
  ];
}

function labelled(label: string, values: Readonly<Record<string, number>>): Reading[] {
  return Object.entries(values).map(([name, value]) => ({ labels: `${label}="${name}"`, value }));
}
