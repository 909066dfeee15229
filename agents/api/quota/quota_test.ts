/** What objects use of quotas, and what fits: tables from the documented behaviours. */
import assert from "node:assert/strict";
import type { KubeObject } from "../meta.ts";
import { checkQuotas, isInScopes } from "./check.ts";
import { type Around, measureOf } from "./measure.ts";

// deno-lint-ignore no-explicit-any
type Json = any;
const NOW = Date.UTC(2026, 0, 2);

const pod = (resources: object = {}, more: Json = {}): KubeObject => ({
  metadata: { name: "p", namespace: "n", ...more.metadata },
  spec: { containers: [{ name: "c", resources }], ...more.spec },
  status: more.status,
});
const ALONE: Around = { deviceClass: () => undefined, pod: () => undefined, claims: () => [] };
const used = (group: string, plural: string, object: KubeObject, around = ALONE) =>
  measureOf(group, plural)!.usage(object, NOW, around);

Deno.test("a pod uses what it requests and limits, overhead included, while it lives", () => {
  const asked = { requests: { cpu: "1", memory: "1Gi", "x.io/gpu": "2" }, limits: { cpu: "2" } };
  assert.deepEqual(used("", "pods", pod(asked, { spec: { overhead: { cpu: "500m" } } })), {
    "count/pods": "1",
    pods: "1",
    cpu: "1500m",
    "requests.cpu": "1500m",
    memory: "1Gi",
    "requests.memory": "1Gi",
    "requests.x.io/gpu": "2",
    "limits.cpu": "2500m",
  });
  const ended: readonly object[] = [
    { status: { phase: "Succeeded" } },
    { status: { phase: "Failed" } },
    { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: 30 } },
  ];
  for (const more of ended) {
    assert.deepEqual(used("", "pods", pod(asked, more)), { "count/pods": "1" });
  }
});

Deno.test("services, claims, devices and everything else are counted", () => {
  const service = (spec: object) => used("", "services", { metadata: {}, spec });
  const ports = [{ port: 1 }, { port: 2, nodePort: 30000 }];
  const amounts = (nodePorts: string, balancers: string) => ({
    "count/services": "1",
    services: "1",
    "services.nodeports": nodePorts,
    "services.loadbalancers": balancers,
  });
  assert.deepEqual(service({ type: "ClusterIP", ports }), amounts("0", "0"));
  assert.deepEqual(service({ type: "NodePort", ports }), amounts("2", "0"));
  assert.deepEqual(service({ type: "LoadBalancer", ports }), amounts("2", "1"));
  assert.deepEqual(
    service({ type: "LoadBalancer", ports, allocateLoadBalancerNodePorts: false }),
    amounts("1", "1"),
  );
  const claim = { storageClassName: "gold", resources: { requests: { storage: "2Gi" } } };
  assert.deepEqual(used("", "persistentvolumeclaims", { metadata: {}, spec: claim }), {
    "count/persistentvolumeclaims": "1",
    persistentvolumeclaims: "1",
    "requests.storage": "2Gi",
    "gold.storageclass.storage.k8s.io/persistentvolumeclaims": "1",
    "gold.storageclass.storage.k8s.io/requests.storage": "2Gi",
  });
  const requests = [
    { exactly: { deviceClassName: "gpu", allocationMode: "ExactCount", count: 2 } },
    {
      firstAvailable: [
        { deviceClassName: "gpu", allocationMode: "All" },
        { deviceClassName: "nic", allocationMode: "ExactCount", count: 1 },
      ],
    },
  ];
  assert.deepEqual(
    used("resource.k8s.io", "resourceclaims", { metadata: {}, spec: { devices: { requests } } }),
    {
      "count/resourceclaims.resource.k8s.io": "1",
      "gpu.deviceclass.resource.k8s.io/devices": "34",
      "nic.deviceclass.resource.k8s.io/devices": "1",
    },
  );
  assert.deepEqual(used("apps", "deployments", { metadata: {} }), {
    "count/deployments.apps": "1",
  });
  assert.deepEqual(used("", "secrets", { metadata: {} }), { "count/secrets": "1", secrets: "1" });
  assert.equal(measureOf("", "events"), undefined);
});

Deno.test("scopes choose pods", () => {
  const measure = measureOf("", "pods")!;
  const affinity = {
    podAntiAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [{
        weight: 1,
        podAffinityTerm: { topologyKey: "k", namespaces: ["o"] },
      }],
    },
  };
  const selects = (operator: string, ...values: string[]) => ({
    scopeSelector: { matchExpressions: [{ scopeName: "PriorityClass", operator, values }] },
  });
  const high = pod({}, { spec: { priorityClassName: "high" } });
  const cases: readonly [object, KubeObject, boolean][] = [
    [{ scopes: ["BestEffort"] }, pod(), true],
    [{ scopes: ["NotBestEffort"] }, pod({ requests: { cpu: "1" } }), true],
    [{ scopes: ["NotBestEffort"] }, pod(), false],
    [{ scopes: ["Terminating"] }, pod({}, { spec: { activeDeadlineSeconds: 5 } }), true],
    [{ scopes: ["NotTerminating"] }, pod(), true],
    [{ scopes: ["CrossNamespacePodAffinity"] }, pod({}, { spec: { affinity } }), true],
    [{ scopes: ["CrossNamespacePodAffinity"] }, pod(), false],
    [{ scopes: ["PriorityClass"] }, high, true],
    [selects("In", "high", "low"), high, true],
    [selects("In", "low"), high, false],
    [selects("NotIn", "low"), high, true],
    [selects("DoesNotExist"), pod(), true],
    [selects("Exists"), pod(), false],
  ];
  for (const [spec, object, expected] of cases) {
    assert.equal(
      isInScopes({ metadata: {}, spec }, measure, object),
      expected,
      JSON.stringify(spec),
    );
  }
});

