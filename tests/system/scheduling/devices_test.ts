/**
 * Claims to devices through the API server: slices, classes and claims in, allocations,
 * reservations and bindings out.
 */
import assert from "node:assert/strict";
import { controllerRows, runControllerManager } from "../../../agents/controller_manager/run.ts";
import {
  CLAIMS,
  consumers,
  DRIVER,
  given,
  GROUP,
  makeClaim,
  makeClass,
  makePod,
  makeSlice,
} from "../../fakes/device_objects.ts";
import { schedulingTest } from "../../fakes/scheduling_world.ts";

schedulingTest(
  "a pod goes where its claim can be allocated, and the claim says so",
  async (world) => {
    await world.node("n1");
    await world.node("n2");
    await makeClass(world);
    await makeSlice(world, "n2", ["small", "big"]);
    const expression = `device.capacity["${DRIVER}"].memory.compareTo(quantity("60Gi")) >= 0`;
    await makeClaim(world, "c", { selectors: [{ cel: { expression } }] });
    await makePod(world, "a", "c");
    await world.pass(1000);
    assert.deepEqual(await world.placements(), ["a@n2"]);
    const claim = await world.get(`${CLAIMS}/c`);
    assert.deepEqual(given(claim), ["n2/big"]);
    assert.deepEqual(consumers(claim), ["a"]);
    assert.deepEqual(claim.metadata.finalizers, ["resource.kubernetes.io/delete-protection"]);
    const { allocation } = claim.status;
    assert.deepEqual(allocation.nodeSelector.nodeSelectorTerms[0].matchFields[0].values, ["n2"]);
    assert.equal(allocation.devices.config[0].source, "FromClass");
  },
);

schedulingTest(
  "pods share a claim where it is; others wait for devices to be freed",
  async (world) => {
    await world.node("n1");
    await world.node("n2");
    await makeClass(world);
    await makeSlice(world, "n1", ["only"]);
    await makeClaim(world, "shared");
    for (const name of ["a", "b"]) await makePod(world, name, "shared");
    await world.pass(3000);
    assert.deepEqual(await world.placements(), ["a@n1", "b@n1"]);
    assert.deepEqual(consumers(await world.get(`${CLAIMS}/shared`)), ["a", "b"]);

    await makeClaim(world, "other");
    await makePod(world, "late", "other");
    await world.pass(1000);
    assert.equal(
      await world.podMessage("late"),
      "0/2 nodes are available: 2 cannot allocate all claims. still not schedulable, preemption: " +
        "0/2 nodes are available: 2 Preemption is not helpful for scheduling.",
    );
    const held = await world.get(`${CLAIMS}/shared`);
    const { allocation: _, reservedFor: __, ...status } = held.status;
    const freed = await world.api.ask("PUT", `${CLAIMS}/shared/status`, { ...held, status });
    assert.equal(freed.status, 200, freed.text);
    await world.pass(15_000);
    assert.deepEqual(await world.placements(), ["a@n1", "b@n1", "late@n1"]);
  },
);

schedulingTest("what a pod waits for is said: claim, class; then it is helped", async (world) => {
  await world.node("n1");
  await makeSlice(world, "n1", ["gpu0"]);
  await makePod(world, "a", "c");
  await world.pass(1000);
  assert.equal(world.scheduler.scheduler.queue.sizes.gated, 1);
  await makeClaim(world, "c");
  await world.pass(1000);
  assert.match(await world.podMessage("a"), /request r: device class gpu does not exist\./);
  await makeClass(world);
  await world.pass(15_000);
  assert.deepEqual(await world.placements(), ["a@n1"]);
});

schedulingTest("selectors that do not compile are not taken", async ({ api }) => {
  const selectors = [{ cel: { expression: "device.nothing" } }];
  const ofClass = { metadata: { name: "x" }, spec: { selectors } };
  const refused = await api.ask("POST", `${GROUP}/deviceclasses`, ofClass);
  assert.equal(refused.status, 422);
  assert.match(refused.json.message, /spec\.selectors\[0\]\.cel\.expression: Invalid value: /);
  assert.match(refused.json.message, /compilation failed: ERROR: <input>:1:7: undefined field/);
  const exactly = { deviceClassName: "gpu", selectors: [{ cel: { expression: "device.driver" } }] };
  const claim = {
    metadata: { name: "x" },
    spec: { devices: { requests: [{ name: "r", exactly }] } },
  };
  const { json } = await api.ask("POST", CLAIMS, claim);
  assert.match(
    json.message,
    /spec\.devices\.requests\[0\]\.exactly\.selectors\[0\].* must evaluate to bool or the unknown/,
  );
});

