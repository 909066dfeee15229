/**
 * Who is evicted, and where: the order of criteria, budgets, policies and the words when no
 * eviction helps. Each trial must leave the table as it was.
 */

import assert from "node:assert/strict";
import { decide, Scratch } from "../decide.ts";
import { TemplateTable } from "../intern.ts";
import { EMPTY_NODE } from "../node_row.ts";
import { NodeTable } from "../node_table.ts";
import { EMPTY_SPEC } from "../pod_row.ts";
import type { PodRow, PodSpecRow } from "../pod_row.ts";
import { preempt } from "./preempt.ts";
import type { Preemption } from "./preempt.ts";
import type { DisruptionBudget } from "./trial.ts";
import { buildProfile } from "../profile.ts";

const PROFILE = buildProfile();
const TEMPLATES = new TemplateTable();

interface PodWish {
  readonly cpu?: number;
  readonly priority?: number;
  readonly startMs?: number;
  readonly terminating?: boolean;
  readonly nominatedNode?: string;
  readonly spec?: Partial<PodSpecRow>;
}

function pod(uid: string, wish: PodWish = {}): PodRow {
  const { cpu = 1000, priority = 0, startMs = 0, terminating = false, nominatedNode = "" } = wish;
  const requests = { cpuMilli: cpu, memoryBytes: 0, ephemeralBytes: 0, scalars: [] };
  const template = TEMPLATES.intern({ ...EMPTY_SPEC, requests, priority, ...wish.spec });
  return { uid, name: uid, template, terminating, nominatedNode, startMs, group: "" };
}

/** Node name -> the pods on it; each node has two CPUs. */
type Layout = Readonly<Record<string, readonly PodRow[]>>;

function tableOf(layout: Layout): NodeTable {
  const table = new NodeTable();
  for (const [name, pods] of Object.entries(layout)) {
    const allocatable = { cpuMilli: 2000, memoryBytes: 8e9, ephemeralBytes: 0, scalars: [] };
    const labels = { zone: "z" };
    table.setNode({ ...EMPTY_NODE, name, labels, allocatable, allowedPods: 10 });
    for (const one of pods) table.addPod(one, name);
  }
  return table;
}

function tryPreempt(
  layout: Layout,
  incoming: PodRow,
  budgets: readonly DisruptionBudget[] = [],
): Preemption {
  const table = tableOf(layout);
  const scratch = new Scratch();
  const nominations = new Map<string, PodRow[]>();
  const input = { table, profile: PROFILE, pod: incoming, nominations, seed: 1 };
  const { decision, filtering } = decide(input, scratch);
  assert.equal(decision.kind, "unschedulable");
  const before = structuredClone(table.cpuRequested);
  const { verdicts } = scratch;
  const outcome = preempt({ table, filtering, verdicts, pod: incoming, nominations, budgets });
  assert.deepEqual(table.cpuRequested, before, "trying leaves no trace");
  return outcome;
}

function uids({ victims }: Preemption): string[] {
  return victims.map(({ uid }) => uid);
}

const HIGH = pod("high", { priority: 100, cpu: 2000 });

Deno.test("only less important pods are evicted, and no more than needed", () => {
  const outcome = tryPreempt(
    { n1: [pod("a", { cpu: 500 }), pod("b", { cpu: 1000 }), pod("c", { cpu: 500, priority: 5 })] },
    pod("mid", { priority: 10, cpu: 1000 }),
  );
  assert.equal(outcome.nodeName, "n1");
  assert.deepEqual(uids(outcome), ["b"]);
});

