/** What the writer wrote the reader reads; damage is refused, never followed. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { PAGE_BYTES } from "./page.ts";
import { BoltDamage, BoltReader } from "./reader.ts";
import { decodeRevision, encodeRevision } from "./revision_walk.ts";
import { BoltWriter, type BucketSource } from "./writer.ts";

type Pair = readonly [key: string, value: Uint8Array];

const bytes = (text: string) => new TextEncoder().encode(text);

function bucketOf(name: string, pairs: readonly Pair[]): BucketSource {
  return {
    name,
    walk() {
      let at = -1;
      return {
        next: () => ++at < pairs.length,
        get keyBytes() {
          return this.key.length;
        },
        get valueBytes() {
          return this.value.length;
        },
        get key() {
          return bytes(pairs[at][0]);
        },
        get value() {
          return pairs[at][1];
        },
      };
    },
  };
}

function writeFile(buckets: readonly BucketSource[], budget: number): Uint8Array {
  const writer = new BoltWriter(buckets);
  while (writer.measure(7));
  const file = new Uint8Array(writer.totalBytes);
  let at = 0;
  for (let part = writer.next(budget); part !== undefined; part = writer.next(budget)) {
    file.set(part, at);
    at += part.length;
  }
  assert.equal(at, file.length);
  return file;
}

function open(file: Uint8Array): BoltReader {
  return new BoltReader((offset, length) => file.subarray(offset, offset + length));
}

const pairs = (count: number, valueLength: (i: number) => number): Pair[] =>
  Array.from({ length: count }, (_, i) => [
    `key-${String(i).padStart(8, "0")}`,
    new Uint8Array(valueLength(i)).fill(i),
  ]);

Deno.test("buckets of every size come back whole and in order", () => {
  for (const count of [0, 1, 2, 100, 5_000]) {
    const held = pairs(count, (i) => i % 50 === 7 ? 9_000 : i % 40);
    const file = writeFile([bucketOf("some", held), bucketOf("empty", [])], 10_000);
    assert.equal(file.length % PAGE_BYTES, 0);
    const reader = open(file);
    assert.deepEqual(reader.bucketNames, ["empty", "some"]);
    const found = [...reader.entries("some")].map(({ key, value }): Pair => [
      new TextDecoder().decode(key),
      value.slice(),
    ]);
    assert.deepEqual(found, held);
    assert.deepEqual([...reader.entries("empty")], []);
    assert.deepEqual([...reader.entries("absent")], []);
  }
});

Deno.test("a torn meta page leaves the other one in charge", () => {
  const file = writeFile([bucketOf("b", pairs(10, () => 3))], 1 << 20);
  file.fill(0xff, PAGE_BYTES, 2 * PAGE_BYTES);
  assert.equal([...open(file).entries("b")].length, 10);
  file.fill(0xff, 0, PAGE_BYTES);
  assert.throws(() => open(file), BoltDamage);
});

Deno.test("changed bytes give other entries or BoltDamage, never a hang or another error", () => {
  const intact = writeFile([bucketOf("b", pairs(600, () => 30))], 1 << 20);
  fc.assert(fc.property(
    fc.array(fc.tuple(fc.nat(intact.length - 1), fc.nat(255)), { minLength: 1, maxLength: 20 }),
    fc.nat(intact.length),
    (changes, length) => {
      const file = intact.slice(0, Math.max(length, 3 * PAGE_BYTES));
      for (const [at, value] of changes) if (at < file.length) file[at] = value;
      try {
        let entries = 0;
        for (const _ of open(file).entries("b")) if (++entries > 100_000) break;
      } catch (error) {
        assert(error instanceof BoltDamage, String(error));
      }
    },
  ));
});

Deno.test("revisions as keys sort by number and come back", () => {
  const revision = fc.record({ main: fc.maxSafeNat(), sub: fc.nat(), isDeleted: fc.boolean() });
  fc.assert(fc.property(revision, (one) => {
    const encoded = encodeRevision(one.main, one.sub, one.isDeleted);
    assert.deepEqual(decodeRevision(encoded), { ...one });
  }));
  assert.equal(decodeRevision(bytes("short")), null);
  assert.equal(decodeRevision(bytes("0123456789abcdefgh")), null);
});
