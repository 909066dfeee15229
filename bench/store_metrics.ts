/**
 * What a member says of itself at /metrics, Balsa's or etcd's, and what held its thread.
 * In: ports and process ids. Out: figures by name; shares of a while.
 * Never: asks more often than it is called; Balsa's longest stall starts anew with each question.
 */
import { mainThreadSeconds } from "./process_usage.ts";

const SYNCS = "etcd_disk_wal_fsync_duration_seconds";

/** Milliseconds by port, since `takeLongestStall`: a member forgets its own at each question. */
const longestStalls = new Map<number, number>();

/** @returns the longest stall that any question since the last call heard of, milliseconds */
function takeLongestStall(port: number): number {
  const longest = longestStalls.get(port) ?? 0;
  longestStalls.delete(port);
  return longest;
}

/** @returns the values of all samples without labels, by name */
async function readMetrics(port: number): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  const found = new Map<string, number>();
  for (const [, name, value] of (await response.text()).matchAll(/^([a-z_]+) (\S+)$/gm)) {
    found.set(name, Number(value));
  }
  const stall = (found.get("balsa_longest_stall_seconds") ?? 0) * 1000;
  longestStalls.set(port, Math.max(stall, longestStalls.get(port) ?? 0));
  return found;
}

/** Commands a member committed and syncs of its log, since its start. */
export interface LogCounts {
  readonly commands: number;
  readonly syncs: number;
}

/** @returns what both sides count under the same names */
export async function readLogCounts(port: number): Promise<LogCounts> {
  const metrics = await readMetrics(port);
  return {
    commands: metrics.get("etcd_server_proposals_committed_total") ?? NaN,
    syncs: metrics.get(`${SYNCS}_count`) ?? NaN,
  };
}

/** Has the longest stall start anew. */
export async function resetStall(port: number): Promise<void> {
  await readMetrics(port);
  takeLongestStall(port);
}

/** What a Balsa member's thread did for a while. */
export interface ThreadUse {
  /** Milliseconds without a look at the timers, at most. */
  readonly longestStall: number;
  /** Part of the while that it ran, and that a sync of the log took, 0..1. */
  readonly running: number;
  readonly syncing: number;
}

/** Watches a Balsa member's thread from its making on. */
export class ThreadWatch {
  readonly #port: number;
  readonly #pid: number;
  readonly #started = performance.now();
  readonly #runSeconds: number;
  readonly #syncSeconds: number;

  private constructor(port: number, pid: number, syncSeconds: number) {
    this.#port = port;
    this.#pid = pid;
    this.#runSeconds = mainThreadSeconds(pid);
    this.#syncSeconds = syncSeconds;
  }

  static async start(port: number, pid: number): Promise<ThreadWatch> {
    const metrics = await readMetrics(port);
    takeLongestStall(port);
    return new ThreadWatch(port, pid, metrics.get(`${SYNCS}_sum`) ?? 0);
  }

  async end(): Promise<ThreadUse> {
    const running = mainThreadSeconds(this.#pid) - this.#runSeconds;
    const metrics = await readMetrics(this.#port);
    const seconds = (performance.now() - this.#started) / 1000;
    const syncing = (metrics.get(`${SYNCS}_sum`) ?? 0) - this.#syncSeconds;
    return {
      longestStall: takeLongestStall(this.#port),
      running: running / seconds,
      syncing: syncing / seconds,
    };
  }
}
