/**
 * Tries the three kinds of patches: the RFCs' own examples and strategic directives.
 * In: documents and patches. Out: new documents; the inputs must stay as they were.
 * Never: reads the clock or the network; randomness comes from fast-check.
 */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { applyJsonPatch, equalJson } from "./json_patch.ts";
import { applyMergePatch } from "./merge_patch.ts";
import type { Json, PatchOutcome } from "./outcome.ts";
import { applyStrategicMergePatch } from "./strategic_merge.ts";

function patched(outcome: PatchOutcome): Json {
  assert.equal(outcome.kind, "patched", JSON.stringify(outcome));
  return outcome.kind === "patched" ? outcome.value : undefined;
}

Deno.test("merge patches follow the table of RFC 7386", () => {
  const cases: readonly [Json, Json, Json][] = [
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b" }, { a: null }, {}],
    [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [target, patch, expected] of cases) {
    assert.deepEqual(patched(applyMergePatch(target, patch)), expected);
  }
  assert.equal(applyMergePatch({}, []).kind, "malformed");
});

Deno.test("a key named __proto__ is data", () => {
  const patch = JSON.parse('{"__proto__":{"polluted":true}}');
  const result = patched(applyMergePatch({}, patch));
  assert.equal(({} as Json).polluted, undefined);
  assert.ok(Object.hasOwn(result, "__proto__"));
});

Deno.test("JSON patches follow RFC 6902", () => {
  const cases: readonly [Json, Json, Json][] = [
    [{ foo: "bar" }, [{ op: "add", path: "/baz", value: "q" }], { foo: "bar", baz: "q" }],
    [{ foo: ["a", "b"] }, [{ op: "add", path: "/foo/1", value: "x" }], { foo: ["a", "x", "b"] }],
    [{ foo: ["a"] }, [{ op: "add", path: "/foo/-", value: "x" }], { foo: ["a", "x"] }],
    [{ a: 1, b: 2 }, [{ op: "remove", path: "/a" }], { b: 2 }],
    [{ a: [1, 2] }, [{ op: "remove", path: "/a/0" }], { a: [2] }],
    [{ a: 1 }, [{ op: "replace", path: "/a", value: 3 }], { a: 3 }],
    [{ a: { b: 1 } }, [{ op: "move", from: "/a/b", path: "/c" }], { a: {}, c: 1 }],
    [{ a: [1, 2, 3] }, [{ op: "move", from: "/a/0", path: "/a/2" }], { a: [2, 3, 1] }],
    [{ a: { b: 1 } }, [{ op: "copy", from: "/a", path: "/c" }], { a: { b: 1 }, c: { b: 1 } }],
    [{ "a/b": { "~": 1 } }, [{ op: "replace", path: "/a~1b/~0", value: 2 }], { "a/b": { "~": 2 } }],
    [{ a: 1 }, [{ op: "test", path: "/a", value: 1 }], { a: 1 }],
  ];
  for (const [document, patch, expected] of cases) {
    const before = structuredClone(document);
    assert.deepEqual(patched(applyJsonPatch(document, patch)), expected);
    assert.deepEqual(document, before);
  }
});

Deno.test("JSON patches that can't be applied say why", () => {
  const cases: readonly [Json, string, RegExp][] = [
    [[{ op: "remove", path: "/x" }], "unappliable", /nonexistent key: x/],
    [[{ op: "replace", path: "/x", value: 1 }], "unappliable", /missing path/],
    [[{ op: "test", path: "/a", value: 2 }], "unappliable", /testing value \/a failed/],
    [[{ op: "add", path: "/l/5", value: 1 }], "unappliable", /invalid index/],
    [[{ op: "add", path: "/q/w", value: 1 }], "unappliable", /missing path/],
    [[{ op: "move", from: "/l", path: "/l/0" }], "unappliable", /into itself/],
    [[{ op: "grow", path: "/a" }], "malformed", /Unexpected kind: grow/],
    [[{ op: "add", path: "a", value: 1 }], "malformed", /invalid path/],
    [[{ op: "add", path: "/a" }], "malformed", /misses its value/],
    [{}, "malformed", /array/],
  ];
  for (const [patch, kind, message] of cases) {
    const outcome = applyJsonPatch({ a: 1, l: [1] }, patch);
    assert.equal(outcome.kind, kind, JSON.stringify(patch));
    if (outcome.kind !== "patched") assert.match(outcome.message, message);
  }
});

Deno.test("no patch document makes the appliers throw", () => {
  fc.assert(fc.property(fc.jsonValue(), fc.jsonValue(), (document, patch) => {
    applyJsonPatch(document, [patch]);
    applyMergePatch(document, patch);
    applyStrategicMergePatch(POD, document, patch);
  }));
});

const POD = "io.k8s.api.core.v1.Pod";
const NODE = "io.k8s.api.core.v1.Node";
const DEPLOYMENT = "io.k8s.api.apps.v1.Deployment";

Deno.test("containers merge by name and keep what the patch does not name", () => {
  const pod = {
    spec: { containers: [{ name: "a", image: "x", tty: true }, { name: "b", image: "y" }] },
  };
  const before = structuredClone(pod);
  const patch = {
    spec: {
      "$setElementOrder/containers": [{ name: "b" }, { name: "a" }],
      containers: [{ name: "a", image: "z", tty: null }, { name: "c", image: "w" }],
    },
  };
  const result = patched(applyStrategicMergePatch(POD, pod, patch));
  assert.deepEqual(result.spec.containers, [
    { name: "b", image: "y" },
    { name: "a", image: "z" },
    { name: "c", image: "w" },
  ]);
  assert.deepEqual(pod, before);
});

Deno.test("$patch deletes items, replaces lists and replaces maps", () => {
  const pod = { spec: { containers: [{ name: "a" }, { name: "b" }] } };
  const removed = { spec: { containers: [{ name: "a", $patch: "delete" }] } };
  assert.deepEqual(patched(applyStrategicMergePatch(POD, pod, removed)).spec.containers, [
    { name: "b" },
  ]);
  const replaced = { spec: { containers: [{ $patch: "replace" }, { name: "z" }] } };
  assert.deepEqual(patched(applyStrategicMergePatch(POD, pod, replaced)).spec.containers, [
    { name: "z" },
  ]);
  const labelled = { metadata: { labels: { a: "1" } } };
  const map = { metadata: { labels: { $patch: "replace", b: "2" } } };
  assert.deepEqual(patched(applyStrategicMergePatch(POD, labelled, map)).metadata.labels, {
    b: "2",
  });
});

Deno.test("$retainKeys drops the other strategy", () => {
  const target = { spec: { strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } } } };
  const patch = { spec: { strategy: { $retainKeys: ["type"], type: "Recreate" } } };
  const result = patched(applyStrategicMergePatch(DEPLOYMENT, target, patch));
  assert.deepEqual(result.spec.strategy, { type: "Recreate" });
});

