/**
 * Pod groups through the API server: objects in, bindings, conditions and events out. The clock is
 * driven by hand, so backoffs take no time.
 */
import assert from "node:assert/strict";
import type { KubeObject } from "../../agents/api/meta.ts";
import { createInProcessClient } from "../../agents/client/in_process.ts";
import { runKubeScheduler, type RunningKubeScheduler } from "../../agents/kube_scheduler/run.ts";
import { ADMIN, type FakeApi, startFakeApi } from "../fakes/api_server.ts";
import { settle } from "../fakes/timer.ts";

const GROUPS = "/apis/scheduling.k8s.io/v1alpha2/namespaces/default";
const PODS = "/api/v1/namespaces/default/pods";
/** Nobody makes accounts here, or says that nodes are ready. */
const DISABLED = ["ServiceAccount", "TaintNodesByCondition"];
const CONDITION = "PodGroupScheduled";

class World {
  readonly api: FakeApi;
  scheduler!: RunningKubeScheduler;

  constructor(api: FakeApi) {
    this.api = api;
  }

  async startScheduler(): Promise<void> {
    const { server, clock } = this.api;
    const client = createInProcessClient({ port: server.port, user: ADMIN });
    const random = () => 0.5;
    const starting = runKubeScheduler({
      client,
      clock: {
        nowMillis: () => clock.nowMillis(),
        after: (delayMillis, action) => clock.after(delayMillis, action),
        random,
      },
    });
    await this.pass(0);
    this.scheduler = await starting;
  }

  /** Lets time pass in small steps, with everything settling in between. */
  async pass(millis: number): Promise<void> {
    for (let left = millis; left >= 0; left -= 500) {
      await settle(4);
      this.api.clock.advance(Math.min(500, left));
      await settle(4);
      this.api.clock.advance(0);
      await settle(4);
    }
  }

  async post(url: string, body: object): Promise<KubeObject> {
    const { status, json, text } = await this.api.ask("POST", url, body);
    assert.equal(status, 201, text);
    return json;
  }

  async node(name: string, cpu = "1"): Promise<void> {
    const amounts = { cpu, memory: "4Gi", pods: "10" };
    await this.post("/api/v1/nodes", {
      metadata: { name, labels: { "kubernetes.io/hostname": name } },
      status: { capacity: amounts, allocatable: amounts },
    });
  }

  async group(name: string, minCount: number): Promise<void> {
    await this.post(`${GROUPS}/podgroups`, {
      metadata: { name },
      spec: { schedulingPolicy: { gang: { minCount } } },
    });
  }

  async pod(name: string, podGroupName: string, spec: object = {}): Promise<void> {
    const resources = { requests: { cpu: "800m" } };
    await this.post(PODS, {
      metadata: { name },
      spec: {
        schedulingGroup: { podGroupName },
        containers: [{ name: "c", image: "i", resources }],
        ...spec,
      },
    });
  }

  async bound(): Promise<string[]> {
    const { json } = await this.api.ask("GET", PODS);
    return json.items.filter((pod: KubeObject) => pod.spec.nodeName)
      .map((pod: KubeObject) => pod.metadata.name).sort();
  }

  async condition(name: string): Promise<Record<string, string> | undefined> {
    const { json } = await this.api.ask("GET", `${GROUPS}/podgroups/${name}`);
    return json.status?.conditions?.find(({ type }: { type: string }) => type === CONDITION);
  }

  async podMessage(name: string): Promise<string> {
    const { json } = await this.api.ask("GET", `${PODS}/${name}`);
    return json.status.conditions.find(({ type }: { type: string }) => type === "PodScheduled")
      ?.message;
  }
}

function gangTest(name: string, body: (world: World) => Promise<void>): void {
  Deno.test(name, async () => {
    const world = new World(await startFakeApi({ disabledAdmission: DISABLED }));
    await world.startScheduler();
    try {
      await body(world);
    } finally {
      await world.scheduler.stop();
      await world.api.close();
    }
  });
}

