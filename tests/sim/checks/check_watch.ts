/**
 * What a watch promises: events in order, each once, none missing, revisions whole, progress true.
 * In: a watch's request and its notices as they arrive; in the end the agreed history. Out:
 * nothing, or the broken promise.
 * Never: excuses a gap: what a compaction took away must have been announced.
 * Source: https://etcd.io/docs/v3.6/learning/api_guarantees/ (ordered, unique, reliable, atomic,
 * resumable, bookmarkable).
 */
import type { StoreEvent, WatchNotice } from "../../../store/mod.ts";
import { type History, Violation } from "./history.ts";
import { isInRange, sameItem, show, type SimChange, toChange } from "./model.ts";

export interface WatchPlan {
  readonly from: string;
  readonly end: string;
  /** First revision that must be heard. */
  readonly start: number;
  readonly prevKv: boolean;
  readonly noPut: boolean;
  readonly noDelete: boolean;
}

/** One watch on one member, from its start to its end. */
export class WatchLog {
  readonly who: string;
  readonly plan: WatchPlan;
  readonly #history: History;
  readonly #now: () => number;
  readonly #isObserver: boolean;
  readonly #heard: SimChange[] = [];
  /** Everything up to this revision has been promised. */
  #complete: number;
  #lastRevision = 0;
  /** Why it ended: null while it runs. */
  ended: string | null = null;
  compactedTo = 0;
  /** When progress was asked for and not yet told, world milliseconds; -1 = not. */
  progressAskedAt = -1;
  progressNotices = 0;

  /** @param parts.isObserver hears every key and so feeds the history */
  constructor(
    parts: {
      who: string;
      plan: WatchPlan;
      history: History;
      now: () => number;
      isObserver: boolean;
    },
  ) {
    this.who = parts.who;
    this.plan = parts.plan;
    this.#history = parts.history;
    this.#now = parts.now;
    this.#isObserver = parts.isObserver;
    this.#complete = parts.plan.start - 1;
  }

  /** The next revision to ask for when this watch is resumed elsewhere. */
  get resumeAt(): number {
    return Math.max(this.#complete + 1, this.plan.start);
  }

  get eventCount(): number {
    return this.#heard.length;
  }

  notice(notice: WatchNotice): void {
    if (this.ended !== null) throw this.#broken(`is told ${show(notice)} after its end`);
    switch (notice.kind) {
      case "events":
        return this.#events(notice.events, notice.revision);
      case "progress":
        return this.#progress(notice.revision);
      case "compacted":
        if (notice.compactRevision > this.#history.compactAsked) {
          throw this.#broken(`hears of a compaction to ${notice.compactRevision} nobody asked for`);
        }
        if (notice.compactRevision <= this.#complete) {
          throw this.#broken(`is ended by a compaction of what it has heard`);
        }
        this.compactedTo = notice.compactRevision;
        this.ended = "compacted";
        return;
      case "cancelled":
        this.ended = notice.reason;
    }
  }

  #events(events: readonly StoreEvent[], revision: number): void {
    const changes = events.map(toChange);
    if (changes.length === 0) throw this.#broken("is told of no events at all");
    let group: SimChange[] = [];
    for (const change of changes) {
      const { mod } = change.item;
      if (mod > revision) throw this.#broken(`hears of ${mod} in a notice of ${revision}`);
      if (mod <= this.#complete) {
        throw this.#broken(`hears of ${mod} again, everything to ${this.#complete} was told`);
      }
      if (mod < this.#lastRevision) {
        throw this.#broken(`hears of ${mod} after ${this.#lastRevision}`);
      }
      if (group.length > 0 && group[0].item.mod !== mod) {
        this.#whole(group);
        group = [];
      }
      this.#lastRevision = mod;
      group.push(change);
      this.#heard.push(change);
    }
    this.#whole(group);
    this.#complete = this.#lastRevision;
  }

  #whole(group: readonly SimChange[]): void {
    if (!this.#isObserver) return;
    this.#history.heard(group[0].item.mod, group, this.#now(), this.who);
  }

  #progress(revision: number): void {
    this.progressAskedAt = -1;
    this.progressNotices++;
    if (revision < this.#complete) {
      throw this.#broken(`hears of progress ${revision} behind ${this.#complete}`);
    }
    this.#complete = revision;
  }

  /** Compares what was heard with the agreed history, once that is whole. */
  check(): void {
    const { plan } = this;
    let at = 0;
    for (let revision = Math.max(2, plan.start); revision <= this.#complete; revision++) {
      const record = this.#history.revision(revision);
      if (record === undefined) {
        throw this.#broken(`was told of revision ${revision}, which nobody else ever heard of`);
      }
      for (const change of record.changes) {
        if (!this.#wants(change)) continue;
        const heard = this.#heard[at++];
        if (heard?.type !== change.type || !sameItem(heard.item, change.item)) {
          throw this.#broken(`heard ${show(heard ?? null)} instead of ${show(change)}`);
        }
        // A compaction may take what was there before the last revision that it keeps.
        const mayLack = heard.prev === null && revision <= this.#history.compactAsked;
        if (plan.prevKv && !mayLack && !sameItem(heard.prev, change.prev)) {
          throw this.#broken(`heard ${show(heard.prev)} before ${show(change)}`);
        }
      }
    }
    if (at < this.#heard.length) {
      throw this.#broken(`heard ${show(this.#heard[at])} out of nowhere`);
    }
  }

  /** At the end of a run: a watch on a member that stands at `revision` is there too. */
  checkCaughtUp(revision: number): void {
    if (this.ended !== null || this.plan.start > revision) return;
    if (this.progressAskedAt >= 0) throw this.#broken("asked for progress and was never told");
    if (this.#complete < revision) {
      throw this.#broken(`was told everything to ${this.#complete}, the store is at ${revision}`);
    }
  }

  #wants(change: SimChange): boolean {
    const { plan } = this;
    if (change.type === "put" ? plan.noPut : plan.noDelete) return false;
    return isInRange(change.item.key, plan.from, plan.end);
  }

  #broken(what: string): Violation {
    return new Violation(`watch ${this.who} ${show(this.plan)} ${what}`);
  }
}
