/**
 * The table of resources: one row for each collection that the API serves.
 * In: the kinds' rules. Out: named rows for code, and look-up by path for the API server.
 * Never: behaviour. Source: upstream's discovery documents (v1.36).
 */
import { daemonSetRules } from "./kinds/apps/daemon_set.ts";
import { deploymentRules } from "./kinds/apps/deployment.ts";
import { replicaSetRules } from "./kinds/apps/replica_set.ts";
import { statefulSetRules } from "./kinds/apps/stateful_set.ts";
import { cronJobRules } from "./kinds/batch/cron_job.ts";
import { jobRules } from "./kinds/batch/job.ts";
import { componentStatusRules } from "./kinds/core/component_status.ts";
import { configMapRules, secretRules, serviceAccountRules } from "./kinds/core/config.ts";
import { endpointsRules } from "./kinds/core/endpoints.ts";
import { eventRules, eventStoredAs, eventV1Rules } from "./kinds/core/event.ts";
import { namespaceRules } from "./kinds/core/namespace.ts";
import { nodeRules } from "./kinds/core/node.ts";
import { replicationControllerRules } from "./kinds/core/replication_controller.ts";
import { serviceRules } from "./kinds/core/service.ts";
import { disruptionBudgetRules } from "./kinds/other/disruption_budget.ts";
import { endpointSliceRules } from "./kinds/other/endpoint_slice.ts";
import { leaseRules } from "./kinds/other/lease.ts";
import { priorityClassRules } from "./kinds/other/priority_class.ts";
import { podRules } from "./kinds/pod/pod.ts";
import type { Resource } from "./resource.ts";
import { defineResource, partOf, scaleOf, subresource } from "./row.ts";
import { accessRows } from "./rows/access.ts";
import { autoscalers, autoscalersV1 } from "./rows/autoscaling.ts";
import {
  controllerRevisions,
  limitRanges,
  podTemplates,
  resourceQuotas,
  runtimeClasses,
} from "./rows/core.ts";
import { deviceRows } from "./rows/devices.ts";
import { extensionRows } from "./rows/extensions.ts";
import { metricsRows } from "./rows/metrics.ts";
import { networkingRows } from "./rows/networking.ts";
import { schedulingRows } from "./rows/scheduling.ts";
import { persistentVolumeClaims, persistentVolumes, storageRows } from "./rows/storage.ts";

export * from "./rows/access.ts";
export * from "./rows/autoscaling.ts";
export * from "./rows/core.ts";
export * from "./rows/devices.ts";
export * from "./rows/extensions.ts";
export * from "./rows/metrics.ts";
export * from "./rows/networking.ts";
export * from "./rows/scheduling.ts";
export * from "./rows/storage.ts";

export const namespaces: Resource = defineResource({
  kind: "Namespace",
  plural: "namespaces",
  shortNames: ["ns"],
  scope: "Cluster",
  verbs: ["create", "delete", "get", "list", "patch", "update", "watch"],
  subresources: (parent) => [partOf(parent, "finalize", ["update"]), partOf(parent, "status")],
  rules: namespaceRules,
});

export const nodes: Resource = defineResource({
  kind: "Node",
  plural: "nodes",
  shortNames: ["no"],
  scope: "Cluster",
  subresources: (parent) => [
    subresource("proxy", "/v1/NodeProxyOptions", ["create", "delete", "get", "patch", "update"]),
    partOf(parent, "status"),
  ],
  rules: nodeRules,
});

export const pods: Resource = defineResource({
  kind: "Pod",
  plural: "pods",
  shortNames: ["po"],
  categories: ["all"],
  subresources: (parent) => [
    subresource("attach", "/v1/PodAttachOptions", ["create", "get"]),
    subresource("binding", "/v1/Binding", ["create"]),
    partOf(parent, "ephemeralcontainers"),
    subresource("eviction", "policy/v1/Eviction", ["create"]),
    subresource("exec", "/v1/PodExecOptions", ["create", "get"]),
    partOf(parent, "log", ["get"]),
    subresource("portforward", "/v1/PodPortForwardOptions", ["create", "get"]),
    subresource("proxy", "/v1/PodProxyOptions", ["create", "delete", "get", "patch", "update"]),
    partOf(parent, "resize"),
    partOf(parent, "status"),
  ],
  rules: podRules,
});

