/**
 * Workloads without ties between pods: plain pods, one node for all, churn, gates, preemption.
 * In: nothing. Out: test cases, as data. Never: behaviour.
 * Source: misc/performance-config.yaml of kube-scheduler's scheduler_perf (v1.36).
 */
import type { TestCase } from "../workload.ts";
import { nodeChurn, nodeDefault, nodeWithName } from "./nodes.ts";
import {
  podDaemonSet,
  podDefault,
  podFinalizer,
  podGated,
  podHighPriority,
  podHighPriorityLarge,
  podLight,
  podLowPriority,
  serviceChurn,
} from "./pods.ts";

const basic: TestCase = {
  name: "SchedulingBasic",
  podTemplate: podDefault,
  operations: [
    { opcode: "createNodes", count: "$initNodes" },
    { opcode: "createPods", count: "$initPods" },
    { opcode: "createPods", count: "$measurePods", collectMetrics: true },
  ],
  workloads: [
    { name: "5Nodes", params: { initNodes: 5, initPods: 5, measurePods: 10 } },
    { name: "500Nodes", params: { initNodes: 500, initPods: 500, measurePods: 1000 } },
    { name: "5000Nodes", params: { initNodes: 5000, initPods: 1000, measurePods: 1000 } },
    {
      name: "5000Nodes_10000Pods",
      params: { initNodes: 5000, initPods: 1000, measurePods: 10_000 },
      floor: 8000,
      httpsFloor: 2500,
    },
    {
      name: "5000Nodes_50000Pods",
      params: { initNodes: 5000, initPods: 5000, measurePods: 50_000 },
      floor: 8000,
    },
    {
      name: "100000Nodes_100000Pods",
      params: { initNodes: 100_000, initPods: 1000, measurePods: 100_000 },
      // All pods in less than 30 seconds.
      floor: 3334,
    },
  ],
};

/** Not one of upstream's: nodes that live and whose pods come to run while others are scheduled. */
const hollow: TestCase = {
  name: "SchedulingHollowNodes",
  podTemplate: podDefault,
  operations: [
    { opcode: "createNodes", count: "$initNodes", hollow: true },
    { opcode: "createPods", count: "$initPods" },
    { opcode: "createPods", count: "$measurePods", collectMetrics: true },
  ],
  workloads: [
    { name: "5Nodes", params: { initNodes: 5, initPods: 5, measurePods: 10 } },
    {
      name: "5000Nodes_10000Pods",
      params: { initNodes: 5000, initPods: 1000, measurePods: 10_000 },
    },
  ],
};

const daemonSet: TestCase = {
  name: "SchedulingDaemonset",
  podTemplate: podDaemonSet,
  operations: [
    { opcode: "createNodes", count: 1, template: nodeWithName },
    { opcode: "createNodes", count: "$initNodes", template: nodeDefault },
    { opcode: "createPods", count: "$measurePods", collectMetrics: true },
  ],
  workloads: [
    { name: "5Nodes", params: { initNodes: 5, measurePods: 10 } },
    { name: "15000Nodes", params: { initNodes: 15_000, measurePods: 30_000 }, floor: 6000 },
  ],
};

const preemptionBasic: TestCase = {
  name: "PreemptionBasic",
  operations: [
    { opcode: "createNodes", count: "$initNodes" },
    { opcode: "createPods", count: "$initPods", template: podLowPriority },
    {
      opcode: "createPods",
      count: "$measurePods",
      template: podHighPriority,
      collectMetrics: true,
    },
  ],
  workloads: [
    { name: "5Nodes", params: { initNodes: 5, initPods: 20, measurePods: 5 } },
    { name: "1000Nodes", params: { initNodes: 1000, initPods: 4000, measurePods: 1000 } },
    {
      name: "5000Nodes",
      params: { initNodes: 5000, initPods: 20_000, measurePods: 5000 },
      floor: 2000,
    },
  ],
};

const preemptionAsync: TestCase = {
  name: "PreemptionAsync",
  operations: [
    { opcode: "createNodes", count: "$initNodes" },
    { opcode: "createPods", count: "$initPods", template: podLowPriority },
    { opcode: "churn", mode: "create", templates: [podHighPriority], intervalMillis: 200 },
    { opcode: "createPods", count: "$measurePods", template: podDefault, collectMetrics: true },
  ],
  workloads: [
    { name: "5Nodes", params: { initNodes: 5, initPods: 20, measurePods: 5 } },
    { name: "500Nodes", params: { initNodes: 500, initPods: 2000, measurePods: 500 } },
    {
      name: "5000Nodes",
      params: { initNodes: 5000, initPods: 20_000, measurePods: 5000 },
      floor: 2000,
    },
  ],
};

