/** Which pods' disks are one disk, and which of them may be on a node together. */
import assert from "node:assert/strict";
import { NO_SURROUNDINGS, Scheduler } from "../../../scheduler/mod.ts";
import { encodeNode, encodePod, encodeSpec } from "../encode.ts";
import { resolveVolumes } from "../encode_volumes.ts";
import type { VolumeLookup } from "../encode_volumes.ts";
import type { Node, Pod, Volume } from "../kinds.ts";

const NOTHING: VolumeLookup = {
  claim: () => undefined,
  volume: () => undefined,
  volumes: () => [],
  storageClass: () => undefined,
  driver: () => undefined,
  capacities: () => [],
};

type Source = Omit<Volume, "name">;

const gce = (pdName: string, readOnly?: boolean): Source => ({
  gcePersistentDisk: { pdName, readOnly },
});
const aws = (volumeID: string): Source => ({ awsElasticBlockStore: { volumeID } });
const iscsi = (iqn: string, readOnly?: boolean, targetPortal = "p"): Source => {
  const source = { iqn, readOnly, targetPortal, lun: 0 };
  return { iscsi: source };
};
const rbd = (monitors: readonly string[], more: object = {}): Source => ({
  rbd: { monitors, image: "i", ...more },
});

/** @returns what is said of the second pod once the first has the only node; "" = it goes there. */
function beside(held: readonly Source[], wanted: readonly Source[]): string {
  const scheduler = new Scheduler();
  const rowOf = (name: string, sources: readonly Source[]) => {
    const volumes = sources.map((source, index) => ({ name: `v${index}`, ...source }));
    const metadata = { name, uid: name, namespace: "default" };
    const pod = { metadata, spec: { containers: [], volumes } } as Pod;
    const { needs } = resolveVolumes(pod, NOTHING);
    return encodePod(
      pod,
      scheduler.templates.intern(encodeSpec(pod, { ...NO_SURROUNDINGS, volumes: needs })),
    );
  };
  const status = { allocatable: { cpu: "1", memory: "1Gi", pods: "10" } };
  scheduler.setNode(encodeNode({ metadata: { name: "n" }, status } as Node), 0);
  scheduler.setAssigned(rowOf("holder", held), "n", 0);
  scheduler.setPending(rowOf("waiting", wanted), "default-scheduler", 0);
  const [action] = scheduler.plan(0, 10);
  if (action.kind === "bind") return "";
  scheduler.removePod("holder", 1);
  const [again] = scheduler.plan(60_000, 10);
  assert.equal(again?.kind, "bind", "it is tried again once the disk is free");
  return action.message;
}

Deno.test("a disk named by a pod is on a node once, unless all only read it", () => {
  const cases: readonly [Source, Source, boolean][] = [
    [gce("a"), gce("a"), true],
    [gce("a", true), gce("a"), true],
    [gce("a", true), gce("a", true), false],
    [gce("a"), gce("b"), false],
    [aws("a"), aws("a"), true],
    [aws("a"), aws("b"), false],
    [gce("a"), aws("a"), false],
    // Portal and unit do not matter.
    [iscsi("q"), iscsi("q", false, "other"), true],
    [iscsi("q"), iscsi("q", true), true],
    [iscsi("q", true), iscsi("q", true), false],
    [iscsi("q"), iscsi("r"), false],
    [rbd(["m1", "m2"]), rbd(["m2", "m3"]), true],
    [rbd(["m1"]), rbd(["m2"]), false],
    [rbd(["m"]), rbd(["m"], { pool: "rbd" }), true],
    [rbd(["m"], { pool: "p" }), rbd(["m"]), false],
    [rbd(["m"], { image: "j" }), rbd(["m"]), false],
    [rbd(["m"], { readOnly: true }), rbd(["m"], { readOnly: true }), false],
    [rbd(["m"], { readOnly: true }), rbd(["m"]), true],
    // No character of a name can make two disks look like one.
    [rbd(["m"], { pool: 'a","b' }), rbd(["m"], { pool: "a", image: 'b","i' }), false],
  ];
  const words = "0/1 nodes are available: 1 node(s) had no available disk.";
  for (const [held, wanted, conflict] of cases) {
    const said = beside([held], [wanted]);
    const name = JSON.stringify([held, wanted]);
    assert.equal(said.startsWith(words), conflict, `${name}: ${said}`);
    assert.equal(said === "", !conflict, `${name}: ${said}`);
  }
});

Deno.test("any volume of a pod may be the one in the way; its own disks don't collide", () => {
  assert.notEqual(beside([aws("a"), gce("b")], [gce("c"), gce("b")]), "");
  assert.equal(beside([{ emptyDir: {} } as Source], [gce("c"), gce("c")]), "");
});
