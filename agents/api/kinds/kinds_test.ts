/**
 * Tries the other kinds: defaults, checks, cells, and the two faces of events.
 * In: drafts of each kind. Out: what upstream fills in, refuses and prints.
 * Never: reads the clock or the network; randomness comes from fast-check.
 */
import assert from "node:assert/strict";
import type { KubeObject } from "../meta.ts";
import { validateObjectMeta, validateObjectMetaUpdate } from "../object_meta.ts";
import * as rows from "../resources.ts";
import type { FieldError, Resource } from "../resource.ts";
import { fieldErrorBody } from "../status.ts";

function prepared(row: Resource, parts: Record<string, unknown>): KubeObject {
  const object = {
    metadata: { name: "x", ...(row.namespaced ? { namespace: "default" } : {}) },
    ...structuredClone(parts),
  } as KubeObject;
  row.rules.setDefaults?.(object);
  return object;
}

const words = (errors: readonly FieldError[] = []) =>
  errors.map((error) => `${error.path}: ${fieldErrorBody(error)}`);

const problemsOf = (row: Resource, object: KubeObject) => words(row.rules.validate?.(object));

const cellsOf = (row: Resource, object: KubeObject) =>
  (row.rules.columns ?? []).map((column) => column.cell(object, 60_000));

const template = {
  metadata: { labels: { app: "w" } },
  spec: { containers: [{ name: "c", image: "nginx" }] },
};
const deployment = { spec: { selector: { matchLabels: { app: "w" } }, template } };

Deno.test("a deployment gets its defaults and passes", () => {
  const object = prepared(rows.deployments, deployment);
  assert.equal(object.spec.replicas, 1);
  assert.deepEqual(object.spec.strategy, {
    type: "RollingUpdate",
    rollingUpdate: { maxUnavailable: "25%", maxSurge: "25%" },
  });
  assert.equal(object.spec.template.spec.terminationGracePeriodSeconds, 30);
  assert.equal(object.spec.template.spec.enableServiceLinks, undefined);
  assert.deepEqual(problemsOf(rows.deployments, object), []);
});

Deno.test("deployments are refused for what upstream refuses", () => {
  const cases: readonly [Record<string, unknown>, string][] = [
    [{ selector: undefined }, "spec.selector: Required value"],
    [
      { selector: { matchLabels: { app: "v" } } },
      'spec.template.metadata.labels: Invalid value: {"app":"w"}: ' +
      "`selector` does not match template `labels`",
    ],
    [{ replicas: -1 }, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
    [
      { strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } },
      "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: " +
      "may not be 0 when `maxSurge` is 0",
    ],
    [
      { progressDeadlineSeconds: 5, minReadySeconds: 5 },
      "spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds",
    ],
  ];
  for (const [change, expected] of cases) {
    const object = prepared(rows.deployments, { spec: { ...deployment.spec, ...change } });
    const problems = problemsOf(rows.deployments, object);
    assert.ok(problems.includes(expected), problems.join("\n"));
  }
});

Deno.test("selectors never change", () => {
  const old = prepared(rows.replicaSets, deployment);
  const draft = structuredClone(old);
  draft.spec.selector.matchLabels = { app: "w", more: "1" };
  draft.spec.template.metadata.labels = { app: "w", more: "1" };
  const problems = words(rows.replicaSets.rules.validateUpdate?.(draft, old));
  assert.match(problems[0], /^spec.selector: Invalid value: .*: field is immutable$/);
});

Deno.test("cells of deployments and replica sets", () => {
  const object = prepared(rows.deployments, deployment);
  object.status = { readyReplicas: 1, updatedReplicas: 1, availableReplicas: 1 };
  object.metadata.creationTimestamp = "1970-01-01T00:00:00Z";
  assert.deepEqual(cellsOf(rows.deployments, object), [
    "x",
    "1/1",
    1,
    1,
    "60s",
    "c",
    "nginx",
    "app=w",
  ]);
});

