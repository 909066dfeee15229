/** Pods go when a device of theirs gets a taint that ends its use, at the second they asked for. */
import assert from "node:assert/strict";
import { memoryView } from "../../../tests/fakes/memory_view.ts";
import type { KubeObject } from "../../api/meta.ts";
import { pods, resourceClaims, resourceSlices } from "../../api/resources.ts";
import { formatTime } from "../../api/time.ts";
import type { Action, Controller } from "../controller.ts";
import { deviceTaintEvictionController } from "./plan_device_taint_eviction.ts";

const ADDED = 1_900_000_000_000;
const TAINT = { key: "broken", value: "yes", effect: "NoExecute", timeAdded: formatTime(ADDED) };

function pod(more: object = {}, status: object = {}): KubeObject {
  const resourceClaims = [{ name: "gpu", resourceClaimName: "c" }];
  return {
    metadata: { namespace: "n", name: "p", uid: "uid-p" },
    spec: { nodeName: "n1", resourceClaims, ...more },
    status,
  };
}

function claim(tolerations: readonly object[] = [], more: object = {}): KubeObject {
  const result = { request: "r", driver: "d", pool: "q", device: "g0", tolerations };
  return {
    metadata: { namespace: "n", name: "c", uid: "uid-c", ...more },
    status: {
      allocation: { devices: { results: [result] } },
      reservedFor: [{ resource: "pods", name: "p", uid: "uid-p" }],
    },
  };
}

function slice(taints: readonly object[], generation = 1, name = "s"): KubeObject {
  const pool = { name: "q", generation, resourceSliceCount: 1 };
  return { metadata: { name }, spec: { driver: "d", pool, devices: [{ name: "g0", taints }] } };
}

interface World {
  readonly pod?: KubeObject;
  readonly claim?: KubeObject;
  readonly slices?: readonly KubeObject[];
}

function plan(
  world: World,
  nowMillis = ADDED,
  controller: Controller = deviceTaintEvictionController(),
): readonly Action[] {
  const view = memoryView(controller, [
    [pods, [world.pod ?? pod()]],
    [resourceClaims, [world.claim ?? claim()]],
    [resourceSlices, world.slices ?? [slice([TAINT])]],
  ]);
  return controller.plan("n/p", { view, nowMillis });
}

const kinds = (actions: readonly Action[]) => actions.map(({ kind }) => kind).join();

Deno.test("a pod goes at once where it tolerates nothing, and says why", () => {
  const [told, marked, gone] = plan({});
  assert(told.kind === "event" && marked.kind === "update" && gone.kind === "delete");
  assert.deepEqual([told.reason, told.message], [
    "DeviceTaintManagerEviction",
    "Marking for deletion",
  ]);
  const [condition] = (marked.object as KubeObject).status.conditions;
  assert.deepEqual(condition, {
    type: "DisruptionTarget",
    status: "True",
    lastTransitionTime: formatTime(ADDED),
    reason: "DeletionByDeviceTaintManager",
    message: "Device Taint manager: deleting due to NoExecute taint",
  });
  assert.equal(gone.object.metadata.uid, "uid-p");
});

Deno.test("what does not end the use of a device leaves its pods alone", () => {
  const exists = { operator: "Exists", effect: "NoExecute" };
  const cases: readonly [string, World][] = [
    ["another effect", { slices: [slice([{ ...TAINT, effect: "NoSchedule" }])] }],
    ["an outdated slice", { slices: [slice([TAINT]), slice([], 2, "new")] }],
    ["tolerated for good", { claim: claim([exists]) }],
    ["by its value", {
      claim: claim([{ ...exists, key: "broken", operator: "Equal", value: "yes" }]),
    }],
    ["no node yet", { pod: pod({ nodeName: "" }) }],
    ["going already", {
      pod: { ...pod(), metadata: { ...pod().metadata, deletionTimestamp: formatTime(ADDED) } },
    }],
    ["another pod's claim", {
      claim: { ...claim(), status: { ...claim().status, reservedFor: [] } },
    }],
    ["a claim that was not made for it", {
      pod: pod({ resourceClaims: [{ name: "gpu", resourceClaimTemplateName: "t" }] }, {
        resourceClaimStatuses: [{ name: "gpu", resourceClaimName: "c" }],
      }),
    }],
  ];
  for (const [name, world] of cases) assert.equal(kinds(plan(world)), "", name);
});

Deno.test("a toleration has to name the effect, or it counts for nothing", () => {
  assert.equal(kinds(plan({ claim: claim([{ operator: "Exists" }]) })), "event,update,delete");
  const wrong = { key: "broken", operator: "Equal", value: "no", effect: "NoExecute" };
  assert.equal(kinds(plan({ claim: claim([wrong]) })), "event,update,delete");
});

Deno.test("a pod stays for the seconds it tolerates, unless the taint goes before", () => {
  const controller = deviceTaintEvictionController();
  const tolerations = [30, 60].map((tolerationSeconds) => ({
    operator: "Exists",
    effect: "NoExecute",
    tolerationSeconds,
  }));
  const held = claim(tolerations);
  assert.deepEqual(plan({ claim: held }, ADDED + 10_000, controller), [
    { kind: "requeue", afterMillis: 20_000 },
  ]);
  const [cancelled, ...more] = plan({ claim: held, slices: [slice([])] }, ADDED, controller);
  assert(cancelled.kind === "event");
  assert.equal(cancelled.message, "Cancelling deletion");
  assert.deepEqual(more, []);
  assert.equal(kinds(plan({ claim: held, slices: [slice([])] }, ADDED, controller)), "");
  assert.equal(kinds(plan({ claim: held }, ADDED + 30_000, controller)), "event,update,delete");
});

Deno.test("slices and claims name the pods to look at", () => {
  const controller = deviceTaintEvictionController();
  const view = memoryView(controller, [[resourceClaims, [claim()]]]);
  const keys = controller.watches.map(({ resource, keysOf }) => {
    const object = resource === pods ? pod() : resource === resourceClaims ? claim() : slice([]);
    return keysOf!(object, view).join();
  });
  assert.deepEqual(keys, ["n/p", "n/p", "n/p"]);
});
