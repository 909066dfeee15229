/**
 * Mistakes that a store could make, put into it one at a time, so that the checkers can show that
 * they notice.
 * In: a bug to switch on. Out: a run's preparation, and how to take the bug out again.
 * Never: needs a word in the store's own code: everything is wrapped from here.
 * Source: errors of published consensus and storage systems, etcd's own among them (its data
 * inconsistency of 3.5.0, stale lease holders, starving progress notifications).
 */
import { Member } from "../../store/member/member.ts";
import { Membership } from "../../store/member/membership.ts";
import { MemberStore } from "../../store/member/member_store.ts";
import { Reads } from "../../store/member/reads.ts";
import { Snapshotter } from "../../store/member/snapshotter.ts";
import { Wal } from "../../store/disk/wal.ts";
import { encodeCompaction } from "../../store/mvcc/admin_codec.ts";
import { AdminApplier } from "../../store/mvcc/admin_applier.ts";
import { AlarmSet } from "../../store/mvcc/alarm.ts";
import { Auth } from "../../store/mvcc/auth/auth.ts";
import { COMMAND } from "../../store/mvcc/command.ts";
import { LeaseClock } from "../../store/mvcc/lease/lease_clock.ts";
import { StateMachine } from "../../store/mvcc/state_machine.ts";
import { WatchHub } from "../../store/mvcc/watch/watch_hub.ts";
import { RaftState } from "../../store/raft/state.ts";
import type { FaultKind } from "./world/faults.ts";
import type { World } from "./world/world.ts";

export interface Bug {
  readonly name: string;
  /** Faults under which it shows. */
  readonly faults: readonly FaultKind[];
  /** Puts the bug into classes of the store. @returns what takes it out again */
  readonly patch?: () => () => void;
  /** Puts the bug into one world. */
  readonly prepare?: (world: World) => void;
}

/** A method of some class, as a wrapper sees it. */
// deno-lint-ignore no-explicit-any
type Method = (this: any, ...args: any[]) => any;

/** Replaces a method. @returns what puts it back */
function wrap(prototype: object, name: string, make: (original: Method) => Method): () => void {
  const before = Object.getOwnPropertyDescriptor(prototype, name);
  if (before === undefined) throw new Error(`there is no ${name} to break`);
  Object.defineProperty(prototype, name, { ...before, value: make(before.value as Method) });
  return () => Object.defineProperty(prototype, name, before);
}

/** Replaces a getter. @returns what puts it back */
function wrapGetter(prototype: object, name: string, get: () => unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(prototype, name);
  if (before === undefined) throw new Error(`there is no ${name} to break`);
  Object.defineProperty(prototype, name, { ...before, get });
  return () => Object.defineProperty(prototype, name, before);
}

const CRASHES: readonly FaultKind[] = ["kill", "power", "boundary"];
const SPLITS: readonly FaultKind[] = ["partition", "isolate", "oneway", "flap"];

/** Slow elections in which members die right after they voted, and are back before the end. */
function killVoters(world: World): void {
  world.network.faults.extraDelayMillis = 120;
  const carry = world.network.carry.bind(world.network);
  const random = world.random("voters");
  world.network.carry = (from, to, messages) => {
    const votes = messages.some(({ type, reject }) => type === "voteResponse" && !reject);
    const machine = world.machines.find(({ id }) => id === from.host.memberId);
    if (votes && machine !== undefined && random.chance(0.7)) {
      world.queue.after(0, () => machine.kill());
      world.queue.after(random.between(1, 20), () => machine.start());
    }
    return carry(from, to, messages);
  };
}

/** Most leaders are cut off as soon as they are elected. */
function isolateNewLeaders(world: World): void {
  const random = world.random("leaders");
  world.onCore = (core) => {
    const ready = core.ready.bind(core);
    core.ready = () => {
      const handed = ready();
      if (handed.soft?.role !== "leader" || random.chance(0.4)) return handed;
      for (const { id } of world.machines) {
        if (id === null || id === core.id) continue;
        world.network.cut(core.id, id);
        world.network.cut(id, core.id);
      }
      world.queue.after(random.between(1_000, 4_000), () => world.network.heal());
      return handed;
    };
  };
}

