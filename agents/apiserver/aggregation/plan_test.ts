/** What is decided without asking anybody: registration, availability, order, merged documents. */
import assert from "node:assert/strict";
import type { APIService } from "../../api/kinds/extensions/api_service.ts";
import type { KubeObject } from "../../api/meta.ts";
import { planAvailable } from "./plan_available.ts";
import { fromAggregated, fromPlain } from "./plan_discovery.ts";
import { convertToV3, filterByPaths, mergeOpenApiV2, type OpenApiV2 } from "./plan_openapi.ts";
import { ALWAYS, MANAGED, ON_START, planRegister } from "./plan_register.ts";
import { priorityOf, sortGroups } from "./priorities.ts";

// deno-lint-ignore no-explicit-any
type Json = any;

const managed = (kept: string | undefined, versionPriority = 1) => ({
  metadata: { name: "v1.x", ...(kept === undefined ? {} : { labels: { [MANAGED]: kept } }) },
  spec: { version: "v1", versionPriority },
} as unknown as APIService);

Deno.test("an API service is made, mended and removed by who keeps it", () => {
  const byHand = managed(undefined);
  const start = managed(ON_START, 2);
  const always = managed(ALWAYS, 3);
  const cases: [Json, Json, string, string, string][] = [
    // current, wanted, action at first, once settled, where it came after the start
    [undefined, undefined, "none", "none", "none"],
    [undefined, start, "create", "none", "create"],
    [undefined, always, "create", "create", "create"],
    [byHand, undefined, "none", "none", "none"],
    [byHand, start, "none", "none", "none"],
    [byHand, always, "none", "none", "none"],
    [start, undefined, "delete", "none", "none"],
    [start, always, "update", "none", "none"],
    [always, undefined, "delete", "delete", "delete"],
    [always, start, "update", "none", "update"],
    [managed(ALWAYS, 3), always, "none", "none", "none"],
  ];
  for (const [current, wanted, first, settled, late] of cases) {
    const state = { current, wanted };
    const shown = JSON.stringify(state);
    assert.equal(planRegister({ ...state, wasAtStart: true, hasSynced: false }), first, shown);
    assert.equal(planRegister({ ...state, wasAtStart: true, hasSynced: true }), settled, shown);
    assert.equal(planRegister({ ...state, wasAtStart: false, hasSynced: false }), late, shown);
  }
});

Deno.test("what stands before a server decides before it is asked", () => {
  const reference = { namespace: "ns", name: "svc", port: 443 };
  const service = (spec: Json) => ({ kind: "Service", metadata: {}, spec } as KubeObject);
  const slice = (ready: boolean | undefined, port: Json) => ({
    metadata: {},
    endpoints: [{ addresses: ["10.0.0.1"], conditions: ready === undefined ? {} : { ready } }],
    ports: [port],
  } as unknown as KubeObject);
  const named = service({ ports: [{ name: "https", port: 443 }] });
  const good = { name: "https", port: 8443 };
  const cases: [KubeObject | undefined, KubeObject[], string][] = [
    [undefined, [], 'ServiceNotFound: service/svc in "ns" is not present'],
    [
      service({ ports: [{ port: 80 }] }),
      [],
      'ServicePortError: service/svc in "ns" is not listening on port 443',
    ],
    [named, [], 'EndpointsNotFound: cannot find endpointslices for service/svc in "ns"'],
    [
      named,
      [slice(false, good), slice(true, { name: "http", port: 80 })],
      'MissingEndpoints: endpointslices for service/svc in "ns" have no addresses with port name "https"',
    ],
    [named, [slice(false, good), slice(undefined, good)], "ask"],
    [service({ type: "ExternalName", externalName: "x.example.com" }), [], "ask"],
  ];
  for (const [found, slices, expected] of cases) {
    const verdict = planAvailable(reference, found, slices);
    assert.equal(verdict === null ? "ask" : `${verdict.reason}: ${verdict.message}`, expected);
  }
});

Deno.test("groups come by priority, then by name; versions by priority, then the stable ones", () => {
  const row = (group: string, version: string, priority = priorityOf(group, version)) => ({
    group,
    version,
    priority,
  });
  const sorted = sortGroups([
    row("b.example.com", "v1"),
    row("a.example.com", "v1beta1"),
    row("a.example.com", "v2"),
    row("a.example.com", "v1"),
    row("metrics.k8s.io", "v1beta1", { group: 100, version: 100 }),
    row("first.example.com", "v1", { group: 19_000, version: 1 }),
    row("apps", "v1"),
    row("autoscaling", "v1"),
    row("autoscaling", "v2"),
    row("", "v1"),
    row("apiregistration.k8s.io", "v1"),
  ]);
  assert.deepEqual(
    sorted.map((versions) => `${versions[0].group} ${versions.map((one) => one.version)}`),
    [
      "apiregistration.k8s.io v1",
      "first.example.com v1",
      " v1",
      "apps v1",
      "autoscaling v2,v1",
      "a.example.com v2,v1,v1beta1",
      "b.example.com v1",
      "metrics.k8s.io v1beta1",
    ],
  );
});

