/**
 * Selectors of devices, objects to rows and back, and which claims a pod has, case by case.
 */
import assert from "node:assert/strict";
import type {
  Device,
  ResourceClaim,
  ResourceSlice,
} from "../../api/schema/generated/resource_v1.ts";
import { NO_CONDITIONS, NO_DEVICES } from "../../../scheduler/mod.ts";
import type { DeviceRow } from "../../../scheduler/mod.ts";
import type { Pod } from "../kinds.ts";
import { DeviceSelector } from "./device_selector.ts";
import { encodeClaim, formatAllocation, readinessOf } from "./encode_claims.ts";
import { encodeSlice } from "./encode_devices.ts";
import { resolveClaims } from "./pod_claims.ts";

const DRIVER = "gpu.example.com";

const gpu: Device = {
  name: "gpu-0",
  attributes: {
    model: { string: "A100" },
    cores: { int: 108 },
    "driver.example.com/version": { version: "12.4.1" },
    healthy: { bool: true },
  },
  capacity: { memory: { value: "40Gi" } },
  consumesCounters: [{ counterSet: "mem", counters: { gb: { value: "40" } } }],
};

function sliceOf(devices: Device[], more: object = {}): ResourceSlice {
  return {
    metadata: { name: "s" },
    spec: {
      driver: DRIVER,
      pool: { name: "p", generation: 1, resourceSliceCount: 1 },
      nodeName: "n1",
      devices,
      ...more,
    },
  };
}

function known(device: Device): { row: DeviceRow; selector: DeviceSelector } {
  const selector = new DeviceSelector();
  const { devices: [row] } = encodeSlice(sliceOf([device]), (one, it) => selector.know(one, it));
  return { row, selector };
}

Deno.test("selectors see driver, attributes by domain, capacity, versions", () => {
  const { row, selector } = known(gpu);
  const own = `device.attributes["${DRIVER}"]`;
  const memory = `device.capacity["${DRIVER}"].memory`;
  const cases: readonly [string, boolean | RegExp][] = [
    [`device.driver == "${DRIVER}"`, true],
    [`${own}.model == "A100" && ${own}.cores >= 100`, true],
    [`${own}.healthy`, true],
    [`${memory}.compareTo(quantity("30Gi")) > 0`, true],
    [`${memory}.isGreaterThan(quantity("80Gi"))`, false],
    [`device.attributes["driver.example.com"].version.isGreaterThan(semver("12.0.0"))`, true],
    [`cel.bind(a, ${own}, a.model.startsWith("A") && a.cores == 108)`, true],
    [`"model" in device.attributes["other.example.com"]`, false],
    [`device.allowMultipleAllocations`, false],
    [`${own}.missing == 1`, /^CEL runtime error: no such key: missing/],
    [`device.nothing`, /^CEL compile error: compilation failed: ERROR: <input>:1:7: undefined/],
    [`device.driver`, /^CEL compile error: must evaluate to bool/],
    [`(`, /^CEL compile error: compilation failed/],
  ];
  for (const [expression, expected] of cases) {
    const answer = selector.matches(row, expression);
    if (typeof expected === "boolean") assert.equal(answer, expected, expression);
    else assert.match(`${answer}`, expected);
  }
});

Deno.test("a slice says whence its devices are reached, or leaves it to each", () => {
  const ignore = () => {};
  const local = encodeSlice(sliceOf([gpu]), ignore);
  assert.deepEqual(local.reach, { nodeName: "n1", terms: [], all: false });
  assert.equal(local.devices[0].attributes.get(`${DRIVER}/model`), "string A100");
  assert.equal(local.devices[0].attributes.get("driver.example.com/version"), "version 12.4.1");
  assert.deepEqual(local.devices[0].consumes, [
    { set: "mem", counter: "gb", amount: 40_000_000_000n },
  ]);
  const each = encodeSlice(
    sliceOf([{ name: "d", allNodes: true }], { nodeName: undefined, perDeviceNodeSelection: true }),
    ignore,
  );
  assert.equal(each.reach, null);
  assert.equal(each.devices[0].reach?.all, true);
  const counters = encodeSlice(
    sliceOf([], { sharedCounters: [{ name: "mem", counters: { gb: { value: "40" } } }] }),
    ignore,
  );
  assert.deepEqual(counters.counters, [{ set: "mem", counter: "gb", amount: 40_000_000_000n }]);
  const waiting = encodeSlice(sliceOf([{ name: "d", bindingConditions: ["Attached"] }]), ignore);
  assert.deepEqual(waiting.devices[0].conditions, { awaited: ["Attached"], failing: [] });
});

