/**
 * Devices that several claims have parts of, and devices that a pod waits for before it is bound.
 */
import assert from "node:assert/strict";
import {
  CLAIMS,
  consumers,
  DRIVER,
  given,
  makeClaim,
  makeClass,
  makePod,
  makeSlice,
} from "../../fakes/device_objects.ts";
import { PODS, schedulingTest, type SchedulingWorld } from "../../fakes/scheduling_world.ts";

schedulingTest("claims share a device until it has nothing left to give", async (world) => {
  await world.node("n1");
  await makeClass(world);
  const requestPolicy = { default: "12Gi", validRange: { min: "4Gi", step: "4Gi" } };
  await makeSlice(world, "n1", [{
    name: "nic",
    allowMultipleAllocations: true,
    capacity: { memory: { value: "40Gi", requestPolicy } },
  }]);
  const asks: readonly [string, object][] = [
    ["a", {}],
    ["b", { capacity: { requests: { memory: "25Gi" } } }],
    ["c", { capacity: { requests: { memory: "1Gi" } } }],
  ];
  for (const [name, more] of asks) {
    await makeClaim(world, name, more);
    await makePod(world, name, name);
    await world.pass(1000);
  }
  assert.deepEqual(await world.placements(), ["a@n1", "b@n1"]);
  const results = await Promise.all(["a", "b"].map(async (name) => {
    const { status } = await world.get(`${CLAIMS}/${name}`);
    return status.allocation.devices.results[0];
  }));
  assert.deepEqual(results.map(({ consumedCapacity }) => consumedCapacity.memory), [
    "12Gi",
    "28Gi",
  ]);
  const uid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
  for (const { shareID } of results) assert.match(shareID, uid);
  assert.notEqual(results[0].shareID, results[1].shareID);
  assert.match(await world.podMessage("c"), /1 cannot allocate all claims/);
});

const CONDITIONS = { bindingConditions: ["Attached"], bindingFailureConditions: ["Broken"] };

async function report(world: SchedulingWorld, device: string, type: string): Promise<void> {
  const claim = await world.get(`${CLAIMS}/c`);
  const lastTransitionTime = "2030-01-01T00:00:00Z";
  const condition = { type, status: "True", reason: "Fabric", message: "so", lastTransitionTime };
  const devices = [{ driver: DRIVER, pool: "n1", device, conditions: [condition] }];
  const status = { ...claim.status, devices };
  const answer = await world.api.ask("PUT", `${CLAIMS}/c/status`, { ...claim, status });
  assert.equal(answer.status, 200, answer.text);
}

async function worldWithFabric(world: SchedulingWorld): Promise<void> {
  await world.node("n1");
  await makeClass(world);
  await makeSlice(world, "n1", [
    { name: "f0", ...CONDITIONS, bindsToNode: true },
    { name: "f1", ...CONDITIONS, bindsToNode: true },
  ]);
  await makeClaim(world, "c");
  await makePod(world, "a", "c");
  await world.pass(1000);
}

schedulingTest("a pod is bound once its devices are attached", async (world) => {
  await worldWithFabric(world);
  assert.deepEqual(await world.placements(), []);
  const claim = await world.get(`${CLAIMS}/c`);
  assert.deepEqual(consumers(claim), ["a"]);
  const [result] = claim.status.allocation.devices.results;
  assert.deepEqual(result.bindingConditions, ["Attached"]);
  assert.match(claim.status.allocation.allocationTimestamp, /Z$/);
  const { items } = await world.get("/apis/events.k8s.io/v1/events") as unknown as {
    items: { reason: string; note: string }[];
  };
  const [{ note }] = items.filter(({ reason }) => reason === "BindingConditionsPending");
  assert.equal(note, "waiting for binding conditions for device on node n1");
  await report(world, "f0", "Attached");
  await world.pass(1000);
  assert.deepEqual(await world.placements(), ["a@n1"]);
});

schedulingTest(
  "devices that fail to attach are given back, and others are tried",
  async (world) => {
    await worldWithFabric(world);
    await report(world, "f0", "Broken");
    await world.pass(500);
    assert.match(
      await world.podMessage("a"),
      /DynamicResources": device binding failed: claim=c, reason=Fabric, message="so"$/,
    );
    await world.pass(5000);
    const { status } = await world.get(`${CLAIMS}/c`);
    assert.equal(status.devices, undefined);
    assert.deepEqual(await world.placements(), []);
    assert.deepEqual(consumers(await world.get(`${CLAIMS}/c`)), ["a"]);
    await report(world, given(await world.get(`${CLAIMS}/c`))[0].split("/")[1], "Attached");
    await world.pass(1000);
    assert.deepEqual(await world.placements(), ["a@n1"]);
  },
);

schedulingTest("nobody waits for devices beyond ten minutes", async (world) => {
  await worldWithFabric(world);
  const before = await world.get(`${CLAIMS}/c`);
  world.api.clock.advance(601_000);
  await world.pass(500);
  assert.match(await world.podMessage("a"), /device binding timeout: claim=c$/);
  await world.pass(5000);
  const after = await world.get(`${CLAIMS}/c`);
  const since = ({ status }: typeof before) => Date.parse(status.allocation.allocationTimestamp);
  assert(since(after) - since(before) >= 600_000, "it was allocated anew");
  const pod = await world.get(`${PODS}/a`);
  assert.equal(pod.spec.nodeName, undefined);
});