export const services: Resource = defineResource({
  kind: "Service",
  plural: "services",
  shortNames: ["svc"],
  categories: ["all"],
  subresources: (parent) => [
    subresource("proxy", "/v1/ServiceProxyOptions", [
      "create",
      "delete",
      "get",
      "patch",
      "update",
    ]),
    partOf(parent, "status"),
  ],
  rules: serviceRules,
});

export const endpoints: Resource = defineResource({
  kind: "Endpoints",
  plural: "endpoints",
  shortNames: ["ep"],
  rules: endpointsRules,
  deprecation: "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
});

export const configMaps: Resource = defineResource({
  kind: "ConfigMap",
  plural: "configmaps",
  shortNames: ["cm"],
  rules: configMapRules,
});

export const secrets: Resource = defineResource({
  kind: "Secret",
  plural: "secrets",
  rules: secretRules,
});

export const replicationControllers: Resource = defineResource({
  kind: "ReplicationController",
  plural: "replicationcontrollers",
  shortNames: ["rc"],
  categories: ["all"],
  subresources: (parent) => [scaleOf(), partOf(parent, "status")],
  rules: replicationControllerRules,
});

export const serviceAccounts: Resource = defineResource({
  kind: "ServiceAccount",
  plural: "serviceaccounts",
  shortNames: ["sa"],
  subresources: () => [subresource("token", "authentication.k8s.io/v1/TokenRequest", ["create"])],
  rules: serviceAccountRules,
});

export const events: Resource = defineResource({
  kind: "Event",
  plural: "events",
  shortNames: ["ev"],
  rules: eventRules,
});

/** The newer face of the same objects. */
export const eventsV1: Resource = defineResource({
  group: "events.k8s.io",
  kind: "Event",
  plural: "events",
  shortNames: ["ev"],
  rules: eventV1Rules,
  storedAs: eventStoredAs,
});

export const deployments: Resource = defineResource({
  group: "apps",
  kind: "Deployment",
  plural: "deployments",
  shortNames: ["deploy"],
  categories: ["all"],
  subresources: (parent) => [scaleOf(), partOf(parent, "status")],
  rules: deploymentRules,
});

export const replicaSets: Resource = defineResource({
  group: "apps",
  kind: "ReplicaSet",
  plural: "replicasets",
  shortNames: ["rs"],
  categories: ["all"],
  subresources: (parent) => [scaleOf(), partOf(parent, "status")],
  rules: replicaSetRules,
});

export const daemonSets: Resource = defineResource({
  group: "apps",
  kind: "DaemonSet",
  plural: "daemonsets",
  shortNames: ["ds"],
  categories: ["all"],
  subresources: (parent) => [partOf(parent, "status")],
  rules: daemonSetRules,
});

export const statefulSets: Resource = defineResource({
  group: "apps",
  kind: "StatefulSet",
  plural: "statefulsets",
  shortNames: ["sts"],
  categories: ["all"],
  subresources: (parent) => [scaleOf(), partOf(parent, "status")],
  rules: statefulSetRules,
});

export const jobs: Resource = defineResource({
  group: "batch",
  kind: "Job",
  plural: "jobs",
  categories: ["all"],
  subresources: (parent) => [partOf(parent, "status")],
  rules: jobRules,
});

export const cronJobs: Resource = defineResource({
  group: "batch",
  kind: "CronJob",
  plural: "cronjobs",
  shortNames: ["cj"],
  categories: ["all"],
  subresources: (parent) => [partOf(parent, "status")],
  rules: cronJobRules,
});