function claimOf(devices: object, status: object = {}): ResourceClaim {
  return { metadata: { namespace: "default", name: "c", uid: "u" }, spec: { devices }, status };
}

Deno.test("what can't be given is named, not left out", () => {
  const exactly = { deviceClassName: "gpu" };
  const cases: readonly [object, string][] = [
    [{ requests: [{ name: "r", exactly }] }, ""],
    [{ requests: [{ name: "r" }] }, "request r: unknown request type"],
    [
      { requests: [{ name: "r", exactly }], constraints: [{}] },
      "constraint #0: empty constraint (unsupported constraint type?)",
    ],
  ];
  for (const [devices, expected] of cases) {
    assert.equal(encodeClaim(claimOf(devices)).unsupported, expected);
  }
});

Deno.test("an allocation names alternatives, tolerations, settings and the nodes", () => {
  const tolerations = [{ key: "k", operator: "Exists" }];
  const opaque = (text: string) => ({ opaque: { driver: DRIVER, parameters: { text } } });
  const claim = claimOf({
    requests: [
      { name: "r", exactly: { deviceClassName: "gpu", tolerations } },
      { name: "l", firstAvailable: [{ name: "x", deviceClassName: "gpu" }] },
    ],
    config: [opaque("all"), { ...opaque("l"), requests: ["l"] }, {
      ...opaque("none"),
      requests: ["l/y"],
    }],
  });
  const conditions = { awaited: ["Attached"], failing: ["Broken"] };
  const plain = { driver: DRIVER, pool: "p", adminAccess: false };
  const device = { ...plain, share: null, conditions: NO_CONDITIONS };
  const share = new Map([["memory", 2_147_483_648_000_000_000n]]);
  const name = { key: "metadata.name", operator: "In" as const, values: ["n1"] };
  const allocation = {
    devices: [
      { ...device, request: "r", device: "a" },
      { ...plain, request: "l/x", device: "b", share, conditions },
    ],
    terms: [{ expressions: [], fields: [name] }],
  };
  const parts = {
    classOf: () => ({ metadata: { name: "gpu" }, spec: { config: [opaque("class")] } }),
    newShareId: () => "share",
  };
  assert.deepEqual(formatAllocation(claim, allocation, parts), {
    devices: {
      results: [
        { request: "r", driver: DRIVER, pool: "p", device: "a", tolerations },
        {
          request: "l/x",
          driver: DRIVER,
          pool: "p",
          device: "b",
          bindingConditions: ["Attached"],
          bindingFailureConditions: ["Broken"],
          shareID: "share",
          consumedCapacity: { memory: "2Gi" },
        },
      ],
      config: [
        { ...opaque("class"), source: "FromClass", requests: ["r", "l/x"] },
        { ...opaque("all"), source: "FromClaim" },
        { ...opaque("l"), requests: ["l"], source: "FromClaim" },
      ],
    },
    nodeSelector: { nodeSelectorTerms: [{ matchFields: [name] }] },
  });
  const status = { allocation: formatAllocation(claim, allocation, parts) };
  assert.deepEqual(encodeClaim({ ...claim, status }).allocation, allocation);
});

