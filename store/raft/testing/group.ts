/**
 * A Raft group in memory for tests: members with a disk each, and a network between them.
 * In: which members exist, and commands (tick, deliver, crash, …). Out: members to look at.
 * Never: uses time or randomness of its own; checks anything (see `invariants.ts`).
 * A member's disk keeps what its Readys wrote in order; a crash before `persist` loses the rest.
 */
import { decodeConfChange } from "../conf_change.ts";
import { createRaft } from "../raft.ts";
import type {
  ConfState,
  Entry,
  HardState,
  Message,
  RaftConfig,
  RaftCore,
  ReadState,
  Ready,
  SnapshotMeta,
} from "../types.ts";

export function confOf(voters: readonly bigint[], learners: readonly bigint[] = []): ConfState {
  return { voters, votersOutgoing: [], learners, learnersNext: [], autoLeave: false };
}

/** What survives a crash. `applied` is what the state machine held when it was last saved. */
export interface MemberDisk {
  hardState: HardState;
  snapshot: SnapshotMeta;
  entries: Entry[];
  applied: number;
}

/** A core with its runner's duties done by hand. */
export class Member {
  core: RaftCore;
  readonly disk: MemberDisk;
  readonly #config: RaftConfig;
  #writing: Ready | null = null;
  /** Every entry applied since the last start, in order, for state-machine safety. */
  applied: Entry[] = [];
  reads: ReadState[] = [];
  crashed = false;

  constructor(config: RaftConfig, snapshot: SnapshotMeta) {
    this.#config = config;
    this.disk = {
      hardState: { term: snapshot.term, vote: 0n, commit: snapshot.index },
      snapshot,
      entries: [],
      applied: snapshot.index,
    };
    this.core = createRaft(config, this.disk);
  }

  /** Takes one Ready: returns what may leave at once and starts its write. */
  takeReady(): { ready: Ready; send: readonly Message[] } {
    const ready = this.core.ready();
    if (ready.hardState !== null && !ready.mustSync) this.disk.hardState = ready.hardState;
    let send = ready.messages;
    if (ready.mustSync) this.#writing = ready;
    else send = send.concat(ready.messagesAfterPersist);
    this.#apply(ready.committed);
    this.reads.push(...ready.readStates);
    return { ready, send };
  }

  get writing(): boolean {
    return this.#writing !== null;
  }

  /** Ends the outstanding write. @returns the messages that waited for it. */
  persist(): readonly Message[] {
    const ready = this.#writing;
    if (ready === null) return [];
    this.#writing = null;
    const { disk } = this;
    if (ready.hardState !== null) disk.hardState = ready.hardState;
    if (ready.snapshot !== null) {
      disk.snapshot = ready.snapshot;
      disk.entries = [];
      disk.applied = ready.snapshot.index;
    }
    if (ready.entries.length > 0) {
      const first = ready.entries[0].index;
      disk.entries = disk.entries.filter((entry) => entry.index < first);
      disk.entries.push(...ready.entries);
    }
    const last = ready.entries.at(-1);
    this.core.persisted(last?.index ?? 0, last?.term ?? 0);
    return ready.messagesAfterPersist;
  }

  #apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.applied.push(entry);
      if (entry.kind === "confChange") this.core.applyConfChange(decodeConfChange(entry.data));
    }
    const last = entries.at(-1);
    if (last !== undefined) this.core.appliedTo(last.index);
  }

  /** Saves a snapshot at the applied index and forgets entries up to `compactTo`. */
  compact(compactTo: number): void {
    const { core, disk } = this;
    const meta = { index: core.applied, term: core.termAt(core.applied), conf: core.conf };
    core.compact(meta, compactTo);
    disk.snapshot = meta;
    disk.applied = meta.index;
    disk.entries = disk.entries.filter((entry) => entry.index > meta.index);
    if (disk.hardState.commit < meta.index) {
      disk.hardState = { ...disk.hardState, commit: meta.index };
    }
  }

  crash(): void {
    this.crashed = true;
    this.#writing = null;
  }

  /** Starts again from the disk alone. */
  restart(): void {
    this.crashed = false;
    this.applied = [];
    this.reads = [];
    this.core = createRaft(this.#config, { ...this.disk, entries: this.disk.entries.slice() });
  }
}