Deno.test("services: defaults, refusals, cells", () => {
  const service = prepared(rows.services, { spec: { ports: [{ port: 80 }] } });
  assert.deepEqual(service.spec, {
    ports: [{ port: 80, protocol: "TCP", targetPort: 80 }],
    sessionAffinity: "None",
    type: "ClusterIP",
    internalTrafficPolicy: "Cluster",
  });
  assert.deepEqual(problemsOf(rows.services, service), []);
  const cases: readonly [Record<string, unknown>, string][] = [
    [{ ports: [] }, "spec.ports: Required value"],
    [{ ports: [{ port: 80 }, { port: 81 }] }, "spec.ports[0].name: Required value"],
    [
      { ports: [{ port: 80, nodePort: 30000 }] },
      "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
    ],
    [
      { ports: [{ port: 80 }], type: "Magic" },
      'spec.type: Unsupported value: "Magic": supported values: "ClusterIP", "ExternalName", ' +
      '"LoadBalancer", "NodePort"',
    ],
    [{ type: "ExternalName" }, "spec.externalName: Required value"],
  ];
  for (const [spec, expected] of cases) {
    const problems = problemsOf(rows.services, prepared(rows.services, { spec }));
    assert.ok(problems.includes(expected), problems.join("\n"));
  }
  const allocated = { clusterIP: "10.0.0.1", clusterIPs: ["10.0.0.1"], selector: { app: "w" } };
  Object.assign(service.spec, allocated);
  assert.deepEqual(cellsOf(rows.services, service), [
    "x",
    "ClusterIP",
    "10.0.0.1",
    "<none>",
    "80/TCP",
    "<unknown>",
    "app=w",
  ]);
});

Deno.test("an update that leaves the cluster address out keeps it; changing it is refused", () => {
  const { rules } = rows.services;
  const context = { nowMillis: 0, newUid: () => "" };
  const old = prepared(rows.services, {
    spec: { ports: [{ port: 80 }], clusterIP: "10.0.0.1", clusterIPs: ["10.0.0.1"] },
  });
  const silent = prepared(rows.services, { spec: { ports: [{ port: 80 }] } });
  rules.prepareForUpdate?.(silent, old, context);
  assert.equal(silent.spec.clusterIP, "10.0.0.1");
  const moved = structuredClone(old);
  moved.spec.clusterIP = "10.0.0.2";
  assert.match(words(rules.validateUpdate?.(moved, old)).join(), /may not change once set/);
});

Deno.test("namespaces carry their name as a label and a finalizer until they are empty", () => {
  const namespace = prepared(rows.namespaces, {});
  rows.namespaces.rules.prepareForCreate?.(namespace, { nowMillis: 0, newUid: () => "" });
  assert.deepEqual(namespace.metadata.labels, { "kubernetes.io/metadata.name": "x" });
  assert.deepEqual(namespace.spec, { finalizers: ["kubernetes"] });
  assert.deepEqual(namespace.status, { phase: "Active" });
});

Deno.test("nodes: cells and taints", () => {
  const node = prepared(rows.nodes, {
    spec: { unschedulable: true, taints: [{ key: "a", effect: "Never" }] },
    status: {
      conditions: [{ type: "Ready", status: "True" }],
      nodeInfo: { kubeletVersion: "v1", kernelVersion: "6.1", architecture: "amd64" },
      addresses: [{ type: "InternalIP", address: "10.1.1.1" }],
    },
  });
  node.metadata.labels = { "node-role.kubernetes.io/control-plane": "" };
  assert.deepEqual(cellsOf(rows.nodes, node), [
    "x",
    "Ready,SchedulingDisabled",
    "control-plane",
    "<unknown>",
    "v1",
    "10.1.1.1",
    "<none>",
    "<unknown>",
    "6.1 (amd64)",
    "<unknown>",
  ]);
  assert.match(problemsOf(rows.nodes, node)[0], /^spec.taints\[0\].effect: Unsupported value/);
});

Deno.test("secrets: stringData becomes data, types ask for keys, errors hold no value", () => {
  const secret = prepared(rows.secrets, { stringData: { a: "é" }, type: "kubernetes.io/tls" });
  assert.deepEqual(secret.data, { a: "w6k=" });
  assert.equal(secret.stringData, undefined);
  const problems = problemsOf(rows.secrets, secret);
  assert.deepEqual(problems, ["data[tls.crt]: Required value", "data[tls.key]: Required value"]);
});

Deno.test("immutable config maps stay as they are", () => {
  const old = prepared(rows.configMaps, { data: { a: "1" }, immutable: true });
  const draft = { ...structuredClone(old), data: { a: "2" } };
  assert.deepEqual(words(rows.configMaps.rules.validateUpdate?.(draft, old)), [
    "data: Forbidden: field is immutable when `immutable` is set",
  ]);
});

