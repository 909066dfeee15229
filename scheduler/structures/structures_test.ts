/**
 * Rows by score, sets of rows, the log of changes and the heap against scans and sorted lists, over
 * random changes.
 * fast-check prints the seed of a failure.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { ChangeLog, NO_ROW } from "./change_log.ts";
import { KeyedHeap } from "./heap.ts";
import { RowSet } from "./row_set.ts";
import { nthRow, ScoredRows } from "./scored_rows.ts";

Deno.test("rows by score agree with a scan after every change", () => {
  // Far enough apart to lie in several groups of words.
  const row = fc.nat(70).map((at) => at * 53);
  const change = fc.record({ row, score: fc.integer({ min: -1, max: 4 }) });
  fc.assert(fc.property(fc.array(change, { maxLength: 120 }), (changes) => {
    const scored = new ScoredRows(71 * 53);
    const scores = new Map<number, number>();
    for (const { row, score } of changes) {
      const known = scores.get(row);
      if (known !== undefined) scored.remove(row, known);
      if (score < 0) scores.delete(row);
      else {
        scored.add(row, score);
        scores.set(row, score);
      }
      assert.equal(scored.size, scores.size);
      if (scores.size === 0) {
        assert.equal(scored.best, null);
        continue;
      }
      const best = Math.max(...scores.values());
      const winners = [...scores.keys()].filter((at) => scores.get(at) === best)
        .sort((a, b) => a - b);
      assert.equal(scored.best!.score, best);
      assert.equal(scored.best!.count, winners.length);
      assert.deepEqual(winners.map((_, rank) => nthRow([scored.best!], rank)), winners);
    }
  }));
});

Deno.test("a set of rows agrees with a sorted list after every change", () => {
  const row = fc.nat(70).map((at) => at * 53);
  const change = fc.record({ row, isIn: fc.boolean() });
  fc.assert(fc.property(fc.array(change, { maxLength: 120 }), row, (changes, from) => {
    const set = new RowSet(71 * 53);
    const known = new Set<number>();
    for (const { row, isIn } of changes) {
      set.put(row, isIn);
      if (isIn) known.add(row);
      else known.delete(row);
      const sorted = [...known].sort((a, b) => a - b);
      assert.equal(set.size, sorted.length);
      assert.deepEqual(sorted.map((_, rank) => set.nth(rank)), sorted);
      assert.equal(set.next(from), sorted.find((it) => it >= from) ?? -1);
      assert.equal(set.next(71 * 53 + 40), -1);
    }
  }));
});

Deno.test("changes of one row in a row are visited once, and none is lost", () => {
  const changes = fc.array(fc.integer({ min: NO_ROW, max: 2 }), { maxLength: 40 });
  fc.assert(fc.property(changes, fc.nat(40), (rows, since) => {
    const log = new ChangeLog();
    for (const row of rows) log.note(row);
    const from = Math.min(since, rows.length);
    const visited: number[] = [];
    assert.ok(log.each(from, (row) => visited.push(row)));
    const wanted = rows.slice(from)
      .filter((row, at, all) => row !== NO_ROW && row !== all[at + 1]);
    assert.deepEqual(visited, wanted);
  }));
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
