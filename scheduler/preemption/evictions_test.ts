/**
 * A pod that others make room for is left alone until they leave: no second choice of victims while
 * the first ones are being evicted, and no waiting for ever when an eviction fails.
 */

import assert from "node:assert/strict";
import { EMPTY_NODE } from "../node_row.ts";
import { EMPTY_POD, EMPTY_SPEC } from "../pod_row.ts";
import type { PodRow } from "../pod_row.ts";
import { Scheduler } from "../scheduler.ts";
import { WAITING_FOR_EVICTIONS } from "./evictions.ts";

const PROFILE = "default-scheduler";

/** Two full nodes; "high" evicts "a" from one of them, "other" is somewhere else. */
function machine() {
  const scheduler = new Scheduler({ seed: 1 });
  const allocatable = { cpuMilli: 1000, memoryBytes: 8e9, ephemeralBytes: 0, scalars: [] };
  for (const name of ["n1", "n2", "n3"]) {
    scheduler.setNode({ ...EMPTY_NODE, name, allocatable, allowedPods: 10 }, 0);
  }
  const pod = (uid: string, priority: number): PodRow => {
    const requests = { cpuMilli: 1000, memoryBytes: 0, ephemeralBytes: 0, scalars: [] };
    const template = scheduler.templates.intern({ ...EMPTY_SPEC, requests, priority });
    return { ...EMPTY_POD, uid, name: uid, template };
  };
  scheduler.setAssigned(pod("a", 0), "n1", 0);
  scheduler.setAssigned(pod("b", 5), "n2", 0);
  scheduler.setAssigned(pod("c", 20), "n3", 0);
  scheduler.setPending(pod("high", 10), PROFILE, 0);
  const [action] = scheduler.plan(0, 10);
  assert.ok(action.kind === "reject");
  assert.deepEqual(action.victims.map(({ uid }) => uid), ["a"]);
  return { scheduler, pod };
}

Deno.test("an event in between does not make it choose again", () => {
  const { scheduler, pod } = machine();
  assert.equal(scheduler.queue.find("high")!.entry.gate, WAITING_FOR_EVICTIONS);
  assert.equal(scheduler.queue.sizes.gated, 1);
  scheduler.removePod("c", 100);
  scheduler.setAssigned(pod("d", 20), "n3", 100);
  assert.deepEqual(scheduler.plan(60_000, 10), []);
  scheduler.removePod("a", 60_000);
  const [action] = scheduler.plan(120_000, 10);
  assert.equal(action.kind === "bind" && action.nodeName, "n1");
});

Deno.test("once its victims terminate, it listens to events again", () => {
  const { scheduler, pod } = machine();
  scheduler.setAssigned({ ...pod("a", 0), terminating: true, evicted: true }, "n1", 100);
  assert.equal(scheduler.queue.sizes.gated, 0);
  assert.deepEqual(scheduler.plan(60_000, 10), [], "a termination alone makes no room");
  scheduler.removePod("a", 60_000);
  const [action] = scheduler.plan(120_000, 10);
  assert.equal(action.kind === "bind" && action.nodeName, "n1");
});

Deno.test("an eviction that fails has it tried at once", () => {
  const { scheduler } = machine();
  scheduler.evicted("high", false);
  const [action] = scheduler.plan(1, 10);
  assert.ok(action.kind === "reject");
  assert.deepEqual(action.victims.map(({ uid }) => uid), ["a"]);
});

Deno.test("a pod that goes while others are evicted for it leaves nothing behind", () => {
  const { scheduler } = machine();
  scheduler.removePod("high", 100);
  scheduler.removePod("a", 200);
  assert.deepEqual(scheduler.queue.sizes, { active: 0, backoff: 0, unschedulable: 0, gated: 0 });
  assert.equal(scheduler.nominations.size, 0);
});

Deno.test("a less important pod is promised the node no more, and told so", () => {
  const { scheduler, pod } = machine();
  scheduler.setPending(pod("vip", 15), PROFILE, 100);
  const [action] = scheduler.plan(100, 10);
  assert.ok(action.kind === "reject" && action.nominatedNode === "n1");
  assert.deepEqual(action.displaced?.map(({ uid }) => uid), ["high"]);
  assert.deepEqual([...scheduler.nominations].map(([, [{ uid }]]) => uid), ["vip"]);
  // What the API said before this comes late, and then that the promise is gone.
  scheduler.setPending({ ...pod("high", 10), nominatedNode: "n1" }, PROFILE, 200);
  scheduler.setPending(pod("high", 10), PROFILE, 300, true);
  assert.deepEqual([...scheduler.nominations].map(([, [{ uid }]]) => uid), ["vip"]);
  scheduler.evicted("high", true);
  scheduler.evicted("vip", true);
  scheduler.removePod("a", 1000);
  const tried = scheduler.plan(60_000, 10);
  const nodes = tried.map((one) => one.kind === "bind" ? one.nodeName : one.nominatedNode);
  assert.deepEqual(tried.map(({ entry }) => entry.pod.uid), ["vip", "high"]);
  assert.deepEqual(nodes, ["n1", "n2"], "the other one's node is cleared next");
});

Deno.test("a promise to an equal stands", () => {
  const { scheduler, pod } = machine();
  scheduler.setPending(pod("equal", 10), PROFILE, 100);
  const [action] = scheduler.plan(100, 10);
  assert.ok(action.kind === "reject" && action.nominatedNode === "n2");
  assert.deepEqual(action.displaced, []);
  assert.equal(scheduler.nominations.get("n1")?.[0].uid, "high");
});