/** Leaders stop until another was elected, and are made leader again as soon as they are back. */
function pauseLeaders(world: World): void {
  world.queue.after(6_000, () => {
    const paused = world.leader;
    if (world.operator.isClosing) return;
    paused?.process?.pause();
    world.queue.after(3_000, () => {
      paused?.process?.resume();
      world.queue.after(10, () => {
        if (paused?.id) void world.leader?.opened?.cluster.moveLeader(paused.id);
      });
      pauseLeaders(world);
    });
  });
}

const RAFT_BUGS: readonly Bug[] = [
  {
    name: "an entry is committed by whoever has it, without a quorum",
    faults: [...SPLITS, ...CRASHES],
    patch: () =>
      wrap(RaftState.prototype, "quorumOf", () =>
        function (value) {
          return Math.max(...this.voters.map(value));
        }),
  },
  {
    name: "a member votes twice in one term",
    faults: SPLITS,
    // Candidates meet where votes take longer than it takes to lose patience.
    prepare: (world) => world.network.faults.extraDelayMillis = 120,
    patch: () =>
      wrap(RaftState.prototype, "installConf", (original) =>
        function (conf) {
          let vote = this.vote;
          Object.defineProperty(this, "vote", {
            configurable: true,
            get: () => vote === this.id ? vote : 0n,
            set: (next) => vote = next,
          });
          original.call(this, conf);
        }),
  },
  {
    name: "a minority elects a leader",
    faults: SPLITS,
    patch: () =>
      wrap(RaftState.prototype, "quorumVote", () =>
        function (agrees) {
          const granted = this.voters.filter((member: unknown) => agrees(member) === true);
          return granted.length >= 1 ? "won" : "pending";
        }),
  },
  {
    name: "a new leader takes its inherited entries for committed, whatever their term",
    faults: ["kill"],
    prepare: isolateNewLeaders,
    patch: () =>
      wrap(RaftState.prototype, "becomeLeader", (original) =>
        function () {
          original.call(this);
          this.log.commitTo(this.log.lastIndex);
        }),
  },
  {
    name: "the read index is given out without a round of heartbeats",
    faults: [...SPLITS, "pause"],
    patch: () => wrapGetter(RaftState.prototype, "isAlone", () => true),
  },
  {
    name: "acknowledgements leave before the disk has what they acknowledge",
    faults: ["power", "slowsync", "boundary"],
    prepare: (world) => {
      world.onCore = (core) => {
        const ready = core.ready.bind(core);
        core.ready = () => {
          const handed = ready();
          const messages = [...handed.messages, ...handed.messagesAfterPersist];
          return { ...handed, messages, messagesAfterPersist: [] };
        };
      };
    },
  },
  {
    name: "one member skips changes of membership",
    faults: ["membership"],
    prepare: (world) => {
      world.onCore = (core, machine) => {
        if (machine.name === "m2") core.applyConfChange = () => core.conf;
      };
    },
  },
  {
    name: "a forwarded proposal is sent twice",
    faults: [],
    prepare: (world) => {
      const carry = world.network.carry.bind(world.network);
      world.network.carry = (from, to, messages) => {
        const proposals = messages.filter(({ type }) => type === "propose");
        if (proposals.length > 0) carry(from, to, proposals);
        return carry(from, to, messages);
      };
    },
  },
];

const DISK_BUGS: readonly Bug[] = [
  {
    name: "the vote is not in the hard state that a crash leaves",
    faults: ["kill", "isolate"],
    prepare: killVoters,
    patch: () =>
      wrap(Wal.prototype, "append", (original) =>
        function (write) {
          const hardState = write.hardState && { ...write.hardState, vote: 0n };
          return original.call(this, { ...write, hardState });
        }),
  },
  {
    name: "the term is not in the hard state that a crash leaves",
    faults: [...SPLITS, ...CRASHES],
    patch: () =>
      wrap(Wal.prototype, "append", (original) =>
        function (write) {
          const hardState = write.hardState && { ...write.hardState, term: 1 };
          return original.call(this, { ...write, hardState });
        }),
  },
  {
    name: "syncs report what they did not do, and power loss takes the tail",
    faults: ["power"],
    prepare: (world) => {
      for (const machine of world.machines) machine.disk.faults.lies = true;
      world.onCore = (_, machine) => machine.disk.faults.lies = true;
    },
  },
  {
    name: "the last entry of a batch does not reach the log",
    faults: CRASHES,
    patch: () =>
      wrap(Wal.prototype, "append", (original) =>
        function (write) {
          const entries = write.entries.length > 1 ? write.entries.slice(0, -1) : write.entries;
          return original.call(this, { ...write, entries });
        }),
  },
];

