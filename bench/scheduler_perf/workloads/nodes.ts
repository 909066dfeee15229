/**
 * The nodes of the workloads.
 * In: nothing. Out: templates, as data. Never: kubelets; nodes are objects that stay as they are.
 * Source: the templates of kube-scheduler's scheduler_perf (v1.36).
 */
import type { Template } from "../workload.ts";

function node(
  metadata: Template["metadata"],
  capacity: Readonly<Record<string, string>>,
  spec: object = {},
): Template {
  const conditions = [{ type: "Ready", status: "True" }];
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata,
    spec,
    status: { capacity, conditions, phase: "Running" },
  };
}

const CAPACITY = { pods: "110", cpu: "4", memory: "32Gi" } as const;

export const nodeDefault = node({ generateName: "scheduler-perf-" }, CAPACITY);
export const nodeWithName = node(
  { name: "scheduler-perf-node" },
  { ...CAPACITY, pods: "90000" },
);
export const nodeWithTaint = node({ generateName: "taint-node-" }, CAPACITY, {
  taints: [{ key: "foo", effect: "NoSchedule" }],
});
export const nodeChurn = node({ generateName: "node-churn-" }, { pods: "0" });