schedulingTest("an idle allocation in a pod's way is given up", async (world) => {
  await world.node("n1");
  await world.node("n2");
  await makeClass(world);
  await makeSlice(world, "n1", ["x"]);
  await makeSlice(world, "n2", ["y"]);
  await makeClaim(world, "c");
  const only = (name: string) => ({ nodeSelector: { "kubernetes.io/hostname": name } });
  await makePod(world, "first", "c", only("n1"));
  await world.pass(1000);
  await world.api.ask("DELETE", `/api/v1/namespaces/default/pods/first?gracePeriodSeconds=0`);
  const held = await world.get(`${CLAIMS}/c`);
  const status = { ...held.status, reservedFor: [] };
  await world.api.ask("PUT", `${CLAIMS}/c/status`, { ...held, status });
  await makePod(world, "second", "c", only("n2"));
  await world.pass(15_000);
  assert.deepEqual(await world.placements(), ["second@n2"]);
  assert.deepEqual(given(await world.get(`${CLAIMS}/c`)), ["n2/y"]);
});

schedulingTest("a gang that can't have all its devices holds none", async (world) => {
  await world.node("n1");
  await makeClass(world);
  await makeSlice(world, "n1", ["g0", "g1"]);
  const groups = "/apis/scheduling.k8s.io/v1alpha2/namespaces/default/podgroups";
  const spec = { schedulingPolicy: { gang: { minCount: 3 } } };
  await world.post(groups, { metadata: { name: "team" }, spec });
  for (const name of ["a", "b", "c"]) {
    await makeClaim(world, name);
    await makePod(world, name, name, { schedulingGroup: { podGroupName: "team" } });
  }
  await makeClaim(world, "free");
  await makePod(world, "rival", "free");
  await world.pass(2000);
  assert.deepEqual(await world.placements(), ["rival@n1"]);
  assert.deepEqual(given(await world.get(`${CLAIMS}/a`)), []);
  await world.node("n2");
  await makeSlice(world, "n2", ["h0", "h1"]);
  await world.pass(15_000);
  const placed = await world.placements();
  assert.equal(placed.length, 4, placed.join());
  const held = await Promise.all(["a", "b", "c", "free"].map((it) => world.get(`${CLAIMS}/${it}`)));
  assert.equal(new Set(held.flatMap(given)).size, 4, "no device twice");
});

schedulingTest(
  "claims come from templates, and their devices go from pod to pod",
  async (world) => {
    const ours = ["resource-claim-controller", "resource-claim-release-controller"];
    const disabled = controllerRows({}).map(({ name }) => name).filter((it) => !ours.includes(it));
    const { client, clock } = world;
    const controllers = runControllerManager({ client, clock, config: { disabled } });
    try {
      await world.node("n1");
      await makeClass(world);
      await makeSlice(world, "n1", ["only"]);
      const requests = [{ name: "r", exactly: { deviceClassName: "gpu" } }];
      await world.post(`${GROUP}/namespaces/default/resourceclaimtemplates`, {
        metadata: { name: "t" },
        spec: { spec: { devices: { requests } } },
      });
      const resourceClaims = [{ name: "gpu", resourceClaimTemplateName: "t" }];
      for (const name of ["a", "b"]) await world.pod(name, { resourceClaims }, "100m");
      await world.pass(3000);
      const [first] = await world.placements();
      assert.equal((await world.placements()).length, 1);
      const pods = "/api/v1/namespaces/default/pods";
      const winner = await world.get(`${pods}/${first.split("@")[0]}`);
      const [{ name, resourceClaimName }] = winner.status.resourceClaimStatuses;
      assert.equal(name, "gpu");
      assert.deepEqual(consumers(await world.get(`${CLAIMS}/${resourceClaimName}`)), [
        winner.metadata.name,
      ]);
      const status = { ...winner.status, phase: "Succeeded" };
      await world.api.ask("PUT", `${pods}/${winner.metadata.name}/status`, { ...winner, status });
      await world.pass(15_000);
      assert.equal((await world.placements()).length, 2);
      const gone = await world.api.ask("GET", `${CLAIMS}/${resourceClaimName}`);
      assert.equal(gone.status, 404, gone.text);
    } finally {
      await controllers.stop();
    }
  },
);
