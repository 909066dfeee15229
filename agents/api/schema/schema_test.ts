/**
 * Tries the field tables and their readers.
 * In: objects, cut and flipped bytes, wrong JSON, rows. Out: round trips, refusals, documents.
 * Never: reads the clock or the network; randomness comes from fast-check.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { equalJson } from "../patch/json_patch.ts";
import { deployments, pods, resources, virtualResources } from "../resources.ts";
import { findDuplicates } from "./duplicates.ts";
import { mustTypeInfo, typeOfKind } from "./fields.ts";
import { parseGoTypes } from "./generate.ts";
import { buildOpenApiV2, encodeOpenApiV2 } from "./openapi_v2.ts";
import { buildOpenApiV3, openApiV3Url, openApiV3Versions } from "./openapi_v3.ts";
import { decodeEnvelope, decodeMessage, decodeObject } from "./protobuf.ts";
import { encodeObject } from "./protobuf_encode.ts";
import { checkDecoded } from "./strict.ts";

const POD = pods.typeName;

const SAMPLE = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: "p",
    creationTimestamp: "2026-01-02T03:04:05Z",
    labels: { app: "wéb" },
    managedFields: [{ manager: "m", fieldsV1: { "f:spec": {} } }],
  },
  spec: {
    containers: [{
      name: "c",
      resources: { limits: { cpu: "500m", memory: "1Gi" } },
      ports: [{ containerPort: 80 }],
      livenessProbe: { httpGet: { port: "http" }, periodSeconds: 5 },
      readinessProbe: { tcpSocket: { port: 8080 } },
      securityContext: { runAsNonRoot: false },
    }],
    volumes: [{ name: "v", secret: { secretName: "s", defaultMode: 420 } }],
    terminationGracePeriodSeconds: 0,
  },
};

Deno.test("an object survives protobuf, inline parts and special types included", () => {
  const decoded = decodeObject(encodeObject(POD, SAMPLE));
  assert.equal(decoded.kind, "ok");
  if (decoded.kind === "ok") assert.deepEqual(decoded.value, SAMPLE);
});

Deno.test("text of any length and script survives protobuf", () => {
  const words = fc.string({ unit: "grapheme", maxLength: 300 });
  fc.assert(fc.property(words, words, (key, value) => {
    const metadata = { name: "p", labels: JSON.parse(JSON.stringify({ [`k${key}`]: value })) };
    const object = { apiVersion: "v1", kind: "Pod", metadata };
    const decoded = decodeObject(encodeObject(POD, object));
    assert.ok(decoded.kind === "ok");
    assert.deepEqual(decoded.value.metadata, metadata);
  }));
});

Deno.test("cut and flipped bytes are refused or read, never thrown on", () => {
  const bytes = encodeObject(POD, SAMPLE);
  for (let length = 0; length < bytes.length; length++) decodeObject(bytes.slice(0, length));
  const place = fc.nat(bytes.length - 1);
  fc.assert(fc.property(place, fc.integer({ min: 0, max: 255 }), (at, value) => {
    const damaged = bytes.slice();
    damaged[at] = value;
    decodeObject(damaged);
  }));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (noise) => {
    decodeMessage(POD, noise);
    decodeEnvelope(noise);
  }));
  assert.equal(decodeObject(bytes.slice(0, bytes.length - 3)).kind, "malformed");
});

Deno.test("an unknown kind is named in the refusal", () => {
  const bytes = encodeObject(POD, { ...SAMPLE, kind: "Pad" });
  assert.deepEqual(decodeObject(bytes), {
    kind: "malformed",
    message: 'no kind "Pad" is registered for version "v1"',
  });
});

Deno.test("golden objects of the API types decode to their JSON and encode to as many bytes", () => {
  const folder = Deno.env.get("BALSA_K8S_TESTDATA");
  if (folder === undefined) {
    console.log("SKIP: BALSA_K8S_TESTDATA names no folder of golden objects");
    return;
  }
  let compared = 0;
  for (const { name } of Deno.readDirSync(folder)) {
    if (!name.endsWith(".pb")) continue;
    const json = JSON.parse(Deno.readTextFileSync(`${folder}/${name.replace(/pb$/, "json")}`));
    const type = json.apiVersion === undefined ? undefined : typeOfKind(json.apiVersion, json.kind);
    if (type === undefined) continue;
    const bytes = Deno.readFileSync(`${folder}/${name}`);
    const decoded = decodeObject(bytes);
    assert.ok(decoded.kind === "ok" && equalJson(decoded.value, json), name);
    assert.equal(encodeObject(type.fullName, json).length, bytes.length, name);
    compared++;
  }
  assert.ok(compared > 80, `${compared} golden objects compared`);
});

Deno.test("decoding tidies: nulls and empties go, amounts become canonical", () => {
  const checked = checkDecoded(POD, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", creationTimestamp: null, labels: {} },
    spec: {
      containers: [{ name: "c", env: [], resources: { limits: { cpu: 0.5, memory: "1024Mi" } } }],
      terminationGracePeriodSeconds: 0,
      nodeName: "",
    },
    status: {},
  });
  assert.deepEqual(checked, {
    kind: "ok",
    value: {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p" },
      spec: {
        containers: [{ name: "c", resources: { limits: { cpu: "500m", memory: "1Gi" } } }],
        terminationGracePeriodSeconds: 0,
      },
      status: {},
    },
    unknown: [],
  });
});

Deno.test("unknown fields are named and pruned", () => {
  const value = { metadata: {}, spec: { foo: 1, containers: [{ nam: "x" }] } };
  const checked = checkDecoded(POD, value);
  assert.equal(checked.kind, "ok");
  if (checked.kind !== "ok") return;
  assert.deepEqual(checked.unknown, [
    'unknown field "spec.foo"',
    'unknown field "spec.containers[0].nam"',
  ]);
  assert.deepEqual(checked.value, { metadata: {}, spec: { containers: [{}] } });
});

Deno.test("wrong types are refused as Go's decoder refuses them", () => {
  const cases: readonly [string, unknown, string][] = [
    [
      deployments.typeName,
      { spec: { replicas: "3" } },
      "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas " +
      "of type int32",
    ],
    [
      deployments.typeName,
      { spec: { replicas: 1.5 } },
      "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas " +
      "of type int32",
    ],
    [
      deployments.typeName,
      { spec: { template: { spec: { containers: [{ image: 1 }] } } } },
      "json: cannot unmarshal number into Go struct field " +
      "Container.spec.template.spec.containers.image of type string",
    ],
    [
      POD,
      { spec: { containers: {} } },
      "json: cannot unmarshal object into Go struct field PodSpec.spec.containers " +
      "of type []v1.Container",
    ],
    [
      POD,
      { metadata: { labels: { a: 1 } } },
      "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels " +
      "of type string",
    ],
    [POD, [], "json: cannot unmarshal array into Go value of type v1.Pod"],
  ];
  for (const [typeName, value, message] of cases) {
    assert.deepEqual(checkDecoded(typeName, value), { kind: "error", message });
  }
  const quantity = { spec: { containers: [{ resources: { limits: { cpu: "x" } } }] } };
  const refused = checkDecoded(POD, quantity);
  assert.ok(refused.kind === "error" && /quantities must match/.test(refused.message));
});

Deno.test("no JSON makes the check throw", () => {
  fc.assert(fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
    checkDecoded(POD, structuredClone(value));
    checkDecoded(POD, { metadata: structuredClone(value), spec: { containers: value } });
  }));
});

Deno.test("repeated keys are found with their paths", () => {
  const cases: readonly [string, readonly string[]][] = [
    ['{"a":1,"a":2}', ['duplicate field "a"']],
    ['{"spec":{"x":[{"n":1,"n":2}]}}', ['duplicate field "spec.x[0].n"']],
    ['{"a":{"b":1},"c":{"b":1}}', []],
    ['{"a":"{\\"a\\":1}","b":["a","a"]}', []],
    ['{"\\u0061":1,"a":2}', ['duplicate field "a"']],
    ['{"a":{"b":1.0},"a":{"b":1.0}}', ['duplicate field "a"']],
    ['{"a":1}\n', []],
  ];
  for (const [text, expected] of cases) {
    assert.deepEqual(findDuplicates(text, JSON.parse(text)), expected, text);
  }
});

Deno.test("keys that stand once are not found, however the text is written", () => {
  fc.assert(fc.property(fc.jsonValue(), fc.constantFrom("", " ", "\t"), (value, indent) => {
    const text = JSON.stringify(value, null, indent);
    assert.deepEqual(findDuplicates(text, JSON.parse(text)), []);
  }));
});

Deno.test("tables know keys, numbers and inline fields", () => {
  const container = mustTypeInfo("io.k8s.api.core.v1.Container");
  const ports = container.byName.get("ports");
  assert.deepEqual(
    [ports?.number, ports?.mergeKey, ports?.listType, ports?.listKeys],
    [6, "containerPort", "map", ["containerPort", "protocol"]],
  );
  const volume = mustTypeInfo("io.k8s.api.core.v1.Volume");
  assert.equal(volume.byName.get("emptyDir")?.kind, "message");
  assert.equal(volume.byName.has("VolumeSource"), false);
});

Deno.test("every row and subresource of the table of resources has a type, where it has a body", () => {
  const optionKinds = /Options$/;
  for (const row of [...resources, ...virtualResources]) {
    mustTypeInfo(row.typeName);
    for (const part of row.subresources) {
      if (!optionKinds.test(part.kind)) mustTypeInfo(part.typeName);
    }
  }
});

Deno.test("the generator reads fields, markers and enumerations", () => {
  const types = parseGoTypes(
    [
      "// +enum",
      "type Color string",
      "const (",
      '\tRed Color = "Red"',
      ")",
      "type Thing struct {",
      '\tmetav1.TypeMeta `json:",inline"`',
      "\t// +optional",
      "\t// +listType=map",
      "\t// +listMapKey=name",
      '\tParts []Part `json:"parts,omitempty" patchStrategy:"merge" patchMergeKey:"name" ' +
      'protobuf:"bytes,3,rep,name=parts"`',
      "}",
    ].join("\n"),
    "core.v1",
  );
  assert.deepEqual(types.get("Color")?.enumValues, ["Red"]);
  const thing = types.get("Thing");
  assert.equal(thing?.isKind, true);
  assert.equal(thing?.fields[0].number, 3);
  assert.deepEqual(thing?.fields[0].markers.get("patchMergeKey"), ["name"]);
  assert.deepEqual(thing?.fields[0].markers.get("listMapKey"), ["name"]);
});

// deno-lint-ignore no-explicit-any
type Document = any;

Deno.test("OpenAPI v3 has what kubectl looks for: fieldValidation on PATCH, merge keys, refs", () => {
  const document: Document = buildOpenApiV3(resources, { group: "apps", version: "v1" });
  const patch = document.paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"].patch;
  assert.deepEqual(patch["x-kubernetes-group-version-kind"], {
    group: "apps",
    kind: "Deployment",
    version: "v1",
  });
  assert.equal(patch["x-kubernetes-action"], "patch");
  assert.ok(patch.parameters.some((item: Document) => item.name === "fieldValidation"));
  const spec = document.components.schemas["io.k8s.api.core.v1.PodSpec"].properties;
  assert.equal(spec.containers["x-kubernetes-patch-merge-key"], "name");
  assert.deepEqual(spec.containers["x-kubernetes-list-map-keys"], ["name"]);
  const schemas = new Set(Object.keys(document.components.schemas));
  for (const [, name] of JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
    assert.ok(schemas.has(name), `${name} is referred to and described`);
  }
});

Deno.test("the index changes its hash with the text", () => {
  const versions = openApiV3Versions(resources).map((version) => version.path);
  assert.ok(versions.includes("api/v1") && versions.includes("apis/apps/v1"));
  const url = (text: string) => openApiV3Url("api/v1", text);
  assert.match(url("a"), /^\/openapi\/v3\/api\/v1\?hash=[0-9A-F]{16}$/);
  assert.notEqual(url("a"), url("b"));
});

Deno.test("OpenAPI v2 is complete and its protobuf starts with the version", () => {
  const document: Document = buildOpenApiV2(resources);
  const names = new Set(Object.keys(document.definitions));
  for (const [, name] of JSON.stringify(document).matchAll(/"#\/definitions\/([^"]+)"/g)) {
    assert.ok(names.has(name), name);
  }
  const bytes = encodeOpenApiV2(document);
  assert.equal(new TextDecoder().decode(bytes.subarray(2, 5)), "2.0");
});
