/**
 * Custom resources over the handler: a definition is applied and at once its resource is served.
 * In: definitions and objects. Out: answers, worded as upstream words them (v1.36).
 */
import assert from "node:assert/strict";
import { apiTest, type FakeApi, startFakeApi } from "../../../tests/fakes/api_server.ts";
import {
  conditions,
  CRDS,
  define,
  definition,
  type Json,
  settled,
  widget,
  WIDGETS,
} from "../../../tests/fakes/widgets.ts";

apiTest("a definition is established, and its resource served at once", async (api) => {
  assert.equal((await api.ask("GET", WIDGETS)).status, 404);
  const { json: crd } = await define(api);
  assert.deepEqual(conditions(crd), {
    NamesAccepted: "True NoConflicts",
    Established: "True InitialNamesAccepted",
  });
  assert.deepEqual(crd.status.acceptedNames, {
    plural: "widgets",
    singular: "widget",
    kind: "Widget",
    listKind: "WidgetList",
    shortNames: ["wd"],
    categories: ["all"],
  });
  assert.deepEqual(crd.status.storedVersions, ["v1"]);
  const made = await api.ask(
    "POST",
    WIDGETS,
    widget({ size: "large", junk: 1, parts: [{ id: "x" }] }),
  );
  assert.equal(made.status, 201, made.text);
  assert.deepEqual(made.json.spec, { size: "large", replicas: 1, parts: [{ id: "x", count: 7 }] });
  assert.equal(made.json.metadata.generation, 1);
  assert.deepEqual(made.response.headers, ["warning", '299 - "unknown field \\"spec.junk\\""']);
  const list = await api.ask("GET", WIDGETS);
  assert.equal(list.json.kind, "WidgetList");
  assert.equal(list.json.items.length, 1);
  assert.equal(
    (await api.ask("GET", `${WIDGETS}?fieldSelector=spec.size=small`)).json.items.length,
    0,
  );
  assert.equal(
    (await api.ask("GET", `${WIDGETS}?fieldSelector=spec.size=large`)).json.items.length,
    1,
  );
  const table = await api.ask("GET", WIDGETS, undefined, {
    headers: { accept: "application/json;as=Table;g=meta.k8s.io;v=v1" },
  });
  assert.deepEqual(table.json.columnDefinitions.map((one: Json) => one.name), [
    "Name",
    "Size",
    "Part",
    "Age",
  ]);
  assert.deepEqual(table.json.rows[0].cells, ["w", "large", "7", "0s"]);
});

async function storedText(api: FakeApi, key: string): Promise<string> {
  const answer = await api.store.range(
    {
      kind: "range",
      key: new TextEncoder().encode(key),
      rangeEnd: new Uint8Array(0),
      revision: 0,
      limit: 0,
    } as Parameters<FakeApi["store"]["range"]>[0],
  );
  assert(answer.kind === "range" && answer.kvs.length === 1, key);
  return new TextDecoder().decode(answer.kvs[0].value);
}

