/**
 * Preemptions on more nodes than a search looks at: what is remembered from one to the next must
 * not change whom they evict, nor where the next one starts.
 */

import assert from "node:assert/strict";
import { EMPTY_NODE } from "../node_row.ts";
import { EMPTY_SPEC } from "../pod_row.ts";
import type { PodRow } from "../pod_row.ts";
import { Scheduler } from "../scheduler.ts";
import { Dice } from "../model/generate.ts";
import { NominatedPods } from "./nominations.ts";

const PROFILE = "default-scheduler";
/** A tenth of them is more than the hundred that a search looks at in any case. */
const NODES = 1_300;
const PREEMPTORS = 60;

function podOf(scheduler: Scheduler, uid: string, cpuMilli: number, priority: number): PodRow {
  const requests = { cpuMilli, memoryBytes: 0, ephemeralBytes: 0, scalars: [] };
  const template = scheduler.templates.intern({ ...EMPTY_SPEC, requests, priority });
  return { uid, name: uid, template, terminating: false, nominatedNode: "", startMs: 1, group: "" };
}

/** @returns what was decided, round by round; victims leave by the dice. */
function run(seed: number, shareColumns: boolean): readonly unknown[] {
  const dice = new Dice(seed);
  const scheduler = new Scheduler({ seed, shareColumns });
  const allocatable = { cpuMilli: 4000, memoryBytes: 8e9, ephemeralBytes: 0, scalars: [] };
  for (let i = 0; i < NODES; i++) {
    const name = `n${i}`;
    const unschedulable = dice.chance(5);
    scheduler.setNode({ ...EMPTY_NODE, name, allocatable, allowedPods: 10, unschedulable }, 0);
    const priority = dice.pick([0, 0, 0, 0, 5]);
    for (let j = 0; j < 4; j++) {
      scheduler.setAssigned(podOf(scheduler, `low-${i}-${j}`, 900, priority), name, 0);
    }
  }
  const said: unknown[] = [];
  const leaving: string[] = [];
  for (let i = 0; i < PREEMPTORS; i++) {
    scheduler.setPending(podOf(scheduler, `high-${i}`, 3000, 10), PROFILE, i);
    for (const action of scheduler.plan(i, 4)) {
      const { uid } = action.entry.pod;
      if (action.kind === "bind") {
        said.push([uid, action.nodeName]);
        continue;
      }
      const victims = action.victims.map((victim) => victim.uid);
      said.push([uid, action.nominatedNode, victims, action.message]);
      leaving.push(...victims);
      const promised = { ...action.entry.pod, nominatedNode: action.nominatedNode ?? "" };
      scheduler.setPending(promised, PROFILE, i);
    }
    while (leaving.length > 0 && dice.chance(70)) {
      scheduler.removePod(leaving.splice(dice.roll(leaving.length), 1)[0], i);
    }
  }
  return said;
}

Deno.test("on many nodes, preemptions are those of a scheduler that remembers nothing", () => {
  for (const seed of [1, 2]) {
    const said = run(seed, true);
    assert.deepEqual(said, run(seed, false), `seed ${seed}`);
    const evicting = said.filter((it) => Array.isArray(it) && it[2]?.length === 3);
    assert.ok(evicting.length >= PREEMPTORS, `${evicting.length} preemptions`);
  }
});

Deno.test("a promise that is told again changes no row, one to another pod does", () => {
  const { table, templates } = new Scheduler();
  table.setNode({ ...EMPTY_NODE, name: "n1" });
  const pods = new NominatedPods(table);
  const template = templates.intern(EMPTY_SPEC);
  const larger = templates.intern({ ...EMPTY_SPEC, priority: 7 });
  const pod = podOf({ templates } as Scheduler, "a", 0, 0);
  pods.set({ ...pod, template }, "n1");
  const { generation } = table;
  pods.set({ ...pod, template, name: "again" }, "n1");
  assert.equal(table.generation, generation);
  assert.deepEqual(pods.byNode.get("n1")!.map(({ name }) => name), ["again"]);
  pods.set({ ...pod, template: larger }, "n1");
  assert.ok(table.generation > generation, "it asks for something else now");
  pods.set({ ...pod, uid: "b", template }, "n1");
  assert.deepEqual(pods.byNode.get("n1")!.map(({ uid }) => uid), ["a", "b"]);
});
