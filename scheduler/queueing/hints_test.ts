/**
 * Each plugin's hints as tables: the pod that it rejected, what happened, whether to try again.
 * The cases are those that upstream documents for its queueing hints; where the answer is another
 * one here, the case says why.
 * Source: EventsToRegister and the hint functions of the Kubernetes v1.36 plugins.
 */

import assert from "node:assert/strict";
import { nodeEvents, podEvents } from "../cluster_event.ts";
import type { ClusterEvent, NodeChange, PodChange } from "../cluster_event.ts";
import { TemplateTable } from "../intern.ts";
import { EMPTY_NODE } from "../node_row.ts";
import type { NodeRow } from "../node_row.ts";
import { NodeTable } from "../node_table.ts";
import { EMPTY_POD, EMPTY_SPEC, NO_VOLUMES } from "../pod_row.ts";
import type { PodRow, PodSpecRow, PodTerm, Resources, SpreadConstraint } from "../pod_row.ts";
import { buildProfile } from "../profile.ts";
import type { PluginArgs } from "../profile.ts";

const TEMPLATES = new TemplateTable();

function pod(spec: Partial<PodSpecRow>, uid = "waiting"): PodRow {
  const template = TEMPLATES.intern({ ...EMPTY_SPEC, ...spec });
  return { ...EMPTY_POD, uid, name: uid, template };
}

function node(row: Partial<NodeRow>): NodeRow {
  return { ...EMPTY_NODE, name: "n", allowedPods: 110, ...row };
}

function resources(cpuMilli: number, extra: Partial<Resources> = {}): Resources {
  return { cpuMilli, memoryBytes: 0, ephemeralBytes: 0, scalars: [], ...extra };
}

function nodeEvent(
  change: NodeChange,
  before: Partial<NodeRow> | null,
  after: Partial<NodeRow> | null,
) {
  const row = (it: Partial<NodeRow> | null) => it === null ? null : node(it);
  return { resource: "node", change, before: row(before), after: row(after) } as const;
}

const added = (row: Partial<NodeRow> = {}) => nodeEvent("add", null, row);

type PodChanged = ClusterEvent & { readonly resource: "pod" };

function podEvent(
  change: PodChange,
  before: Partial<PodSpecRow> | null,
  after: Partial<PodSpecRow> | null,
  { uid = "other", assigned = true } = {},
): PodChanged {
  const row = (it: Partial<PodSpecRow> | null) => it === null ? null : pod(it, uid);
  return { resource: "pod", change, before: row(before), after: row(after), assigned };
}

const OWN = { uid: "waiting", assigned: false };
const UNASSIGNED = { assigned: false };
const gone = (spec: Partial<PodSpecRow>, of = {}) => podEvent("delete", spec, null, of);
const came = (spec: Partial<PodSpecRow>, of = {}) => podEvent("add", null, spec, of);

type Case = readonly [name: string, spec: Partial<PodSpecRow>, event: ClusterEvent, again: boolean];

interface Setting {
  readonly table?: NodeTable;
  readonly args?: PluginArgs;
}

function check(plugin: string, cases: readonly Case[], { table, args }: Setting = {}): void {
  const { hint } = buildProfile({ args }).byName.get(plugin)!;
  for (const [name, spec, event, again] of cases) {
    const said = hint?.(pod(spec), event, table ?? new NodeTable()) ?? false;
    assert.equal(said, again, `${plugin}: ${name}`);
  }
}

const CORDON = {
  key: "node.kubernetes.io/unschedulable",
  operator: "Exists",
  value: "",
  effect: "NoSchedule",
};
const TAINT = { key: "dedicated", value: "db", effect: "NoSchedule" };
const TOLERATES = { key: "dedicated", operator: "Equal", value: "db", effect: "NoSchedule" };

