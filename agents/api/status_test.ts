/**
 * Tries the wording of every kind of failure.
 * In: reasons and resources. Out: code, reason, message and details as upstream sends them.
 * Never: reads the clock or the network; randomness comes from fast-check.
 */
import assert from "node:assert/strict";
import * as status from "./status.ts";

const pods = { group: "", resource: "pods" };
const deployments = { group: "apps", resource: "deployments" };

Deno.test("failures are worded as upstream words them", () => {
  const cases: readonly [status.ApiError, number, string | undefined, string][] = [
    [status.notFound(pods, "x"), 404, "NotFound", 'pods "x" not found'],
    [status.notFound(deployments, "x"), 404, "NotFound", 'deployments.apps "x" not found'],
    [status.alreadyExists(pods, "x"), 409, "AlreadyExists", 'pods "x" already exists'],
    [
      status.conflict(pods, "x"),
      409,
      "Conflict",
      'Operation cannot be fulfilled on pods "x": the object has been modified; ' +
      "please apply your changes to the latest version and try again",
    ],
    [status.unauthorized(), 401, "Unauthorized", "Unauthorized"],
    [
      status.unknownPath(),
      404,
      "NotFound",
      "the server could not find the requested resource",
    ],
    [
      status.accessForbidden({
        user: "u",
        verb: "list",
        group: "",
        resource: "pods",
        namespace: "default",
        name: "",
      }),
      403,
      "Forbidden",
      'pods is forbidden: User "u" cannot list resource "pods" in API group "" ' +
      'in the namespace "default"',
    ],
    [
      status.accessForbidden({
        user: "u",
        verb: "get",
        group: "",
        resource: "",
        namespace: "",
        name: "",
        path: "/metrics",
      }),
      403,
      "Forbidden",
      'forbidden: User "u" cannot get path "/metrics"',
    ],
    [
      status.watchTooOld(),
      410,
      "Expired",
      "The resourceVersion for the provided watch is too old.",
    ],
    [
      status.tooOldResourceVersion(1, 5),
      410,
      "Expired",
      "too old resource version: 1 (5)",
    ],
    [
      status.methodNotAllowed(deployments, "create"),
      405,
      "MethodNotAllowed",
      'create is not supported on resources of kind "deployments.apps"',
    ],
    [status.internalError("x"), 500, "InternalError", "Internal error occurred: x"],
  ];
  for (const [error, code, reason, message] of cases) {
    assert.equal(error.code, code, message);
    assert.equal(error.reason, reason, message);
    assert.equal(error.message, message);
    assert.equal(error.status.status, "Failure");
  }
});

Deno.test("one invalid field stands alone, several stand in brackets, each is a cause", () => {
  const required = { type: "required", path: "spec.containers[0].name", detail: "" } as const;
  const bad = { type: "invalid", path: "spec.x", value: -1, detail: "must be positive" } as const;
  const one = status.invalid({ group: "", kind: "Pod" }, "x", [required]);
  assert.equal(one.message, 'Pod "x" is invalid: spec.containers[0].name: Required value');
  const two = status.invalid({ group: "apps", kind: "Deployment" }, "x", [required, bad]);
  assert.equal(
    two.message,
    'Deployment.apps "x" is invalid: [spec.containers[0].name: Required value, ' +
      "spec.x: Invalid value: -1: must be positive]",
  );
  assert.deepEqual(two.status.details?.causes?.[1], {
    reason: "FieldValueInvalid",
    message: "Invalid value: -1: must be positive",
    field: "spec.x",
  });
});

Deno.test("details name the resource, its group and the object", () => {
  assert.deepEqual(status.notFound(deployments, "x").status.details, {
    name: "x",
    group: "apps",
    kind: "deployments",
  });
  assert.deepEqual(status.notFound(pods, "x").status.details, { name: "x", kind: "pods" });
});
