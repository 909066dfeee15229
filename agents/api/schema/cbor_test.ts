/** CBOR against RFC 8949's examples, an independent library, and bytes that are none. */
import assert from "node:assert/strict";
import { Decoder, Encoder } from "cbor-x";
import fc from "fast-check";
import { decodeCbor, encodeCbor, isSelfDescribed } from "./cbor.ts";

const bytesOf = (hex: string) => Uint8Array.fromHex(hex);

function read(hex: string): unknown {
  const decoded = decodeCbor(bytesOf(hex));
  return decoded.kind === "ok" ? decoded.value : decoded.message;
}

Deno.test("RFC 8949's examples that JSON has values for", () => {
  const cases: readonly (readonly [string, unknown])[] = [
    ["00", 0],
    ["17", 23],
    ["1818", 24],
    ["1903e8", 1000],
    ["1a000f4240", 1_000_000],
    ["1b000000e8d4a51000", 1_000_000_000_000],
    ["20", -1],
    ["3903e7", -1000],
    ["f90000", 0],
    ["f93c00", 1],
    ["f93e00", 1.5],
    ["f97bff", 65504],
    ["f90001", 5.960464477539063e-8],
    ["fa47c35000", 100000],
    ["fbc010666666666666", -4.1],
    ["f4", false],
    ["f5", true],
    ["f6", null],
    ["c074323031332d30332d32315432303a30343a30305a", "2013-03-21T20:04:00Z"],
    ["6449455446", "IETF"],
    ["62c3bc", "ü"],
    ["80", []],
    ["8301820203820405", [1, [2, 3], [4, 5]]],
    ["a26161016162820203", { a: 1, b: [2, 3] }],
    ["9fff", []],
    ["83018202039f0405ff", [1, [2, 3], [4, 5]]],
    ["bf61610161629f0203ffff", { a: 1, b: [2, 3] }],
    ["7f657374726561646d696e67ff", "streaming"],
  ];
  for (const [hex, value] of cases) assert.deepEqual(read(hex), value, hex);
});

Deno.test("what Go's clients send: keys and strings as byte strings, data marked for base64", () => {
  assert.deepEqual(read("d9d9f7a144646174614162"), { data: "b" });
  assert.deepEqual(read("a14161d6420102"), { a: "AQI=" });
  assert.deepEqual(read("a14161d542fbff"), { a: "-_8" });
  assert.deepEqual(read("a14161d742fbff"), { a: "fbff" });
});

Deno.test("what is no object of JSON's is refused by name", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["", /unexpected EOF/],
    ["81", /unexpected EOF/],
    ["5affffffff00", /unexpected EOF/],
    ["9bffffffffffffffff", /overflows/],
    ["0000", /1 bytes of extraneous data starting at index 1/],
    ["a2616101616102", /duplicate map key "a" at map element index 1/],
    ["a2416101616102", /duplicate map key "a"/],
    ["a10102", /key that is no string/],
    ["f7", /simple value/],
    ["f97e00", /NaN/],
    ["c249010000000000000000", /bignum/],
    ["1bffffffffffffffff", /overflows/],
    ["1c", /additional information 28/],
    ["62ff00", /UTF-8/],
    ["7f4161ff", /indefinite-length string/],
    ["ff", /./],
    ["81".repeat(2000), /max nested level/],
  ];
  for (const [hex, message] of cases) assert.match(String(read(hex)), message, hex.slice(0, 40));
});

const json = fc.jsonValue({ maxDepth: 4 });

Deno.test("values survive, and an independent reader agrees", () => {
  const peer = new Decoder({ mapsAsObjects: true, useRecords: false });
  const peerEncoder = new Encoder({ useRecords: false, variableMapSize: true });
  fc.assert(
    fc.property(json, (value) => {
      const plain = JSON.parse(JSON.stringify(value));
      const bytes = encodeCbor(plain);
      assert.ok(isSelfDescribed(bytes));
      const decoded = decodeCbor(bytes);
      assert.ok(decoded.kind === "ok");
      assert.deepEqual(JSON.parse(JSON.stringify(decoded.value)), plain);
      const foreign = decodeCbor(new Uint8Array(peerEncoder.encode(plain)));
      assert.ok(foreign.kind === "ok");
      assert.deepEqual(JSON.parse(JSON.stringify(foreign.value)), plain);
      if (typeof plain === "number") assert.equal(Number(peer.decode(bytes)), plain);
    }),
    { numRuns: 300, seed: 8949 },
  );
});

Deno.test("any bytes are read or refused, never thrown at", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      decodeCbor(bytes);
    }),
    { numRuns: 5000, seed: 8949 },
  );
});
