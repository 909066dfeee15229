/** Tries devices in slices, and statuses of claims, against what upstream refuses. */
import assert from "node:assert/strict";
import type { KubeObject } from "../../meta.ts";
import { problems, worded } from "../testing.ts";
import * as rows from "../../resources.ts";
import { dropFreedDevices } from "./claim_status.ts";

const DRIVER = "gpu.example.com";

function slice(device: object, more: object = {}): KubeObject {
  const pool = { name: "p", generation: 1, resourceSliceCount: 1 };
  const devices = [{ name: "a", ...device }];
  const reach = "perDeviceNodeSelection" in more ? {} : { nodeName: "n1" };
  return {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceSlice",
    metadata: { name: "s" },
    spec: { driver: DRIVER, pool, devices, ...reach, ...more },
  };
}

const AT = "spec.devices[0]";

function policy(requestPolicy: object): object {
  const capacity = { memory: { value: "40Gi", requestPolicy } };
  return { allowMultipleAllocations: true, capacity };
}

Deno.test("devices are taken as upstream takes them", () => {
  const range = { min: "4Gi", max: "16Gi", step: "4Gi" };
  const waits = { bindingConditions: ["a"], bindingFailureConditions: ["b"] };
  const fine: readonly [object, object?][] = [
    [policy({ default: "8Gi", validRange: range })],
    [policy({ default: "8Gi", validValues: ["8Gi", "16Gi"] })],
    [{ ...waits, bindsToNode: true }],
    [{ attributes: { "other.example.com/x": { version: "1.2.3-rc.1+b" } } }],
    [{ allNodes: true }, { perDeviceNodeSelection: true }],
    [{ consumesCounters: [{ counterSet: "s", counters: { c: { value: "1" } } }] }],
    [{ taints: [{ key: "example.com/broken", effect: "None" }] }],
  ];
  for (const [device, more] of fine) {
    assert.deepEqual(problems(rows.resourceSlices, slice(device, more)), []);
  }
});

Deno.test("devices are refused for what upstream refuses, in its words", () => {
  const at = `${AT}.capacity[memory].requestPolicy`;
  const range = { min: "4Gi", max: "16Gi", step: "4Gi" };
  const ranged = (more: object, usual = "8Gi") =>
    policy({ default: usual, validRange: { ...range, ...more } });
  const cases: readonly [object, string, object?][] = [
    [
      { capacity: { memory: { value: "1", requestPolicy: {} } } },
      `${at}: Forbidden: allowMultipleAllocations must be true`,
    ],
    [policy({ validRange: range }), `${at}.default: Required value: required when validRange`],
    [policy({ validValues: ["1"] }), `${at}.default: Required value: required when validValues`],
    [policy({ validValues: ["1"], validRange: range }), "exactly one policy can be specified"],
    [ranged({ min: undefined }), `${at}.validRange.min: Required value`],
    [ranged({ min: "12Gi" }), "default is less than min: 12Gi"],
    [ranged({ max: "48Gi" }), "max is larger than capacity value: 40Gi"],
    [ranged({}, "9Gi"), "value is not a multiple of a given step (4Gi) from (4Gi)"],
    [ranged({ step: "64Gi" }), "is larger than capacity value: 40Gi"],
    [ranged({ step: "0" }), "must be greater than zero"],
    [policy({ default: "8", validValues: ["9", "8"] }), "must be sorted in ascending order"],
    [policy({ default: "7", validValues: ["8"] }), "default value is not valid according to"],
    [policy({ default: "8", validValues: ["8", "80Gi"] }), "option is larger than capacity value"],
    [{ bindingConditions: ["a"] }, "bindingFailureConditions are required to use bindingCondit"],
    [{ bindingFailureConditions: ["a"] }, "bindingConditions are required to use bindingFailure"],
    [{ bindingConditions: ["a"], bindingFailureConditions: ["a"] }, "must not overlap"],
    [{ attributes: { v: { version: "1.2" } } }, "must be a string compatible with semver.org"],
    [{ attributes: { "a-b": { int: 1 } } }, "a valid C identifier must start with"],
    [{ attributes: { "/x": { int: 1 } } }, "the domain must not be empty"],
    [{ attributes: { x: { ints: [] } } }, "must not be empty if specified"],
    [{ allNodes: true }, "can only be set if `perDeviceNodeSelection` is set to true"],
    [{}, `${AT}: Required value: exactly one of \`nodeName\``, { perDeviceNodeSelection: true }],
    [{ consumesCounters: [{ counterSet: "s" }] }, `${AT}.consumesCounters[0].counters: Required`],
    [{ taints: [{ key: "k", effect: "Never" }] }, `${AT}.taints[0].effect: Unsupported value`],
    [{ taints: [{ effect: "None" }] }, `${AT}.taints[0].key: Invalid value`],
  ];
  for (const [device, expected, more] of cases) {
    const found = problems(rows.resourceSlices, slice(device, more)).join("\n");
    assert.ok(found.includes(expected), `${expected}\n${found}`);
  }
});

