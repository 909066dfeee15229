/**
 * The runner of one member: proposals and messages in, Ready after Ready carried out.
 * In: commands, reads, ticks, peers' messages. Out: a durable log, applied commands, answers.
 * Never: answers a write before it is durable on a quorum and applied; retries a failed sync; works
 * longer than about 10 ms before it gives the thread back.
 * While one batch is being synced, the next one gathers and the last one is applied.
 * Source: Ongaro's thesis section 10.2; etcd's raftNode for the order of effects.
 */
import type { DurationHistogram } from "../disk/duration_histogram.ts";
import type { StateMachineApi } from "../mvcc/api.ts";
import { COMMAND, type CommandKind } from "../mvcc/command.ts";
import type { Identity } from "../mvcc/outcome.ts";
import type { StoreFailure } from "../mvcc/types.ts";
import type { Disk, Log, Peers, Timer } from "../ports.ts";
import { createRaft } from "../raft/raft.ts";
import type { ConfChange, Message, RaftCore, Random, Ready } from "../raft/types.ts";
import { Applier, type ConfChangeOutcome } from "./applier.ts";
import { type Bootstrapped, loadSnapshot } from "./bootstrap.ts";
import type { StoreConfig } from "./config.ts";
import { formatId } from "./identity.ts";
import { LogWriter } from "./log_writer.ts";
import type { Membership } from "./membership.ts";
import { type Done, Proposals } from "./proposals.ts";
import { confChangeRefusal, forwardedProposal, raftConfigOf } from "./raft_inputs.ts";
import { type ReadDone, Reads } from "./reads.ts";
import { Snapshotter } from "./snapshotter.ts";

/** The thread is given back after this long. */
const TURN_MILLIS = 8;
/** Entries of one write. */
const WRITE_BYTES = 4 * 1024 * 1024;
/** Records that lagging watchers look at in one turn: about 4 ms. */
const CATCH_UP_RECORDS = 8_000;
/** Keys that one slice of reclaiming looks at: about 2 ms; while writes are under way a quarter. */
const COMPACT_KEYS = { idle: 2_000, busy: 500 } as const;

/** Commands that a full disk refuses; the rest free space or are needed to. */
const GROWING: ReadonlySet<CommandKind> = new Set([COMMAND.put, COMMAND.txn, COMMAND.leaseGrant]);

export interface MemberParts {
  readonly config: StoreConfig;
  readonly disk: Disk;
  readonly timer: Timer;
  readonly log: Log;
  readonly random: Random;
  readonly machine: StateMachineApi;
  readonly started: Bootstrapped;
}

export class Member {
  readonly id: bigint;
  readonly clusterId: bigint;
  readonly machine: StateMachineApi;
  readonly config: StoreConfig;
  readonly #parts: MemberParts;
  readonly #timer: Timer;
  readonly #log: Log;
  readonly #raft: RaftCore;
  readonly #writer: LogWriter;
  readonly #applier: Applier;
  readonly #proposals: Proposals;
  readonly #reads: Reads;
  readonly #snapshotter: Snapshotter;
  readonly #tickers: (() => void)[] = [];
  #peers: Peers | null = null;
  #stopTicks: () => void = () => {};
  #wakeScheduled = false;
  #compacting = true;
  #failure: StoreFailure | null = null;
  #errors: string[] = [];
  #readyWaiters: (() => void)[] = [];

