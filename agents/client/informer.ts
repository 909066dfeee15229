/**
 * Keeps a local copy of one resource: a list, then a watch that is resumed for as long as it runs.
 * In: a Client, a resource, selectors, a clock. Out: a Lister and ordered batches of changes.
 * Never: writes, polls, or calls handlers before its store shows the whole batch.
 * Source: client-go's reflector (0.8 s..30 s backoff, 5..10 min watches, 410 means list again).
 */
import type { WatchStream } from "../api/call.ts";
import type { KubeObject, WatchEvent } from "../api/meta.ts";
import type { Resource } from "../api/resource.ts";
import { ApiError, serviceUnavailable, type Status } from "../api/status.ts";
import type { Client } from "./client.ts";
import { type Clock, sleep } from "./clock.ts";
import {
  compareResourceVersions,
  type IndexFunction,
  type Lister,
  objectKey,
  ObjectStore,
} from "./lister.ts";

export type Change<T extends KubeObject = KubeObject> =
  | { readonly type: "add"; readonly object: T; readonly old?: undefined }
  | { readonly type: "update"; readonly object: T; readonly old: T }
  /** `object` is the last state known; after a missed event it may not be the very last. */
  | { readonly type: "delete"; readonly object: T; readonly old?: undefined };

/** Gets changes in the order of the store; a batch is never empty. Must not throw. */
export type ChangeHandler<T extends KubeObject = KubeObject> = (
  changes: readonly Change<T>[],
) => void;

export interface InformerOptions<T extends KubeObject = KubeObject> {
  readonly client: Client;
  readonly resource: Resource;
  readonly clock: Clock;
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly indexes?: Readonly<Record<string, IndexFunction<T>>>;
  /** Get the first state through the watch; falls back to lists where refused. Default false. */
  readonly watchList?: boolean;
  /** Objects a list page holds at most; 0 = all at once, which is the default. */
  readonly pageSize?: number;
  /** Told of each failed list or watch; the informer goes on by itself. */
  readonly onFailure?: (error: ApiError) => void;
}

const FIRST_BACKOFF_MILLIS = 800;
const LONGEST_BACKOFF_MILLIS = 30_000;
/** A watch that ends sooner than this without an event counts as a failure. */
const SHORT_WATCH_MILLIS = 1_000;
const SHORTEST_WATCH_SECONDS = 300;
const INITIAL_EVENTS_END = "k8s.io/initial-events-end";

export class Informer<T extends KubeObject = KubeObject> {
  readonly resource: Resource;
  readonly #options: InformerOptions<T>;
  readonly #store: ObjectStore<T>;
  readonly #handlers = new Set<ChangeHandler<T>>();
  #resourceVersion = "";
  #synced = false;
  /** The copy is complete up to #resourceVersion, so a watch may resume there. */
  #complete = false;
  #stopped = false;
  #started = false;
  #watchList: boolean;
  #stream: WatchStream<T> | undefined;
  #failures = 0;
  #whenSynced = Promise.withResolvers<void>();

  constructor(options: InformerOptions<T>) {
    this.resource = options.resource;
    this.#options = options;
    this.#store = new ObjectStore(options.indexes);
    this.#watchList = options.watchList ?? false;
  }

  /** Reads of the local copy. */
  get lister(): Lister<T> {
    return this.#store;
  }

  /** The first full state has arrived and been handed to the handlers. */
  get hasSynced(): boolean {
    return this.#synced;
  }

  /** The version up to which the local copy is complete; "" before the first list. */
  get resourceVersion(): string {
    return this.#resourceVersion;
  }

  /** Resolves with `hasSynced`. */
  whenSynced(): Promise<void> {
    return this.#whenSynced.promise;
  }