gangTest("a gang waits for its group, its pods and its room, then starts whole", async (world) => {
  await world.node("n1");
  await world.node("n2");
  await world.pod("a", "team");
  await world.pod("b", "team");
  await world.pass(1000);
  assert.deepEqual(await world.bound(), []);
  await world.group("team", 3);
  await world.pass(1000);
  assert.equal(await world.condition("team"), undefined, "too few pods: not tried yet");
  await world.pod("c", "team");
  await world.pass(1000);
  assert.deepEqual(await world.bound(), []);
  const refused = await world.condition("team");
  assert.deepEqual([refused?.status, refused?.reason, refused?.message], [
    "False",
    "Unschedulable",
    "pod group is unschedulable",
  ]);
  const messages = await Promise.all(["a", "b", "c"].map((name) => world.podMessage(name)));
  assert.deepEqual(messages.sort(), [
    "0/2 nodes are available: 2 Insufficient cpu. preemption: 0/2 nodes are available: 2 No " +
    "preemption victims found for incoming pod.",
    ...Array(2).fill(
      "pod group is unschedulable, waiting for minCount pods from a gang to be scheduled",
    ),
  ]);
  await world.node("n3");
  await world.pass(5000);
  assert.deepEqual(await world.bound(), ["a", "b", "c"]);
  const scheduled = await world.condition("team");
  assert.deepEqual([scheduled?.status, scheduled?.reason], ["True", "Scheduled"]);
  const { json } = await world.api.ask("GET", "/api/v1/namespaces/default/events");
  const reasons = new Set(json.items.map(({ reason }: KubeObject) => reason));
  assert.deepEqual([...reasons].sort(), ["FailedScheduling", "Scheduled"]);
});

gangTest("a scheduler that takes over completes a gang before anyone else", async (world) => {
  await world.group("team", 3);
  for (const name of ["n1", "n2", "n3"]) await world.node(name);
  await world.scheduler.stop();
  for (const name of ["rival", "a", "b", "c"]) {
    await world.pod(name, name === "rival" ? "other" : "team");
  }
  await world.post(`${GROUPS}/podgroups`, {
    metadata: { name: "other" },
    spec: { schedulingPolicy: { basic: {} } },
  });
  // What a scheduler leaves that ended between two bindings.
  await world.post(`${PODS}/a/binding`, { target: { kind: "Node", name: "n1" } });
  await world.startScheduler();
  await world.pass(2000);
  assert.deepEqual(await world.bound(), ["a", "b", "c"]);
  assert.equal((await world.condition("other"))?.status, "False");
});

gangTest("a gang evicts only if it starts then, and keeps its places meanwhile", async (world) => {
  await world.node("n1");
  await world.node("n2");
  for (const [name, value] of [["high", 1000], ["low", 1]] as const) {
    await world.post("/apis/scheduling.k8s.io/v1/priorityclasses", { metadata: { name }, value });
  }
  await world.post(`${GROUPS}/podgroups`, {
    metadata: { name: "old" },
    spec: { schedulingPolicy: { basic: {} } },
  });
  await world.pod("x", "old", { priorityClassName: "low", terminationGracePeriodSeconds: 0 });
  await world.pass(1000);
  assert.deepEqual(await world.bound(), ["x"]);
  await world.group("large", 3);
  for (const name of ["l1", "l2", "l3"]) {
    await world.pod(name, "large", { priorityClassName: "high" });
  }
  await world.pass(2000);
  assert.deepEqual(await world.bound(), ["x"], "no victim goes for a gang that fits nowhere");
  await world.group("team", 2);
  for (const name of ["a", "b"]) await world.pod(name, "team", { priorityClassName: "high" });
  await world.pass(10_000);
  assert.deepEqual(await world.bound(), ["a", "b"]);
});

gangTest(
  "groups refer to templates that exist, and pods of a group to one scheduler",
  async (w) => {
    const reference = { workload: { workloadName: "train", podGroupTemplateName: "workers" } };
    const spec = { schedulingPolicy: { gang: { minCount: 1 } }, podGroupTemplateRef: reference };
    const group = { metadata: { name: "g" }, spec };
    const refused = await w.api.ask("POST", `${GROUPS}/podgroups`, group);
    assert.equal(refused.status, 403);
    assert.match(refused.text, /PodGroup rejected: Workload \\"train\\" not found/);
    const schedulingPolicy = { gang: { minCount: 1 } };
    await w.post(`${GROUPS}/workloads`, {
      metadata: { name: "train" },
      spec: { podGroupTemplates: [{ name: "workers", schedulingPolicy }] },
    });
    await w.post(`${GROUPS}/podgroups`, group);
    await w.node("n1");
    await w.pod("a", "g");
    await w.pass(1000);
    const table = { headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" } };
    const { json } = await w.api.ask("GET", `${GROUPS}/podgroups`, undefined, table);
    assert.deepEqual(json.rows[0].cells.slice(0, 4), ["g", "Gang", "train", "Scheduled"]);
  },
);
