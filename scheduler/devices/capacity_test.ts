/**
 * What a request takes of a device: as asked, as usual, all; rounded as the device's policy says.
 */

import assert from "node:assert/strict";
import { consumptionOf, Shares } from "./capacity.ts";
import type { CapacityRow } from "./device_row.ts";
import { capacity } from "./testing.ts";

const UNIT = 1_000_000_000n;

/** Whole units, as a slice writes them. */
function units(amount: number | undefined): bigint | null {
  return amount === undefined ? null : BigInt(amount) * UNIT;
}

function memory(
  policy: {
    readonly usual?: number;
    readonly values?: readonly number[];
    readonly range?: { readonly min: number; readonly max?: number; readonly step?: number };
  } = {},
): CapacityRow {
  const { usual, values = [], range } = policy;
  return capacity("memory", units(40)!, {
    usual: units(usual),
    values: values.map((value) => units(value)!),
    range: range === undefined
      ? null
      : { min: units(range.min)!, max: units(range.max), step: units(range.step) },
  });
}

Deno.test("a request takes what it asks for, rounded up as the policy says", () => {
  const steps = { range: { min: 4, max: 16, step: 4 }, usual: 8 };
  const cases: readonly [CapacityRow, number | undefined, number | null][] = [
    [memory(), undefined, 40],
    [memory(), 10, 10],
    [memory(), 41, null],
    [memory({ usual: 5 }), undefined, 5],
    [memory({ usual: 5 }), 7, 7],
    [memory(steps), undefined, 8],
    [memory(steps), 1, 4],
    [memory(steps), 4, 4],
    [memory(steps), 5, 8],
    [memory(steps), 16, 16],
    [memory(steps), 17, null],
    [memory({ range: { min: 4 } }), 5, 5],
    [memory({ range: { min: 4, max: 5 } }), 6, null],
    [memory({ values: [2, 8, 32] }), 1, 2],
    [memory({ values: [2, 8, 32] }), 8, 8],
    [memory({ values: [2, 8, 32] }), 9, 32],
    [memory({ values: [2, 8, 32] }), 33, null],
    [memory({ values: [2, 8, 32], usual: 8 }), undefined, 8],
  ];
  for (const [row, asked, expected] of cases) {
    const wish = new Map(asked === undefined ? [] : [["memory", units(asked)!]]);
    const taken = consumptionOf(wish, [row])?.get("memory") ?? null;
    assert.equal(taken, expected === null ? null : units(expected), `${asked} of it`);
  }
});

Deno.test("a step counts whole units, however small the amounts that are asked for", () => {
  const row = memory({ range: { min: 1, step: 2 } });
  const taken = consumptionOf(new Map([["memory", UNIT + 1n]]), [row]);
  assert.equal(taken?.get("memory"), 3n * UNIT);
});

Deno.test("what the device has not can't be asked of it; what isn't asked for is taken whole", () => {
  const rows = [memory(), capacity("cores", 8n)];
  assert.equal(consumptionOf(new Map([["links", 1n]]), rows), null);
  assert.equal(consumptionOf(new Map([["links", 1n]]), []), null);
  assert.deepEqual(consumptionOf(new Map(), []), new Map());
  const taken = consumptionOf(new Map([["cores", 2n]]), rows);
  assert.deepEqual(taken, new Map([["memory", units(40)], ["cores", 2n]]));
});

Deno.test("parts add up, and a device without parts is forgotten", () => {
  const shares = new Shares();
  shares.add("d", new Map([["memory", 3n]]));
  shares.add("d", new Map());
  shares.add("d", new Map([["memory", 4n], ["cores", 1n]]));
  assert.deepEqual([shares.taken("d", "memory"), shares.taken("d", "cores")], [7n, 1n]);
  shares.remove("d", new Map([["memory", 3n]]));
  shares.remove("d", new Map([["memory", 4n], ["cores", 1n]]));
  assert.deepEqual([shares.taken("d", "memory"), shares.has("d")], [0n, true]);
  shares.remove("d", new Map());
  assert.equal(shares.has("d"), false);
});
