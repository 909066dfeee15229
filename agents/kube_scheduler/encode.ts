/**
 * API objects to rows: the only file that knows both languages.
 * In: Pod, Node and PodDisruptionBudget objects. Out: `PodSpecRow`, `PodRow`, `NodeRow`, budgets.
 * Never: decides, or defaults what the API server defaults; an absent field gets its documented
 * value.
 * Source: core/v1 and policy/v1 (v1.36).
 */
import type { LabelSelector } from "../api/meta.ts";
import { parseMillis } from "../api/time.ts";
import { EMPTY_NODE, NO_SURROUNDINGS } from "../../scheduler/mod.ts";
import type {
  DisruptionBudget,
  GroupPolicy,
  HostPort,
  NodeRow,
  NodeTerm,
  PodRow,
  PodSpecRow,
  PodTemplate,
  PodTerm,
  Requirement,
  SpreadConstraint,
  WeightedPodTerm,
} from "../../scheduler/mod.ts";
import type {
  Container,
  Node,
  NodeRequirement,
  NodeSelectorTerm,
  Pod,
  PodAffinityTerm,
  PodDisruptionBudget,
  PodGroup,
  TopologySpreadConstraint,
  WeightedPodAffinityTerm,
} from "./kinds.ts";
import { nodeAllocatable, nonzeroRequests, podRequests } from "./requests.ts";
import type { NodeStorageRow } from "./storage/node_storage.ts";

/** @returns requirements of a map of labels, sorted by key so that equal maps encode equally. */
export function encodeLabelMap(
  labels: Readonly<Record<string, string>> | undefined,
): Requirement[] {
  return Object.entries(labels ?? {})
    .sort(([a], [b]) => a < b ? -1 : 1)
    .map(([key, value]) => ({ key, operator: "In" as const, values: [value] }));
}

/** @returns requirements of a selector; null, which matches nothing, for an absent one. */
export function encodeSelector(selector: LabelSelector | undefined): readonly Requirement[] | null {
  if (selector === undefined || selector === null) return null;
  const expressions = (selector.matchExpressions ?? []).map(({ key, operator, values }) => ({
    key,
    operator,
    values: values ?? [],
  }));
  return [...encodeLabelMap(selector.matchLabels), ...expressions];
}

function encodeRequirements(requirements: readonly NodeRequirement[] | undefined): Requirement[] {
  return (requirements ?? []).map(({ key, operator, values }) => ({
    key,
    operator,
    values: values ?? [],
  }));
}

export function encodeNodeTerm(term: NodeSelectorTerm): NodeTerm {
  return {
    expressions: encodeRequirements(term.matchExpressions),
    fields: encodeRequirements(term.matchFields),
  };
}

function encodePodTerm(term: PodAffinityTerm, namespace: string): PodTerm {
  const named = term.namespaces ?? [];
  const namespaceSelector = encodeSelector(term.namespaceSelector);
  const own = named.length === 0 && namespaceSelector === null;
  return {
    topologyKey: term.topologyKey,
    namespaces: own ? [namespace] : [...named].sort(),
    namespaceSelector,
    selector: encodeSelector(term.labelSelector),
  };
}

function encodeWeighted(
  terms: readonly WeightedPodAffinityTerm[] | undefined,
  namespace: string,
): WeightedPodTerm[] {
  return (terms ?? []).map(({ weight, podAffinityTerm }) => ({
    weight,
    term: encodePodTerm(podAffinityTerm, namespace),
  }));
}

function encodeSpread(
  constraint: TopologySpreadConstraint,
  labels: Readonly<Record<string, string>>,
): SpreadConstraint {
  const selector = encodeSelector(constraint.labelSelector);
  const pinned = (constraint.matchLabelKeys ?? []).filter((key) => Object.hasOwn(labels, key));
  const added = pinned.map((key) => ({ key, operator: "In" as const, values: [labels[key]] }));
  return {
    maxSkew: constraint.maxSkew,
    topologyKey: constraint.topologyKey,
    whenUnsatisfiable: constraint.whenUnsatisfiable,
    selector: selector === null ? null : [...added, ...selector],
    minDomains: constraint.minDomains ?? 1,
    nodeAffinityPolicy: constraint.nodeAffinityPolicy ?? "Honor",
    nodeTaintsPolicy: constraint.nodeTaintsPolicy ?? "Ignore",
  };
}

function encodeHostPorts(containers: readonly Container[], sidecars: readonly Container[]) {
  const ports: HostPort[] = [];
  for (const container of [...containers, ...sidecars]) {
    for (const { hostPort = 0, hostIP, protocol } of container.ports ?? []) {
      if (hostPort <= 0) continue;
      ports.push({ ip: hostIP || "0.0.0.0", protocol: protocol || "TCP", port: hostPort });
    }
  }
  return ports;
}

/** @returns the image's name with the tag that an untagged one stands for. */
export function normaliseImage(image: string): string {
  return image.lastIndexOf(":") <= image.lastIndexOf("/") ? `${image}:latest` : image;
}

function encodeImages(pod: Pod): string[] {
  const { containers, initContainers = [], volumes = [] } = pod.spec;
  return [
    ...[...initContainers, ...containers].map(({ image }) => normaliseImage(image ?? "")),
    ...volumes.flatMap(({ image }) => image ? [normaliseImage(image.reference ?? "")] : []),
  ];
}

