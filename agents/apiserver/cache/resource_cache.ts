/**
 * The current objects of one resource, its recent changes, and its watchers.
 * In: puts and deletions from the feed, in revision order. Out: objects by key, lists in key order,
 * watches from now or from a revision.
 * Never: talks to the store, waits, or copies an object.
 */
import type { KubeObject, WatchEvent } from "../../api/meta.ts";
import { unreadable } from "../registry.ts";
import { ChangeRing } from "./change_ring.ts";
import { OrderedKeys } from "./ordered_keys.ts";
import { type Change, ObjectEvent, StoredObject } from "./stored_object.ts";
import { StateReader } from "./state_reader.ts";
import { type Selection, Watcher } from "./watcher.ts";

export interface ResourceCacheOptions {
  /** `/registry/pods/` */
  readonly prefix: string;
  /** Changes kept for watches that resume. */
  readonly ringCapacity: number;
  /** Events that may wait for one watcher. */
  readonly watcherCapacity: number;
  /** Revision of the first state. */
  readonly revision: number;
  /** A value of the spec alone to index objects by, such as a pod's spec.nodeName. */
  readonly indexOf?: (object: KubeObject) => string;
}

/** Where a watch begins; `state` answers the current objects first. */
export type WatchStart =
  | { readonly kind: "state" }
  | { readonly kind: "after"; readonly revision: number };

export type WatchOutcome =
  | { readonly kind: "started"; readonly watcher: Watcher }
  | { readonly kind: "tooOld"; readonly oldestRevision: number };

/** So many objects are looked at within a turn, even where each must be decoded. */
const LONG_SELECTION = 400;

export class ResourceCache {
  readonly prefix: string;
  readonly #objects = new Map<string, StoredObject>();
  readonly #keys = new OrderedKeys();
  readonly #ring: ChangeRing;
  readonly #watchers = new Set<Watcher>();
  /** Lists and watches that are still reading the state of a moment ago. */
  readonly #readers = new Set<StateReader>();
  readonly #indexedWatchers = new Map<string, Set<Watcher>>();
  readonly #index = new Map<string, Set<string>>();
  readonly #options: ResourceCacheOptions;
  #lastChange: number;

  constructor(options: ResourceCacheOptions) {
    this.prefix = options.prefix;
    this.#options = options;
    this.#ring = new ChangeRing(options.ringCapacity, options.revision);
    this.#lastChange = options.revision;
  }

  get size(): number {
    return this.#objects.size;
  }

  /** Revision of the newest change; the state has been the same ever since. */
  get lastChangeRevision(): number {
    return this.#lastChange;
  }

