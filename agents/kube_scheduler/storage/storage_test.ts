/** Changes of storage as tables: what was, what is, and whether a waiting pod hears of it. */
import assert from "node:assert/strict";
import type { KubeObject } from "../../api/meta.ts";
import type { Change } from "../../client/informer.ts";
import { NO_VOLUMES } from "../../../scheduler/mod.ts";
import type { StorageEvent } from "../../../scheduler/mod.ts";
import type { ResolvedVolumes } from "../encode_volumes.ts";
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

const VOLUMES = [{ name: "v" }];

function podOf(uid: string, volumes = VOLUMES): Pod {
  return {
    metadata: { namespace: "default", name: uid, uid },
    spec: { volumes },
  } as unknown as Pod;
}

function found(sources: readonly string[], isOpen: boolean): ResolvedVolumes {
  return { needs: NO_VOLUMES, waiting: [], sources, isOpen };
}

const BOUND = found(["default/x", "pv"], false);
const OPEN = found(["default/other"], true);

Deno.test("a change concerns the pods that were resolved from it, or that anything concerns", () => {
  const watch = new StorageWatch();
  const [[, claims], [, volumes], [, classes]] = watch.handlers();
  const taken = () => {
    const { pods, events } = watch.takeChanged();
    return [pods.map(({ metadata }) => metadata.uid), events.length];
  };
  volumes(change(null, {}));
  assert.deepEqual(taken(), [[], 0]);
  watch.waits(podOf("a"), BOUND);
  watch.waits(podOf("b"), OPEN);
  watch.waits(podOf("none"), found([], false));
  claims(change({}, {}));
  const { pods, events: [event] } = watch.takeChanged();
  assert.deepEqual(pods.map(({ metadata }) => metadata.uid), ["a"]);
  // Looking at the pod again forgets it for a moment; the event still means it.
  watch.forget(podOf("a"));
  assert.deepEqual(event.resource === "persistentVolumeClaim" && [...event.users], ["a"]);
  watch.waits(podOf("a"), BOUND);
  volumes(change(null, {}));
  assert.deepEqual(taken(), [["b"], 1]);
  volumes({ type: "delete", object: make({}, "pv") });
  assert.deepEqual(taken(), [["b", "a"], 0]);
  classes(change(null, {}));
  assert.deepEqual(taken(), [["b"], 1]);
  watch.forget(podOf("a"));
  watch.forget(podOf("b"));
  claims(change({}, {}));
  volumes(change(null, {}));
  assert.deepEqual(taken(), [[], 0]);
});

Deno.test("several pods may name one claim, each until it is forgotten", () => {
  const watch = new StorageWatch();
  const [[, claims]] = watch.handlers();
  for (const uid of ["a", "b", "c"]) watch.waits(podOf(uid), BOUND);
  for (const [gone, left] of [["a", ["b", "c"]], ["b", ["c"]], ["c", []]] as const) {
    watch.forget(podOf(gone));
    claims(change({}, {}));
    assert.deepEqual(watch.takeChanged().pods.map(({ metadata }) => metadata.uid), left);
  }
});

Deno.test("what was found holds until something that it was found from changes", () => {
  const watch = new StorageWatch();
  const [[, claims], [, volumes], [, classes]] = watch.handlers();
  const pod = podOf("a");
  const cases: readonly [ResolvedVolumes, () => void, boolean][] = [
    [BOUND, () => {}, true],
    [BOUND, () => claims(change({}, {})), false],
    [BOUND, () => volumes({ type: "delete", object: make({}, "pv") }), false],
    [BOUND, () => volumes(change({}, {})), true],
    [BOUND, () => classes(change(null, {})), true],
    [OPEN, () => classes(change(null, {})), false],
    [OPEN, () => volumes(change(null, {})), false],
    [OPEN, () => claims(change({}, {})), true],
    // Whoever was told looks for itself, though nothing has changed since.
    [OPEN, () => (classes(change(null, {})), watch.takeChanged()), false],
  ];
  cases.forEach(([wanted, happens, holds], index) => {
    watch.waits(pod, wanted);
    happens();
    assert.equal(watch.forget(pod), holds ? wanted : undefined, `case ${index}`);
    watch.takeChanged();
  });
  watch.waits(pod, BOUND);
  assert.equal(watch.forget(podOf("a", [{ name: "v" }])), undefined);
  assert.equal(watch.forget(pod), undefined);
});
