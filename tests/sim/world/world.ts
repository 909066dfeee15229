/**
 * A simulated cluster: machines, the network between them, observers on each, an operator who
 * replaces what is lost.
 * In: a seed and a number of members. Out: the cluster to run clients and faults against.
 * Never: uses anything that the seed does not decide.
 */
import type { WatchHandle } from "../../../store/mod.ts";
import { InvariantChecker } from "../../../store/raft/invariants.ts";
import type { RaftCore } from "../../../store/raft/types.ts";
import { LeaseBook } from "../checks/check_lease.ts";
import { RuleBook } from "../checks/check_rules.ts";
import { WatchLog, type WatchPlan } from "../checks/check_watch.ts";
import { Coverage } from "../coverage.ts";
import { Administrator } from "./administrator.ts";
import { EventQueue } from "./event_queue.ts";
import { History, Violation } from "../checks/history.ts";
import { Machine } from "./machine.ts";
import { keyBytes } from "../checks/model.ts";
import type { SimProcess } from "./process.ts";
import { Operator } from "./operator.ts";
import { SimRandom } from "./random.ts";
import { SimNetwork } from "./sim_network.ts";

export interface WorldOptions {
  readonly seed: number;
  /** Voters at the start, 1..7. */
  readonly members: number;
  readonly trace: ((line: string) => void) | null;
}

export interface RunningWatch {
  readonly process: SimProcess | null;
  readonly log: WatchLog;
  readonly handle: WatchHandle;
  readonly machine: Machine;
}

/** Members of some worlds compact what is older than this, in tenths. */
const COMPACTION_RETENTION_MILLIS = 12_000;
/** A clock may run fast, and a sample may be taken just before a write that comes first. */
const LEAST_RETENTION_MILLIS = 11_000;

export class World {
  readonly seed: number;
  readonly queue = new EventQueue();
  readonly coverage = new Coverage();
  readonly history = new History();
  readonly leases = new LeaseBook(this.history);
  readonly rules = new RuleBook();
  readonly network: SimNetwork;
  readonly machines: Machine[] = [];
  readonly watches = new Set<WatchLog>();
  readonly operator: Operator;
  readonly administrator: Administrator;
  readonly #handles = new Set<RunningWatch>();
  /** Every core of a member that starts, before it is used. */
  onCore: (core: RaftCore, machine: Machine) => void = () => {};
  /** What went wrong first. */
  violation: unknown = null;
  readonly #options: WorldOptions;
  readonly #invariants = new InvariantChecker();
  #machineCount = 0;
  /** Largest revision at past moments, oldest first; only what auto-compaction may look at. */
  readonly #samples: { readonly at: number; readonly revision: number }[] = [];
  /** Largest revision that any member has compacted to. */
  #compactedTo = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.seed = options.seed;
    this.operator = new Operator(this, options.members);
    this.administrator = new Administrator(this);
    this.network = new SimNetwork(this.queue, SimRandom.stream(options.seed, "network"));
    const names = Array.from({ length: options.members }, () => this.#nextName());
    const initialCluster = names.map((name) => ({ name, peerUrls: [`http://${name}:2380`] }));
    for (const name of names) {
      this.#addMachine(name, { initialCluster, initialClusterState: "new" });
    }
  }

  get now(): number {
    return this.queue.now;
  }

  get random(): (name: string) => SimRandom {
    return (name) => SimRandom.stream(this.seed, name);
  }

  trace(line: string): void {
    this.#options.trace?.(`${this.now.toFixed(2).padStart(12)} ${line}`);
  }

  /** Machines that are in use, running or not. */
  get inUse(): Machine[] {
    return this.machines.filter((machine) => !machine.retired);
  }

  get running(): Machine[] {
    return this.machines.filter((machine) => !machine.retired && machine.store !== null);
  }

  get leader(): Machine | null {
    return this.running.filter((machine) => machine.core?.role === "leader")
      .sort((a, b) => b.core!.term - a.core!.term)[0] ?? null;
  }

  /** Keeps the first violation; the run ends after this event. */
  fail(error: unknown): void {
    this.violation ??= error;
  }

  /** Runs until `end`, world milliseconds. Errors: rejects with the first violation. */
  async run(end: number): Promise<void> {
    await this.queue.runUntil(end, () => this.violation !== null);
    if (this.violation !== null) throw this.violation;
  }