  get watcherCount(): number {
    let count = this.#watchers.size;
    for (const watchers of this.#indexedWatchers.values()) count += watchers.size;
    return count;
  }

  get(key: string): StoredObject | undefined {
    return this.#objects.get(key);
  }

  put(stored: StoredObject): void {
    const { key, revision } = stored;
    const previous = this.#objects.get(key) ?? null;
    this.#objects.set(key, stored);
    if (previous === null) this.#keys.add(key);
    else for (const reader of this.#readers) reader.keep(previous);
    this.#reindex(previous, stored);
    const event = new ObjectEvent(previous === null ? "ADDED" : "MODIFIED", stored);
    this.#publish({ revision, event, previous });
  }

  delete(key: string, revision: number): void {
    const previous = this.#objects.get(key);
    if (previous === undefined) return;
    this.#objects.delete(key);
    this.#keys.remove(key);
    for (const reader of this.#readers) reader.keep(previous);
    this.#reindex(previous, null);
    if (previous.isUnreadable) return this.#breakOff(revision);
    const event = new ObjectEvent("DELETED", previous.deletedAt(revision));
    this.#publish({ revision, event, previous });
  }

  /** Takes an object of the first state; tells nobody. */
  load(key: string, value: Uint8Array, revision: number): void {
    const stored = new StoredObject(key, value, revision);
    this.#objects.set(key, stored);
    this.#keys.add(key);
    this.#reindex(null, stored);
  }

  /** Keys now held, for a feed that compares after a gap. */
  keys(): IterableIterator<string> {
    return this.#objects.keys();
  }

  /**
   * The selected objects in key order.
   * @param page where to begin and how many to take; absent = all
   */
  select(selection: Selection, page?: { from: string; limit: number }): StoredObject[] {
    const { matches, indexValue, keyPrefix } = selection;
    const out: StoredObject[] = [];
    if (indexValue !== undefined && this.#options.indexOf !== undefined && page === undefined) {
      for (const key of [...(this.#index.get(indexValue) ?? [])].sort()) {
        const stored = this.#objects.get(key)!;
        if (key.startsWith(keyPrefix) && matches?.(stored.object) !== false) out.push(stored);
      }
      return out;
    }
    const limit = page?.limit ?? Infinity;
    this.#keys.visit(keyPrefix, page?.from ?? "", (key) => {
      const stored = this.#objects.get(key)!;
      if (matches === undefined || matches(stored.object)) out.push(stored);
      return out.length < limit;
    });
    return out;
  }

  /**
   * The selected objects in key order, for the server's own needs, without those that nobody can
   * read: what runs on a resource goes on with the others.
   */
  readable({ matches, ...selection }: Selection): KubeObject[] {
    return this.select(selection).flatMap((stored) =>
      stored.isUnreadable || matches?.(stored.object) === false ? [] : [stored.object]
    );
  }

  /** The state of this moment under a key prefix, to be read while the cache moves on. */
  read(keyPrefix: string): StateReader {
    const reader = new StateReader({
      ...this.#keys.range(keyPrefix),
      objects: this.#objects,
      onClose: (closed) => void this.#readers.delete(closed),
    });
    if (reader.left > 0) this.#readers.add(reader);
    return reader;
  }

  /** Whether a selection may take longer to make than one turn of the thread. */
  isLong(selection: Selection): boolean {
    return this.#objects.size > LONG_SELECTION &&
      (selection.indexValue === undefined || this.#options.indexOf === undefined);
  }

  /** How many objects of the prefix come at or after a key, whatever the selectors. */
  countFrom(keyPrefix: string, from: string): number {
    return this.#keys.countFrom(keyPrefix, from);
  }

  watch(
    start: WatchStart,
    options: {
      readonly selection: Selection;
      readonly wantsBookmarks: boolean;
      readonly initialEnd?: WatchEvent;
    },
  ): WatchOutcome {
    const { selection, initialEnd } = options;
    const watcher = new Watcher({
      selection,
      wantsBookmarks: options.wantsBookmarks,
      capacity: this.#options.watcherCapacity,
      onClose: (closed) => this.#forget(closed),
    });
    if (start.kind === "state" && this.isLong(selection)) {
      watcher.readFirst(this.read(selection.keyPrefix));
      if (initialEnd !== undefined) watcher.push(initialEnd);
    } else if (start.kind === "state") {
      for (const stored of this.select(selection)) {
        if (stored.isUnreadable) throw unreadable(stored);
        watcher.push(new ObjectEvent("ADDED", stored));
      }
      if (initialEnd !== undefined) watcher.push(initialEnd);
    } else {
      let isWhole = true;
      const isKept = this.#ring.replayAfter(start.revision, (change) => {
        if (isUntold(change)) isWhole = false;
        else watcher.offer(change);
      });
      if (!isKept) return { kind: "tooOld", oldestRevision: this.#ring.floor };
      if (!isWhole) return { kind: "tooOld", oldestRevision: this.#lastChange };
    }
    watcher.begin();
    this.#remember(watcher);
    return { kind: "started", watcher };
  }

  /** Sends a bookmark to every watcher that asked for them. */
  bookmark(event: WatchEvent): void {
    for (const watcher of this.#watchers) {
      if (watcher.wantsBookmarks) watcher.push(event);
    }
    for (const watchers of this.#indexedWatchers.values()) {
      for (const watcher of watchers) if (watcher.wantsBookmarks) watcher.push(event);
    }
  }

  closeWatchers(): void {
    for (const watcher of [...this.#watchers]) watcher.close();
    for (const watchers of [...this.#indexedWatchers.values()]) {
      for (const watcher of [...watchers]) watcher.close();
    }
  }

  /** A change that can't be told: watches end, and none resumes across it. */
  #breakOff(revision: number): void {
    this.#lastChange = revision;
    this.#ring.reset(revision);
    this.closeWatchers();
  }

  #publish(change: Change): void {
    // While nobody watches, what came past this server is not decoded: a start would read all.
    const isWatched = this.#watchers.size > 0 || this.#indexedWatchers.size > 0;
    if (isWatched && isUntold(change)) return this.#breakOff(change.revision);
    this.#lastChange = change.revision;
    this.#ring.push(change);
    for (const watcher of this.#watchers) watcher.offer(change);
    const { indexOf } = this.#options;
    if (indexOf === undefined || this.#indexedWatchers.size === 0) return;
    const now = indexOf(change.event.object);
    const before = change.previous === null ? now : indexOf(change.previous.object);
    this.#offerIndexed(now, change);
    if (before !== now) this.#offerIndexed(before, change);
  }

  #offerIndexed(value: string, change: Change): void {
    const watchers = this.#indexedWatchers.get(value);
    if (watchers === undefined) return;
    for (const watcher of watchers) watcher.offer(change);
  }

  #reindex(before: StoredObject | null, now: StoredObject | null): void {
    const { indexOf } = this.#options;
    if (indexOf === undefined || this.#isSameSpec(before, now)) return;
    const old = before === null || before.isUnreadable ? null : indexOf(before.object);
    const fresh = now === null || now.isUnreadable ? null : indexOf(now.object);
    if (old === fresh) return;
    if (old !== null) {
      const keys = this.#index.get(old)!;
      keys.delete(before!.key);
      if (keys.size === 0) this.#index.delete(old);
    }
    if (fresh !== null) {
      const keys = this.#index.get(fresh);
      if (keys === undefined) this.#index.set(fresh, new Set([now!.key]));
      else keys.add(now!.key);
    }
  }

  /** Whether the new version shares the spec of the one before, as all news of a status do. */
  #isSameSpec(before: StoredObject | null, now: StoredObject | null): boolean {
    return before !== null && now !== null && !before.isUnreadable && !now.isUnreadable &&
      before.object.spec !== undefined && before.object.spec === now.object.spec;
  }

  #remember(watcher: Watcher): void {
    const value = this.#indexValueOf(watcher);
    if (value === undefined) {
      this.#watchers.add(watcher);
      return;
    }
    const watchers = this.#indexedWatchers.get(value);
    if (watchers === undefined) this.#indexedWatchers.set(value, new Set([watcher]));
    else watchers.add(watcher);
  }

  #forget(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    const value = this.#indexValueOf(watcher);
    if (value === undefined) return;
    const watchers = this.#indexedWatchers.get(value);
    watchers?.delete(watcher);
    if (watchers?.size === 0) this.#indexedWatchers.delete(value);
  }

  #indexValueOf(watcher: Watcher): string | undefined {
    return this.#options.indexOf === undefined ? undefined : watcher.selection.indexValue;
  }
}

/** Whether a change is from or to what nobody can read. */
function isUntold({ event, previous }: Change): boolean {
  return event.stored.isUnreadable || previous?.isUnreadable === true;
}
