/**
 * Compares each group's OpenAPI document, shortened, with tests/golden/openapi; UPDATE=1 rewrites.
 * A line a path with its methods and kind, then a line a field with merge keys or a list type.
 */
import assert from "node:assert/strict";
import { resources, virtualResources } from "../resources.ts";
import { buildOpenApiV3, openApiV3Versions } from "./openapi_v3.ts";

type Json = Record<string, unknown>;

const GOLDEN = new URL("../../../tests/golden/openapi/", import.meta.url);
const METHODS = ["get", "put", "post", "delete", "options", "head", "patch"];
const MARKS = [
  ["x-kubernetes-list-type", "list"],
  ["x-kubernetes-list-map-keys", "keys"],
  ["x-kubernetes-map-type", "map"],
  ["x-kubernetes-patch-strategy", "patch"],
  ["x-kubernetes-patch-merge-key", "merge"],
] as const;
const rows = [...resources, ...virtualResources];

function kindOf(operation: Json): string {
  const { group, version, kind } = operation["x-kubernetes-group-version-kind"] as Json;
  return `${group === "" ? "core" : group}/${version} ${kind}`;
}

function pathLines(paths: Record<string, Json>): string[] {
  return Object.entries(paths).map(([path, item]) => {
    const methods = METHODS.filter((method) => item[method] !== undefined);
    const kinds = new Set(methods.map((method) => kindOf(item[method] as Json)));
    return `${path}: ${methods.join(" ")} (${[...kinds].join(", ")})`;
  });
}

function fieldLines(schemas: Record<string, Json>): string[] {
  const lines: string[] = [];
  for (const [name, schema] of Object.entries(schemas)) {
    const kinds = schema["x-kubernetes-group-version-kind"] as Json[] | undefined;
    if (kinds !== undefined) {
      const { group, version, kind } = kinds[0];
      lines.push(`${name}: kind ${group === "" ? "core" : group}/${version} ${kind}`);
    }
    if (schema["x-kubernetes-map-type"] !== undefined) lines.push(`${name}: map=atomic`);
    for (const [field, property] of Object.entries((schema.properties ?? {}) as Json)) {
      const marks = MARKS.flatMap(([key, word]) => {
        const value = (property as Json)[key];
        return value === undefined ? [] : [`${word}=${[value].flat().join(",")}`];
      });
      if (marks.length > 0) lines.push(`${name}.${field}: ${marks.join(" ")}`);
    }
  }
  return lines;
}

for (const { group, version } of openApiV3Versions(rows)) {
  const name = `${group === "" ? "core" : group}.${version}`;
  Deno.test(`the OpenAPI document of ${name} is as it was`, () => {
    const document = buildOpenApiV3(rows, { group, version });
    const { schemas } = document.components as { schemas: Record<string, Json> };
    const text = [
      ...pathLines(document.paths as Record<string, Json>),
      "",
      ...fieldLines(schemas),
      "",
    ].join("\n");
    const file = new URL(`${name}.txt`, GOLDEN);
    if (Deno.env.get("UPDATE") === "1") Deno.writeTextFileSync(file, text);
    assert.equal(text, Deno.readTextFileSync(file), `UPDATE=1 deno test rewrites ${name}.txt`);
  });
}