Deno.test("what containers ask for of extended resources is told container by container", () => {
  const byClass = "deviceclass.resource.kubernetes.io/gpu";
  const of = (name: string, requests: Record<string, string>, more: object = {}) => ({
    name,
    resources: { requests },
    ...more,
  });
  const pod = (initContainers: object[], containers: object[]): Pod => ({
    metadata: { namespace: "default", name: "p" },
    spec: { initContainers: initContainers as never, containers: containers as never },
  });
  const plain = pod([of("i", { cpu: "1" })], [of("c", { "hugepages-2Mi": "1", memory: "1Gi" })]);
  assert.equal(resolveClaims(plain, () => undefined), NO_DEVICES);
  const native = pod([], [of("c", { "example.kubernetes.io/x": "1", "requests.a.com/x": "1" })]);
  assert.equal(resolveClaims(native, () => undefined), NO_DEVICES);
  const asking = pod(
    [of("i", { [byClass]: "2" }), of("s", {}, { restartPolicy: "Always" })],
    [of("c", { memory: "1Gi", "b.com/nic": "3", "a.com/gpu": "1" })],
  );
  assert.deepEqual(resolveClaims(asking, () => undefined), {
    claims: [],
    rejection: "",
    containers: [
      {
        name: "i",
        index: 0,
        isShortLived: true,
        extended: [{ resource: byClass, count: 2, index: 0 }],
      },
      { name: "s", index: 1, isShortLived: false, extended: [] },
      {
        name: "c",
        index: 2,
        isShortLived: false,
        extended: [
          { resource: "a.com/gpu", count: 1, index: 0 },
          { resource: "b.com/nic", count: 3, index: 1 },
        ],
      },
    ],
  });
});

Deno.test("conditions decide how far an allocated claim is", () => {
  const device = { driver: DRIVER, pool: "p", device: "a" };
  const conditions = { bindingConditions: ["Up", "Linked"], bindingFailureConditions: ["Broken"] };
  const results = [{ ...device, request: "q", device: "free" }, {
    ...device,
    ...conditions,
    request: "r",
  }];
  const allocationTimestamp = "2026-01-01T00:00:05Z";
  const allocation = { devices: { results }, allocationTimestamp };
  const told = (...types: string[]) => {
    const own = types.map((type) => ({
      type,
      status: "True",
      reason: "Fabric",
      message: 'say "so"',
    }));
    return readinessOf(claimOf({}, { allocation, devices: [{ ...device, conditions: own }] }));
  };
  const allocatedMs = Date.UTC(2026, 0, 1, 0, 0, 5);
  const waiting = { isReady: false, failure: "", allocatedMs };
  assert.deepEqual(readinessOf(claimOf({}, { allocation })), waiting);
  assert.deepEqual(told("Up"), waiting);
  assert.equal(told("Up", "Linked").isReady, true);
  assert.deepEqual(told("Up", "Linked", "Broken"), {
    isReady: false,
    failure: 'device binding failed: claim=c, reason=Fabric, message="say \\"so\\""',
    allocatedMs,
  });
  assert.equal(readinessOf(claimOf({}, {})).isReady, true);
});

Deno.test("a pod waits for claims that are not made, not there, going, or another's", () => {
  const owner = { apiVersion: "v1", kind: "Pod", name: "p", uid: "pod", controller: true };
  const claims: Readonly<Record<string, ResourceClaim>> = {
    own: { ...claimOf({}), metadata: { name: "own", ownerReferences: [owner] } },
    going: { ...claimOf({}), metadata: { name: "going", deletionTimestamp: "2030" } },
    foreign: { ...claimOf({}), metadata: { name: "foreign" } },
  };
  const pod = (entry: object, statuses?: object[]): Pod => ({
    metadata: { namespace: "default", name: "p", uid: "pod" },
    spec: { containers: [], resourceClaims: [{ name: "a", ...entry }] },
    status: { resourceClaimStatuses: statuses as never },
  });
  const made = (resourceClaimName?: string) =>
    pod({ resourceClaimTemplateName: "t" }, [{ name: "a", resourceClaimName }]);
  const cases: readonly [Pod, readonly string[], string][] = [
    [pod({ resourceClaimName: "own" }), ["default/own"], ""],
    [pod({ resourceClaimTemplateName: "t" }), [], 'pod "default/p": ResourceClaim not created yet'],
    [made(), [], ""],
    [made("own"), ["default/own"], ""],
    [
      made("foreign"),
      [],
      "ResourceClaim default/foreign was not created for Pod default/p (Pod is not owner)",
    ],
    [pod({ resourceClaimName: "gone" }), [], 'could not find ResourceClaim "default/gone"'],
    [pod({ resourceClaimName: "going" }), [], 'resourceclaim "going" is being deleted'],
  ];
  for (const [object, names, rejection] of cases) {
    const needs = resolveClaims(object, (_namespace, name) => claims[name]);
    assert.deepEqual(needs, { claims: names, rejection, containers: [] });
  }
});