Deno.test("NodeName, NodePorts, SchedulingGates, GangScheduling", () => {
  check("NodeName", [
    ["a node comes", { requiredNode: "n" }, added(), true],
    ["a node changes", { requiredNode: "n" }, nodeEvent("labels", {}, {}), false],
    ["a node goes", { requiredNode: "n" }, nodeEvent("delete", {}, null), false],
  ]);
  const ports = (port: number, ip = "0.0.0.0") => ({ hostPorts: [{ ip, protocol: "TCP", port }] });
  check("NodePorts", [
    ["the port is given back", ports(80), gone(ports(80)), true],
    ["it is, on an address of its own", ports(80), gone(ports(80, "10.0.0.1")), true],
    ["another address", ports(80, "10.0.0.2"), gone(ports(80, "10.0.0.1")), false],
    ["another port", ports(80), gone(ports(81)), false],
    ["no port at all", ports(80), gone({}), false],
    ["by a pod without a node", ports(80), gone(ports(80), UNASSIGNED), false],
    ["a node comes", ports(80), added(), true],
    ["a node's taints change", ports(80), nodeEvent("taints", {}, {}), false],
  ]);
  check("SchedulingGates", [
    ["its gates go", {}, podEvent("gatesEliminated", {}, {}, OWN), true],
    ["another's gates go", {}, podEvent("gatesEliminated", {}, {}, UNASSIGNED), false],
    ["another update", {}, podEvent("update", {}, {}, OWN), false],
  ]);
  const { hint } = buildProfile().byName.get("GangScheduling")!;
  const member = { ...pod({}), group: "default/team" };
  for (const group of ["default/team", "default/other"]) {
    const said = hint!(member, { resource: "podGroup", group }, new NodeTable());
    assert.equal(said, group === member.group);
  }
});

Deno.test("NodeUnschedulable and TaintToleration", () => {
  const closed = { unschedulable: true };
  check("NodeUnschedulable", [
    ["an open node comes", {}, added(), true],
    ["a closed node comes", {}, added(closed), false],
    ["a node opens", {}, nodeEvent("taints", closed, {}), true],
    ["a node closes", {}, nodeEvent("taints", {}, closed), false],
    ["an open node's taints change", {}, nodeEvent("taints", {}, { taints: [TAINT] }), false],
    ["it tolerates now", {}, podEvent("tolerations", {}, { tolerations: [CORDON] }, OWN), true],
    [
      "it tolerates something else",
      {},
      podEvent("tolerations", {}, { tolerations: [TOLERATES] }, OWN),
      false,
    ],
    ["another tolerates", {}, podEvent("tolerations", {}, { tolerations: [CORDON] }), false],
  ]);
  const tainted = { taints: [TAINT] };
  check("TaintToleration", [
    ["a node without taints comes", {}, added(), true],
    ["a tainted node comes", {}, added(tainted), false],
    ["it tolerates the node that comes", { tolerations: [TOLERATES] }, added(tainted), true],
    ["a taint goes", {}, nodeEvent("taints", tainted, {}), true],
    ["a taint comes", {}, nodeEvent("taints", {}, tainted), false],
    ["a taint stays", {}, nodeEvent("taints", tainted, tainted), false],
    [
      "a tolerated taint goes",
      { tolerations: [TOLERATES] },
      nodeEvent("taints", tainted, {}),
      false,
    ],
    ["its tolerations change", {}, podEvent("tolerations", {}, {}, OWN), true],
    ["another's tolerations change", {}, podEvent("tolerations", {}, {}), false],
  ]);
});

