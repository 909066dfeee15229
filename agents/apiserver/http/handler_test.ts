/**
 * Requests that can't be served, and the exact Status that each is answered.
 */
import assert from "node:assert/strict";
import { podNamed, startFakeApi } from "../../../tests/fakes/api_server.ts";
import type { AskOptions } from "../../../tests/fakes/api_server.ts";

const PODS = "/api/v1/namespaces/default/pods";
const MAPS = "/api/v1/namespaces/default/configmaps";

interface Case {
  readonly name: string;
  readonly method: string;
  readonly url: string;
  readonly body?: unknown;
  readonly options?: AskOptions;
  readonly code: number;
  readonly reason: string;
  readonly message: string | RegExp;
}

const yaml = { headers: { "content-type": "application/yaml" } };
const protobuf = { headers: { "content-type": "application/vnd.kubernetes.protobuf" } };
const map = (parts: Record<string, unknown>) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "a" },
  ...parts,
});

const CASES: readonly Case[] = [
  {
    name: "an unknown field under Strict is refused by name",
    method: "POST",
    url: `${MAPS}?fieldValidation=Strict`,
    body: map({ dta: {} }),
    code: 400,
    reason: "BadRequest",
    message: 'ConfigMap in version "v1" cannot be handled as a ConfigMap: ' +
      'strict decoding error: unknown field "dta"',
  },
  {
    name: "a duplicate field under Strict is refused by name",
    method: "POST",
    url: `${MAPS}?fieldValidation=Strict`,
    body: '{"metadata":{"name":"a"},"data":{"a":"b"},"data":{"a":"c"}}',
    code: 400,
    reason: "BadRequest",
    message: /duplicate field "data"/,
  },
  {
    name: "a wrong type",
    method: "POST",
    url: PODS,
    body: { metadata: { name: "p" }, spec: { containers: "none" } },
    code: 400,
    reason: "BadRequest",
    message: /^Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal string/,
  },
  {
    name: "a name that is no DNS subdomain",
    method: "POST",
    url: MAPS,
    body: map({ metadata: { name: "Bad_Name" } }),
    code: 422,
    reason: "Invalid",
    message: /^ConfigMap "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name": a lower/,
  },
  {
    name: "no name at all",
    method: "POST",
    url: MAPS,
    body: map({ metadata: {} }),
    code: 422,
    reason: "Invalid",
    message: 'ConfigMap "" is invalid: metadata.name: Required value: ' +
      "name or generateName is required",
  },
  {
    name: "a body beyond the limit",
    method: "POST",
    url: MAPS,
    body: "x".repeat(3 * 1024 * 1024 + 1),
    code: 413,
    reason: "RequestEntityTooLarge",
    message: "Request entity too large: limit is 3145728",
  },
  {
    name: "a body that is no JSON",
    method: "POST",
    url: MAPS,
    body: "{",
    code: 400,
    reason: "BadRequest",
    message: /json parse error/,
  },
  {
    name: "a body that is no object",
    method: "POST",
    url: MAPS,
    body: "[]",
    code: 400,
    reason: "BadRequest",
    message: /cannot unmarshal array/,
  },
  {
    name: "a body that is no YAML",
    method: "POST",
    url: MAPS,
    body: "a: [",
    options: yaml,
    code: 400,
    reason: "BadRequest",
    message: /^error converting YAML to JSON/,
  },
  {
    name: "a body that is no protobuf",
    method: "POST",
    url: MAPS,
    body: new Uint8Array([1, 2, 3]),
    options: protobuf,
    code: 400,
    reason: "BadRequest",
    message: /expected prefix \[107 56 115 0\]/,
  },
  {
    name: "a truncated protobuf",
    method: "POST",
    url: MAPS,
    body: new Uint8Array([0x6b, 0x38, 0x73, 0, 0x0a, 0x7f, 1]),
    options: protobuf,
    code: 400,
    reason: "BadRequest",
    message: /./,
  },
  {
    name: "a media type that is not read",
    method: "POST",
    url: MAPS,
    body: "<a/>",
    options: { headers: { "content-type": "text/xml" } },
    code: 415,
    reason: "UnsupportedMediaType",
    message: /application\/json, application\/yaml, application\/vnd.kubernetes.protobuf/,
  },
  {
    name: "a representation that is not made",
    method: "GET",
    url: MAPS,
    options: { headers: { accept: "application/xml" } },
    code: 406,
    reason: "NotAcceptable",
    message: /only the following media types are accepted: application\/json/,
  },
  {
    name: "another kind than the path's",
    method: "POST",
    url: MAPS,
    body: podNamed("p"),
    code: 400,
    reason: "BadRequest",
    message: /^Pod in version "v1" cannot be handled as a ConfigMap/,
  },
  {
    name: "another namespace than the path's",
    method: "POST",
    url: MAPS,
    body: map({ metadata: { name: "a", namespace: "other" } }),
    code: 400,
    reason: "BadRequest",
    message:
      "the namespace of the provided object does not match the namespace sent on the request",
  },
  {
    name: "an unknown resource",
    method: "GET",
    url: "/api/v1/widgets",
    code: 404,
    reason: "NotFound",
    message: "the server could not find the requested resource",
  },
  {
    name: "a create across all namespaces",
    method: "POST",
    url: "/api/v1/pods",
    body: podNamed("p"),
    code: 405,
    reason: "MethodNotAllowed",
    message: "the server does not allow this method on the requested resource",
  },
  {
    name: "a name that would be another key",
    method: "GET",
    url: `${MAPS}/a%2Fb`,
    code: 400,
    reason: "BadRequest",
    message: `Name parameter invalid: "a/b": may not contain '/'`,
  },
  {
    name: "no namespace where one belongs",
    method: "GET",
    url: "/api/v1/namespaces//configmaps/a",
    code: 404,
    reason: "NotFound",
    message: "the server could not find the requested resource",
  },
  {
    name: "an unknown path",
    method: "GET",
    url: "/nowhere",
    code: 404,
    reason: "NotFound",
    message: "the server could not find the requested resource",
  },
  {
    name: "a verb that the resource lacks",
    method: "POST",
    url: `${PODS}/p/status`,
    body: {},
    code: 405,
    reason: "MethodNotAllowed",
    message: /create is not supported on resources of kind "pods\/status"/,
  },
  {
    name: "a label selector that can't be read",
    method: "GET",
    url: `${PODS}?labelSelector=a%3D%3D%3Db`,
    code: 400,
    reason: "BadRequest",
    message: /unable to parse requirement|found/,
  },
  {
    name: "a field that can't be selected",
    method: "GET",
    url: `${MAPS}?fieldSelector=data.x%3D1`,
    code: 400,
    reason: "BadRequest",
    message: /data\.x/,
  },
  {
    name: "a user without rights",
    method: "GET",
    url: PODS,
    options: { user: { name: "eve", groups: ["system:authenticated"] } },
    code: 403,
    reason: "Forbidden",
    message: 'pods is forbidden: User "eve" cannot list resource "pods" in API group "" ' +
      'in the namespace "default"',
  },
  {
    name: "nobody",
    method: "GET",
    url: "/api",
    options: { user: { name: "system:anonymous", groups: ["system:unauthenticated"] } },
    code: 403,
    reason: "Forbidden",
    message: 'forbidden: User "system:anonymous" cannot get path "/api"',
  },
];

