/**
 * What happened in the cluster, as far as it may make a rejected pod schedulable.
 * In: old and new rows. Out: events, each naming one kind of change.
 * Never: decides; the plugins' hints judge an event, the queue moves pods.
 * Source: Kubernetes v1.36 scheduler framework events. Changes of a node's conditions and
 * annotations are left out: no plugin here asks for them.
 */

import type { NodeRow } from "./node_row.ts";
import type { PodRow, Resources } from "./pod_row.ts";

export type NodeChange =
  | "add"
  | "delete"
  | "allocatable"
  | "attachLimits"
  | "detached"
  | "labels"
  | "taints"
  | "features";
export type PodChange =
  | "add"
  | "delete"
  | "labels"
  | "scaleDown"
  | "gatesEliminated"
  | "tolerations"
  | "generatedClaims"
  | "update";

/** A change of what volumes are made of, with what the hints want to know of it. */
export type StorageEvent =
  | {
    readonly resource: "persistentVolumeClaim";
    readonly change: "add" | "update";
    /** Uids of the waiting pods that name the claim; nobody else is asked. */
    readonly users: ReadonlySet<string>;
  }
  | {
    readonly resource: "persistentVolume";
    readonly change: "add" | "update";
    /** Whether its labels of zones and regions are new or others than before. */
    readonly movesZones: boolean;
  }
  | {
    readonly resource: "storageClass";
    readonly change: "add" | "update";
    /** Whether its claims wait for their first pod. */
    readonly bindsLate: boolean;
    /** Whether the class is new or allows other places than before. */
    readonly movesTopology: boolean;
  }
  /** A driver stopped to keep count of its room. */
  | { readonly resource: "csiDriver"; readonly change: "update" }
  /** There is more room for volumes somewhere. */
  | { readonly resource: "csiStorageCapacity"; readonly change: "add" | "update" };

export type ClusterEvent =
  | {
    readonly resource: "node";
    readonly change: NodeChange;
    readonly before: NodeRow | null;
    readonly after: NodeRow | null;
  }
  | {
    readonly resource: "pod";
    readonly change: PodChange;
    readonly before: PodRow | null;
    readonly after: PodRow | null;
    /** Whether the pod holds a node, by binding or by nomination. */
    readonly assigned: boolean;
    /** Set where the pod stood in the way of pods up to this priority only. */
    readonly upToPriority?: number;
  }
  | StorageEvent
  /** A group came or changed, or one more of its pods did. */
  | { readonly resource: "podGroup"; readonly group: string }
  /** A claim to devices came or changed; `freed` = it gave its devices back. */
  | {
    readonly resource: "claim";
    readonly key: string;
    readonly freed: boolean;
    /** Set where its status is as it was. */
    readonly isUntouched?: boolean;
  }
  /** Devices or their classes came or changed. */
  | { readonly resource: "devices" }
  /** Tries everything. */
  | { readonly resource: "any"; readonly label: string };

const NODE_LABELS: Readonly<Record<NodeChange, string>> = {
  add: "NodeAdd",
  delete: "NodeDelete",
  allocatable: "NodeUpdateNodeAllocatable",
  attachLimits: "storage.k8s.io/CSINodeUpdate",
  detached: "storage.k8s.io/VolumeAttachmentDelete",
  labels: "NodeUpdateNodeLabel",
  taints: "NodeUpdateNodeTaint",
  features: "NodeUpdateNodeDeclaredFeature",
};

const POD_LABELS: Readonly<Record<PodChange, string>> = {
  add: "Add",
  delete: "Delete",
  labels: "UpdatePodLabel",
  scaleDown: "UpdatePodScaleDown",
  gatesEliminated: "UpdatePodSchedulingGatesEliminated",
  tolerations: "UpdatePodToleration",
  generatedClaims: "UpdatePodGeneratedResourceClaim",
  update: "Update",
};

const STORAGE_KINDS: Readonly<Record<StorageEvent["resource"], string>> = {
  persistentVolumeClaim: "PersistentVolumeClaim",
  persistentVolume: "PersistentVolume",
  storageClass: "storage.k8s.io/StorageClass",
  csiDriver: "storage.k8s.io/CSIDriver",
  csiStorageCapacity: "storage.k8s.io/CSIStorageCapacity",
};