Deno.test("NodeAffinity: a node that matches now and did not before", () => {
  const wants = { nodeSelector: { disk: "ssd" } };
  const [ssd, hdd] = [{ labels: { disk: "ssd" } }, { labels: { disk: "hdd" } }];
  const cases: readonly Case[] = [
    ["a matching node comes", wants, added(ssd), true],
    ["another node comes", wants, added(hdd), false],
    ["a node begins to match", wants, nodeEvent("labels", hdd, ssd), true],
    ["a node ceases to match", wants, nodeEvent("labels", ssd, hdd), false],
    [
      "a node matches as before",
      wants,
      nodeEvent("labels", ssd, { labels: { ...ssd.labels, a: "b" } }),
      false,
    ],
    ["a node's taints change", wants, nodeEvent("taints", hdd, ssd), false],
  ];
  check("NodeAffinity", cases);
  const inZone = { key: "zone", operator: "In", values: ["z1"] } as const;
  const args = { NodeAffinity: { addedRequired: [{ expressions: [inZone], fields: [] }] } };
  check("NodeAffinity", [
    ["a node without what the profile adds", wants, added(ssd), false],
    ["a node with both", wants, added({ labels: { ...ssd.labels, zone: "z1" } }), true],
  ], { args });
});

Deno.test("NodeResourcesFit: room that is given back or comes", () => {
  const wants = { requests: resources(500) };
  const gpu = { name: "example.com/gpu", amount: 1 };
  const wantsGpu = { requests: resources(0, { scalars: [gpu] }) };
  const has = (cpu: number, extra: Partial<Resources> = {}) => ({
    allocatable: resources(cpu, extra),
  });
  const asks = (cpu: number) => ({ requests: resources(cpu) });
  check("NodeResourcesFit", [
    ["a pod goes from its node", wants, gone({}), true],
    ["a pod without a node goes", wants, gone({}, UNASSIGNED), false],
    ["a pod comes", wants, came({}), false],
    ["a pod asks for less", wants, podEvent("scaleDown", asks(800), asks(300)), true],
    ["it asks for less itself", wants, podEvent("scaleDown", asks(800), asks(300), OWN), true],
    ["one without a node does", wants, podEvent("scaleDown", asks(8), asks(3), UNASSIGNED), false],
    [
      "for less of what is not wanted",
      wantsGpu,
      podEvent("scaleDown", asks(800), asks(300)),
      false,
    ],
    ["a node that is large enough comes", wants, added(has(1000)), true],
    ["one that is too small", wants, added(has(300)), false],
    ["one that takes no pods", wants, added({ ...has(1000), allowedPods: 0 }), false],
    ["a node grows enough", wants, nodeEvent("allocatable", has(300), has(1000)), true],
    ["a node grows too little", wants, nodeEvent("allocatable", has(100), has(300)), false],
    [
      "a node grows elsewhere",
      wants,
      nodeEvent("allocatable", has(1000), has(1000, { memoryBytes: 5 })),
      false,
    ],
    ["a node shrinks", wants, nodeEvent("allocatable", has(2000), has(1000)), false],
    [
      "devices appear",
      wantsGpu,
      nodeEvent("allocatable", has(0), has(0, { scalars: [gpu] })),
      true,
    ],
    [
      "a node takes more pods",
      wants,
      nodeEvent("allocatable", { ...has(1000), allowedPods: 1 }, { ...has(1000), allowedPods: 2 }),
      true,
    ],
    ["a node's labels change", wants, nodeEvent("labels", has(1000), has(1000)), false],
  ]);
});

Deno.test("NodeDeclaredFeatures: a node declares others, or the pod needs others", () => {
  const needs = { requiredFeatures: ["A"] };
  check("NodeDeclaredFeatures", [
    ["a node comes", needs, added(), true],
    ["a node declares others", needs, nodeEvent("features", {}, { declaredFeatures: ["A"] }), true],
    ["a node's labels change", needs, nodeEvent("labels", {}, {}), false],
    ["it needs less", needs, podEvent("update", needs, {}, OWN), true],
    ["it needs the same", needs, podEvent("labels", needs, needs, OWN), false],
    ["another needs less", needs, podEvent("update", needs, {}), false],
  ]);
});

function term(topologyKey: string, app: string): PodTerm {
  return {
    topologyKey,
    namespaces: ["default"],
    namespaceSelector: null,
    selector: [{ key: "app", operator: "In", values: [app] }],
  };
}

