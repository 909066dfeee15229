/**
 * Volumes that are attached to a node without a pod there: left over, or shown by another's hand.
 * They take places of the driver's limit until they are detached.
 */
import assert from "node:assert/strict";
import { PODS, schedulingTest, type SchedulingWorld } from "../../fakes/scheduling_world.ts";

const DRIVER = "csi.example.com";
const CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims";
const STORAGE = "/apis/storage.k8s.io/v1";

/** A volume of the driver, bound to a claim of the same name. */
async function makeVolume(world: SchedulingWorld, name: string): Promise<void> {
  const size = { storage: "1Gi" };
  const claimRef = { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace: "default", name };
  const accessModes = ["ReadWriteOnce"];
  const csi = { driver: DRIVER, volumeHandle: `handle-${name}` };
  await world.post("/api/v1/persistentvolumes", {
    metadata: { name },
    spec: { capacity: size, accessModes, csi, claimRef, storageClassName: "fast" },
  });
  const spec = {
    accessModes,
    resources: { requests: size },
    volumeName: name,
    storageClassName: "fast",
  };
  const claim = await world.post(CLAIMS, { metadata: { name }, spec });
  // As the volume controller says once both know of each other.
  const bound = { ...claim, status: { phase: "Bound" } };
  const { status } = await world.api.ask("PUT", `${CLAIMS}/${name}/status`, bound);
  assert.equal(status, 200);
}

async function attach(world: SchedulingWorld, volume: string, nodeName: string): Promise<void> {
  await world.post(`${STORAGE}/volumeattachments`, {
    metadata: { name: `${volume}-on-${nodeName}` },
    spec: { attacher: DRIVER, nodeName, source: { persistentVolumeName: volume } },
  });
}

async function makePod(world: SchedulingWorld, claimName: string): Promise<void> {
  const volumes = [{ name: "data", persistentVolumeClaim: { claimName } }];
  await world.pod(claimName, { volumes }, "100m");
}

async function limitedNode(world: SchedulingWorld, name: string, count: number): Promise<void> {
  await world.node(name);
  await world.post(`${STORAGE}/csinodes`, {
    metadata: { name },
    spec: { drivers: [{ name: DRIVER, nodeID: name, allocatable: { count } }] },
  });
}

schedulingTest(
  "a volume attached without a pod takes a place until it is detached",
  async (world) => {
    await limitedNode(world, "n1", 1);
    // What it names comes later, as a watch may tell it.
    await attach(world, "left", "n1");
    await makeVolume(world, "left");
    await makeVolume(world, "mine");
    await makePod(world, "mine");
    await world.pass(1000);
    assert.match(await world.podMessage("mine"), /1 node\(s\) exceed max volume count/);
    const gone = await world.api.ask("DELETE", `${STORAGE}/volumeattachments/left-on-n1`);
    assert.equal(gone.status, 200);
    await world.pass(15_000);
    assert.deepEqual(await world.placements(), ["mine@n1"]);
  },
);

schedulingTest("a volume that a pod of the node uses is not counted twice", async (world) => {
  await limitedNode(world, "n1", 2);
  for (const name of ["first", "second", "third"]) await makeVolume(world, name);
  await makePod(world, "first");
  await world.pass(1000);
  await attach(world, "first", "n1");
  await makePod(world, "second");
  await world.pass(1000);
  await attach(world, "second", "n1");
  await makePod(world, "third");
  await world.pass(1000);
  assert.deepEqual(await world.placements(), ["first@n1", "second@n1"]);
  assert.match(await world.podMessage("third"), /1 node\(s\) exceed max volume count/);
  // Its pod goes, and the driver has not detached it yet.
  await world.api.ask("DELETE", `${PODS}/first?gracePeriodSeconds=0`);
  await world.pass(15_000);
  assert.deepEqual(await world.placements(), ["second@n1"]);
});
