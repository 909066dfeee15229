/**
 * A node as the scheduler sees it.
 * In: nothing. Out: types.
 * Never: knows of conditions or addresses; a node that is not ready arrives here as taints.
 * Source: Kubernetes v1.36 core/v1 NodeSpec and NodeStatus.
 */

import type { DriverVolume, Labels, Resources } from "./pod_row.ts";

export interface Taint {
  readonly key: string;
  readonly value: string;
  readonly effect: string;
}

export interface NodeImage {
  /** Every name that the node knows the image by, normalised. */
  readonly names: readonly string[];
  readonly sizeBytes: number;
}

export interface NodeRow {
  readonly name: string;
  readonly labels: Labels;
  readonly taints: readonly Taint[];
  readonly unschedulable: boolean;
  readonly allocatable: Resources;
  /** How many pods the node takes. */
  readonly allowedPods: number;
  readonly images: readonly NodeImage[];
  /** Volumes that each CSI driver may attach; a driver not named has no limit. */
  readonly attachLimits: Readonly<Record<string, number>>;
  /** Each volume attached to the node, whether a pod uses it or not. */
  readonly attached: readonly DriverVolume[];
  /** What its kubelet says it can do beyond what all can. */
  readonly declaredFeatures: readonly string[];
}

/** A node that offers nothing, to be spread into others. */
export const EMPTY_NODE: NodeRow = {
  name: "",
  labels: {},
  taints: [],
  unschedulable: false,
  allocatable: { cpuMilli: 0, memoryBytes: 0, ephemeralBytes: 0, scalars: [] },
  allowedPods: 0,
  images: [],
  attachLimits: {},
  attached: [],
  declaredFeatures: [],
};
