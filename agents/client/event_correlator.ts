/**
 * Decides what a new event becomes: a new object, a higher count on an old one, or nothing.
 * In: events with the time. Out: create, patch or drop; equal events count up, many similar ones
 * are combined, and one object's flood is cut off. Never: talks to the API server.
 * Source: client-go's EventCorrelator (10 similar in 600 s; 25 at once, one more each 300 s).
 */
import type { KubeObject } from "../api/meta.ts";

/** An Event of core/v1 as it travels. */
export interface EventObject extends KubeObject {
  involvedObject: {
    apiVersion?: string;
    kind?: string;
    namespace?: string;
    name?: string;
    uid?: string;
    resourceVersion?: string;
    fieldPath?: string;
  };
  related?: EventObject["involvedObject"];
  type: "Normal" | "Warning";
  reason: string;
  action?: string;
  message: string;
  source: { component?: string; host?: string };
  firstTimestamp: string;
  lastTimestamp: string;
  count: number;
}

export type Correlated =
  | { readonly kind: "create"; readonly event: EventObject; readonly key: string }
  /** `event` is whole, so that it can be created where the old one has expired. */
  | { readonly kind: "patch"; readonly event: EventObject; readonly key: string }
  | { readonly kind: "drop" };

const SIMILAR_LIMIT = 10;
const SIMILAR_INTERVAL_MILLIS = 600_000;
const SPAM_BURST = 25;
const SPAM_REFILL_MILLIS = 300_000;
/** Entries each of the three tables keeps; the least recently used goes first. */
const TABLE_LIMIT = 4096;

interface Similar {
  readonly messages: Set<string>;
  lastMillis: number;
}

interface Bucket {
  tokens: number;
  lastMillis: number;
}

interface Known {
  readonly name: string;
  readonly firstTimestamp: string;
  readonly count: number;
}

export class EventCorrelator {
  readonly #similar = new Map<string, Similar>();
  readonly #buckets = new Map<string, Bucket>();
  readonly #known = new Map<string, Known>();

  /** @param nowMillis wall clock, milliseconds since 1970. */
  correlate(event: EventObject, nowMillis: number): Correlated {
    const { key, message } = this.#combine(event, nowMillis);
    const known = this.#known.get(key);
    const counted: EventObject = {
      ...event,
      message,
      ...(known !== undefined && {
        metadata: { ...event.metadata, name: known.name },
        firstTimestamp: known.firstTimestamp,
        count: known.count + 1,
      }),
    };
    remember(this.#known, key, {
      name: counted.metadata.name!,
      firstTimestamp: counted.firstTimestamp,
      count: counted.count,
    });
    if (!this.#takeToken(event, nowMillis)) return { kind: "drop" };
    return { kind: known === undefined ? "create" : "patch", event: counted, key };
  }

  /** The object behind a key is gone: the next equal event starts a new one. */
  forget(key: string): void {
    this.#known.delete(key);
  }

  #combine(event: EventObject, nowMillis: number): { key: string; message: string } {
    const group = groupKey(event);
    let similar = this.#similar.get(group);
    if (similar === undefined || nowMillis - similar.lastMillis > SIMILAR_INTERVAL_MILLIS) {
      similar = { messages: new Set(), lastMillis: nowMillis };
    }
    similar.lastMillis = nowMillis;
    similar.messages.add(event.message);
    remember(this.#similar, group, similar);
    if (similar.messages.size < SIMILAR_LIMIT) {
      return { key: `${group}\n${event.message}`, message: event.message };
    }
    for (const oldest of similar.messages) {
      similar.messages.delete(oldest);
      break;
    }
    return { key: group, message: `(combined from similar events): ${event.message}` };
  }

  #takeToken(event: EventObject, nowMillis: number): boolean {
    const key = sourceKey(event);
    const bucket = this.#buckets.get(key) ?? { tokens: SPAM_BURST, lastMillis: nowMillis };
    const refilled = bucket.tokens + (nowMillis - bucket.lastMillis) / SPAM_REFILL_MILLIS;
    bucket.tokens = Math.min(SPAM_BURST, refilled);
    bucket.lastMillis = nowMillis;
    remember(this.#buckets, key, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }
}

function sourceKey(event: EventObject): string {
  const { source, involvedObject: about, type } = event;
  return [
    source.component,
    source.host,
    about.kind,
    about.namespace,
    about.name,
    about.uid,
    about.apiVersion,
    type,
  ].join("\n");
}

function groupKey(event: EventObject): string {
  return `${sourceKey(event)}\n${event.involvedObject.fieldPath ?? ""}\n${event.reason}`;
}

/** Puts an entry last and drops the first one of a full table. */
function remember<V>(table: Map<string, V>, key: string, value: V): void {
  table.delete(key);
  table.set(key, value);
  if (table.size <= TABLE_LIMIT) return;
  for (const oldest of table.keys()) {
    table.delete(oldest);
    return;
  }
}
