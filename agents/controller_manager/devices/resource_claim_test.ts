/** Claims are made once for each pod's entry, and freed when their last user has gone. */
import assert from "node:assert/strict";
import { memoryView } from "../../../tests/fakes/memory_view.ts";
import type { KubeObject } from "../../api/meta.ts";
import { pods, resourceClaims, resourceClaimTemplates } from "../../api/resources.ts";
import type { Action, Controller } from "../controller.ts";
import { claimReleaseController, podClaimController } from "./plan_resource_claim.ts";

const FINALIZER = "resource.kubernetes.io/delete-protection";
const GOING = { deletionTimestamp: "2030-01-01T00:00:00Z" };
const spec = { devices: { requests: [{ name: "r", exactly: { deviceClassName: "gpu" } }] } };

function pod(more: object = {}, status: object = {}, name = "p"): KubeObject {
  return {
    metadata: { namespace: "n", name, uid: `uid-${name}` },
    spec: { resourceClaims: [{ name: "gpu", resourceClaimTemplateName: "t" }], ...more },
    status,
  };
}

const template: KubeObject = {
  metadata: { namespace: "n", name: "t" },
  spec: { metadata: { labels: { a: "b" } }, spec },
};

function claim(metadata: object = {}, status: object = {}): KubeObject {
  const owner = { apiVersion: "v1", kind: "Pod", name: "p", uid: "uid-p", controller: true };
  return {
    metadata: {
      namespace: "n",
      name: "c",
      ownerReferences: [owner],
      annotations: { "resource.kubernetes.io/pod-claim-name": "gpu" },
      ...metadata,
    },
    spec,
    status,
  };
}

interface World {
  readonly pods?: readonly KubeObject[];
  readonly claims?: readonly KubeObject[];
  readonly templates?: readonly KubeObject[];
}

function plan(controller: Controller, key: string, world: World): readonly Action[] {
  const hasTemplates = controller === podClaimController;
  const view = memoryView(controller, [
    [pods, world.pods ?? []],
    [resourceClaims, world.claims ?? []],
    ...(hasTemplates ? [[resourceClaimTemplates, world.templates ?? []] as const] : []),
  ]);
  return controller.plan(key, { view, nowMillis: 0 });
}

Deno.test("a pod's entry gets a claim from its template, then the pod shows it", () => {
  const [made] = plan(podClaimController, "n/p", { pods: [pod()], templates: [template] });
  assert(made.kind === "create");
  const { metadata } = made.object;
  assert.equal(metadata.generateName, "p-gpu-");
  assert.deepEqual(metadata.labels, { a: "b" });
  assert.equal(metadata.ownerReferences?.[0].uid, "uid-p");
  assert.deepEqual(made.object.spec, spec);

  const world = { pods: [pod()], templates: [template], claims: [claim()] };
  const [shown, ...more] = plan(podClaimController, "n/p", world);
  assert(shown.kind === "patch");
  assert.equal(shown.subresource, "status");
  const statuses = [{ name: "gpu", resourceClaimName: "c" }];
  assert.deepEqual((shown.body as KubeObject).status, { resourceClaimStatuses: statuses });
  assert.deepEqual(more, []);
  const settled = { ...world, pods: [pod({}, { resourceClaimStatuses: statuses })] };
  assert.deepEqual(plan(podClaimController, "n/p", settled), []);
  const lost = { ...settled, claims: [] };
  assert.equal(plan(podClaimController, "n/p", lost)[0].kind, "create");
});

Deno.test("no claim is made without its template or for a pod that is over", () => {
  const [event] = plan(podClaimController, "n/p", { pods: [pod()] });
  assert(event.kind === "event");
  assert.equal(event.reason, "FailedResourceClaimCreation");
  assert.equal(
    event.message,
    'PodResourceClaim gpu: resource claim template "t": resourceclaimtemplate.resource.k8s.io ' +
      '"t" not found',
  );
  const over = [pod({}, { phase: "Succeeded" })];
  assert.deepEqual(plan(podClaimController, "n/p", { pods: over, templates: [template] }), []);
});

Deno.test("names that are too long together are cut in proportion", () => {
  const long = pod({}, {}, "x".repeat(100));
  const [made] = plan(podClaimController, `n/${"x".repeat(100)}`, {
    pods: [long],
    templates: [template],
  });
  assert(made.kind === "create");
  assert.equal(made.object.metadata.generateName, `${"x".repeat(54)}-g`);
});

Deno.test("a pod that someone else placed reserves its allocated claim", () => {
  const resourceClaimsOfPod = [{ name: "gpu", resourceClaimName: "c" }];
  const placed = pod({ nodeName: "n1", resourceClaims: resourceClaimsOfPod });
  const allocated = claim({}, { allocation: {} });
  const [reserved] = plan(podClaimController, "n/p", { pods: [placed], claims: [allocated] });
  assert(reserved.kind === "update");
  assert.deepEqual(reserved.object.status.reservedFor, [
    { resource: "pods", name: "p", uid: "uid-p" },
  ]);
});

Deno.test("a claim is freed with its last user, once the API server agrees", () => {
  const users = [
    { resource: "pods", name: "p", uid: "uid-p" },
    { resource: "pods", name: "q", uid: "uid-q" },
  ];
  const held = (reservedFor: object[], metadata: object = {}) =>
    claim({ finalizers: [FINALIZER], ...metadata }, { allocation: { a: 1 }, reservedFor });
  const running = pod({ nodeName: "n1" }, {}, "p");
  assert.deepEqual(
    plan(claimReleaseController, "n/c", { pods: [running], claims: [held([users[0]])] }),
    [],
  );

  const [one] = plan(claimReleaseController, "n/c", { pods: [running], claims: [held(users)] });
  assert(one.kind === "update");
  assert.deepEqual(one.object.status, { allocation: { a: 1 }, reservedFor: [users[0]] });
  const place = { namespace: "n", name: "q" };
  assert.deepEqual(one.guards, [{ kind: "absent", resource: pods, place, uid: "uid-q" }]);

  const done = pod({ nodeName: "n1" }, { phase: "Succeeded" });
  const [last] = plan(claimReleaseController, "n/c", { pods: [done], claims: [held([users[0]])] });
  assert(last.kind === "update");
  assert.deepEqual(last.object.status, {});
  assert.deepEqual(last.guards, []);

  const other = [{ apiGroup: "x.io", resource: "things", name: "t", uid: "u" }];
  assert.deepEqual(plan(claimReleaseController, "n/c", { claims: [held(other)] }), []);
});

Deno.test("a claim goes when it is deleted and free, or when its pod will not run", () => {
  const going = claim({ ...GOING, finalizers: [FINALIZER] }, { allocation: {} });
  const [cleared] = plan(claimReleaseController, "n/c", { claims: [going] });
  assert(cleared.kind === "update" && cleared.subresource === "status");
  const clear = claim({ ...GOING, finalizers: ["x", FINALIZER] });
  const [released] = plan(claimReleaseController, "n/c", { claims: [clear] });
  assert(released.kind === "update");
  assert.deepEqual(released.object.metadata.finalizers, ["x"]);

  const done = pod({}, { phase: "Failed" });
  const [gone] = plan(claimReleaseController, "n/c", { pods: [done], claims: [claim()] });
  assert.equal(gone.kind, "delete");
  assert.deepEqual(plan(claimReleaseController, "n/c", { pods: [pod()], claims: [claim()] }), []);
  assert.deepEqual(plan(claimReleaseController, "n/c", { claims: [claim()] }), []);
});
