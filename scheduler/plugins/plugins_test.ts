/**
 * What the documentation says of each plugin, case by case; the model test covers combinations of
 * the defaults, this file the arguments, the words and the volume plugins.
 */

import assert from "node:assert/strict";
import { decide, Scratch } from "../decide.ts";
import { explain } from "../explain.ts";
import { TemplateTable } from "../intern.ts";
import { EMPTY_NODE } from "../node_row.ts";
import type { NodeRow } from "../node_row.ts";
import { NodeTable } from "../node_table.ts";
import { EMPTY_POD, EMPTY_SPEC, NO_VOLUMES } from "../pod_row.ts";
import type { NodeTerm, PodRow, PodSpecRow, VolumeNeeds } from "../pod_row.ts";
import { buildProfile } from "../profile.ts";
import type { ProfileConfig } from "../profile.ts";
import { brokenLine, percentOf } from "./allocation.ts";

const TEMPLATES = new TemplateTable();
const NO_NOMINATIONS = new Map<string, PodRow[]>();

function pod(spec: Partial<PodSpecRow>, uid = "incoming"): PodRow {
  const template = TEMPLATES.intern({ ...EMPTY_SPEC, ...spec });
  return { ...EMPTY_POD, uid, name: uid, template };
}

function node(name: string, row: Partial<NodeRow> = {}): NodeRow {
  const allocatable = { cpuMilli: 1000, memoryBytes: 1000, ephemeralBytes: 0, scalars: [] };
  return { ...EMPTY_NODE, name, allocatable, allowedPods: 10, ...row };
}

function asks(cpuMilli: number, memoryBytes: number): Partial<PodSpecRow> {
  const requests = { cpuMilli, memoryBytes, ephemeralBytes: 0, scalars: [] };
  return { requests, nonzeroCpuMilli: cpuMilli, nonzeroMemoryBytes: memoryBytes };
}

interface Case {
  readonly nodes: readonly NodeRow[];
  readonly placed?: readonly (readonly [PodRow, string])[];
  readonly pod: Partial<PodSpecRow>;
  readonly profile?: ProfileConfig;
}

function tableOf({ nodes, placed = [] }: Case): NodeTable {
  const table = new NodeTable();
  for (const row of nodes) table.setNode(row);
  for (const [one, name] of placed) table.addPod(one, name);
  return table;
}

/** @returns the total of each feasible node. */
function totals(it: Case): Record<string, number> {
  const table = tableOf(it);
  const scratch = new Scratch();
  const profile = buildProfile(it.profile);
  const input = { table, profile, pod: pod(it.pod), nominations: NO_NOMINATIONS, seed: 1 };
  decide({ ...input, inFull: true }, scratch);
  const scores: Record<string, number> = {};
  for (let i = 0; i < scratch.feasibleCount; i++) {
    const row = scratch.feasibleRows[i];
    scores[table.nodeName(row)] = scratch.totals[row];
  }
  return scores;
}

/** @returns the message when no node is feasible. */
function refusal(it: Case): string {
  const profile = buildProfile(it.profile);
  const input = { table: tableOf(it), profile, pod: pod(it.pod), nominations: NO_NOMINATIONS };
  const { decision } = decide({ ...input, seed: 1 }, new Scratch());
  assert.equal(decision.kind, "unschedulable");
  return decision.kind === "unschedulable" ? explain(decision.diagnosis) : "";
}

function only(name: string, args: ProfileConfig["args"] = {}): ProfileConfig {
  return { scores: [{ name, weight: 1 }], args };
}

Deno.test("NodeResourcesFit: strategies", () => {
  const nodes = [node("n")];
  const placed = [[pod(asks(200, 400), "p"), "n"]] as const;
  const run = (args: ProfileConfig["args"]) =>
    totals({ nodes, placed, pod: asks(100, 100), profile: only("NodeResourcesFit", args) }).n;
  assert.equal(run({}), (70 + 50) / 2);
  assert.equal(run({ NodeResourcesFit: { strategy: { type: "MostAllocated" } } }), (30 + 50) / 2);
  const weighted = [{ name: "cpu", weight: 3 }, { name: "memory", weight: 1 }];
  const strategy = { type: "LeastAllocated", resources: weighted } as const;
  assert.equal(run({ NodeResourcesFit: { strategy } }), 65);
  const shape = [{ utilization: 0, score: 0 }, { utilization: 100, score: 10 }];
  const curve = { type: "RequestedToCapacityRatio", shape } as const;
  assert.equal(run({ NodeResourcesFit: { strategy: curve } }), 40);
});

