/**
 * Pods that ask for extended resources which devices stand for: no claim of their own, no device
 * plugin, and the same as ever where a node has one.
 */
import assert from "node:assert/strict";
import type { KubeObject } from "../../../agents/api/meta.ts";
import { controllerRows, runControllerManager } from "../../../agents/controller_manager/run.ts";
import { CLAIMS, consumers, given, makeClass, makeSlice } from "../../fakes/device_objects.ts";
import { PODS, schedulingTest, type SchedulingWorld } from "../../fakes/scheduling_world.ts";

const GPU = "example.com/gpu";
const BY_CLASS = "deviceclass.resource.kubernetes.io/gpu";

async function makePod(world: SchedulingWorld, name: string, resource: string, count = "1") {
  const limits = { cpu: "100m", [resource]: count };
  await world.post(PODS, {
    metadata: { name },
    spec: { containers: [{ name: "c", image: "i", resources: { limits } }] },
  });
}

async function claimOf(world: SchedulingWorld, name: string): Promise<KubeObject> {
  const { status } = await world.get(`${PODS}/${name}`);
  return await world.get(`${CLAIMS}/${status.extendedResourceClaimStatus.resourceClaimName}`);
}

schedulingTest("a claim is made for what a pod asks of extended resources", async (world) => {
  await world.node("n1");
  await makeClass(world, { extendedResourceName: GPU });
  await makeSlice(world, "n1", ["g0", "g1", "g2"]);
  await makePod(world, "a", GPU, "2");
  await makePod(world, "b", BY_CLASS);
  await world.pass(2000);
  assert.deepEqual(await world.placements(), ["a@n1", "b@n1"]);
  const { status } = await world.get(`${PODS}/a`);
  assert.deepEqual(status.extendedResourceClaimStatus.requestMappings, [
    { containerName: "c", resourceName: GPU, requestName: "container-0-request-1" },
  ]);
  const claim = await claimOf(world, "a");
  assert.match(claim.metadata.name!, /^a-extended-resources-/);
  assert.equal(
    claim.metadata.annotations?.["resource.kubernetes.io/extended-resource-claim"],
    "true",
  );
  assert.deepEqual(claim.spec.devices.requests, [{
    name: "container-0-request-1",
    exactly: { deviceClassName: "gpu", allocationMode: "ExactCount", count: 2 },
  }]);
  assert.deepEqual(consumers(claim), ["a"]);
  const held = [...given(claim), ...given(await claimOf(world, "b"))];
  assert.deepEqual(held.sort(), ["n1/g0", "n1/g1", "n1/g2"]);
  const counted = 'scheduler_resourceclaim_creates_total{status="success"} 2';
  assert.ok(world.scheduler.metrics().includes(counted));

  await makePod(world, "late", GPU);
  await world.pass(1000);
  assert.match(await world.podMessage("late"), /1 cannot allocate all claims/);
});

schedulingTest("a class that comes to stand for a resource helps pods that wait", async (world) => {
  await world.node("n1");
  await makeSlice(world, "n1", ["g0"]);
  await makePod(world, "a", GPU);
  await world.pass(1000);
  assert.match(await world.podMessage("a"), /1 Insufficient example\.com\/gpu/);
  await makeClass(world, { extendedResourceName: GPU });
  await world.pass(15_000);
  assert.deepEqual(await world.placements(), ["a@n1"]);
});

schedulingTest(
  "a pod that can't be bound leaves no claim; one that ends frees it",
  async (world) => {
    const ours = ["resource-claim-release-controller"];
    const disabled = controllerRows({}).map(({ name }) => name).filter((it) => !ours.includes(it));
    const { client, clock } = world;
    const controllers = runControllerManager({ client, clock, config: { disabled } });
    const claims = async () => {
      const { items } = await world.get(CLAIMS) as unknown as { items: KubeObject[] };
      return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined).length;
    };
    try {
      await world.node("n1");
      await makeClass(world, { extendedResourceName: GPU });
      await makeSlice(world, "n1", [{
        name: "g0",
        bindingConditions: ["Attached"],
        bindingFailureConditions: ["Broken"],
      }]);
      await makePod(world, "a", GPU);
      await world.pass(1000);
      const first = await claimOf(world, "a");
      world.api.clock.advance(601_500);
      await world.pass(500);
      assert.match(
        await world.podMessage("a"),
        /device binding timeout: claim=a-extended-resources-/,
      );
      await world.pass(5000);
      const gone = await world.api.ask("GET", `${CLAIMS}/${first.metadata.name}`);
      assert.equal(gone.status, 404, gone.text);
      assert.equal(await claims(), 1, "it was tried again");

      const second = await claimOf(world, "a");
      const conditions = [{
        type: "Attached",
        status: "True",
        reason: "R",
        message: "",
        lastTransitionTime: "2030-01-01T00:00:00Z",
      }];
      const [{ driver, pool, device }] = second.status.allocation.devices.results;
      const devices = [{ driver, pool, device, conditions }];
      const body = { ...second, status: { ...second.status, devices } };
      await world.api.ask("PUT", `${CLAIMS}/${second.metadata.name}/status`, body);
      await world.pass(1000);
      assert.deepEqual(await world.placements(), ["a@n1"]);
      const pod = await world.get(`${PODS}/a`);
      const status = { ...pod.status, phase: "Succeeded" };
      await world.api.ask("PUT", `${PODS}/a/status`, { ...pod, status });
      await world.pass(2000);
      assert.equal(await claims(), 0);
    } finally {
      await controllers.stop();
    }
  },
);
