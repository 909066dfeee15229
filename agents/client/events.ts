/**
 * Records Event objects about other objects, in the background.
 * In: what happened to which object. Out: Event objects created or counted up through a Client.
 * Never: delays or fails its caller; when the queue is full, events are dropped and counted.
 * Source: client-go's tools/record (queue of 1,000, 12 tries, 10 s apart).
 */
import type { KubeObject } from "../api/meta.ts";
import type { Resource } from "../api/resource.ts";
import { ApiError } from "../api/status.ts";
import { formatTime } from "../api/time.ts";
import type { Client } from "./client.ts";
import { type Clock, sleep } from "./clock.ts";
import { type Correlated, EventCorrelator, type EventObject } from "./event_correlator.ts";

export interface EventNote {
  /** The object it is about; apiVersion and kind must be set. */
  readonly about: KubeObject;
  readonly type: "Normal" | "Warning";
  /** CamelCase, such as SuccessfulCreate. */
  readonly reason: string;
  readonly message: string;
  /** What was being done, such as Binding. */
  readonly action?: string;
  /** A second object that it is about; apiVersion and kind must be set. */
  readonly related?: KubeObject;
  /** A part of the object, such as `spec.containers{web}`. */
  readonly fieldPath?: string;
  /** The machine the component runs on, where it differs from the recorder's. */
  readonly host?: string;
}

export interface EventRecorderOptions {
  readonly client: Client;
  readonly clock: Clock;
  /** The resource of core/v1 events. */
  readonly resource: Resource;
  /** Such as `deployment-controller`. */
  readonly component: string;
  readonly host?: string;
}

const QUEUE_LIMIT = 1_000;
const TRIES = 12;
const RETRY_MILLIS = 10_000;

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #correlator = new EventCorrelator();
  readonly #queue: Exclude<Correlated, { kind: "drop" }>[] = [];
  #sending: Promise<void> | undefined;
  #sequence = 0n;
  #stopped = false;
  #dropped = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  /** Events lost because the queue was full. */
  get dropped(): number {
    return this.#dropped;
  }

  record(note: EventNote): void {
    if (this.#stopped) return;
    if (this.#queue.length >= QUEUE_LIMIT) {
      this.#dropped++;
      return;
    }
    const nowMillis = this.#options.clock.nowMillis();
    const correlated = this.#correlator.correlate(this.#build(note, nowMillis), nowMillis);
    if (correlated.kind === "drop") return;
    this.#queue.push(correlated);
    this.#sending ??= this.#send().finally(() => this.#sending = undefined);
  }

  /** Resolves when all that was recorded is written or given up. */
  async flush(): Promise<void> {
    while (this.#sending !== undefined) await this.#sending;
  }

  stop(): void {
    this.#stopped = true;
    this.#queue.length = 0;
  }

  #build(note: EventNote, nowMillis: number): EventObject {
    const { about, type, reason, message, action, related, fieldPath } = note;
    const { component } = this.#options;
    const host = note.host ?? this.#options.host;
    const { namespace, name } = about.metadata;
    const timestamp = formatTime(nowMillis);
    const nanos = BigInt(Math.floor(nowMillis)) * 1_000_000n + this.#sequence++ % 1_000_000n;
    return {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: `${name}.${nanos.toString(16)}`, namespace: namespace ?? "default" },
      involvedObject: {
        ...referenceTo(about),
        ...(fieldPath === undefined ? {} : { fieldPath }),
      },
      reason,
      message,
      source: { component, ...(host === undefined ? {} : { host }) },
      firstTimestamp: timestamp,
      lastTimestamp: timestamp,
      count: 1,
      type,
      ...(action === undefined ? {} : { action }),
      ...(related === undefined ? {} : { related: referenceTo(related) }),
      eventTime: null,
      reportingComponent: component,
      reportingInstance: host ?? "",
    };
  }

  async #send(): Promise<void> {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      for (let attempt = 1; attempt <= TRIES && !this.#stopped; attempt++) {
        if (await this.#write(next)) break;
        await sleep(this.#options.clock, RETRY_MILLIS);
      }
    }
  }

  /** @returns false when it is worth another try. */
  async #write(correlated: Exclude<Correlated, { kind: "drop" }>): Promise<boolean> {
    const { client, resource } = this.#options;
    const { event, key } = correlated;
    const { name, namespace } = event.metadata;
    try {
      if (correlated.kind === "patch") {
        const { count, message, lastTimestamp } = event;
        try {
          await client.patch(resource, { namespace, name: name! }, {
            type: "application/merge-patch+json",
            body: { count, message, lastTimestamp },
          });
          return true;
        } catch (error) {
          // An event lives for an hour; where the old one is gone, this one is created.
          if (!(error instanceof ApiError) || error.code !== 404) throw error;
        }
      }
      await client.create(resource, event);
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.code === 503 || error.code === 504 || error.code === 429) return false;
      // Refused: a namespace on its way out, say. The same words would be refused again.
      this.#correlator.forget(key);
      return true;
    }
  }
}

function referenceTo({ apiVersion, kind, metadata }: KubeObject): EventObject["involvedObject"] {
  const { namespace, name, uid, resourceVersion } = metadata;
  const place = namespace === undefined ? {} : { namespace };
  return { kind, ...place, name, uid, apiVersion, resourceVersion };
}
