/**
 * Workloads of pod groups: pods that start together or not at all.
 * In: nothing. Out: test cases, as data. Never: behaviour.
 * Source: the project's own; kube-scheduler's scheduler_perf (v1.36) has none of groups.
 */
import type { TestCase } from "../workload.ts";
import { podDefault } from "./pods.ts";

const gang: TestCase = {
  name: "SchedulingGang",
  podTemplate: podDefault,
  operations: [
    { opcode: "createNodes", count: "$initNodes" },
    { opcode: "createPods", count: "$initPods" },
    {
      opcode: "createPods",
      count: "$measurePods",
      gangSize: "$gangSize",
      collectMetrics: true,
    },
  ],
  workloads: [
    { name: "5Nodes", params: { initNodes: 5, initPods: 5, measurePods: 20, gangSize: 10 } },
    {
      name: "500Nodes",
      params: { initNodes: 500, initPods: 500, measurePods: 2000, gangSize: 500 },
    },
    {
      name: "5000Nodes_10Gangs",
      params: { initNodes: 5000, initPods: 1000, measurePods: 50_000, gangSize: 5000 },
      floor: 3000,
    },
  ],
};

export const GANGS: readonly TestCase[] = [gang];
