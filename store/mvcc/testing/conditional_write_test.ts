/**
 * The transaction that puts or deletes a key at a revision.
 * In: random histories. Out: the short way equals the one through objects.
 * Never: a short way that is not taken: which requests take it is a test of its own.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeAlarm } from "../admin_codec.ts";
import { ConditionalWriteReader } from "../conditional_write_reader.ts";
import { ProtoWriter } from "../proto.ts";
import { encodeTxn } from "../request_codec.ts";
import type { TxnRequest } from "../types.ts";
import { bytes, Drive } from "./drive.ts";

interface Step {
  readonly key: string;
  readonly otherKey: boolean;
  readonly value: string;
  readonly lease: bigint;
  /** Whether the revision expected is the key's. */
  readonly isRight: boolean;
  readonly action: "txn" | "deletingTxn" | "put" | "delete" | "grant" | "revoke" | "full" | "roomy";
}

const STEP: fc.Arbitrary<Step> = fc.record({
  key: fc.constantFrom("a", "b", "c"),
  otherKey: fc.boolean(),
  value: fc.constantFrom("", "x", "longer value"),
  lease: fc.constantFrom(0n, 0n, 7n, -9n),
  isRight: fc.boolean(),
  action: fc.constantFrom(
    ...([
      "txn",
      "txn",
      "txn",
      "deletingTxn",
      "put",
      "delete",
      "grant",
      "revoke",
      "full",
      "roomy",
    ] as const),
  ),
});

/** An unknown field at the end, which everyone skips, sends a transaction the long way. */
const UNKNOWN_FIELD = [15 << 3, 1];

function encode(request: TxnRequest, isLong: boolean): Uint8Array {
  const writer = new ProtoWriter();
  encodeTxn(writer, request);
  return Uint8Array.from([...writer.finish(), ...(isLong ? UNKNOWN_FIELD : [])]);
}

function requestOf(drive: Drive, step: Step): TxnRequest {
  const { isRight, otherKey, value, lease } = step;
  const key = bytes(step.key);
  const kv = drive.machine.state.kv;
  const id = kv.find(key);
  const version = id < 0 ? 0 : kv.visible(id, Infinity);
  const revision = version === 0 ? 0 : kv.versions.revisionOf(version);
  const changed = otherKey ? bytes(step.key + "2") : key;
  return {
    kind: "txn",
    compare: [{ key, target: "mod", result: "equal", value: isRight ? revision : revision + 1 }],
    success: [
      step.action === "deletingTxn"
        ? { kind: "deleteRange", key: changed }
        : { kind: "put", key: changed, value: bytes(value), lease },
    ],
    failure: [],
  };
}

function run(drive: Drive, step: Step, isLong: boolean): unknown {
  const alarm = { memberId: 1n, alarm: "noSpace" } as const;
  switch (step.action) {
    case "txn":
    case "deletingTxn":
      return drive.send("txn", encode(requestOf(drive, step), isLong));
    case "put":
      return drive.put(step.key, step.value, { lease: step.lease });
    case "delete":
      return drive.delete(step.key);
    case "grant":
      return drive.grant(7n);
    case "revoke":
      return drive.revoke(7n);
    case "full":
      return drive.send("alarm", encodeAlarm({ action: "activate", ...alarm }));
    case "roomy":
      return drive.send("alarm", encodeAlarm({ action: "deactivate", ...alarm }));
  }
}

Deno.test("a conditional write does what the same transaction as objects does", () => {
  fc.assert(
    fc.property(fc.array(STEP, { maxLength: 40 }), (steps) => {
      const [short, long] = [new Drive(), new Drive()];
      for (const step of steps) assert.deepEqual(run(short, step, false), run(long, step, true));
      assert.equal(short.hash(), long.hash());
      for (const id of [7n, -9n]) {
        assert.deepEqual(short.machine.leaseKeys(id), long.machine.leaseKeys(id));
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("one compare of a key's revision and one write of it are read the short way, nothing else", () => {
  const key = bytes("key");
  const put = { kind: "put", key, value: bytes("value") } as const;
  const compare = { key, target: "mod", result: "equal", value: 5 } as const;
  const plain: TxnRequest = { kind: "txn", compare: [compare], success: [put], failure: [] };
  const reads = (request: TxnRequest) => {
    const body = encode(request, false);
    return new ConditionalWriteReader().read(body, 0, body.length);
  };
  const deletion = { kind: "deleteRange", key } as const;
  assert.equal(reads(plain), "put");
  assert.equal(reads({ ...plain, success: [{ ...put, lease: 3n }] }), "put");
  assert.equal(reads({ ...plain, success: [deletion] }), "delete");
  const others: Partial<TxnRequest>[] = [
    { compare: [] },
    { compare: [compare, compare] },
    { compare: [{ ...compare, result: "greater" }] },
    { compare: [{ ...compare, target: "version" }] },
    { compare: [{ ...compare, rangeEnd: bytes("l") }] },
    { compare: [{ ...compare, key: bytes("kez") }] },
    { success: [] },
    { success: [put, put] },
    { success: [{ ...put, prevKv: true }] },
    { success: [{ ...put, ignoreLease: true }] },
    { success: [{ ...deletion, rangeEnd: bytes("l") }] },
    { success: [{ ...deletion, prevKv: true }] },
    { success: [{ ...deletion, key: bytes("kez") }] },
    { success: [{ kind: "range", key }] },
    { failure: [put] },
  ];
  for (const other of others) assert.equal(reads({ ...plain, ...other }), undefined);
  const body = encode(plain, false);
  const reader = new ConditionalWriteReader();
  for (let end = 0; end < body.length; end++) assert.equal(reader.read(body, 0, end), undefined);
});
