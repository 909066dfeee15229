/** Majorities, joint and simple, against counting. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { jointVote, majorityIndex, majorityVote } from "./quorum.ts";

Deno.test("the majority index is the largest that more than half have reached", () => {
  const cases: [number[], number][] = [
    [[], Infinity],
    [[7], 7],
    [[7, 3], 3],
    [[7, 3, 5], 5],
    [[1, 2, 3, 4], 2],
    [[9, 1, 1, 9, 9], 9],
    [[1, 2, 3, 4, 5, 6], 3],
    [[7, 6, 5, 4, 3, 2, 1], 4],
  ];
  for (const [reached, expected] of cases) {
    assert.equal(majorityIndex([...reached], reached.length), expected, `${reached}`);
  }
});

Deno.test("the majority index agrees with counting", () => {
  fc.assert(fc.property(fc.array(fc.nat(20), { minLength: 1, maxLength: 9 }), (reached) => {
    const needed = Math.floor(reached.length / 2) + 1;
    const holders = (index: number) => reached.filter((value) => value >= index).length;
    const index = majorityIndex([...reached], reached.length);
    assert.ok(holders(index) >= needed);
    assert.ok(holders(index + 1) < needed);
  }));
});

Deno.test("values beyond the count are scratch space", () => {
  assert.equal(majorityIndex([4, 2, 6, 100, 100], 3), 4);
});

Deno.test("a vote is won, lost or open", () => {
  const cases: [number, number, number, string][] = [
    [0, 0, 0, "won"],
    [1, 0, 1, "won"],
    [0, 1, 1, "lost"],
    [1, 0, 2, "pending"],
    [1, 1, 2, "lost"],
    [2, 0, 3, "won"],
    [1, 1, 3, "pending"],
    [1, 2, 3, "lost"],
    [2, 2, 5, "pending"],
    [2, 3, 5, "lost"],
    [4, 0, 7, "won"],
  ];
  for (const [granted, rejected, voters, expected] of cases) {
    const actual = majorityVote({ granted, rejected }, voters);
    assert.equal(actual, expected, `${granted} for, ${rejected} against, of ${voters}`);
  }
});

Deno.test("both halves of a joint configuration must agree", () => {
  assert.equal(jointVote("won", "won"), "won");
  assert.equal(jointVote("won", "pending"), "pending");
  assert.equal(jointVote("pending", "won"), "pending");
  assert.equal(jointVote("won", "lost"), "lost");
  assert.equal(jointVote("lost", "pending"), "lost");
});
