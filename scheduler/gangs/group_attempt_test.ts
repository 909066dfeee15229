/**
 * Groups that are to stay within one domain of a topology: which domain, who follows whom, what is
 * said where there is none. Each node has room for one pod.
 */

import assert from "node:assert/strict";
import type { Action } from "../action.ts";
import { Dice } from "../model/generate.ts";
import { EMPTY_NODE } from "../node_row.ts";
import { EMPTY_POD, EMPTY_SPEC } from "../pod_row.ts";
import type { PodRow, PodSpecRow } from "../pod_row.ts";
import { Scheduler } from "../scheduler.ts";

const GROUP = "default/team";
const PROFILE = "default-scheduler";

function cpu(cpuMilli: number) {
  return { cpuMilli, memoryBytes: 0, ephemeralBytes: 0, scalars: [] };
}

/** @param racks nodes of each rack; "" = a node without the label */
function machine(racks: Readonly<Record<string, number>>, seed = 3): Scheduler {
  const scheduler = new Scheduler({ seed });
  for (const [rack, nodes] of Object.entries(racks)) {
    for (let i = 0; i < nodes; i++) addNode(scheduler, `${rack}${i}`, rack, 0);
  }
  return scheduler;
}

function addNode(scheduler: Scheduler, name: string, rack: string, nowMs: number): void {
  const labels: Readonly<Record<string, string>> = rack === "" ? {} : { rack };
  scheduler.setNode({ ...EMPTY_NODE, name, labels, allocatable: cpu(1000), allowedPods: 9 }, nowMs);
}

function pod(
  scheduler: Scheduler,
  uid: string,
  spec: Partial<PodSpecRow> = {},
  group = GROUP,
): PodRow {
  const template = scheduler.templates.intern({ ...EMPTY_SPEC, requests: cpu(800), ...spec });
  return { ...EMPTY_POD, uid, name: uid, template, group };
}

function wait(scheduler: Scheduler, uids: string, spec: Partial<PodSpecRow> = {}): void {
  for (const uid of uids) scheduler.setPending(pod(scheduler, uid, spec), PROFILE, 0);
}

/** Asks for a group in one rack. */
function ask(scheduler: Scheduler, minCount: number): void {
  scheduler.setGroup(GROUP, { minCount, topologyKey: "rack" }, 0);
}

function racksOf(actions: readonly Action[]): string {
  return actions.flatMap((it) => it.kind === "bind" ? it.nodeName[0] : []).join("");
}

const verdictOf = (scheduler: Scheduler) => scheduler.takeGroupVerdicts().get(GROUP);

Deno.test("a group goes where enough of it fits, and where most of it does", () => {
  const cases: readonly [Record<string, number>, number, string, string][] = [
    [{ a: 2, b: 3 }, 3, "xyz", "bbb"],
    [{ a: 2, b: 3, c: 1 }, 2, "xyz", "bbb"],
    [{ "": 9, a: 2, b: 1 }, 2, "xy", "aa"],
    [{ a: 1, b: 4 }, 0, "wxyz", "bbbb"],
  ];
  for (const [racks, minCount, uids, expected] of cases) {
    const scheduler = machine(racks);
    ask(scheduler, minCount);
    wait(scheduler, uids);
    assert.equal(racksOf(scheduler.plan(0, 100)), expected, JSON.stringify(racks));
    assert.equal(verdictOf(scheduler)?.result, "scheduled");
    const used = scheduler.table.cpuRequested.slice(0, scheduler.table.rows);
    assert.equal(used.reduce((sum, amount) => sum + amount, 0), 800 * expected.length);
  }
});

Deno.test("whatever the racks, a group starts where most of it fits, if enough of it does", () => {
  for (let seed = 1; seed <= 150; seed++) {
    const dice = new Dice(seed);
    const sizes = Array.from({ length: 1 + dice.roll(4) }, () => dice.roll(5));
    const [minCount, members] = [1 + dice.roll(4), 1 + dice.roll(5)];
    const scheduler = machine(
      Object.fromEntries(sizes.map((size, i) => ["abcd"[i], size])),
      seed,
    );
    ask(scheduler, minCount);
    wait(scheduler, "vwxyz".slice(0, members));
    const racks = racksOf(scheduler.plan(0, 100));
    const most = Math.min(members, Math.max(...sizes));
    const expected = members >= minCount && most >= minCount ? most : 0;
    assert.equal(racks.length, expected, `SEED=${seed}`);
    assert.ok(new Set(racks).size <= 1, `SEED=${seed}: ${racks}`);
  }
});

Deno.test("where no domain is large enough nothing is kept, and a node may change that", () => {
  const scheduler = machine({ a: 2, b: 2 });
  ask(scheduler, 3);
  wait(scheduler, "xyz");
  assert.equal(racksOf(scheduler.plan(0, 100)), "");
  const words = "0/2 placements are available, first placement status: pod group is unschedulable";
  assert.deepEqual(verdictOf(scheduler), {
    result: "unschedulable",
    message: words,
    schedulerName: PROFILE,
    time: { startedMillis: 0, millis: 0 },
  });
  assert.deepEqual([...scheduler.table.cpuRequested.slice(0, 4)], [0, 0, 0, 0]);
  addNode(scheduler, "b2", "b", 60_000);
  assert.equal(racksOf(scheduler.plan(60_000, 100)), "bbb");
});

