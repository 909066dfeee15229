/** Tries claims to devices, their classes and slices: defaults, refusals, cells. */
import assert from "node:assert/strict";
import { cells, prepared, problems, updateProblems, worded } from "../testing.ts";
import * as rows from "../../resources.ts";

const claim = {
  spec: { devices: { requests: [{ name: "r", exactly: { deviceClassName: "gpu" } }] } },
};

Deno.test("a claim asks for one device of its class, and stays as it is", () => {
  const row = rows.resourceClaims;
  const object = prepared(row, claim);
  const { exactly } = object.spec.devices.requests[0];
  assert.deepEqual([exactly.allocationMode, exactly.count], ["ExactCount", 1]);
  assert.deepEqual(problems(row, object), []);
  const draft = structuredClone(object);
  draft.spec.devices.requests[0].exactly.count = 2;
  assert.match(updateProblems(row, draft, object)[0], /^spec: .*field is immutable/);
});

Deno.test("claims are refused for what upstream refuses", () => {
  const row = rows.resourceClaims;
  const exactly = { deviceClassName: "gpu" };
  const at = "spec.devices.requests[0]";
  const cases: readonly [Record<string, unknown>, string][] = [
    [{ requests: [{ name: "r" }] }, `${at}: Required value: exactly one of`],
    [{ requests: [{ name: "r", exactly: {} }] }, `${at}.exactly.deviceClassName: Required value`],
    [
      { requests: [{ name: "r", exactly: { ...exactly, allocationMode: "All", count: 2 } }] },
      "must not be specified when allocationMode is 'All'",
    ],
    [
      { constraints: [{ requests: ["q"], matchAttribute: "a.com/b" }] },
      "must be the name of a " +
      "request in the claim",
    ],
    [{ config: [{}] }, "spec.devices.config[0].opaque: Required value"],
  ];
  for (const [devices, expected] of cases) {
    const found = problems(row, prepared(row, { spec: { devices } })).join("\n");
    assert.ok(found.includes(expected), found);
  }
});

Deno.test("a claim's state goes from pending to reserved", () => {
  const row = rows.resourceClaims;
  const object = prepared(row, claim);
  assert.equal(cells(row, object)[1], "pending");
  const reservedFor = [{ resource: "pods", name: "p", uid: "1" }];
  const early = { ...structuredClone(object), status: { reservedFor } };
  assert.deepEqual(worded(row.rules.validateStatusUpdate?.(early, object)), [
    "status.reservedFor: Forbidden: may not be specified when `allocated` is not set",
  ]);
  const full = { ...structuredClone(object), status: { allocation: {}, reservedFor } };
  assert.deepEqual(worded(row.rules.validateStatusUpdate?.(full, object)), []);
  assert.equal(cells(row, full)[1], "allocated,reserved");
});

Deno.test("slices say once which nodes reach their devices", () => {
  const row = rows.resourceSlices;
  const pool = { name: "p", generation: 1, resourceSliceCount: 1 };
  const spec = { driver: "gpu.example.com", pool, nodeName: "n1", devices: [{ name: "a" }] };
  const object = prepared(row, { spec });
  assert.deepEqual(problems(row, object), []);
  assert.deepEqual(cells(row, object).slice(1, 4), ["n1", "gpu.example.com", "p"]);
  const both = prepared(row, { spec: { ...spec, allNodes: true } });
  assert.match(problems(row, both)[0], /but multiple fields are set$/);
  const mixed = prepared(row, {
    spec: { ...spec, devices: [{ name: "a", attributes: { x: { int: 1, bool: true } } }] },
  });
  assert.match(problems(row, mixed)[0], /exactly one value must be specified$/);
});

Deno.test("classes may stand for an extended resource", () => {
  const row = rows.deviceClasses;
  const named = (extendedResourceName: string) =>
    problems(row, prepared(row, { spec: { extendedResourceName } }));
  assert.deepEqual(named("example.com/gpu"), []);
  assert.match(named("cpu")[0], /must be a valid extended resource name/);
});
