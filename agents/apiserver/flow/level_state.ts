/**
 * One priority level as it runs: its seats, its numbers, and what it could have used lately.
 * In: the level's settings; requests as they come, wait and go. Out: counts for /metrics, demand
 * for the lending of seats. Never: decides who runs; `plan_fair_queue.ts` does.
 */
import type { PriorityLevelConfiguration } from "../../api/schema/generated/flowcontrol_v1.ts";
import { FairLevel, type QueueShape } from "./plan_fair_queue.ts";
import { type SeatBounds, type SeatDemand, smoothDemand } from "./plan_limits.ts";

/** Told when it may run. */
export type WaitingRun = (millisWaited: number) => void;

/** What is counted for each flow schema of a level. */
export interface SchemaCounts {
  readonly schema: string;
  dispatched: number;
  executingRequests: number;
  executingSeats: number;
  waitingRequests: number;
  waitingSeats: number;
  /** Sum of the waits of those that ran, and how many they were. */
  waitedMillis: number;
  waited: number;
  readonly refused: Record<RefusalReason, number>;
}

export type RefusalReason = "queue-full" | "concurrency-limit" | "time-out";

export class LevelState {
  readonly counts = new Map<string, SchemaCounts>();
  fair: FairLevel<WaitingRun>;
  bounds: SeatBounds;
  #shapeText: string;
  /** Seats that exempt requests hold; limited ones are counted by `fair`. */
  #exemptSeats = 0;
  #smoothed = 0;
  #highest = 0;
  #sum = 0;
  #squares = 0;
  #since: number;
  #last: number;

  constructor(level: PriorityLevelConfiguration, bounds: SeatBounds, nowMillis: number) {
    this.bounds = bounds;
    const shape = shapeOf(level);
    this.#shapeText = JSON.stringify(shape);
    this.fair = new FairLevel(shape, bounds.least);
    this.#since = this.#last = nowMillis;
  }

  get isExempt(): boolean {
    return this.bounds.isExempt;
  }

  /** New settings. Whoever waits in queues of another shape is served from those. */
  configure(level: PriorityLevelConfiguration, bounds: SeatBounds): void {
    this.bounds = bounds;
    const shape = shapeOf(level);
    const text = JSON.stringify(shape);
    if (text === this.#shapeText) return;
    this.#shapeText = text;
    this.fair = new FairLevel(shape, bounds.least);
  }

  countsOf(schema: string): SchemaCounts {
    let counts = this.counts.get(schema);
    if (counts === undefined) {
      counts = {
        schema,
        dispatched: 0,
        executingRequests: 0,
        executingSeats: 0,
        waitingRequests: 0,
        waitingSeats: 0,
        waitedMillis: 0,
        waited: 0,
        refused: { "queue-full": 0, "concurrency-limit": 0, "time-out": 0 },
      };
      this.counts.set(schema, counts);
    }
    return counts;
  }

  /** Of requests that wait for no seat. @param seats negative when one is over */
  holdExempt(seats: number): void {
    this.#exemptSeats += seats;
    // Of an exempt level nothing but the highest demand counts; that needs no clock.
    if (this.#exemptSeats > this.#highest) this.#highest = this.#exemptSeats;
  }

  /** To be called before what is running or waiting changes. */
  observe(nowMillis: number): void {
    const demand = this.#demand();
    const elapsed = nowMillis - this.#last;
    this.#last = nowMillis;
    if (demand > this.#highest) this.#highest = demand;
    if (elapsed <= 0) return;
    this.#sum += demand * elapsed;
    this.#squares += demand * demand * elapsed;
  }

  /** What was wanted since the last look, which ends with this one. */
  takeDemand(nowMillis: number): SeatDemand {
    this.observe(nowMillis);
    const elapsed = Math.max(1, nowMillis - this.#since);
    const average = this.#sum / elapsed;
    const deviation = Math.sqrt(Math.max(0, this.#squares / elapsed - average * average));
    const highest = this.#highest;
    this.#smoothed = smoothDemand(this.#smoothed, { highest, average, deviation });
    this.#since = nowMillis;
    this.#sum = this.#squares = 0;
    this.#highest = this.#demand();
    return { highest, smoothed: this.#smoothed };
  }

  #demand(): number {
    return this.#exemptSeats + this.fair.runningSeats + this.fair.waitingSeats;
  }
}

function shapeOf({ spec }: PriorityLevelConfiguration): QueueShape | null {
  const queuing = spec?.limited?.limitResponse?.queuing;
  if (queuing === undefined) return null;
  const { queues = 1, handSize = 1, queueLengthLimit = 1 } = queuing;
  return { queues, handSize, queueLengthLimit };
}