const unschedulable: TestCase = {
  name: "Unschedulable",
  podTemplate: podDefault,
  operations: [
    { opcode: "createNodes", count: "$initNodes" },
    { opcode: "createPods", count: "$initPods" },
    { opcode: "churn", mode: "create", templates: [podHighPriorityLarge], intervalMillis: 200 },
    { opcode: "createPods", count: "$measurePods", template: podDefault, collectMetrics: true },
  ],
  workloads: [
    { name: "5Nodes/1Init/10Pods", params: { initNodes: 5, initPods: 1, measurePods: 10 } },
    {
      name: "500Nodes/10Init/1kPods",
      params: { initNodes: 500, initPods: 10, measurePods: 1000 },
    },
    {
      name: "5kNodes/100Init/10kPods",
      params: { initNodes: 5000, initPods: 100, measurePods: 10_000 },
      floor: 4000,
    },
    {
      name: "5kNodes/20kInit/10kPods",
      params: { initNodes: 5000, initPods: 20_000, measurePods: 10_000 },
    },
  ],
};

/** Not one of upstream's: pods that fit nowhere wait while others come and are scheduled. */
const backlog: TestCase = {
  name: "UnschedulableBacklog",
  podTemplate: podDefault,
  operations: [
    { opcode: "createNodes", count: "$initNodes" },
    {
      opcode: "createPods",
      count: "$waitingPods",
      template: podHighPriorityLarge,
      skipWaitToCompletion: true,
    },
    { opcode: "barrier", stageRequirement: "Attempted" },
    { opcode: "createPods", count: "$measurePods", collectMetrics: true },
  ],
  workloads: [
    { name: "5Nodes", params: { initNodes: 5, waitingPods: 10, measurePods: 10 } },
    {
      name: "5000Nodes_10000Waiting",
      params: { initNodes: 5000, waitingPods: 10_000, measurePods: 10_000 },
      floor: 4000,
    },
  ],
};

const mixedChurn: TestCase = {
  name: "SchedulingWithMixedChurn",
  operations: [
    { opcode: "createNodes", count: "$initNodes" },
    {
      opcode: "churn",
      mode: "recreate",
      number: 1,
      templates: [nodeChurn, podHighPriorityLarge, serviceChurn],
      intervalMillis: 1000,
    },
    { opcode: "createPods", count: "$measurePods", template: podDefault, collectMetrics: true },
  ],
  workloads: [
    { name: "10Nodes", params: { initNodes: 10, measurePods: 100 } },
    { name: "1000Nodes", params: { initNodes: 1000, measurePods: 1000 } },
    {
      name: "5000Nodes_10000Pods",
      params: { initNodes: 5000, measurePods: 10_000 },
      floor: 4000,
    },
  ],
};

const whileGated: TestCase = {
  name: "SchedulingWhileGated",
  podTemplate: podLight,
  operations: [
    { opcode: "createNodes", count: 1, template: nodeWithName },
    {
      opcode: "createPods",
      count: "$gatedPods",
      template: podGated,
      skipWaitToCompletion: true,
    },
    { opcode: "barrier", stageRequirement: "Attempted" },
    { opcode: "createPods", count: "$deletingPods" },
    {
      opcode: "deletePods",
      namespace: "namespace-3",
      deletePodsPerSecond: 50,
      skipWaitToCompletion: true,
    },
    { opcode: "createPods", count: "$measurePods", collectMetrics: true },
  ],
  workloads: [
    {
      name: "1Node_10GatedPods",
      params: { gatedPods: 10, deletingPods: 10, measurePods: 10 },
    },
    {
      name: "1Node_10000GatedPods",
      params: { gatedPods: 10_000, deletingPods: 20_000, measurePods: 20_000 },
    },
  ],
};

const deletedWithFinalizers: TestCase = {
  name: "SchedulingDeletedPodsWithFinalizers",
  podTemplate: podLight,
  operations: [
    { opcode: "createNodes", count: "$initNodes" },
    {
      opcode: "createPods",
      count: "$deletingPods",
      template: podFinalizer,
      skipWaitToCompletion: true,
    },
    {
      opcode: "deletePods",
      namespace: "namespace-1",
      deletePodsPerSecond: 100,
      skipWaitToCompletion: true,
    },
    { opcode: "createPods", count: "$measurePods", collectMetrics: true },
  ],
  workloads: [
    {
      name: "10Node_100DeletingPods",
      params: { initNodes: 10, deletingPods: 10, measurePods: 10 },
    },
    {
      name: "5000Node_5000DeletingPods",
      params: { initNodes: 5000, deletingPods: 5000, measurePods: 5000 },
    },
  ],
};

export const PLAIN: readonly TestCase[] = [
  basic,
  hollow,
  daemonSet,
  preemptionBasic,
  preemptionAsync,
  unschedulable,
  backlog,
  mixedChurn,
  whileGated,
  deletedWithFinalizers,
];
