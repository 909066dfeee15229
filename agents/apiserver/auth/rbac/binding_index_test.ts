/** The index of bindings says what a look at all of them says. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ResourceCache } from "../../cache/resource_cache.ts";
import { StoredObject } from "../../cache/stored_object.ts";
import { BindingIndex } from "./binding_index.ts";

const PREFIX = "/registry/clusterrolebindings/";
const name: fc.Arbitrary<string> = fc.constantFrom("a", "b", "c");
const subject = fc.oneof(
  fc.record({ kind: fc.constantFrom("User", "Group"), name }),
  fc.record({ kind: fc.constant("ServiceAccount"), name, namespace: fc.constantFrom("n", "m") }),
);
const change = fc.record({
  binding: fc.constantFrom("x", "y", "z"),
  subjects: fc.option(fc.array(subject, { maxLength: 4 })),
});
const user = fc.record({
  name: fc.oneof(name, fc.constantFrom("system:serviceaccount:n:a", "system:serviceaccount:m:b")),
  groups: fc.uniqueArray(name, { maxLength: 3 }),
});

Deno.test("model: the bindings of a user are those that name it, through every change", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 20 }), fc.array(user), (changes, users) => {
      const cache = new ResourceCache({
        prefix: PREFIX,
        ringCapacity: 8,
        watcherCapacity: 8,
        revision: 0,
      });
      const index = new BindingIndex(cache);
      const all = new Map<string, { kind: string; name: string; namespace?: string }[]>();
      changes.forEach(({ binding, subjects }, i) => {
        const key = PREFIX + binding;
        if (subjects === null) {
          cache.delete(key, i + 1);
          all.delete(binding);
        } else {
          const object = { metadata: { name: binding }, subjects };
          const bytes = new TextEncoder().encode(JSON.stringify(object));
          cache.put(new StoredObject(key, bytes, i + 1));
          all.set(binding, subjects);
        }
        for (const { name, groups } of users) {
          const wanted = [...all].filter(([, list]) =>
            list.some((one) =>
              one.kind === "Group"
                ? groups.includes(one.name)
                : one.kind === "User"
                ? one.name === name
                : `system:serviceaccount:${one.namespace}:${one.name}` === name
            )
          ).map(([binding]) => binding).sort();
          const found = index.reaching({ name, groups }).map(({ metadata }) => metadata.name);
          assert.deepEqual(found, wanted);
        }
      });
    }),
    { numRuns: 150, seed: 9 },
  );
});
