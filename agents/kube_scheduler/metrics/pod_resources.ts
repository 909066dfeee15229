/**
 * What each pod of the cluster asks for and may use: the lines of /metrics/resources.
 * In: pods as they were seen last. Out: a gauge per pod and resource, requests and limits.
 * Never: counts pods that have ended on their node, or what is zero.
 * Source: pkg/scheduler/metrics/resources (v1.36), whose names and labels are stable.
 */
import { podTotalWithOverhead } from "../../api/kinds/pod/totals.ts";
import { milliOf } from "../../api/quantity.ts";
import type { Pod } from "../../api/schema/generated/core_v1.ts";

const GAUGES = [
  {
    name: "kube_pod_resource_request",
    field: "requests",
    help: "What a pod asks its node for, by resource.",
  },
  {
    name: "kube_pod_resource_limit",
    field: "limits",
    help: "What a pod may use of its node, by resource.",
  },
] as const;

const UNITS: Readonly<Record<string, string>> = {
  cpu: "cores",
  memory: "bytes",
  storage: "bytes",
  "ephemeral-storage": "bytes",
};

/** @returns lines of Prometheus' text format; amounts in cores, bytes or pieces */
export function podResourceLines(pods: readonly Pod[]): readonly string[] {
  const running = pods.filter((pod) => !hasEnded(pod));
  return GAUGES.flatMap(({ name, field, help }) => [
    `# HELP ${name} [STABLE] ${help}`,
    `# TYPE ${name} gauge`,
    ...running.flatMap((pod) =>
      Object.entries(podTotalWithOverhead(pod.spec, field))
        .map(([resource, amount]) => ({ resource, amount: milliOf(amount) / 1000 }))
        .filter(({ amount }) => amount !== 0)
        .map(({ resource, amount }) => `${name}{${labelsOf(pod, resource)}} ${amount}`)
    ),
  ]);
}

/** A pod without a node can't have ended. */
function hasEnded({ spec, status }: Pod): boolean {
  return Boolean(spec.nodeName) && (status?.phase === "Succeeded" || status?.phase === "Failed");
}

function labelsOf({ metadata, spec }: Pod, resource: string): string {
  const labels = {
    namespace: metadata.namespace ?? "",
    pod: metadata.name ?? "",
    node: spec.nodeName ?? "",
    scheduler: spec.schedulerName ?? "",
    priority: spec.priority === undefined ? "" : String(spec.priority),
    resource,
    unit: unitOf(resource),
  };
  return Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`).join();
}

function unitOf(resource: string): string {
  if (resource.startsWith("hugepages-")) return "bytes";
  if (resource.startsWith("attachable-volumes-")) return "integer";
  return UNITS[resource] ?? "";
}
