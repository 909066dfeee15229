/**
 * The same objects in every format, asked for and sent: single ones, lists, watches, failures.
 */
import assert from "node:assert/strict";
import { parse as parseYaml } from "yaml";
import { podNamed, withApi } from "../../../../tests/fakes/api_server.ts";
import type { Answer } from "../../../../tests/fakes/api_server.ts";
import { decodeCbor, encodeCbor } from "../../../api/schema/cbor.ts";
import { decodeEnvelope, decodeMessage, decodeObject } from "../../../api/schema/protobuf.ts";
import { encodeObject } from "../../../api/schema/protobuf_encode.ts";
import { MEDIA_TYPES, negotiate, OFFERS } from "./negotiate.ts";

const PODS = "/api/v1/namespaces/default/pods";
const SECRETS = "/api/v1/namespaces/default/secrets";
const META = "io.k8s.apimachinery.pkg.apis.meta.v1.";

const accept = (type: string) => ({ headers: { accept: type } });

function bytesOf(answer: Answer): Uint8Array {
  const { body } = answer.response;
  assert.ok(body.kind !== "stream", "a body, not a stream");
  if (body.kind === "bytes") return body.bytes;
  return Uint8Array.from([...body.chunks].flatMap((chunk) => [...chunk]));
}

// deno-lint-ignore no-explicit-any
function cborOf(bytes: Uint8Array): any {
  const decoded = decodeCbor(bytes);
  assert.ok(decoded.kind === "ok", JSON.stringify(decoded));
  return decoded.value;
}

// deno-lint-ignore no-explicit-any
function protobufOf(bytes: Uint8Array): any {
  const decoded = decodeObject(bytes);
  assert.ok(decoded.kind === "ok", JSON.stringify(decoded));
  return decoded.value;
}

Deno.test("one object is the same in JSON, YAML, CBOR and protobuf", () =>
  withApi(async (api) => {
    assert.equal((await api.ask("POST", PODS, podNamed("a", { app: "web" }))).status, 201);
    const { json } = await api.ask("GET", `${PODS}/a`);
    const yaml = await api.ask("GET", `${PODS}/a`, undefined, accept(MEDIA_TYPES.yaml));
    assert.deepEqual(parseYaml(yaml.text), json);
    for (const [format, read] of [["cbor", cborOf], ["protobuf", protobufOf]] as const) {
      const answer = await api.ask("GET", `${PODS}/a`, undefined, accept(MEDIA_TYPES[format]));
      assert.equal(answer.response.contentType, MEDIA_TYPES[format]);
      assert.deepEqual(read(bytesOf(answer)), json, format);
    }
  }));

Deno.test("lists: every item, and the list's own version", () =>
  withApi(async (api) => {
    for (const name of ["a", "b", "c"]) await api.ask("POST", PODS, podNamed(name));
    const { json } = await api.ask("GET", PODS);
    const cbor = await api.ask("GET", PODS, undefined, accept(MEDIA_TYPES.cbor));
    assert.deepEqual(cborOf(bytesOf(cbor)), json);
    const answer = await api.ask("GET", PODS, undefined, accept(MEDIA_TYPES.protobuf));
    const envelope = decodeEnvelope(bytesOf(answer));
    assert.ok(envelope.kind === "ok");
    assert.equal(envelope.value.kind, "PodList");
    const list = decodeMessage("io.k8s.api.core.v1.PodList", envelope.value.raw);
    assert.ok(list.kind === "ok");
    assert.deepEqual(list.value.metadata, json.metadata);
    const bare = json.items.map(({ kind: _kind, apiVersion: _version, ...item }: {
      kind: string;
      apiVersion: string;
    }) => item);
    assert.deepEqual(list.value.items, bare);
  }));

Deno.test("metadata only, in protobuf, as Go's metadata client asks for it", () =>
  withApi(async (api) => {
    await api.ask("POST", PODS, podNamed("a"));
    const clause = `${MEDIA_TYPES.protobuf};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1`;
    const answer = await api.ask("GET", PODS, undefined, accept(`${clause},application/json`));
    const envelope = decodeEnvelope(bytesOf(answer));
    assert.ok(envelope.kind === "ok");
    assert.equal(envelope.value.kind, "PartialObjectMetadataList");
    const list = decodeMessage(META + "PartialObjectMetadataList", envelope.value.raw);
    assert.ok(list.kind === "ok");
    assert.equal(list.value.items[0].metadata.name, "a");
  }));

Deno.test("bodies in CBOR and protobuf make the object that JSON makes", () =>
  withApi(async (api) => {
    const secret = (name: string) => ({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name },
      data: { token: "AQID" },
      type: "Opaque",
    });
    const typeName = "io.k8s.api.core.v1.Secret";
    const bodies = [
      ["json", new TextEncoder().encode(JSON.stringify(secret("json")))],
      ["cbor", encodeCbor(secret("cbor"))],
      ["protobuf", encodeObject(typeName, secret("protobuf"))],
    ] as const;
    for (const [format, body] of bodies) {
      const headers = { "content-type": MEDIA_TYPES[format] };
      const answer = await api.ask("POST", SECRETS, body, { headers });
      assert.equal(answer.status, 201, answer.text);
      assert.deepEqual(answer.json.data, { token: "AQID" });
    }
    const headers = { "content-type": "application/apply-patch+cbor" };
    const applied = await api.ask(
      "PATCH",
      `${SECRETS}/cbor?fieldManager=test&force=true`,
      encodeCbor({ ...secret("cbor"), data: { token: "BAUG" } }),
      { headers },
    );
    assert.equal(applied.status, 200, applied.text);
    assert.deepEqual(applied.json.data, { token: "BAUG" });
    assert.equal(applied.json.metadata.managedFields[0].manager, "test");
  }));

