/** What nodes and pods use: rates between looks, who is asked when, what the API answers. */
import assert from "node:assert/strict";
import { type FakeApi, podNamed, withApi } from "../../../tests/fakes/api_server.ts";
import { ManualClock } from "../../../tests/fakes/manual_clock.ts";
import type { KubeObject } from "../../api/meta.ts";
import type { KubeletPort } from "../ports.ts";
import { parseReadings } from "./parse_readings.ts";
import { usageBetween, UsageCollector } from "./usage_collector.ts";

const textOf = (atMillis: number, cpuSeconds: number, startSeconds = 1) =>
  `# TYPE node_cpu_usage_seconds_total counter
node_cpu_usage_seconds_total ${cpuSeconds * 2} ${atMillis}
node_memory_working_set_bytes 2.097152e+06 ${atMillis}
container_cpu_usage_seconds_total{container="main",namespace="default",pod="p"} ${cpuSeconds} ${atMillis}
container_memory_working_set_bytes{container="main",namespace="default",pod="p"} 1048576 ${atMillis}
container_start_time_seconds{container="main",namespace="default",pod="p"} ${startSeconds} ${atMillis}
container_swap_usage_bytes{container="main",namespace="default",pod="p"} 7 ${atMillis}
scrape_error 0
`;

Deno.test("usage is a rate between two looks", () => {
  const before = parseReadings(textOf(1_000, 10), 0);
  const used = usageBetween(before, parseReadings(textOf(3_000, 10.5), 0));
  const common = { atMillis: 3_000, windowMillis: 2_000 };
  assert.deepEqual(used.node, { ...common, cpuCores: 0.5, memoryBytes: 2_097_152 });
  const main = { ...common, cpuCores: 0.25, memoryBytes: 1_048_576 };
  assert.deepEqual(used.pods, new Map([["default/p", new Map([["main", main]])]]));
});

Deno.test("nothing is told of what started anew, was not measured again, or is nonsense", () => {
  const before = parseReadings(textOf(1_000, 10), 0);
  const none = (text: string) => usageBetween(before, parseReadings(text, 0)).pods.size === 0;
  assert(none(textOf(3_000, 1, 2)), "another start");
  assert(none(textOf(3_000, 9)), "a counter that fell");
  assert(none(textOf(1_000, 10)), "the same look");
  assert(none('container_cpu_usage_seconds_total{pod="p"} 1 1\n{}\n\u0000 x y z\n'));
  assert(none(textOf(3_000, NaN)));
});

Deno.test("kubelets are asked when somebody asks, twice at first, then every 15 s at most", async () => {
  const clock = new ManualClock();
  let looks = 0;
  const measure = (name: string) => {
    if (name === "silent") return new Promise<string>(() => {});
    if (name === "broken") return Promise.reject(new Error("no"));
    looks++;
    return Promise.resolve(textOf(clock.nowMillis(), clock.nowMillis() / 4_000));
  };
  const collector = new UsageCollector({ measure, clock: everyOf(clock) });
  const ask = async (...names: string[]) => {
    const asked = Promise.all([collector.usageOf(names), collector.usageOf(names)]);
    await clock.advance(12_000);
    return (await asked)[0];
  };
  const first = (await ask("n1")).get("n1");
  assert.equal(first?.node?.windowMillis, 1_000);
  assert.equal(first?.node?.cpuCores, 0.5);
  assert.equal(looks, 2, "two who ask share both looks");
  await ask("n1");
  assert.equal(looks, 2, "11 s later the looks are fresh");
  const later = (await ask("n1")).get("n1");
  assert.equal(looks, 3);
  assert.equal(later?.node?.windowMillis, 23_000);
  const seen = await ask("n1", "silent", "broken");
  assert.deepEqual([...seen.keys()], ["n1"]);
  await clock.advance(120_000);
  assert.equal(looks, 3, "nobody asks");
  assert.equal((await ask("n1")).get("n1")?.node?.windowMillis, 1_000);
});

const everyOf = (clock: ManualClock) => ({
  nowMillis: () => clock.nowMillis(),
  after: (millis: number, action: () => void) => clock.after(millis, action),
  every: () => () => {},
});

