/** Every kind that is served, and each field of it, its spec and its status, has a sentence. */
import assert from "node:assert/strict";
import { resources } from "../../resources.ts";
import { mustTypeInfo, type TypeInfo, typeInfo } from "../fields.ts";
import { buildOpenApiV3 } from "../openapi_v3.ts";
import { describedTypes, describeField, describeType } from "./descriptions.ts";

/** A kind and what its spec and status are made of. */
function partsOf(typeName: string): TypeInfo[] {
  const kind = mustTypeInfo(typeName);
  const parts = ["spec", "status"].map((name) => kind.byName.get(name)?.ref ?? "");
  return [kind, ...parts.filter(Boolean).map(mustTypeInfo)];
}

Deno.test("nothing that is served goes without a sentence", () => {
  const missing: string[] = [];
  for (const row of resources) {
    for (const type of partsOf(row.typeName)) {
      if (describeType(type.fullName) === "") missing.push(type.fullName);
      for (const name of type.byName.keys()) {
        if (describeField(type.fullName, name) === "") missing.push(`${type.fullName} ${name}`);
      }
    }
  }
  assert.deepEqual(missing, []);
});

Deno.test("no sentence is about a type that does not exist", () => {
  const served = new Set(
    resources.flatMap((row) =>
      partsOf(row.typeName).map((type) => type.fullName.split(".").slice(-3).join("."))
    ),
  );
  assert.deepEqual(describedTypes().filter((name) => !served.has(name)), []);
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
