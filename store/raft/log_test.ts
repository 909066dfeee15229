/** The in-memory log: terms, conflicts, stability, compaction. */
import assert from "node:assert/strict";
import { RaftLog, unknownTerm } from "./log.ts";
import { confOf } from "./testing/group.ts";
import type { Entry, SnapshotMeta } from "./types.ts";

const noData = new Uint8Array(0);

/** Entries from `first` on with the given terms. */
function entriesOf(first: number, terms: readonly number[], bytes = 0): Entry[] {
  return terms.map((term, i) => ({
    term,
    index: first + i,
    kind: "normal",
    data: new Uint8Array(bytes),
  }));
}

function metaAt(index: number, term: number): SnapshotMeta {
  return { index, term, conf: confOf([1n]) };
}

/** A durable log with the given terms from index 1, `commit` committed and nothing applied. */
function logOf(terms: readonly number[], commit = 0): RaftLog {
  return new RaftLog({
    snapshot: metaAt(0, 0),
    entries: entriesOf(1, terms),
    commit,
    applied: 0,
  });
}

function termsOf(log: RaftLog): number[] {
  const terms: number[] = [];
  for (let i = log.firstIndex; i <= log.lastIndex; i++) terms.push(log.termAt(i));
  return terms;
}

Deno.test("terms are known for the log and the entry before it", () => {
  const log = logOf([1, 1, 2], 3);
  assert.equal(log.termAt(0), 0);
  assert.equal(log.termAt(3), 2);
  assert.equal(log.termAt(4), unknownTerm);
  log.takeCommitted(1 << 20);
  log.appliedTo(3);
  log.compact(metaAt(3, 2), 2);
  assert.equal(log.termAt(1), unknownTerm);
  assert.equal(log.termAt(2), 1);
  assert.equal(log.firstIndex, 3);
});

Deno.test("a follower's append keeps what matches and replaces what conflicts", () => {
  const cases: {
    name: string;
    have: number[];
    prev: [number, number];
    add: number[];
    result: number;
    terms: number[];
    stable: number;
  }[] = [
    { name: "end", have: [1, 1], prev: [2, 1], add: [1], result: 3, terms: [1, 1, 1], stable: 2 },
    { name: "gap", have: [1], prev: [2, 1], add: [1], result: -1, terms: [1], stable: 1 },
    {
      name: "other term",
      have: [1, 1],
      prev: [2, 2],
      add: [2],
      result: -1,
      terms: [1, 1],
      stable: 2,
    },
    {
      name: "repeat",
      have: [1, 1, 1],
      prev: [1, 1],
      add: [1],
      result: 2,
      terms: [1, 1, 1],
      stable: 3,
    },
    {
      name: "conflict",
      have: [1, 1, 1],
      prev: [1, 1],
      add: [2],
      result: 2,
      terms: [1, 2],
      stable: 1,
    },
    {
      name: "late conflict",
      have: [1, 1, 1],
      prev: [0, 0],
      add: [1, 1, 3, 3],
      result: 4,
      terms: [1, 1, 3, 3],
      stable: 2,
    },
    { name: "empty", have: [1, 1], prev: [2, 1], add: [], result: 2, terms: [1, 1], stable: 2 },
  ];
  for (const { name, have, prev, add, result, terms, stable } of cases) {
    const log = logOf(have);
    assert.equal(log.tryAppend(prev[0], prev[1], entriesOf(prev[0] + 1, add)), result, name);
    assert.deepEqual(termsOf(log), terms, name);
    assert.equal(log.stable, stable, name);
  }
});

Deno.test("a committed entry is never replaced", () => {
  const log = logOf([1, 1], 2);
  assert.throws(() => log.tryAppend(0, 0, entriesOf(1, [2])), /never replaced/);
});

Deno.test("only what was handed out becomes durable, also when it is replaced meanwhile", () => {
  const log = logOf([1]);
  log.append(1, "normal", noData);
  log.append(1, "normal", noData);
  assert.equal(log.takeUnwritten().length, 2);
  assert.equal(log.tryAppend(2, 1, entriesOf(3, [2])), 3);
  log.stableTo(3);
  assert.equal(log.stable, 2);
  assert.deepEqual(log.takeUnwritten().map((entry) => entry.term), [2]);
  log.stableTo(3);
  assert.equal(log.stable, 3);
});

