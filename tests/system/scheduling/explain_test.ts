/**
 * Pods explained through the API: as the scheduler left them, as they were, and as they no longer
 * can be known.
 */
import assert from "node:assert/strict";
import { explainPod } from "../../../agents/kube_scheduler/explain/command.ts";
import { schedulingTest, type SchedulingWorld } from "../../fakes/scheduling_world.ts";

async function tell(world: SchedulingWorld, name: string, at = ""): Promise<string> {
  const result = await explainPod(world.client, { namespace: "default", name, at }, "table");
  return result.kind === "text" ? result.text : `problem: ${result.message}`;
}

function diskOf(volumeID: string): object {
  return { volumes: [{ name: "v", awsElasticBlockStore: { volumeID } }] };
}

schedulingTest(
  "a disk is on a node once; who waits for it is told so, and gets it",
  async (world) => {
    await world.node("n1", "4");
    await world.pod("holder", diskOf("vol-1"));
    await world.pass(1000);
    await world.pod("waiting", diskOf("vol-1"));
    await world.pod("other", diskOf("vol-2"));
    await world.pass(1000);
    assert.deepEqual(await world.placements(), ["holder@n1", "other@n1"]);
    assert.match(
      await world.podMessage("waiting"),
      /^0\/1 nodes are available: 1 node\(s\) had no available disk\./,
    );
    const text = await tell(world, "waiting");
    assert.match(text, /VolumeRestrictions +disk aws\/vol-1 +1\n/);
    assert.match(
      text,
      /Last said of it: 0\/1 nodes are available: 1 node\(s\) had no available disk/,
    );

    const url = "/api/v1/namespaces/default/pods/holder";
    await world.api.ask("DELETE", url, { gracePeriodSeconds: 0 });
    await world.pass(12_000);
    assert.deepEqual(await world.placements(), ["other@n1", "waiting@n1"]);
    assert.match(await tell(world, "waiting"), /The pod is on n1\.\nn1 wins: it is the only node/);
  },
);

schedulingTest("a decision is told as of a revision, until that is compacted", async (world) => {
  await world.node("n1", "1");
  await world.pod("first", {}, "100m");
  await world.pass(1000);
  const before = world.api.store.revision;
  await world.node("n2", "8");
  await world.pass(1000);
  assert.match(await tell(world, "first"), /of 2 nodes will do/);
  const then = await tell(world, "first", `${before}`);
  assert.match(then, new RegExp(`revision ${before}\\nThe pod is on n1\\.\\n.*the only node`));
  await world.api.store.compact(world.api.store.revision);
  assert.equal(
    await tell(world, "first", `${before}`),
    `problem: revision ${before} is no longer kept; name a later one, or leave --at out`,
  );
  assert.match(
    await tell(world, "nobody"),
    /^problem: pods "nobody" not found in namespace "default"$/,
  );
});
