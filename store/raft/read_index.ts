/**
 * Linearizable reads without a log entry: which commit index a read may be served at, and when.
 * In: requests, the rounds of heartbeats that a quorum answered. Out: requests to answer.
 * Never: sends; reads a clock (ticks are arguments).
 * A heartbeat's round is `tick * 65536 + n`, so that an answered round also tells when the leader
 * sent it: the start of its lease.
 * Source: Ongaro's thesis, sections 6.4 and 6.4.1.
 */
import type { RaftConfig } from "./types.ts";

const roundsPerTick = 65_536;

export interface ReadRequest {
  /** Who asked: this member, or a follower that forwarded the request. */
  readonly from: bigint;
  readonly requestId: bigint;
  /** The commit index when the leader took the request; 0 while it can't tell. */
  index: number;
  /** The first heartbeat round begun after the request; 0 while none. */
  round: number;
}

export class ReadIndexQueue {
  /** Waiting for this leader's first commit of its own term, before which it may lag behind. */
  #waiting: ReadRequest[] = [];
  /** With an index, oldest first; those without a round yet are at the end. */
  #confirming: ReadRequest[] = [];
  #round = 0;

  /** Forgets everything: who asked will ask the next leader. */
  clear(): void {
    this.#waiting = [];
    this.#confirming = [];
    // Rounds keep growing, so that an answer to an older leadership never confirms a new read.
  }

  hold(from: bigint, requestId: bigint): void {
    this.#waiting.push({ from, requestId, index: 0, round: 0 });
  }

  /** @returns the requests that waited for the first commit; they are the caller's now. */
  takeWaiting(): readonly ReadRequest[] {
    const waiting = this.#waiting;
    if (waiting.length > 0) this.#waiting = [];
    return waiting;
  }

  confirm(request: ReadRequest): void {
    this.#confirming.push(request);
  }

  /** Whether some read needs a heartbeat round of its own. */
  get needsRound(): boolean {
    const length = this.#confirming.length;
    return length > 0 && this.#confirming[length - 1].round === 0;
  }

  /** The newest round begun. */
  get round(): number {
    return this.#round;
  }

  /** Begins the heartbeat round that confirms every read taken so far. @returns its number. */
  beginRound(tick: number): number {
    this.#round = Math.max(this.#round + 1, tick * roundsPerTick);
    for (let i = this.#confirming.length - 1; i >= 0 && this.#confirming[i].round === 0; i--) {
      this.#confirming[i].round = this.#round;
    }
    return this.#round;
  }

  /** @returns the reads that `round`, answered by a quorum, confirms; oldest first. */
  takeConfirmed(round: number): readonly ReadRequest[] {
    let count = 0;
    while (count < this.#confirming.length) {
      const asked = this.#confirming[count].round;
      if (asked === 0 || asked > round) break;
      count++;
    }
    return count === 0 ? [] : this.#confirming.splice(0, count);
  }
}

/**
 * Whether no other leader can exist yet: a quorum heard this one so recently that, with
 * `checkQuorum`, it still refuses votes. A tick of phase and a tenth for drifting clocks are
 * kept in reserve.
 * @param round newest heartbeat round that a quorum answered
 * @param tick the leader's own tick counter now
 */
export function leaseHolds(round: number, tick: number, config: RaftConfig): boolean {
  const leaseTicks = config.electionTicks - 1 - Math.floor(config.electionTicks / 10);
  return round > 0 && tick - Math.floor(round / roundsPerTick) < leaseTicks;
}
