/**
 * Pod groups through the API server: objects in, bindings, conditions and events out. The clock is
 * driven by hand, so backoffs take no time.
 */
import assert from "node:assert/strict";
import type { KubeObject } from "../../../agents/api/meta.ts";
import { PODS, schedulingTest, type SchedulingWorld } from "../../fakes/scheduling_world.ts";

const GROUPS = "/apis/scheduling.k8s.io/v1alpha2/namespaces/default";
const CONDITION = "PodGroupScheduled";

async function makeGroup(world: SchedulingWorld, name: string, policy: object): Promise<void> {
  await world.post(`${GROUPS}/podgroups`, {
    metadata: { name },
    spec: { schedulingPolicy: policy },
  });
}

async function makePod(
  world: SchedulingWorld,
  name: string,
  podGroupName: string,
  spec: object = {},
): Promise<void> {
  await world.pod(name, { schedulingGroup: { podGroupName }, ...spec });
}

async function boundNames(world: SchedulingWorld): Promise<string[]> {
  return (await world.placements()).map((placement) => placement.split("@")[0]);
}

async function conditionOf(
  world: SchedulingWorld,
  name: string,
): Promise<Record<string, string> | undefined> {
  const { status } = await world.get(`${GROUPS}/podgroups/${name}`);
  return status?.conditions?.find(({ type }: { type: string }) => type === CONDITION);
}

schedulingTest(
  "a gang waits for its group, its pods and its room, then starts whole",
  async (world) => {
    await world.node("n1");
    await world.node("n2");
    await makePod(world, "a", "team");
    await makePod(world, "b", "team");
    await world.pass(1000);
    assert.deepEqual(await boundNames(world), []);
    await makeGroup(world, "team", { gang: { minCount: 3 } });
    await world.pass(1000);
    assert.equal(await conditionOf(world, "team"), undefined, "too few pods: not tried yet");
    await makePod(world, "c", "team");
    await world.pass(1000);
    assert.deepEqual(await boundNames(world), []);
    const refused = await conditionOf(world, "team");
    assert.deepEqual([refused?.status, refused?.reason, refused?.message], [
      "False",
      "Unschedulable",
      "pod group is unschedulable",
    ]);
    const messages = await Promise.all(["a", "b", "c"].map((name) => world.podMessage(name)));
    assert.deepEqual(messages.sort(), [
      "0/2 nodes are available: 2 Insufficient cpu. no new claims to deallocate, preemption: 0/2 " +
      "nodes are available: 2 No preemption victims found for incoming pod.",
      ...Array(2).fill(
        "pod group is unschedulable, waiting for minCount pods from a gang to be scheduled",
      ),
    ]);
    await world.node("n3");
    await world.pass(5000);
    assert.deepEqual(await boundNames(world), ["a", "b", "c"]);
    const scheduled = await conditionOf(world, "team");
    assert.deepEqual([scheduled?.status, scheduled?.reason], ["True", "Scheduled"]);
    const { json } = await world.api.ask("GET", "/api/v1/namespaces/default/events");
    const reasons = new Set(json.items.map(({ reason }: KubeObject) => reason));
    assert.deepEqual([...reasons].sort(), ["FailedScheduling", "Scheduled"]);
  },
);

schedulingTest("a scheduler that takes over completes a gang before anyone else", async (world) => {
  await makeGroup(world, "team", { gang: { minCount: 3 } });
  for (const name of ["n1", "n2", "n3"]) await world.node(name);
  await world.scheduler.stop();
  for (const name of ["rival", "a", "b", "c"]) {
    await makePod(world, name, name === "rival" ? "other" : "team");
  }
  await makeGroup(world, "other", { basic: {} });
  // What a scheduler leaves that ended between two bindings.
  await world.post(`${PODS}/a/binding`, { target: { kind: "Node", name: "n1" } });
  await world.startScheduler();
  await world.pass(2000);
  assert.deepEqual(await boundNames(world), ["a", "b", "c"]);
  assert.equal((await conditionOf(world, "other"))?.status, "False");
});

schedulingTest(
  "a gang evicts only if it starts then, and keeps its places meanwhile",
  async (world) => {
    await world.node("n1");
    await world.node("n2");
    for (const [name, value] of [["high", 1000], ["low", 1]] as const) {
      await world.post("/apis/scheduling.k8s.io/v1/priorityclasses", { metadata: { name }, value });
    }
    await makeGroup(world, "old", { basic: {} });
    await makePod(world, "x", "old", {
      priorityClassName: "low",
      terminationGracePeriodSeconds: 0,
    });
    await world.pass(1000);
    assert.deepEqual(await boundNames(world), ["x"]);
    await makeGroup(world, "large", { gang: { minCount: 3 } });
    for (const name of ["l1", "l2", "l3"]) {
      await makePod(world, name, "large", { priorityClassName: "high" });
    }
    await world.pass(2000);
    assert.deepEqual(await boundNames(world), ["x"], "no victim goes for a gang that fits nowhere");
    await makeGroup(world, "team", { gang: { minCount: 2 } });
    for (const name of ["a", "b"]) {
      await makePod(world, name, "team", {
        priorityClassName: "high",
      });
    }
    await world.pass(10_000);
    assert.deepEqual(await boundNames(world), ["a", "b"]);
  },
);

schedulingTest(
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
    await makePod(w, "a", "g");
    await w.pass(1000);
    const table = { headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" } };
    const { json } = await w.api.ask("GET", `${GROUPS}/podgroups`, undefined, table);
    assert.deepEqual(json.rows[0].cells.slice(0, 4), ["g", "Gang", "train", "Scheduled"]);
  },
);

schedulingTest("a gang that is to stay in one rack goes where it fits whole", async (world) => {
  const racks = { n1: "a", n2: "a", n3: "b", n4: "b", n5: "b" };
  for (const [name, rack] of Object.entries(racks)) await world.node(name, "1", { rack });
  const made = await world.post(`${GROUPS}/podgroups`, {
    metadata: { name: "team" },
    spec: {
      schedulingPolicy: { gang: { minCount: 3 } },
      schedulingConstraints: { topology: [{ key: "rack" }] },
    },
  });
  assert.deepEqual(made.spec.schedulingConstraints.topology, [{ key: "rack" }]);
  for (const name of ["w", "x", "y"]) await makePod(world, name, "team");
  await world.pass(2000);
  const placed = await world.placements();
  assert.deepEqual(placed.map((it) => it.split("@")[1]).sort(), ["n3", "n4", "n5"]);
  await makePod(world, "z", "team");
  await world.pass(2000);
  assert.equal((await world.placements()).length, 3, "there is room in the other rack only");
  assert.match(await world.podMessage("z"), /didn't match Pod's node affinity\/selector/);
  assert.equal((await conditionOf(world, "team"))?.status, "True");
});
