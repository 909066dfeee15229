/**
 * One machine of the simulated cluster: a disk, a clock, and the member that runs on them.
 * In: start, kill, power loss. Out: a real member over simulated ports, its store, its Raft core
 * under the invariants.
 * Never: lets anything of a dead process reach the world.
 */
import { type OpenedMember, openMember } from "../../../store/member/open.ts";
import { MemberStore } from "../../../store/member/member_store.ts";
import type { StoreOptions } from "../../../store/member/config.ts";
import type { LogLevel, PeerNetwork } from "../../../store/ports.ts";
import type { InvariantChecker } from "../../../store/raft/invariants.ts";
import type { RaftCore } from "../../../store/raft/types.ts";
import type { User } from "../checks/history.ts";
import type { Coverage } from "../coverage.ts";
import type { EventQueue } from "./event_queue.ts";
import { SimClock, SimProcess } from "./process.ts";
import { SimRandom } from "./random.ts";
import { SimDisk } from "./sim_disk.ts";
import type { SimNetwork } from "./sim_network.ts";

const DEFAULT_QUOTA_BYTES = 2 ** 31;

export interface MachineParts {
  readonly name: string;
  readonly seed: number;
  readonly queue: EventQueue;
  readonly network: SimNetwork;
  readonly invariants: InvariantChecker;
  readonly coverage: Coverage;
  readonly trace: ((line: string) => void) | null;
  /** Who forms the first cluster, or who can be asked about the one to join. */
  readonly options: Pick<
    StoreOptions,
    "initialCluster" | "initialClusterState" | "autoCompactionRetention"
  >;
  /** Something no member may do went through an exception or a broken invariant. */
  readonly onViolation: (error: unknown) => void;
  /** Every core before it is used; seeded bugs get in here. */
  readonly onCore: (core: RaftCore, machine: Machine) => void;
}

export class Machine {
  readonly name: string;
  readonly url: string;
  readonly disk: SimDisk;
  readonly clock: SimClock;
  readonly #parts: MachineParts;
  readonly #random: SimRandom;
  #process: SimProcess | null = null;
  #opened: OpenedMember | null = null;
  /** What `#opened` runs; kept apart because every step looks at it. */
  #core: RaftCore | null = null;
  #id: bigint | null = null;
  #store: MemberStore | null = null;
  #guestStore: MemberStore | null = null;
  #starts = 0;
  /** What the invariants last looked at. */
  readonly #checked = { term: -1, commit: 0, applied: 0, lastIndex: 0, lastTerm: 0, role: "" };
  /** Why the last start was refused. */
  refusal: string | null = null;
  /** Bytes of the disk were damaged, so a refusal to start is the right answer. */
  damaged = false;
  /** Replaced by another machine; never started again. */
  retired = false;
  /** Clients of this process hear that their connection broke. */
  readonly onDeath = new Set<() => void>();
  /** Called once the member serves after a start. */
  onStart: (machine: Machine) => void = () => {};

  constructor(parts: MachineParts) {
    this.name = parts.name;
    this.url = `http://${parts.name}:2380`;
    this.#parts = parts;
    this.#random = SimRandom.stream(parts.seed, `machine ${parts.name}`);
    this.disk = new SimDisk(SimRandom.stream(parts.seed, `disk ${parts.name}`));
    this.clock = new SimClock(parts.queue);
  }

  get process(): SimProcess | null {
    return this.#process?.alive ? this.#process : null;
  }

  /** The running member, null while the machine is down or the member is starting. */
  get opened(): OpenedMember | null {
    return this.process === null ? null : this.#opened;
  }

  get store(): MemberStore | null {
    return this.process === null ? null : this.#store;
  }

  /** The store as one of a user who may do little. */
  get guestStore(): MemberStore | null {
    return this.process === null ? null : this.#guestStore;
  }

  /** What requests of this machine's clients say of auth. */
  get authRevision(): number {
    return this.opened?.member.machine.auth.revision ?? 0;
  }

  /** Changes what the running member takes for its quota; a restarted one has the default. */
  setQuota(bytes: number | null): void {
    const config = this.opened?.member.config as { quotaBytes: number } | undefined;
    if (config !== undefined) config.quotaBytes = bytes ?? DEFAULT_QUOTA_BYTES;
  }

  /** The core behind the running member. */
  get core(): RaftCore | null {
    return this.process === null ? null : this.#core;
  }

  /** The member on this machine's disk, null before its first start was done. */
  get id(): bigint | null {
    return this.#id;
  }

  get isDown(): boolean {
    return this.process === null;
  }

  get starts(): number {
    return this.#starts;
  }

