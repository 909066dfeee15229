/**
 * Workloads whose pods seek or avoid nodes and each other.
 * In: nothing. Out: test cases, as data. Never: behaviour.
 * Source: affinity/performance-config.yaml of kube-scheduler's scheduler_perf (v1.36).
 */
import type { CreateNodes, Operation, Template, TestCase } from "../workload.ts";
import { nodeDefault, nodeWithName } from "./nodes.ts";
import {
  namespaceOfTeam,
  podAffinity,
  podAffinityByNamespace,
  podAntiAffinity,
  podAntiAffinityByNamespace,
  podDefault,
  podGatedAffinity,
  podLabelled,
  podMatchingAntiAffinity,
  podNodeAffinity,
  podPreferredAffinity,
  podPreferredAffinityByNamespace,
  podPreferredAntiAffinity,
  podPreferredAntiAffinityByNamespace,
} from "./pods.ts";

const plainNodes: CreateNodes = { opcode: "createNodes", count: "$initNodes" };
const zonedNodes: CreateNodes = {
  opcode: "createNodes",
  count: "$initNodes",
  template: nodeDefault,
  label: { key: "topology.kubernetes.io/zone", values: ["zone1"] },
};

/** Pods of one namespace first, then measured ones in another. */
function inTwoNamespaces(nodes: CreateNodes, measured?: Template): Operation[] {
  return [
    nodes,
    { opcode: "createNamespaces", prefix: "sched", count: 2 },
    { opcode: "createPods", count: "$initPods", namespace: "sched-0" },
    {
      opcode: "createPods",
      count: "$measurePods",
      namespace: "sched-1",
      collectMetrics: true,
      ...(measured === undefined ? {} : { template: measured }),
    },
  ];
}

/** Namespaces that a selector finds, each with some pods; then measured ones in another. */
function inManyNamespaces(nodes: CreateNodes): Operation[] {
  const template = namespaceOfTeam;
  return [
    nodes,
    { opcode: "createNamespaces", prefix: "init-ns", count: "$initNamespaces", template },
    { opcode: "createNamespaces", prefix: "measure-ns", count: 1, template },
    {
      opcode: "createPodSets",
      count: "$initNamespaces",
      namespacePrefix: "init-ns",
      createPods: { opcode: "createPods", count: "$initPodsPerNamespace" },
    },
    {
      opcode: "createPods",
      count: "$measurePods",
      namespace: "measure-ns-0",
      collectMetrics: true,
    },
  ];
}

const few = (measurePods: number) => ({ initNodes: 5, initPods: 5, measurePods });
const manyNamespaces = (
  initNodes: number,
  initPodsPerNamespace: number,
  measurePods: number,
) => ({ initNodes, initPodsPerNamespace, initNamespaces: 100, measurePods });
const fewNamespaces = {
  initNodes: 10,
  initPodsPerNamespace: 2,
  initNamespaces: 2,
  measurePods: 6,
};

const nodeAffinity: TestCase = {
  name: "SchedulingNodeAffinity",
  podTemplate: podNodeAffinity,
  operations: [
    zonedNodes,
    { opcode: "createPods", count: "$initPods" },
    { opcode: "createPods", count: "$measurePods", collectMetrics: true },
  ],
  workloads: [
    { name: "5Nodes", params: few(10) },
    {
      name: "5000Nodes_10000Pods",
      params: { initNodes: 5000, initPods: 5000, measurePods: 10_000 },
      floor: 6000,
    },
  ],
};

const antiAffinity: TestCase = {
  name: "SchedulingPodAntiAffinity",
  podTemplate: podAntiAffinity,
  operations: inTwoNamespaces(plainNodes),
  workloads: [
    { name: "5Nodes", params: { initNodes: 5, initPods: 1, measurePods: 4 } },
    {
      name: "5000Nodes_2000Pods",
      params: { initNodes: 5000, initPods: 1000, measurePods: 2000 },
      floor: 3000,
    },
  ],
};

const matchingAntiAffinity: TestCase = {
  name: "SchedulingPodMatchingAntiAffinity",
  podTemplate: podAntiAffinity,
  operations: inTwoNamespaces(plainNodes, podMatchingAntiAffinity),
  workloads: [
    { name: "5Nodes", params: { initNodes: 5, initPods: 1, measurePods: 4 } },
    {
      name: "5000Nodes_5000Pods",
      params: { initNodes: 5000, initPods: 1000, measurePods: 5000 },
    },
  ],
};

