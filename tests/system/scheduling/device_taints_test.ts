/**
 * Taints of devices: who tolerates nothing is not placed on them, or has to go once one comes.
 */
import assert from "node:assert/strict";
import { controllerRows, runControllerManager } from "../../../agents/controller_manager/run.ts";
import {
  CLAIMS,
  given,
  GROUP,
  makeClaim,
  makeClass,
  makePod,
  makeSlice,
} from "../../fakes/device_objects.ts";
import { PODS, schedulingTest } from "../../fakes/scheduling_world.ts";

schedulingTest("pods leave a device with a NoExecute taint, and no other comes", async (world) => {
  const ours = ["device-taint-eviction-controller"];
  const disabled = controllerRows({}).map(({ name }) => name).filter((it) => !ours.includes(it));
  const { client, clock } = world;
  const controllers = runControllerManager({ client, clock, config: { disabled } });
  try {
    await world.node("n1");
    await makeClass(world);
    await makeSlice(world, "n1", ["g0", "g1"]);
    const stays = { tolerations: [{ operator: "Exists", effect: "NoExecute" }] };
    await makeClaim(world, "a", stays);
    await makeClaim(world, "b");
    for (const name of ["a", "b"]) {
      await makePod(world, name, name);
      await world.pass(1000);
    }
    assert.deepEqual(given(await world.get(`${CLAIMS}/b`)), ["n1/g1"]);
    const slice = await world.get(`${GROUP}/resourceslices/slice-n1`);
    const taints = [{ key: "broken", effect: "NoExecute" }];
    const devices = slice.spec.devices.map((device: object) => ({ ...device, taints }));
    const spec = { ...slice.spec, devices };
    const answer = await world.api.ask("PUT", `${GROUP}/resourceslices/slice-n1`, {
      ...slice,
      spec,
    });
    assert.equal(answer.status, 200, answer.text);
    assert.match(answer.json.spec.devices[0].taints[0].timeAdded, /Z$/);
    await world.pass(1000);
    const [kept, evicted] = await Promise.all(["a", "b"].map((it) => world.get(`${PODS}/${it}`)));
    assert.equal(kept.metadata.deletionTimestamp, undefined);
    assert.notEqual(evicted.metadata.deletionTimestamp, undefined);
    const why = evicted.status.conditions.find(({ type }: { type: string }) =>
      type === "DisruptionTarget"
    );
    assert.equal(why.reason, "DeletionByDeviceTaintManager");

    await makeClaim(world, "late");
    await makePod(world, "late", "late");
    await world.pass(1000);
    assert.match(await world.podMessage("late"), /1 cannot allocate all claims/);
  } finally {
    await controllers.stop();
  }
});
