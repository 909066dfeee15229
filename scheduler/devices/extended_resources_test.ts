/**
 * Extended resources that devices stand for: requests container by container, and the claim that a
 * pod needs on nodes with and without a device plugin.
 */

import assert from "node:assert/strict";
import type { ContainerDemand, PodRow } from "../pod_row.ts";
import { EMPTY_SPEC } from "../pod_row.ts";
import { Scheduler } from "../scheduler.ts";
import { DeviceClasses } from "./classes.ts";
import { ExtendedNeeds, requestsFor } from "./extended_resources.ts";
import { device, deviceClass, nodeNamed, onNode, slice } from "./testing.ts";

const GPU = "example.com/gpu";
const NIC = "example.com/nic";
const CLASSES = new Map([[GPU, "gpu"], [NIC, "nic"]]);
const PROFILE = "default-scheduler";

/** "init", "side" or "app" and what it asks for, resources in order of their names. */
type Sketch = readonly ["init" | "side" | "app", Readonly<Record<string, number>>];

function demands(sketches: readonly Sketch[]): ContainerDemand[] {
  return sketches.map(([kind, counts], index) => ({
    name: `${kind}${index}`,
    index,
    isShortLived: kind === "init",
    extended: Object.entries(counts).map(([resource, count], place) => ({
      resource,
      count,
      index: place,
    })),
  }));
}

/** @returns "name=class×count …; container/resource→request …" */
function tell(sketches: readonly Sketch[], classes = CLASSES): string {
  const { requests, mappings } = requestsFor(demands(sketches), classes);
  const asks = requests.map(({ name, alternatives: [{ className, count }] }) =>
    `${name.replace("container-", "").replace("-request-", ".")}=${className}×${count}`
  );
  const maps = mappings.map(({ container, resource, request }) =>
    `${container}/${resource.split("/")[1]}→${
      request.replace("container-", "").replace("-request-", ".")
    }`
  );
  return `${asks.join(" ")}; ${maps.join(" ")}`;
}

Deno.test("each container asks for itself; those that end early use what lasts, and one another's", () => {
  const cases: readonly [readonly Sketch[], string][] = [
    [[["app", { [GPU]: 1 }]], "0.0=gpu×1; app0/gpu→0.0"],
    [[["app", { [GPU]: 1, [NIC]: 2 }]], "0.0=gpu×1 0.1=nic×2; app0/gpu→0.0 app0/nic→0.1"],
    [
      [["app", { [GPU]: 1 }], ["app", { [NIC]: 2 }]],
      "0.0=gpu×1 1.0=nic×2; app0/gpu→0.0 app1/nic→1.0",
    ],
    [
      [["init", { [NIC]: 2 }], ["app", { [GPU]: 1 }]],
      "0.0=nic×2 1.0=gpu×1; app1/gpu→1.0 init0/nic→0.0",
    ],
    [
      [["init", { [NIC]: 1 }], ["init", { [NIC]: 2 }], ["app", { [GPU]: 1 }]],
      "1.0=nic×2 2.0=gpu×1; app2/gpu→2.0 init0/nic→1.0 init1/nic→1.0",
    ],
    [
      [["init", { [NIC]: 1 }], ["side", { [NIC]: 1 }], ["init", { [NIC]: 2 }], ["app", {}]],
      "1.0=nic×1 2.0=nic×2; side1/nic→1.0 init0/nic→1.0 init2/nic→2.0",
    ],
    [
      [["init", { [GPU]: 3 }], ["app", { [GPU]: 1 }], ["app", { [GPU]: 1 }]],
      "0.0=gpu×1 1.0=gpu×1 2.0=gpu×1; app1/gpu→1.0 app2/gpu→2.0 " +
      "init0/gpu→1.0 init0/gpu→2.0 init0/gpu→0.0",
    ],
    [[["app", { [GPU]: 0 }]], "; "],
  ];
  for (const [sketches, expected] of cases) assert.equal(tell(sketches), expected);
  assert.equal(
    tell([["app", { [GPU]: 1, [NIC]: 2 }]], new Map([[NIC, "nic"]])).split(";")[0],
    "0.1=nic×2",
  );
});

Deno.test("of two classes for one resource the younger has it, then the lesser name", () => {
  const classes = new DeviceClasses();
  const named = (name: string, createdMs: number) =>
    classes.set(name, deviceClass(name, { extendedResource: GPU, createdMs }));
  assert.equal(named("b", 5), true);
  assert.equal(named("b", 5), false);
  named("c", 5);
  assert.equal(classes.ofResource(GPU), "b");
  named("z", 9);
  assert.equal(classes.ofResource(GPU), "z");
  classes.set("z", null);
  assert.equal(classes.ofResource(GPU), "b");
  assert.equal(classes.ofResource("deviceclass.resource.kubernetes.io/c"), "c");
  assert.equal(classes.ofResource("deviceclass.resource.kubernetes.io/z"), "");
  assert.equal(classes.ofResource("deviceclass.example.com/c"), "");
});

