/**
 * Everything the clients of one run did and saw, and the order of changes that watchers agree on.
 * In: operations as they begin and end; revisions as any watcher hears them. Out: records for the
 * checkers.
 * Never: lets two watchers disagree about a revision; that is thrown at once.
 */
import type { Answer, KvOp, SimChange } from "./model.ts";
import { sameChanges, show } from "./model.ts";

/** Thrown by every check of the simulation; says what was promised and what happened. */
export class Violation extends Error {}

export type Outcome =
  | { readonly kind: "pending" }
  | { readonly kind: "ok"; readonly answer: Answer }
  /** Refused for certain: it never took effect. */
  | { readonly kind: "refused"; readonly reason: string }
  /** Took effect, or not, or will. */
  | { readonly kind: "unknown"; readonly reason: string };

/** In whose name a client asks, while auth is enabled. */
export type User = "root" | "guest";

export interface OpRecord {
  readonly id: number;
  readonly client: number;
  readonly machine: string;
  readonly user: User;
  /** What the client believed, told with the request. */
  authRevision: number;
  readonly op: KvOp;
  /** World milliseconds. */
  readonly invoked: number;
  completed: number;
  outcome: Outcome;
}

export interface RevisionRecord {
  readonly changes: readonly SimChange[];
  /** World milliseconds at which the first watcher heard of it. */
  readonly firstHeard: number;
}

export class History {
  readonly ops: OpRecord[] = [];
  readonly #revisions: (RevisionRecord | undefined)[] = [];
  #contiguous = 1;
  readonly #compactions = new Set<number>();
  /** Largest revision that anyone may have compacted to. */
  compactAsked = 0;

  /** Every revision up to this one was heard of. */
  get contiguous(): number {
    return this.#contiguous;
  }

  get last(): number {
    return Math.max(1, this.#revisions.length - 1);
  }

  revision(revision: number): RevisionRecord | undefined {
    return this.#revisions[revision];
  }

  /** A client asks for a compaction. */
  askCompaction(revision: number): void {
    this.#compactions.add(revision);
    this.allowCompaction(revision);
  }

  /** A member may compact to here by itself. */
  allowCompaction(revision: number): void {
    this.compactAsked = Math.max(this.compactAsked, revision);
  }

  wasAskedToCompact(revision: number): boolean {
    return this.#compactions.has(revision);
  }

  begin(
    parts: { client: number; machine: string; user: User; op: KvOp; now: number },
  ): OpRecord {
    const record: OpRecord = {
      id: this.ops.length,
      client: parts.client,
      machine: parts.machine,
      user: parts.user,
      authRevision: 0,
      op: parts.op,
      invoked: parts.now,
      completed: Number.POSITIVE_INFINITY,
      outcome: { kind: "pending" },
    };
    this.ops.push(record);
    return record;
  }

  /** A watcher of every key heard of all changes of one revision. */
  heard(revision: number, changes: readonly SimChange[], now: number, who: string): void {
    const known = this.#revisions[revision];
    if (known === undefined) {
      this.#revisions[revision] = { changes, firstHeard: now };
      while (this.#revisions[this.#contiguous + 1] !== undefined) this.#contiguous++;
    } else if (!sameChanges(known.changes, changes)) {
      throw new Violation(
        `members disagree about revision ${revision}: ${who} says ${show(changes)}, ` +
          `before it was ${show(known.changes)}`,
      );
    }
  }
}
