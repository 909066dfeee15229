/**
 * The one clock of a simulated world: events by virtual time, then by the order they were added.
 * In: callbacks with a moment. Out: their calls, each followed by every promise it settled.
 * Never: looks at the real time; lets two events run between whose promises others could slip.
 */
import { setImmediate } from "node:timers";

export interface SimEvent {
  readonly at: number;
  readonly order: number;
  /** Null once cancelled. */
  run: (() => void) | null;
}

/** The part of the runtime that runs what promises left to do; Node's `process` is built on it. */
interface Runtime {
  readonly core: { runMicrotasks(): void };
}

/**
 * Runs the callbacks of all settled promises, and of those that they settle, to the end. To give
 * the thread back instead, often enough for the longest chain, cost a quarter of a whole run.
 */
const settlePromises: () => void = (() => {
  const { internal } = Deno as unknown as { readonly internal: symbol };
  const { core } = (Deno as unknown as Record<symbol, Runtime>)[internal];
  return () => core.runMicrotasks();
})();

/** Later events wait in slots of so many milliseconds; a power of two, so borders are exact. */
const SLOT_MILLIS = 64;

export class EventQueue {
  /** What is due before the current slot's end. */
  readonly #heap: SimEvent[] = [];
  /** All later events by slot, unordered: most are timeouts that nobody waits for in the end. */
  readonly #later = new Map<number, SimEvent[]>();
  #slot = 0;
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
    const slot = Math.floor(event.at / SLOT_MILLIS);
    if (slot <= this.#slot) this.#push(event);
    else {
      const events = this.#later.get(slot);
      if (events === undefined) this.#later.set(slot, [event]);
      else events.push(event);
    }
    return event;
  }

  /**
   * Runs everything due up to `end`, or until `stop` says so.
   * Errors: rejects with what an event throws.
   */
  runUntil(end: number, stop: () => boolean = () => false): Promise<void> {
    return new Promise((resolve, reject) => {
      // Promises can't be settled from within the callback of one.
      setImmediate(() => {
        try {
          this.#runUntil(end, stop);
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  #runUntil(end: number, stop: () => boolean): void {
    for (let event = this.#next(end); event !== null; event = this.#next(end)) {
      if (event.run === null) continue;
      this.#now = event.at;
      this.count++;
      event.run();
      settlePromises();
      if (stop()) return;
    }
    this.#now = end;
  }

  /** @returns what is due next up to `end`, or null; later slots join the heap in their turn */
  #next(end: number): SimEvent | null {
    for (;;) {
      const heap = this.#heap;
      if (heap.length > 0) return heap[0].at <= end ? this.#pop() : null;
      if (this.#later.size === 0 || (this.#slot + 1) * SLOT_MILLIS > end) return null;
      const events = this.#later.get(++this.#slot);
      if (events === undefined) continue;
      this.#later.delete(this.#slot);
      for (const event of events) if (event.run !== null) this.#push(event);
    }
  }

  #push(event: SimEvent): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!isBefore(event, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = event;
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
