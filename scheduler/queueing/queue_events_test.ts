/**
 * What pods that come, go or change promises mean to those that wait, and what the queue counts.
 * In: a scheduler with one small node, or a queue alone. Out: who is tried again, and figures.
 */

import assert from "node:assert/strict";
import { TemplateTable } from "../intern.ts";
import { EMPTY_NODE } from "../node_row.ts";
import { NodeTable } from "../node_table.ts";
import { EMPTY_POD, EMPTY_SPEC } from "../pod_row.ts";
import type { PodRow, PodSpecRow } from "../pod_row.ts";
import { buildProfile } from "../profile.ts";
import { SchedulingQueue } from "../queue.ts";
import { Scheduler } from "../scheduler.ts";

const PROFILE = buildProfile();
const TEMPLATES = new TemplateTable();
const FIT = new Set(["NodeResourcesFit"]);
const NAME = "default-scheduler";

function cpu(cpuMilli: number) {
  return { cpuMilli, memoryBytes: 0, ephemeralBytes: 0, scalars: [] };
}

function pod(uid: string, spec: Partial<PodSpecRow> = {}, row: Partial<PodRow> = {}): PodRow {
  const template = TEMPLATES.intern({ ...EMPTY_SPEC, requests: cpu(1000), ...spec });
  return { ...EMPTY_POD, uid, name: uid, template, ...row };
}

/** One node for one pod. */
function oneNode(name = "n1"): Scheduler {
  const scheduler = new Scheduler();
  scheduler.setNode({ ...EMPTY_NODE, name, allocatable: cpu(1000), allowedPods: 10 }, 0);
  return scheduler;
}

const placeOf = (scheduler: Scheduler, uid: string) => scheduler.queue.find(uid)?.place;

Deno.test("a pod that goes without ever having had a node frees nothing", () => {
  const scheduler = oneNode();
  scheduler.setAssigned(pod("runs"), "n1", 0);
  scheduler.setPending(pod("waits"), NAME, 0);
  scheduler.setPending(pod("leaves"), NAME, 0);
  scheduler.plan(0, 10);
  scheduler.removePod("leaves", 0);
  assert.equal(placeOf(scheduler, "waits"), "unschedulable");
  scheduler.removePod("runs", 0);
  assert.notEqual(placeOf(scheduler, "waits"), "unschedulable");
});

Deno.test("a promise that ends is news for equals and those below, not for those above", () => {
  const promised = (priority: number) => pod("promised", { priority }, { nominatedNode: "n1" });
  for (const end of ["deleted", "elsewhere"]) {
    const scheduler = oneNode();
    scheduler.setAssigned(pod("runs", { priority: 100 }), "n1", 0);
    scheduler.setPending(pod("above", { priority: 6 }), NAME, 0);
    scheduler.setPending(pod("equal", { priority: 5, labels: { a: "b" } }), NAME, 0);
    scheduler.setPending(pod("below", { priority: 1 }), NAME, 0);
    scheduler.plan(0, 10);
    scheduler.setPending(promised(5), NAME, 0);
    if (end === "deleted") scheduler.removePod("promised", 0);
    else scheduler.setPending({ ...promised(5), nominatedNode: "n2" }, NAME, 0);
    const places = ["above", "equal", "below"].map((uid) => placeOf(scheduler, uid));
    assert.deepEqual(places, ["unschedulable", "backoff", "backoff"], end);
  }
});

Deno.test("a promise that was given up does not come back with the next update", () => {
  const scheduler = oneNode();
  scheduler.setAssigned(pod("runs", { priority: 100 }), "n1", 0);
  const promised = pod("promised", { priority: 5 }, { nominatedNode: "n1" });
  scheduler.setPending(promised, NAME, 0);
  assert.equal(scheduler.nominations.get("n1")?.length, 1);
  const [action] = scheduler.plan(0, 10);
  assert.equal(action.kind === "reject" && action.nominatedNode, "");
  scheduler.setPending({ ...promised, nominatedNode: "" }, NAME, 0);
  assert.equal(scheduler.nominations.size, 0);
});

