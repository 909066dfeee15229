/** The state machine against the naive store, over random histories. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ProtoWriter } from "../proto.ts";
import type { Compare, RangeRequest, RequestOp, TxnRequest } from "../types.ts";
import { checkTxn } from "../request_check.ts";
import { encodeRange } from "../request_codec.ts";
import { bytes, Drive, linesOf, runOut } from "./drive.ts";
import { NaiveStore } from "./naive_store.ts";

const key = fc.constantFrom("a", "aa", "ab", "b", "ba", "c", "cc", "d").map(bytes);
const rangeEnd = fc.constantFrom("", "b", "c", "zz", "\0").map(bytes);
const value = fc.constantFrom("", "x", "y", "zzz", "0".repeat(300)).map(bytes);
const lease = fc.constantFrom(0n, 0n, 0n, 7n, 8n, -9n);
const small = fc.nat(25);

const range: fc.Arbitrary<RangeRequest> = fc.record({
  kind: fc.constant("range" as const),
  key,
  rangeEnd,
  limit: fc.constantFrom(0, 0, 1, 2, 3),
  revision: fc.oneof(fc.constant(0), small),
  sortOrder: fc.constantFrom("none" as const, "ascend" as const, "descend" as const),
  sortTarget: fc.constantFrom(
    "key" as const,
    "version" as const,
    "create" as const,
    "mod" as const,
    "value" as const,
  ),
  keysOnly: fc.boolean(),
  countOnly: fc.constantFrom(false, false, true),
  minModRevision: fc.constantFrom(0, 0, 5),
  maxModRevision: fc.constantFrom(0, 0, 15),
  minCreateRevision: fc.constantFrom(0, 0, 3),
  maxCreateRevision: fc.constantFrom(0, 0, 12),
});
const put = fc.record({
  kind: fc.constant("put" as const),
  key,
  value,
  lease,
  prevKv: fc.boolean(),
  ignoreValue: fc.constantFrom(false, false, false, true),
  ignoreLease: fc.constantFrom(false, false, false, true),
}).map((op) => ({
  ...op,
  value: op.ignoreValue ? new Uint8Array(0) : op.value,
  lease: op.ignoreLease ? 0n : op.lease,
}));
const deletion = fc.record({
  kind: fc.constant("deleteRange" as const),
  key,
  rangeEnd: fc.oneof(fc.constant(bytes("")), rangeEnd),
  prevKv: fc.boolean(),
});
const result = fc.constantFrom(
  "equal" as const,
  "notEqual" as const,
  "greater" as const,
  "less" as const,
);
const compare: fc.Arbitrary<Compare> = fc.oneof(
  fc.record({
    key,
    rangeEnd,
    result,
    target: fc.constantFrom("version" as const, "create" as const, "mod" as const),
    value: fc.nat(6),
  }),
  fc.record({ key, rangeEnd, result, target: fc.constant("value" as const), value }),
  fc.record({ key, rangeEnd, result, target: fc.constant("lease" as const), value: lease }),
);
const { txn } = fc.letrec<{ txn: TxnRequest; op: RequestOp }>((tie) => ({
  txn: fc.record({
    kind: fc.constant("txn" as const),
    compare: fc.array(compare, { maxLength: 2 }),
    success: fc.array(tie("op"), { maxLength: 4 }),
    failure: fc.array(tie("op"), { maxLength: 2 }),
  }),
  op: fc.oneof({ depthSize: "small", withCrossShrink: true }, put, range, deletion, tie("txn")),
}));

type Step =
  | { readonly do: "op"; readonly op: Exclude<RequestOp, RangeRequest> }
  | { readonly do: "range"; readonly request: RangeRequest }
  | { readonly do: "compact"; readonly revision: number }
  | { readonly do: "work"; readonly budget: number }
  | { readonly do: "grant" | "revoke"; readonly lease: bigint }
  | { readonly do: "restore" }
  | {
    readonly do: "watch";
    readonly key: Uint8Array;
    readonly end: Uint8Array;
    readonly from: number;
  };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("op" as const), op: put }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("op" as const), op: deletion }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("op" as const), op: txn }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("range" as const), request: range }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("compact" as const), revision: small }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("work" as const), budget: fc.nat(9) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom("grant" as const, "grant" as const, "revoke" as const),
      lease: fc.constantFrom(7n, 8n, -9n),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: "restore" as const }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("watch" as const), key, end: rangeEnd, from: small }),
  },
);

interface OpenWatch {
  readonly key: Uint8Array;
  readonly end: Uint8Array;
  readonly from: number;
  readonly lines: string[];
}

class Comparison {
  readonly drive = new Drive(512);
  readonly naive = new NaiveStore();
  readonly watches: OpenWatch[] = [];
  #refusals = 0;

  run(one: Step): void {
    const { drive, naive } = this;
    switch (one.do) {
      case "op": {
        const wanted = one.op.kind === "txn" ? checkTxn(one.op, 128) : undefined;
        const got = drive.request(one.op);
        this.#same(got, wanted ?? naive.run(one.op));
        break;
      }
      case "range":
        this.#same(drive.machine.range(one.request), naive.range(one.request));
        this.#sliced(one.request);
        this.#encoded(one.request);
        this.#encoded({ kind: "range", key: one.request.key, serializable: true });
        break;
      case "compact":
        assert.equal(drive.compact(one.revision).kind, naive.compact(one.revision));
        break;
      case "work":
        drive.machine.compactStep(one.budget);
        drive.machine.watches.catchUpStep(one.budget);
        break;
      case "grant":
        assert.equal(
          drive.grant(one.lease).kind,
          naive.leases.has(one.lease) ? "leaseExists" : "lease",
        );
        naive.leases.add(one.lease);
        break;
      case "revoke":
        assert.equal(
          drive.revoke(one.lease).kind,
          naive.revoke(one.lease) ? "revoked" : "leaseNotFound",
        );
        break;
      case "restore":
        this.#restore();
        break;
      case "watch":
        this.#watch(one);
    }
    assert.equal(drive.machine.revision, naive.revision);
  }

  #same(got: { readonly kind: string }, wanted: { readonly kind: string }): void {
    const { kind } = wanted;
    if (["range", "put", "deleteRange", "txn"].includes(kind)) assert.deepEqual(got, wanted);
    else assert.equal(got.kind, kind);
  }

  /** The same range through a cursor, key by key, and through bytes. */
  #sliced(request: RangeRequest): void {
    const whole = this.drive.machine.range(request);
    const cursor = this.drive.machine.openRange(request);
    if (whole.kind !== "range" || "kind" in cursor) {
      assert.equal("kind" in cursor ? cursor.kind : "range", whole.kind);
      return;
    }
    const writer = new ProtoWriter();
    let keys = 0;
    runOut("range", () => {
      if (!cursor.done) keys += cursor.encodeInto(writer, 2);
      return !cursor.done;
    });
    cursor.close();
    assert.deepEqual(
      { keys, more: cursor.more, count: cursor.count },
      { keys: whole.kvs.length, more: whole.more, count: whole.count },
    );
  }

  /** The same range from bytes to bytes. */
  #encoded(request: RangeRequest): void {
    const { machine } = this.drive;
    const header = { clusterId: 1n, memberId: 2n, raftTerm: 3 };
    const asked = new ProtoWriter();
    encodeRange(asked, request);
    const direct = new ProtoWriter();
    const failure = machine.encodeRangeInto(direct, asked.view(), header);
    const whole = machine.range(request);
    assert.equal(failure?.kind ?? "range", whole.kind);
    if (whole.kind !== "range") return;
    const through = new ProtoWriter();
    machine.encodeResponseInto(through, whole, header);
    assert.deepEqual(direct.finish(), through.finish());
  }

  /** Puts the state into the same machine again from its snapshot: hash equal, watches go on. */
  #restore(): void {
    const { drive } = this;
    const hash = drive.hash();
    const restore = drive.machine.openRestore();
    const snapshot = drive.snapshot();
    for (let at = 0; at < snapshot.length; at += 33) {
      assert.equal(restore.push(snapshot.subarray(at, at + 33)), undefined);
    }
    assert.equal(restore.finish(), undefined);
    assert.equal(drive.hash(), hash);
  }

  #watch(one: Step & { readonly do: "watch" }): void {
    const from = one.from === 0 ? this.naive.revision + 1 : one.from;
    const lines: string[] = [];
    this.watches.push({ key: one.key, end: one.end, from, lines });
    const request = { key: one.key, rangeEnd: one.end, startRevision: one.from };
    const watcher = this.drive.machine.watch(request, (notice) => {
      // Every third notice is refused once, and must come again.
      if (++this.#refusals % 3 === 0) {
        watchers.push(watcher);
        return false;
      }
      lines.push(...linesOf(notice));
      return true;
    });
    const watchers = this.slow;
  }

  readonly slow: ReturnType<Drive["machine"]["watch"]>[] = [];

  finish(): void {
    const { drive, naive } = this;
    runOut("hearing", () => {
      for (const watcher of this.slow.splice(0)) if ("resume" in watcher) watcher.resume();
      runOut("catching up", () => drive.machine.watches.catchUpStep(2));
      return this.slow.length > 0;
    });
    for (const { key, end, from, lines } of this.watches) {
      const wanted = naive.watch(key, end, from);
      if (lines.at(-1) === "compacted") {
        // What it heard before its history went away is a beginning of the whole.
        assert.deepEqual(lines.slice(0, -1), wanted.slice(0, lines.length - 1));
        assert.ok(from < naive.compactRevision);
      } else assert.deepEqual(lines, wanted.filter((line) => !this.#compactedAway(line, lines)));
    }
    runOut("compaction", () => drive.machine.compactStep(3));
    const first = Math.max(naive.compactRevision, 1);
    for (let revision = first; revision <= naive.revision; revision++) {
      const request: RangeRequest = {
        kind: "range",
        key: bytes("\0"),
        rangeEnd: bytes("\0"),
        revision,
      };
      this.#same(drive.machine.range(request), naive.range(request));
    }
    assert.equal(drive.machine.size().keyCount, naive.at(naive.revision).size);
  }

  /** A version written and replaced within the compacted revision itself is not replayed. */
  #compactedAway(line: string, lines: readonly string[]): boolean {
    return !lines.includes(line) &&
      Number(line.split(" ")[2]) === this.naive.compactRevision;
  }
}

Deno.test("random histories answer as the naive store does", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      const comparison = new Comparison();
      for (const one of steps) comparison.run(one);
      comparison.finish();
    }),
    { numRuns: 300, seed: 20240601 },
  );
});