export const disruptionBudgets: Resource = defineResource({
  group: "policy",
  kind: "PodDisruptionBudget",
  plural: "poddisruptionbudgets",
  shortNames: ["pdb"],
  subresources: (parent) => [partOf(parent, "status")],
  rules: disruptionBudgetRules,
});

export const leases: Resource = defineResource({
  group: "coordination.k8s.io",
  kind: "Lease",
  plural: "leases",
  rules: leaseRules,
});

export const endpointSlices: Resource = defineResource({
  group: "discovery.k8s.io",
  kind: "EndpointSlice",
  plural: "endpointslices",
  rules: endpointSliceRules,
});

export const priorityClasses: Resource = defineResource({
  group: "scheduling.k8s.io",
  kind: "PriorityClass",
  plural: "priorityclasses",
  shortNames: ["pc"],
  scope: "Cluster",
  rules: priorityClassRules,
});

/** Every stored collection, core first. */
export const resources: readonly Resource[] = [
  configMaps,
  endpoints,
  events,
  limitRanges,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  podTemplates,
  replicationControllers,
  resourceQuotas,
  secrets,
  serviceAccounts,
  services,
  controllerRevisions,
  daemonSets,
  deployments,
  replicaSets,
  statefulSets,
  autoscalers,
  autoscalersV1,
  cronJobs,
  jobs,
  leases,
  endpointSlices,
  eventsV1,
  disruptionBudgets,
  priorityClasses,
  runtimeClasses,
  ...networkingRows,
  ...accessRows,
  ...extensionRows,
  ...deviceRows,
  ...schedulingRows,
  ...storageRows,
];

const review = (group: string, kind: string, scope: "Namespaced" | "Cluster" = "Cluster") =>
  defineResource({ group, kind, plural: `${kind.toLowerCase()}s`, scope, verbs: ["create"] });

const AUTHORIZATION = "authorization.k8s.io";

/** Whose a token is; asked by servers that know none themselves. */
export const tokenReviews: Resource = review("authentication.k8s.io", "TokenReview");

/** What somebody else may do; asked by servers that authorize by this one's rules. */
export const subjectAccessReviews: Resource = review(AUTHORIZATION, "SubjectAccessReview");

/** The health of what the cluster is made of; read only, and nothing is kept. */
export const componentStatuses: Resource = defineResource({
  kind: "ComponentStatus",
  plural: "componentstatuses",
  shortNames: ["cs"],
  scope: "Cluster",
  verbs: ["get", "list"],
  rules: componentStatusRules,
  deprecation: "v1 ComponentStatus is deprecated in v1.19+",
});

/** Collections that are answered without a store behind them. */
export const virtualResources: readonly Resource[] = [
  defineResource({ kind: "Binding", plural: "bindings", verbs: ["create"] }),
  componentStatuses,
  review("authentication.k8s.io", "SelfSubjectReview"),
  tokenReviews,
  review(AUTHORIZATION, "LocalSubjectAccessReview", "Namespaced"),
  review(AUTHORIZATION, "SelfSubjectAccessReview"),
  review(AUTHORIZATION, "SelfSubjectRulesReview"),
  subjectAccessReviews,
  ...metricsRows,
];

const byPath = new Map<string, Resource>();
for (const resource of [...resources, ...virtualResources]) {
  byPath.set(`${resource.group}/${resource.version}/${resource.plural}`, resource);
}

/**
 * The row behind a path.
 * @param group "" for core.
 * @param plural as it stands in the path, such as `pods`.
 */
export function findResource(group: string, version: string, plural: string): Resource | undefined {
  return byPath.get(`${group}/${version}/${plural}`);
}

/** The row of a kind, as manifests name it. */
export function findKind(group: string, version: string, kind: string): Resource | undefined {
  for (const resource of byPath.values()) {
    if (resource.kind === kind && resource.group === group && resource.version === version) {
      return resource;
    }
  }
  return undefined;
}
