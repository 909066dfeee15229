/**
 * The queue by its clock: order, backoffs, events that help or not, gates, patience.
 * All times are given; nothing waits.
 */

import assert from "node:assert/strict";
import type { ClusterEvent } from "./cluster_event.ts";
import { TemplateTable } from "./intern.ts";
import { EMPTY_NODE } from "./node_row.ts";
import { NodeTable } from "./node_table.ts";
import { EMPTY_POD, EMPTY_SPEC } from "./pod_row.ts";
import type { PodRow, PodSpecRow } from "./pod_row.ts";
import { buildProfile } from "./profile.ts";
import { SchedulingQueue } from "./queue.ts";

const PROFILE = buildProfile();
const TEMPLATES = new TemplateTable();
const FIT = new Set(["NodeResourcesFit"]);

function pod(uid: string, spec: Partial<PodSpecRow> = {}): PodRow {
  const template = TEMPLATES.intern({ ...EMPTY_SPEC, ...spec });
  return { ...EMPTY_POD, uid, name: uid, template };
}

function queueOf(...pods: PodRow[]): SchedulingQueue {
  const queue = new SchedulingQueue(new NodeTable());
  for (const one of pods) queue.add(one, PROFILE, 0);
  return queue;
}

function nodeAdded(allowedPods = 110): ClusterEvent {
  const after = { ...EMPTY_NODE, name: "n", allowedPods };
  return { resource: "node", change: "add", before: null, after };
}

Deno.test("pods come out by priority, then by how long they wait", () => {
  const queue = new SchedulingQueue(new NodeTable());
  queue.add(pod("old"), PROFILE, 1);
  queue.add(pod("new"), PROFILE, 2);
  queue.add(pod("important", { priority: 10 }), PROFILE, 3);
  const order = [queue.pop(), queue.pop(), queue.pop()].map((entry) => entry!.pod.uid);
  assert.deepEqual(order, ["important", "old", "new"]);
  assert.equal(queue.pop(), undefined);
});

Deno.test("backoffs double from one second to ten", () => {
  const queue = queueOf(pod("a"));
  const ends: number[] = [];
  for (let i = 0; i < 6; i++) {
    const entry = queue.pop()!;
    queue.failed(entry, FIT, 0);
    ends.push(queue.backoffUntilMs(queue.find("a")!.entry));
    queue.notify(nodeAdded(), 0);
  }
  assert.deepEqual(ends, [1000, 2000, 4000, 8000, 10_000, 10_000]);
});

Deno.test("an event moves only pods whose rejecting plugin finds it helpful", () => {
  const queue = queueOf(pod("a"));
  queue.failed(queue.pop()!, FIT, 0);
  assert.equal(queue.notify(nodeAdded(0), 0), 0);
  assert.equal(queue.find("a")!.place, "unschedulable");
  assert.equal(queue.notify(nodeAdded(), 0), 1);
  assert.equal(queue.find("a")!.place, "backoff");
  const late = queueOf(pod("a"));
  late.failed(late.pop()!, FIT, 0);
  late.notify(nodeAdded(), 5000);
  assert.equal(late.find("a")!.place, "active");
});

Deno.test("a pod that backs off is taken when nothing else waits, but not after an error", () => {
  const queue = queueOf(pod("rejected"));
  queue.failed(queue.pop()!, FIT, 0);
  queue.notify(nodeAdded(), 0);
  assert.equal(queue.pop()!.pod.uid, "rejected");
  const broken = queueOf(pod("broken"));
  broken.failed(broken.pop()!, new Set(), 0);
  assert.equal(broken.find("broken")!.place, "backoff");
  assert.equal(broken.pop(), undefined);
  broken.tick(1500);
  assert.equal(broken.pop(), undefined);
  assert.equal(broken.nextTickMs(), 2000);
  broken.tick(2000);
  assert.equal(broken.pop()!.pod.uid, "broken");
});

Deno.test("after five minutes without a helpful event a pod is tried anyway", () => {
  const queue = queueOf(pod("a"));
  queue.failed(queue.pop()!, FIT, 0);
  queue.tick(300_000);
  assert.equal(queue.find("a")!.place, "unschedulable");
  assert.equal(queue.nextTickMs(), 300_001);
  queue.tick(300_001);
  assert.equal(queue.find("a")!.place, "active");
});

Deno.test("gates hold a pod back from everything until they are gone", () => {
  const gated = pod("a", { schedulingGates: ["quota", "audit"] });
  const queue = queueOf(gated);
  assert.equal(queue.find("a")!.entry.gate, "waiting for scheduling gates: [quota audit]");
  queue.tick(400_000);
  queue.notify({ resource: "any", label: "UnschedulableTimeout" }, 0);
  assert.deepEqual(queue.sizes, { active: 0, backoff: 0, unschedulable: 0, gated: 1 });
  queue.update(pod("a", { schedulingGates: ["audit"] }), 0);
  assert.equal(queue.sizes.gated, 1);
  queue.update(pod("a"), 0);
  assert.equal(queue.sizes.active, 1);
});

Deno.test("a deleted pod helps only those that wait for what it held", () => {
  const wants = pod("a", { hostPorts: [{ ip: "0.0.0.0", protocol: "TCP", port: 80 }] });
  const queue = queueOf(wants);
  queue.failed(queue.pop()!, new Set(["NodePorts"]), 0);
  const gone = (port: number): ClusterEvent => ({
    resource: "pod",
    change: "delete",
    before: pod("x", { hostPorts: [{ ip: "10.0.0.1", protocol: "TCP", port }] }),
    after: null,
    assigned: true,
  });
  assert.equal(queue.notify(gone(443), 0), 0);
  assert.equal(queue.notify(gone(80), 0), 1);
});

Deno.test("an update keeps a pod's place and takes its new priority", () => {
  const queue = queueOf(pod("a"), pod("b"));
  assert.equal(queue.update(pod("b", { priority: 5 }), 0), true);
  assert.equal(queue.update(pod("c"), 0), false);
  assert.equal(queue.pop()!.pod.uid, "b");
});
