/** Tries addresses and blocks: canonical text, faults, membership, and random round trips. */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  checkAddress,
  checkBlock,
  checkCanonicalAddress,
  contains,
  formatAddress,
  parseAddress,
  parseBlock,
} from "./ip.ts";

Deno.test("addresses have one canonical text", () => {
  const cases: readonly [string, string | null][] = [
    ["10.0.0.1", "10.0.0.1"],
    ["::", "::"],
    ["::1", "::1"],
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
    ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
    ["::ffff:1.2.3.4", "::ffff:102:304"],
    ["10.0.0", null],
    ["10.0.0.256", null],
    ["1:2:3:4:5:6:7:8:9", null],
    ["1::2::3", null],
    ["", null],
  ];
  for (const [text, expected] of cases) {
    const address = parseAddress(text);
    assert.equal(address === null ? null : formatAddress(address), expected, text);
  }
});

Deno.test("what is wrong is said as upstream says it", () => {
  assert.deepEqual(checkAddress("10.0.0.01"), ["must not have leading 0s"]);
  assert.deepEqual(checkAddress("::ffff:1.2.3.4"), ["must not be an IPv4-mapped IPv6 address"]);
  assert.deepEqual(checkCanonicalAddress("::0"), ['must be in canonical form ("::")']);
  assert.deepEqual(checkBlock("10.0.0.1/8"), ["must not have bits set beyond the prefix length"]);
  assert.deepEqual(checkBlock("10.0.0.0/08"), [
    "must not have leading 0s in IP or prefix length",
  ]);
  assert.match(checkBlock("10.0.0.0")[0], /^must be a valid CIDR value/);
  assert.deepEqual(checkBlock("10.0.0.0/8"), []);
});

Deno.test("blocks hold the addresses that share their prefix", () => {
  const block = parseBlock("10.1.0.0/16");
  const inside = parseAddress("10.1.2.3");
  const outside = parseAddress("10.2.0.0");
  assert.ok(block !== null && inside !== null && outside !== null);
  assert.ok(contains(block, inside));
  assert.ok(!contains(block, outside));
});

Deno.test("text of an address reads back as the address", () => {
  fc.assert(fc.property(fc.bigInt(0n, 2n ** 128n - 1n), fc.boolean(), (number, isFour) => {
    const address = isFour
      ? { family: 4 as const, bits: number & 0xffffffffn }
      : { family: 6 as const, bits: number };
    assert.deepEqual(parseAddress(formatAddress(address)), address);
  }));
});