const RESULT = { request: "r", driver: DRIVER, pool: "p", device: "a" };
const CONDITION = {
  type: "Ready",
  status: "True",
  reason: "R",
  message: "",
  lastTransitionTime: "2030-01-01T00:00:00Z",
};

function claim(status: object = {}): KubeObject {
  const exactly = { deviceClassName: "gpu", allocationMode: "ExactCount", count: 1 };
  return {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    metadata: { namespace: "n", name: "c" },
    spec: { devices: { requests: [{ name: "r", exactly }] } },
    status,
  };
}

const allocated = (results: readonly object[]) => ({ allocation: { devices: { results } } });

Deno.test("a status is refused for what upstream refuses", () => {
  const { validateStatusUpdate } = rows.resourceClaims.rules;
  const held = allocated([RESULT]);
  const of = (device: object) => ({ ...held, devices: [{ ...RESULT, ...device }] });
  const cases: readonly [object, string][] = [
    [held, ""],
    [of({ conditions: [CONDITION], networkData: { ips: ["10.0.0.1/24"] } }), ""],
    [allocated([{ ...RESULT, request: "q" }]), "results[0].request: Invalid value"],
    [allocated([{ ...RESULT, bindingConditions: ["x"] }]), "are required to use bindingConditions"],
    [allocated([{ ...RESULT, shareID: "X" }]), "results[0].shareID: Invalid value"],
    [of({ networkData: { ips: ["10.0.0.1"] } }), "must be a valid address in CIDR form"],
    [of({ networkData: { ips: ["2001:DB8::1/64"] } }), 'canonical form ("2001:db8::1/64")'],
    [of({ device: "b" }), "status.devices[0]: Invalid value"],
    [of({ data: [] }), "status.devices[0].data: Invalid value"],
    [of({ conditions: [CONDITION, CONDITION] }), "conditions[1].type: Duplicate value"],
    [of({ conditions: [{ ...CONDITION, status: "Yes" }] }), "conditions[0].status: Unsupported"],
    [{ devices: [RESULT] }, "must be an allocated device in the claim"],
  ];
  for (const [status, expected] of cases) {
    const found = worded(validateStatusUpdate!(claim(status), claim())).join("\n");
    assert.ok(expected === "" ? found === "" : found.includes(expected), `${expected}\n${found}`);
  }
});

Deno.test("devices that are given back lose their status; unknown ones are left to the checks", () => {
  const other = { ...RESULT, device: "b" };
  const draft = claim({ devices: [RESULT, other] });
  dropFreedDevices(draft, claim(allocated([RESULT])));
  assert.deepEqual(draft.status.devices, [other]);
  const freed = claim({ devices: [RESULT] });
  dropFreedDevices(freed, claim(allocated([RESULT])));
  assert.equal(freed.status.devices, undefined);
});

Deno.test("tolerations of requests are checked", () => {
  const of = (toleration: object) => {
    const draft = claim();
    draft.spec.devices.requests[0].exactly.tolerations = [toleration];
    return problems(rows.resourceClaims, draft).join("\n");
  };
  assert.equal(of({ key: "k", operator: "Exists", effect: "NoExecute" }), "");
  assert.match(of({ operator: "Exists", value: "x" }), /must be empty for operator `Exists`/);
  assert.match(of({ operator: "In" }), /operator: Unsupported value/);
  assert.match(of({ operator: "Exists", effect: "Never" }), /effect: Unsupported value/);
});
