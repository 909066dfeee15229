/**
 * The loop of one controller: changes become keys, keys become plans, plans are performed.
 * In: shared informers, a Controller. Out: its actions, performed; failed keys come back later.
 * Never: plans a key twice at a time, or before the informers show what was written for it.
 */
import type { KubeObject } from "../api/meta.ts";
import type { Resource } from "../api/resource.ts";
import type { Client } from "../client/client.ts";
import type { Clock } from "../client/clock.ts";
import { EventRecorder } from "../client/events.ts";
import type { Change } from "../client/informer.ts";
import { type InformerSet, resourceName } from "../client/informer_set.ts";
import { runWorkers, WorkQueue } from "../client/work_queue.ts";
import type { Controller, Failure, View, Watch } from "./controller.ts";
import { PendingWrites } from "./pending_writes.ts";
import { type Outcome, perform } from "./perform.ts";

export interface ControlLoopOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly informers: InformerSet;
  /** The resource of core/v1 events. */
  readonly events: Resource;
  readonly controller: Controller;
  /** Told of each failed performance. */
  readonly onFailure?: (controller: string, key: string, failure: Failure) => void;
}

/** A key whose writes have not come back is looked at again after this long at the latest. */
const SETTLE_CHECK_MILLIS = 1_000;
/** After a guard that did not hold. */
const HELD_MILLIS = 200;

/** Reads of the informers that a controller declared. */
export function viewOf(informers: InformerSet): View {
  const listerOf = (resource: Resource) => {
    const informer = informers.find(resource);
    if (informer === undefined) throw new Error(`nobody watches ${resourceName(resource)}`);
    return informer.lister;
  };
  return {
    get: <T extends KubeObject>(resource: Resource, place: { namespace?: string; name: string }) =>
      listerOf(resource).get(place) as T | undefined,
    list: <T extends KubeObject>(resource: Resource, namespace?: string) =>
      listerOf(resource).list(namespace) as readonly T[],
    byIndex: <T extends KubeObject>(resource: Resource, at: { index: string; value: string }) =>
      listerOf(resource).byIndex(at.index, at.value) as readonly T[],
  };
}

export class ControlLoop {
  readonly #options: ControlLoopOptions;
  readonly #view: View;
  readonly #queue: WorkQueue;
  readonly #pending: PendingWrites;
  readonly #recorder: EventRecorder;
  readonly #failures = new Map<string, Failure>();
  /** Keys that wait for the informers to show their writes. */
  readonly #parked = new Set<string>();
  #stopWorkers: () => Promise<void> = () => Promise.resolve();
  #unwatch: (() => void)[] = [];

  constructor(options: ControlLoopOptions) {
    const { client, clock, informers, events, controller } = options;
    this.#options = options;
    this.#view = viewOf(informers);
    this.#queue = new WorkQueue({ clock });
    const byName = new Map<string, Resource>();
    for (const watch of controller.watches) {
      byName.set(resourceName(watch.resource), watch.resource);
      const informer = informers.of(watch.resource);
      for (const [name, index] of Object.entries(watch.indexes ?? {})) {
        informer.addIndex(name, index);
      }
    }
    this.#pending = new PendingWrites({
      informerOf: (name) => {
        const resource = byName.get(name);
        return resource === undefined ? undefined : informers.find(resource);
      },
    });
    this.#recorder = new EventRecorder({
      client,
      clock,
      resource: events,
      component: controller.name,
    });
  }

  /** Nothing waits, is planned or is due. */
  get idle(): boolean {
    return this.#queue.idle;
  }

  /** To be called when the informers have synced: every object makes its keys once. */
  start(): void {
    const { informers, controller } = this.#options;
    for (const watch of controller.watches) {
      const informer = informers.of(watch.resource);
      this.#unwatch.push(informer.addHandler((changes) => this.#observe(watch, changes)));
    }
    this.#stopWorkers = runWorkers({
      queue: this.#queue,
      workers: controller.workers,
      work: (key) => this.#work(key),
    });
  }

  async stop(): Promise<void> {
    for (const unwatch of this.#unwatch) unwatch();
    this.#unwatch = [];
    await this.#stopWorkers();
    this.#recorder.stop();
  }

  /** Resolves when the events recorded so far are written. */
  flushEvents(): Promise<void> {
    return this.#recorder.flush();
  }

  #observe(watch: Watch, changes: readonly Change[]): void {
    this.#unpark();
    const { keysOf, ignoreUpdate, settleMillis = 0 } = watch;
    if (keysOf === undefined) return;
    for (const change of changes) {
      if (change.type === "update" && ignoreUpdate?.(change.object, change.old)) continue;
      for (const key of keysOf(change.object, this.#view)) this.#queue.addAfter(key, settleMillis);
      if (change.old === undefined) continue;
      for (const key of keysOf(change.old, this.#view)) this.#queue.addAfter(key, settleMillis);
    }
  }

  #unpark(): void {
    if (this.#parked.size === 0) return;
    const nowMillis = this.#options.clock.nowMillis();
    for (const key of this.#parked) {
      if (!this.#pending.isSettled(key, nowMillis)) continue;
      this.#parked.delete(key);
      this.#queue.add(key);
    }
  }

  async #work(key: string): Promise<void> {
    const { client, clock, controller } = this.#options;
    const nowMillis = clock.nowMillis();
    if (!this.#pending.isSettled(key, nowMillis)) {
      this.#parked.add(key);
      this.#queue.addAfter(key, SETTLE_CHECK_MILLIS);
      return;
    }
    this.#parked.delete(key);
    const failure = this.#failures.get(key);
    const actions = controller.plan(key, {
      view: this.#view,
      nowMillis,
      ...(failure !== undefined && { failure }),
    });
    const at = (resource: Resource, object: KubeObject) => ({
      resource,
      object,
      nowMillis: clock.nowMillis(),
    });
    const outcome = await perform(actions, {
      client,
      recorder: this.#recorder,
      onWritten: (resource, object) => this.#pending.wrote(key, at(resource, object)),
      onDeleted: (resource, object) => this.#pending.deleted(key, at(resource, object)),
    });
    this.#conclude(key, outcome);
  }

  #conclude(key: string, outcome: Outcome): void {
    switch (outcome.kind) {
      case "held":
        this.#queue.addAfter(key, HELD_MILLIS);
        return;
      case "failed": {
        const { error, during } = outcome;
        // A conflict only says that the plan was made from old news.
        if (error.reason !== "Conflict") {
          const reason = error.reason ?? "Unknown";
          const failure: Failure = { during, reason, message: error.message };
          this.#failures.set(key, failure);
          this.#options.onFailure?.(this.#options.controller.name, key, failure);
        }
        this.#queue.addRateLimited(key);
        return;
      }
      case "done": {
        this.#queue.forget(key);
        // A plan that knows of a failure words it; the next one may take it back.
        if (this.#failures.delete(key)) this.#queue.add(key);
        if (outcome.requeueMillis !== undefined) {
          this.#queue.addAfter(key, outcome.requeueMillis);
        }
      }
    }
  }
}
