/** Changes of storage as tables: what was, what is, and whether a waiting pod hears of it. */
import assert from "node:assert/strict";
import type { KubeObject } from "../../api/meta.ts";
import type { Change } from "../../client/informer.ts";
import type { StorageEvent } from "../../../scheduler/mod.ts";
import type { Pod } from "../kinds.ts";
import {
  capacityEvent,
  claimEvent,
  classEvent,
  driverEvent,
  volumeEvent,
} from "./storage_events.ts";
import { StorageWatch } from "./storage_watch.ts";

type Body = Readonly<Record<string, unknown>>;

function make(body: Body, name = "x"): KubeObject {
  return { metadata: { namespace: "default", name }, ...body } as unknown as KubeObject;
}

function change<T extends KubeObject>(before: Body | null, after: Body): Change<T> {
  const object = make(after) as T;
  if (before === null) return { type: "add", object };
  return { type: "update", object, old: make(before) as T };
}

function deletion<T extends KubeObject>(): Change<T> {
  return { type: "delete", object: make({}) as T };
}

const zone = (value: string) => ({
  metadata: { name: "x", labels: { "topology.kubernetes.io/zone": value } },
});
const late = { volumeBindingMode: "WaitForFirstConsumer" };
const counts = (storageCapacity: boolean) => ({ spec: { storageCapacity } });

Deno.test("what a change of storage tells", () => {
  const told = (event: StorageEvent | null) => {
    if (event === null) return null;
    return { ...event, resource: undefined, change: event.change };
  };
  const cases: readonly [StorageEvent | null, object | null][] = [
    [volumeEvent(change(null, {})), { change: "add", movesZones: true }],
    [volumeEvent(change(zone("a"), zone("b"))), { change: "update", movesZones: true }],
    [volumeEvent(change(zone("a"), { ...zone("a"), status: {} })), {
      change: "update",
      movesZones: false,
    }],
    [volumeEvent(deletion()), null],
    [classEvent(change(null, late)), { change: "add", bindsLate: true, movesTopology: true }],
    [classEvent(change(late, late)), { change: "update", bindsLate: true, movesTopology: false }],
    [classEvent(change({}, { allowedTopologies: [{}] })), {
      change: "update",
      bindsLate: false,
      movesTopology: true,
    }],
    [classEvent(deletion()), null],
    [driverEvent(change(counts(true), counts(false))), { change: "update" }],
    [driverEvent(change(counts(false), counts(true))), null],
    [driverEvent(change(null, counts(false))), null],
    [capacityEvent(change(null, {})), { change: "add" }],
    [capacityEvent(change({ capacity: "1Gi" }, { capacity: "2Gi" })), { change: "update" }],
    [capacityEvent(change({ capacity: "2Gi" }, { capacity: "1Gi" })), null],
    [capacityEvent(change({}, { capacity: "1" })), { change: "update" }],
    [capacityEvent(change({ capacity: "1" }, {})), null],
    [
      capacityEvent(change(
        { capacity: "1Gi", maximumVolumeSize: "1Gi" },
        { capacity: "9Gi", maximumVolumeSize: "1Gi" },
      )),
      null,
    ],
    [claimEvent(change(null, {}), new Set()), null],
    [claimEvent(deletion(), new Set(["u"])), null],
  ];
  cases.forEach(([event, expected], index) => {
    const wanted = expected === null ? null : { resource: undefined, ...expected };
    assert.deepEqual(told(event), wanted, `case ${index}`);
  });
});

function podOf(uid: string): Pod {
  return { metadata: { namespace: "default", name: uid, uid } } as unknown as Pod;
}

Deno.test("a change concerns the pods that were resolved from it, or that anything concerns", () => {
  const watch = new StorageWatch();
  const [[, claims], [, volumes], [, classes]] = watch.handlers();
  const taken = () => {
    const { pods, events } = watch.takeChanged();
    return [pods.map(({ metadata }) => metadata.uid), events.length];
  };
  const bound = { sources: ["default/x", "pv"], isOpen: false };
  const open = { sources: ["default/other"], isOpen: true };
  volumes(change(null, {}));
  assert.deepEqual(taken(), [[], 0]);
  watch.waits(podOf("a"), bound);
  watch.waits(podOf("b"), open);
  watch.waits(podOf("none"), { sources: [], isOpen: false });
  claims(change({}, {}));
  const { pods, events: [event] } = watch.takeChanged();
  assert.deepEqual(pods.map(({ metadata }) => metadata.uid), ["a"]);
  // Looking at the pod again forgets it for a moment; the event still means it.
  watch.forget("a");
  assert.deepEqual(event.resource === "persistentVolumeClaim" && [...event.users], ["a"]);
  watch.waits(podOf("a"), bound);
  volumes(change(null, {}));
  assert.deepEqual(taken(), [["b"], 1]);
  volumes({ type: "delete", object: make({}, "pv") });
  assert.deepEqual(taken(), [["b", "a"], 0]);
  classes(change(null, {}));
  assert.deepEqual(taken(), [["b"], 1]);
  watch.forget("a");
  watch.forget("b");
  claims(change({}, {}));
  volumes(change(null, {}));
  assert.deepEqual(taken(), [[], 0]);
});
