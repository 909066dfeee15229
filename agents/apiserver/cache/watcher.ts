/**
 * One running watch: what it selects, what waits for it, and the stream its reader pulls.
 * In: changes from the resource's cache. Out: batches of events, in order, none empty.
 * Never: blocks the cache; a reader that falls too far behind is ended, and lists again.
 */
import type { KubeObject, WatchEvent } from "../../api/meta.ts";
import type { WatchStream } from "../../api/call.ts";
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

const DONE: IteratorResult<readonly WatchEvent[]> = { done: true, value: undefined };

export class Watcher implements WatchStream, AsyncIterator<readonly WatchEvent[]> {
  #pending: WatchEvent[] = [];
  #waiter: Waiter | null = null;
  #isClosed = false;
  #onClosed: (() => void) | null = null;
  /** What was pending when the watch began: its reader had no chance to take that yet. */
  #allowance = Infinity;
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

  /** Ends the initial events; from here on a reader can fall behind. */
  begin(): void {
    this.#allowance = this.#pending.length;
  }

  /** Calls back once, when the watch ends. */
  onClosed(callback: () => void): void {
    if (this.#isClosed) callback();
    else this.#onClosed = callback;
  }

  next(): Promise<IteratorResult<readonly WatchEvent[]>> {
    if (this.#pending.length > 0) {
      const value = this.#pending;
      this.#pending = [];
      this.#allowance = 0;
      return Promise.resolve({ done: false, value });
    }
    if (this.#isClosed) return Promise.resolve(DONE);
    return new Promise((resolve) => this.#waiter = resolve);
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