Deno.test("both forms of discovery say the same", () => {
  const of = { group: "g", version: "v1" };
  const kind = { ...of, kind: "A" };
  const part = { subresource: "scale", responseKind: { group: "h", version: "v2", kind: "S" } };
  const wanted = [{
    resource: "as",
    responseKind: kind,
    scope: "Namespaced",
    singularResource: "a",
    verbs: ["get"],
    subresources: [{ ...part, verbs: ["update"] }],
  }];
  assert.deepEqual(
    fromPlain({
      resources: [
        { name: "as", singularName: "a", namespaced: true, kind: "A", verbs: ["get"] },
        { name: "as/scale", kind: "S", group: "h", version: "v2", verbs: ["update"] },
      ],
    }, of),
    wanted,
  );
  const items = [{ metadata: { name: "g" }, versions: [{ version: "v1", resources: wanted }] }];
  assert.deepEqual(fromAggregated({ items }, of), wanted);
  assert.deepEqual(fromAggregated({ items }, { ...of, version: "v2" }), []);
  for (const odd of [null, 3, {}, { items: [null] }]) assert.deepEqual(fromAggregated(odd, of), []);
});

const ref = (name: string) => ({ $ref: `#/definitions/${name}` });
const answering = (name: string) => ({
  get: { responses: { 200: { description: "OK", schema: ref(name) } } },
});
const KINDS = "x-kubernetes-group-version-kind";

Deno.test("a merged document has the paths of both, and no name with two meanings", () => {
  const own: OpenApiV2 = {
    paths: { "/apis/a/": answering("A") },
    definitions: {
      A: { properties: { meta: ref("Meta"), more: ref("Odd") } },
      Meta: { type: "object", [KINDS]: [{ kind: "M", group: "a", version: "v1" }] },
      Odd: { type: "string" },
    },
  };
  const other: OpenApiV2 = {
    paths: { "/apis/a/": answering("Lost"), "/apis/b/": answering("B"), "/version/": {} },
    definitions: {
      B: { properties: { meta: ref("Meta"), more: { items: ref("Odd") } } },
      Meta: { type: "object", [KINDS]: [{ kind: "M", group: "b", version: "v1" }] },
      Odd: { type: "integer" },
      Lost: { type: "object" },
    },
  };
  const part = filterByPaths(other, (path) => path.startsWith("/apis/"));
  assert.deepEqual(Object.keys(part.definitions!), ["B", "Meta", "Odd", "Lost"]);
  const merged = mergeOpenApiV2(own, part);
  assert.deepEqual(Object.keys(merged.paths!), ["/apis/a/", "/apis/b/"]);
  assert.deepEqual(merged.paths!["/apis/a/"], answering("A"));
  assert.deepEqual(Object.keys(merged.definitions!).sort(), ["A", "B", "Meta", "Odd", "Odd_v2"]);
  assert.deepEqual(merged.definitions!.B.properties.more, { items: ref("Odd_v2") });
  assert.deepEqual(merged.definitions!.Meta[KINDS].map((one: Json) => one.group), ["a", "b"]);
  // The same meaning under the same new name.
  const third = { ...other, paths: { "/apis/c/": answering("B") } };
  const again = mergeOpenApiV2(merged, third);
  assert.deepEqual(Object.keys(again.definitions!).sort(), [
    "A",
    "B",
    "B_v2",
    "Meta",
    "Odd",
    "Odd_v2",
  ]);
});

Deno.test("version 2 says the same in terms of version 3", () => {
  const limit = { name: "limit", in: "query", type: "integer", description: "How many." };
  const made = convertToV3({
    info: { title: "T", version: "v1" },
    parameters: { "limit-x": limit, "body-y": { name: "body", in: "body", schema: ref("A") } },
    paths: {
      "/apis/a/": {
        parameters: [{ $ref: "#/parameters/limit-x" }],
        post: {
          consumes: ["application/json"],
          produces: ["application/json", "application/yaml"],
          parameters: [{ $ref: "#/parameters/body-y" }],
          responses: { 200: { description: "OK", schema: ref("A") }, 401: { description: "No" } },
          operationId: "x",
        },
      },
    },
    definitions: { A: { type: "object", properties: { $ref: { type: "string" } } } },
  });
  const schema = { $ref: "#/components/schemas/A" };
  assert.deepEqual(made, {
    openapi: "3.0.0",
    info: { title: "T", version: "v1" },
    paths: {
      "/apis/a/": {
        parameters: [
          { name: "limit", in: "query", description: "How many.", schema: { type: "integer" } },
        ],
        post: {
          operationId: "x",
          requestBody: { content: { "application/json": { schema } } },
          responses: {
            200: {
              description: "OK",
              content: { "application/json": { schema }, "application/yaml": { schema } },
            },
            401: { description: "No" },
          },
        },
      },
    },
    components: { schemas: { A: { type: "object", properties: { $ref: { type: "string" } } } } },
  });
});