Deno.test("an event has two faces and one store", () => {
  const stored = {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: "e", namespace: "default" },
    involvedObject: { kind: "Pod", name: "p", namespace: "default" },
    reason: "Started",
    message: "hello",
    count: 2,
    reportingComponent: "kubelet",
    lastTimestamp: "1970-01-01T00:00:30Z",
  };
  const { storedAs } = rows.eventsV1;
  const newer = storedAs?.fromStored(stored);
  assert.equal(newer?.apiVersion, "events.k8s.io/v1");
  assert.equal(newer?.note, "hello");
  assert.equal(newer?.reportingController, "kubelet");
  assert.deepEqual(storedAs?.toStored(newer as KubeObject), stored);
  const cells = cellsOf(rows.events, stored);
  assert.deepEqual(cells.slice(0, 4), ["30s", "", "Started", "pod/p"]);
  assert.deepEqual(cellsOf(rows.eventsV1, newer as KubeObject), cells);
});

Deno.test("endpoint slices and endpoints shorten their lists", () => {
  const slice = prepared(rows.endpointSlices, {
    addressType: "IPv4",
    endpoints: [{ addresses: ["1"] }, { addresses: ["2"] }, { addresses: ["3"] }, {
      addresses: ["4"],
    }],
    ports: [{ port: 80 }],
  });
  assert.deepEqual(cellsOf(rows.endpointSlices, slice).slice(1, 4), [
    "IPv4",
    "80",
    "1,2,3 + 1 more...",
  ]);
  const endpoints = prepared(rows.endpoints, {
    subsets: [{ addresses: [{ ip: "1.1.1.1" }], ports: [{ port: 80 }] }],
  });
  assert.equal(cellsOf(rows.endpoints, endpoints)[1], "1.1.1.1:80");
});

Deno.test("priority classes: users stay below the system", () => {
  const high = prepared(rows.priorityClasses, { value: 2_000_000_000 });
  assert.match(problemsOf(rows.priorityClasses, high)[0], /maximum allowed value/);
  const system = prepared(rows.priorityClasses, { value: 1 });
  system.metadata.name = "system-x";
  assert.match(problemsOf(rows.priorityClasses, system)[0], /reserved for system use only/);
});

Deno.test("metadata is checked for all kinds alike", () => {
  const cases: readonly [Record<string, unknown>, string][] = [
    [{ name: "" }, "metadata.name: Required value: name or generateName is required"],
    [{ labels: { "a/b/c": "" } }, "a valid label key must consist of"],
    [{ finalizers: ["mine"] }, "name is neither a standard finalizer name"],
    [{ annotations: { a: "x".repeat(300_000) } }, "Too long: may not be more than 262144 bytes"],
    [
      { ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: "p", uid: "" }] },
      'metadata.ownerReferences[0].uid: Invalid value: "": must not be empty',
    ],
    [{ name: "Upper" }, "a lowercase RFC 1123 subdomain must consist of"],
  ];
  for (const [change, expected] of cases) {
    const metadata = { name: "x", namespace: "default", ...change };
    const problems = words(validateObjectMeta({ metadata }, rows.pods)).join("\n");
    assert.ok(problems.includes(expected), problems);
  }
  const scoped = words(validateObjectMeta({ metadata: { name: "n", namespace: "x" } }, rows.nodes));
  assert.deepEqual(scoped, ["metadata.namespace: Forbidden: not allowed on this type"]);
});

Deno.test("identity never changes in an update", () => {
  const old = { metadata: { name: "x", uid: "1", resourceVersion: "5" } };
  const draft = { metadata: { name: "x", uid: "2" } };
  assert.deepEqual(words(validateObjectMetaUpdate(draft, old)), [
    'metadata.resourceVersion: Invalid value: "": must be specified for an update',
    'metadata.uid: Invalid value: "2": field is immutable',
  ]);
});

Deno.test("rows are found by path and by kind, and no two share either", () => {
  assert.equal(rows.findResource("apps", "v1", "deployments"), rows.deployments);
  assert.equal(rows.findKind("", "v1", "Pod"), rows.pods);
  assert.equal(rows.findResource("", "v1", "deployments"), undefined);
  const keys = rows.resources.map((row) => `${row.group}/${row.version}/${row.plural}`);
  assert.equal(new Set(keys).size, keys.length);
});
