/** Hollow nodes: registration, heartbeats, pods that run and go. */
import assert from "node:assert/strict";
import { namespaces, nodes, pods } from "../../api/resources.ts";
import type { KubeObject } from "../../api/meta.ts";
import { MemoryApi } from "../../../tests/fakes/memory_api.ts";
import { ManualClock } from "../../../tests/fakes/manual_clock.ts";
import {
  EXIT_CODE,
  HOLLOW_DEFAULTS,
  type HollowConfig,
  hollowNode,
  nodeAddress,
  planPod,
  podPrefix,
  RUN_SECONDS,
  validateHollowConfig,
} from "./plan_hollow.ts";
import { runHollowNodes } from "./run.ts";

async function world(config: Partial<HollowConfig> = {}) {
  const clock = new ManualClock();
  const api = new MemoryApi(clock);
  const client = api.client();
  await client.create(namespaces, { metadata: { name: "kube-node-lease" } });
  const hollow = runHollowNodes({ client, clock, config });
  await clock.advance(10);
  await hollow.ready;
  return { clock, api, client, hollow };
}

const pod = (name: string, fields: KubeObject["metadata"] = {}, spec = {}): KubeObject => ({
  metadata: { name, namespace: "default", ...fields },
  spec: { containers: [{ name: "web", image: "web:1" }], ...spec },
});

Deno.test("hollow: nodes register with capacity, labels, addresses and conditions", async () => {
  const { api, hollow } = await world({ nodes: 4, zones: 2 });
  const all = api.all("nodes");
  assert.deepEqual(all.map((node) => node.metadata.name), hollow.names);
  assert.deepEqual(
    all.map((node) => node.metadata.labels?.["topology.kubernetes.io/zone"]),
    ["region-1-a", "region-1-b", "region-1-a", "region-1-b"],
  );
  const [{ status, spec }] = all;
  assert.equal(status.capacity.cpu, "32");
  assert.equal(status.allocatable.pods, "110");
  assert.equal(status.nodeInfo.kubeletVersion, "v1.36.0+balsa");
  assert.equal(status.nodeInfo.containerRuntimeVersion, "hollow://1.0");
  assert.deepEqual(status.addresses[0], { type: "InternalIP", address: "172.16.0.1" });
  assert.equal(status.daemonEndpoints, undefined, "its address may be another machine's");
  assert.equal(spec.podCIDR, "10.244.0.0/24");
  assert.equal(status.conditions.at(-1).type, "Ready");
  assert.equal(api.all("leases").length, 4);
  await hollow.stop();
});

Deno.test("hollow: leases are renewed every 10 s, nodes report every 5 min", async () => {
  const { api, clock, hollow } = await world({ nodes: 10 });
  api.log.length = 0;
  const perSecond: number[] = [];
  for (let second = 0; second < 60; second++) {
    const before = api.log.length;
    await clock.advance(1_000);
    perSecond.push(api.log.length - before);
  }
  const renewals = api.log.filter((line) => line.startsWith("update leases")).length;
  assert.ok(renewals >= 48 && renewals <= 66, `${renewals} renewals in a minute`);
  assert.ok(Math.max(...perSecond) <= 3, `evenly: ${perSecond}`);
  for (const lease of api.all("leases")) {
    const age = clock.nowMillis() - Date.parse(lease.spec.renewTime);
    assert.ok(age < 13_000, `renewed ${age} ms ago`);
  }
  await clock.advance(300_000);
  const reports = api.log.filter((line) => line.startsWith("patch nodes/status")).length;
  assert.ok(reports >= 10 && reports <= 20, `${reports} reports`);
  await hollow.stop();
});

Deno.test("hollow: a bound pod runs, and one that is deleted goes", async () => {
  const { api, client, clock, hollow } = await world();
  await client.create(pods, pod("web"));
  await client.create(pods, pod("unbound"));
  await client.bindMany([{ namespace: "default", name: "web", nodeName: "hollow-1" }]);
  await clock.advance(200);
  const place = { namespace: "default", name: "web" };
  const { status } = await client.get<KubeObject>(pods, place);
  assert.equal(status.phase, "Running");
  assert.equal(status.podIP, "10.244.1.2");
  assert.equal(status.hostIP, "172.16.0.2");
  assert.equal(status.containerStatuses[0].ready, true);
  assert.deepEqual(
    status.conditions.map((one: { type: string; status: string }) => `${one.type}=${one.status}`),
    [
      "PodReadyToStartContainers=True",
      "Initialized=True",
      "Ready=True",
      "ContainersReady=True",
      "PodScheduled=True",
    ],
  );
  const unbound = await client.get<KubeObject>(pods, { ...place, name: "unbound" });
  assert.equal(unbound.status, undefined);
  assert.deepEqual(api.all("events").map((event) => event.reason), [
    "Pulled",
    "Created",
    "Started",
  ]);
  assert.equal(api.all("events")[0].source.host, "hollow-1");

  await client.delete(pods, place);
  await clock.advance(200);
  assert.deepEqual(api.all("pods").map((one) => one.metadata.name), ["unbound"]);
  await hollow.stop();
});

