/** Upstream's golden object of every kind that is served, through JSON, YAML, CBOR and protobuf. */
import assert from "node:assert/strict";
import { parse } from "yaml";
import type { KubeObject } from "../meta.ts";
import { equalJson } from "../patch/json_patch.ts";
import { resources } from "../resources.ts";
import type { Resource } from "../resource.ts";
import { prepared } from "../kinds/testing.ts";
import { decodeCbor, encodeCbor } from "./cbor.ts";
import { decodeObject } from "./protobuf.ts";
import { encodeObject } from "./protobuf_encode.ts";
import { checkDecoded } from "./strict.ts";

const folder = Deno.env.get("BALSA_K8S_TESTDATA");
const forbidsSkips = Deno.env.get("BALSA_FORBID_SKIPS") === "1";

/** Kinds whose package has no golden objects. */
const WITHOUT_GOLDEN = new Set(["CustomResourceDefinition", "APIService"]);

function goldenName(row: Resource): string {
  return `${row.group === "" ? "core" : row.group}.${row.version}.${row.kind}`;
}

/** The four ways that an object travels, each there and back. */
function checkTrips(row: Resource, object: KubeObject): void {
  const name = goldenName(row);
  const checked = checkDecoded(row.typeName, structuredClone(object));
  assert.equal(checked.kind, "ok", name);
  if (checked.kind !== "ok") return;
  assert.deepEqual(checked.unknown, [], name);
  const tidy = checked.value;
  assert.deepEqual(JSON.parse(JSON.stringify(tidy)), tidy, `${name} through JSON`);
  const again = checkDecoded(row.typeName, structuredClone(tidy));
  assert.ok(again.kind === "ok" && equalJson(again.value, tidy), `${name} is tidied once`);
  const cbor = decodeCbor(encodeCbor(tidy));
  assert.ok(cbor.kind === "ok" && equalJson(cbor.value, tidy), `${name} through CBOR`);
  const bytes = encodeObject(row.typeName, object);
  const decoded = decodeObject(bytes);
  assert.ok(decoded.kind === "ok", `${name} through protobuf`);
  assert.ok(equalJson(decoded.value, object), `${name} comes back from protobuf`);
}

function readGolden(row: Resource, suffix: string): Uint8Array {
  return Deno.readFileSync(`${folder}/${goldenName(row)}.${suffix}`);
}

Deno.test({
  name: folder === undefined
    ? "SKIP golden objects: BALSA_K8S_TESTDATA names no folder"
    : "the golden object of every kind survives JSON, YAML, CBOR and protobuf",
  ignore: folder === undefined && !forbidsSkips,
  fn: () => {
    assert.ok(folder !== undefined, "BALSA_K8S_TESTDATA must name upstream's golden objects");
    let count = 0;
    for (const row of resources) {
      if (WITHOUT_GOLDEN.has(row.kind)) continue;
      const object = JSON.parse(new TextDecoder().decode(readGolden(row, "json")));
      const yaml = parse(new TextDecoder().decode(readGolden(row, "yaml")));
      assert.ok(equalJson(yaml, object), `${goldenName(row)} is the same in YAML`);
      const decoded = decodeObject(readGolden(row, "pb"));
      assert.ok(decoded.kind === "ok" && equalJson(decoded.value, object), goldenName(row));
      checkTrips(row, object);
      count++;
    }
    assert.equal(count, resources.length - WITHOUT_GOLDEN.size);
  },
});

Deno.test("kinds without golden objects survive as well", () => {
  const named = resources.filter((row) => WITHOUT_GOLDEN.has(row.kind));
  assert.equal(named.length, WITHOUT_GOLDEN.size);
  const parts: Readonly<Record<string, Record<string, unknown>>> = {
    CustomResourceDefinition: {
      group: "example.com",
      names: { plural: "widgets", kind: "Widget" },
      scope: "Namespaced",
      versions: [{
        name: "v1",
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: { size: { type: "integer", default: 1, enum: [1, 2] } },
          },
        },
      }],
    },
    APIService: {
      group: "metrics.k8s.io",
      version: "v1",
      groupPriorityMinimum: 100,
      versionPriority: 100,
      service: { namespace: "kube-system", name: "metrics" },
    },
  };
  for (const row of named) {
    const apiVersion = `${row.group}/${row.version}`;
    const object = prepared(row, { apiVersion, kind: row.kind, spec: parts[row.kind] });
    checkTrips(row, object);
  }
});
