/**
 * One running watch: what it selects, what waits for it, and the stream its reader pulls.
 * In: changes from the resource's cache. Out: batches of events, in order, none empty.
 * Never: blocks the cache; a reader that falls too far behind is ended, and lists again.
 */
import type { KubeObject, WatchEvent } from "../../api/meta.ts";
import type { WatchStream } from "../../api/call.ts";
import type { ApiError } from "../../api/status.ts";
import { unreadable } from "../registry.ts";
import { TimeSlice } from "../time_slice.ts";
import type { StateReader } from "./state_reader.ts";
import { type Change, ObjectEvent } from "./stored_object.ts";

/** What a list or watch selects. */
export interface Selection {
  /** Key prefix: the whole resource, or one namespace of it. */
  readonly keyPrefix: string;
  /** Absent = everything under the prefix. */
  readonly matches?: (object: KubeObject) => boolean;
  /** Value that the cache's index must have, when the selectors fix it. */
  readonly indexValue?: string;
}

export interface WatcherOptions {
  readonly selection: Selection;
  readonly wantsBookmarks: boolean;
  /** Most events that may wait for the reader. */
  readonly capacity: number;
  readonly onClose: (watcher: Watcher) => void;
}

type Waiter = (result: IteratorResult<readonly WatchEvent[]>) => void;

/** Objects of the first state that travel together. */
const FIRST_BATCH = 100;

const DONE: IteratorResult<readonly WatchEvent[]> = { done: true, value: undefined };

export class Watcher implements WatchStream, AsyncIterator<readonly WatchEvent[]> {
  #pending: WatchEvent[] = [];
  #waiter: Waiter | null = null;
  #isClosed = false;
  #onClosed: (() => void) | null = null;
  /** What was pending when the watch began: its reader had no chance to take that yet. */
  #allowance = Infinity;
  /** The state to tell before anything else; null once it is told. */
  #first: { readonly state: StateReader; readonly slice: TimeSlice } | null = null;
  readonly #options: WatcherOptions;

  constructor(options: WatcherOptions) {
    this.#options = options;
  }

  get selection(): Selection {
    return this.#options.selection;
  }

  get wantsBookmarks(): boolean {
    return this.#options.wantsBookmarks;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Translates a change into this watch's view: objects enter and leave its selection. */
  offer(change: Change): void {
    const { event, previous } = change;
    const { keyPrefix, matches } = this.#options.selection;
    if (!event.stored.key.startsWith(keyPrefix)) return;
    if (matches === undefined) {
      this.push(event);
      return;
    }
    const isIn = event.type !== "DELETED" && matches(event.object);
    const wasIn = previous !== null && matches(previous.object);
    if (isIn) {
      const type = wasIn ? "MODIFIED" : "ADDED";
      this.push(event.type === type ? event : new ObjectEvent(type, event.stored));
    } else if (wasIn) {
      // The last state that was selected, at the revision that ended it.
      const gone = event.type === "DELETED"
        ? event
        : new ObjectEvent("DELETED", previous.deletedAt(change.revision));
      this.push(gone);
    }
  }

  push(event: WatchEvent): void {
    if (this.#isClosed) return;
    this.#pending.push(event);
    if (this.#waiter !== null) this.#hand();
    else if (this.#pending.length > this.#options.capacity + this.#allowance) this.#fallBehind();
  }

  /** Tells this state first, batch by batch as the reader takes them. */
  readFirst(state: StateReader): void {
    this.#first = state.left > 0 ? { state, slice: new TimeSlice() } : null;
  }

  /** Ends the initial events; from here on a reader can fall behind. */
  begin(): void {
    this.#allowance = this.#pending.length + (this.#first?.state.left ?? 0);
  }

  /** Calls back once, when the watch ends. */
  onClosed(callback: () => void): void {
    if (this.#isClosed) callback();
    else this.#onClosed = callback;
  }

  next(): Promise<IteratorResult<readonly WatchEvent[]>> {
    if (this.#first !== null) return this.#nextOfFirst(this.#first.state, this.#first.slice);
    if (this.#pending.length > 0) {
      const value = this.#pending;
      this.#pending = [];
      this.#allowance = 0;
      return Promise.resolve({ done: false, value });
    }
    if (this.#isClosed) return Promise.resolve(DONE);
    return new Promise((resolve) => this.#waiter = resolve);
  }

  /** The next objects of the first state that are selected; then what has happened since. */
  async #nextOfFirst(
    state: StateReader,
    slice: TimeSlice,
  ): Promise<IteratorResult<readonly WatchEvent[]>> {
    const { matches } = this.#options.selection;
    const value: WatchEvent[] = [];
    while (state.left > 0 && value.length < FIRST_BATCH) {
      for (const stored of state.take(FIRST_BATCH)) {
        if (stored.isUnreadable) return this.#refuse(unreadable(stored));
        if (matches === undefined || matches(stored.object)) {
          value.push(new ObjectEvent("ADDED", stored));
        }
      }
      if (slice.isOver) await slice.next();
    }
    if (state.left === 0) this.#first = null;
    return value.length > 0 ? { done: false, value } : this.next();
  }

  /** The state can't be told: says why, and ends. */
  #refuse({ status }: ApiError): IteratorResult<readonly WatchEvent[]> {
    this.close();
    return { done: false, value: [{ type: "ERROR", object: status as unknown as KubeObject }] };
  }

  return(): Promise<IteratorResult<readonly WatchEvent[]>> {
    this.close();
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Ends the stream after what is pending was read. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#options.onClose(this);
    if (this.#first !== null) {
      // What follows the state means nothing without all of it.
      this.#pending = [];
      this.#first.state.close();
      this.#first = null;
    }
    this.#onClosed?.();
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter?.(DONE);
  }

  #hand(): void {
    const waiter = this.#waiter!;
    this.#waiter = null;
    // One turn later, so that all events of one store batch travel together.
    queueMicrotask(() => {
      if (this.#pending.length === 0) {
        waiter(DONE);
        return;
      }
      const value = this.#pending;
      this.#pending = [];
      waiter({ done: false, value });
    });
  }

  #fallBehind(): void {
    this.#pending = [];
    this.close();
  }
}
