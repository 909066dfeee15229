/**
 * What a change of a claim, volume, class, driver or capacity may mean to pods that wait.
 * In: one change as an informer tells it. Out: an event for the queue, null when it helps nobody.
 * Never: looks at pods; the hints of the scheduler's plugins judge the event.
 * Source: the events and hints of VolumeBinding and VolumeZone in Kubernetes v1.36.
 */
import { compareQuantities } from "../../api/quantity.ts";
import type { Change } from "../../client/informer.ts";
import type { StorageEvent } from "../../../scheduler/mod.ts";
import type {
  Claim,
  CsiDriver,
  PersistentVolume,
  StorageCapacity,
  StorageClass,
} from "../encode_volumes.ts";
import { zonesOf } from "../encode_volumes.ts";

function differ(a: unknown, b: unknown): boolean {
  return JSON.stringify(a ?? null) !== JSON.stringify(b ?? null);
}

/** @param users uids of the waiting pods that name the claim */
export function claimEvent(
  { type }: Change<Claim>,
  users: ReadonlySet<string>,
): StorageEvent | null {
  if (type === "delete" || users.size === 0) return null;
  return { resource: "persistentVolumeClaim", change: type, users };
}

export function volumeEvent({ type, object, old }: Change<PersistentVolume>): StorageEvent | null {
  if (type === "delete") return null;
  const movesZones = old === undefined || differ(zonesOf(old), zonesOf(object));
  return { resource: "persistentVolume", change: type, movesZones };
}

export function classEvent({ type, object, old }: Change<StorageClass>): StorageEvent | null {
  if (type === "delete") return null;
  return {
    resource: "storageClass",
    change: type,
    bindsLate: object.volumeBindingMode === "WaitForFirstConsumer",
    movesTopology: old === undefined || differ(old.allowedTopologies, object.allowedTopologies),
  };
}

/** A driver that no longer counts its room may make volumes anywhere. */
export function driverEvent({ type, object, old }: Change<CsiDriver>): StorageEvent | null {
  const stopsCounting = old?.spec?.storageCapacity === true &&
    object.spec?.storageCapacity !== true;
  return type === "update" && stopsCounting ? { resource: "csiDriver", change: "update" } : null;
}

function largestVolume({ maximumVolumeSize, capacity }: StorageCapacity): string | undefined {
  return maximumVolumeSize ?? capacity;
}

export function capacityEvent({ type, object, old }: Change<StorageCapacity>): StorageEvent | null {
  if (type === "add") return { resource: "csiStorageCapacity", change: "add" };
  if (type === "delete") return null;
  const [before, after] = [largestVolume(old), largestVolume(object)];
  if (after === undefined) return null;
  const isMore = before === undefined || compareQuantities(after, before) > 0;
  return isMore ? { resource: "csiStorageCapacity", change: "update" } : null;
}
