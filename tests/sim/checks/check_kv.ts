/**
 * Linearizability by revisions: the store says in which order it did everything, so that order is
 * replayed and compared, answer by answer, and with the order in which clients saw things happen.
 * In: the history of a run whose every revision is known. Out: nothing, or the broken promise.
 * Never: searches; the order is given. `check_linear.ts` searches without believing it.
 * Source: the etcd API guarantees (linearizable requests, revisions in the order of effect).
 */
import { type History, type OpRecord, Violation } from "./history.ts";
import type { LeaseBook } from "./check_lease.ts";
import {
  type Answer,
  type KvOp,
  Model,
  sameAnswer,
  sameChanges,
  show,
  type SimChange,
} from "./model.ts";

/** Replays a whole run. Errors: throws a Violation. */
export function checkKv(history: History, leases: LeaseBook): void {
  if (history.contiguous !== history.last) {
    throw new Violation(`nobody heard of revision ${history.contiguous + 1}`);
  }
  new Replay(history, leases).run();
}

class Replay {
  readonly #history: History;
  readonly #leases: LeaseBook;
  readonly #model = new Model();
  /** Acknowledged operations that changed something, by revision. */
  readonly #writes = new Map<number, OpRecord>();
  /** Acknowledged operations that changed nothing, by the revision they saw. */
  readonly #reads = new Map<number, OpRecord[]>();
  /** Reads of old revisions, by the revision they asked for. */
  readonly #oldReads = new Map<number, OpRecord[]>();
  readonly #byValue = new Map<number, OpRecord>();
  readonly #unknownDeletes: OpRecord[] = [];
  readonly #placed = new Set<OpRecord>();
  /** Every operation with its place, for the order of real time. */
  readonly #order: { readonly record: OpRecord; readonly place: number }[] = [];

  constructor(history: History, leases: LeaseBook) {
    this.#history = history;
    this.#leases = leases;
    for (const record of history.ops) this.#sort(record);
  }

  run(): void {
    this.#readsAt(1);
    for (let revision = 2; revision <= this.#history.last; revision++) {
      this.#step(revision);
      this.#readsAt(revision);
    }
    for (const [revision, record] of this.#writes) {
      if (!this.#placed.has(record)) {
        throw broken(record, `was acknowledged at ${revision}, which the store never reached`);
      }
    }
    this.#checkRealTime();
  }

