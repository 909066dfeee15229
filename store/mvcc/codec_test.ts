/** Codecs: round trips, and random or truncated bytes that must never throw. */
import assert from "node:assert/strict";
import fc from "fast-check";
import * as admin from "./admin_codec.ts";
import { appendCommand, BatchReader, COMMAND, CommandView, iterateBatch } from "./command.ts";
import { ProtoReader, ProtoWriter } from "./proto.ts";
import * as codec from "./request_codec.ts";
import { StateMachine } from "./state_machine.ts";
import { bytes, Drive } from "./testing/drive.ts";
import type { TxnRequest } from "./types.ts";

Deno.test("int64 round trip, number and bigint", () => {
  fc.assert(fc.property(fc.maxSafeInteger(), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), (n, b) => {
    const writer = new ProtoWriter(1);
    writer.varint(8);
    writer.varint(n);
    writer.varint(16);
    writer.varintBig(b);
    const reader = new ProtoReader(writer.view());
    reader.next();
    assert.equal(reader.int64(), n);
    reader.next();
    assert.equal(reader.int64Big(), b);
    assert.equal(reader.next(), false);
    assert.equal(reader.failed, false);
  }));
});

const TXN: TxnRequest = {
  kind: "txn",
  compare: [
    { key: bytes("k"), result: "equal", target: "version", value: 0 },
    { key: bytes("k"), rangeEnd: bytes("z"), result: "less", target: "lease", value: -5n },
    { key: bytes("v"), result: "notEqual", target: "value", value: bytes("x") },
  ],
  success: [
    { kind: "put", key: bytes("k"), value: bytes("v".repeat(300)), lease: -1n, prevKv: true },
    { kind: "txn", compare: [], success: [{ kind: "range", key: bytes("a") }], failure: [] },
  ],
  failure: [{ kind: "deleteRange", key: bytes("a"), rangeEnd: bytes("\0"), prevKv: true }],
};

Deno.test("a transaction survives encoding", () => {
  const writer = new ProtoWriter();
  codec.encodeTxn(writer, TXN);
  const once = writer.finish();
  const decoded = codec.decodeTxn(once);
  assert.ok(decoded.kind === "txn");
  assert.equal(decoded.compare.length, 3);
  assert.deepEqual(decoded.compare[1], TXN.compare[1]);
  writer.reset();
  codec.encodeTxn(writer, decoded);
  assert.deepEqual(writer.finish(), once);
});

Deno.test("random and truncated bytes never throw", () => {
  const writer = new ProtoWriter();
  codec.encodeTxn(writer, TXN);
  const valid = writer.finish();
  const input = fc.oneof(
    fc.uint8Array({ maxLength: 80 }),
    fc.tuple(fc.nat(valid.length), fc.nat(valid.length - 1), fc.nat(255)).map(([cut, at, byte]) => {
      const copy = valid.slice(0, cut);
      if (at < copy.length) copy[at] = byte;
      return copy;
    }),
  );
  const decoders = [...Object.entries(codec), ...Object.entries(admin)]
    .filter(([name]) => name.startsWith("decode"))
    .map(([, decode]) => decode as (bytes: Uint8Array) => unknown);
  fc.assert(
    fc.property(input, fc.nat(127), (random, kind) => {
      for (const decode of decoders) decode(random);
      const machine = new StateMachine({ segmentBytes: 1024 });
      machine.apply(random);
      machine.applyBatch(random, () => {});
      const batch = new ProtoWriter();
      appendCommand(batch, { kind: kind as typeof COMMAND.put, requestId: 1 }, random);
      machine.applyBatch(batch.view(), () => {});
      const restore = machine.openRestore();
      restore.push(bytes("BALSAKV1"));
      restore.push(random);
      assert.ok(restore.finish() !== undefined);
    }),
    { numRuns: 500, seed: 7 },
  );
});

Deno.test("commands keep id, identity and body in a batch", () => {
  const writer = new ProtoWriter(1);
  const identity = { user: "würzburg", authRevision: 300 };
  appendCommand(writer, { kind: COMMAND.put, requestId: 2 ** 53 - 1, identity }, bytes("body"));
  appendCommand(writer, { kind: COMMAND.txn, requestId: 5 }, bytes(""));
  const reader = new BatchReader(writer.finish());
  const view = new CommandView();
  assert.ok(reader.next());
  view.parse(reader.bytes, reader.start, reader.end);
  assert.deepEqual([view.kind, view.requestId], [COMMAND.put, 2 ** 53 - 1]);
  assert.deepEqual(view.identity, identity);
  assert.deepEqual(reader.bytes.slice(view.bodyStart, reader.end), bytes("body"));
  assert.equal([...iterateBatch(reader.bytes)].length, 2);
});

Deno.test("range bytes equal the bytes of the range as objects", () => {
  const drive = new Drive();
  drive.put("a", "1");
  drive.put("b", "2".repeat(200));
  const header = { clusterId: 1n, memberId: 2n ** 63n, raftTerm: 4 };
  for (const keysOnly of [false, true]) {
    const request = { kind: "range" as const, key: bytes("a"), rangeEnd: bytes("z"), keysOnly };
    const encoded = new ProtoWriter();
    codec.encodeRange(encoded, request);
    const direct = new ProtoWriter();
    assert.equal(drive.machine.encodeRangeInto(direct, encoded.view(), header), undefined);
    const response = drive.machine.range(request);
    assert.ok(response.kind === "range");
    const through = new ProtoWriter();
    drive.machine.encodeResponseInto(through, response, header);
    assert.deepEqual(direct.finish(), through.finish());
  }
});