const quota = (hard: object, spent: object | undefined, spec: object = {}): KubeObject => ({
  metadata: { name: "q" },
  spec: { hard, ...spec },
  status: { hard, used: spent },
});

Deno.test("what does not fit is refused in upstream's words", () => {
  const measure = measureOf("", "pods")!;
  const cases: readonly [KubeObject, object, string][] = [
    [
      quota({ pods: "2", cpu: "1" }, { pods: "2", cpu: "500m" }),
      { requests: { cpu: "600m" } },
      "exceeded quota: q, requested: cpu=600m,pods=1, used: cpu=500m,pods=2, limited: cpu=1,pods=2",
    ],
    [
      quota({ "limits.memory": "1Gi", "requests.cpu": "1" }, { "limits.memory": "0" }),
      {},
      "failed quota: q: must specify limits.memory for: c; requests.cpu for: c",
    ],
    [quota({ pods: "2" }, {}), {}, "status unknown for quota: q, resources: pods"],
    [
      quota({ "count/pods": "0" }, { "count/pods": "0" }),
      {},
      "exceeded quota: q, requested: count/pods=1, used: count/pods=0, limited: count/pods=0",
    ],
  ];
  for (const [one, resources, expected] of cases) {
    const change = { operation: "CREATE", subresource: "", object: pod(resources), old: null };
    const running = [{ quota: one, used: one.status.used }];
    const outcome = checkQuotas(running, measure, { change, nowMillis: NOW, around: ALONE });
    assert.deepEqual(outcome, { kind: "refused", reason: expected });
  }
});

Deno.test("an update pays for what it adds; quotas about other things are left alone", () => {
  const measure = measureOf("", "persistentvolumeclaims")!;
  const claim = (storage: string): KubeObject => ({
    metadata: {},
    spec: { resources: { requests: { storage } } },
  });
  const one = quota({ "requests.storage": "5Gi", "count/secrets": "1" }, {
    "requests.storage": "3Gi",
    "count/secrets": "1",
  });
  const check = (from: string, to: string) =>
    checkQuotas([{ quota: one, used: one.status.used }], measure, {
      change: { operation: "UPDATE", subresource: "", object: claim(to), old: claim(from) },
      nowMillis: NOW,
      around: ALONE,
    });
  assert.deepEqual(check("1Gi", "3Gi"), {
    kind: "fits",
    used: new Map([["q", { "requests.storage": "5Gi", "count/secrets": "1" }]]),
  });
  assert.equal(check("1Gi", "4Gi").kind, "refused");
  assert.deepEqual(check("3Gi", "1Gi"), { kind: "fits", used: new Map() });
});

Deno.test("devices count as what they stand for, unless their pod is charged for it", () => {
  const owner = { apiVersion: "v1", kind: "Pod", name: "p", uid: "u", controller: true };
  const claim = (metadata: Json = {}, count = 3): KubeObject => ({
    metadata: { name: "c", namespace: "n", creationTimestamp: "2026-01-01T00:00:00Z", ...metadata },
    spec: { devices: { requests: [{ exactly: { deviceClassName: "gpu", count } }] } },
  });
  const annotations = { "resource.kubernetes.io/extended-resource-claim": "true" };
  const made = { annotations, ownerReferences: [owner] };
  const user = (name?: string) =>
    pod({ requests: { "x.io/gpu": "2" } }, {
      metadata: { uid: "u" },
      status: name && { extendedResourceClaimStatus: { resourceClaimName: name } },
    });
  const around = (owned: KubeObject, others: readonly KubeObject[] = []): Around => ({
    deviceClass: () => ({ metadata: {}, spec: { extendedResourceName: "x.io/gpu" } }),
    pod: (_namespace, name) => name === "p" ? owned : undefined,
    claims: () => others,
  });
  const byName = "requests.deviceclass.resource.kubernetes.io/gpu";
  const tell = (object: KubeObject, world: Around) => {
    const all = used("resource.k8s.io", "resourceclaims", object, world);
    return [all["requests.x.io/gpu"], all[byName], all["gpu.deviceclass.resource.k8s.io/devices"]];
  };
  assert.deepEqual(tell(claim(), ALONE), [undefined, undefined, "3"]);
  assert.deepEqual(tell(claim(), around(user())), ["3", "3", "3"]);
  assert.deepEqual(tell(claim(made), around(user("c"))), ["1", "3", "3"]);
  assert.deepEqual(tell(claim(made, 2), around(user("c"))), [undefined, "2", "2"]);
  assert.deepEqual(tell(claim(made), around(user("other"))), ["3", "3", "3"]);
  assert.deepEqual(tell(claim(made), around(user())), ["1", "3", "3"]);
  const earlier = claim({ ...made, name: "b" });
  assert.deepEqual(tell(claim(made), around(user(), [earlier])), ["3", "3", "3"]);
  const stranger = { ...made, ownerReferences: [{ ...owner, uid: "v" }] };
  assert.deepEqual(tell(claim(stranger), around(user())), ["3", "3", "3"]);
  const { counts } = measureOf("resource.k8s.io", "resourceclaims")!;
  assert.deepEqual(["requests.x.io/gpu", byName, "requests.cpu"].map(counts), [true, true, false]);
});