apiTest("what the schema forbids is refused in upstream's words", async (api) => {
  await define(api);
  const table: readonly (readonly [Json, string])[] = [
    [{ size: "huge" }, 'spec.size: Unsupported value: "huge": supported values: "small", "large"'],
    [{}, "spec.size: Required value"],
    [
      { size: "large", replicas: "two" },
      'spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string"',
    ],
    [
      { size: "large", replicas: 1.5 },
      'spec.replicas: Invalid value: "number": spec.replicas in body must be of type integer: "number"',
    ],
    [
      { size: "large", replicas: 11 },
      "spec.replicas: Invalid value: 11: spec.replicas in body should be less than or equal to 10",
    ],
    [
      { size: "large", replicas: -1 },
      "spec.replicas: Invalid value: -1: spec.replicas in body should be greater than or equal to 0",
    ],
    [
      { size: "large", when: "noon" },
      'spec.when: Invalid value: "noon": spec.when in body must be of type date-time: "noon"',
    ],
    [{ size: "large", name: "toolong" }, "spec.name: Too long: may not be more than 5 bytes"],
    [
      { size: "large", name: "a" },
      'spec.name: Invalid value: "a": spec.name in body should be at least 2 chars long',
    ],
    [
      { size: "large", name: "A1" },
      `spec.name: Invalid value: "A1": spec.name in body should match '^[a-z]+$'`,
    ],
    [
      { size: "large", port: 1.5 },
      'spec.port: Invalid value: "number": spec.port in body must be of type integer,string: "number"',
    ],
    [
      { size: "large", labels: { a: "1", b: "2", c: "3" } },
      "spec.labels: Too many: 3: must have at most 2 items",
    ],
    [
      { size: "large", parts: [{ id: "a" }, { id: "a" }] },
      'spec.parts[1]: Duplicate value: {"id":"a"}',
    ],
    [{ size: "large", tags: ["a", "a"] }, 'spec.tags[1]: Duplicate value: "a"'],
    [
      { size: "large", choice: {} },
      'spec.choice: Invalid value: "": "spec.choice" must validate one and only one schema (oneOf). Found none valid',
    ],
    [
      { size: "large", ratio: 2 },
      "spec.ratio: Invalid value: 2: spec.ratio in body should be less than 2",
    ],
    [
      { size: "large", ratio: 0.7 },
      "spec.ratio: Invalid value: 0.7: spec.ratio in body should be a multiple of 0.5",
    ],
    [
      { size: "small", replicas: 4 },
      "spec.replicas: Invalid value: a small one has at most 3, not 4",
    ],
  ];
  for (const [spec, wanted] of table) {
    const answer = await api.ask("POST", WIDGETS, widget(spec));
    assert.equal(answer.status, 422, answer.text);
    const head = 'Widget.example.com "w" is invalid: ';
    assert(answer.json.message.startsWith(head), answer.json.message);
    assert(answer.json.message.includes(wanted), `${answer.json.message}\nwanted ${wanted}`);
  }
  const fine = {
    size: "large",
    port: "http",
    maybe: null,
    free: { any: [1, { x: null }] },
    choice: { a: "1" },
  };
  const made = await api.ask("POST", WIDGETS, widget(fine));
  assert.equal(made.status, 201, made.text);
  assert.deepEqual(made.json.spec, { ...fine, replicas: 1 });
});

apiTest("unknown fields follow fieldValidation, on create, update and patch", async (api) => {
  await define(api);
  const body = widget({ size: "large", junk: { deep: 1 }, parts: [{ id: "a", odd: 1 }] });
  const strict = await api.ask("POST", `${WIDGETS}?fieldValidation=Strict`, body);
  assert.equal(strict.status, 400);
  assert.equal(
    strict.json.message,
    'Widget in version "v1" cannot be handled as a Widget: strict decoding error: ' +
      'unknown field "spec.junk", unknown field "spec.parts[0].odd"',
  );
  const ignored = await api.ask("POST", `${WIDGETS}?fieldValidation=Ignore`, body);
  assert.equal(ignored.status, 201, ignored.text);
  assert.deepEqual(ignored.response.headers, []);
  const merge = { headers: { "content-type": "application/merge-patch+json" } };
  const patched = await api.ask("PATCH", `${WIDGETS}/w?fieldValidation=Strict`, {
    spec: { bad: 1 },
  }, merge);
  assert.equal(patched.status, 422, patched.text);
  assert.match(patched.json.message, /unknown field "spec.bad"/);
  const strategic = await api.ask("PATCH", `${WIDGETS}/w`, {}, {
    headers: { "content-type": "application/strategic-merge-patch+json" },
  });
  assert.equal(strategic.status, 415, strategic.text);
});