const SNAPSHOT_BUGS: readonly Bug[] = [
  {
    name: "a snapshot does not hold the whole configuration",
    faults: [...CRASHES, "membership"],
    patch: () =>
      wrap(Membership.prototype, "encode", (original) =>
        function (conf) {
          return original.call(this, { ...conf, voters: conf.voters.slice(0, -1) });
        }),
  },
  {
    name: "a snapshot names an index before its content, so a restart applies an entry twice",
    faults: CRASHES,
    patch: () =>
      wrap(Snapshotter.prototype, "start", (original) =>
        function (head, reader) {
          original.call(this, { ...head, index: head.index - 1 }, reader);
        }),
  },
  {
    name: "a snapshot names an index behind its content, so a restart skips an entry",
    faults: CRASHES,
    patch: () =>
      wrap(Snapshotter.prototype, "start", (original) =>
        function (head, reader) {
          original.call(this, { ...head, index: head.index + 1 }, reader);
        }),
  },
  {
    name: "the first batch after a restart is applied twice",
    faults: CRASHES,
    patch: () => {
      const started = new WeakSet<object>();
      return wrap(StateMachine.prototype, "applyBatch", (original) =>
        function (batch, onOutcome) {
          if (!started.has(this)) original.call(this, batch, () => {});
          started.add(this);
          return original.call(this, batch, onOutcome);
        });
    },
  },
  {
    name: "a restored snapshot is without its leases",
    faults: CRASHES,
    patch: () =>
      wrap(StateMachine.prototype, "openRestore", (original) =>
        function () {
          const restore = original.call(this);
          const finish = () => {
            const failure = restore.finish();
            for (const { id } of [...this.leases.all()]) this.leases.remove(id);
            return failure;
          };
          return { ...restore, finish };
        }),
  },
];

const READ_BUGS: readonly Bug[] = [
  {
    name: "a linearizable read is answered from what is there",
    faults: [...SPLITS, "delay"],
    patch: () =>
      wrap(MemberStore.prototype, "range", (original) =>
        function (request) {
          return original.call(this, { ...request, serializable: true });
        }),
  },
  {
    name: "a confirmed read does not wait until its index is applied",
    faults: ["slowsync", "delay"],
    patch: () =>
      wrap(Reads.prototype, "answer", (original) =>
        function () {
          original.call(this, Number.POSITIVE_INFINITY);
        }),
  },
];

const WATCH_BUGS: readonly Bug[] = [
  {
    name: "a watch loses what an installed snapshot brought",
    faults: [...SPLITS, ...CRASHES],
    patch: () =>
      wrap(WatchHub.prototype, "onRestore", (original) =>
        function (kv) {
          original.call(this, kv, kv.revision);
        }),
  },
  {
    name: "a watch resumed on another member loses an event",
    faults: ["kill"],
    patch: () =>
      wrap(WatchHub.prototype, "watch", (original) =>
        function (request, onNotice) {
          const start = request.startRevision ?? 0;
          const startRevision = start > 1 ? start + 1 : start;
          return original.call(this, { ...request, startRevision }, onNotice);
        }),
  },
  {
    name: "a resumed watch hears an event again",
    faults: ["kill"],
    patch: () =>
      wrap(WatchHub.prototype, "watch", (original) =>
        function (request, onNotice) {
          const startRevision = Math.max(0, (request.startRevision ?? 0) - 1);
          return original.call(this, { ...request, startRevision }, onNotice);
        }),
  },
  {
    name: "a watch is told of one revision in pieces",
    faults: [],
    patch: () =>
      wrap(WatchHub.prototype, "watch", (original) =>
        function (request, onNotice) {
          return original.call(this, request, (notice: { kind: string; events: unknown[] }) => {
            if (notice.kind !== "events") return onNotice(notice);
            for (const event of notice.events) onNotice({ ...notice, events: [event] });
          });
        }),
  },
  {
    name: "a watch behind a compaction goes on in silence",
    faults: ["kill"],
    patch: () =>
      wrap(StateMachine.prototype, "watch", (original) =>
        function (request, onNotice) {
          const start = request.startRevision ?? 0;
          const startRevision = start > 0 ? Math.max(start, this.compactRevision) : 0;
          return original.call(this, { ...request, startRevision }, onNotice);
        }),
  },
  {
    name: "progress is told to a watch that is still behind",
    faults: [],
    patch: () =>
      wrap(WatchHub.prototype, "watch", (original) =>
        function (request, onNotice) {
          const watcher = original.call(this, request, onNotice);
          if (!watcher.synced) onNotice({ kind: "progress", revision: Number(1e6) });
          return watcher;
        }),
  },
  {
    name: "a watch that asks for progress is starved",
    faults: [],
    patch: () =>
      wrap(WatchHub.prototype, "requestProgress", () =>
        function () {
          // Forgotten.
        }),
  },
];

