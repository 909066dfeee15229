/** HPACK: RFC 7541 appendix C and properties of both tables. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { OutputBuffer } from "./frames.ts";
import { parseHeaderBlock } from "./header_block.ts";
import { encodeStateless, HpackDecoder, HpackEncoder } from "./hpack.ts";
import { huffmanDecode, huffmanEncode, huffmanLength } from "./tables/huffman.ts";

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.replace(/\s/g, "").match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function decodeAll(decoder: HpackDecoder, hex: string): readonly string[] | null {
  const bytes = bytesOf(hex);
  return decoder.decode(bytes, 0, bytes.length)?.fields ?? null;
}

const FIRST = [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "www.example.com"];
const SECOND = [...FIRST, "cache-control", "no-cache"];
const THIRD = [
  ...[":method", "GET", ":scheme", "https", ":path", "/index.html"],
  ...[":authority", "www.example.com", "custom-key", "custom-value"],
];
const DATE_1 = "Mon, 21 Oct 2013 20:13:21 GMT";
const DATE_2 = "Mon, 21 Oct 2013 20:13:22 GMT";
const SITE = "https://www.example.com";
const RESPONSES = [
  [":status", "302", "cache-control", "private", "date", DATE_1, "location", SITE],
  [":status", "307", "cache-control", "private", "date", DATE_1, "location", SITE],
  [
    ...[":status", "200", "cache-control", "private", "date", DATE_2, "location", SITE],
    ...["content-encoding", "gzip"],
    ...["set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"],
  ],
];

/** RFC 7541 appendix C: blocks of one connection in order, and the fields they hold. */
const examples: [name: string, tableBytes: number, blocks: [hex: string, fields: string[]][]][] = [
  ["C.2.1 literal with indexing", 4096, [[
    "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
    ["custom-key", "custom-header"],
  ]]],
  ["C.2.2 literal without indexing", 4096, [[
    "040c 2f73 616d 706c 652f 7061 7468",
    [":path", "/sample/path"],
  ]]],
  ["C.2.3 literal never indexed", 4096, [[
    "1008 7061 7373 776f 7264 0673 6563 7265 74",
    ["password", "secret"],
  ]]],
  ["C.2.4 indexed", 4096, [["82", [":method", "GET"]]]],
  ["C.3 requests", 4096, [
    ["8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", FIRST],
    ["8286 84be 5808 6e6f 2d63 6163 6865", SECOND],
    ["8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65", THIRD],
  ]],
  ["C.4 requests, Huffman", 4096, [
    ["8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", FIRST],
    ["8286 84be 5886 a8eb 1064 9cbf", SECOND],
    ["8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", THIRD],
  ]],
  ["C.6 responses with eviction, Huffman", 256, [
    [
      "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e" +
      "919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
      RESPONSES[0],
    ],
    ["4883 640e ffc1 c0bf", RESPONSES[1]],
    [
      "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad" +
      "94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160" +
      "65c0 03ed 4ee5 b106 3d50 07",
      RESPONSES[2],
    ],
  ]],
];

for (const [name, tableBytes, blocks] of examples) {
  Deno.test(`RFC 7541 ${name}`, () => {
    const decoder = new HpackDecoder({ tableBytes, maxListBytes: 65536 });
    // The examples' peers agreed on the table size beforehand; here an update says so.
    const update = new OutputBuffer();
    const shrink = new HpackEncoder();
    shrink.setPeerTableSize(tableBytes);
    shrink.announce(update);
    assert.notEqual(decoder.decode(update.bytes, 0, update.length), null);
    for (const [hex, fields] of blocks) assert.deepEqual(decodeAll(decoder, hex), fields);
  });
}

const refused: [name: string, hex: string][] = [
  ["index 0", "80"],
  ["index beyond the tables", "be"],
  ["name index beyond the tables", "7f80 0000"],
  ["integer without an end", "ffff ffff ffff ff"],
  ["string longer than the block", "4005 61"],
  ["size update beyond the limit", "3fe2 1f"],
  ["size update after a field", "8220"],
  ["Huffman padding of zeros", "4081 0081 00"],
  ["Huffman padding of a byte", "0082 0fff 00"],
  ["Huffman end of string", "0084 ffff fffc 00"],
  ["nothing after a literal's first byte", "40"],
];

