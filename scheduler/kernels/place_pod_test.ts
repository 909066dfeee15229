/**
 * The SIMD kernel against its scalar twin, over columns with zeros, overuse, exact percentages and
 * exact ties of cpu and memory: every total, every block and the count must be the same.
 */

import assert from "node:assert/strict";
import { Dice } from "../model/generate.ts";
import { BLOCK_ROWS, HotColumns, pickPlaced } from "./place_pod.ts";
import type { PodAsk } from "./place_pod.ts";
import { PLACE_POD_WASM } from "./place_pod_wasm.ts";

const CAPACITY = 1024;

function fill(dice: Dice, columns: HotColumns): void {
  const most = dice.pick([100, 4000, 2 ** 20, 2 ** 31]);
  const wide = dice.pick([1, 1000, 2 ** 20, 12_345]);
  const least = dice.pick([0, 0.5]);
  const amount = (scale: number) =>
    (1 + Math.floor(most * least) + dice.roll(Math.ceil(most * (1 - least)))) * scale;
  const twinned = dice.chance(25);
  const lacking = dice.chance(30);
  const alike = dice.chance(40);
  const common = { cpu: amount(1), memory: amount(wide) };
  for (let row = 0; row < CAPACITY; row++) {
    const offered = alike ? common : { cpu: amount(1), memory: amount(wide) };
    const cpu = lacking && dice.chance(8) ? 0 : offered.cpu;
    const memory = lacking && dice.chance(8) ? 0 : twinned ? cpu * wide : offered.memory;
    columns.offer(row, cpu, memory);
    const share = dice.roll(most === 100 ? 130 : 100) / 100;
    columns.cpuRequested[row] = dice.chance(20) ? 0 : Math.floor(cpu * share);
    columns.memoryRequested[row] = twinned
      ? columns.cpuRequested[row] * wide
      : Math.floor(memory * (dice.roll(105) / 100));
    columns.cpuNonzero[row] = columns.cpuRequested[row] + (dice.chance(30) ? 100 : 0);
    columns.memoryNonzero[row] = columns.memoryRequested[row] + (dice.chance(30) ? wide : 0);
    columns.podsFree[row] = dice.roll(20) - 1;
    columns.weigh(row);
  }
}

function askOf(dice: Dice, { cpuAllocatable, memoryAllocatable }: HotColumns): PodAsk {
  const wide = dice.pick([1, 2, 10, 1000]);
  const cpu = dice.pick([0, 1, 40, 100, 1 + dice.roll(1 + Math.floor(cpuAllocatable[0] / wide))]);
  const most = 1 + Math.min(2 ** 31, Math.floor(memoryAllocatable[0] / wide));
  const memory = dice.pick([0, 1, 2 ** 20, 1 + dice.roll(most)]);
  return {
    cpuFit: cpu === 0 ? -Infinity : cpu,
    memoryFit: memory === 0 ? -Infinity : memory,
    cpuScored: cpu === 0 ? 100 : cpu,
    memoryScored: memory,
    cpuExact: cpu,
    memoryExact: memory,
    leastWeight: dice.roll(4),
    balanceWeight: dice.roll(4),
  };
}

Deno.test("the kernel gives the same bits as its scalar twin", () => {
  const simd = new HotColumns(CAPACITY);
  const scalar = new HotColumns(CAPACITY, false);
  let fitted = 0;
  for (let seed = 1; seed <= 300; seed++) {
    const dice = new Dice(seed);
    fill(dice, simd);
    scalar.copy(simd);
    for (let i = 0; i < 4; i++) {
      const ask = askOf(dice, simd);
      const rows = CAPACITY - dice.roll(100);
      const count = simd.place(rows, ask);
      assert.equal(count, scalar.place(rows, ask), `seed ${seed}`);
      fitted += count;
      if (count === 0) continue;
      const bests = scalar.blockBest.subarray(0, Math.ceil(rows / BLOCK_ROWS));
      const best = Math.max(...bests);
      bests.forEach((found, block) => {
        // The lanes may leave open how far from winning a block is.
        if (found < best) assert.ok(simd.blockBest[block] <= found, `seed ${seed}`);
        else assert.equal(simd.blockBest[block], found, `seed ${seed}`);
        if (found === best) assert.equal(simd.blockTies[block], scalar.blockTies[block]);
      });
      let ties = 0;
      const first = pickPlaced(simd, rows, ask, (count) => (ties = count, 0));
      assert.equal(first, pickPlaced(scalar, rows, ask, (count) => (assert.equal(count, ties), 0)));
      for (const rank of [Math.floor(ties / 2), ties - 1]) {
        const row = pickPlaced(simd, rows, ask, () => rank);
        assert.equal(row, pickPlaced(scalar, rows, ask, () => rank), `seed ${seed}`);
      }
    }
  }
  assert.ok(fitted > 100 * CAPACITY, "some rows fit");
  assert.equal(simd.blockBest.length, CAPACITY / BLOCK_ROWS);
});

Deno.test("the committed bytes are what the source assembles to", async () => {
  const { default: wabt } = await import("wabt");
  const source = await Deno.readTextFile(new URL("place_pod.wat", import.meta.url));
  const module = (await wabt()).parseWat("place_pod.wat", source, { simd: true });
  assert.equal(module.toBinary({}).buffer.toBase64(), PLACE_POD_WASM.join(""));
});