Deno.test("a placed pod on its way out gives its place back before its binding ends", () => {
  const scheduler = oneNode();
  scheduler.setPending(pod("placed"), NAME, 0);
  assert.equal(scheduler.plan(0, 10)[0].kind, "bind");
  scheduler.setPending(pod("waits"), NAME, 0);
  assert.equal(scheduler.plan(0, 10)[0].kind, "reject");
  scheduler.setPending(pod("placed", {}, { terminating: true }), NAME, 0);
  assert.equal(scheduler.plan(2000, 10)[0].kind, "bind");
  scheduler.refuse("placed", 2000);
  assert.deepEqual(scheduler.plan(10_000, 10), []);
  assert.deepEqual(scheduler.takeSkipped().map((entry) => entry.pod.uid), ["placed"]);
  assert.deepEqual(scheduler.takeSkipped(), []);
});

Deno.test("a claim's change asks those that name it, and nobody else", () => {
  const queue = new SchedulingQueue(new NodeTable());
  for (const uid of ["a", "b"]) {
    queue.add(pod(uid), PROFILE, 0);
    queue.failed(queue.pop()!, new Set(["VolumeBinding"]), 0);
  }
  const users = new Set(["b", "gone"]);
  const moved = queue.notify({ resource: "persistentVolumeClaim", change: "update", users }, 0);
  assert.equal(moved, 1);
  assert.deepEqual(["a", "b"].map((uid) => queue.find(uid)?.place), ["unschedulable", "backoff"]);
});

Deno.test("behind a gate only what opens the gate counts, and waiting there is not counted", () => {
  const queue = new SchedulingQueue(new NodeTable());
  queue.add(pod("a", { schedulingGates: ["g"] }), PROFILE, 0);
  const node = { ...EMPTY_NODE, name: "n", allocatable: cpu(1000), allowedPods: 1 };
  assert.equal(queue.notify({ resource: "node", change: "add", before: null, after: node }, 0), 0);
  assert.equal(queue.find("a")?.entry.triableMs, null);
  queue.update(pod("a"), 7000);
  assert.deepEqual([queue.find("a")?.place, queue.find("a")?.entry.triableMs], ["active", 7000]);
});

Deno.test("no pod waits for ever, whatever it was rejected by and however often", () => {
  const queue = new SchedulingQueue(new NodeTable(), { patienceMs: 1000 });
  const [often, once] = [pod("often", { priority: 9 }), pod("once")];
  queue.add(often, PROFILE, 0);
  queue.add(once, PROFILE, 0);
  const tries = new Map<string, number>();
  for (let nowMs = 0; nowMs < 60_000; nowMs += 500) {
    queue.tick(nowMs);
    for (let entry = queue.pop(); entry !== undefined; entry = queue.pop()) {
      const { uid } = entry.pod;
      tries.set(uid, (tries.get(uid) ?? 0) + 1);
      queue.failed(entry, uid === "often" ? FIT : new Set(["NoSuchPlugin"]), nowMs);
    }
  }
  assert.ok([...tries.values()].every((count) => count >= 5), JSON.stringify([...tries]));
});

Deno.test("arrivals are counted by queue and event, waiting pods by plugin", () => {
  const queue = new SchedulingQueue(new NodeTable());
  for (const uid of ["a", "b"]) queue.add(pod(uid), PROFILE, 0);
  queue.add(pod("gated", { schedulingGates: ["g"] }), PROFILE, 0);
  queue.failed(queue.pop()!, new Set([...FIT, "NodeAffinity"]), 0);
  queue.failed(queue.pop()!, new Set(), 0);
  const counted = new Map(queue.rejections().map(({ plugin, pods }) => [plugin, pods]));
  const expected = [["NodeResourcesFit", 1], ["NodeAffinity", 1], ["SchedulingGates", 1]] as const;
  assert.deepEqual(new Set(counted), new Set(expected));
  queue.tick(300_001);
  const entry = queue.find("a")!.entry;
  assert.equal(entry.outOfPatience, true);
  const { active, backoff, unschedulable } = queue.arrivals;
  assert.deepEqual([...active], [
    ["UnschedulablePodAdd", 2],
    ["BackoffComplete", 1],
    ["UnschedulableTimeout", 1],
  ]);
  assert.deepEqual([...backoff], [["ScheduleAttemptFailure", 1]]);
  assert.deepEqual([...unschedulable], [["UnschedulablePodAdd", 1], ["ScheduleAttemptFailure", 1]]);
});
