/**
 * Groups of pods start whole or not at all: held back until enough are there, placed together,
 * left alone when too few fit, tried again when something changes.
 */

import assert from "node:assert/strict";
import { EMPTY_NODE } from "../node_row.ts";
import { EMPTY_POD, EMPTY_SPEC } from "../pod_row.ts";
import type { PodRow } from "../pod_row.ts";
import { Scheduler } from "../scheduler.ts";
import type { Action } from "../action.ts";

const GROUP = "default/team";
const PROFILE = "default-scheduler";

function machine(nodes: number): Scheduler {
  const scheduler = new Scheduler({ seed: 3 });
  for (let i = 0; i < nodes; i++) addNode(scheduler, `n${i}`, 0);
  return scheduler;
}

function addNode(scheduler: Scheduler, name: string, nowMs: number): void {
  const allocatable = { cpuMilli: 1000, memoryBytes: 8e9, ephemeralBytes: 0, scalars: [] };
  scheduler.setNode({ ...EMPTY_NODE, name, allocatable, allowedPods: 10 }, nowMs);
}

function pod(scheduler: Scheduler, uid: string, group = GROUP): PodRow {
  const requests = { cpuMilli: 800, memoryBytes: 0, ephemeralBytes: 0, scalars: [] };
  const template = scheduler.templates.intern({ ...EMPTY_SPEC, requests });
  return { ...EMPTY_POD, uid, name: uid, template, group };
}

function wait(scheduler: Scheduler, ...uids: string[]): void {
  for (const uid of uids) scheduler.setPending(pod(scheduler, uid), PROFILE, 0);
}

function bound(actions: readonly Action[]): string[] {
  return actions.filter(({ kind }) => kind === "bind").map(({ entry }) => entry.pod.uid).sort();
}

Deno.test("a group waits for its policy and for enough pods, then starts as one", () => {
  const scheduler = machine(3);
  wait(scheduler, "a", "b");
  assert.equal(scheduler.queue.sizes.gated, 2);
  assert.match(scheduler.queue.find("a")!.entry.gate, /pod group "team" to appear/);
  scheduler.setGroup(GROUP, { minCount: 3 }, 0);
  assert.deepEqual(scheduler.plan(0, 10), []);
  wait(scheduler, "c");
  const actions = scheduler.plan(0, 10);
  assert.deepEqual(bound(actions), ["a", "b", "c"]);
  assert.equal(new Set(actions.map((it) => it.kind === "bind" && it.nodeName)).size, 3);
});

Deno.test("a group of which too few fit leaves no trace and starts once there is room", () => {
  const scheduler = machine(2);
  scheduler.setGroup(GROUP, { minCount: 3 }, 0);
  wait(scheduler, "a", "b", "c");
  const actions = scheduler.plan(0, 10);
  assert.equal(actions.length, 3);
  assert.deepEqual(bound(actions), []);
  assert.match(
    actions.map((it) => it.kind === "reject" ? it.message : "").join("\n"),
    /pod group is unschedulable, waiting for minCount pods from a gang to be scheduled/,
  );
  assert.deepEqual([...scheduler.table.cpuRequested.slice(0, 2)], [0, 0]);
  addNode(scheduler, "n2", 60_000);
  assert.deepEqual(bound(scheduler.plan(60_000, 10)), ["a", "b", "c"]);
});

Deno.test("once started, later members and refused ones are placed one by one", () => {
  const scheduler = machine(4);
  scheduler.setGroup(GROUP, { minCount: 2 }, 0);
  wait(scheduler, "a", "b");
  assert.deepEqual(bound(scheduler.plan(0, 10)), ["a", "b"]);
  wait(scheduler, "c");
  assert.deepEqual(bound(scheduler.plan(0, 10)), ["c"]);
  scheduler.refuse("a", 0);
  assert.deepEqual(bound(scheduler.plan(60_000, 10)), ["a"]);
});

