/** Tables of what a compare means for each target and of the order each sort gives. */
import assert from "node:assert/strict";
import { bytes, Drive, text } from "./drive.ts";
import type { Compare, CompareResult, SortTarget } from "../types.ts";

/** Revisions: a created 2, b 3, c 4; then a again 5, a 6, b 7 (with the lease), d 8 and gone 9. */
function filled(): Drive {
  const drive = new Drive();
  drive.put("a", "m");
  drive.put("b", "m");
  drive.put("c", "x");
  drive.put("a", "m");
  drive.put("a", "k");
  drive.grant(7n);
  drive.put("b", "m", { lease: 7n });
  drive.put("d", "");
  drive.delete("d");
  return drive;
}

type Condition = Compare extends infer One
  ? One extends Compare ? Omit<One, "key" | "result" | "rangeEnd"> : never
  : never;

/** Which of the four results hold, as letters: Equal, Not equal, Greater, Less. */
function holding(drive: Drive, key: string, condition: Condition, rangeEnd?: string): string {
  const results: readonly [string, CompareResult][] = [
    ["E", "equal"],
    ["N", "notEqual"],
    ["G", "greater"],
    ["L", "less"],
  ];
  return results.filter(([, result]) => {
    const compare = {
      key: bytes(key),
      ...(rangeEnd === undefined ? {} : { rangeEnd: bytes(rangeEnd) }),
      result,
      ...condition,
    } as Compare;
    const outcome = drive.request({ kind: "txn", compare: [compare], success: [], failure: [] });
    assert.ok(outcome.kind === "txn");
    return outcome.succeeded;
  }).map(([letter]) => letter).join("");
}

const COMPARES: readonly [string, Condition, string][] = [
  ["a", { target: "version", value: 3 }, "E"],
  ["a", { target: "version", value: 2 }, "NG"],
  ["a", { target: "version", value: 4 }, "NL"],
  ["a", { target: "create", value: 2 }, "E"],
  ["a", { target: "create", value: 1 }, "NG"],
  ["a", { target: "create", value: 3 }, "NL"],
  ["a", { target: "mod", value: 6 }, "E"],
  ["a", { target: "mod", value: 5 }, "NG"],
  ["a", { target: "mod", value: 7 }, "NL"],
  ["a", { target: "value", value: bytes("k") }, "E"],
  ["a", { target: "value", value: bytes("") }, "NG"],
  ["a", { target: "value", value: bytes("kk") }, "NL"],
  ["b", { target: "lease", value: 7n }, "E"],
  ["b", { target: "lease", value: -7n }, "NG"],
  ["b", { target: "lease", value: 8n }, "NL"],
  ["a", { target: "lease", value: 0n }, "E"],
  // An absent or deleted key: zeros, and no value at all.
  ["d", { target: "version", value: 0 }, "E"],
  ["d", { target: "create", value: 0 }, "E"],
  ["none", { target: "mod", value: 0 }, "E"],
  ["none", { target: "mod", value: 1 }, "NL"],
  ["none", { target: "lease", value: 0n }, "E"],
  ["none", { target: "value", value: bytes("") }, ""],
  ["d", { target: "value", value: bytes("x") }, ""],
];

Deno.test("compare: each target and result on one key", () => {
  const drive = filled();
  for (const [key, condition, wanted] of COMPARES) {
    const name = `${key} ${condition.target} ${condition.value}`;
    assert.equal(holding(drive, key, condition), wanted, name);
  }
});

const RANGE_COMPARES: readonly [string, string, Condition, string][] = [
  ["a", "d", { target: "version", value: 0 }, "NG"],
  ["a", "d", { target: "mod", value: 6 }, ""],
  ["a", "c", { target: "mod", value: 5 }, "NG"],
  ["b", "\0", { target: "mod", value: 7 }, ""],
  ["b", "\0", { target: "mod", value: 8 }, "NL"],
  ["a", "d", { target: "value", value: bytes("l") }, "N"],
  ["x", "z", { target: "create", value: 0 }, "E"],
];

Deno.test("compare: a range holds when every key of it does", () => {
  const drive = filled();
  for (const [key, rangeEnd, condition, wanted] of RANGE_COMPARES) {
    const name = `${key}..${rangeEnd} ${condition.target} ${condition.value}`;
    assert.equal(holding(drive, key, condition, rangeEnd), wanted, name);
  }
});

/** Equal values stay in key order, whichever way the sort goes. */
const SORTS: readonly [SortTarget, string, string][] = [
  ["key", "a b c", "c b a"],
  ["version", "c b a", "a b c"],
  ["create", "a b c", "c b a"],
  ["mod", "c a b", "b a c"],
  ["value", "a b c", "c b a"],
];

Deno.test("sort: each target, both orders, and the limit after the sort", () => {
  const drive = filled();
  const sorted = (sortTarget: SortTarget, descend: boolean, limit = 0): string => {
    const outcome = drive.machine.range({
      kind: "range",
      key: bytes("\0"),
      rangeEnd: bytes("\0"),
      sortTarget,
      sortOrder: descend ? "descend" : "ascend",
      limit,
    });
    assert.ok(outcome.kind === "range");
    assert.equal(outcome.count, 3);
    assert.equal(outcome.more, limit > 0 && limit < 3);
    return outcome.kvs.map(({ key }) => text(key)).join(" ");
  };
  for (const [target, up, down] of SORTS) {
    assert.equal(sorted(target, false), up, target);
    assert.equal(sorted(target, true), down, target);
    assert.equal(sorted(target, false, 2), up.slice(0, 3), target);
    assert.equal(sorted(target, true, 1), down.slice(0, 1), target);
  }
});

Deno.test("sort: equal values stay in key order", () => {
  const drive = new Drive();
  for (const key of ["b", "c", "a"]) drive.put(key, "same");
  for (const sortOrder of ["ascend", "descend"] as const) {
    for (const sortTarget of ["version", "value"] as const) {
      const request = { kind: "range", key: bytes("a"), rangeEnd: bytes("z") } as const;
      const outcome = drive.machine.range({ ...request, sortOrder, sortTarget });
      assert.ok(outcome.kind === "range");
      assert.deepEqual(outcome.kvs.map(({ key }) => text(key)), ["a", "b", "c"]);
    }
  }
});