  constructor(parts: MemberParts) {
    const { config, started, random } = parts;
    this.#parts = parts;
    this.id = started.identity.memberId;
    this.clusterId = started.identity.clusterId;
    this.machine = parts.machine;
    this.config = config;
    this.#timer = parts.timer;
    this.#log = parts.log;
    this.#writer = new LogWriter(started.wal);
    this.#proposals = new Proposals({
      memberId: this.id,
      firstId: random.nextInt(2 ** 31) * 2 ** 20,
      deadline: () => this.#deadline(),
    });
    const firstRead = (this.id & 0xffffffn) << 40n | BigInt(random.nextInt(2 ** 30));
    this.#reads = new Reads(firstRead, config.electionTimeoutMillis / 2);
    this.#snapshotter = new Snapshotter({
      ports: parts,
      directory: started.snapshotDirectory,
      policy: config,
      kept: started.kept,
    });
    this.#raft = createRaft(raftConfigOf(config, this.id, random), started.initial);
    this.#applier = new Applier({
      raft: this.#raft,
      machine: parts.machine,
      proposals: this.#proposals,
      timer: parts.timer,
      log: parts.log,
      membership: started.membership,
      applied: { index: started.initial.applied, term: started.initial.snapshot.term },
      onApplied: (bytes) => {
        this.#snapshotter.count(1, bytes);
        this.#compacting = true;
      },
      onMembership: (change, left) => this.#membershipChanged(change, left),
    });
  }

  get raft(): Omit<RaftCore, "ready" | "step" | "tick" | "persisted" | "appliedTo"> {
    return this.#raft;
  }

  get applied(): number {
    return this.#applier.index;
  }

  /** What was counted since the start. */
  get counters(): { readonly appliedCommands: number; readonly walSyncs: DurationHistogram } {
    return { appliedCommands: this.#applier.commands, walSyncs: this.#parts.started.wal.syncs };
  }

  get membership(): Membership {
    return this.#applier.membership;
  }

  get isLeader(): boolean {
    return this.#raft.role === "leader";
  }

  /** Whether this leader has applied everything that earlier leaders committed. */
  get isServingLeader(): boolean {
    return this.isLeader && this.#applier.servingTerm === this.#raft.term;
  }

  /** Whether reads need no round: alone, nothing is acknowledged before it is applied. */
  get canReadNow(): boolean {
    return this.isServingLeader && this.#votesAlone() && this.#failure === null;
  }

  get stopped(): boolean {
    return this.#failure !== null;
  }

  get errors(): readonly string[] {
    return this.spaceLow ? [...this.#errors, "no space left on the disk"] : this.#errors;
  }

  /** Whether the disk refuses new data; deletes and compactions may still fit. */
  get spaceLow(): boolean {
    return this.#parts.started.wal.spaceLow;
  }

  /** Whether somebody waits for a write; work that can wait then takes small steps. */
  get isWriting(): boolean {
    return this.#proposals.isWaitedFor;
  }

  /** Milliseconds, for deadlines of callers. */
  now(): number {
    return this.#timer.now();
  }

  /** Starts ticking; a member that votes alone elects itself at once. */
  start(peers: Peers | null): void {
    this.#peers = peers;
    for (const member of this.membership.list()) {
      if (member.id !== this.id) peers?.addPeer(member.id, member.peerUrls);
    }
    this.#stopTicks = this.#timer.every(this.config.heartbeatIntervalMillis, () => this.#tick());
    if (this.#votesAlone()) this.#raft.campaign();
    this.#turn();
  }

  /** Calls `ticker` once a heartbeat interval until the member stops. */
  onTick(ticker: () => void): void {
    this.#tickers.push(ticker);
  }

  /** Resolves once this member knows a leader and has applied what was committed by then. */
  whenServing(): Promise<void> {
    if (this.#isServing()) return Promise.resolve();
    return new Promise((resolve) => this.#readyWaiters.push(resolve));
  }

  /**
   * Puts one command through the log.
   * @param kind from `COMMAND`
   * @param body the etcd request message's bytes; copied
   * @param identity who asks, when authenticated
   * @param done called once, never before this returns
   */
  submit(
    kind: CommandKind,
    body: Uint8Array,
    identity: Identity | undefined,
    done: Done,
  ): void {
    const refusal = this.#failure ?? this.#refusal(kind, body) ??
      this.#proposals.add(kind, body, identity, done);
    if (refusal !== null) this.#timer.soon(() => done(refusal));
    else if (!this.#writer.busy) this.#wake();
  }

  /** Calls `done` once everything acknowledged before this call is applied here. */
  readIndex(done: ReadDone): void {
    if (this.#failure !== null) return done(this.#failure);
    if (this.canReadNow) return done(null);
    this.#reads.add(done, this.#deadline());
    this.#wake();
  }

  /** Proposes a membership change; only the leader accepts. */
  changeMembership(change: ConfChange): Promise<ConfChangeOutcome> {
    if (this.#failure !== null) return Promise.resolve(this.#failure);
    const outcome = this.#raft.proposeConfChange(change);
    if (outcome.kind !== "accepted") return Promise.resolve(confChangeRefusal(outcome));
    const { promise, resolve } = Promise.withResolvers<ConfChangeOutcome>();
    const waiter = { term: outcome.term, deadline: this.#deadline(), done: resolve };
    this.#applier.waitConfChange(outcome.index, waiter);
    this.#wake();
    return promise;
  }

  progress(): ReturnType<RaftCore["progress"]> {
    return this.#raft.progress();
  }

  transferLeader(to: bigint): void {
    this.#raft.transferLeader(to);
    this.#wake();
  }

  receive(messages: readonly Message[]): void {
    if (this.#failure !== null) return;
    for (const message of messages) this.#raft.step(message);
    this.#wake();
  }

  unreachable(id: bigint): void {
    this.#raft.reportUnreachable(id);
  }

  snapshotSent(id: bigint, ok: boolean): void {
    this.#raft.reportSnapshot(id, ok);
    this.#wake();
  }

  /** Asks another member outside Raft. @returns null without an answer */
  call(to: bigint, request: Uint8Array): Promise<Uint8Array | null> {
    return this.#peers?.call(to, request) ?? Promise.resolve(null);
  }

  /** Has the loop look for work soon: a watcher lags, or history can be reclaimed. */
  nudge(): void {
    this.#compacting = true;
    this.#wake();
  }

  /** Stops; what was acknowledged is durable already. */
  async close(): Promise<void> {
    if (this.#failure !== null) return;
    this.#stop({ kind: "stopped" });
    await this.#peers?.close();
    while (this.#writer.busy) await new Promise<void>((resolve) => this.#timer.soon(resolve));
    this.#parts.started.wal.close();
  }

  #wake(): void {
    if (this.#wakeScheduled || this.#failure !== null) return;
    this.#wakeScheduled = true;
    this.#timer.soon(() => {
      this.#wakeScheduled = false;
      this.#turn();
    });
  }

  #turn(): void {
    if (this.#failure !== null) return;
    const end = this.#timer.now() + TURN_MILLIS;
    try {
      const held = this.#proposeQueued();
      const round = this.#reads.nextRound(this.#timer.now());
      if (round !== null) this.#raft.readIndex(round);
      this.#drainReady();
      this.#apply(end);
      this.#reads.answer(this.#applier.index);
      const more = this.#background();
      // Answers may have queued further requests; what Raft held back waits for a message or tick.
      const proposable = !held && this.#proposals.hasQueued && !this.#writer.busy;
      if (more || proposable || this.#raft.hasReady() || this.#applier.hasWork) this.#wake();
    } catch (error) {
      this.#fail(error);
    }
  }

  #tick(): void {
    if (this.#failure !== null) return;
    try {
      this.#raft.tick();
      const now = this.#timer.now();
      const late: StoreFailure = { kind: this.#knowsLeader() ? "timeout" : "noLeader" };
      this.#proposals.expire(now, late);
      this.#reads.expire(now, late);
      this.#applier.expire(now, late);
      this.#writer.probeSpace();
      for (const ticker of this.#tickers) ticker();
    } catch (error) {
      this.#fail(error);
    }
    this.#turn();
  }

  /** Hands gathered batches on. @returns whether none can go before a write ends or Raft moves */
  #proposeQueued(): boolean {
    if (this.#writer.busy || !this.#knowsLeader()) return true;
    for (let bytes = 0; bytes < WRITE_BYTES;) {
      const batch = this.#proposals.take();
      if (batch === undefined) return false;
      const outcome = this.#raft.propose(batch.data);
      if (outcome.kind === "notLeader" && outcome.leader !== 0n) {
        const route = { from: this.id, to: outcome.leader };
        this.#peers?.send([forwardedProposal(route, batch.data)]);
      } else if (outcome.kind !== "accepted") {
        this.#proposals.untake(batch);
        return true;
      }
      this.#proposals.wait(batch);
      bytes += batch.data.length;
    }
    return false;
  }

  #drainReady(): void {
    while (this.#raft.hasReady()) {
      const ready = this.#raft.ready();
      this.#send(ready.messages);
      for (const state of ready.readStates) this.#reads.confirm(state);
      this.#applier.add(ready.committed);
      if (ready.hardState !== null) this.#writer.hold(ready.hardState);
      if (ready.soft !== null) this.#roleChanged();
      if (ready.mustSync) void this.#write(ready);
      else if (ready.messagesAfterPersist.length > 0) this.#send(ready.messagesAfterPersist);
    }
    if (this.#writer.hasMarker && !this.#writer.busy) void this.#write(null);
  }

  /** Writes one Ready (or only a snapshot's marker) and goes on once it is durable. */
  async #write(ready: Ready | null): Promise<void> {
    const received = ready?.snapshot ?? null;
    const entries = ready?.entries ?? [];
    try {
      const prepare = received === null ? null : () => this.#install(received);
      const marker = await this.#writer.write(entries, received, prepare);
      if (marker === "stopped" || this.#failure !== null) return;
      if (ready !== null) {
        const last = entries.at(-1);
        this.#raft.persisted(last?.index ?? 0, last?.term ?? this.#raft.term);
        this.#send(ready.messagesAfterPersist);
      }
      const own = marker && await this.#snapshotter.adopted(marker, this.#parts.started.wal);
      if (own !== null) this.#raft.compact(own);
    } catch (error) {
      this.#fail(error);
    }
    this.#turn();
  }

  #send(messages: readonly Message[]): void {
    if (messages.length === 0 || this.#peers === null) return;
    const plain: Message[] = [];
    for (const message of messages) {
      if (message.type === "snapshot") {
        this.#peers.sendSnapshot(message);
      } else plain.push(message);
    }
    if (plain.length > 0) this.#peers.send(plain);
  }

  #membershipChanged(change: ConfChange, left: readonly bigint[]): void {
    for (const { type, id } of change.changes) {
      if (type !== "remove" && id !== this.id) {
        this.#peers?.addPeer(id, this.membership.get(id)?.peerUrls ?? []);
      }
    }
    for (const id of left) {
      // The leaving member still has to hear that it left.
      this.#timer.after(this.config.electionTimeoutMillis, () => this.#peers?.removePeer(id));
    }
    if (left.includes(this.id)) {
      this.#log("warn", "this member was removed from the cluster", { id: formatId(this.id) });
      this.#errors.push("removed from the cluster");
      this.#timer.soon(() => void this.close());
    }
  }

  /** Replaces the state machine by the snapshot a leader sent; its file is complete already. */
  async #install(snapshot: NonNullable<Ready["snapshot"]>): Promise<void> {
    this.#applier.beginInstall();
    this.#snapshotter.abort();
    const directory = this.#parts.started.snapshotDirectory;
    const loaded = await loadSnapshot(this.#parts, directory, snapshot);
    if (loaded.kind === "refused") throw new Error(loaded.problem);
    this.#applier.installed(snapshot, loaded.membership);
    for (const member of loaded.membership.list()) {
      if (member.id !== this.id) this.#peers?.addPeer(member.id, member.peerUrls);
    }
  }

  /** One slice each of snapshot, lagging watchers and reclaiming. @returns whether more waits */
  #background(): boolean {
    const { machine } = this;
    if (this.#snapshotter.isDue(this.#raft.wantsSnapshot) && !this.#applier.isInstalling) {
      const { index, term } = this.#applier;
      const { conf } = this.#raft;
      const head = { index, term, conf, membership: this.membership.encode(conf) };
      this.#snapshotter.start(head, machine.openSnapshot());
    }
    if (this.#snapshotter.isRunning) {
      this.#snapshotter.step(this.isWriting)?.then((marker) => {
        if (marker !== null) this.#writer.mark(marker);
        this.#wake();
      }, (error) => this.#fail(error));
    }
    const lagging = machine.watches.laggingCount > 0 &&
      machine.watches.catchUpStep(CATCH_UP_RECORDS);
    const keys = COMPACT_KEYS[this.isWriting ? "busy" : "idle"];
    if (this.#compacting) this.#compacting = machine.compactStep(keys);
    return this.#snapshotter.isRunning || lagging || this.#compacting;
  }

  #votesAlone(): boolean {
    const { voters, votersOutgoing } = this.#raft.conf;
    return voters.length === 1 && voters[0] === this.id && votersOutgoing.length === 0;
  }

  #knowsLeader(): boolean {
    return this.#raft.leader !== 0n;
  }

  #isServing(): boolean {
    return this.#failure !== null ||
      (this.isLeader
        ? this.isServingLeader
        : this.#knowsLeader() && this.applied >= this.#raft.commit);
  }

  #apply(end: number): void {
    this.#applier.apply(end);
    this.#raft.trim(this.#snapshotter.pendingIndex ?? this.#applier.index);
    if (this.#readyWaiters.length > 0 && this.#isServing()) {
      for (const resolve of this.#readyWaiters.splice(0)) resolve();
    }
  }

  #roleChanged(): void {
    const leader = formatId(this.#raft.leader);
    this.#log("info", "role changed", { role: this.#raft.role, leader, term: this.#raft.term });
  }

  #deadline(): number {
    return this.#timer.now() + this.config.requestTimeoutMillis +
      2 * this.config.electionTimeoutMillis;
  }

  #refusal(kind: CommandKind, body: Uint8Array): StoreFailure | null {
    if (body.length > this.config.maxRequestBytes) return { kind: "requestTooLarge" };
    return this.spaceLow && GROWING.has(kind) ? { kind: "noSpace" } : null;
  }

  /** A failed disk or a broken invariant: nothing may be promised any more. */
  #fail(error: unknown): void {
    if (this.#failure !== null) return;
    const detail = error instanceof Error ? error.message : String(error);
    this.#errors.push(detail);
    this.#log("error", "the member stops", {
      detail,
      cause: error instanceof Error && error.cause instanceof Error ? error.cause.message : "",
      stack: error instanceof Error ? error.stack : "",
    });
    this.#stop({ kind: "stopped" });
    void this.#peers?.close();
  }

  #stop(failure: StoreFailure): void {
    this.#failure = failure;
    this.#stopTicks();
    this.#writer.stop();
    this.#snapshotter.abort();
    this.#proposals.failAll(failure);
    this.#reads.failAll(failure);
    this.#applier.expire(Number.POSITIVE_INFINITY, failure);
    this.machine.watches.cancelAll("the store stops");
    for (const resolve of this.#readyWaiters.splice(0)) resolve();
  }
}
