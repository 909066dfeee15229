/**
 * Tries quantities: canonical forms, refusals and sums.
 * In: amounts, and random ones. Out: canonical text, which must be its own canonical text.
 * Never: reads the clock or the network; randomness comes from fast-check.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  milliOf,
  parseQuantity,
  unitsOf,
} from "./quantity.ts";

const CANONICAL: readonly [string | number, string][] = [
  ["0", "0"],
  ["0.5", "500m"],
  [0.5, "500m"],
  ["1", "1"],
  [2, "2"],
  ["1000m", "1"],
  ["1500m", "1500m"],
  ["1.5", "1500m"],
  ["1024", "1024"],
  ["1024Ki", "1Mi"],
  ["1.5Gi", "1536Mi"],
  ["0.5Ki", "512"],
  ["1000k", "1M"],
  ["1e3", "1e3"],
  ["1E3", "1e3"],
  ["1.2e3", "1200"],
  ["12e6", "12e6"],
  ["-1", "-1"],
  ["+5", "5"],
  [".5", "500m"],
  ["5.", "5"],
  ["1n", "1n"],
  ["0.1n", "1n"],
  ["100000000000000000000Ei", "9223372036854775807"],
  ["1E", "1E"],
];

Deno.test("quantities print in canonical form", () => {
  for (const [input, expected] of CANONICAL) {
    assert.equal(canonicalQuantity(input), expected, `${input}`);
  }
});

Deno.test("text that is no quantity is refused with upstream's sentences", () => {
  const cases: readonly [string, RegExp][] = [
    ["", /must match the regular expression/],
    ["1.2.3", /must match/],
    ["abc", /must match/],
    ["1 Gi", /must match/],
    ["1KiB", /must match/],
    ["1ki", /unable to parse quantity's suffix/],
    ["1ee3", /unable to parse quantity's suffix/],
    [".", /unable to parse numeric part/],
  ];
  for (const [input, message] of cases) {
    const result = parseQuantity(input);
    assert.equal(result.kind, "error", input);
    if (result.kind === "error") assert.match(result.message, message, input);
  }
});

Deno.test("canonical text parses to the same amount and is its own canonical form", () => {
  const suffix = fc.constantFrom("", "m", "k", "M", "Ki", "Mi", "Gi", "e3", "n", "u");
  fc.assert(fc.property(fc.bigInt(-(10n ** 9n), 10n ** 9n), suffix, (value, unit) => {
    const text = `${value}${unit}`;
    const once = canonicalQuantity(text);
    assert.ok(once !== null, text);
    assert.equal(canonicalQuantity(once), once);
    assert.equal(compareQuantities(once, text), 0);
  }));
});

Deno.test("no text makes the parser throw", () => {
  fc.assert(fc.property(fc.string({ maxLength: 20 }), (text) => {
    assert.ok(["ok", "error"].includes(parseQuantity(text).kind));
  }));
});

Deno.test("cpu milli and bytes round up", () => {
  assert.equal(milliOf("1"), 1000);
  assert.equal(milliOf("0.1m"), 1);
  assert.equal(milliOf(undefined), 0);
  assert.equal(unitsOf("1Gi"), 2 ** 30);
  assert.equal(unitsOf("100m"), 1);
});

Deno.test("sums keep the first amount's format", () => {
  assert.equal(addQuantities("1Gi", "1Gi"), "2Gi");
  assert.equal(addQuantities("0", "1Gi"), "1Gi");
  assert.equal(addQuantities("500m", "600m"), "1100m");
});
