/**
 * Groups of pods start whole or not at all: held back until enough are there, placed together,
 * left alone when too few fit, tried again when something changes.
 */

import assert from "node:assert/strict";
import { EMPTY_NODE } from "../node_row.ts";
import { EMPTY_SPEC } from "../pod_row.ts";
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
  return { uid, name: uid, template, terminating: false, nominatedNode: "", startMs: 0, group };
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
