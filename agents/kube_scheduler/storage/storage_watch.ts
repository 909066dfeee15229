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
import { claimKey, type ResolvedVolumes } from "../encode_volumes.ts";
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

/** What is kept of a pod that waits. */
interface Waiting {
  readonly pod: Pod;
  readonly found: ResolvedVolumes;
  /** Whether it was handed out to be looked at again. */
  isTold: boolean;
}

export class StorageWatch {
  /** Waiting pods that name claims, by uid. */
  readonly #pods = new Map<string, Waiting>();
  /** Source, as `ResolvedVolumes` names them -> uids of those pods. */
  readonly #users = new Map<string, Set<string>>();
  /** Uids of those that any volume, class, driver or capacity may concern. */
  readonly #open = new Set<string>();
  readonly #changed = new Set<string>();
  #changedForOpen = false;
  #events: StorageEvent[] = [];

  /** @returns what to watch, and whom to tell; a collection that the API lacks is undefined. */
  handlers(): readonly (readonly [Resource | undefined, Observe])[] {
    const forOpen = <T extends KubeObject>(eventOf: (change: Change<T>) => StorageEvent | null) =>
      ((change: Change<T>) => {
        if (this.#pods.size === 0) return;
        this.#changedForOpen = true;
        this.#tell(eventOf(change));
      }) as Observe;
    const claim: Observe = (change) => {
      const { namespace = "", name = "" } = change.object.metadata;
      const users = this.#change(claimKey(namespace, name));
      if (users !== undefined) this.#tell(claimEvent(change, new Set(users)));
    };
    const ofVolume = forOpen(volumeEvent);
    const volume: Observe = (change) => {
      this.#change(change.object.metadata.name ?? "");
      ofVolume(change);
    };
    return [
      [VOLUME_RESOURCES.claims, claim],
      [VOLUME_RESOURCES.volumes, volume],
      [VOLUME_RESOURCES.classes, forOpen(classEvent)],
      [VOLUME_RESOURCES.drivers, forOpen(driverEvent)],
      [VOLUME_RESOURCES.capacities, forOpen(capacityEvent)],
    ];
  }

  /** @returns uids of those that are looked at again for it, undefined when there are none. */
  #change(source: string): ReadonlySet<string> | undefined {
    const users = this.#users.get(source);
    // Whoever comes later will see it as it is now.
    if (users !== undefined) this.#changed.add(source);
    return users;
  }

  /** Remembers a pod for as long as it waits. @param found of its volumes, just now */
  waits(pod: Pod, found: ResolvedVolumes): void {
    const { sources, isOpen } = found;
    if (sources.length === 0) return;
    const { uid = "" } = pod.metadata;
    this.#pods.set(uid, { pod, found, isTold: false });
    if (isOpen) this.#open.add(uid);
    for (const source of sources) {
      const users = this.#users.get(source);
      if (users === undefined) this.#users.set(source, new Set([uid]));
      else users.add(uid);
    }
  }

  /**
   * Ends what `waits` began, if it did.
   *
   * @returns what is found of the pod's volumes, if that is as it was then
   */
  forget({ metadata: { uid = "" }, spec: { volumes } }: Pod): ResolvedVolumes | undefined {
    const known = this.#pods.get(uid);
    if (known === undefined) return undefined;
    const { found } = known;
    const isCurrent = this.#isCurrent(known) && known.pod.spec.volumes === volumes;
    this.#pods.delete(uid);
    if (found.isOpen) this.#open.delete(uid);
    for (const source of found.sources) {
      const users = this.#users.get(source);
      if (users?.has(uid) !== true) continue;
      // Mostly a pod has its claims for itself, and taking the last one out of a set is dear.
      if (users.size === 1) this.#users.delete(source);
      else users.delete(uid);
    }
    return isCurrent ? found : undefined;
  }

  #isCurrent({ isTold, found: { sources, isOpen } }: Waiting): boolean {
    if (isTold || isOpen && this.#changedForOpen) return false;
    for (const source of sources) if (this.#changed.has(source)) return false;
    return true;
  }

  /** @returns waiting pods to be looked at again, then to be told of events in this order. */
  takeChanged(): { readonly pods: readonly Pod[]; readonly events: readonly StorageEvent[] } {
    const events = this.#events;
    const uids = new Set(this.#changedForOpen ? this.#open : NOBODY);
    for (const source of this.#changed) {
      for (const uid of this.#users.get(source) ?? NOBODY) uids.add(uid);
    }
    this.#events = [];
    this.#changedForOpen = false;
    this.#changed.clear();
    const pods = Array.from(uids, (uid) => {
      const waiting = this.#pods.get(uid)!;
      waiting.isTold = true;
      return waiting.pod;
    });
    return { pods, events };
  }

  #tell(event: StorageEvent | null): void {
    if (event !== null) this.#events.push(event);
  }
}