Deno.test("finalizers merge as a set and lose what is named for deletion", () => {
  const target = { metadata: { finalizers: ["a", "b"] } };
  const added = { metadata: { finalizers: ["b", "c"] } };
  assert.deepEqual(patched(applyStrategicMergePatch(POD, target, added)).metadata.finalizers, [
    "a",
    "b",
    "c",
  ]);
  const removed = { metadata: { "$deleteFromPrimitiveList/finalizers": ["a"] } };
  assert.deepEqual(patched(applyStrategicMergePatch(POD, target, removed)).metadata.finalizers, [
    "b",
  ]);
});

Deno.test("taints, a plain list, are replaced whole; node addresses merge by type", () => {
  const node = {
    spec: { taints: [{ key: "a", effect: "NoSchedule" }] },
    status: { addresses: [{ type: "Hostname", address: "h" }] },
  };
  const patch = {
    spec: { taints: [{ key: "b", effect: "NoSchedule" }] },
    status: { addresses: [{ type: "InternalIP", address: "1" }] },
  };
  const result = patched(applyStrategicMergePatch(NODE, node, patch));
  assert.deepEqual(result.spec.taints, [{ key: "b", effect: "NoSchedule" }]);
  assert.equal(result.status.addresses.length, 2);
});

Deno.test("unschedulable: null uncordons", () => {
  const result = patched(
    applyStrategicMergePatch(NODE, { spec: { unschedulable: true } }, {
      spec: { unschedulable: null },
    }),
  );
  assert.deepEqual(result, { spec: {} });
});

Deno.test("a keyed item without its key is malformed", () => {
  const patch = { spec: { containers: [{ image: "x" }] } };
  const outcome = applyStrategicMergePatch(POD, {}, patch);
  assert.deepEqual(outcome, {
    kind: "malformed",
    message: 'map: map[image:"x"] does not contain declared merge key: name',
  });
});

Deno.test("values are equal whatever the order of their names, and null is absent", () => {
  const value = fc.jsonValue({ maxDepth: 3 }).map((it): Json => JSON.parse(JSON.stringify(it)));
  fc.assert(fc.property(value, value, (a, b) => {
    assert.equal(equalJson(a, b), isDeepStrictEqual(a, b));
    assert.ok(equalJson(a, structuredClone(a)));
  }));
  const proto = JSON.parse('{"__proto__":{}}');
  const cases: readonly [Json, Json, boolean][] = [
    [{ a: 1, b: [1, { c: null }] }, { b: [1, { c: null }], a: 1 }, true],
    [{ a: 1 }, { a: 2 }, false],
    [[1], [1, 2], false],
    [{ 0: 1 }, [1], false],
    [[], {}, false],
    [proto, { x: 1 }, false],
    [{ x: 1 }, proto, false],
    [{ toString: 1 }, { y: 1 }, false],
    [null, undefined, true],
    [null, {}, false],
    [null, 0, false],
    [{ a: null }, {}, false],
    ["1", 1, false],
  ];
  for (const [a, b, expected] of cases) {
    assert.equal(equalJson(a, b), expected, JSON.stringify([a, b]));
  }
});