/** @returns the name of the event in metrics. */
export function eventLabel(event: ClusterEvent): string {
  switch (event.resource) {
    case "node":
      return NODE_LABELS[event.change];
    case "pod":
      return `${event.assigned ? "Assigned" : "Unschedulable"}Pod${POD_LABELS[event.change]}`;
    case "podGroup":
      return "scheduling.k8s.io/PodGroupAdd";
    case "claim":
      return "resource.k8s.io/ResourceClaimUpdate";
    case "devices":
      return "resource.k8s.io/ResourceSliceUpdate";
    case "any":
      return event.label;
    default:
      return STORAGE_KINDS[event.resource] + (event.change === "add" ? "Add" : "Update");
  }
}

function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function sameLabels(
  a: Readonly<Record<string, string>>,
  b: Readonly<Record<string, string>>,
): boolean {
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => a[key] === b[key]);
}

function losesVolume(before: NodeRow, after: NodeRow): boolean {
  const left = new Set(after.attached.map(({ driver, handle }) => `${driver} ${handle}`));
  return before.attached.some(({ driver, handle }) => !left.has(`${driver} ${handle}`));
}

/** @returns one event for each property of the node that changed. */
export function nodeEvents(before: NodeRow, after: NodeRow): ClusterEvent[] {
  const changes: NodeChange[] = [];
  if (before.unschedulable && !after.unschedulable) changes.push("taints");
  if (
    !sameJson(before.allocatable, after.allocatable) || before.allowedPods !== after.allowedPods
  ) changes.push("allocatable");
  if (!sameJson(before.attachLimits, after.attachLimits)) changes.push("attachLimits");
  if (losesVolume(before, after)) changes.push("detached");
  if (!sameLabels(before.labels, after.labels)) changes.push("labels");
  if (!sameJson(before.taints, after.taints)) changes.push("taints");
  if (!sameJson(before.declaredFeatures, after.declaredFeatures)) changes.push("features");
  return [...new Set(changes)].map((change) => ({ resource: "node", change, before, after }));
}

function asksLess(before: Resources, after: Resources): boolean {
  if (
    after.cpuMilli < before.cpuMilli || after.memoryBytes < before.memoryBytes ||
    after.ephemeralBytes < before.ephemeralBytes
  ) return true;
  return before.scalars.some(({ name, amount }) =>
    (after.scalars.find((scalar) => scalar.name === name)?.amount ?? 0) < amount
  );
}

/** Whether a pod is known to be on a node just as it is told. */
export function isSamePlace(
  known: { readonly pod: PodRow; readonly nodeName: string } | undefined,
  pod: PodRow,
  nodeName: string,
): boolean {
  return known !== undefined && known.nodeName === nodeName &&
    known.pod.template === pod.template && known.pod.terminating === pod.terminating &&
    known.pod.evicted === pod.evicted;
}

/** @returns one event for each property of the pod that changed; "update" when none did. */
export function podEvents(before: PodRow, after: PodRow, assigned: boolean): ClusterEvent[] {
  const a = before.template.spec;
  const b = after.template.spec;
  const changes: PodChange[] = [];
  if (!sameLabels(a.labels, b.labels)) changes.push("labels");
  if (asksLess(a.requests, b.requests)) changes.push("scaleDown");
  if (a.schedulingGates.length > 0 && b.schedulingGates.length === 0) {
    changes.push("gatesEliminated");
  }
  if (a.tolerations.length !== b.tolerations.length) changes.push("tolerations");
  if (a.devices !== b.devices && !sameJson(a.devices, b.devices)) changes.push("generatedClaims");
  if (changes.length === 0) changes.push("update");
  return changes.map((change) => ({ resource: "pod", change, before, after, assigned }));
}

/** @returns that a pod got a node. */
export function podAdded(after: PodRow): ClusterEvent {
  return { resource: "pod", change: "add", before: null, after, assigned: true };
}

/** @returns that a pod left its node, or the node promised to it. @param upToPriority as there */
export function podGone(before: PodRow, upToPriority?: number): ClusterEvent {
  const event = { resource: "pod", change: "delete", before, after: null } as const;
  return { ...event, assigned: true, upToPriority };
}
