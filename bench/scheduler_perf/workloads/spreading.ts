/**
 * Workloads whose pods spread over zones or nodes, and workloads with volumes.
 * In: nothing. Out: test cases, as data. Never: behaviour.
 * Source: topology_spreading/ and volumes/performance-config.yaml of scheduler_perf (v1.36).
 */
import type { CreateNodes, CreatePods, Operation, Template, TestCase } from "../workload.ts";
import { nodeDefault, nodeWithTaint } from "./nodes.ts";
import {
  claim,
  podDefault,
  podHighPriority,
  podLabelled,
  podLowPriority,
  podNodeInclusion,
  podPreferredSpread,
  podSecretVolume,
  podSpread,
  serviceDefault,
  volumeCsi,
  volumeInTree,
} from "./pods.ts";

const zonedNodes: CreateNodes = {
  opcode: "createNodes",
  count: "$initNodes",
  template: nodeDefault,
  label: { key: "topology.kubernetes.io/zone", values: ["moon-1", "moon-2", "moon-3"] },
};
const plainNodes: CreateNodes = { opcode: "createNodes", count: "$initNodes" };
const firstPods: Operation = { opcode: "createPods", count: "$initPods", template: podDefault };

function spreading(name: string, template: Template): TestCase {
  return {
    name,
    operations: [
      zonedNodes,
      firstPods,
      { opcode: "createPods", count: "$measurePods", template, collectMetrics: true },
    ],
    workloads: [
      { name: "5Nodes", params: { initNodes: 5, initPods: 10, measurePods: 10 } },
      {
        name: "5000Nodes_5000Pods",
        params: { initNodes: 5000, initPods: 5000, measurePods: 5000 },
        floor: 4000,
      },
    ],
  };
}

const byDefault: TestCase = {
  name: "DefaultTopologySpreading",
  operations: [
    zonedNodes,
    { opcode: "createAny", namespace: "service-ns", template: serviceDefault },
    firstPods,
    {
      opcode: "createPods",
      namespace: "service-ns",
      count: "$measurePods",
      template: podLabelled,
      collectMetrics: true,
    },
  ],
  workloads: [
    { name: "5Nodes", params: { initNodes: 5, initPods: 10, measurePods: 10 } },
    {
      name: "5000Nodes_10000Pods",
      params: { initNodes: 5000, initPods: 5000, measurePods: 10_000 },
    },
  ],
};

const nodeInclusion: TestCase = {
  name: "SchedulingWithNodeInclusionPolicy",
  podTemplate: podNodeInclusion,
  operations: [
    { opcode: "createNodes", count: "$normalNodes" },
    { opcode: "createNodes", count: "$taintNodes", template: nodeWithTaint },
    { opcode: "createPods", count: "$measurePods", collectMetrics: true },
  ],
  workloads: [
    { name: "5Nodes", params: { taintNodes: 1, normalNodes: 4, measurePods: 4 } },
    { name: "5000Nodes", params: { taintNodes: 1000, normalNodes: 4000, measurePods: 4000 } },
  ],
};

const secrets: TestCase = {
  name: "SchedulingSecrets",
  podTemplate: podSecretVolume,
  operations: [
    plainNodes,
    { opcode: "createPods", count: "$initPods" },
    { opcode: "createPods", count: "$measurePods", collectMetrics: true },
  ],
  workloads: [
    { name: "5Nodes", params: { initNodes: 5, initPods: 5, measurePods: 10 } },
    {
      name: "5000Nodes_10000Pods",
      params: { initNodes: 5000, initPods: 1000, measurePods: 10_000 },
      floor: 3000,
    },
  ],
};

const attachable = { driver: "ebs.csi.aws.com", count: 39 } as const;

function withVolumes(options: {
  readonly name: string;
  readonly nodes: CreateNodes;
  readonly volume: Template;
  readonly large: { readonly name: string; readonly initPods: number; measurePods: number };
}): TestCase {
  const { name, nodes, large: { name: largeName, ...pods } } = options;
  const volume = { volume: options.volume, claim };
  const createPods = { opcode: "createPods", template: podDefault, volume } as const;
  const measured: CreatePods = { ...createPods, count: "$measurePods", collectMetrics: true };
  return {
    name,
    operations: [nodes, { ...createPods, count: "$initPods" }, measured],
    workloads: [
      { name: "5Nodes", params: { initNodes: 5, initPods: 5, measurePods: 10 } },
      { name: largeName, params: { initNodes: 5000, ...pods }, floor: 3000 },
    ],
  };
}

const preemptionVolumes: TestCase = {
  name: "PreemptionPVs",
  operations: [
    plainNodes,
    { opcode: "createPods", count: "$initPods", template: podLowPriority },
    {
      opcode: "createPods",
      count: "$measurePods",
      template: podHighPriority,
      volume: { volume: volumeInTree, claim },
      collectMetrics: true,
    },
  ],
  workloads: [
    { name: "5Nodes", params: { initNodes: 5, initPods: 20, measurePods: 5 } },
    { name: "1000Nodes", params: { initNodes: 1000, initPods: 4000, measurePods: 1000 } },
  ],
};

export const SPREADING: readonly TestCase[] = [
  spreading("TopologySpreading", podSpread),
  spreading("PreferredTopologySpreading", podPreferredSpread),
  byDefault,
  nodeInclusion,
];

export const VOLUMES: readonly TestCase[] = [
  secrets,
  withVolumes({
    name: "SchedulingInTreePVs",
    nodes: plainNodes,
    volume: volumeInTree,
    large: { name: "5000Nodes_2000Pods", initPods: 1000, measurePods: 2000 },
  }),
  withVolumes({
    name: "SchedulingCSIPVs",
    nodes: { ...plainNodes, attachable },
    volume: volumeCsi,
    large: { name: "5000Nodes_5000Pods", initPods: 5000, measurePods: 5000 },
  }),
  preemptionVolumes,
];
