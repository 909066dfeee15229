/**
 * Times of plugins: each point and plugin once, runs counted by node; and measuring changes no
 * decision. The stopwatch moves by one millisecond a look.
 */

import assert from "node:assert/strict";
import type { Action } from "../action.ts";
import { Dice, randomNode, randomSpec } from "../model/generate.ts";
import { EMPTY_NODE } from "../node_row.ts";
import { EMPTY_POD, EMPTY_SPEC } from "../pod_row.ts";
import type { PodSpecRow } from "../pod_row.ts";
import { Scheduler } from "../scheduler.ts";
import { measureNext } from "./measure.ts";
import type { Stopwatch } from "./measure.ts";

const NAME = "default-scheduler";

/** Writes down what it is told, as text. */
function scribe(): Stopwatch & { readonly lines: string[] } {
  const lines: string[] = [];
  let now = 0;
  return {
    lines,
    now: () => now++,
    point: (point, status, millis) => void lines.push(`${point} ${status} ${millis}`),
    plugin: (point, plugin, { status, millis, times }) =>
      void (times > 0 && lines.push(`${point} ${plugin} ${status} ${times}x${millis}`)),
  };
}

function add(scheduler: Scheduler, uid: string, spec: PodSpecRow): void {
  const template = scheduler.templates.intern(spec);
  scheduler.setPending({ ...EMPTY_POD, uid, name: uid, template }, NAME, 0);
}

function cpu(cpuMilli: number) {
  return { cpuMilli, memoryBytes: 0, ephemeralBytes: 0, scalars: [] };
}

Deno.test("a plugin's runs are counted by node, and what has no say is skipped", () => {
  const scheduler = new Scheduler();
  for (const [i, cpuMilli] of [1000, 1000, 100, 1000].entries()) {
    const node = { ...EMPTY_NODE, name: `n${i}`, allocatable: cpu(cpuMilli), allowedPods: 9 };
    scheduler.setNode({ ...node, labels: { zone: i < 3 ? "a" : "b" } }, 0);
  }
  const stopwatch = scribe();
  assert.equal(measureNext(scheduler, stopwatch), false);
  add(scheduler, "u", { ...EMPTY_SPEC, requests: cpu(500), nodeSelector: { zone: "a" } });
  assert.equal(measureNext(scheduler, stopwatch), true);
  const said = (start: string) => stopwatch.lines.filter((line) => line.startsWith(start));
  assert.deepEqual(said("Filter"), [
    "Filter NodeAffinity Success 3x0.25",
    "Filter NodeAffinity Unschedulable 1x0.25",
    `Filter NodeResourcesFit Success 2x${1 / 3}`,
    `Filter NodeResourcesFit Unschedulable 1x${1 / 3}`,
    "Filter Success 2",
  ]);
  assert.deepEqual(said("PreFilter NodePorts"), ["PreFilter NodePorts Skip 1x1"]);
  assert.deepEqual(said("Score NodeResourcesFit"), ["Score NodeResourcesFit Success 2x0.5"]);
  assert.equal(said("PreScore Success").length + said("Score Success").length, 2);
  assert.equal(scheduler.plan(0, 9)[0].kind, "bind");
});

Deno.test("measuring changes no decision", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const [plain, measured] = [false, true].map((measures) => {
      const dice = new Dice(seed);
      const scheduler = new Scheduler({ seed });
      for (let i = 0; i < 8; i++) scheduler.setNode(randomNode(dice, `n${i}`), 0);
      const specs = Array.from({ length: 4 }, (_, i) => randomSpec(dice, i < 2));
      const actions: string[] = [];
      for (let i = 0; i < 30; i++) {
        add(scheduler, `u${i}`, specs[i % 4]);
        if (measures) measureNext(scheduler, scribe());
        actions.push(...scheduler.plan(0, 1).map(told));
      }
      return actions;
    });
    assert.deepEqual(measured, plain, `SEED=${seed}`);
  }
});

function told(action: Action): string {
  const { uid } = action.entry.pod;
  return action.kind === "bind" ? `${uid} ${action.nodeName}` : `${uid} ${action.message}`;
}