const app = (name: string): Partial<PodSpecRow> => ({ labels: { app: name } });

Deno.test("InterPodAffinity: pods that it likes, or that keep it away", () => {
  const likes = { requiredAffinity: [term("zone", "db")] };
  const likesBoth = {
    requiredAffinity: [term("zone", "db"), {
      ...term("zone", ""),
      selector: [{ key: "tier", operator: "Exists", values: [] }],
    } as PodTerm],
  };
  const full = { labels: { app: "db", tier: "1" } };
  const avoids = { requiredAntiAffinity: [term("zone", "db")] };
  const avoidsTwo = { requiredAntiAffinity: [term("zone", "db"), term("host", "web")] };
  const hostile = { requiredAntiAffinity: [term("zone", "web")] };
  check("InterPodAffinity", [
    ["a liked pod gets a node", likes, came(app("db")), true],
    ["another pod does", likes, came(app("web")), false],
    ["a liked pod comes without a node", likes, came(app("db"), UNASSIGNED), false],
    ["one matches all terms", likesBoth, came(full), true],
    ["one matches one term of two", likesBoth, came(app("db")), false],
    ["a pod begins to match", likes, podEvent("labels", app("web"), app("db")), true],
    ["it matched one term and now both", likesBoth, podEvent("labels", app("db"), full), true],
    ["a pod ceases to match", likes, podEvent("labels", app("db"), app("web")), false],
    ["an avoided pod goes", avoids, gone(app("db")), true],
    ["another pod goes", avoids, gone(app("web")), false],
    ["an avoided pod goes that had no node", avoids, gone(app("db"), UNASSIGNED), false],
    ["an avoided pod is relabelled", avoids, podEvent("labels", app("db"), app("web")), true],
    // Upstream wants a pod that matches every term, and would leave this one waiting.
    ["it matched one of two avoided terms", avoidsTwo, gone(app("web")), true],
    ["a pod that kept it away goes", app("web"), gone(hostile), true],
    ["one that kept others away goes", app("db"), gone(hostile), false],
    ["its own labels change", app("web"), podEvent("labels", {}, {}, OWN), true],
    ["another update", avoids, podEvent("update", app("db"), app("web")), false],
  ]);
});

Deno.test("InterPodAffinity: nodes that come or move to another domain", () => {
  const likes = { requiredAffinity: [term("zone", "db")] };
  const likesTwo = { requiredAffinity: [term("rack", "db"), term("zone", "db")] };
  const avoids = { requiredAntiAffinity: [term("zone", "db")] };
  const zone = (value: string) => ({ labels: { zone: value } });
  const table = new NodeTable();
  table.setNode(node({ name: "n1", ...zone("z1") }));
  table.addPod(pod({ requiredAntiAffinity: [term("zone", "web")] }, "guard"), "n1");
  check("InterPodAffinity", [
    ["a node with the key comes", likes, added(zone("z1")), true],
    ["a node without it comes", likes, added(), false],
    ["a node with one key of two comes", likesTwo, added(zone("z1")), true],
    ["a node gets the key", likes, nodeEvent("labels", {}, zone("z1")), true],
    ["a node moves", likes, nodeEvent("labels", zone("z1"), zone("z2")), true],
    [
      "a node stays",
      likes,
      nodeEvent("labels", zone("z1"), { labels: { zone: "z1", a: "b" } }),
      false,
    ],
    ["a node loses the key", likes, nodeEvent("labels", zone("z1"), {}), false],
    ["any node comes", avoids, added(), true],
    ["a node leaves the domains", avoids, nodeEvent("labels", zone("z1"), {}), true],
    ["a node changes domains", avoids, nodeEvent("labels", zone("z1"), zone("z2")), true],
    ["a node joins a domain", avoids, nodeEvent("labels", {}, zone("z1")), false],
    ["taints change", avoids, nodeEvent("taints", zone("z1"), zone("z2")), false],
    // Upstream looks at the pod's own terms alone, and would leave these waiting.
    ["others keep it away, a node comes", app("web"), added(), true],
    [
      "others keep it away, a node moves",
      app("web"),
      nodeEvent("labels", zone("z1"), zone("z2")),
      true,
    ],
    ["others keep others away", app("db"), nodeEvent("labels", zone("z1"), zone("z2")), false],
  ], { table });
});