for (const row of CASES) {
  Deno.test(`refused: ${row.name}`, async () => {
    const api = await startFakeApi();
    const answer = await api.ask(row.method, row.url, row.body, row.options);
    await api.close();
    assert.equal(answer.status, row.code, answer.text);
    assert.equal(answer.json.kind, "Status");
    assert.equal(answer.json.status, "Failure");
    assert.equal(answer.json.code, row.code);
    assert.equal(answer.json.reason, row.reason);
    if (typeof row.message === "string") assert.equal(answer.json.message, row.message);
    else assert.match(answer.json.message, row.message);
  });
}

Deno.test("an unknown field under Warn is stored without it, with a warning", async () => {
  const api = await startFakeApi();
  const answer = await api.ask("POST", MAPS, map({ dta: {} }));
  await api.close();
  assert.equal(answer.status, 201);
  assert.equal(answer.json.dta, undefined);
  assert.deepEqual(answer.response.headers, ["warning", '299 - "unknown field \\"dta\\""']);
});

Deno.test("anybody may ask for health and version", async () => {
  const api = await startFakeApi();
  const user = { name: "system:anonymous", groups: ["system:unauthenticated"] };
  for (const path of ["/healthz", "/livez", "/readyz?verbose", "/version"]) {
    assert.equal((await api.ask("GET", path, undefined, { user })).status, 200, path);
  }
  const version = await api.ask("GET", "/version");
  assert.match(version.json.gitVersion, /^v1\.36\./);
  await api.close();
});

Deno.test("discovery lists each resource, plain and aggregated", async () => {
  const api = await startFakeApi();
  const plain = await api.ask("GET", "/api/v1");
  const names = plain.json.resources.map((row: { name: string }) => row.name);
  assert(names.includes("pods") && names.includes("pods/status"));
  const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
  const all = await api.ask("GET", "/apis", undefined, { headers: { accept } });
  assert.equal(all.json.kind, "APIGroupDiscoveryList");
  assert.equal(all.response.contentType, accept);
  const etag = all.response.headers[all.response.headers.indexOf("etag") + 1];
  const headers = { accept, "if-none-match": etag };
  assert.equal((await api.ask("GET", "/apis", undefined, { headers })).status, 304);
  await api.close();
});

Deno.test("a list becomes a Table with the rows that were asked for", async () => {
  const api = await startFakeApi();
  await api.ask("POST", MAPS, map({}));
  const headers = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json" };
  const table = await api.ask("GET", MAPS, undefined, { headers });
  assert.equal(table.json.kind, "Table");
  assert.equal(table.json.rows[0].cells[0], "a");
  assert.equal(table.json.rows[0].object.kind, "PartialObjectMetadata");
  const none = await api.ask("GET", `${MAPS}?includeObject=None`, undefined, { headers });
  assert.equal(none.json.rows[0].object, undefined);
  await api.close();
});

Deno.test("a master may act as another, who then has that one's rights only", async () => {
  const api = await startFakeApi();
  const headers = { "impersonate-user": "eve", "impersonate-group": "devs" };
  const review = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
  const who = await api.ask("POST", review, {}, { headers });
  assert.deepEqual(who.json.status.userInfo, {
    username: "eve",
    groups: ["devs", "system:authenticated"],
  });
  assert.equal((await api.ask("GET", PODS, undefined, { headers })).status, 403);
  const user = { name: "mallory", groups: ["system:authenticated"] };
  const tried = await api.ask("POST", review, {}, { headers, user });
  assert.equal(
    tried.json.message,
    'users "eve" is forbidden: User "mallory" cannot impersonate resource "users" ' +
      'in API group "" at the cluster scope',
  );
  await api.close();
});
