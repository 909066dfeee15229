/**
 * Writes under way, and the events that are about them.
 * In: writes told of in their order, out of order, refused, foreign. Out: which write is found.
 * Never: needs a store; `verbs` tests what becomes of a write.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeKey } from "../registry.ts";
import { type OwnWrite, OwnWrites } from "./own_writes.ts";
import { ResourceCache } from "./resource_cache.ts";

const cache = new ResourceCache({
  prefix: "/p/",
  ringCapacity: 1,
  watcherCapacity: 1,
  revision: 1,
});
const draft = { kind: "Pod", apiVersion: "v1", metadata: {} };

function write(key: string, bytes: readonly number[] | null): OwnWrite {
  const value = Uint8Array.from(bytes ?? []);
  const put = bytes === null ? null : { value, layout: null, draft, stored: null };
  return { key, keyBytes: encodeKey(key), cache, put, isTold: false };
}

/** As an event of the store names it: the same bytes in another place. */
function take(writes: OwnWrites, { key, put }: OwnWrite): OwnWrite | undefined {
  return writes.take(encodeKey(key), put === null ? null : put.value.slice());
}

Deno.test("a write is found by exactly its key and bytes, once", () => {
  const writes = new OwnWrites();
  const own = write("/p/a", [1, 2, 3]);
  const gone = write("/p/a", null);
  writes.add(own);
  assert.equal(take(writes, gone), undefined);
  for (const bytes of [[1, 2], [1, 2, 4], [0, 2, 3], []]) {
    assert.equal(take(writes, write("/p/a", bytes)), undefined, String(bytes));
  }
  for (const key of ["/p/b", "/q/a", "/p/aa", ""]) {
    assert.equal(take(writes, write(key, [1, 2, 3])), undefined, key);
  }
  assert.equal(take(writes, own), own);
  assert(own.isTold);
  assert.equal(take(writes, own), undefined);
  writes.add(gone);
  assert.equal(take(writes, own), undefined);
  assert.equal(take(writes, gone), gone);
});

Deno.test("a write that is over is not found any more, told of or not", () => {
  const writes = new OwnWrites();
  const [refused, other] = [write("/p/a", [1]), write("/p/b", [2])];
  writes.add(refused);
  writes.add(other);
  writes.remove(refused);
  writes.remove(refused);
  assert.equal(take(writes, refused), undefined);
  assert.equal(take(writes, other), other);
  writes.remove(other);
});

Deno.test("writes are found in any order in which a store may tell of them", () => {
  const steps = fc.array(
    fc.record({ kind: fc.constantFrom("add", "take", "remove", "foreign"), pick: fc.nat() }),
    { maxLength: 200 },
  );
  fc.assert(fc.property(steps, (all) => {
    const writes = new OwnWrites();
    const under: OwnWrite[] = [];
    for (const [index, { kind, pick }] of all.entries()) {
      if (kind === "add") {
        under.push(write(`/p/${index}`, pick % 3 === 0 ? null : [pick % 256]));
        writes.add(under[under.length - 1]);
      } else if (kind === "foreign") {
        assert.equal(take(writes, write(`/p/other-${index}`, [1])), undefined);
      } else if (under.length > 0) {
        // Nobody overtakes more than a few.
        const [one] = under.splice(pick % Math.min(under.length, 8), 1);
        if (kind === "remove") writes.remove(one);
        else assert.equal(take(writes, one), one);
      }
    }
    for (const one of under) assert.equal(take(writes, one), one);
  }));
});

Deno.test("thousands of writes, one after the other and with many refused", () => {
  const writes = new OwnWrites();
  for (let round = 0; round < 100; round++) {
    const batch = Array.from({ length: 50 }, (_, i) => write(`/p/${round}-${i}`, [i]));
    for (const one of batch) writes.add(one);
    for (const [i, one] of batch.entries()) if (i % 3 !== 0) assert.equal(take(writes, one), one);
    for (const [i, one] of batch.entries()) if (i % 3 === 0) writes.remove(one);
  }
});