  /** Runs until something holds, or `within` milliseconds passed. @returns whether it holds */
  async runUntil(holds: () => boolean, within: number): Promise<boolean> {
    const end = this.now + within;
    while (this.now < end) {
      await this.run(Math.min(end, this.now + 50));
      if (holds()) return true;
    }
    return holds();
  }

  /** Notes how far the store is, and what a member may by now have compacted by itself. */
  sampleRevision(): void {
    if (!this.#compactsAlone) return;
    for (const { opened } of this.running) {
      const { compactRevision } = opened!.member.machine;
      if (compactRevision <= this.#compactedTo) continue;
      this.#compactedTo = compactRevision;
      if (!this.history.wasAskedToCompact(compactRevision)) this.coverage.autoCompactions++;
    }
    const revision = Math.max(0, ...this.running.map(({ store }) => store!.revision));
    this.#samples.push({ at: this.now, revision });
    while (this.#samples[0].at < this.now - LEAST_RETENTION_MILLIS) {
      this.history.allowCompaction(this.#samples.shift()!.revision);
    }
  }

  get #compactsAlone(): boolean {
    return this.seed % 2 === 1;
  }

  /** A machine for the running cluster; out of use until it was added as a member. */
  addJoining(): Machine {
    const known = this.running.map(({ name, url }) => ({ name, peerUrls: [url] }));
    const machine = this.#addMachine(this.#nextName(), {
      initialCluster: known,
      initialClusterState: "existing",
    });
    machine.retired = true;
    return machine;
  }

  /** Starts a watch on a machine and checks what it hears. */
  watch(
    machine: Machine,
    plan: WatchPlan,
    options: { who: string; isObserver?: boolean },
  ): RunningWatch | null {
    const { store } = machine;
    if (store === null) return null;
    const now = plan.start === 0 ? store.revision + 1 : plan.start;
    const log = new WatchLog({
      who: `${options.who} on ${machine.name}`,
      plan: { ...plan, start: now },
      history: this.history,
      now: () => this.now,
      isObserver: options.isObserver ?? false,
    });
    this.watches.add(log);
    this.coverage.watches++;
    const request = {
      key: keyBytes(plan.from),
      rangeEnd: keyBytes(plan.end),
      startRevision: plan.start,
      prevKv: plan.prevKv,
      noPut: plan.noPut,
      noDelete: plan.noDelete,
    };
    const process = machine.process;
    const handle = store.watch(request, (notice) => {
      if (process?.alive !== true) return;
      try {
        log.notice(notice);
      } catch (error) {
        this.fail(error);
      }
    });
    const watch = { log, process, handle, machine };
    this.#handles.add(watch);
    return watch;
  }

  #nextName(): string {
    return `m${++this.#machineCount}`;
  }

  #addMachine(
    name: string,
    options: ConstructorParameters<typeof Machine>[0]["options"],
  ): Machine {
    const machine = new Machine({
      name,
      seed: this.seed,
      queue: this.queue,
      network: this.network,
      invariants: this.#invariants,
      coverage: this.coverage,
      trace: this.#options.trace,
      options: {
        ...options,
        autoCompactionRetention: this.#compactsAlone ? COMPACTION_RETENTION_MILLIS : 0,
      },
      onViolation: (error) => this.fail(error),
      onCore: (core, one) => this.onCore(core, one),
    });
    machine.onStart = () => this.#observe(machine);
    this.machines.push(machine);
    return machine;
  }

  /** Every member has an observer of all keys from what is known on. */
  #observe(machine: Machine): void {
    const { damaged, store } = machine;
    if (damaged) machine.damaged = false;
    if (store === null) return;
    this.watch(machine, {
      from: "\0",
      end: "\0",
      start: this.history.contiguous + 1,
      prevKv: false,
      noPut: false,
      noDelete: false,
    }, { who: "observer", isObserver: true });
  }

  /** Watches that nobody ended, on processes that still run. */
  get liveWatches(): RunningWatch[] {
    return [...this.#handles].filter(({ process, log }) => process?.alive && log.ended === null);
  }

  /** What no fault excuses: a refusal to start on a disk that nobody damaged. */
  checkRefusals(): void {
    for (const machine of this.inUse) {
      if (machine.refusal !== null && !machine.damaged && !isTransient(machine.refusal)) {
        throw new Violation(`${machine.name} refuses to start: ${machine.refusal}`);
      }
    }
  }
}

/** Reasons to start again later: the others can't be asked now, the disk fails or is full. */
function isTransient(refusal: string): boolean {
  return /no member answers|has no member at|No space|no space|input\/output|syncing/.test(refusal);
}