const METRICS = "/apis/metrics.k8s.io/v1beta1";
const absent = () => Promise.reject(new Error("no"));

/** A node and a running pod; each look finds a second and a quarter more. */
async function withPod(run: (api: FakeApi) => Promise<void>): Promise<void> {
  let look = 0;
  const kubelets: KubeletPort = {
    logs: absent,
    exec: absent,
    attach: absent,
    portForward: absent,
    resourceMetrics: () => Promise.resolve(textOf(++look * 1_000, look / 4)),
  };
  await withApi(async (api) => {
    await api.ask("POST", "/api/v1/nodes", { metadata: { name: "n1", labels: { zone: "a" } } });
    const bound: KubeObject = podNamed("p");
    bound.metadata.labels = { app: "web" };
    bound.spec.nodeName = "n1";
    bound.spec.containers[0].name = "main";
    await api.ask("POST", "/api/v1/namespaces/default/pods", bound);
    await api.ask("PATCH", "/api/v1/namespaces/default/pods/p/status", {
      status: { phase: "Running" },
    }, { headers: { "content-type": "application/merge-patch+json" } });
    await run(api);
  }, { kubelets });
}

/** Asks and lets the second pass that the first question takes. */
async function askSlowly(api: FakeApi, path: string, headers: Record<string, string> = {}) {
  const asked = api.ask("GET", METRICS + path, undefined, { headers });
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
  api.clock.advance(1_000);
  return await asked;
}

Deno.test("metrics.k8s.io answers nodes and running pods", async () => {
  await withPod(async (api) => {
    const nodes = await askSlowly(api, "/nodes?labelSelector=zone%3Da");
    assert.equal(nodes.status, 200, nodes.text);
    assert.equal(nodes.json.kind, "NodeMetricsList");
    assert.deepEqual(nodes.json.items[0].usage, { cpu: "500m", memory: "2Mi" });
    assert.equal(nodes.json.items[0].window, "1s");
    assert.equal(nodes.json.items[0].timestamp, "1970-01-01T00:00:02Z");
    const one = await api.ask("GET", `${METRICS}/namespaces/default/pods/p`);
    assert.equal(one.json.kind, "PodMetrics");
    assert.deepEqual(one.json.containers, [
      { name: "main", usage: { cpu: "250m", memory: "1Mi" } },
    ]);
    assert.deepEqual(one.json.metadata.labels, { app: "web" });
    const named = await api.ask("GET", `${METRICS}/pods?fieldSelector=metadata.name%3Dp`);
    assert.equal(named.json.items.length, 1);
    for (const nothing of ["/pods?labelSelector=app%3Dx", "/namespaces/kube-system/pods"]) {
      assert.deepEqual((await api.ask("GET", METRICS + nothing)).json.items, [], nothing);
    }
  });
});

Deno.test("metrics.k8s.io prints as metrics-server does, misses as it does, takes no writes", async () => {
  await withPod(async (api) => {
    const accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
    const table = (await askSlowly(api, "/pods", { accept })).json;
    assert.deepEqual(table.columnDefinitions.map((one: { name: string }) => one.name), [
      "Name",
      "cpu",
      "memory",
      "Window",
    ]);
    assert.deepEqual(table.rows[0].cells, ["p", "250m", "1Mi", "1s"]);
    const gone = await api.ask("GET", `${METRICS}/namespaces/default/pods/q`);
    assert.equal(gone.status, 404);
    assert.equal(gone.json.message, 'podmetrics.metrics.k8s.io "default/q" not found');
    assert.equal((await api.ask("POST", `${METRICS}/nodes`, {})).status, 405);
    const user = { name: "viewer", groups: ["system:authenticated"] };
    const path = `${METRICS}/namespaces/default/pods`;
    assert.equal((await api.ask("GET", path, undefined, { user })).status, 403);
    await api.ask("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
      metadata: { name: "views" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "viewer" }],
    });
    assert.equal((await api.ask("GET", path, undefined, { user })).status, 200);
  });
});
