/**
 * Tries the resolution of counts and percentages.
 * In: a table of values, totals and rounding. Out: counts, or null for what is no share.
 * Never: reads the clock or the network; randomness comes from fast-check.
 */
import assert from "node:assert/strict";
import { resolveShare } from "./intstr.ts";

Deno.test("shares are resolved and rounded as asked", () => {
  const cases: readonly [number | string, number, "up" | "down", number | null][] = [
    [3, 10, "up", 3],
    ["25%", 10, "up", 3],
    ["25%", 10, "down", 2],
    ["0%", 10, "up", 0],
    ["100%", 7, "down", 7],
    ["7", 10, "up", null],
    ["x%", 10, "up", null],
  ];
  for (const [value, total, round, expected] of cases) {
    assert.equal(resolveShare(value, { total, round }), expected, `${value} of ${total}`);
  }
});
