/**
 * Values that somebody wrote past the API server: no JSON, or the JSON of something else.
 * In: such bytes under the keys of resources with and without an index. Out: answers of 500 that
 * name the key, for as long as they are there.
 * Never: lets one take the server, or another resource, down.
 */
import assert from "node:assert/strict";
import { ADMIN, readEvents, startFakeApi } from "../../../tests/fakes/api_server.ts";
import { createInProcessClient } from "../../client/in_process.ts";
import { configMaps, pods } from "../../api/resources.ts";
import { ApiError } from "../../api/status.ts";
import { encodeKey } from "../registry.ts";

const GARBAGE = [
  ...["not json", "{", "1", "null", "[]", "", '{"kind":"Pod"}', '{"metadata":1}'],
  ...['{"metadata":{"labels":5}}', '{"metadata":{},"spec":5,"data":5}'],
];

for (
  const { resource, prefix, url } of [
    { resource: configMaps, prefix: "/registry/configmaps/", url: "configmaps" },
    { resource: pods, prefix: "/registry/pods/", url: "pods" },
  ]
) {
  Deno.test(`what is no object under ${prefix} is told by its key, and goes`, async () => {
    const api = await startFakeApi({});
    const client = createInProcessClient({ port: api.server.port, user: ADMIN });
    const all = `/api/v1/namespaces/default/${url}`;
    const other = "/api/v1/namespaces/default";
    for (const text of GARBAGE) {
      const key = encodeKey(`${prefix}default/bad`);
      await api.store.put({ kind: "put", key, value: new TextEncoder().encode(text), lease: 0n });
      for (const path of [all, `${all}/bad`]) {
        const { status, json } = await api.ask("GET", path);
        assert.equal(status, 500, `${text} at ${path}`);
        assert.match(json.message, /unable to decode key "\/registry\/\w+\/default\/bad"/);
      }
      await assert.rejects(client.list(resource, { namespace: "default" }), ApiError);
      assert.equal((await api.ask("GET", other)).status, 200);
      await api.store.deleteRange({ kind: "deleteRange", key });
      assert.equal((await api.ask("GET", all)).status, 200, text);
      assert.equal((await api.ask("GET", `${all}/bad`)).status, 404, text);
    }
    await api.close();
  });
}

Deno.test("a watch ends at what can't be told, and none resumes across it", async () => {
  const api = await startFakeApi({});
  const put = (text: string) =>
    api.store.put({
      kind: "put",
      key: encodeKey("/registry/configmaps/default/bad"),
      value: new TextEncoder().encode(text),
      lease: 0n,
    });
  const all = "/api/v1/namespaces/default/configmaps";
  const before = api.store.revision;
  const watchFrom = (revision: number) =>
    api.ask("GET", `${all}?watch=true&resourceVersion=${revision}`);
  const running = await watchFrom(before);
  await put("not json");
  assert.deepEqual(await readEvents(running, 1), []);
  // Nobody watches now, so nobody looks at the next one, until somebody asks for it.
  await put("still no json");
  const between = api.store.revision;
  await put(JSON.stringify({ kind: "ConfigMap", apiVersion: "v1", metadata: { name: "bad" } }));
  for (const revision of [before, between]) {
    assert.equal((await watchFrom(revision)).status, 410, `from ${revision}`);
  }
  const { status, json } = await api.ask("GET", all);
  assert.equal(status, 200);
  const resumed = await watchFrom(Number(json.metadata.resourceVersion));
  await api.store.deleteRange({
    kind: "deleteRange",
    key: encodeKey("/registry/configmaps/default/bad"),
  });
  assert.equal((await readEvents(resumed, 1))[0].type, "DELETED");
  await api.close();
});

Deno.test("an object without its spec is read as one with an empty spec", async () => {
  const api = await startFakeApi({});
  const value = new TextEncoder().encode('{"kind":"Pod","metadata":{"name":"bare"}}');
  const key = encodeKey("/registry/pods/default/bare");
  await api.store.put({ kind: "put", key, value, lease: 0n });
  const client = createInProcessClient({ port: api.server.port, user: ADMIN });
  const { spec } = await client.get(pods, { namespace: "default", name: "bare" });
  assert.deepEqual(spec, { containers: [] });
  await api.close();
});
