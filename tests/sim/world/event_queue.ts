/**
 * The one clock of a simulated world: events by virtual time, then by the order they were added.
 * In: callbacks with a moment. Out: their calls, each followed by every promise it settled.
 * Never: looks at the real time; lets two events run between whose promises others could slip.
 */

export interface SimEvent {
  readonly at: number;
  readonly order: number;
  /** Null once cancelled. */
  run: (() => void) | null;
}

/** Promise hops that are run out after each event; the longest chain of a member has about ten. */
const HOPS = 12;
const SETTLED = Promise.resolve();

export class EventQueue {
  readonly #heap: SimEvent[] = [];
  #now = 0;
  #order = 0;
  /** Events run so far. */
  count = 0;

  /** Virtual milliseconds since the world began. */
  get now(): number {
    return this.#now;
  }

  after(delayMillis: number, run: () => void): SimEvent {
    const event: SimEvent = { at: this.#now + delayMillis, order: this.#order++, run };
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!isBefore(event, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = event;
    return event;
  }

  /**
   * Runs everything due up to `end`, or until `stop` says so.
   * Errors: rejects with what an event throws.
   */
  async runUntil(end: number, stop: () => boolean = () => false): Promise<void> {
    while (this.#heap.length > 0 && this.#heap[0].at <= end) {
      const event = this.#pop();
      if (event.run === null) continue;
      this.#now = event.at;
      this.count++;
      event.run();
      for (let i = 0; i < HOPS; i++) await SETTLED;
      if (stop()) return;
    }
    this.#now = end;
  }

  #pop(): SimEvent {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++;
      if (!isBefore(heap[child], last)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: SimEvent, b: SimEvent): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