  /** Starts a process on this machine. */
  start(): void {
    if (this.process !== null || this.retired) return;
    const { queue } = this.#parts;
    const process = new SimProcess({ queue, clock: this.clock, random: this.#random });
    this.#starts++;
    this.#process = process;
    this.#opened = null;
    this.#core = null;
    this.#store = null;
    this.#checked.term = -1;
    this.refusal = null;
    process.onDeath = () => this.#died();
    process.onStep = () => this.#check();
    this.#trace("starts");
    process.schedule(1, () => void this.#open(process));
  }

  async #open(process: SimProcess): Promise<void> {
    try {
      const opened = await openMember(this.#options(), {
        disk: this.disk.attach(process),
        timer: process,
        random: SimRandom.stream(this.#parts.seed, `${this.name} ${this.#starts}`),
        log: (level, message, fields) => this.#log(process, { level, message, fields }),
        network: this.#network(process),
      });
      if (!process.alive) return;
      const core = opened.member.raft as RaftCore;
      this.#watchCore(core);
      this.#parts.onCore(core, this);
      this.#opened = opened;
      this.#core = core;
      this.#id = opened.member.id;
      const callerOf = (user: User) => () => ({ user, authRevision: this.authRevision });
      this.#store = new MemberStore(opened, callerOf("root"));
      this.#guestStore = new MemberStore(opened, callerOf("guest"));
      this.onStart(this);
    } catch (error) {
      if (!process.alive) return;
      this.refusal = error instanceof Error ? error.message : String(error);
      this.#trace(`refuses to start: ${this.refusal}`);
      process.kill();
    }
  }

  #options(): StoreOptions {
    const { options } = this.#parts;
    const initialCluster = options.initialClusterState === "existing"
      ? [...options.initialCluster ?? [], { name: this.name, peerUrls: [this.url] }]
      : options.initialCluster;
    return {
      ...options,
      initialCluster,
      name: this.name,
      dataDirectory: "/data",
      advertisePeerUrls: [this.url],
      listenPeerUrls: [this.url],
      advertiseClientUrls: [`http://${this.name}:2379`],
      snapshotCount: 150,
      snapshotCatchUpEntries: 40,
      segmentBytes: 32 * 1024,
      requestTimeoutMillis: 3_000,
      leaseCheckpointMillis: 1_500,
    };
  }

  #network(process: SimProcess): PeerNetwork {
    return {
      connect: (parts) => {
        const { host, disk, snapshotDirectory, isRemoved, describe } = parts;
        const endpoint = { process, host, disk, snapshotDirectory, isRemoved, describe };
        return Promise.resolve(this.#parts.network.connect(endpoint));
      },
      describe: () => Promise.resolve(this.#parts.network.describe()),
    };
  }

  /** Has the invariants see every entry that this core hands out to be applied. */
  #watchCore(core: RaftCore): void {
    const { invariants, coverage } = this.#parts;
    const ready = core.ready.bind(core);
    core.ready = () => {
      const handed = ready();
      if (handed.committed.length > 0) invariants.applied(core.id, handed.committed);
      if (handed.soft?.role === "leader") coverage.elections++;
      if (handed.snapshot !== null) coverage.snapshotsInstalled++;
      for (const entry of handed.committed) {
        if (entry.kind === "confChange") coverage.confChanges.add(entry.index);
      }
      return handed;
    };
  }

  #check(): void {
    const core = this.#core;
    if (core === null || this.process === null) return;
    const { term, commit, applied, lastIndex, role } = core;
    const lastTerm = core.termAt(lastIndex);
    const seen = this.#checked;
    if (
      seen.term === term && seen.commit === commit && seen.applied === applied &&
      seen.lastIndex === lastIndex && seen.lastTerm === lastTerm && seen.role === role
    ) return;
    seen.term = term;
    seen.commit = commit;
    seen.applied = applied;
    seen.lastIndex = lastIndex;
    seen.lastTerm = lastTerm;
    seen.role = role;
    try {
      this.#parts.invariants.check([core]);
    } catch (error) {
      this.#parts.onViolation(error);
    }
  }

  /** The process ends at once; what it wrote stays in the machine's memory. */
  kill(): void {
    this.#process?.kill();
  }

  /** The machine loses power, and with it what was not synced. */
  losePower(): void {
    this.kill();
    this.disk.losePower();
    this.#trace("lost power");
  }

  #died(): void {
    this.#trace("dies");
    for (const listener of [...this.onDeath]) listener();
    this.onDeath.clear();
  }

  #log(
    process: SimProcess,
    entry: { level: LogLevel; message: string; fields?: Record<string, unknown> },
  ): void {
    if (!process.alive) return;
    const { message, fields } = entry;
    if (message === "snapshot written") this.#parts.coverage.snapshotsWritten++;
    if (message === "this member was removed from the cluster") {
      this.#process?.schedule(50, () => this.kill());
    }
    if (message === "the member stops") {
      // A process whose member stopped exits, as the server's does.
      const detail = String(fields?.detail);
      if (!/syncing|input\/output|killed/.test(detail)) {
        this.#parts.onViolation(new Error(`${this.name} stopped: ${detail} ${fields?.stack}`));
      }
      this.#process?.schedule(5, () => this.kill());
    }
    if (this.#parts.trace !== null && message !== "role changed") {
      this.#trace(`${message} ${JSON.stringify(fields ?? {}, replaceBig)}`);
    } else if (this.#parts.trace !== null) {
      this.#trace(`is ${fields?.role} in term ${fields?.term}, leader ${fields?.leader}`);
    }
  }

  #trace(line: string): void {
    const { trace, queue } = this.#parts;
    trace?.(`${queue.now.toFixed(2).padStart(12)} ${this.name} ${line}`);
  }
}

function replaceBig(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString(16) : value;
}
