/**
 * What becomes of API objects: requests of every kind of container, selectors, ports, images, and
 * configuration files.
 */
import assert from "node:assert/strict";
import { EMPTY_SPEC } from "../../scheduler/mod.ts";
import { encodeNode, encodeSpec } from "./encode.ts";
import type { Container, Pod } from "./kinds.ts";
import { nodeAllocatable, nonzeroRequests, podRequests } from "./requests.ts";
import { defaultSelector } from "./spread_selector.ts";

function container(requests: Record<string, string>, more: Partial<Container> = {}): Container {
  return { name: "c", image: "app", resources: { requests }, ...more };
}

function pod(spec: Partial<Pod["spec"]>, more: Partial<Pod> = {}): Pod {
  return {
    metadata: { namespace: "ns", name: "p", uid: "u", labels: { app: "web" } },
    spec: { containers: [container({ cpu: "1", memory: "1Gi" })], ...spec },
    ...more,
  } as Pod;
}

Deno.test("requests: containers add up, init containers take turns, sidecars stay", () => {
  const { cpuMilli, memoryBytes, scalars } = podRequests(pod({
    containers: [
      container({ cpu: "500m", memory: "1Gi", "example.com/gpu": "2" }),
      container({ cpu: "250m" }),
    ],
    initContainers: [
      container({ cpu: "2" }),
      container({ cpu: "100m", memory: "1Gi" }, { name: "side", restartPolicy: "Always" }),
      container({ memory: "3Gi" }),
    ],
    overhead: { cpu: "50m" },
  }));
  assert.equal(cpuMilli, 2050);
  assert.equal(memoryBytes, 4 * 2 ** 30);
  assert.deepEqual(scalars, [{ name: "example.com/gpu", amount: 2 }]);
});

Deno.test("requests: defaults fill in container by container, an explicit zero stays", () => {
  const containers = [container({}), container({ cpu: "0" }), container({ cpu: "1" })];
  assert.deepEqual(nonzeroRequests(pod({ containers })), {
    cpuMilli: 1100,
    memoryBytes: 3 * 200 * 2 ** 20,
  });
});

Deno.test("requests: during a resize the most counts, unless it is infeasible", () => {
  const status = {
    containerStatuses: [{
      name: "c",
      resources: { requests: { cpu: "2" } },
      allocatedResources: { cpu: "2", memory: "1Gi" },
    }],
  };
  const asked = { containers: [container({ cpu: "4", memory: "512Mi" })] };
  assert.equal(podRequests(pod(asked, { status })).cpuMilli, 4000);
  const conditions = [{ type: "PodResizePending", status: "True", reason: "Infeasible" }];
  const infeasible = podRequests(pod(asked, { status: { ...status, conditions } }));
  assert.equal(infeasible.cpuMilli, 2000);
  assert.equal(infeasible.memoryBytes, 2 ** 30);
});

Deno.test("requests: the pod's own override its containers' for cpu and memory", () => {
  const spec = { resources: { requests: { cpu: "3" } } };
  assert.equal(podRequests(pod(spec)).cpuMilli, 3000);
  assert.equal(podRequests(pod(spec)).memoryBytes, 2 ** 30);
});

Deno.test("requests: negative, huge and broken quantities stay numbers that sums can hold", () => {
  const asking = (cpu: string, memory: string) =>
    podRequests(pod({ containers: [container({ cpu, memory })] }));
  assert.deepEqual([asking("-2", "-5Gi").cpuMilli, asking("-2", "-5Gi").memoryBytes], [0, 0]);
  const huge = asking("9e30", "99999999999Ei");
  assert.deepEqual([huge.cpuMilli, huge.memoryBytes], [2 ** 52, 2 ** 52]);
  assert.deepEqual([asking("one", "").cpuMilli, asking("one", "").memoryBytes], [0, 0]);
  const { allocatable, allowedPods } = nodeAllocatable({ cpu: "-1", memory: "1e400", pods: "-3" });
  assert.ok(allocatable.cpuMilli === 0 && allowedPods === 0);
  assert.ok(Number.isSafeInteger(allocatable.memoryBytes));
});

Deno.test("a bare pod asks for nothing special", () => {
  const spec = encodeSpec(pod({ containers: [container({})] }));
  assert.deepEqual(spec, {
    ...EMPTY_SPEC,
    namespace: "ns",
    labels: { app: "web" },
    images: ["app:latest"],
  });
});

Deno.test("terms, ports and spread constraints get their documented defaults", () => {
  const term = { topologyKey: "zone", labelSelector: { matchLabels: { a: "1" } } };
  const everywhere = { ...term, namespaceSelector: {} };
  const spec = encodeSpec(pod({
    containers: [container({}, { ports: [{ hostPort: 80 }, { hostPort: 0 }] })],
    affinity: {
      podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term, everywhere] },
    },
    topologySpreadConstraints: [{
      maxSkew: 1,
      topologyKey: "zone",
      whenUnsatisfiable: "DoNotSchedule",
      labelSelector: {},
      matchLabelKeys: ["app", "absent"],
    }],
  }));
  assert.deepEqual(spec.hostPorts, [{ ip: "0.0.0.0", protocol: "TCP", port: 80 }]);
  const selector = [{ key: "a", operator: "In", values: ["1"] }];
  assert.deepEqual(spec.requiredAntiAffinity, [
    { topologyKey: "zone", namespaces: ["ns"], namespaceSelector: null, selector },
    { topologyKey: "zone", namespaces: [], namespaceSelector: [], selector },
  ]);
  assert.deepEqual(spec.spread[0].selector, [{ key: "app", operator: "In", values: ["web"] }]);
  assert.equal(spec.spread[0].nodeAffinityPolicy, "Honor");
  assert.equal(spec.spread[0].minDomains, 1);
});

Deno.test("a node's row holds what it offers", () => {
  const allocatable = { cpu: "3500m", memory: "8Gi", pods: "110", "hugepages-2Mi": "4Mi" };
  const row = encodeNode({
    metadata: { name: "n" },
    spec: { taints: [{ key: "k", effect: "NoSchedule" }] },
    status: { allocatable, images: [{ names: ["a:1", "a@sha"], sizeBytes: 7 }] },
  });
  assert.equal(row.allocatable.cpuMilli, 3500);
  assert.deepEqual(row.allocatable.scalars, [{ name: "hugepages-2Mi", amount: 4 * 2 ** 20 }]);
  assert.equal(row.allowedPods, 110);
  assert.deepEqual(row.taints, [{ key: "k", value: "", effect: "NoSchedule" }]);
});

Deno.test("default spreading follows services and the controller", () => {
  const services = [
    { metadata: { name: "s" }, spec: { selector: { app: "web" } } },
    { metadata: { name: "other" }, spec: { selector: { app: "db" } } },
    { metadata: { name: "headless" }, spec: {} },
  ];
  const selector = { matchLabels: { app: "web", hash: "1" } };
  const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "r", uid: "x" };
  const owned = pod({});
  owned.metadata.ownerReferences = [{ ...owner, controller: true }];
  const found = defaultSelector(owned, {
    services: () => services,
    controller: () => ({ metadata: { name: "r" }, spec: { selector } }),
  });
  assert.deepEqual(found.map(({ key }) => key), ["app", "app", "hash"]);
});
