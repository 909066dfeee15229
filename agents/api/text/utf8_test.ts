/**
 * Bytes of any text, beside those of the platform's own encoder.
 * In: random texts, lone surrogates. Out: equality. Never: a time.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeUtf8 } from "./utf8.ts";

Deno.test("any text becomes the bytes that the platform's encoder makes of it", () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.string({ unit: "grapheme" }),
  );
  fc.assert(fc.property(text, (value) => {
    assert.deepEqual(encodeUtf8(value), new TextEncoder().encode(value));
  }));
});

Deno.test("a lone surrogate becomes the replacement character", () => {
  assert.deepEqual(encodeUtf8("a\ud800b"), new TextEncoder().encode("a\ufffdb"));
});