const FIVE_THOUSAND = { initNodes: 5000, initPods: 5000, measurePods: 5000 } as const;

/** A case of two namespaces with upstream's usual numbers. */
function paired(name: string, podTemplate: Template, nodes: CreateNodes): TestCase {
  return {
    name,
    podTemplate,
    operations: inTwoNamespaces(nodes),
    workloads: [
      { name: "5Nodes", params: few(10) },
      { name: "5000Nodes_5000Pods", params: FIVE_THOUSAND, floor: 3000 },
    ],
  };
}

const mixed: TestCase = {
  name: "MixedSchedulingBasePod",
  podTemplate: podDefault,
  operations: [
    zonedNodes,
    { opcode: "createNamespaces", prefix: "sched", count: 1 },
    ...[
      podDefault,
      podAffinity,
      podAntiAffinity,
      podPreferredAffinity,
      podPreferredAntiAffinity,
    ].map((template): Operation => ({
      opcode: "createPods",
      count: "$initPods",
      namespace: "sched-0",
      template,
    })),
    { opcode: "createPods", count: "$measurePods", collectMetrics: true },
  ],
  workloads: [
    { name: "5Nodes", params: { initNodes: 5, initPods: 2, measurePods: 10 } },
    {
      name: "5000Nodes_5000Pods",
      params: { initNodes: 5000, initPods: 2000, measurePods: 5000 },
      floor: 4000,
    },
  ],
};

const gated: TestCase = {
  name: "SchedulingGatedPodsWithPodAffinityImpactForThroughput",
  podTemplate: podLabelled,
  operations: [
    { opcode: "createNodes", count: 1, template: nodeWithName },
    {
      opcode: "createPods",
      count: "$gatedPods",
      template: podGatedAffinity,
      skipWaitToCompletion: true,
    },
    { opcode: "barrier", stageRequirement: "Attempted" },
    { opcode: "createPods", count: "$measurePods", collectMetrics: true },
  ],
  workloads: [
    { name: "1Node_10GatedPods", params: { gatedPods: 10, measurePods: 10 } },
    { name: "1Node_10000GatedPods", params: { gatedPods: 10_000, measurePods: 20_000 } },
  ],
};

/** A case of namespaces chosen by label. */
function selecting(options: {
  readonly name: string;
  readonly podTemplate: Template;
  readonly nodes?: CreateNodes;
  readonly large: { readonly name: string; readonly params: Readonly<Record<string, number>> };
}): TestCase {
  const { name, podTemplate, nodes = plainNodes, large } = options;
  const workloads = [{ name: "10Nodes", params: fewNamespaces }, large];
  return { name, podTemplate, operations: inManyNamespaces(nodes), workloads };
}

export const AFFINITY: readonly TestCase[] = [
  nodeAffinity,
  antiAffinity,
  matchingAntiAffinity,
  paired("SchedulingPodAffinity", podAffinity, zonedNodes),
  paired("SchedulingPreferredPodAffinity", podPreferredAffinity, plainNodes),
  paired("SchedulingPreferredPodAntiAffinity", podPreferredAntiAffinity, plainNodes),
  mixed,
  gated,
  selecting({
    name: "SchedulingRequiredPodAntiAffinityWithNSSelector",
    podTemplate: podAntiAffinityByNamespace,
    large: { name: "5000Nodes_2000Pods", params: manyNamespaces(6000, 40, 2000) },
  }),
  selecting({
    name: "SchedulingPreferredAntiAffinityWithNSSelector",
    podTemplate: podPreferredAntiAffinityByNamespace,
    large: { name: "5000Nodes_2000Pods", params: manyNamespaces(5000, 40, 2000) },
  }),
  selecting({
    name: "SchedulingRequiredPodAffinityWithNSSelector",
    podTemplate: podAffinityByNamespace,
    nodes: zonedNodes,
    large: { name: "5000Nodes_2000Pods", params: manyNamespaces(5000, 50, 2000) },
  }),
  selecting({
    name: "SchedulingPreferredAffinityWithNSSelector",
    podTemplate: podPreferredAffinityByNamespace,
    large: { name: "5000Nodes_5000Pods", params: manyNamespaces(5000, 50, 5000) },
  }),
];
