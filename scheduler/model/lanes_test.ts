/**
 * Decisions in 128-bit lanes against decisions in plain numbers: a hundred thousand of them, over
 * tables large enough for the lanes that fill, empty and change. Run one case with `SEED=n`.
 */

import assert from "node:assert/strict";
import { decide, Scratch } from "../decide.ts";
import { TemplateTable } from "../intern.ts";
import { EMPTY_NODE } from "../node_row.ts";
import { NodeTable } from "../node_table.ts";
import { EMPTY_POD, EMPTY_SPEC } from "../pod_row.ts";
import type { PodRow } from "../pod_row.ts";
import { buildProfile } from "../profile.ts";
import { Dice } from "./generate.ts";

const PROFILE = buildProfile();
const NOMINATIONS = new Map<string, PodRow[]>();
const MEGABYTE = 2 ** 20;
/** Just enough rows that a table moves into the lanes' memory. */
const NODES = 520;
const DECISIONS = 100_000;

/** Sizes of nodes: the quick pass takes other ways where they are alike, or lack something. */
const SIZES = [
  { cpu: [4000], memory: [32_768 * MEGABYTE] },
  { cpu: [3999, 4000, 4000, 16_000], memory: [8_000_000_000, 8192 * MEGABYTE] },
  { cpu: [1999, 4000, 16_000, 64_000], memory: [8_000_000_000, 65_536 * MEGABYTE] },
  { cpu: [0, 1999, 4000, 64_000], memory: [0, 8192 * MEGABYTE, 65_536 * MEGABYTE] },
];
type Sizes = typeof SIZES[number];

function setNode(tables: readonly NodeTable[], dice: Dice, sizes: Sizes, name: string): void {
  const cpuMilli = dice.pick(sizes.cpu);
  const memoryBytes = dice.pick(sizes.memory);
  const allocatable = { cpuMilli, memoryBytes, ephemeralBytes: 0, scalars: [] };
  const allowedPods = dice.pick([0, 3, 110, 110]);
  for (const table of tables) table.setNode({ ...EMPTY_NODE, name, allocatable, allowedPods });
}

function podOf(templates: TemplateTable, dice: Dice, uid: string): PodRow {
  const cpuMilli = dice.pick([0, 40, 100, 250, 1 + dice.roll(3000)]);
  const memoryBytes = dice.pick([0, 64 * MEGABYTE, 500 * MEGABYTE, 1 + dice.roll(2 ** 30)]);
  const requests = { cpuMilli, memoryBytes, ephemeralBytes: 0, scalars: [] };
  const template = templates.intern({
    ...EMPTY_SPEC,
    requests,
    nonzeroCpuMilli: cpuMilli === 0 ? 100 : cpuMilli,
    nonzeroMemoryBytes: memoryBytes === 0 ? 200 * MEGABYTE : memoryBytes,
  });
  return { ...EMPTY_POD, uid, name: uid, template };
}

function run(seed: number, decisions: number): number {
  const dice = new Dice(seed);
  const tables = [new NodeTable(), new NodeTable(false)];
  const scratches = [new Scratch(), new Scratch()];
  const templates = new TemplateTable();
  const sizes = SIZES[seed % SIZES.length];
  for (let i = 0; i < NODES; i++) setNode(tables, dice, sizes, `n${i}`);
  const placed: string[] = [];
  let found = 0;
  for (let i = 0; i < decisions; i++) {
    if (dice.chance(1)) setNode(tables, dice, sizes, `n${dice.roll(NODES)}`);
    if (dice.chance(45) && placed.length > 0) {
      const at = dice.roll(placed.length);
      for (const table of tables) table.removePod(placed[at]);
      placed[at] = placed[placed.length - 1];
      placed.pop();
    }
    const pod = podOf(templates, dice, `u${i}`);
    const decisionSeed = dice.roll(2 ** 32);
    const [lanes, plain] = tables.map((table, at) =>
      decide(
        { table, profile: PROFILE, pod, nominations: NOMINATIONS, seed: decisionSeed },
        scratches[at],
      ).decision
    );
    assert.deepEqual(lanes, plain, `decision ${i}`);
    if (lanes.kind !== "placed") continue;
    found++;
    for (const table of tables) table.addPod(pod, lanes.nodeName);
    placed.push(pod.uid);
  }
  return found;
}

Deno.test("a hundred thousand decisions in lanes are those in plain numbers", () => {
  const only = Deno.env.get("SEED");
  const seeds = only === undefined ? Array.from({ length: 20 }, (_, i) => i + 1) : [Number(only)];
  let found = 0;
  for (const seed of seeds) {
    try {
      found += run(seed, DECISIONS / 20);
    } catch (error) {
      throw new Error(`replay with SEED=${seed} deno test -A scheduler/model`, { cause: error });
    }
  }
  assert.ok(found > (DECISIONS / 20) * seeds.length / 2, `${found} found a node`);
});