Deno.test("committed entries are handed out once, in pages, and only when durable", () => {
  const log = logOf([1, 1, 1], 2);
  log.append(1, "normal", noData);
  log.commitTo(4);
  assert.deepEqual(log.takeCommitted(1).map((entry) => entry.index), [1]);
  assert.deepEqual(log.takeCommitted(1 << 20).map((entry) => entry.index), [2, 3]);
  assert.equal(log.hasCommitted, false);
  log.takeUnwritten();
  log.stableTo(4);
  assert.deepEqual(log.takeCommitted(1 << 20).map((entry) => entry.index), [4]);
});

Deno.test("a slice fits its bytes and holds at least one entry", () => {
  const log = new RaftLog({
    snapshot: metaAt(0, 0),
    entries: entriesOf(1, [1, 1, 1, 1], 84),
    commit: 0,
    applied: 0,
  });
  assert.equal(log.slice(1, 4, 1).length, 1);
  assert.equal(log.slice(1, 4, 200).length, 2);
  assert.equal(log.slice(1, 3, 1 << 20).length, 3);
  assert.equal(log.slice(5, 9, 1 << 20).length, 0);
});

Deno.test("the search for a common entry skips terms that can't match", () => {
  const log = logOf([1, 3, 3, 4, 4, 5]);
  assert.equal(log.lastNotAbove(6, 5), 6);
  assert.equal(log.lastNotAbove(6, 4), 5);
  assert.equal(log.lastNotAbove(6, 3), 3);
  assert.equal(log.lastNotAbove(6, 2), 1);
  assert.equal(log.lastNotAbove(6, 0), 0);
  assert.equal(log.lastNotAbove(9, 9), 6);
});

Deno.test("a log is up to date by term first, then by length", () => {
  const log = logOf([1, 2, 2]);
  assert.equal(log.isUpToDate(3, 2), true);
  assert.equal(log.isUpToDate(1, 3), true);
  assert.equal(log.isUpToDate(2, 2), false);
  assert.equal(log.isUpToDate(9, 1), false);
});

Deno.test("a restored snapshot replaces the log and is applied when installed", () => {
  const log = logOf([1, 1, 1], 1);
  log.restore(metaAt(10, 4));
  assert.deepEqual([log.firstIndex, log.lastIndex, log.commit], [11, 10, 10]);
  assert.equal(log.hasCommitted, false);
  assert.equal(log.tryAppend(10, 4, entriesOf(11, [4])), 11);
  log.takeUnwritten();
  log.stableTo(11);
  log.installed(metaAt(10, 4));
  assert.deepEqual([log.applied, log.stable, log.pendingSnapshot], [10, 11, null]);
});

Deno.test("a disk that contradicts itself is refused", () => {
  const snapshot = metaAt(2, 1);
  const found = { snapshot, entries: entriesOf(3, [1]), commit: 3, applied: 2 };
  assert.equal(new RaftLog(found).lastIndex, 3);
  assert.throws(() => new RaftLog({ ...found, entries: entriesOf(4, [1]) }), /no gap/);
  assert.throws(() => new RaftLog({ ...found, commit: 4 }), /commit index/);
  assert.throws(() => new RaftLog({ ...found, commit: 2, applied: 3 }), /applied/);
});

Deno.test("a trimmed log holds what is needed, what is not applied, and a tail", () => {
  const cases = [
    { name: "nothing is applied", applied: 0, needed: 9, entries: 0, bytes: 0, first: 1 },
    { name: "alone", applied: 4, needed: 9, entries: 0, bytes: 0, first: 5 },
    { name: "somebody lacks 3", applied: 4, needed: 3, entries: 0, bytes: 0, first: 3 },
    { name: "a tail of entries", applied: 4, needed: 9, entries: 4, bytes: 9999, first: 3 },
    // Each counts 10 bytes and 16 of its own.
    { name: "a tail of bytes", applied: 4, needed: 9, entries: 99, bytes: 110, first: 3 },
  ];
  for (const { name, applied, needed, entries, bytes, first } of cases) {
    const log = new RaftLog({
      snapshot: metaAt(0, 0),
      entries: entriesOf(1, [1, 1, 2, 2, 2, 2], 10),
      commit: 4,
      applied,
    });
    log.trim(needed, { entries, bytes });
    assert.equal(log.firstIndex, first, name);
    assert.equal(log.termAt(first - 1), [0, 1, 1, 2, 2][first - 1], name);
    assert.equal(log.lastIndex, 6, name);
  }
});
