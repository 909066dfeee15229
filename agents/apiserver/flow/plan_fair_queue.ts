/**
 * One priority level: seats, and fair queues for whoever finds none.
 * In: requests as they arrive and finish, with their flow's hand of queues and seats. Out: who runs
 * now, who waits, who is turned away, whose turn it is next.
 * Never: knows time beyond the durations it is told; runs or ends a request itself.
 * Source: start-time fair queuing (Goyal, Vin, Cheng 1996); shuffle sharding and the wording of
 * rejections as in apiserver's fairqueuing/queueset (v1.36).
 */

/** How a level's requests wait; null = they are turned away. */
export interface QueueShape {
  readonly queues: number;
  readonly handSize: number;
  /** Requests that may wait in one queue. */
  readonly queueLengthLimit: number;
}

/** A request that waits, or that ran out of a queue. */
export interface Waiting<T> {
  readonly item: T;
  readonly seats: number;
  readonly queue: number;
}

export type Arrival<T> =
  | { readonly kind: "run" }
  | { readonly kind: "wait"; readonly waiting: Waiting<T> }
  | { readonly kind: "refuse"; readonly reason: "queue-full" | "concurrency-limit" };

interface Queue<T> {
  waiting: Waiting<T>[];
  seatsWaiting: number;
  seatsRunning: number;
  /** Virtual time at which its next request starts. */
  start: number;
}

/** Milliseconds that a request is taken to last, until it has. */
const GUESSED_MILLIS = 3;
const RUN = { kind: "run" } as const;

export class FairLevel<T> {
  readonly shape: QueueShape | null;
  readonly #queues: Queue<T>[] = [];
  /** Seats at the moment; may move while requests run. */
  limit: number;
  runningSeats = 0;
  runningRequests = 0;
  waitingSeats = 0;
  waitingRequests = 0;
  #virtualNow = 0;
  /** Where the search for equals begins, so that none of them is always first. */
  #lastQueue = 0;

  constructor(shape: QueueShape | null, limit: number) {
    this.shape = shape;
    this.limit = limit;
    for (let i = 0; i < (shape?.queues ?? 0); i++) {
      this.#queues.push({ waiting: [], seatsWaiting: 0, seatsRunning: 0, start: 0 });
    }
  }

  /** Takes seats that are free while nobody waits. @returns false when there are none */
  tryRun(seats: number): boolean {
    if (this.waitingRequests > 0 || !this.#fits(seats)) return false;
    this.runningSeats += seats;
    this.runningRequests++;
    return true;
  }

  /** @param hand the queues that the request's flow may wait in */
  arrive(item: T, seats: number, hand: ArrayLike<number>): Arrival<T> {
    if (this.tryRun(seats)) return RUN;
    if (this.shape === null) return { kind: "refuse", reason: "concurrency-limit" };
    const index = this.#shortest(hand);
    const queue = this.#queues[index];
    if (queue.waiting.length >= this.shape.queueLengthLimit) {
      return { kind: "refuse", reason: "queue-full" };
    }
    if (queue.waiting.length === 0 && queue.seatsRunning === 0) {
      queue.start = Math.max(queue.start, this.#virtualNow);
    }
    const waiting = { item, seats, queue: index };
    queue.waiting.push(waiting);
    queue.seatsWaiting += seats;
    this.waitingSeats += seats;
    this.waitingRequests++;
    return { kind: "wait", waiting };
  }

  /** @returns the request whose turn it is, which now runs; null when none can */
  next(): Waiting<T> | null {
    if (this.waitingRequests === 0) return null;
    const index = this.#nextQueue();
    const queue = this.#queues[index];
    const [waiting] = queue.waiting;
    // A wide request waits for room, and others wait behind it: else it would wait for ever.
    if (!this.#fits(waiting.seats)) return null;
    this.#remove(waiting);
    this.#lastQueue = index;
    this.#virtualNow = Math.max(this.#virtualNow, queue.start);
    queue.start += waiting.seats * GUESSED_MILLIS;
    queue.seatsRunning += waiting.seats;
    this.runningSeats += waiting.seats;
    this.runningRequests++;
    return waiting;
  }

  /** A request that ran at once is over. */
  finish(seats: number): void {
    this.runningSeats -= seats;
    this.runningRequests--;
  }

  /** A request that had waited is over; its flow pays for what it took. */
  finishWaited({ seats, queue: index }: Waiting<T>, millis: number): void {
    this.finish(seats);
    const queue = this.#queues[index];
    queue.seatsRunning -= seats;
    // A clock of whole milliseconds sees nothing of most requests; they are not free for that.
    queue.start += (Math.max(1, millis) - GUESSED_MILLIS) * seats;
  }

  /** @returns false when the request waits no more */
  giveUp(waiting: Waiting<T>): boolean {
    if (!this.#queues[waiting.queue].waiting.includes(waiting)) return false;
    this.#remove(waiting);
    return true;
  }

  /** One that is wider than the whole level runs alone. */
  #fits(seats: number): boolean {
    return this.runningSeats + seats <= this.limit ||
      (seats > this.limit && this.runningRequests === 0 && this.limit > 0);
  }

  /** The queue that has got least, of those where somebody waits. */
  #nextQueue(): number {
    const { length } = this.#queues;
    let best = -1;
    for (let step = 1; step <= length; step++) {
      const i = (this.#lastQueue + step) % length;
      const queue = this.#queues[i];
      if (queue.waiting.length === 0) continue;
      if (best < 0 || queue.start < this.#queues[best].start) best = i;
    }
    return best;
  }

  #shortest(hand: ArrayLike<number>): number {
    let best = hand[0];
    for (let i = 1; i < hand.length; i++) {
      if (this.#load(hand[i]) < this.#load(best)) best = hand[i];
    }
    return best;
  }

  #load(index: number): number {
    const { seatsWaiting, seatsRunning } = this.#queues[index];
    return seatsWaiting + seatsRunning;
  }

  #remove(waiting: Waiting<T>): void {
    const queue = this.#queues[waiting.queue];
    queue.waiting.splice(queue.waiting.indexOf(waiting), 1);
    queue.seatsWaiting -= waiting.seats;
    this.waitingSeats -= waiting.seats;
    this.waitingRequests--;
  }
}

/**
 * The queues of a flow: as many as the hand holds, all different, always the same for one name.
 * @returns Int32Array[handSize] of queue numbers
 */
export function dealHand(flow: string, { queues, handSize }: QueueShape): Int32Array {
  const hand = new Int32Array(handSize);
  let state = hashText(flow);
  for (let i = 0; i < handSize; i++) {
    state = mix(state + 0x9e3779b9);
    let card = state % (queues - i);
    // Cards dealt before are skipped: the n-th of those that are left.
    const dealt = hand.slice(0, i).sort();
    for (const taken of dealt) if (card >= taken) card++;
    hand[i] = card;
  }
  return hand;
}

/** FNV-1a. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}

/** Spreads each bit over all others (the finalizer of MurmurHash3). */
function mix(value: number): number {
  let bits = value >>> 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
