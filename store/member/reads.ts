/**
 * Linearizable reads: many share one round that confirms the leader.
 * In: callbacks that want to read, read states, the applied index. Out: each callback once.
 * Never: asks the disk.
 * Source: Ongaro's thesis section 6.4 (read-only queries).
 */
import type { ReadState } from "../raft/types.ts";
import type { StoreFailure } from "../mvcc/types.ts";

/** Called with null when reading is safe, or with why it can't be. */
export type ReadDone = (failure: StoreFailure | null) => void;

interface PendingRead {
  readonly done: ReadDone;
  readonly deadline: number;
}

interface Round {
  readonly requestId: bigint;
  readonly reads: PendingRead[];
  /** When the question is repeated; a change of leader loses it. */
  retryAt: number;
}

export class Reads {
  readonly #retryMillis: number;
  #nextId: bigint;
  #queued: PendingRead[] = [];
  #round: Round | null = null;
  /** Confirmed, waiting until the member has applied that far. */
  #confirmed: { index: number; reads: PendingRead[] }[] = [];

  /**
   * @param firstId a number no other member uses for its rounds
   * @param retryMillis after which an unanswered round is asked again
   */
  constructor(firstId: bigint, retryMillis: number) {
    this.#nextId = firstId;
    this.#retryMillis = retryMillis;
  }

  add(done: ReadDone, deadline: number): void {
    this.#queued.push({ done, deadline });
  }

  /** @returns the id of a round to ask Raft for now, or null when there is none */
  nextRound(now: number): bigint | null {
    if (this.#round !== null) {
      if (now < this.#round.retryAt) return null;
      this.#round.retryAt = now + this.#retryMillis;
      return this.#round.requestId;
    }
    if (this.#queued.length === 0) return null;
    const requestId = this.#nextId++;
    this.#round = { requestId, reads: this.#queued, retryAt: now + this.#retryMillis };
    this.#queued = [];
    return requestId;
  }

  confirm(state: ReadState): void {
    if (this.#round?.requestId !== state.requestId) return;
    this.#confirmed.push({ index: state.index, reads: this.#round.reads });
    this.#round = null;
  }

  /** Answers every read that is confirmed up to `applied`. */
  answer(applied: number): void {
    while (this.#confirmed.length > 0 && this.#confirmed[0].index <= applied) {
      for (const read of this.#confirmed.shift()?.reads ?? []) read.done(null);
    }
  }

  /** Fails reads past their deadline. */
  expire(now: number, failure: StoreFailure): void {
    const late: PendingRead[] = [];
    const keep = (reads: readonly PendingRead[]): PendingRead[] =>
      reads.filter((read) => {
        if (read.deadline <= now) late.push(read);
        return read.deadline > now;
      });
    this.#queued = keep(this.#queued);
    if (this.#round !== null) {
      const reads = keep(this.#round.reads);
      this.#round = reads.length === 0 ? null : { ...this.#round, reads };
    }
    this.#confirmed = this.#confirmed
      .map(({ index, reads }) => ({ index, reads: keep(reads) }))
      .filter(({ reads }) => reads.length > 0);
    for (const read of late) read.done(failure);
  }

  failAll(failure: StoreFailure): void {
    this.expire(Number.POSITIVE_INFINITY, failure);
  }
}
