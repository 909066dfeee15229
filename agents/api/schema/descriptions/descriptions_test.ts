/** Everything that `kubectl explain` can come to has a sentence, and none is about nothing. */
import assert from "node:assert/strict";
import { resources } from "../../resources.ts";
import { type TypeInfo, typeInfo } from "../fields.ts";
import { buildOpenApiV3 } from "../openapi_v3.ts";
import { describedFields, describeField, describeType } from "./descriptions.ts";

/** Every type that a served kind is made of, all the way down, by `group.version.Type`. */
function typesServed(): Map<string, TypeInfo> {
  const found = new Map<string, TypeInfo>();
  const waiting = resources.map((row) => row.typeName);
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const type = typeInfo(name);
    const short = name.split(".").slice(-3).join(".");
    if (type === undefined || found.has(short)) continue;
    found.set(short, type);
    for (const { ref } of type.byName.values()) if (ref) waiting.push(ref);
  }
  return found;
}

Deno.test("nothing that is served goes without a sentence", () => {
  const missing: string[] = [];
  for (const { fullName, byName } of typesServed().values()) {
    if (describeType(fullName) === "") missing.push(fullName);
    for (const [name, { ref }] of byName) {
      const sentence = describeField(fullName, name);
      // kubectl prints the type's sentence below the field's.
      const says = sentence !== "" && sentence !== describeType(ref ?? "");
      if (!says) missing.push(`${fullName} ${name}`);
    }
  }
  assert.deepEqual(missing, []);
});

Deno.test("no sentence is about a type or a field that does not exist", () => {
  const served = typesServed();
  const stale: string[] = [];
  const described = describedFields();
  for (const [name, { fields, like }] of described) {
    if (!served.has(name)) stale.push(name);
    if (like !== "" && !described.has(like)) stale.push(`${name} is like ${like}`);
    // A sentence may be there for those that mean the same.
    const readers = [...described].filter(([other, text]) => other === name || text.like === name);
    for (const field of fields.keys()) {
      const isRead = readers.some(([reader]) => served.get(reader)?.byName.has(field));
      if (!isRead) stale.push(`${name} ${field}`);
    }
  }
  assert.deepEqual(stale, []);
});

Deno.test("the document that explain reads carries the sentences", () => {
  const document = buildOpenApiV3(resources, { group: "", version: "v1" });
  const { schemas } = document.components as { schemas: Record<string, Record<string, unknown>> };
  const pod = schemas["io.k8s.api.core.v1.Pod"];
  assert.match(String(pod.description), /^Containers that run together/);
  const { spec } = pod.properties as Record<string, { description: string }>;
  assert.equal(spec.description, "What is wanted.");
  assert.equal(typeInfo("io.k8s.api.core.v1.Pod")?.name, "Pod");
});