Deno.test("the node is chosen by budgets, then priorities, then counts, then start times", () => {
  const two = (name: string, wish: PodWish) => [pod(`${name}1`, wish), pod(`${name}2`, wish)];
  const priority = tryPreempt(
    { n1: two("a", { priority: 9 }), n2: two("b", { priority: 3 }) },
    HIGH,
  );
  assert.equal(priority.nodeName, "n2");
  const sum = tryPreempt({ n1: two("a", {}), n2: [pod("b", { cpu: 2000 })] }, HIGH);
  assert.equal(sum.nodeName, "n2");
  const start = tryPreempt({ n1: two("a", { startMs: 5 }), n2: two("b", { startMs: 9 }) }, HIGH);
  assert.equal(start.nodeName, "n2");
  const budget: DisruptionBudget = {
    namespace: "default",
    selector: [{ key: "app", operator: "In", values: ["db"] }],
    disruptionsAllowed: 0,
    disruptedPods: [],
  };
  const db = { spec: { labels: { app: "db" } } };
  const spared = tryPreempt(
    { n1: [pod("a", { cpu: 2000, ...db })], n2: [pod("b", { cpu: 2000, priority: 50 })] },
    HIGH,
    [budget],
  );
  assert.equal(spared.nodeName, "n2");
});

Deno.test("when eviction can't help, the message counts why", () => {
  const outcome = tryPreempt(
    { n1: [pod("a", { priority: 200, cpu: 2000 })], n2: [pod("b", { priority: 100, cpu: 500 })] },
    HIGH,
  );
  assert.equal(
    outcome.message,
    "preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.",
  );
  const huge = tryPreempt({ n1: [pod("a")] }, pod("huge", { priority: 9, cpu: 9000 }));
  assert.equal(
    huge.message,
    "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
  );
});

Deno.test("a pod whose policy is Never, or whose promise is being kept, evicts no one", () => {
  const polite = pod("polite", { priority: 9, cpu: 2000, spec: { mayPreempt: false } });
  const never = tryPreempt({ n1: [pod("a")] }, polite);
  assert.equal(never.message, "preemption: not eligible due to preemptionPolicy=Never.");
  const waiting = pod("high", { priority: 100, cpu: 2000, nominatedNode: "n1" });
  const kept = tryPreempt({ n1: [{ ...pod("a"), terminating: true, evicted: true }] }, waiting);
  assert.equal(
    kept.message,
    "preemption: not eligible due to a terminating pod on the nominated node.",
  );
  assert.equal(kept.keepsNomination, true);
  const leaving = tryPreempt({ n1: [pod("a", { terminating: true })] }, waiting);
  assert.deepEqual(uids(leaving), ["a"]);
});

Deno.test("anti-affinity of a victim leaves with it", () => {
  const term = {
    topologyKey: "zone",
    namespaces: ["default"],
    namespaceSelector: null,
    selector: [{ key: "app", operator: "In" as const, values: ["web"] }],
  };
  const hostile = pod("hostile", { cpu: 0, spec: { requiredAntiAffinity: [term] } });
  const web = pod("web", { priority: 9, cpu: 100, spec: { labels: { app: "web" } } });
  const outcome = tryPreempt({ n1: [hostile, pod("bystander", { cpu: 100 })] }, web);
  assert.deepEqual(uids(outcome), ["hostile"]);
});

Deno.test("room promised to a pod is kept from its equals and lessers, not from its betters", () => {
  const promised = pod("promised", { priority: 10, cpu: 2000, nominatedNode: "n1" });
  const nominations = new Map([["n1", [promised]]]);
  const tryPlace = (incoming: PodRow) => {
    const table = tableOf({ n1: [] });
    const input = { table, profile: PROFILE, pod: incoming, nominations, seed: 1 };
    const { decision } = decide(input, new Scratch());
    assert.equal(table.podCount[0], 0, "the promised pod is only thought of");
    return decision.kind;
  };
  assert.equal(tryPlace(pod("lower", { priority: 9, cpu: 500 })), "unschedulable");
  assert.equal(tryPlace(pod("equal", { priority: 10, cpu: 500 })), "unschedulable");
  assert.equal(tryPlace(pod("better", { priority: 11, cpu: 500 })), "placed");
  assert.equal(tryPlace(promised), "placed");
});