/** @returns everything about a pod that its scheduling depends on, without the pod's identity. */
export function encodeSpec(pod: Pod, surroundings = NO_SURROUNDINGS): PodSpecRow {
  const { spec, metadata } = pod;
  const namespace = metadata.namespace ?? "";
  const labels = metadata.labels ?? {};
  const { nodeAffinity, podAffinity, podAntiAffinity } = spec.affinity ?? {};
  const required = nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const preferred = nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  const nonzero = nonzeroRequests(pod);
  const sidecars = (spec.initContainers ?? []).filter((it) => it.restartPolicy === "Always");
  const podTerms = (terms: readonly PodAffinityTerm[] | undefined) =>
    (terms ?? []).map((term) => encodePodTerm(term, namespace));
  return {
    namespace,
    labels,
    priority: spec.priority ?? 0,
    mayPreempt: spec.preemptionPolicy !== "Never",
    requests: podRequests(pod),
    nonzeroCpuMilli: nonzero.cpuMilli,
    nonzeroMemoryBytes: nonzero.memoryBytes,
    // A pod that has its node is never scheduled, so the name is no demand.
    requiredNode: "",
    nodeSelector: spec.nodeSelector ?? null,
    requiredNodeTerms: required?.nodeSelectorTerms.map(encodeNodeTerm) ?? null,
    preferredNodeTerms: preferred.map(({ weight, preference }) => ({
      weight,
      term: encodeNodeTerm(preference),
    })),
    tolerations: (spec.tolerations ?? []).map(({ key, operator, value, effect }) => ({
      key: key ?? "",
      operator: operator ?? "",
      value: value ?? "",
      effect: effect ?? "",
    })),
    hostPorts: encodeHostPorts(spec.containers, sidecars),
    images: encodeImages(pod),
    containerCount: spec.containers.length + (spec.initContainers?.length ?? 0),
    spread: (spec.topologySpreadConstraints ?? []).map((it) => encodeSpread(it, labels)),
    defaultSpreadSelector: surroundings.defaultSpreadSelector,
    requiredAffinity: podTerms(podAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    requiredAntiAffinity: podTerms(podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    preferredAffinity: encodeWeighted(
      podAffinity?.preferredDuringSchedulingIgnoredDuringExecution,
      namespace,
    ),
    preferredAntiAffinity: encodeWeighted(
      podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution,
      namespace,
    ),
    schedulingGates: (spec.schedulingGates ?? []).map(({ name }) => name),
    volumes: surroundings.volumes,
    devices: surroundings.devices,
    requiredFeatures: requiredFeatures(pod),
  };
}

/** @returns names under which kubelets declare what the pod needs of them. */
function requiredFeatures({ spec }: Pod): string[] {
  const needed: string[] = [];
  const restartsAll = [...spec.containers, ...spec.initContainers ?? []].some((container) =>
    container.restartPolicyRules?.some(({ action }) => action === "RestartAllContainers")
  );
  if (restartsAll) needed.push("RestartAllContainersOnContainerExits");
  if (spec.hostNetwork && spec.hostUsers === false) needed.push("UserNamespacesHostNetworkSupport");
  return needed;
}

function isEvicted(pod: Pod): boolean {
  if (pod.metadata.deletionTimestamp === undefined) return false;
  const target = pod.status?.conditions?.find(({ type }) => type === "DisruptionTarget");
  return target?.status === "True" && target.reason === "PreemptionByScheduler";
}

function groupOf({ metadata, spec }: Pod): string {
  const name = spec.schedulingGroup?.podGroupName;
  return name ? `${metadata.namespace}/${name}` : "";
}

/** @returns what a pod group asks for; 0 = its pods need not start together. */
export function encodeGroup(group: PodGroup): GroupPolicy {
  const { schedulingPolicy, schedulingConstraints } = group.spec ?? {};
  return {
    minCount: schedulingPolicy?.gang?.minCount ?? 0,
    topologyKey: schedulingConstraints?.topology?.[0]?.key ?? "",
  };
}

/** @returns the row of one pod with its interned spec. */
export function encodePod(pod: Pod, template: PodTemplate): PodRow {
  const { metadata, status } = pod;
  const startMs = parseMillis(status?.startTime);
  return {
    uid: metadata.uid ?? "",
    name: metadata.name ?? "",
    template,
    terminating: metadata.deletionTimestamp !== undefined,
    evicted: isEvicted(pod),
    nominatedNode: status?.nominatedNodeName ?? "",
    startMs: Number.isNaN(startMs) ? 0 : startMs,
    group: groupOf(pod),
  };
}

/** @returns whether a pod is over: it holds nothing of its node any more. */
export function isFinished(pod: Pod): boolean {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
}

/** @param storage what is known of it elsewhere than in the node itself. */
export function encodeNode(
  node: Node,
  { attachLimits, attached }: NodeStorageRow = EMPTY_NODE,
): NodeRow {
  const { metadata, spec, status } = node;
  return {
    name: metadata.name ?? "",
    labels: metadata.labels ?? {},
    taints: (spec?.taints ?? []).map(({ key, value, effect }) => ({
      key,
      value: value ?? "",
      effect,
    })),
    unschedulable: spec?.unschedulable ?? false,
    ...nodeAllocatable(status?.allocatable),
    images: (status?.images ?? []).map(({ names, sizeBytes }) => ({
      names: names ?? [],
      sizeBytes: sizeBytes ?? 0,
    })),
    attachLimits,
    attached,
    declaredFeatures: status?.declaredFeatures ?? [],
  };
}

export function encodeBudget(budget: PodDisruptionBudget): DisruptionBudget {
  return {
    namespace: budget.metadata.namespace ?? "",
    selector: encodeSelector(budget.spec?.selector),
    disruptionsAllowed: budget.status?.disruptionsAllowed ?? 0,
    disruptedPods: Object.keys(budget.status?.disruptedPods ?? {}),
  };
}
