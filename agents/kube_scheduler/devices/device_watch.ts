/**
 * Keeps the scheduler's ledger of devices as the API tells of them.
 * In: changes of slices, classes and claims; waiting pods that name claims. Out: rows in the
 * ledger, events for the queue, pods whose claims changed.
 * Never: writes; `device_binder.ts` does.
 * Source: the event handlers of Kubernetes v1.36 for resource.k8s.io.
 */
import type { KubeObject } from "../../api/meta.ts";
import type { Resource } from "../../api/resource.ts";
import { deviceClasses, resourceClaims, resourceSlices } from "../../api/resources.ts";
import type {
  DeviceClass,
  ResourceClaim,
  ResourceSlice,
} from "../../api/schema/generated/resource_v1.ts";
import type { Change } from "../../client/informer.ts";
import type { InformerSet } from "../../client/informer_set.ts";
import type { ClusterEvent, DeviceLedger } from "../../../scheduler/mod.ts";
import type { Pod } from "../kinds.ts";
import { DeviceSelector } from "./device_selector.ts";
import { encodeClaim, keyOf } from "./encode_claims.ts";
import { encodeClass, encodeSlice } from "./encode_devices.ts";
import { type ClaimLookup, claimNames, usesDevices } from "./pod_claims.ts";

/** What a change is told to. */
export interface DeviceSink {
  readonly ledger: DeviceLedger;
  readonly notify: (event: ClusterEvent) => void;
}

type Observe = (change: Change<KubeObject>) => void;

export class DeviceWatch {
  readonly selector = new DeviceSelector();
  readonly lookUp: ClaimLookup;
  /** Waiting pods that name claims, by uid. */
  readonly #users = new Map<string, Pod>();
  /** Claims that changed since `takeChanged` was asked last. */
  readonly #changed = new Set<string>();

  constructor(informers: InformerSet) {
    const { lister } = informers.of<ResourceClaim>(resourceClaims);
    this.lookUp = (namespace, name) => lister.get({ namespace, name });
  }

  /** @returns what to watch, and whom to tell. */
  handlers({ ledger, notify }: DeviceSink): readonly (readonly [Resource, Observe])[] {
    const slice = ({ type, object }: Change<ResourceSlice>) => {
      if (type === "delete") ledger.removeSlice(object.metadata.name ?? "");
      else ledger.setSlice(encodeSlice(object, (row, device) => this.selector.know(row, device)));
      notify({ resource: "devices" });
    };
    const ofClass = ({ type, object }: Change<DeviceClass>) => {
      ledger.setClass(object.metadata.name ?? "", type === "delete" ? null : encodeClass(object));
      notify({ resource: "devices" });
    };
    const claim = ({ type, object, old }: Change<ResourceClaim>) => {
      const key = keyOf(object);
      const freed = ledger.setClaim(key, type === "delete" ? null : encodeClaim(object));
      this.#changed.add(key);
      // A driver's finalizer, say, is news to nobody.
      const isUntouched = type === "update" && sameJson(old.status, object.status);
      notify({ resource: "claim", key, freed, isUntouched });
    };
    return [
      [resourceSlices, slice as Observe],
      [deviceClasses, ofClass as Observe],
      [resourceClaims, claim as Observe],
    ];
  }

  /** Remembers a pod for as long as it waits. */
  waits(pod: Pod): void {
    if (usesDevices(pod)) this.#users.set(pod.metadata.uid ?? "", pod);
  }

  forget(uid: string): void {
    this.#users.delete(uid);
  }

  /** @returns waiting pods of which some claim came, changed or went. */
  takeChanged(): readonly Pod[] {
    if (this.#changed.size === 0) return [];
    const found = [...this.#users.values()].filter((pod) =>
      claimNames(pod).some((name) => this.#changed.has(`${pod.metadata.namespace}/${name}`))
    );
    this.#changed.clear();
    return found;
  }
}

function sameJson(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
