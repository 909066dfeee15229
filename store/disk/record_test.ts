/**
 * Framing and checksums.
 * In: known vectors, frames broken in every way. Out: what is read, torn, damaged or found later.
 * Source of the vectors: RFC 3720 appendix B.4.
 */
import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import {
  alignFrame,
  crc32c,
  findLaterFrame,
  FRAME_HEADER_BYTES,
  readFrame,
  sealFrame,
} from "./record.ts";

Deno.test("crc32c agrees with the vectors of RFC 3720 B.4", () => {
  equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  equal(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e);
  equal(crc32c(Uint8Array.from({ length: 32 }, (_, i) => 31 - i)), 0x113fdb5c);
  equal(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
});

Deno.test("crc32c continues where the first part ended, at any split", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), (bytes, cut) => {
    const split = Math.min(cut, bytes.length);
    equal(crc32c(bytes, split, bytes.length, crc32c(bytes, 0, split)), crc32c(bytes));
  }));
});

/** A file of frames, each with a payload of one repeated byte, followed by zeros. */
function fileOf(lengths: readonly number[], salt: number): { bytes: Uint8Array; starts: number[] } {
  const bytes = new Uint8Array(16384);
  const view = new DataView(bytes.buffer);
  const starts: number[] = [];
  let at = 0;
  lengths.forEach((length, sequence) => {
    starts.push(at);
    const end = at + FRAME_HEADER_BYTES + length;
    bytes.fill(sequence + 1, at + FRAME_HEADER_BYTES, end);
    at = sealFrame(view, at, end, { sequence, salt });
  });
  starts.push(at);
  return { bytes, starts };
}

Deno.test("frames are read back in order, then the log is empty", () => {
  const { bytes, starts } = fileOf([5, 0, 1000, 24], 77);
  for (let i = 0; i < 4; i++) {
    const frame = readFrame(bytes, starts[i], { sequence: i, salt: 77 });
    equal(frame.kind === "frame" && frame.next, starts[i + 1]);
  }
  deepEqual(readFrame(bytes, starts[4], { sequence: 4, salt: 77 }), { kind: "empty" });
});

Deno.test("a frame is told from damage, from another salt, and from another place", () => {
  const { bytes, starts } = fileOf([600, 600], 5);
  const expect = { sequence: 1, salt: 5 };
  equal(readFrame(bytes, starts[1], { sequence: 1, salt: 6 }).kind, "damaged");
  equal(readFrame(bytes, starts[1], { sequence: 2, salt: 5 }).kind, "damaged");
  const flipped = bytes.slice();
  flipped[starts[1] + 300] ^= 4;
  equal(readFrame(flipped, starts[1], expect).kind, "damaged");
  flipped[starts[1] + 300] ^= 4;
  flipped[starts[1] + 4] ^= 1;
  equal(readFrame(flipped, starts[1], expect).kind, "damaged");
});

Deno.test("a frame with a sector that never arrived is torn", () => {
  const { bytes, starts } = fileOf([2000, 2000], 5);
  for (let sector = Math.ceil(starts[1] / 512); sector * 512 < starts[2]; sector++) {
    const torn = bytes.slice();
    torn.fill(0, sector * 512, Math.min(starts[2], (sector + 1) * 512));
    equal(readFrame(torn, starts[1], { sequence: 1, salt: 5 }).kind, "torn", `sector ${sector}`);
  }
  const short = bytes.subarray(0, starts[2] - 100);
  equal(readFrame(short, starts[1], { sequence: 1, salt: 5 }).kind, "torn");
});

Deno.test("a later whole frame is found, an older or foreign one is not", () => {
  const { bytes, starts } = fileOf([100, 100, 100], 5);
  equal(findLaterFrame(bytes, 1, { afterSequence: 0, salt: 5 }), starts[1]);
  equal(findLaterFrame(bytes, 1, { afterSequence: 1, salt: 5 }), starts[2]);
  equal(findLaterFrame(bytes, 1, { afterSequence: 2, salt: 5 }), -1);
  equal(findLaterFrame(bytes, 1, { afterSequence: 0, salt: 9 }), -1);
  equal(starts[1], alignFrame(starts[1]));
});

Deno.test("crc32c is the same wherever the bytes lie", () => {
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i * 37 + (i >> 3));
  for (const length of [0, 1, 63, 64, 65, 79, 80, 999, 1000]) {
    const expected = crc32c(bytes, 0, length, 7);
    for (let shift = 1; shift < 8; shift++) {
      const moved = new Uint8Array(1008);
      moved.set(bytes, shift);
      equal(crc32c(moved, shift, shift + length, 7), expected);
    }
    let bitwise = ~7;
    for (let i = 0; i < length; i++) {
      bitwise ^= bytes[i];
      for (let bit = 0; bit < 8; bit++) bitwise = (bitwise >>> 1) ^ (bitwise & 1 ? 0x82f63b78 : 0);
    }
    equal(expected, ~bitwise >>> 0);
  }
});
