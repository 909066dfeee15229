/**
 * Carries committed entries into the state machine and the membership, in order, in slices.
 * In: committed entries; snapshots that replace them. Out: answers to waiting callers, the applied
 * index, changes of the membership.
 * Never: applies past an installation in progress, or an entry twice.
 */
import type { StateMachineApi } from "../mvcc/api.ts";
import type { StoreFailure } from "../mvcc/types.ts";
import type { Log, Timer } from "../ports.ts";
import { decodeConfChange } from "../raft/conf_change.ts";
import type { ConfChange, Entry, RaftCore, SnapshotMeta } from "../raft/types.ts";
import type { Membership } from "./membership.ts";
import { ENTRY_HEADER_BYTES, type Proposals } from "./proposals.ts";

/** What a proposed membership change came to. */
export type ConfChangeOutcome =
  | { readonly kind: "changed" }
  | { readonly kind: "refused"; readonly reason: string }
  | StoreFailure;

interface ConfWaiter {
  readonly term: number;
  readonly deadline: number;
  readonly done: (outcome: ConfChangeOutcome) => void;
}

export interface ApplierParts {
  readonly raft: RaftCore;
  readonly machine: StateMachineApi;
  readonly proposals: Proposals;
  readonly timer: Timer;
  readonly log: Log;
  readonly membership: Membership;
  readonly applied: { readonly index: number; readonly term: number };
  /** An entry was applied: its size in bytes. */
  readonly onApplied: (bytes: number) => void;
  /** The membership followed `change`; `left` names the members it removed. */
  readonly onMembership: (change: ConfChange, left: readonly bigint[]) => void;
}

export class Applier {
  readonly #parts: ApplierParts;
  readonly #confWaiters = new Map<number, ConfWaiter>();
  #membership: Membership;
  #entries: Entry[] = [];
  #head = 0;
  #index: number;
  #term: number;
  #servingTerm = 0;
  #installing = false;
  #commands = 0;

  constructor(parts: ApplierParts) {
    this.#parts = parts;
    this.#membership = parts.membership;
    this.#index = parts.applied.index;
    this.#term = parts.applied.term;
  }

  /** Index of the last applied entry. */
  get index(): number {
    return this.#index;
  }

  /** Term of the last applied entry. */
  get term(): number {
    return this.#term;
  }

  get membership(): Membership {
    return this.#membership;
  }

  /** Latest term in which this member, as leader, applied an entry of its own. */
  get servingTerm(): number {
    return this.#servingTerm;
  }

  get hasWork(): boolean {
    return this.#head < this.#entries.length && !this.#installing;
  }

  /** Commands applied since the start. */
  get commands(): number {
    return this.#commands;
  }

  get isInstalling(): boolean {
    return this.#installing;
  }

  /** Takes committed entries; each follows the one before without a gap. */
  add(entries: readonly Entry[]): void {
    for (const entry of entries) this.#entries.push(entry);
  }

  /** Applies until `end` of the timer, at least one entry. */
  apply(end: number): void {
    const { raft, timer } = this.#parts;
    while (this.hasWork) {
      const entry = this.#entries[this.#head++];
      if (entry.index <= this.#index) continue;
      if (entry.kind === "confChange") this.#applyConfChange(entry);
      else this.#applyBatch(entry);
      this.#index = entry.index;
      this.#term = entry.term;
      raft.appliedTo(entry.index);
      this.#parts.onApplied(entry.data.length);
      if (timer.now() >= end) break;
    }
    if (this.#head === this.#entries.length && this.#head > 0) {
      this.#entries = [];
      this.#head = 0;
    }
  }

  /** Entries wait until `installed`. */
  beginInstall(): void {
    this.#installing = true;
  }

  /** The state machine now holds `snapshot`; entries up to it are passed over. */
  installed(snapshot: SnapshotMeta, membership: Membership): void {
    this.#membership = membership;
    this.#index = snapshot.index;
    this.#term = snapshot.term;
    this.#installing = false;
  }

  /** Waits for the membership change proposed at an index. */
  waitConfChange(index: number, waiter: ConfWaiter): void {
    this.#confWaiters.set(index, waiter);
  }

  /** Fails changes that waited past their deadline. */
  expire(now: number, failure: StoreFailure): void {
    for (const [index, waiter] of this.#confWaiters) {
      if (waiter.deadline > now) continue;
      this.#confWaiters.delete(index);
      waiter.done(failure);
    }
  }

  #applyBatch(entry: Entry): void {
    const { raft, machine, proposals } = this.#parts;
    if (raft.role === "leader" && entry.term === raft.term) this.#servingTerm = entry.term;
    if (entry.data.length < ENTRY_HEADER_BYTES) return;
    const dones = proposals.settle(entry.data)?.dones;
    const batch = entry.data.subarray(ENTRY_HEADER_BYTES);
    const failure = machine.applyBatch(batch, (requestId, outcome) => {
      this.#commands++;
      dones?.[requestId]?.(outcome);
    });
    // The batch may be old by now, to the collector; what it waited for need not grow old with it.
    if (dones !== undefined) dones.length = 0;
    // Every member stops at the same command of such a batch, so their states stay equal.
    if (failure !== undefined) {
      this.#parts.log("error", "a batch in the log is malformed", { index: entry.index });
    }
  }

  #applyConfChange(entry: Entry): void {
    const change = decodeConfChange(entry.data);
    this.#parts.raft.applyConfChange(change);
    const left = this.#membership.apply(change);
    this.#parts.onMembership(change, left);
    const waiter = this.#confWaiters.get(entry.index);
    this.#confWaiters.delete(entry.index);
    waiter?.done(waiter.term === entry.term ? { kind: "changed" } : { kind: "timeout" });
  }
}
