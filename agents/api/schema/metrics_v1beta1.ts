/**
 * The field tables of metrics.k8s.io/v1beta1, in the form of the generated ones.
 * In: nothing. Out: text for `tables.ts`, types. Never: generated; Debian packages no Go source of
 * these types. Source: k8s.io/metrics pkg/apis/metrics/v1beta1 (v0.36), names and numbers.
 */
import type { KubeObject } from "../meta.ts";

export const metrics_v1beta1 = `
ContainerMetrics
 name 1 string !
 usage 2 {}Quantity !
NodeMetrics kind
 metadata 1 meta.v1.ObjectMeta ?
 timestamp 2 Time !
 window 3 Duration !
 usage 4 {}Quantity !
NodeMetricsList kind
 metadata 1 meta.v1.ListMeta ?
 items 2 []NodeMetrics !
PodMetrics kind
 metadata 1 meta.v1.ObjectMeta ?
 timestamp 2 Time !
 window 3 Duration !
 containers 4 []ContainerMetrics !
PodMetricsList kind
 metadata 1 meta.v1.ListMeta ?
 items 2 []PodMetrics !
`;

/** Quantities by resource name. */
export type UsageList = Readonly<Record<"cpu" | "memory", string>>;

export interface ContainerMetrics {
  readonly name: string;
  readonly usage: UsageList;
}

export interface NodeMetrics extends KubeObject {
  readonly timestamp: string;
  readonly window: string;
  readonly usage: UsageList;
}

export interface PodMetrics extends KubeObject {
  readonly timestamp: string;
  readonly window: string;
  readonly containers: readonly ContainerMetrics[];
}