apiTest(
  "updates: generations, status, transition rules, and what was let through before",
  async (api) => {
    await define(api);
    await api.ask("POST", WIDGETS, widget({ size: "large", locked: "a" }));
    const merge = { headers: { "content-type": "application/merge-patch+json" } };
    const patch = (body: Json, part = "") => api.ask("PATCH", `${WIDGETS}/w${part}`, body, merge);
    const scaled = await patch({ spec: { replicas: 5 }, status: { replicas: 9 } });
    assert.equal(scaled.json.metadata.generation, 2);
    assert.equal(scaled.json.status, undefined);
    const status = await patch(
      { spec: { replicas: 6 }, status: { replicas: 4, selector: "a=b" } },
      "/status",
    );
    assert.deepEqual(status.json.status, { replicas: 4, selector: "a=b" });
    assert.equal(status.json.spec.replicas, 5);
    assert.equal(status.json.metadata.generation, 2);
    const locked = await patch({ spec: { locked: "b" } });
    assert.equal(locked.status, 422);
    assert.match(locked.json.message, /spec.locked: Invalid value: "b": locked is immutable/);
    const scale = await api.ask("GET", `${WIDGETS}/w/scale`);
    assert.deepEqual(scale.json.spec, { replicas: 5 });
    assert.deepEqual(scale.json.status, { replicas: 4, selector: "a=b" });
    const set = await patch({ spec: { replicas: 8 } }, "/scale");
    assert.equal(set.json.spec.replicas, 8, set.text);
    assert.equal((await api.ask("GET", `${WIDGETS}/w`)).json.spec.replicas, 8);
    const crd = (await api.ask("GET", `${CRDS}/widgets.example.com`)).json;
    crd.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.replicas.maximum = 2;
    assert.equal((await api.ask("PUT", `${CRDS}/widgets.example.com`, crd)).status, 200);
    const kept = await patch({ spec: { tags: ["t"] } });
    assert.equal(kept.status, 200, kept.text);
    assert.equal((await patch({ spec: { replicas: 9 } })).status, 422);
  },
);

