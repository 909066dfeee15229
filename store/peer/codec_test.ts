/**
 * The peer protocol.
 * In: any messages, and bytes that must not be believed. Out: round trips and refusals.
 * Never: a socket.
 */
import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import type { Message } from "../raft/types.ts";
import {
  decodeHello,
  decodeMessages,
  encodeFrame,
  encodeHello,
  encodeMessages,
  FRAME,
  FrameReader,
} from "./codec.ts";

const id = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const index = fc.nat();
const ids = fc.array(id, { maxLength: 3 });
const message: fc.Arbitrary<Message> = fc.record({
  type: fc.constantFrom("append" as const, "heartbeat" as const, "snapshot" as const),
  from: id,
  to: id,
  term: index,
  logTerm: index,
  index: fc.maxSafeNat(),
  commit: index,
  entries: fc.array(
    fc.record({
      term: index,
      index,
      kind: fc.constantFrom("normal" as const, "confChange" as const),
      data: fc.uint8Array(),
    }),
    { maxLength: 3 },
  ),
  reject: fc.boolean(),
  rejectHint: index,
  snapshot: fc.option(fc.record({
    index,
    term: index,
    conf: fc.record({
      voters: ids,
      votersOutgoing: ids,
      learners: ids,
      learnersNext: ids,
      autoLeave: fc.boolean(),
    }),
  })),
  context: id,
});
const plain = (messages: readonly Message[] | null) =>
  messages?.map((one) => ({
    ...one,
    entries: one.entries.map((entry) => ({ ...entry, data: [...entry.data] })),
  }));

Deno.test("messages arrive as they were sent", () => {
  fc.assert(fc.property(fc.array(message, { maxLength: 4 }), (messages) => {
    deepEqual(plain(decodeMessages(encodeMessages(messages))), plain(messages));
  }));
});

Deno.test("a shortened or lengthened body is refused", () => {
  fc.assert(fc.property(message, fc.nat(), (one, cut) => {
    const bytes = encodeMessages([one]);
    equal(decodeMessages(bytes.subarray(0, cut % bytes.length)), null);
    equal(decodeMessages(new Uint8Array([...bytes, 0])), null);
  }));
});

Deno.test("any bytes are read without an exception", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    decodeMessages(bytes);
    decodeHello(bytes);
  }));
});

Deno.test("a stream is cut into frames wherever it is split", () => {
  const frames = [encodeFrame(FRAME.call, new Uint8Array([1, 2])), encodeFrame(FRAME.snapshotEnd)];
  const stream = new Uint8Array(frames.flatMap((frame) => [...frame]));
  for (let cut = 0; cut <= stream.length; cut++) {
    const seen: [number, number[]][] = [];
    const reader = new FrameReader((type, body) => seen.push([type, [...body]]));
    equal(reader.push(stream.subarray(0, cut)), true);
    equal(reader.push(stream.subarray(cut)), true);
    deepEqual(seen, [[FRAME.call, [1, 2]], [FRAME.snapshotEnd, []]]);
  }
});

Deno.test("a frame of length zero or beyond the limit ends the stream", () => {
  for (const length of [0, 0x7fffffff]) {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setUint32(0, length, true);
    equal(new FrameReader(() => {}).push(bytes), false);
  }
});

Deno.test("a greeting of another version is not understood", () => {
  const hello = { clusterId: 1n, from: 2n, to: 3n };
  const bytes = encodeHello(hello);
  deepEqual(decodeHello(bytes), hello);
  bytes[0]++;
  equal(decodeHello(bytes), null);
});
