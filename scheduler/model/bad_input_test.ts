/**
 * What must not hurt: amounts beyond all measure, selectors over ever new keys, resources nobody
 * offers, nodes that vanish between a decision and its binding.
 */

import assert from "node:assert/strict";
import { EMPTY_NODE } from "../node_row.ts";
import { NodeTable } from "../node_table.ts";
import { EMPTY_POD, EMPTY_SPEC } from "../pod_row.ts";
import type { PodRow, PodSpecRow } from "../pod_row.ts";
import { Scheduler } from "../scheduler.ts";

const PROFILE = "default-scheduler";
const GIGABYTE = 2 ** 30;

function machine(nodes: number): Scheduler {
  const scheduler = new Scheduler({ seed: 5 });
  for (let i = 0; i < nodes; i++) {
    const allocatable = {
      cpuMilli: 4000,
      memoryBytes: 8 * GIGABYTE,
      ephemeralBytes: 0,
      scalars: [],
    };
    const labels = { "kubernetes.io/hostname": `n${i}` };
    scheduler.setNode({ ...EMPTY_NODE, name: `n${i}`, labels, allocatable, allowedPods: 110 }, 0);
  }
  return scheduler;
}

function pod(scheduler: Scheduler, uid: string, spec: Partial<PodSpecRow> = {}): PodRow {
  const template = scheduler.templates.intern({ ...EMPTY_SPEC, ...spec });
  return { ...EMPTY_POD, uid, name: uid, template };
}

function asking(cpuMilli: number, memoryBytes: number): Partial<PodSpecRow> {
  const requests = { cpuMilli, memoryBytes, ephemeralBytes: 0, scalars: [] };
  return { requests, nonzeroCpuMilli: cpuMilli, nonzeroMemoryBytes: memoryBytes };
}

Deno.test("a pod that asks for more than the world has is refused, and costs no one anything", () => {
  const scheduler = machine(3);
  for (const [i, amount] of [2 ** 24 + 1, 2 ** 31, 2 ** 40, 2 ** 52].entries()) {
    scheduler.setPending(pod(scheduler, `cpu${i}`, asking(amount, 0)), PROFILE, 0);
    scheduler.setPending(pod(scheduler, `memory${i}`, asking(0, amount * 1024)), PROFILE, 0);
  }
  scheduler.setPending(pod(scheduler, "small", asking(100, GIGABYTE)), PROFILE, 0);
  const bound = scheduler.plan(0, 100).filter(({ kind }) => kind === "bind");
  assert.deepEqual(bound.map(({ entry }) => entry.pod.uid).sort(), ["small"]);
});

Deno.test("sums are whole again once a pod beyond measure is gone", () => {
  const scheduler = machine(1);
  scheduler.setAssigned(pod(scheduler, "odd", asking(333, 12_345_677)), "n0", 0);
  for (let i = 0; i < 8; i++) {
    scheduler.setAssigned(pod(scheduler, `h${i}`, asking(2 ** 52, 2 ** 52)), "n0", 0);
  }
  for (let i = 0; i < 8; i++) scheduler.removePod(`h${i}`, 0);
  assert.equal(scheduler.table.cpuRequested[0], 333);
  assert.equal(scheduler.table.memoryNonzero[0], 12_345_677);
});

Deno.test("selectors over ever new keys and resources of ever new names leave nothing behind", () => {
  const scheduler = machine(4);
  const equal = (uid: string) => pod(scheduler, uid, { labels: { app: "a" }, ...asking(1, 1) });
  for (let i = 0; i < 2000; i++) {
    const nodeSelector = { [`key-${i}`]: "x" };
    scheduler.setPending(pod(scheduler, `s${i}`, { nodeSelector }), PROFILE, 0);
    const scalars = [{ name: `example.com/r${i}`, amount: 1 }];
    const requests = { ...EMPTY_SPEC.requests, scalars };
    scheduler.setAssigned(pod(scheduler, `r${i}`, { requests }), "n0", 0);
    scheduler.removePod(`r${i}`, 0);
    if (i % 50 === 0) scheduler.setPending(equal(`e${i}`), PROFILE, 0);
    scheduler.plan(0, 10);
    scheduler.removePod(`s${i}`, 0);
  }
  assert.equal(scheduler.table.scalars.size, 0);
  assert.ok(scheduler.table.labelColumnCount <= 300, `${scheduler.table.labelColumnCount}`);
  assert.ok(scheduler.table.labelSpan < 100);
});

Deno.test("a node that vanishes under a placed pod: refused, it goes elsewhere", () => {
  const scheduler = machine(2);
  scheduler.setPending(pod(scheduler, "a", asking(100, 0)), PROFILE, 0);
  const [action] = scheduler.plan(0, 10);
  assert.ok(action.kind === "bind");
  scheduler.removeNode(action.nodeName, 0);
  scheduler.refuse("a", 0);
  const [again] = scheduler.plan(60_000, 10);
  assert.ok(again.kind === "bind");
  assert.notEqual(again.nodeName, action.nodeName);
});

Deno.test("ten thousand pods that fit nowhere cost an event one question, not ten thousand", () => {
  const scheduler = machine(20);
  const hopeless = asking(64_000, GIGABYTE);
  for (let i = 0; i < 10_000; i++) {
    scheduler.setPending(pod(scheduler, `h${i}`, hopeless), PROFILE, 0);
  }
  const refused = scheduler.plan(0, 20_000);
  assert.equal(refused.length, 10_000);
  assert.equal(scheduler.queue.sizes.unschedulable, 10_000);
  const { hint } = scheduler.profiles.get(PROFILE)!.byName.get("NodeResourcesFit")!;
  let asked = 0;
  const profile = scheduler.profiles.get(PROFILE)!;
  Object.assign(profile.byName.get("NodeResourcesFit")!, {
    hint: (...about: Parameters<NonNullable<typeof hint>>) => {
      asked++;
      return hint!(...about);
    },
  });
  for (let i = 0; i < 100; i++) {
    // A node that is added helps only those that an empty one would hold.
    const allocatable = { cpuMilli: 8000, memoryBytes: GIGABYTE, ephemeralBytes: 0, scalars: [] };
    scheduler.setNode({ ...EMPTY_NODE, name: `more${i}`, allocatable, allowedPods: 5 }, 10);
    scheduler.setPending(pod(scheduler, `small${i}`, asking(10, 0)), PROFILE, 10);
    const [action, ...others] = scheduler.plan(10, 512);
    assert.equal(action.kind === "bind" && action.entry.pod.uid, `small${i}`);
    assert.equal(others.length, 0, "those that fit nowhere are left in peace");
  }
  assert.ok(asked > 0 && asked <= 200, `${asked} questions for 100 nodes`);
});

Deno.test("a large table in lanes and a small one in plain numbers hold the same", () => {
  const tables = [new NodeTable(), new NodeTable(false)];
  for (const table of tables) {
    for (let i = 0; i < 3000; i++) {
      const allocatable = { cpuMilli: i, memoryBytes: i * 7, ephemeralBytes: 0, scalars: [] };
      table.setNode({ ...EMPTY_NODE, name: `n${i}`, allocatable, allowedPods: 5 });
      if (i % 3 === 0) table.removeNode(`n${i - 1}`);
    }
  }
  assert.deepEqual(tables[0].cpuAllocatable, tables[1].cpuAllocatable);
  assert.deepEqual(tables[0].hot.podsFree, tables[1].hot.podsFree);
});
