/**
 * What happened in the cluster, as far as it may make a rejected pod schedulable.
 * In: old and new rows. Out: events, each naming one kind of change.
 * Never: decides; the plugins' hints judge an event, the queue moves pods.
 * Source: Kubernetes v1.36 scheduler framework events.
 */

import type { NodeRow } from "./node_row.ts";
import type { PodRow, Resources } from "./pod_row.ts";

export type NodeChange =
  | "add"
  | "delete"
  | "allocatable"
  | "labels"
  | "taints"
  | "images"
  | "features";
export type PodChange =
  | "add"
  | "delete"
  | "labels"
  | "scaleDown"
  | "gatesEliminated"
  | "tolerations"
  | "update";

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
  }
  /** A claim, volume, class or pod group changed: pods rejected by the plugin try again. */
  | { readonly resource: "volume" }
  | { readonly resource: "podGroup"; readonly group: string }
  /** A claim to devices came or changed; `freed` = it gave its devices back. */
  | { readonly resource: "claim"; readonly key: string; readonly freed: boolean }
  /** Devices or their classes came or changed. */
  | { readonly resource: "devices" }
  /** Tries everything. */
  | { readonly resource: "any"; readonly label: string };

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

/** @returns one event for each property of the node that changed. */
export function nodeEvents(before: NodeRow, after: NodeRow): ClusterEvent[] {
  const changes: NodeChange[] = [];
  if (before.unschedulable && !after.unschedulable) changes.push("taints");
  if (
    !sameJson(before.allocatable, after.allocatable) || before.allowedPods !== after.allowedPods ||
    !sameJson(before.attachLimits, after.attachLimits)
  ) changes.push("allocatable");
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
  if (changes.length === 0) changes.push("update");
  return changes.map((change) => ({ resource: "pod", change, before, after, assigned }));
}