apiTest("discovery and OpenAPI tell of it, and forget it", async (api) => {
  const before = (await api.ask("GET", "/openapi/v3")).json.paths;
  await define(api);
  const groups = (await api.ask("GET", "/apis")).json.groups.map((one: Json) => one.name);
  assert(groups.includes("example.com"));
  const list = (await api.ask("GET", "/apis/example.com/v1")).json.resources;
  assert.deepEqual(list.map((one: Json) => one.name), [
    "widgets",
    "widgets/status",
    "widgets/scale",
  ]);
  assert.deepEqual(list[0].shortNames, ["wd"]);
  const aggregated = await api.ask("GET", "/apis", undefined, {
    headers: { accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList" },
  });
  assert(aggregated.json.items.some((one: Json) => one.metadata.name === "example.com"));
  const after = (await api.ask("GET", "/openapi/v3")).json.paths;
  assert.equal(before["apis/example.com/v1"], undefined);
  assert.equal(before["apis/apps/v1"].serverRelativeURL, after["apis/apps/v1"].serverRelativeURL);
  const document = (await api.ask("GET", "/openapi/v3/apis/example.com/v1")).json;
  const schema = document.components.schemas["com.example.v1.Widget"];
  assert.deepEqual(schema["x-kubernetes-group-version-kind"], [
    { group: "example.com", kind: "Widget", version: "v1" },
  ]);
  assert.equal(schema.properties.spec.properties.size.type, "string");
  const old = (await api.ask("GET", "/openapi/v2")).json.definitions["com.example.v1.Widget"];
  assert.equal(old.properties.spec.properties.maybe.type, undefined);
  const proto = await api.ask("GET", "/openapi/v2", undefined, {
    headers: { accept: "application/com.github.proto-openapi.spec.v2@v1.0+protobuf" },
  });
  assert.equal(proto.status, 200);
  await api.ask("POST", WIDGETS, widget({ size: "large" }));
  const gone = await api.ask("DELETE", `${CRDS}/widgets.example.com`);
  assert.equal(gone.status, 200, gone.text);
  await settled();
  assert.equal((await api.ask("GET", `${CRDS}/widgets.example.com`)).status, 404);
  assert.equal((await api.ask("GET", WIDGETS)).status, 404);
  assert.equal((await api.ask("GET", "/apis/example.com/v1")).status, 404);
  await define(api);
  assert.deepEqual((await api.ask("GET", WIDGETS)).json.items, []);
});

apiTest("objects that wait for a finalizer hold the definition", async (api) => {
  await define(api);
  const held = widget({ size: "large" });
  held.metadata.finalizers = ["example.com/hold"];
  await api.ask("POST", WIDGETS, held);
  await api.ask("DELETE", `${CRDS}/widgets.example.com`);
  await settled();
  const { json: crd } = await api.ask("GET", `${CRDS}/widgets.example.com`);
  assert.equal(conditions(crd).Terminating, "True InstanceDeletionInProgress");
  assert.equal((await api.ask("POST", WIDGETS, widget({ size: "large" }, "x"))).status, 405);
  const merge = { headers: { "content-type": "application/merge-patch+json" } };
  const patched = await api.ask("PATCH", `${WIDGETS}/w`, { metadata: { finalizers: null } }, merge);
  assert.equal(patched.status, 200, patched.text);
  api.clock.advance(1_000);
  await settled();
  assert.equal((await api.ask("GET", `${CRDS}/widgets.example.com`)).status, 404);
});

apiTest(
  "two definitions can't have one name; the second takes it when it is free",
  async (api) => {
    await define(api);
    const other = definition((spec) => {
      spec.names = { plural: "gadgets", kind: "Gadget", shortNames: ["wd"] };
    });
    const { json: crd } = await define(api, other);
    assert.deepEqual(conditions(crd), {
      NamesAccepted: "False ShortNamesConflict",
      Established: "False NotAccepted",
    });
    assert.equal(crd.status.conditions[0].message, '"wd" is already in use');
    assert.equal((await api.ask("GET", "/apis/example.com/v1/gadgets")).status, 404);
    await api.ask("DELETE", `${CRDS}/widgets.example.com`);
    await settled();
    assert.equal((await api.ask("GET", "/apis/example.com/v1/gadgets")).status, 200);
  },
);

apiTest("apply merges lists by the keys of the schema", async (api) => {
  await define(api);
  const apply = (manager: string, spec: Json) =>
    api.ask("PATCH", `${WIDGETS}/w?fieldManager=${manager}`, JSON.stringify(widget(spec)), {
      headers: { "content-type": "application/apply-patch+yaml" },
    });
  const first = await apply("one", { size: "large", parts: [{ id: "a", count: 1 }], tags: ["x"] });
  assert.equal(first.status, 201, first.text);
  const second = await apply("two", { size: "large", parts: [{ id: "b", count: 2 }], tags: ["y"] });
  assert.deepEqual(second.json.spec.parts, [{ id: "a", count: 1 }, { id: "b", count: 2 }]);
  assert.deepEqual(second.json.spec.tags, ["x", "y"]);
  const clash = await apply("two", { size: "large", parts: [{ id: "a", count: 9 }] });
  assert.equal(clash.status, 409);
  assert.match(clash.json.message, /conflict with "one": .spec.parts\[id="a"\].count/);
  const unknown = await apply("three", { size: "large", odd: 1 });
  assert.equal(unknown.status, 400, unknown.text);
});

apiTest(
  "several versions are faces of one object; storage moves with the definition",
  async (api) => {
    const crd = definition((spec) => {
      spec.versions.push({ ...structuredClone(spec.versions[0]), name: "v2", storage: false });
    });
    await define(api, crd);
    await api.ask("POST", WIDGETS, widget({ size: "large" }));
    const newer = WIDGETS.replace("/v1/", "/v2/");
    const seen = await api.ask("GET", `${newer}/w`);
    assert.equal(seen.json.apiVersion, "example.com/v2");
    const made = await api.ask("POST", newer, {
      ...widget({ size: "small" }, "n"),
      apiVersion: "example.com/v2",
    });
    assert.equal(made.status, 201, made.text);
    assert.equal(made.json.apiVersion, "example.com/v2");
    const list = (await api.ask("GET", WIDGETS)).json.items;
    assert.deepEqual(list.map((one: Json) => one.apiVersion), ["example.com/v1", "example.com/v1"]);
    const group = (await api.ask("GET", "/apis/example.com")).json;
    assert.equal(group.preferredVersion.version, "v2");
    const live = (await api.ask("GET", `${CRDS}/widgets.example.com`)).json;
    live.spec.versions[0].storage = false;
    live.spec.versions[1].storage = true;
    const moved = await api.ask("PUT", `${CRDS}/widgets.example.com`, live);
    assert.deepEqual(moved.json.status.storedVersions, ["v1", "v2"]);
    assert.equal((await api.ask("GET", `${WIDGETS}/w`)).json.apiVersion, "example.com/v1");
    assert.equal((await api.ask("GET", `${newer}/w`)).json.apiVersion, "example.com/v2");

    const stored = async (name: string) =>
      JSON.parse(await storedText(api, `/registry/example.com/widgets/default/${name}`));
    assert.equal((await stored("w")).apiVersion, "example.com/v1");
    const touched = { metadata: { labels: { seen: "yes" } } };
    const headers = { "content-type": "application/merge-patch+json" };
    await api.ask("PATCH", `${WIDGETS}/w`, touched, { headers });
    assert.equal((await stored("w")).apiVersion, "example.com/v2");
    const gone = structuredClone(moved.json);
    gone.spec.versions.shift();
    const refused = await api.ask("PUT", `${CRDS}/widgets.example.com`, gone);
    assert.equal(refused.status, 422);
    assert.match(
      refused.json.message,
      /status\.storedVersions\[0\]: Invalid value: "v1": missing from spec\.versions; v1 was/,
    );
    const settledOn = structuredClone(moved.json);
    settledOn.status.storedVersions = ["v2"];
    const status = await api.ask("PUT", `${CRDS}/widgets.example.com/status`, settledOn);
    assert.equal(status.status, 200, status.text);
    const { resourceVersion } = status.json.metadata;
    const last = { ...gone, metadata: { ...gone.metadata, resourceVersion } };
    const removed = await api.ask("PUT", `${CRDS}/widgets.example.com`, last);
    assert.equal(removed.status, 200, removed.text);
    assert.deepEqual(removed.json.status.storedVersions, ["v2"]);
    await settled();
    assert.equal((await api.ask("GET", `${WIDGETS}/w`)).status, 404);
    // An object that nobody wrote since is still in the version of old, and is served as the new.
    assert.equal((await stored("n")).apiVersion, "example.com/v1");
    const kept = await api.ask("GET", `${newer}/n`);
    assert.equal(kept.json.apiVersion, "example.com/v2");
    assert.equal(kept.json.spec.size, "small");
  },
);

Deno.test("another server on the same store serves what it finds and what comes", async () => {
  const first = await startFakeApi();
  await define(first);
  await first.ask("POST", WIDGETS, widget({ size: "large" }));
  const second = await startFakeApi({ store: first.store });
  assert.equal((await second.ask("GET", `${WIDGETS}/w`)).json.spec.size, "large");
  await define(
    first,
    definition((spec) => {
      spec.names = { plural: "gears", kind: "Gear" };
      spec.scope = "Cluster";
    }),
  );
  assert.equal((await second.ask("GET", "/apis/example.com/v1/gears")).status, 200);
  await second.close();
  await first.close();
});
