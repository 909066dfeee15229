/**
 * Rows of metrics.k8s.io/v1beta1: what nodes and pods use, read only; nothing is kept.
 * In: how they print. Out: named rows. Never: behaviour.
 * Source: discovery of metrics-server, whose place this API server takes until one is registered.
 */
import { nodeMetricsRules, podMetricsRules } from "../kinds/metrics/usage.ts";
import type { Resource } from "../resource.ts";
import { defineResource } from "../row.ts";

const group = "metrics.k8s.io";
const version = "v1beta1";

/** Named as nodes are; no singular, so that `node` means the node. */
export const nodeMetrics: Resource = {
  ...defineResource({
    group,
    version,
    kind: "NodeMetrics",
    plural: "nodes",
    scope: "Cluster",
    verbs: ["get", "list"],
    rules: nodeMetricsRules,
  }),
  singular: "",
};

export const podMetrics: Resource = {
  ...defineResource({
    group,
    version,
    kind: "PodMetrics",
    plural: "pods",
    verbs: ["get", "list"],
    rules: podMetricsRules,
  }),
  singular: "",
};

/** All of the group, in order of their names. */
export const metricsRows: readonly Resource[] = [nodeMetrics, podMetrics];