Deno.test("a watch in CBOR is a sequence of items, in protobuf of messages behind their length", () =>
  withApi(async (api) => {
    await api.ask("POST", PODS, podNamed("a"));
    const { json } = await api.ask("GET", `${PODS}/a`);
    const url = `${PODS}?watch=1&resourceVersion=0`;
    const cbor = await api.ask("GET", url, undefined, accept(MEDIA_TYPES.cbor));
    assert.equal(cbor.response.contentType, "application/cbor-seq");
    assert.deepEqual(cborOf(await firstChunk(cbor)), { type: "ADDED", object: json });
    const protobuf = await api.ask("GET", url, undefined, accept(MEDIA_TYPES.protobuf));
    assert.equal(protobuf.response.contentType, `${MEDIA_TYPES.protobuf};stream=watch`);
    const frame = await firstChunk(protobuf);
    const length = new DataView(frame.buffer, frame.byteOffset).getUint32(0);
    assert.equal(length, frame.length - 4);
    const [type, object] = readWatchEvent(frame.subarray(4));
    assert.equal(type, "ADDED");
    assert.deepEqual(protobufOf(object), json);
  }));

/** The two fields of meta/v1's WatchEvent: a type, and raw bytes in a message of their own. */
function readWatchEvent(message: Uint8Array): [string, Uint8Array] {
  const [type, rest] = readField(message, 0x0a);
  const [extension] = readField(rest, 0x12);
  const [object] = readField(extension, 0x0a);
  return [new TextDecoder().decode(type), object];
}

function readField(bytes: Uint8Array, tag: number): [Uint8Array, Uint8Array] {
  assert.equal(bytes[0], tag);
  let length = 0;
  let at = 1;
  for (let shift = 0;; shift += 7) {
    const byte = bytes[at++];
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return [bytes.subarray(at, at + length), bytes.subarray(at + length)];
}

async function firstChunk(answer: Answer): Promise<Uint8Array> {
  const { body } = answer.response;
  assert.ok(body.kind === "stream", answer.text);
  for await (const bytes of body.stream) {
    body.stream.close();
    return bytes;
  }
  throw new Error("the watch ended before its first event");
}

Deno.test("a failure's Status comes in the format that the answer would have", () =>
  withApi(async (api) => {
    const missing = `${PODS}/none`;
    const { json } = await api.ask("GET", missing);
    assert.equal(json.reason, "NotFound");
    const cbor = await api.ask("GET", missing, undefined, accept(MEDIA_TYPES.cbor));
    assert.deepEqual([cbor.status, cborOf(bytesOf(cbor))], [404, json]);
    const protobuf = await api.ask("GET", missing, undefined, accept(MEDIA_TYPES.protobuf));
    assert.equal(protobuf.response.contentType, MEDIA_TYPES.protobuf);
    assert.equal(protobufOf(bytesOf(protobuf)).reason, "NotFound");
  }));

Deno.test("what no format serves is 406, with the formats that do", () =>
  withApi(async (api) => {
    const xml = await api.ask("GET", PODS, undefined, accept("application/xml"));
    assert.equal(xml.status, 406);
    assert.equal(
      xml.json.message,
      "only the following media types are accepted: application/json, application/yaml, " +
        "application/vnd.kubernetes.protobuf, application/cbor",
    );
    const yamlWatch = await api.ask("GET", `${PODS}?watch=1`, undefined, accept(MEDIA_TYPES.yaml));
    assert.equal(yamlWatch.status, 406);
  }));

Deno.test("the first clause that can be served wins", () => {
  const table = "as=Table;g=meta.k8s.io;v=v1";
  const cases = [
    [`${MEDIA_TYPES.protobuf};${table}, application/json;${table}`, "json", "table"],
    [`${MEDIA_TYPES.protobuf},application/json`, "protobuf", "object"],
    ["application/xml, application/cbor", "cbor", "object"],
    ["application/json;q=0.5, application/yaml", "yaml", "object"],
    ["*/*", "json", "object"],
  ] as const;
  for (const [header, format, shape] of cases) {
    assert.deepEqual(negotiate(header), { format, shape }, header);
  }
  const both = `${MEDIA_TYPES.protobuf}, application/json`;
  assert.equal(negotiate(both, OFFERS.untyped).format, "json");
});

Deno.test("CBOR that is broken is refused by name", () =>
  withApi(async (api) => {
    const headers = { "content-type": MEDIA_TYPES.cbor };
    const cases = [
      [Uint8Array.fromHex("a161"), /^cbor: unexpected EOF/],
      [Uint8Array.fromHex("a2616b6161616b6162"), /duplicate map key "k"/],
      [Uint8Array.fromHex("81".repeat(1500)), /exceeded max nested level/],
      [encodeCbor([1]), /cannot unmarshal array/],
      [encodeCbor({ kind: "Pod", apiVersion: "v1", spec: 1 }), /cannot unmarshal number/],
    ] as const;
    for (const [body, message] of cases) {
      const answer = await api.ask("POST", PODS, body, { headers });
      assert.equal(answer.status, 400, answer.text);
      assert.match(answer.json.message, message);
    }
    const strict = await api.ask(
      "POST",
      `${PODS}?fieldValidation=Strict`,
      encodeCbor({ ...podNamed("x"), extra: 1 }),
      { headers },
    );
    assert.match(strict.json.message, /strict decoding error: unknown field "extra"/);
  }));
