/**
 * Keeps an eye on what volumes are made of, for the pods that wait for some.
 * In: changes of claims, volumes, classes, drivers and capacities; waiting pods that name claims.
 * Out: pods whose needs may be others now, and events for the queue.
 * Never: binds; `volume_binder.ts` does.
 * Source: the event handlers of Kubernetes v1.36 for storage.
 */
import type { KubeObject } from "../../api/meta.ts";
import type { Resource } from "../../api/resource.ts";
import type { Change } from "../../client/informer.ts";
import type { StorageEvent } from "../../../scheduler/mod.ts";
import { claimKeys } from "../encode_volumes.ts";
import type { Pod } from "../kinds.ts";
import { VOLUME_RESOURCES } from "../volume_binder.ts";
import {
  capacityEvent,
  claimEvent,
  classEvent,
  driverEvent,
  volumeEvent,
} from "./storage_events.ts";

type Observe = (change: Change<KubeObject>) => void;

const NOBODY: ReadonlySet<string> = new Set();

export class StorageWatch {
  /** Waiting pods that name claims, by uid. */
  readonly #pods = new Map<string, Pod>();
  /** Claim -> uids of those pods. */
  readonly #users = new Map<string, Set<string>>();
  readonly #changedClaims = new Set<string>();
  #changedForAll = false;
  #events: StorageEvent[] = [];

  /** @returns what to watch, and whom to tell; a collection that the API lacks is undefined. */
  handlers(): readonly (readonly [Resource | undefined, Observe])[] {
    const forAll = <T extends KubeObject>(eventOf: (change: Change<T>) => StorageEvent | null) =>
      ((change: Change<T>) => {
        this.#changedForAll = true;
        this.#tell(eventOf(change));
      }) as Observe;
    const claim = (change: Change<KubeObject>) => {
      const { namespace, name } = change.object.metadata;
      const key = `${namespace}/${name}`;
      this.#changedClaims.add(key);
      this.#tell(claimEvent(change, new Set(this.#users.get(key))));
    };
    return [
      [VOLUME_RESOURCES.claims, claim],
      [VOLUME_RESOURCES.volumes, forAll(volumeEvent)],
      [VOLUME_RESOURCES.classes, forAll(classEvent)],
      [VOLUME_RESOURCES.drivers, forAll(driverEvent)],
      [VOLUME_RESOURCES.capacities, forAll(capacityEvent)],
    ];
  }

  /** Remembers a pod for as long as it waits. */
  waits(pod: Pod): void {
    const { uid = "" } = pod.metadata;
    const keys = claimKeys(pod);
    if (keys.length === 0) return;
    this.#pods.set(uid, pod);
    for (const key of keys) {
      const users = this.#users.get(key);
      if (users === undefined) this.#users.set(key, new Set([uid]));
      else users.add(uid);
    }
  }

  forget(uid: string): void {
    const pod = this.#pods.get(uid);
    if (pod === undefined) return;
    this.#pods.delete(uid);
    for (const key of claimKeys(pod)) {
      const users = this.#users.get(key);
      users?.delete(uid);
      if (users?.size === 0) this.#users.delete(key);
    }
  }

  /** @returns waiting pods to be looked at again, then to be told of events in this order. */
  takeChanged(): { readonly pods: readonly Pod[]; readonly events: readonly StorageEvent[] } {
    const events = this.#events;
    const pods = this.#changedForAll ? [...this.#pods.values()] : this.#usersOfChanged();
    this.#events = [];
    this.#changedForAll = false;
    this.#changedClaims.clear();
    return { pods, events };
  }

  #usersOfChanged(): Pod[] {
    const uids = new Set<string>();
    for (const key of this.#changedClaims) {
      for (const uid of this.#users.get(key) ?? NOBODY) uids.add(uid);
    }
    return [...uids].map((uid) => this.#pods.get(uid)!);
  }

  #tell(event: StorageEvent | null): void {
    if (event !== null && this.#pods.size > 0) this.#events.push(event);
  }
}
