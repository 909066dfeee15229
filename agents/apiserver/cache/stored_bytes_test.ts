/**
 * Stored bytes that take known bytes over, beside those written from nothing.
 * In: random objects, and changes of every part of them. Out: what the bytes read back as.
 * Never: compares the order of members, which a reader does not see.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { KubeObject } from "../../api/meta.ts";
import { sharedJson, SharedSpecs } from "./shared_specs.ts";
import { encodeStored, type Replaced, type StoredBytes } from "./stored_bytes.ts";

/** Half of them take a byte a character, without which little is taken over. */
const texts = fc.oneof(fc.string(), fc.string({ unit: "grapheme" }));

function read({ value }: StoredBytes): KubeObject {
  return JSON.parse(new TextDecoder().decode(value));
}

Deno.test("bytes made with a known spec are those made without", () => {
  const specs = new SharedSpecs();
  fc.assert(fc.property(
    fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }),
    texts,
    texts,
    (content, name, phase) => {
      const metadata = { name };
      const draft = () => ({
        kind: "Pod",
        apiVersion: "v1",
        metadata,
        spec: content,
        status: { phase },
      });
      const { value: plain } = encodeStored(draft());
      specs.add(JSON.stringify(content), content);
      assert.deepEqual(encodeStored(draft(), { spec: sharedJson(content) }).value, plain);
      const { bytes } = sharedJson(content)!;
      const tail = `,"nodeName":${JSON.stringify(name)}}`;
      const spec = { bytes: bytes.subarray(0, bytes.length - 1), tail };
      if (Object.hasOwn(content, "nodeName")) return;
      const bound = () => ({ ...draft(), spec: { ...content, nodeName: name } });
      assert.deepEqual(encodeStored(bound(), { spec }).value, encodeStored(bound()).value);
    },
  ));
});

/** What a write changes; everything else is shared with the version before. */
const changes = fc.oneof(
  fc.record({ status: fc.option(fc.jsonValue(), { nil: undefined }) }),
  fc.record({ phase: texts }),
  fc.record({ condition: texts }),
  fc.record({ condition: texts, phase: texts }),
  fc.record({ condition: texts, replaces: fc.nat(2) }),
  fc.constant({ status: { phase: "p", conditions: [] } }),
  fc.record({ label: texts }),
  fc.record({ nodeName: texts }),
  fc.record({ extra: fc.option(fc.jsonValue(), { nil: undefined }) }),
  fc.constant({ forgets: "generation" }),
);

function changed(object: KubeObject, change: Record<string, unknown>): KubeObject {
  const draft: KubeObject = { ...object, metadata: { ...object.metadata } };
  if ("status" in change) draft.status = change.status as KubeObject["status"];
  if ("phase" in change) draft.status = { ...object.status, phase: change.phase };
  if ("condition" in change) draft.status = withCondition(draft.status, change.condition);
  if ("replaces" in change) {
    const { conditions } = draft.status!;
    conditions[Number(change.replaces) % conditions.length] = { type: "other" };
  }
  if ("extra" in change) draft.extra = change.extra;
  if ("label" in change) draft.metadata.labels = { label: String(change.label) };
  if ("forgets" in change) delete draft.metadata.generation;
  if ("nodeName" in change) draft.spec = { ...object.spec, nodeName: change.nodeName };
  return draft;
}

/** A status with one condition more, sharing those that it has. */
function withCondition(status: KubeObject["status"], type: unknown): KubeObject["status"] {
  const before = status?.conditions;
  return { ...status, conditions: [...Array.isArray(before) ? before : [], { type }] };
}

Deno.test("however often an object changes, bytes taken over are those written anew", () => {
  const specs = new SharedSpecs();
  fc.assert(
    fc.property(texts, fc.array(changes, { maxLength: 12 }), (name, all) => {
      const spec = { containers: [{ name }] };
      specs.add(JSON.stringify(spec), spec);
      const metadata = { name, generation: 1 };
      let object: KubeObject = { kind: "Pod", apiVersion: "v1", metadata, spec };
      let before: Replaced = { ...encodeStored(object, { spec: sharedJson(spec) }), object };
      for (const change of all) {
        object = changed(object, change);
        const bytes = new TextEncoder().encode(JSON.stringify(object.spec));
        const known = "nodeName" in change ? { bytes, tail: "" } : sharedJson(object.spec);
        const made = encodeStored(object, { spec: known, before });
        assert.deepEqual(read(made), JSON.parse(JSON.stringify(object)));
        assertLayout(made);
        before = { ...made, object };
      }
    }),
    { numRuns: 400 },
  );
});

/** The offsets are those of the members, found by writing the text once more. */
function assertLayout({ value, layout }: StoredBytes): void {
  if (layout === null) return;
  const at = (start: number, text: string) =>
    assert.equal(new TextDecoder().decode(value.subarray(start, start + text.length)), text);
  at(layout.specAt, ',"spec":{');
  const front = new TextDecoder().decode(value.subarray(0, layout.statusAt));
  assert.equal("status" in JSON.parse(`${front}}`), false);
  if (layout.statusAt === value.length - 1) at(layout.statusAt, "}");
  else at(layout.statusAt, ',"status":');
}

Deno.test("bytes of what is shared are taken as they are", () => {
  const spec = { nodeName: "p" };
  new SharedSpecs().add(JSON.stringify(spec), spec);
  const object: KubeObject = { kind: "Pod", apiVersion: "v1", metadata: { name: "p" }, spec };
  const before = { ...encodeStored(object, { spec: sharedJson(spec) }), object };
  // Bytes that say something else than the object show which of the two was taken.
  for (let at = 0; at < before.value.length; at++) {
    if (before.value[at] === "p".charCodeAt(0) && before.value[at - 1] === '"'.charCodeAt(0)) {
      before.value[at] = "q".charCodeAt(0);
    }
  }
  const taken = { name: "q" };
  const status = { phase: "Running", message: "ä" };
  const reported = { ...object, metadata: { name: "p" }, status };
  assert.deepEqual(read(encodeStored(reported, { before })).metadata, taken);
  const first = { ...object, metadata: { name: "p" }, status: withCondition({ phase: "p" }, "p") };
  const one = { ...encodeStored(first, { before }), object: first };
  one.value.set(new TextEncoder().encode('"q"'), one.value.lastIndexOf('"'.charCodeAt(0)) - 2);
  const second = { ...first, metadata: { name: "p" }, status: withCondition(first.status, "ä") };
  const added = { phase: "p", conditions: [{ type: "q" }, { type: "ä" }] };
  assert.deepEqual(read(encodeStored(second, { before: one })).status, added);
  const gone = { ...second, metadata: { name: "p" }, status: { phase: "p", conditions: [] } };
  assert.deepEqual(read(encodeStored(gone, { before: one })).status, gone.status);
  const labelled = { name: "p", labels: { app: "p" } };
  const made = read(encodeStored({ ...object, metadata: { ...labelled } }, { before }));
  assert.deepEqual([made.metadata, made.spec], [labelled, { nodeName: "q" }]);
  const bound = { ...object, metadata: { name: "p" }, spec: { nodeName: "r" } };
  const known = { bytes: new TextEncoder().encode('{"nodeName":"r"'), tail: "}" };
  const third = read(encodeStored(bound, { spec: known, before }));
  assert.deepEqual([third.metadata, third.spec], [taken, bound.spec]);
});