Deno.test("PodTopologySpread: pods that are counted, nodes that are domains", () => {
  const constraint = (over: Partial<SpreadConstraint> = {}): SpreadConstraint => ({
    maxSkew: 1,
    topologyKey: "zone",
    whenUnsatisfiable: "DoNotSchedule",
    selector: [{ key: "app", operator: "In", values: ["web"] }],
    minDomains: 1,
    nodeAffinityPolicy: "Honor",
    nodeTaintsPolicy: "Ignore",
    ...over,
  });
  const spread = { spread: [constraint()] };
  const two = { spread: [constraint(), constraint({ topologyKey: "host" })] };
  const honours = { spread: [constraint({ nodeTaintsPolicy: "Honor" })] };
  const wishes = { spread: [constraint({ whenUnsatisfiable: "ScheduleAnyway" })] };
  const zone = (value: string) => ({ labels: { zone: value } });
  check("PodTopologySpread", [
    ["a counted pod comes", spread, came(app("web")), true],
    ["another pod comes", spread, came(app("db")), false],
    ["one of another namespace", spread, came({ ...app("web"), namespace: "far" }), false],
    ["one without a node", spread, came(app("web"), UNASSIGNED), false],
    ["a counted pod goes", spread, gone(app("web")), true],
    ["one begins to count", spread, podEvent("labels", app("db"), app("web")), true],
    [
      "one counts as before",
      spread,
      podEvent("labels", app("web"), { labels: { app: "web", a: "" } }),
      false,
    ],
    ["it counts itself now", spread, podEvent("labels", app("db"), app("web"), OWN), true],
    ["it tolerates more, and taints count", honours, podEvent("tolerations", {}, {}, OWN), true],
    ["it tolerates more, and taints don't", spread, podEvent("tolerations", {}, {}, OWN), false],
    ["it only wished", wishes, came(app("web")), false],
    ["a node with the key comes", spread, added(zone("z1")), true],
    ["a node without it comes", spread, added(), false],
    ["a node with one key of two comes", two, added(zone("z1")), false],
    ["a node with the key goes", spread, nodeEvent("delete", zone("z1"), null), true],
    ["a node without it goes", spread, nodeEvent("delete", {}, null), false],
    ["a node gets the key", spread, nodeEvent("labels", {}, zone("z1")), true],
    ["a node moves", spread, nodeEvent("labels", zone("z1"), zone("z2")), true],
    [
      "a node stays",
      spread,
      nodeEvent("labels", zone("z1"), { labels: { zone: "z1", a: "b" } }),
      false,
    ],
    [
      "taints change",
      spread,
      nodeEvent("taints", zone("z1"), { ...zone("z1"), taints: [TAINT] }),
      true,
    ],
    ["a node opens, its taints stay", spread, nodeEvent("taints", zone("z1"), zone("z1")), false],
    ["room changes", spread, nodeEvent("allocatable", zone("z1"), zone("z2")), false],
  ]);
});