const LEASE_BUGS: readonly Bug[] = [
  {
    name: "a leader that is elected again goes on with its old times of leases",
    faults: [],
    prepare: pauseLeaders,
    patch: () =>
      wrap(LeaseClock.prototype, "promote", (original) =>
        function (now) {
          if (!this.isLeading) original.call(this, now);
        }),
  },
  {
    name: "a new leader gives leases less than their time",
    faults: ["kill", "isolate"],
    patch: () =>
      wrap(LeaseClock.prototype, "promote", (original) =>
        function (now) {
          original.call(this, now - 4_000);
        }),
  },
  {
    name: "a renewal is acknowledged and forgotten",
    faults: [],
    patch: () =>
      wrap(LeaseClock.prototype, "renew", () =>
        function (id) {
          return { kind: "lease", id, ttlSeconds: 5, wasCheckpointed: false };
        }),
  },
  {
    name: "leases never end",
    faults: [],
    patch: () => wrap(LeaseClock.prototype, "expired", () => () => []),
  },
];

const RULE_BUGS: readonly Bug[] = [
  {
    name: "a member that compacts by itself leaves nothing of what is young",
    faults: [],
    patch: () =>
      wrap(Member.prototype, "submit", (original) =>
        function (kind, body, identity, done) {
          // Clients of the simulation always say who they are.
          const isOwn = kind === COMMAND.compaction && identity === undefined;
          const all = () => encodeCompaction({ revision: this.machine.revision, physical: false });
          return original.call(this, kind, isOwn ? all() : body, identity, done);
        }),
  },
  {
    name: "what a checkpoint left of a lease stays, though it was renewed",
    faults: ["kill", "isolate", "transfer"],
    patch: () =>
      wrap(LeaseClock.prototype, "renew", (original) =>
        function (id, now) {
          const renewed = original.call(this, id, now);
          return renewed.kind === "lease" ? { ...renewed, wasCheckpointed: false } : renewed;
        }),
  },
  {
    name: "a transaction may grow a store that is full",
    faults: ["quota"],
    patch: () => wrap(AlarmSet.prototype, "checkTxn", () => () => undefined),
  },
  {
    name: "leases that run out are revoked in nobody's name, which auth refuses",
    faults: ["auth"],
    patch: () =>
      wrap(AdminApplier.prototype, "apply", (original) =>
        function (kind, body, identity) {
          return original.call(
            this,
            kind,
            body,
            kind === COMMAND.leaseRevoke ? undefined : identity,
          );
        }),
  },
  {
    name: "a token from before the last change of auth is still good",
    faults: ["auth", "delay", "slowsync"],
    patch: () =>
      wrap(Auth.prototype, "checkAccess", (original) =>
        function (identity, ...rest) {
          const renewed = identity && { ...identity, authRevision: Number.MAX_SAFE_INTEGER };
          return original.call(this, renewed, ...rest);
        }),
  },
  {
    name: "what was taken back from a role goes on for its users",
    faults: ["auth"],
    patch: () => wrap(Auth.prototype, "roleRevokePermission", () => () => undefined),
  },
];

/** Every bug there is. */
export const BUGS: readonly Bug[] = [
  ...RAFT_BUGS,
  ...DISK_BUGS,
  ...SNAPSHOT_BUGS,
  ...READ_BUGS,
  ...WATCH_BUGS,
  ...LEASE_BUGS,
  ...RULE_BUGS,
];
