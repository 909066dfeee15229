/** The tree of keys against a sorted list: many keys, alike beginnings, growth and decay. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { OrderCursor } from "./key_order.ts";
import { compareBytes, Kv } from "./kv.ts";
import { countRange, selectRange } from "./range.ts";

const encoder = new TextEncoder();

/** Shapes that strain heads and shared beginnings: short, zero-filled, long, dense, sparse. */
const SHAPES: readonly ((n: number) => Uint8Array)[] = [
  (n) => encoder.encode(`/registry/pods/default/web-${n}`),
  (n) => encoder.encode(`/registry/${"x".repeat(80)}/${String(n).padStart(9, "0")}`),
  (n) => new Uint8Array(1 + n % 90),
  (n) => Uint8Array.of(n & 255, n >>> 8 & 255),
  (n) => encoder.encode(String(Math.imul(n, 0x9e3779b1) >>> 0)),
  (n) => Uint8Array.of(...encoder.encode("/a/b"), ...new Uint8Array(n % 7), n & 255),
];

class Strain {
  readonly kv = new Kv(1 << 16);
  readonly #existing = new Map<string, Uint8Array>();

  #write(write: () => void): void {
    this.kv.begin();
    write();
    this.kv.commit();
  }

  put(key: Uint8Array): void {
    const value = { valueBytes: key, valueStart: 0, valueEnd: 0 };
    this.#write(() => {
      this.kv.put({ keyBytes: key, keyStart: 0, keyEnd: key.length, ...value }, 0n);
    });
    this.#existing.set(key.join(), key);
  }

  delete(key: Uint8Array): void {
    if (!this.#existing.delete(key.join())) return;
    this.#write(() => this.kv.delete(this.kv.find(key)));
  }

  compact(): void {
    this.kv.compactRevision = this.kv.revision;
    for (let steps = 0; this.kv.compaction.step(100); steps++) {
      assert.ok(steps < 10_000, "compaction ends");
    }
  }

  /** Compares the whole order, and ranges between some of the keys. */
  check(bounds: readonly Uint8Array[]): void {
    const { kv } = this;
    const sorted = [...this.#existing.values()].sort(compareBytes);
    const from = new OrderCursor();
    const to = new OrderCursor();
    assert.equal(kv.bounds(Uint8Array.of(0), Uint8Array.of(0), from, to), sorted.length);
    const seen: Uint8Array[] = [];
    for (let id = kv.order.next(from, to); id >= 0; id = kv.order.next(from, to)) {
      if (kv.visible(id, Infinity) !== 0) seen.push(kv.keys.bytesOf(id));
    }
    assert.deepEqual(seen, sorted);
    for (let i = 1; i < bounds.length; i++) {
      const [key, rangeEnd] = [bounds[i - 1], bounds[i]];
      const inside = sorted.filter((one) =>
        compareBytes(key, one) <= 0 && compareBytes(one, rangeEnd) < 0
      );
      const open = rangeEnd.length === 1 && rangeEnd[0] === 0;
      if (open) continue;
      assert.equal(countRange(kv, key, rangeEnd, kv.revision), inside.length);
      const selected = selectRange(kv, { kind: "range", key, rangeEnd, limit: 3 });
      assert.equal(selected.kind === "selection" && selected.versions.length, min3(inside.length));
    }
  }
}

function min3(count: number): number {
  return Math.min(count, 3);
}

const burst = fc.record({
  shape: fc.nat(SHAPES.length - 1),
  first: fc.nat(2000),
  count: fc.integer({ min: 1, max: 700 }),
  stride: fc.constantFrom(1, -1, 7, -13, 101),
  act: fc.constantFrom("put", "put", "put", "delete", "compact"),
});

Deno.test("the order of many keys is that of a sorted list", () => {
  fc.assert(
    fc.property(fc.array(burst, { minLength: 2, maxLength: 14 }), (bursts) => {
      const strain = new Strain();
      const touched: Uint8Array[] = [];
      for (const { shape, first, count, stride, act } of bursts) {
        for (let i = 0; i < count; i++) {
          const key = SHAPES[shape](Math.abs(first + i * stride));
          if (i % 50 === 0) touched.push(key);
          if (act === "delete") strain.delete(key);
          else strain.put(key);
        }
        if (act === "compact") strain.compact();
      }
      strain.check(touched);
      for (const key of touched) strain.delete(key);
      strain.compact();
      strain.check(touched);
    }),
    { numRuns: 60, seed: 20240602 },
  );
});

Deno.test("a tree that lost every key takes keys again", () => {
  const strain = new Strain();
  for (let round = 0; round < 3; round++) {
    const keys = Array.from({ length: 20_000 }, (_, i) => SHAPES[round * 2 % 4](i * 3));
    for (const key of keys) strain.put(key);
    strain.check(keys.slice(0, 20));
    for (const key of keys) strain.delete(key);
    strain.compact();
    strain.check(keys.slice(0, 20));
    // The newest deletion is still history at the compact revision.
    assert.ok(strain.kv.keys.count <= 1);
  }
});
