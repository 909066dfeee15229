/** Endpoints and slices out of services and pods, as tables. */
import assert from "node:assert/strict";
import { endpoints, endpointSlices, nodes, pods, services } from "../../api/resources.ts";
import type { KubeObject } from "../../api/meta.ts";
import { memoryView } from "../../../tests/fakes/memory_view.ts";
import type { Action } from "../controller.ts";
import { endpointSliceController } from "./plan_endpoint_slice.ts";
import { endpointsController } from "./plan_endpoints.ts";

const KEY = "default/web";

function service(spec: Record<string, unknown> = {}): KubeObject {
  return {
    metadata: { name: "web", namespace: "default", uid: "s" },
    spec: {
      clusterIP: "10.96.0.1",
      ipFamilies: ["IPv4"],
      selector: { app: "web" },
      ports: [{ name: "http", port: 80, targetPort: "http", protocol: "TCP" }],
      ...spec,
    },
  };
}

function pod(number: number, fields: Partial<KubeObject> = {}): KubeObject {
  return {
    metadata: {
      name: `web-${number}`,
      namespace: "default",
      uid: `p${number}`,
      labels: { app: "web" },
      ...fields.metadata,
    },
    spec: {
      nodeName: "n1",
      containers: [{ name: "c", ports: [{ name: "http", containerPort: 8080 }] }],
      ...fields.spec,
    },
    status: {
      phase: "Running",
      podIP: `10.0.${number >> 8}.${number & 255}`,
      conditions: [{ type: "Ready", status: "True" }],
      ...fields.status,
    },
  };
}

const node = { metadata: { name: "n1", labels: { "topology.kubernetes.io/zone": "z1" } } };

function planSlices(of: KubeObject, members: KubeObject[], slices: KubeObject[] = []) {
  const view = memoryView(endpointSliceController, [
    [services, [of]],
    [pods, members],
    [endpointSlices, slices],
    [nodes, [node]],
  ]);
  return endpointSliceController.plan(KEY, { view, nowMillis: 0 });
}

/** What a plan's slices would be, once performed. */
function perform(actions: readonly Action[], slices: readonly KubeObject[]): KubeObject[] {
  const after = new Map(slices.map((slice) => [slice.metadata.name!, slice]));
  let made = after.size;
  for (const action of actions) {
    if (action.kind === "create") {
      const name = `web-slice-${made++}`;
      const metadata = { ...action.object.metadata, name, uid: name };
      after.set(name, { ...action.object, metadata });
    } else if (action.kind === "update") after.set(action.object.metadata.name!, action.object);
    else if (action.kind === "delete") after.delete(action.object.metadata.name!);
  }
  return [...after.values()];
}

Deno.test("endpoint slices: an endpoint tells address, conditions, node, zone and pod", () => {
  const [slice] = perform(planSlices(service(), [pod(1)]), []);
  assert.deepEqual(slice.endpoints, [{
    addresses: ["10.0.0.1"],
    conditions: { ready: true, serving: true, terminating: false },
    targetRef: { kind: "Pod", namespace: "default", name: "web-1", uid: "p1" },
    nodeName: "n1",
    zone: "z1",
  }]);
  assert.deepEqual(slice.ports, [{ name: "http", port: 8080, protocol: "TCP" }]);
  assert.equal(slice.addressType, "IPv4");
  assert.equal(slice.metadata.labels?.["kubernetes.io/service-name"], "web");
  assert.equal(slice.metadata.ownerReferences?.[0].uid, "s");
  assert.deepEqual(planSlices(service(), [pod(1)], [slice]), []);
});

Deno.test("endpoint slices: readiness, ends and unready addresses", () => {
  const unready = { status: { conditions: [{ type: "Ready", status: "False" }] } };
  const leaving = { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } };
  const cases = [
    { of: {}, fields: {}, ready: true, serving: true, terminating: false },
    { of: {}, fields: unready, ready: false, serving: false, terminating: false },
    { of: {}, fields: leaving, ready: false, serving: true, terminating: true },
    {
      of: { publishNotReadyAddresses: true },
      fields: unready,
      ready: true,
      serving: false,
      terminating: false,
    },
  ];
  for (const { of, fields, ...conditions } of cases) {
    const [slice] = perform(planSlices(service(of), [pod(1, fields)]), []);
    assert.deepEqual(slice.endpoints[0].conditions, conditions);
  }
  const ended = pod(1, { status: { phase: "Succeeded" } });
  assert.deepEqual(perform(planSlices(service(), [ended]), [])[0].endpoints, []);
});

