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
  reads: PendingRead[];
  /** When the question is repeated; a change of leader loses it. */
  retryAt: number;
  /** What has to be applied before an answer; 0 until the leader confirms. */
  index: number;
}

export class Reads {
  readonly #retryMillis: number;
  #nextId: bigint;
  #queued: PendingRead[] = [];
  #round: Round | null = null;
  /** Confirmed, waiting until the member has applied that far. */
  readonly #confirmed: Round[] = [];

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
    this.#round = { requestId, reads: this.#queued, retryAt: now + this.#retryMillis, index: 0 };
    this.#queued = [];
    return requestId;
  }

  confirm(state: ReadState): void {
    const round = this.#round;
    if (round?.requestId !== state.requestId) return;
    round.index = state.index;
    this.#confirmed.push(round);
    this.#round = null;
  }

  /** Answers every read that is confirmed up to `applied`. */
  answer(applied: number): void {
    const confirmed = this.#confirmed;
    let count = 0;
    while (count < confirmed.length && confirmed[count].index <= applied) count++;
    if (count === 0) return;
    for (const { reads } of confirmed.splice(0, count)) {
      for (const read of reads) read.done(null);
    }
  }

  /** Fails reads past their deadline. */
  expire(now: number, failure: StoreFailure): void {
    const late: PendingRead[] = [];
    this.#queued = withoutLate(this.#queued, now, late);
    const round = this.#round;
    if (round !== null) {
      round.reads = withoutLate(round.reads, now, late);
      if (round.reads.length === 0) this.#round = null;
    }
    for (const round of this.#confirmed) round.reads = withoutLate(round.reads, now, late);
    for (const read of late) read.done(failure);
  }

  failAll(failure: StoreFailure): void {
    this.expire(Number.POSITIVE_INFINITY, failure);
  }
}

/**
 * Most often nothing is late. Then the array stays the one it is: arrays made anew on every tick
 * had the compiler give up on each function that saw them, again and again.
 */
function withoutLate(reads: PendingRead[], now: number, late: PendingRead[]): PendingRead[] {
  if (reads.every(({ deadline }) => deadline > now)) return reads;
  return reads.filter((read) => {
    if (read.deadline <= now) late.push(read);
    return read.deadline > now;
  });
}
