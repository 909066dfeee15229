/**
 * Rows of scheduling.k8s.io/v1alpha2: pods that are placed together.
 * In: the kinds' rules. Out: named rows. Never: behaviour.
 * Source: upstream's discovery documents (v1.36 with GenericWorkload and GangScheduling on).
 */
import { podGroupRules } from "../kinds/scheduling/pod_group.ts";
import { workloadRules } from "../kinds/scheduling/workload.ts";
import type { Resource } from "../resource.ts";
import { defineResource, partOf } from "../row.ts";

const group = "scheduling.k8s.io";
const version = "v1alpha2";

export const podGroups: Resource = defineResource({
  group,
  version,
  kind: "PodGroup",
  plural: "podgroups",
  subresources: (parent) => [partOf(parent, "status")],
  rules: podGroupRules,
});

export const workloads: Resource = defineResource({
  group,
  version,
  kind: "Workload",
  plural: "workloads",
  rules: workloadRules,
});

/** All of the group, in order of their names. */
export const schedulingRows: readonly Resource[] = [podGroups, workloads];