for (const [name, hex] of refused) {
  Deno.test(`a block is refused: ${name}`, () => {
    assert.equal(decodeAll(new HpackDecoder({ maxListBytes: 65536 }), hex), null);
  });
}

Deno.test("what an encoder writes a decoder reads, tables in step", () => {
  const byte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
  const name = fc.string({ unit: byte, minLength: 1, maxLength: 20 });
  const field = fc.tuple(name, fc.string({ unit: byte, maxLength: 60 }));
  const indexing = fc.constantFrom("index" as const, "plain" as const, "never" as const);
  const step = fc.record({
    resize: fc.option(fc.integer({ min: 0, max: 4096 })),
    fields: fc.array(fc.tuple(field, indexing), { maxLength: 12 }),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder({ maxListBytes: 1 << 20 });
    for (const { resize, fields } of steps) {
      const out = new OutputBuffer();
      if (resize !== null) encoder.setPeerTableSize(resize);
      encoder.announce(out);
      for (const [[key, value], how] of fields) encoder.field(out, key, value, how);
      const decoded = decoder.decode(out.bytes, 0, out.length);
      assert.deepEqual(decoded?.fields, fields.flatMap(([pair]) => pair));
    }
  }));
});

Deno.test("never-indexed fields are marked so that no intermediary stores them", () => {
  const out = new OutputBuffer();
  new HpackEncoder().field(out, "authorization", "secret", "never");
  assert.equal(out.bytes[0] & 0xf0, 0x10);
});

Deno.test("equal blocks give the same object until a table changes", () => {
  const decoder = new HpackDecoder({ maxListBytes: 65536 });
  const first = decodeBlock(decoder, "8286 84");
  assert.equal(decodeBlock(decoder, "8286 84"), first);
  decodeBlock(decoder, "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572");
  const indexed = decodeBlock(decoder, "be");
  assert.deepEqual(indexed?.fields, ["custom-key", "custom-header"]);
  assert.equal(decodeBlock(decoder, "be"), indexed);
  decodeBlock(decoder, "4001 6101 62");
  assert.deepEqual(decodeBlock(decoder, "be")?.fields, ["a", "b"]);
});

function decodeBlock(decoder: HpackDecoder, hex: string) {
  const bytes = bytesOf(hex);
  return decoder.decode(bytes, 0, bytes.length);
}

Deno.test("a list beyond the limit is cut short and the tables stay in step", () => {
  const decoder = new HpackDecoder({ maxListBytes: 40 });
  const bytes = bytesOf("8286 400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572");
  assert.equal(decoder.decode(bytes, 0, bytes.length)?.tooLarge, true);
  const next = new HpackDecoder({ maxListBytes: 4096 });
  next.decode(bytes, 0, bytes.length);
  assert.deepEqual(decodeAll(next, "be"), ["custom-key", "custom-header"]);
});

Deno.test("Huffman strings survive a round trip", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    const text = String.fromCharCode(...bytes);
    const out = new OutputBuffer();
    huffmanEncode(text, out);
    assert.equal(out.length, huffmanLength(text));
    assert.equal(huffmanDecode(out.bytes, 0, out.length), text);
  }));
});

Deno.test("random bytes never break the decoder or the header rules", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 10 }), (blocks) => {
      const decoder = new HpackDecoder({ maxListBytes: 4096 });
      for (const block of blocks) {
        const decoded = decoder.decode(block, 0, block.length);
        if (decoded === null) return;
        assert.equal(decoded.fields.length % 2, 0);
        for (const role of ["request", "response", "trailers"] as const) {
          parseHeaderBlock(decoded.fields, role);
        }
      }
    }),
    { numRuns: 3000 },
  );
});

Deno.test("a stateless block is read the same whatever the table holds", () => {
  const block = encodeStateless([":status", "200", "content-type", "application/grpc"]);
  const decoder = new HpackDecoder({ maxListBytes: 4096 });
  decodeBlock(decoder, "4001 6101 62");
  assert.deepEqual(decoder.decode(block, 0, block.length)?.fields, [
    ...[":status", "200", "content-type", "application/grpc"],
  ]);
});