Deno.test("endpoint slices: 100 endpoints each, and few slices are rewritten", () => {
  const members = Array.from({ length: 250 }, (_, number) => pod(number));
  const slices = perform(planSlices(service(), members), []);
  assert.deepEqual(slices.map((slice) => slice.endpoints.length), [100, 100, 50]);

  const fewer = members.filter((_, number) => number !== 120);
  const removal = planSlices(service(), fewer, slices);
  assert.equal(removal.length, 1);
  const after = perform(removal, slices);

  const more = [...fewer, pod(300), pod(301)];
  const addition = planSlices(service(), more, after);
  assert.ok(addition.length <= 2, `${addition.length} writes`);
  const grown = perform(addition, after);
  assert.equal(grown.reduce((sum, slice) => sum + slice.endpoints.length, 0), 251);
  assert.deepEqual(planSlices(service(), more, grown), []);
});

Deno.test("endpoint slices: a service without endpoints keeps one empty slice", () => {
  const empty = perform(planSlices(service(), []), []);
  assert.equal(empty.length, 1);
  assert.deepEqual(empty[0].endpoints, []);
  assert.deepEqual(planSlices(service(), [], empty), []);
  const filled = perform(planSlices(service(), [pod(1)], empty), empty);
  assert.deepEqual(filled.map((slice) => slice.endpoints.length), [1]);
});

Deno.test("endpoint slices: headless services are marked and may have no ports", () => {
  const headless = service({ clusterIP: "None", ports: undefined });
  const named = pod(1, { spec: { hostname: "db-0", subdomain: "web" } });
  const [slice] = perform(planSlices(headless, [named]), []);
  assert.equal(slice.metadata.labels?.["service.kubernetes.io/headless"], "");
  assert.deepEqual(slice.ports, []);
  assert.equal(slice.endpoints[0].hostname, "db-0");
});

Deno.test("endpoint slices: no selector, no slices", () => {
  assert.deepEqual(planSlices(service({ selector: undefined }), [pod(1)]), []);
  assert.deepEqual(planSlices(service({ type: "ExternalName" }), [pod(1)]), []);
});

function planEndpoints(of: KubeObject | undefined, members: KubeObject[], current?: KubeObject) {
  const view = memoryView(endpointsController, [
    [services, of === undefined ? [] : [of]],
    [pods, members],
    [endpoints, current === undefined ? [] : [current]],
  ]);
  return endpointsController.plan(KEY, { view, nowMillis: 0 });
}

Deno.test("endpoints: ready and unready addresses with the same ports share a subset", () => {
  const unready = pod(2, { status: { conditions: [] } });
  const [action] = planEndpoints(service(), [pod(1), unready]);
  assert.ok(action.kind === "create");
  const { subsets, metadata } = action.object;
  assert.equal(subsets.length, 1);
  assert.deepEqual(subsets[0].addresses.map((one: { ip: string }) => one.ip), ["10.0.0.1"]);
  assert.deepEqual(subsets[0].notReadyAddresses.map((one: { ip: string }) => one.ip), ["10.0.0.2"]);
  assert.deepEqual(subsets[0].ports, [{ name: "http", port: 8080, protocol: "TCP" }]);
  assert.equal(metadata.labels?.["endpoints.kubernetes.io/managed-by"], "endpoint-controller");
  assert.deepEqual(planEndpoints(service(), [pod(1), unready], action.object), []);
  const [removal] = planEndpoints(undefined, [], action.object);
  assert.equal(removal.kind, "delete");
});

Deno.test("endpoints: more than 1,000 addresses are cut and marked", () => {
  const members = Array.from({ length: 1005 }, (_, number) => pod(number));
  const [action] = planEndpoints(service(), members);
  assert.ok(action.kind === "create");
  assert.equal(action.object.subsets[0].addresses.length, 1000);
  assert.equal(
    action.object.metadata.annotations?.["endpoints.kubernetes.io/over-capacity"],
    "truncated",
  );
});

Deno.test("endpoints: those written by others stay", () => {
  const foreign = { metadata: { name: "web", namespace: "default" }, subsets: [] };
  assert.deepEqual(planEndpoints(undefined, [], foreign), []);
  assert.deepEqual(planEndpoints(service({ selector: undefined }), [], foreign), []);
});