Deno.test("volumes: claims, volumes, classes, room, limits", () => {
  const claim = (change: "add" | "update"): ClusterEvent => ({
    resource: "persistentVolumeClaim",
    change,
    users: new Set(["waiting"]),
  });
  const volume = (movesZones: boolean): ClusterEvent => ({
    resource: "persistentVolume",
    change: "update",
    movesZones,
  });
  const storageClass = (change: "add" | "update", bindsLate: boolean, movesTopology: boolean) =>
    ({ resource: "storageClass", change, bindsLate, movesTopology }) as const;
  const shared: Partial<PodSpecRow> = {
    volumes: { ...NO_VOLUMES, exclusiveClaims: ["default/c"] },
  };
  const naming = (isReadOnly: boolean, name = "d"): Partial<PodSpecRow> => ({
    volumes: { ...NO_VOLUMES, disks: [{ name, isReadOnly }] },
  });
  const attached: Partial<PodSpecRow> = {
    volumes: { ...NO_VOLUMES, attachments: [{ driver: "d", handle: "h" }] },
  };
  const limit = (count: number) => ({ attachLimits: { d: count } });
  check("VolumeRestrictions", [
    ["who held the claim goes", shared, gone(shared), true],
    ["another pod goes", shared, gone({}), false],
    ["its claim comes", shared, claim("add"), true],
    ["its claim changes", shared, claim("update"), false],
    // Upstream tries again; the claim is in use everywhere.
    ["a node comes", shared, added(), false],
    ["who wrote to the disk goes", naming(true), gone(naming(false)), true],
    ["who read it goes, to write", naming(false), gone(naming(true)), true],
    ["who read it goes, to read", naming(true), gone(naming(true)), false],
    ["who wrote to another disk goes", naming(false), gone(naming(false, "e")), false],
    ["a node comes, on which the disk is free", naming(true), added(), true],
  ]);
  check("NodeVolumeLimits", [
    ["a pod with volumes goes", attached, gone(attached), true],
    ["a pod without any goes", attached, gone({}), false],
    ["one with volumes, but no node", attached, gone(attached, UNASSIGNED), false],
    ["its claim comes", attached, claim("add"), true],
    ["a node comes", attached, added(), true],
    ["a driver may attach more", attached, nodeEvent("attachLimits", limit(1), limit(2)), true],
    ["a driver may attach less", attached, nodeEvent("attachLimits", limit(2), limit(1)), false],
    ["a driver appears", attached, nodeEvent("attachLimits", {}, limit(1)), true],
    ["a limit goes", attached, nodeEvent("attachLimits", limit(1), {}), true],
    ["a volume is detached", attached, nodeEvent("detached", {}, {}), true],
    ["room changes", attached, nodeEvent("allocatable", {}, {}), false],
  ]);
  check("VolumeBinding", [
    ["a class comes", {}, storageClass("add", false, true), true],
    ["a class allows other places", {}, storageClass("update", true, true), true],
    ["a class changes otherwise", {}, storageClass("update", true, false), false],
    ["its claim changes", {}, claim("update"), true],
    ["a volume changes", {}, volume(false), true],
    ["there is more room", {}, { resource: "csiStorageCapacity", change: "update" }, true],
    ["a driver counts no more", {}, { resource: "csiDriver", change: "update" }, true],
    ["a node comes", {}, added(), true],
    ["a node's labels change", {}, nodeEvent("labels", {}, {}), true],
    ["a node's taints change", {}, nodeEvent("taints", {}, {}), false],
    ["a pod goes", {}, gone(attached), false],
  ]);
  check("VolumeZone", [
    ["a class that binds late comes", {}, storageClass("add", true, true), true],
    ["one that binds at once", {}, storageClass("add", false, true), false],
    ["a class changes", {}, storageClass("update", true, true), false],
    ["its claim changes", {}, claim("update"), true],
    ["a volume gets other zones", {}, volume(true), true],
    ["a volume keeps its zones", {}, volume(false), false],
    ["a node's labels change", {}, nodeEvent("labels", {}, {}), true],
    ["there is more room", {}, { resource: "csiStorageCapacity", change: "add" }, false],
  ]);
});

