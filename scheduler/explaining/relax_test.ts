/** Each demand of a pod, given up alone: what it frees, and what is said where none does. */

import assert from "node:assert/strict";
import { TemplateTable } from "../intern.ts";
import { Dice, randomNode, randomSpec } from "../model/generate.ts";
import { EMPTY_NODE } from "../node_row.ts";
import type { NodeRow } from "../node_row.ts";
import { NodeTable } from "../node_table.ts";
import { EMPTY_POD, EMPTY_SPEC, NO_VOLUMES } from "../pod_row.ts";
import type { PodRow, PodSpecRow } from "../pod_row.ts";
import { buildProfile } from "../profile.ts";
import { type Account, account } from "./account.ts";

const TEMPLATES = new TemplateTable();
const PROFILE = buildProfile();
const NOMINATIONS = new Map<string, PodRow[]>();

function pod(spec: Partial<PodSpecRow>, name = "it"): PodRow {
  const template = TEMPLATES.intern({ ...EMPTY_SPEC, ...spec });
  return { ...EMPTY_POD, uid: name, name, template };
}

function node(name: string, row: Partial<NodeRow> = {}): NodeRow {
  const allocatable = { cpuMilli: 4000, memoryBytes: 2 ** 32, ephemeralBytes: 0, scalars: [] };
  return { ...EMPTY_NODE, name, allocatable, allowedPods: 10, ...row };
}

interface World {
  readonly nodes: readonly NodeRow[];
  readonly placed?: readonly (readonly [Partial<PodSpecRow>, string])[];
}

function tell({ nodes, placed = [] }: World, spec: Partial<PodSpecRow>, seed = 1): Account {
  const table = new NodeTable();
  for (const row of nodes) table.setNode(row);
  placed.forEach(([it, name], index) => table.addPod(pod(it, `placed-${index}`), name));
  return account({ table, profile: PROFILE, pod: pod(spec), nominations: NOMINATIONS, seed });
}

/** @returns "plugin: demand, nodes, instead" of each relaxation. */
function relaxations(world: World, spec: Partial<PodSpecRow>): string[] {
  return tell(world, spec).relaxations.map(({ plugin, demand, nodes, instead }) =>
    `${plugin}: ${demand}, ${nodes}${instead === "" ? "" : `, ${instead}`}`
  );
}

const cpu = (cpuMilli: number) => ({
  requests: { cpuMilli, memoryBytes: 0, ephemeralBytes: 0, scalars: [] },
});
const host = "kubernetes.io/hostname";
const named = (name: string) => ({ labels: { [host]: name } });
const red = [{ key: "team", operator: "In", values: ["red"] }] as const;
const term = {
  topologyKey: host,
  namespaces: ["default"],
  namespaceSelector: null,
  selector: red,
};

Deno.test("each demand is named with the nodes that it alone keeps the pod from", () => {
  const plain = { nodes: [node("a", named("a")), node("b", named("b"))] };
  const cases: readonly [string, World, Partial<PodSpecRow>, readonly string[]][] = [
    ["selector", plain, { nodeSelector: { disk: "ssd" } }, [
      "NodeAffinity: nodeSelector disk=ssd, 2",
    ]],
    [
      "one of two labels",
      plain,
      { nodeSelector: { disk: "ssd", [host]: "b" } },
      [
        // The other node would take it without both.
        "NodeAffinity: node(s) didn't match Pod's node affinity/selector, 1",
        "NodeAffinity: nodeSelector disk=ssd, 1",
      ],
    ],
    [
      "one of two expressions",
      plain,
      {
        requiredNodeTerms: [{
          expressions: [...red, { key: host, operator: "Exists", values: [] }],
          fields: [],
        }],
      },
      ["NodeAffinity: nodeAffinity team In (red), 2"],
    ],
    [
      "amounts",
      { ...plain, placed: [[cpu(2500), "a"]] },
      cpu(6000),
      ["NodeResourcesFit: requests cpu 6, 2, 4 would fit"],
    ],
    [
      "nothing left",
      { nodes: [node("a")], placed: [[cpu(4000), "a"]] },
      cpu(1),
      ["NodeResourcesFit: requests cpu 1m, 1, none of it is free"],
    ],
    [
      "taints and a cordon",
      {
        nodes: [
          node("a", { taints: [{ key: "db", value: "x", effect: "NoExecute" }] }),
          node("b", { unschedulable: true }),
        ],
      },
      {},
      [
        "TaintToleration: untolerated taint db=x:NoExecute, 1",
        "NodeUnschedulable: untolerated taint node.kubernetes.io/unschedulable:NoSchedule, 1",
      ],
    ],
    ["affinity", plain, { requiredAffinity: [term] }, [
      `InterPodAffinity: podAffinity team In (red) by ${host}, 2`,
    ]],
    ["claims", plain, { volumes: { ...NO_VOLUMES, rejection: "gone" } }, [
      "VolumeBinding: its claims to volumes, 2",
    ]],
    ["not the pod's own demand", { nodes: [node("a", { allowedPods: 0 })] }, {}, [
      "NodeResourcesFit: Too many pods, 1",
    ]],
  ];
  for (const [name, world, spec, expected] of cases) {
    assert.deepEqual(relaxations(world, spec), expected, name);
  }
});

Deno.test("where no demand alone is to blame, those are named that are so together", () => {
  const nodes = [node("a"), node("b"), node("c", { unschedulable: true })];
  assert.deepEqual(relaxations({ nodes }, { ...cpu(9000), nodeSelector: { disk: "ssd" } }), [
    "NodeAffinity + NodeResourcesFit: node(s) didn't match Pod's node affinity/selector + " +
    "Insufficient cpu, 2",
  ]);
});

Deno.test("the winner comes first, and of the others those that object to least", () => {
  const taints = [{ key: "db", value: "", effect: "NoSchedule" }];
  const nodes = [
    node("a", { taints, unschedulable: true }),
    ...["b", "c", "d", "e"].map((name) => node(name)),
    node("f", { taints }),
  ];
  for (let seed = 0; seed < 8; seed++) {
    const { winner, nodes: told } = tell({ nodes }, {}, seed);
    const rest = ["b", "c", "d", "e"].filter((name) => name !== winner);
    assert.deepEqual(told.map(({ nodeName }) => nodeName), [winner, ...rest, "f", "a"]);
  }
});

Deno.test("no random pod or cluster is beyond explanation", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const dice = new Dice(seed);
    const nodes = Array.from({ length: 6 }, (_, i) => randomNode(dice, `n${i}`));
    const placed = Array.from(
      { length: 10 },
      () => [randomSpec(dice), `n${dice.roll(6)}`] as const,
    );
    const spec = randomSpec(dice);
    for (const line of relaxations({ nodes, placed }, spec)) assert.match(line, /, [1-6](, |$)/);
  }
});