Deno.test("without a node that has the label there is no placement", () => {
  const scheduler = machine({ "": 3 });
  ask(scheduler, 2);
  wait(scheduler, "xy");
  const messages = scheduler.plan(0, 100).map((it) => it.kind === "reject" && it.message);
  assert.deepEqual(messages, ["no feasible placements found", "no feasible placements found"]);
  assert.equal(verdictOf(scheduler)?.message, "no feasible placements found");
  addNode(scheduler, "0", "a", 60_000);
  addNode(scheduler, "a1", "a", 120_000);
  assert.equal(scheduler.plan(180_000, 100).filter(({ kind }) => kind === "bind").length, 2);
});

Deno.test("who comes later follows those that have a node, or waits", () => {
  const scheduler = machine({ a: 2, b: 3 });
  ask(scheduler, 1);
  wait(scheduler, "x", { nodeSelector: { rack: "a" } });
  assert.equal(racksOf(scheduler.plan(0, 100)), "a");
  wait(scheduler, "y");
  assert.equal(racksOf(scheduler.plan(0, 100)), "a");
  wait(scheduler, "z");
  assert.equal(racksOf(scheduler.plan(0, 100)), "");
  scheduler.removePod("y", 60_000);
  assert.equal(racksOf(scheduler.plan(60_000, 100)), "a");
});

Deno.test("a group that is in two domains already has no place to go", () => {
  const scheduler = machine({ a: 2, b: 2 });
  ask(scheduler, 1);
  scheduler.setAssigned(pod(scheduler, "v"), "a0", 0);
  scheduler.setAssigned(pod(scheduler, "w"), "b0", 0);
  wait(scheduler, "x");
  const [action] = scheduler.plan(0, 100);
  assert.equal(action.kind === "reject" && action.isError, true);
  const { result, message } = verdictOf(scheduler)!;
  assert.equal(result, "error");
  assert.match(
    message,
    /^cannot determine domain for already scheduled pods: more than 1 domain found for pod group: /,
  );
  assert.equal(scheduler.queue.find("x")?.place, "backoff");
});

Deno.test("what its pods demand of nodes themselves still counts", () => {
  const scheduler = machine({ a: 3, b: 2 });
  ask(scheduler, 2);
  wait(scheduler, "x");
  wait(scheduler, "y", { nodeSelector: { rack: "b" } });
  assert.equal(racksOf(scheduler.plan(0, 100)), "bb");
  const never = machine({ a: 3 });
  ask(never, 2);
  wait(never, "x");
  wait(never, "y", { requiredNodeTerms: [{ expressions: [], fields: [] }] });
  assert.equal(racksOf(never.plan(0, 100)), "");
});

Deno.test("a domain that needs no eviction is preferred, and one that does is cleared whole", () => {
  for (const seed of [1, 2, 3, 4]) {
    const scheduler = machine({ a: 2, b: 2 }, seed);
    for (const node of ["a0", "a1"]) {
      scheduler.setAssigned(pod(scheduler, node, { priority: -5 }, ""), node, 0);
    }
    ask(scheduler, 2);
    wait(scheduler, "xy");
    assert.equal(racksOf(scheduler.plan(0, 100)), "bb");
  }
  const full = machine({ a: 1, b: 2 });
  for (const node of ["a0", "b0", "b1"]) {
    full.setAssigned(pod(full, node, { priority: -5 }, ""), node, 0);
  }
  ask(full, 2);
  wait(full, "xy");
  const actions = full.plan(0, 100);
  const victims = actions.flatMap((it) => it.kind === "reject" ? it.victims : []);
  assert.deepEqual(victims.map(({ uid }) => uid).sort(), ["b0", "b1"]);
  const { result, message } = verdictOf(full)!;
  assert.equal(result, "waitingOnPreemption");
  assert.match(message, /waiting for preemption to complete/);
  for (const uid of ["b0", "b1"]) full.removePod(uid, 60_000);
  assert.equal(racksOf(full.plan(60_000, 100)), "bb");
});

Deno.test("a try that is cut into slices, or cut short, holds nothing of the domains it left", () => {
  const scheduler = machine({ a: 2, b: 3 });
  ask(scheduler, 3);
  wait(scheduler, "xyz");
  const used = () =>
    scheduler.table.cpuRequested.slice(0, scheduler.table.rows).reduce((a, b) => a + b, 0);
  for (let slice = 0; slice < 4; slice++) assert.deepEqual(scheduler.plan(0, 1), []);
  assert.equal(scheduler.isTryingGroup, true);
  addNode(scheduler, "c0", "c", 0);
  assert.equal(used(), 0);
  const actions: Action[] = [];
  for (let slice = 0; slice < 20; slice++) actions.push(...scheduler.plan(0, 1));
  assert.equal(racksOf(actions), "bbb");
  assert.equal(used(), 2400);
});