Deno.test("DynamicResources: claims, devices, nodes", () => {
  const needs = (rejection = "") => ({
    devices: { claims: ["default/c"], rejection, containers: [] },
  });
  const claim = (key: string, freed: boolean): ClusterEvent => ({ resource: "claim", key, freed });
  check(
    "DynamicResources",
    [
      ["its claim changes", needs(), claim("default/c", false), true],
      [
        "its claim's status stays",
        needs(),
        { ...claim("default/c", false), isUntouched: true },
        false,
      ],
      ["another claim changes", needs(), claim("default/d", false), false],
      ["another gives its devices back", needs(), claim("default/d", true), true],
      ["it does, while a claim is missing", needs("not there"), claim("default/d", true), false],
      ["devices change", needs(), { resource: "devices" }, true],
      ["a node comes", needs(), added(), true],
      ["a node's labels change", needs(), nodeEvent("labels", {}, {}), true],
      ["a node's room changes", needs(), nodeEvent("allocatable", {}, {}), true],
      ["a node's taints change", needs(), nodeEvent("taints", {}, {}), false],
      ["its claim is made", needs(), podEvent("generatedClaims", needs("x"), needs(), OWN), true],
      ["another is missing yet", needs(), podEvent("generatedClaims", {}, needs("x"), OWN), false],
      ["another's claim is made", needs(), podEvent("generatedClaims", {}, needs()), false],
      ["another update", needs(), podEvent("labels", needs(), needs(), OWN), false],
    ].map(([name, spec, event, again]) => {
      const own = event as PodChanged;
      const isOwn = own.resource === "pod" && own.after?.uid === "waiting";
      // A pod is asked as it is after its own update.
      return [name, isOwn ? own.after!.template.spec : spec, event, again] as Case;
    }),
  );
});

Deno.test("what changed on a node or pod is named, one event a property", () => {
  const changes = (events: readonly ClusterEvent[]) =>
    events.map((it) => "change" in it && it.change);
  const before = node({ unschedulable: true });
  const nodeCases: readonly [Partial<NodeRow>, readonly NodeChange[]][] = [
    [{ unschedulable: true }, []],
    [{ unschedulable: false }, ["taints"]],
    [{ unschedulable: true, taints: [TAINT] }, ["taints"]],
    [{ unschedulable: false, taints: [TAINT] }, ["taints"]],
    [{ unschedulable: true, allocatable: resources(1) }, ["allocatable"]],
    [{ unschedulable: true, allowedPods: 1 }, ["allocatable"]],
    [{ unschedulable: true, attachLimits: { d: 1 } }, ["attachLimits"]],
    [{ unschedulable: true, attached: [{ driver: "d", handle: "h" }] }, []],
    [{ unschedulable: true, labels: { a: "b" }, declaredFeatures: ["A"] }, ["labels", "features"]],
  ];
  for (const [after, expected] of nodeCases) {
    assert.deepEqual(changes(nodeEvents(before, node(after))), expected);
  }
  const holding = (...handles: string[]) =>
    node({ attached: handles.map((handle) => ({ driver: "d", handle })) });
  assert.deepEqual(changes(nodeEvents(holding("a", "b"), holding("b", "c"))), ["detached"]);
  const gpu = (amount: number) => resources(1, { scalars: [{ name: "example.com/gpu", amount }] });
  const podCases: readonly [Partial<PodSpecRow>, Partial<PodSpecRow>, readonly PodChange[]][] = [
    [{}, {}, ["update"]],
    [{}, app("a"), ["labels"]],
    [{ requests: resources(2) }, { requests: resources(1) }, ["scaleDown"]],
    [{ requests: resources(1) }, { requests: resources(2) }, ["update"]],
    [{ requests: gpu(1) }, { requests: resources(1) }, ["scaleDown"]],
    [{ schedulingGates: ["a", "b"] }, { schedulingGates: ["a"] }, ["update"]],
    [{ schedulingGates: ["a"] }, app("a"), ["labels", "gatesEliminated"]],
    [{}, { tolerations: [TOLERATES] }, ["tolerations"]],
    [{}, { devices: { claims: ["default/c"], rejection: "", containers: [] } }, [
      "generatedClaims",
    ]],
  ];
  for (const [old, now, expected] of podCases) {
    assert.deepEqual(changes(podEvents(pod(old), pod(now), false)), expected);
  }
});
