/**
 * The unrolled loops against the general ones, over columns with zeros, overuse and large numbers:
 * every score must be the same to the bit.
 */

import assert from "node:assert/strict";
import { Dice } from "../model/generate.ts";
import { leastAllocated } from "../plugins/allocation.ts";
import { scoreBalance } from "../plugins/node_resources_balanced.ts";
import { scoreMean } from "../plugins/node_resources_fit.ts";
import { scoreBalanceOfTwo, scoreLeastAllocatedOfTwo } from "./two_resources.ts";

const ROWS = 4096;

function column(dice: Dice, most: number): Float64Array {
  return Float64Array.from(
    { length: ROWS },
    () => dice.chance(10) ? 0 : dice.roll(2 ** 31) % most * (dice.chance(50) ? 1 : 977),
  );
}

Deno.test("unrolled loops give the same bits as the general ones", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const dice = new Dice(seed);
    const most = dice.pick([10, 1000, 2 ** 30]);
    const columns = [0, 1].map(() => ({
      allocatable: column(dice, most),
      requested: column(dice, most),
      asked: dice.roll(most),
      weight: 1 + dice.roll(5),
    }));
    const [a, b] = columns;
    const range = { from: 0, to: ROWS };
    const expected = new Float64Array(ROWS);
    const got = new Float64Array(ROWS);

    scoreMean(columns, leastAllocated, expected, range);
    scoreLeastAllocatedOfTwo(
      a.allocatable,
      a.requested,
      a.asked,
      a.weight,
      b.allocatable,
      b.requested,
      b.asked,
      b.weight,
      got,
      0,
      ROWS,
    );
    assert.deepEqual(got, expected);

    scoreBalance(columns, expected, range);
    scoreBalanceOfTwo(
      a.allocatable,
      a.requested,
      a.asked,
      b.allocatable,
      b.requested,
      b.asked,
      got,
      0,
      ROWS,
    );
    assert.deepEqual(got, expected);
  }
});
