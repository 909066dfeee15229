/**
 * Remembers what was written for each key until the informers show it, so that a plan never acts
 * on a state that lacks its own writes, and nothing is created twice.
 * In: outcomes of writes. Out: whether a key may be planned, and whom an informer's news concerns.
 * Never: waits longer than five minutes. Source: pkg/controller's expectations.
 */
import type { KubeObject } from "../api/meta.ts";
import type { Resource } from "../api/resource.ts";
import type { Informer } from "../client/informer.ts";
import { compareResourceVersions } from "../client/lister.ts";
import { resourceName } from "../client/informer_set.ts";

const GIVE_UP_MILLIS = 300_000;

interface Pending {
  sinceMillis: number;
  /** Newest version written, by resource. */
  readonly written: Map<string, string>;
  /** `resource namespace/name uid` of what was deleted. */
  readonly deleted: Map<string, Deleted>;
}

interface Deleted {
  readonly resource: string;
  readonly object: KubeObject;
}

export interface PendingWritesOptions {
  readonly informerOf: (resourceName: string) => Informer | undefined;
}

export class PendingWrites {
  readonly #informerOf: (resourceName: string) => Informer | undefined;
  readonly #pending = new Map<string, Pending>();

  constructor(options: PendingWritesOptions) {
    this.#informerOf = options.informerOf;
  }

  /** An object came back from a create, update or patch. */
  wrote(key: string, at: { resource: Resource; object: KubeObject; nowMillis: number }): void {
    const version = at.object.metadata?.resourceVersion;
    const name = resourceName(at.resource);
    if (version === undefined || this.#informerOf(name) === undefined) return;
    const pending = this.#of(key, at.nowMillis);
    const known = pending.written.get(name);
    if (known === undefined || compareResourceVersions(version, known) > 0) {
      pending.written.set(name, version);
    }
  }

  /** A delete was accepted; the informer must show the object gone or on its way out. */
  deleted(key: string, at: { resource: Resource; object: KubeObject; nowMillis: number }): void {
    const name = resourceName(at.resource);
    if (this.#informerOf(name) === undefined) return;
    const uid = at.object.metadata.uid ?? "";
    this.#of(key, at.nowMillis).deleted.set(`${name} ${uid}`, {
      resource: name,
      object: at.object,
    });
  }

  /** Whether the informers show all that was written for a key. */
  isSettled(key: string, nowMillis: number): boolean {
    const pending = this.#pending.get(key);
    if (pending === undefined) return true;
    if (nowMillis - pending.sinceMillis < GIVE_UP_MILLIS) {
      for (const [name, version] of pending.written) {
        if (!this.#informerOf(name)!.hasReached(version)) return false;
        pending.written.delete(name);
      }
      for (const [id, deleted] of pending.deleted) {
        if (this.#isStill(deleted)) return false;
        pending.deleted.delete(id);
      }
    }
    this.#pending.delete(key);
    return true;
  }

  #isStill(deleted: Deleted): boolean {
    const { namespace, name = "", uid } = deleted.object.metadata;
    const seen = this.#informerOf(deleted.resource)!.lister.get({ namespace, name });
    return seen?.metadata.uid === uid && seen?.metadata.deletionTimestamp === undefined;
  }

  #of(key: string, nowMillis: number): Pending {
    let pending = this.#pending.get(key);
    if (pending === undefined) {
      pending = { sinceMillis: nowMillis, written: new Map(), deleted: new Map() };
      this.#pending.set(key, pending);
    }
    pending.sinceMillis = nowMillis;
    return pending;
  }
}
