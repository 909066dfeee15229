/**
 * The tournament and the heap against scans and sorted lists, over random changes.
 * fast-check prints the seed of a failure.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { KeyedHeap } from "./heap.ts";
import { OUT, Tournament } from "./tournament.ts";

Deno.test("a tournament agrees with a scan after every change", () => {
  const change = fc.record({ row: fc.nat(36), score: fc.integer({ min: OUT, max: 4 }) });
  fc.assert(fc.property(
    fc.array(fc.integer({ min: OUT, max: 4 }), { minLength: 1, maxLength: 37 }),
    fc.array(change, { maxLength: 40 }),
    (start, changes) => {
      const scores = Int32Array.from(start);
      const tournament = new Tournament(scores, scores.length);
      for (const { row, score } of [{ row: 0, score: scores[0] }, ...changes]) {
        if (row >= scores.length) continue;
        scores[row] = score;
        tournament.set(row, score);
        const best = Math.max(...scores);
        assert.equal(tournament.best, best);
        if (best === OUT) continue;
        const winners = [...scores.keys()].filter((at) => scores[at] === best);
        assert.equal(tournament.ties, winners.length);
        assert.deepEqual(winners.map((_, rank) => tournament.winner(rank)), winners);
      }
    },
  ));
});

Deno.test("a keyed heap agrees with a sorted list", () => {
  const step = fc.record({ key: fc.nat(9), rank: fc.nat(9), add: fc.boolean() });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const heap = new KeyedHeap<{ key: number; rank: number }>(
      ({ key }) => `${key}`,
      (a, b) => a.rank !== b.rank ? a.rank < b.rank : a.key < b.key,
    );
    const known = new Map<number, number>();
    for (const { key, rank, add } of steps) {
      if (add) {
        heap.add({ key, rank });
        known.set(key, rank);
      } else {
        assert.equal(heap.remove(`${key}`)?.rank, known.get(key));
        known.delete(key);
      }
    }
    const sorted = [...known].sort(([a, x], [b, y]) => x - y || a - b);
    assert.equal(heap.size, sorted.length);
    assert.deepEqual(sorted.map(() => heap.pop()!.key), sorted.map(([key]) => key));
  }));
});
