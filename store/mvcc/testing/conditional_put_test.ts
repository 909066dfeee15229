/** The transaction that puts a key at a revision: the short way equals the one through objects. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeAlarm } from "../admin_codec.ts";
import { ConditionalPutReader } from "../conditional_put_reader.ts";
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
  readonly action: "txn" | "put" | "delete" | "grant" | "revoke" | "full" | "roomy";
}

const STEP: fc.Arbitrary<Step> = fc.record({
  key: fc.constantFrom("a", "b", "c"),
  otherKey: fc.boolean(),
  value: fc.constantFrom("", "x", "longer value"),
  lease: fc.constantFrom(0n, 0n, 7n, -9n),
  isRight: fc.boolean(),
  action: fc.constantFrom(
    ...(["txn", "txn", "txn", "put", "delete", "grant", "revoke", "full", "roomy"] as const),
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
  return {
    kind: "txn",
    compare: [{ key, target: "mod", result: "equal", value: isRight ? revision : revision + 1 }],
    success: [{
      kind: "put",
      key: otherKey ? bytes(step.key + "2") : key,
      value: bytes(value),
      lease,
    }],
    failure: [],
  };
}

function run(drive: Drive, step: Step, isLong: boolean): unknown {
  const alarm = { memberId: 1n, alarm: "noSpace" } as const;
  switch (step.action) {
    case "txn":
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

Deno.test("a conditional put does what the same transaction as objects does", () => {
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

Deno.test("only one compare of a key's revision and one plain put of it is read the short way", () => {
  const key = bytes("key");
  const put = { kind: "put", key, value: bytes("value") } as const;
  const compare = { key, target: "mod", result: "equal", value: 5 } as const;
  const plain: TxnRequest = { kind: "txn", compare: [compare], success: [put], failure: [] };
  const reads = (request: TxnRequest) => {
    const body = encode(request, false);
    return new ConditionalPutReader().read(body, 0, body.length);
  };
  assert.equal(reads(plain), true);
  assert.equal(reads({ ...plain, success: [{ ...put, lease: 3n }] }), true);
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
    { success: [{ kind: "deleteRange", key }] },
    { failure: [put] },
  ];
  for (const other of others) assert.equal(reads({ ...plain, ...other }), false);
  const body = encode(plain, false);
  const reader = new ConditionalPutReader();
  for (let end = 0; end < body.length; end++) assert.equal(reader.read(body, 0, end), false);
});