Deno.test("hollow: addresses are not shared, and freed ones come again", async () => {
  const { api, client, clock, hollow } = await world({ nodes: 1 });
  const bind = async (name: string) => {
    await client.create(pods, pod(name));
    await client.bindMany([{ namespace: "default", name, nodeName: "hollow-0" }]);
    await clock.advance(200);
  };
  for (const name of ["a", "b", "c"]) await bind(name);
  assert.deepEqual(
    api.all("pods").map((one) => one.status.podIP),
    ["10.244.0.2", "10.244.0.3", "10.244.0.4"],
  );
  await client.delete(pods, { namespace: "default", name: "b" });
  await clock.advance(200);
  await bind("d");
  assert.equal(api.all("pods").at(-1)?.status.podIP, "10.244.0.3");
  await hollow.stop();
});

Deno.test("hollow: a deleted node and a deleted lease come back", async () => {
  const { api, client, clock, hollow } = await world({ nodes: 2 });
  await client.delete(nodes, { name: "hollow-0" });
  await clock.advance(310_000);
  assert.equal(api.all("nodes").length, 2);
  await hollow.stop();
});

Deno.test("hollow: containers that say how long they run exit by their restart policy", () => {
  const place = { hostAddress: "h", podAddress: "p", startMillis: 0, nowMillis: 0 };
  const cases = [
    { policy: "Never", code: "0", phase: "Succeeded", restarts: 0 },
    { policy: "Never", code: "1", phase: "Failed", restarts: 0 },
    { policy: "OnFailure", code: "0", phase: "Succeeded", restarts: 0 },
    { policy: "OnFailure", code: "2", phase: undefined, restarts: 1 },
    { policy: "Always", code: "0", phase: undefined, restarts: 1 },
  ];
  for (const { policy, code, phase, restarts } of cases) {
    const annotations = { [RUN_SECONDS]: "5", [EXIT_CODE]: code };
    const bound = pod("job", { uid: "u", annotations }, { restartPolicy: policy });
    const start = planPod(bound, place);
    assert.ok(start.kind === "report");
    const running = { ...bound, status: start.status };
    assert.deepEqual(planPod(running, { ...place, nowMillis: 2_000 }), {
      kind: "wait",
      millis: 3_000,
    });
    const exit = planPod(running, { ...place, nowMillis: 5_000 });
    assert.ok(exit.kind === "report", policy);
    assert.equal(exit.status.phase, phase, `${policy} ${code}`);
    const [status] = exit.status.containerStatuses as { restartCount: number }[];
    assert.equal(status.restartCount, restarts);
  }
});

Deno.test("hollow: a readiness gate keeps a pod unready until it opens", () => {
  const place = { hostAddress: "h", podAddress: "p", startMillis: 0, nowMillis: 0 };
  const gated = pod("web", { uid: "u" }, { readinessGates: [{ conditionType: "open" }] });
  const ready = (action: ReturnType<typeof planPod>) => {
    assert.ok(action.kind === "report");
    const conditions = action.status.conditions as { type: string; status: string }[];
    return conditions.find((one) => one.type === "Ready")?.status;
  };
  const first = planPod(gated, place);
  assert.equal(ready(first), "False");
  assert.ok(first.kind === "report");
  const open = { type: "open", status: "True" };
  const conditions = [...first.status.conditions as unknown[], open];
  const next = planPod({ ...gated, status: { ...first.status, conditions } }, place);
  assert.equal(ready(next), "True");
});

Deno.test("hollow: addresses stay apart for thousands of nodes", () => {
  const count = 5_000;
  assert.equal(new Set(Array.from({ length: count }, (_, i) => nodeAddress(i))).size, count);
  assert.equal(new Set(Array.from({ length: count }, (_, i) => podPrefix(i))).size, count);
  assert.equal(podPrefix(254), "10.245.0");
  assert.equal(nodeAddress(255), "172.16.1.0");
  assert.equal(hollowNode(HOLLOW_DEFAULTS, 300, 0).spec.podCIDR, "10.245.46.0/24");
});

Deno.test("hollow: every problem of a configuration is named", () => {
  assert.deepEqual(validateHollowConfig(HOLLOW_DEFAULTS), []);
  const problems = validateHollowConfig({
    ...HOLLOW_DEFAULTS,
    nodes: 0,
    pods: 300,
    namePrefix: "A",
  });
  assert.deepEqual(problems.map((problem) => problem.split(":")[0]), [
    "nodes",
    "pods",
    "namePrefix",
  ]);
});