Deno.test("NodeResourcesFit: ignored resources are not asked for", () => {
  const scalars = [{ name: "example.com/fpga", amount: 1 }];
  const requests = { cpuMilli: 0, memoryBytes: 0, ephemeralBytes: 0, scalars };
  const nodes = [node("n")];
  assert.equal(
    refusal({ nodes, pod: { requests } }),
    "0/1 nodes are available: 1 Insufficient example.com/fpga.",
  );
  const args = { NodeResourcesFit: { ignoredResourceGroups: ["example.com"] } };
  assert.deepEqual(Object.keys(totals({ nodes, pod: { requests }, profile: { args } })), ["n"]);
});

Deno.test("allocation: exact percents beyond 2^53, lines that fall", () => {
  const whole = 2 ** 53 - 1;
  assert.equal(percentOf(whole - 1, whole), 99);
  assert.equal(percentOf(whole, whole), 100);
  const line = brokenLine([{ utilization: 0, score: 10 }, { utilization: 30, score: 1 }]);
  assert.deepEqual([0, 10, 30, 90].map(line), [100, 70, 10, 10]);
});

Deno.test("NodeAffinity: affinity added by the profile", () => {
  const ssd: NodeTerm = {
    expressions: [{ key: "disk", operator: "In", values: ["ssd"] }],
    fields: [],
  };
  const args = { NodeAffinity: { addedRequired: [ssd] } };
  assert.equal(
    refusal({ nodes: [node("n")], pod: {}, profile: { args } }),
    "0/1 nodes are available: 1 node(s) didn't match scheduler-enforced node affinity.",
  );
});

Deno.test("NodeAffinity: a pod pinned by name looks at that node only", () => {
  const pinned = (...names: string[]): NodeTerm[] => [{
    expressions: [],
    fields: names.map((name) => ({ key: "metadata.name", operator: "In", values: [name] })),
  }];
  const nodes = [node("n1"), node("n2"), node("n3", { unschedulable: true })];
  assert.deepEqual(totals({ nodes, pod: { requiredNodeTerms: pinned("n2") } }).n1, undefined);
  assert.equal(
    refusal({ nodes, pod: { requiredNodeTerms: pinned("n3") } }),
    "0/3 nodes are available: 1 node(s) were unschedulable, " +
      "2 node(s) didn't satisfy plugin(s) [NodeAffinity].",
  );
  assert.equal(
    refusal({ nodes, pod: { requiredNodeTerms: pinned("n1", "n2") } }),
    "0/3 nodes are available: pod affinity terms conflict.",
  );
});

Deno.test("reasons are counted by node and sorted as text", () => {
  const taint = { key: "gpu", value: "", effect: "NoSchedule" };
  const nodes = [
    node("a", { taints: [taint] }),
    node("b", { allowedPods: 0 }),
    node("c"),
    node("d"),
  ];
  assert.equal(
    refusal({ nodes, pod: asks(2000, 2000) }),
    "0/4 nodes are available: 1 Too many pods, 1 node(s) had untolerated taint(s), " +
      "3 Insufficient cpu, 3 Insufficient memory.",
  );
});

Deno.test("ImageLocality: large images that many nodes hold count most", () => {
  const gigabyte = 1024 * 1024 * 1024;
  const holds = (name: string) => ({ images: [{ names: [name], sizeBytes: gigabyte }] });
  const nodes = [node("a", holds("big:1")), node("b", holds("big:1")), node("c", holds("rare:1"))];
  const profile = only("ImageLocality");
  assert.deepEqual(totals({ nodes, pod: { images: ["big:1"] }, profile }), { a: 67, b: 67, c: 0 });
  assert.equal(totals({ nodes, pod: { images: ["rare:1"] }, profile }).c, 32);
});

