/**
 * What a run costs beside its throughput: attempts, stalls of the thread, memory, processor time.
 * In: attempts as the scheduler reports them; the process's own counters. Out: DataItems.
 * Never: measures before `start` or after `stop`.
 */
import { type DataItem, summarize } from "../result.ts";
import { cpuSeconds } from "../process_usage.ts";

const TICK_MILLIS = 2;
/** An attempt that is not reported by then never will be. */
const PATIENCE_MILLIS = 1000;

export interface MeterReading {
  /** Milliseconds from a pod's turn to its binding or rejection, one for each attempt. */
  readonly attemptMillis: readonly number[];
  readonly cpuSeconds: number;
  /** Of the thread that the meters are in. */
  readonly longestStallMillis: number;
  readonly peakMemoryBytes: number;
}

/** The longest time that a due timer had to wait for the thread it runs in. */
export class StallMeter {
  #longestMillis = 0;
  #lastTick = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  start(): void {
    this.#longestMillis = 0;
    this.#lastTick = performance.now();
    this.#timer = setInterval(() => this.#tick(), TICK_MILLIS);
  }

  /** @returns milliseconds */
  stop(): number {
    clearInterval(this.#timer);
    this.#tick();
    return this.#longestMillis;
  }

  #tick(): void {
    const now = performance.now();
    this.#longestMillis = Math.max(this.#longestMillis, now - this.#lastTick - TICK_MILLIS);
    this.#lastTick = now;
  }
}

export class Meters {
  readonly #onTurn: (turn: "measuring" | "measured") => void;
  readonly #stall = new StallMeter();
  #attempts: number[] = [];
  #reported = 0;
  /** The number of reports that somebody waits for. */
  #awaited = -1;
  #onAwaited = () => {};
  #isRunning = false;
  #cpuBefore = 0;

  /** @param onTurn told when it starts and stops, for what is measured elsewhere */
  constructor(onTurn: (turn: "measuring" | "measured") => void = () => {}) {
    this.#onTurn = onTurn;
  }

  readonly onAttempt = (_result: string, millis: number): void => {
    if (this.#isRunning) this.#attempts.push(millis);
    if (++this.#reported === this.#awaited) this.#onAwaited();
  };

  /** Attempts so far, measured or not. */
  get reported(): number {
    return this.#reported;
  }

  /** Resolves once that many attempts were reported, or when they are long in coming. */
  whenReported(count: number): Promise<void> {
    if (this.#reported >= count) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, PATIENCE_MILLIS);
      this.#awaited = count;
      this.#onAwaited = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  start(): void {
    this.#attempts = [];
    this.#isRunning = true;
    this.#cpuBefore = cpuSeconds(Deno.pid);
    this.#stall.start();
    this.#onTurn("measuring");
  }

  stop(): MeterReading {
    const longestStallMillis = this.#stall.stop();
    this.#onTurn("measured");
    this.#isRunning = false;
    return {
      attemptMillis: this.#attempts,
      cpuSeconds: cpuSeconds(Deno.pid) - this.#cpuBefore,
      longestStallMillis,
      peakMemoryBytes: peakMemoryBytes(),
    };
  }
}

/** The most memory that this process ever held. */
function peakMemoryBytes(): number {
  const status = Deno.readTextFileSync("/proc/self/status");
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}

/**
 * @param name the workload's
 * @param nodeCount nodes that each attempt chooses among
 */
export function readingItems(name: string, reading: MeterReading, nodeCount: number): DataItem[] {
  const item = (Metric: string, unit: string, data: Record<string, number>): DataItem => ({
    data,
    unit,
    labels: { Name: name, Metric },
  });
  const attempts = reading.attemptMillis.length;
  const single = (value: number) => ({ Average: value });
  return [
    ...(attempts === 0
      ? []
      : [item("SchedulingAttemptDuration", "ms", summarize(reading.attemptMillis))]),
    item("Attempts", "attempts", single(attempts)),
    item("LongestStall", "ms", single(reading.longestStallMillis)),
    // Above the number of cores, others had a share of them and the throughput is a lower bound.
    item("LoadAverage", "processes", single(Deno.loadavg()[0])),
    item("PeakMemory", "MiB", single(reading.peakMemoryBytes / 2 ** 20)),
    item("CpuPerAttempt", "µs", single(reading.cpuSeconds * 1e6 / Math.max(1, attempts))),
    item(
      "NodeEvaluationsPerCore",
      "nodes/s",
      single(attempts * nodeCount / Math.max(0.01, reading.cpuSeconds)),
    ),
  ];
}
