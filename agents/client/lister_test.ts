/** The store of an informer against a plain list of its objects, step by step. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { KubeObject } from "../api/meta.ts";
import { ObjectStore } from "./lister.ts";

interface Step {
  readonly drops: boolean;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly values: readonly string[];
}

const step: fc.Arbitrary<Step> = fc.record({
  drops: fc.boolean(),
  namespace: fc.constantFrom(undefined, "a", "b"),
  name: fc.constantFrom("x", "y", "a", "b"),
  values: fc.uniqueArray(fc.constantFrom("1", "2", "3"), { maxLength: 2 }),
});

const valuesOf = ({ spec }: KubeObject): readonly string[] => spec.values;
const isSame = (a: KubeObject, b: KubeObject) =>
  a.metadata.namespace === b.metadata.namespace && a.metadata.name === b.metadata.name;
/** Order is that of coming within a namespace; across namespaces and in indexes there is none. */
const setOf = (objects: readonly KubeObject[]) => new Set(objects);

Deno.test("a store shows what was put and not dropped, by name, namespace and index", () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
    const store = new ObjectStore({ values: valuesOf });
    let model: KubeObject[] = [];
    for (const { drops, namespace, name, values } of steps) {
      const object: KubeObject = { metadata: { namespace, name }, spec: { values } };
      const at = model.findIndex((one) => isSame(one, object));
      const before = at < 0 ? undefined : model[at];
      if (drops) {
        assert.equal(store.drop(object), before);
        model = model.filter((one) => one !== before);
      } else {
        assert.equal(store.put(object), before);
        model = at < 0 ? [...model, object] : model.with(at, object);
      }
      assert.equal(store.get({ namespace, name }), drops ? undefined : object);
    }
    store.addIndex("late", valuesOf);
    assert.equal(store.size, model.length);
    assert.deepEqual(setOf(store.list()), setOf(model));
    for (const wanted of ["a", "b", "none"]) {
      const there = model.filter(({ metadata }) => metadata.namespace === wanted);
      assert.deepEqual(store.list(wanted), there);
    }
    for (const value of ["1", "2", "3"]) {
      const there = setOf(model.filter((object) => valuesOf(object).includes(value)));
      assert.deepEqual(setOf(store.byIndex("values", value)), there);
      assert.deepEqual(setOf(store.byIndex("late", value)), there);
    }
  }));
});