Deno.test("pods beyond what the group needs wait for themselves", () => {
  const scheduler = machine(2);
  scheduler.setGroup(GROUP, { minCount: 2 }, 0);
  wait(scheduler, "a", "b", "c");
  const actions = scheduler.plan(0, 10);
  assert.equal(bound(actions).length, 2);
  assert.equal(actions.length, 3);
});

/** A group of five, each of which takes most of a node. */
function large(nodes: number): Scheduler {
  const scheduler = machine(nodes);
  scheduler.setGroup(GROUP, { minCount: 5 }, 0);
  wait(scheduler, "a", "b", "c", "d", "e");
  return scheduler;
}

function podsHeld({ table }: Scheduler): number {
  let count = 0;
  for (let row = 0; row < table.rows; row++) count += table.podCount[row];
  return count;
}

Deno.test("a try in slices comes to what it comes to in one go, and nobody gets in between", () => {
  for (const nodes of [4, 5, 7]) {
    const whole = large(nodes).plan(0, 100);
    const scheduler = large(nodes);
    const sliced: Action[] = [];
    for (let calls = 0; sliced.length === 0; calls++) {
      assert.equal(scheduler.isTryingGroup, calls > 0);
      sliced.push(...scheduler.plan(0, 1));
      if (calls === 0) scheduler.setPending(pod(scheduler, "rival", ""), PROFILE, 0);
      assert(calls < 20);
    }
    const told = (actions: readonly Action[]) =>
      actions.map((it) => [it.entry.pod.uid, it.kind === "bind" ? it.nodeName : it.message]);
    assert.deepEqual(told(sliced), told(whole), `${nodes} nodes`);
    assert.equal(scheduler.isTryingGroup, false);
  }
});

Deno.test("what happens under way finds nothing held, and the group is tried anew", () => {
  const happenings: Record<string, (scheduler: Scheduler) => void> = {
    "a node goes": (scheduler) => scheduler.removeNode("n0", 1),
    "a node comes": (scheduler) => addNode(scheduler, "new", 1),
    "one of them goes": (scheduler) => scheduler.removePod("a", 1),
    "one of them is placed": (scheduler) => scheduler.setAssigned(pod(scheduler, "a"), "n6", 1),
    "the group asks for more": (scheduler) => scheduler.setGroup(GROUP, { minCount: 6 }, 1),
    "devices change": (scheduler) => scheduler.notify({ resource: "devices" }, 1),
  };
  for (const [name, happen] of Object.entries(happenings)) {
    const scheduler = large(7);
    scheduler.plan(0, 3);
    assert.equal(podsHeld(scheduler), 3, name);
    happen(scheduler);
    assert.equal(scheduler.isTryingGroup, false, name);
    const placed = name === "one of them is placed" ? 1 : 0;
    assert.equal(podsHeld(scheduler), placed, name);
    const expected: Record<string, number> = {
      "one of them goes": 0,
      "one of them is placed": 4,
      "the group asks for more": 0,
    };
    assert.equal(bound(scheduler.plan(1, 100)).length, expected[name] ?? 5, name);
  }
});

Deno.test("no news of its pods, and none that changes nothing, holds a try up", () => {
  const scheduler = large(7);
  scheduler.plan(0, 3);
  wait(scheduler, "a", "e");
  scheduler.notify({ resource: "any", label: "test" }, 1);
  assert.equal(podsHeld(scheduler), 3);
  assert.equal(bound(scheduler.plan(1, 100)).length, 5);
});

Deno.test("an event that nobody was there to hear has a failed try repeated", () => {
  const scheduler = large(4);
  scheduler.plan(0, 3);
  scheduler.notify({ resource: "any", label: "test" }, 1);
  assert.deepEqual(scheduler.plan(1, 2), [], "the failure is not told");
  assert.equal(scheduler.plan(1, 100).length, 5);
});

Deno.test("changes that never end can't keep a group from being tried", () => {
  const scheduler = large(7);
  for (let i = 0; i < 10; i++) {
    if (bound(scheduler.plan(i, 1)).length === 5) return;
    addNode(scheduler, `more${i}`, i);
  }
  assert.fail("it never started");
});
