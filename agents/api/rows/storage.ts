/**
 * Rows of what volumes are made of: core's volumes and claims, and storage.k8s.io.
 * In: the kinds' rules. Out: named rows. Never: behaviour.
 * Source: upstream's discovery documents (v1.36).
 */
import {
  csiDriverRules,
  csiNodeRules,
  csiStorageCapacityRules,
  volumeAttachmentRules,
} from "../kinds/storage/csi.ts";
import { persistentVolumeRules } from "../kinds/storage/persistent_volume.ts";
import { persistentVolumeClaimRules } from "../kinds/storage/persistent_volume_claim.ts";
import { storageClassRules, volumeAttributesClassRules } from "../kinds/storage/storage_class.ts";
import type { Resource } from "../resource.ts";
import { defineResource, partOf } from "../row.ts";

const group = "storage.k8s.io";

export const persistentVolumes: Resource = defineResource({
  kind: "PersistentVolume",
  plural: "persistentvolumes",
  shortNames: ["pv"],
  scope: "Cluster",
  subresources: (parent) => [partOf(parent, "status")],
  rules: persistentVolumeRules,
});

export const persistentVolumeClaims: Resource = defineResource({
  kind: "PersistentVolumeClaim",
  plural: "persistentvolumeclaims",
  shortNames: ["pvc"],
  subresources: (parent) => [partOf(parent, "status")],
  rules: persistentVolumeClaimRules,
});

export const storageClasses: Resource = defineResource({
  group,
  kind: "StorageClass",
  plural: "storageclasses",
  shortNames: ["sc"],
  scope: "Cluster",
  rules: storageClassRules,
});

export const volumeAttributesClasses: Resource = defineResource({
  group,
  kind: "VolumeAttributesClass",
  plural: "volumeattributesclasses",
  shortNames: ["vac"],
  scope: "Cluster",
  rules: volumeAttributesClassRules,
});

export const csiDrivers: Resource = defineResource({
  group,
  kind: "CSIDriver",
  plural: "csidrivers",
  scope: "Cluster",
  rules: csiDriverRules,
});

export const csiNodes: Resource = defineResource({
  group,
  kind: "CSINode",
  plural: "csinodes",
  scope: "Cluster",
  rules: csiNodeRules,
});

export const csiStorageCapacities: Resource = defineResource({
  group,
  kind: "CSIStorageCapacity",
  plural: "csistoragecapacities",
  rules: csiStorageCapacityRules,
});

export const volumeAttachments: Resource = defineResource({
  group,
  kind: "VolumeAttachment",
  plural: "volumeattachments",
  scope: "Cluster",
  subresources: (parent) => [partOf(parent, "status")],
  rules: volumeAttachmentRules,
});

/** All of the group, in order of their names. */
export const storageRows: readonly Resource[] = [
  csiDrivers,
  csiNodes,
  csiStorageCapacities,
  storageClasses,
  volumeAttachments,
  volumeAttributesClasses,
];