function podRow(scheduler: Scheduler, uid: string, sketches: readonly Sketch[]): PodRow {
  const totals = new Map<string, number>();
  for (const [, counts] of sketches) {
    for (const [name, count] of Object.entries(counts)) {
      totals.set(name, (totals.get(name) ?? 0) + count);
    }
  }
  const scalars = [...totals].map(([name, amount]) => ({ name, amount }));
  const requests = { ...EMPTY_SPEC.requests, scalars };
  const devices = { claims: [], rejection: "", containers: demands(sketches) };
  const template = scheduler.templates.intern({ ...EMPTY_SPEC, requests, devices });
  const row = { uid, name: uid, template, terminating: false, nominatedNode: "", startMs: 0 };
  return { ...row, group: "" };
}

function nodeWith(name: string, scalars: Readonly<Record<string, number>>) {
  const amounts = Object.entries(scalars).map(([resource, amount]) => ({ name: resource, amount }));
  const allocatable = { cpuMilli: 9000, memoryBytes: 1e12, ephemeralBytes: 0, scalars: amounts };
  return { ...nodeNamed(name), allocatable, allowedPods: 100 };
}

Deno.test("devices stand in where the node has no such resource of its own", () => {
  const scheduler = new Scheduler();
  const pod = podRow(scheduler, "p", [["app", { [GPU]: 1, [NIC]: 1 }]]);
  const needs = new ExtendedNeeds(pod, (resource) => resource === GPU ? "gpu" : "");
  assert.equal(needs.areBacked, true);
  const on = (scalars: Readonly<Record<string, number>>) => {
    const need = needs.on(nodeWith("n", scalars));
    return need.kind === "claim"
      ? need.claim.row.requests.map(({ name }) => name).join()
      : need.kind;
  };
  assert.equal(on({ [NIC]: 4 }), "container-0-request-0");
  assert.equal(on({ [NIC]: 4, [GPU]: 0 }), "container-0-request-0");
  assert.equal(on({ [NIC]: 4, [GPU]: 4 }), "nothing");
  assert.equal(
    on({ [NIC]: 0, [GPU]: 4 }),
    "nothing",
    "the other filter says that there are too few",
  );
  assert.equal(on({ [GPU]: 4 }), "unfit");
});

Deno.test("pods take devices for their extended resources until none is left", () => {
  const scheduler = new Scheduler({ matchDevice: () => true });
  scheduler.setNode(nodeWith("plain", {}), 0);
  scheduler.setNode(nodeWith("n1", {}), 0);
  const place = (uid: string) => {
    const pod = podRow(scheduler, uid, [["app", { [GPU]: 1 }]]);
    scheduler.setPending(pod, PROFILE, 0);
    return scheduler.plan(0, 10).map((action) =>
      action.kind === "bind" ? action.nodeName : action.message.split(". ")[0]
    ).join();
  };
  const without = `0/2 nodes are available: 2 Insufficient ${GPU}`;
  for (const uid of ["a", "b", "c"]) assert.equal(place(uid), without);
  scheduler.devices.setSlice(slice([device("g0"), device("g1")], { reach: onNode("n1") }));
  scheduler.devices.setClass("gpu", deviceClass("gpu", { extendedResource: GPU }));
  assert.equal(place("d"), "n1", "what equal pods shared before does not count any more");
  assert.equal(place("e"), "n1");
  assert.equal(place("f"), "0/2 nodes are available: 2 cannot allocate all claims");

  const [binding] = scheduler.devices.bindingsOf("d");
  assert.deepEqual(binding.allocation?.devices.map(({ device: name }) => name), ["g0"]);
  assert.deepEqual(binding.extended?.mappings, [
    { container: "app0", resource: GPU, request: "container-0-request-0" },
  ]);
  for (const uid of ["a", "b", "c", "f"]) scheduler.removePod(uid, 0);
  scheduler.removePod("d", 0);
  assert.equal(place("g"), "n1");
  scheduler.devices.setClass("gpu", null);
  assert.equal(place("h"), without);
});

Deno.test("an earlier try's claim goes before the pod is tried again", () => {
  const scheduler = new Scheduler({ matchDevice: () => true });
  const { devices } = scheduler;
  scheduler.setNode(nodeWith("n1", {}), 0);
  devices.setSlice(slice([device("g0")]));
  devices.setClass("gpu", deviceClass("gpu", { extendedResource: GPU }));
  const pod = podRow(scheduler, "p", [["app", { [GPU]: 1 }]]);
  scheduler.setPending(pod, PROFILE, 0);
  const [bound] = scheduler.plan(0, 1);
  assert(bound.kind === "bind");
  const [{ key, extended, allocation }] = devices.bindingsOf("p");
  devices.confirmExtended(key, { key: "default/made", uid: "made" });
  scheduler.refuse("p", 0);
  const made = { ...extended!.row, key: "default/made", uid: "made", allocation };
  assert.equal(devices.setClaim("default/made", made), false);
  scheduler.notify({ resource: "claim", key: "default/made", freed: false }, 60_000);
  const [rejected] = scheduler.plan(60_000, 1);
  assert(rejected.kind === "reject");
  assert.equal(rejected.idleClaim, "default/made");
  assert.match(
    rejected.message,
    /1 cannot schedule extended resource claim\. deletion of Resource/,
  );
  assert.equal(devices.setClaim("default/made", null), true);
  scheduler.notify({ resource: "claim", key: "default/made", freed: true }, 120_000);
  assert.equal(scheduler.plan(120_000, 1)[0].kind, "bind");
});