  /** Whether the copy shows everything up to a version, such as that of one's own write. */
  hasReached(resourceVersion: string): boolean {
    return this.#resourceVersion !== "" &&
      compareResourceVersions(this.#resourceVersion, resourceVersion) >= 0;
  }

  addIndex(name: string, index: IndexFunction<T>): void {
    this.#store.addIndex(name, index);
  }

  /** Adds a handler; what the store holds already reaches it as adds. @returns removes it. */
  addHandler(handler: ChangeHandler<T>): () => void {
    this.#handlers.add(handler);
    const known = this.#store.list().map((object): Change<T> => ({ type: "add", object }));
    if (known.length > 0) handler(known);
    return () => void this.#handlers.delete(handler);
  }

  start(): void {
    if (this.#started) return;
    this.#started = true;
    void this.#run();
  }

  stop(): void {
    this.#stopped = true;
    this.#stream?.close();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        if (!this.#complete && !this.#watchList) await this.#list();
        if (!this.#stopped) await this.#watch(this.#complete);
        this.#failures = 0;
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (this.#stopped) return;
        this.#options.onFailure?.(error);
        if (isExpired(error)) this.#complete = false;
        if (this.#watchList && !this.#synced && isRefusal(error)) {
          this.#watchList = false;
          continue;
        }
        await this.#backOff();
      }
    }
  }

  async #backOff(): Promise<void> {
    const { clock } = this.#options;
    const delay = Math.min(FIRST_BACKOFF_MILLIS * 2 ** this.#failures, LONGEST_BACKOFF_MILLIS);
    this.#failures++;
    await sleep(clock, delay * (1 + clock.random()));
  }

  async #list(): Promise<void> {
    const { client, resource, pageSize = 0 } = this.#options;
    const items: T[][] = [];
    let next = "";
    let resourceVersion = "";
    do {
      const page = await client.list<T>(resource, {
        ...this.#selection(),
        ...(pageSize > 0 ? { limit: pageSize } : {}),
        ...(next === "" ? {} : { continue: next }),
      });
      items.push(page.items as T[]);
      next = page.metadata.continue ?? "";
      resourceVersion = page.metadata.resourceVersion ?? resourceVersion;
    } while (next !== "" && !this.#stopped);
    if (!this.#stopped) this.#replace(items.flat(), resourceVersion);
  }

  /** @param resume from where the copy stands; otherwise the watch brings the first state too. */
  async #watch(resume: boolean): Promise<void> {
    const { client, resource, clock } = this.#options;
    const startedMillis = clock.nowMillis();
    const stream = await client.watch<T>(resource, {
      ...this.#selection(),
      allowWatchBookmarks: true,
      timeoutSeconds: Math.floor(SHORTEST_WATCH_SECONDS * (1 + clock.random())),
      ...(resume
        ? { resourceVersion: this.#resourceVersion }
        : { sendInitialEvents: true, resourceVersionMatch: "NotOlderThan" }),
    });
    this.#stream = stream;
    if (this.#stopped) return stream.close();
    const initial: T[] | undefined = resume ? undefined : [];
    const gotAny = await this.#follow(stream, initial);
    this.#stream = undefined;
    if (this.#stopped) return;
    if (!this.#complete) throw endedEarly("before the initial events were complete");
    if (!gotAny && clock.nowMillis() - startedMillis < SHORT_WATCH_MILLIS) {
      throw endedEarly("at once, without an event");
    }
  }

  /** @returns whether anything came. */
  async #follow(stream: WatchStream<T>, initial: T[] | undefined): Promise<boolean> {
    let any = false;
    let pending = initial;
    for await (const batch of stream) {
      any = true;
      this.#failures = 0;
      let events: readonly WatchEvent<T>[] = batch;
      if (pending !== undefined) {
        const end = events.findIndex(endsInitialEvents);
        for (const event of end < 0 ? events : events.slice(0, end)) {
          if (event.type === "ERROR") throw errorOf(event);
          if (event.type === "ADDED") pending.push(event.object);
        }
        if (end < 0) continue;
        this.#replace(pending, events[end].object.metadata.resourceVersion ?? "");
        pending = undefined;
        events = events.slice(end + 1);
      }
      this.#take(events);
      if (this.#stopped) break;
    }
    return any;
  }

  #take(events: readonly WatchEvent<T>[]): void {
    const changes: Change<T>[] = [];
    let failure: ApiError | undefined;
    for (const event of events) {
      if (event.type === "ERROR") {
        failure = errorOf(event);
        break;
      }
      if (event.type === "DELETED") {
        if (this.#store.drop(event.object) !== undefined) {
          changes.push({ type: "delete", object: event.object });
        }
      } else if (event.type !== "BOOKMARK") {
        this.#put(event.object, changes);
      }
      this.#resourceVersion = event.object.metadata.resourceVersion ?? this.#resourceVersion;
    }
    this.#tell(changes);
    if (failure !== undefined) throw failure;
  }

  #put(object: T, changes: Change<T>[]): void {
    const old = this.#store.put(object);
    if (old === undefined) {
      changes.push({ type: "add", object });
    } else if (old.metadata.uid !== object.metadata.uid) {
      // Deleted and made anew while we were away: two objects, not one that changed.
      changes.push({ type: "delete", object: old }, { type: "add", object });
    } else if (old.metadata.resourceVersion !== object.metadata.resourceVersion) {
      changes.push({ type: "update", object, old });
    }
  }

  #replace(items: readonly T[], resourceVersion: string): void {
    const changes: Change<T>[] = [];
    const present = new Set(items.map(objectKey));
    for (const object of this.#store.list()) {
      if (present.has(objectKey(object))) continue;
      this.#store.drop(object);
      changes.push({ type: "delete", object });
    }
    for (const object of items) this.#put(object, changes);
    this.#resourceVersion = resourceVersion;
    this.#complete = true;
    this.#tell(changes);
    if (!this.#synced) {
      this.#synced = true;
      this.#whenSynced.resolve();
    }
  }

  #tell(changes: readonly Change<T>[]): void {
    if (changes.length === 0) return;
    for (const handler of this.#handlers) handler(changes);
  }

  #selection(): { namespace?: string; labelSelector?: string; fieldSelector?: string } {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    return {
      ...(namespace === undefined ? {} : { namespace }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
    };
  }
}

function endsInitialEvents(event: WatchEvent): boolean {
  return event.type === "BOOKMARK" &&
    event.object.metadata.annotations?.[INITIAL_EVENTS_END] === "true";
}

function errorOf(event: WatchEvent): ApiError {
  return new ApiError(event.object as unknown as Status);
}

function isExpired(error: ApiError): boolean {
  return error.code === 410 || error.reason === "Expired" || error.reason === "Gone";
}

function isRefusal(error: ApiError): boolean {
  return error.code === 400 || error.code === 422 || error.code === 405;
}

function endedEarly(when: string): ApiError {
  return serviceUnavailable(`the watch ended ${when}`);
}