Deno.test("volumes: claims in use, attach limits, reachable nodes, zones", () => {
  const using = (volumes: Partial<VolumeNeeds>) => ({ volumes: { ...NO_VOLUMES, ...volumes } });
  const zone = "topology.kubernetes.io/zone";
  const nodes = [
    node("a", { labels: { [zone]: "a" }, attachLimits: { "csi.example.com": 1 } }),
    node("b", { labels: { [zone]: "b" }, attachLimits: { "csi.example.com": 1 } }),
  ];
  const disk = (handle: string) => using({ attachments: [{ driver: "csi.example.com", handle }] });
  const placed = [
    [pod({ ...disk("one") }, "p"), "a"],
    [pod({ ...using({ exclusiveClaims: ["default/data"] }) }, "q"), "b"],
  ] as const;
  const inZone = (value: string): NodeTerm => ({
    expressions: [{ key: zone, operator: "In", values: [value] }],
    fields: [],
  });
  const names = (spec: Partial<PodSpecRow>) => Object.keys(totals({ nodes, placed, pod: spec }));
  assert.deepEqual(names(disk("two")), ["b"]);
  assert.deepEqual(names(disk("one")), ["a", "b"]);
  assert.deepEqual(names(using({ boundTerms: [[inZone("a")]] })), ["a"]);
  assert.deepEqual(names(using({ waitingTerms: [[[inZone("b")]]] })), ["b"]);
  assert.deepEqual(names(using({ waitingTerms: [[[inZone("b")], []]] })), ["a", "b"]);
  assert.deepEqual(names(using({ zones: [{ key: zone, values: ["b", "c"] }] })), ["b"]);
  assert.match(
    refusal({ nodes, placed, pod: using({ exclusiveClaims: ["default/data"] }) }),
    /2 node\(s\) unavailable due to PersistentVolumeClaim with ReadWriteOncePod/,
  );
  const lost = 'persistentvolumeclaim "data" not found';
  assert.equal(
    refusal({ nodes, pod: using({ rejection: lost }) }),
    `0/2 nodes are available: ${lost}.`,
  );
});

Deno.test("a profile names its plugins, and a name without a row is refused", () => {
  const profile = buildProfile({ filters: ["NodeName"], scores: [] });
  assert.deepEqual(profile.filters.map(({ name }) => name), ["NodeName"]);
  assert.throws(() => buildProfile({ filters: ["Nonsense"] }), /plugin Nonsense has no/);
  assert.throws(() => buildProfile({ scores: [{ name: "NodeName", weight: 1 }] }), /NodeName/);
});

Deno.test("pods of a node not known yet count once it appears", () => {
  const table = new NodeTable();
  table.addPod(pod(asks(400, 0), "early"), "late");
  table.setNode(node("late"));
  assert.equal(table.cpuRequested[table.rowOf("late")], 400);
  table.removeNode("late");
  table.setNode(node("other"));
  assert.equal(table.cpuRequested[table.rowOf("other")], 0);
  table.setNode(node("late"));
  assert.equal(table.cpuRequested[table.rowOf("late")], 400);
  table.removePod("early");
  assert.equal(table.podCount[table.rowOf("late")], 0);
});

Deno.test("NodeDeclaredFeatures: what a pod needs of its kubelet is declared by the node", () => {
  const requiredFeatures = ["UserNamespacesHostNetworkSupport"];
  const nodes = [node("old"), node("new", { declaredFeatures: ["x", ...requiredFeatures] })];
  assert.deepEqual(Object.keys(totals({ nodes, pod: { requiredFeatures } })), ["new"]);
  assert.equal(
    refusal({ nodes: [node("old")], pod: { requiredFeatures } }),
    "0/1 nodes are available: 1 node(s) didn't match Pod's required features.",
  );
});

Deno.test("VolumeBinding: nodes without room for a new volume say so", () => {
  const zone = (value: string): NodeTerm => ({
    expressions: [{ key: "zone", operator: "In", values: [value] }],
    fields: [],
  });
  const nodes = [node("n1", { labels: { zone: "a" } }), node("n2", { labels: { zone: "b" } })];
  const volumes = { ...NO_VOLUMES, waitingTerms: [[[zone("c")]]], roomTerms: [[zone("a")]] };
  assert.equal(
    refusal({ nodes, pod: { volumes } }),
    "0/2 nodes are available: 1 node(s) did not have enough free storage, " +
      "1 node(s) didn't find available persistent volumes to bind.",
  );
});