  #sort(record: OpRecord): void {
    const { op, outcome } = record;
    for (const put of putsOf(op)) this.#byValue.set(put, record);
    if (outcome.kind === "refused") return;
    if (outcome.kind !== "ok") {
      if (deletes(op)) this.#unknownDeletes.push(record);
      return;
    }
    const { answer } = outcome;
    if (changes(op, answer)) {
      const other = this.#writes.get(answer.revision);
      if (other !== undefined) {
        throw broken(record, `shares revision ${answer.revision} with ${show(other.op)}`);
      }
      this.#writes.set(answer.revision, record);
      return;
    }
    const old = op.kind === "get" && op.revision > 0;
    if (old) push(this.#oldReads, op.revision, record);
    else push(this.#reads, answer.revision, record);
    if (old && !op.serializable) this.#order.push({ record, place: 2 * answer.revision + 1 });
    if (answer.revision > this.#history.last) {
      throw broken(
        record,
        `saw revision ${answer.revision}, the store ended at ${this.#history.last}`,
      );
    }
  }

  /** Finds who made a revision, and whether it did what was asked. */
  #step(revision: number): void {
    const record = this.#history.revision(revision)!;
    const author = this.#authorOf(revision, record.changes);
    if (author !== null) {
      if (this.#placed.has(author)) throw broken(author, `took effect twice, again at ${revision}`);
      this.#placed.add(author);
      const expected = this.#model.evaluate(author.op);
      if (!sameChanges(expected.changes, record.changes)) {
        throw broken(
          author,
          `changed ${show(record.changes)} at ${revision}, should ${show(expected.changes)}`,
        );
      }
      const { outcome } = author;
      if (outcome.kind === "ok" && !sameAnswer(outcome.answer, expected.answer)) {
        throw broken(author, `was answered wrongly, should ${show(expected.answer)}`);
      }
      this.#order.push({ record: author, place: 2 * revision });
    }
    this.#model.advance(revision, withPrevious(this.#model, record.changes));
  }

  #authorOf(revision: number, changed: readonly SimChange[]): OpRecord | null {
    const acknowledged = this.#writes.get(revision);
    if (acknowledged !== undefined) return acknowledged;
    const put = changed.find(({ type }) => type === "put");
    if (put !== undefined) {
      const author = this.#byValue.get(put.item.value);
      if (author === undefined) {
        throw new Violation(`revision ${revision} holds ${show(put.item)}, which nobody wrote`);
      }
      const { outcome } = author;
      if (outcome.kind === "refused") {
        throw broken(author, `took effect at ${revision} although it was refused`);
      }
      if (outcome.kind === "ok") {
        throw broken(author, `took effect at ${revision}, not where it was acknowledged`);
      }
      return author;
    }
    if (this.#leases.explains(changed, this.#model)) return null;
    const matching = this.#unknownDeletes.find((candidate) =>
      !this.#placed.has(candidate) &&
      sameChanges(this.#model.evaluate(candidate.op).changes, changed)
    );
    if (matching !== undefined) return matching;
    throw new Violation(`nobody asked for revision ${revision}: ${show(changed)}`);
  }

  #readsAt(revision: number): void {
    for (const record of this.#oldReads.get(revision) ?? []) {
      const answer = answerOf(record);
      const expected = this.#model.evaluate({ ...record.op, revision: 0 } as KvOp).answer;
      if (!sameAnswer({ ...answer, revision }, expected)) {
        throw broken(record, `of an old revision should be ${show(expected)}`);
      }
    }
    for (const record of this.#reads.get(revision) ?? []) {
      const expected = this.#model.evaluate(record.op);
      if (!sameAnswer(answerOf(record), expected.answer)) {
        throw broken(record, `at revision ${revision} should be ${show(expected.answer)}`);
      }
      const stale = record.op.kind === "get" && record.op.serializable;
      if (!stale) this.#order.push({ record, place: 2 * revision + 1 });
    }
  }

  /** Nothing that began after another's end may come before it. */
  #checkRealTime(): void {
    const order = this.#order.sort((a, b) => b.place - a.place);
    let earliest: OpRecord | null = null;
    for (let at = 0; at < order.length;) {
      let end = at;
      while (end < order.length && order[end].place === order[at].place) end++;
      for (let i = at; i < end; i++) {
        const { record } = order[i];
        if (earliest !== null && earliest.completed < record.invoked) {
          throw broken(record, `began after the end of, and comes before, ${show(earliest)}`);
        }
      }
      for (let i = at; i < end; i++) {
        const { record } = order[i];
        const ends = record.outcome.kind === "ok" ? record.completed : Number.POSITIVE_INFINITY;
        if (earliest === null || ends < earliest.completed) {
          earliest = { ...record, completed: ends };
        }
      }
      at = end;
    }
  }
}

function withPrevious(model: Model, changed: readonly SimChange[]): readonly SimChange[] {
  // Watchers with prevKv are compared with this, so it is filled in where the truth is known.
  for (const change of changed) {
    (change as { prev: SimChange["prev"] }).prev = model.items.get(change.item.key) ?? null;
  }
  return changed;
}

function answerOf(record: OpRecord): Answer {
  if (record.outcome.kind !== "ok") throw new Error("no answer");
  return record.outcome.answer;
}

function changes(op: KvOp, answer: Answer): boolean {
  switch (answer.kind) {
    case "put":
      return true;
    case "get":
      return false;
    case "delete":
      return answer.deleted > 0;
    case "txn":
      return answer.answers.some((inner) => changes(op, inner));
  }
}

function putsOf(op: KvOp): number[] {
  if (op.kind === "put") return [op.value];
  return op.kind === "txn" ? [...op.success, ...op.failure].flatMap(putsOf) : [];
}

function deletes(op: KvOp): boolean {
  if (op.kind === "delete") return true;
  return op.kind === "txn" && [...op.success, ...op.failure].some(deletes);
}

function push(map: Map<number, OpRecord[]>, key: number, record: OpRecord): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [record]);
  else list.push(record);
}

function broken(record: OpRecord, what: string): Violation {
  return new Violation(`operation ${show(record)} ${what}`);
}
