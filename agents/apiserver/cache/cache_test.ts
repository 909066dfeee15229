/**
 * The cache's parts against obviously correct models.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { prefixOfKey, spliceResourceVersion } from "../registry.ts";
import { sharedJson, SharedSpecs } from "./shared_specs.ts";
import { encodeStored } from "./stored_bytes.ts";
import { ChangeRing } from "./change_ring.ts";
import { OrderedKeys } from "./ordered_keys.ts";
import { ResourceCache } from "./resource_cache.ts";
import type { StateReader } from "./state_reader.ts";
import { type Change, ObjectEvent, StoredObject } from "./stored_object.ts";

const keyOf = (n: number) => `/registry/pods/ns${n % 3}/p${n}`;

Deno.test("ordered keys are a sorted set", () => {
  const command = fc.record({
    kind: fc.constantFrom("add", "remove", "read"),
    key: fc.nat(30).map(keyOf),
  });
  fc.assert(fc.property(fc.array(command, { maxLength: 80 }), (commands) => {
    const keys = new OrderedKeys();
    const model = new Set<string>();
    for (const { kind, key } of [...commands, { kind: "read", key: keyOf(1) }]) {
      if (kind === "add" && !model.has(key)) {
        keys.add(key);
        model.add(key);
      } else if (kind === "remove" && model.delete(key)) keys.remove(key);
      else if (kind === "read") {
        const prefix = "/registry/pods/ns1/";
        const seen: string[] = [];
        keys.visit(prefix, key, (found) => seen.push(found) > 0);
        const from = key > prefix ? key : prefix;
        const wanted = [...model].filter((one) => one.startsWith(prefix) && one >= from).sort();
        assert.deepEqual(seen, wanted);
        assert.equal(keys.countFrom(prefix, from), wanted.length);
      }
    }
  }));
});

Deno.test("a state read bit by bit is the state of its beginning, whatever happens meanwhile", () => {
  const step = fc.record({
    kind: fc.constantFrom("put", "delete", "take", "begin"),
    key: fc.nat(12).map(keyOf),
    count: fc.integer({ min: 1, max: 5 }),
  });
  fc.assert(fc.property(fc.array(step, { minLength: 5, maxLength: 120 }), (steps) => {
    const prefix = "/registry/pods/";
    const options = { ringCapacity: 8, watcherCapacity: 8, revision: 0 };
    const cache = new ResourceCache({ prefix, ...options });
    const model = new Map<string, number>();
    const readers: { state: StateReader; read: StoredObject[]; expected: [string, number][] }[] =
      [];
    let revision = 0;
    for (const { kind, key, count } of steps) {
      revision++;
      if (kind === "put") {
        cache.put(
          new StoredObject(
            key,
            encodeStored({ kind: "Pod", apiVersion: "v1", metadata: {} }).value,
            revision,
          ),
        );
        model.set(key, revision);
      } else if (kind === "delete") {
        cache.delete(key, revision);
        model.delete(key);
      } else if (kind === "begin") {
        const expected = [...model].sort(([a], [b]) => a < b ? -1 : 1);
        readers.push({ state: cache.read(prefix), read: [], expected });
      } else for (const reader of readers) reader.read.push(...reader.state.take(count));
    }
    for (const { state, read, expected } of readers) {
      read.push(...state.take(100));
      assert.deepEqual(read.map((stored) => [stored.key, stored.revision]), expected);
      assert.equal(state.left, 0);
    }
  }));
});

Deno.test("a ring replays what is left and knows what is not", () => {
  const change = (revision: number): Change => ({
    revision,
    event: new ObjectEvent("ADDED", new StoredObject("k", new Uint8Array(), revision)),
    previous: null,
  });
  fc.assert(fc.property(
    fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 40 }),
    fc.integer({ min: 1, max: 8 }),
    fc.nat(130),
    (steps, capacity, from) => {
      const ring = new ChangeRing(capacity, 5);
      const all: number[] = [];
      let revision = 5;
      for (const step of steps) {
        revision += step;
        ring.push(change(revision));
        all.push(revision);
      }
      const lost = all.slice(0, Math.max(0, all.length - capacity));
      const floor = lost.length === 0 ? 5 : lost[lost.length - 1];
      const seen: number[] = [];
      const isWhole = ring.replayAfter(from, (found) => seen.push(found.revision));
      assert.equal(isWhole, from >= floor);
      if (isWhole) assert.deepEqual(seen, all.filter((one) => one > from));
    },
  ));
});

Deno.test("stored bytes and the version spliced into them read back as the object", () => {
  fc.assert(fc.property(fc.jsonValue({ maxDepth: 3 }), fc.string(), (data, name) => {
    const draft = { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data };
    const { value } = encodeStored({ ...draft, metadata: { name, resourceVersion: "3" } });
    const read = JSON.parse(new TextDecoder().decode(spliceResourceVersion(value, 42)!));
    const metadata = { name, resourceVersion: "42" };
    assert.deepEqual(read, JSON.parse(JSON.stringify({ ...draft, metadata })));
    assert.equal(read.metadata.resourceVersion, "42");
    assert.equal(read.metadata.name, name);
  }));
});

Deno.test("bytes that another writer laid out differently are read all the same", () => {
  const text = '{"data":{"metadata":"{"},"metadata":{"name":"a"},"kind":"ConfigMap"}';
  const { json } = new StoredObject("/registry/configmaps/a", new TextEncoder().encode(text), 7);
  const read = JSON.parse(new TextDecoder().decode(json));
  assert.deepEqual(read.metadata, { name: "a", resourceVersion: "7" });
});

Deno.test("keys tell their resource's prefix", () => {
  const cases: [string, string | null][] = [
    ["/registry/pods/default/a", "/registry/pods/"],
    ["/registry/services/specs/default/a", "/registry/services/specs/"],
    ["/registry/minions/n1", "/registry/minions/"],
    ["/registry/example.com/widgets/default/a", "/registry/example.com/widgets/"],
    ["/other/a", null],
    ["/registry/pods", null],
  ];
  for (const [key, prefix] of cases) assert.equal(prefixOfKey(key), prefix, key);
});

Deno.test("a shared spec is found by its JSON and frozen", () => {
  const specs = new SharedSpecs();
  const spec = { containers: [{ name: "c" }] };
  const text = JSON.stringify(spec);
  assert.equal(specs.find(text), undefined);
  specs.add(text, spec);
  assert.equal(specs.find(text), spec);
  assert(Object.isFrozen(spec.containers[0]));
  assert.equal(sharedJson({ ...spec }), undefined);
});
