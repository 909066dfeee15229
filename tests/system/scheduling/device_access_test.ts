/**
 * Who may be given what of devices: admin access, allocations, the status of a driver's devices.
 */
import assert from "node:assert/strict";
import type { UserInfo } from "../../../agents/api/meta.ts";
import {
  CLAIMS,
  DRIVER,
  given,
  GROUP,
  makeClaim,
  makeClass,
  makePod,
  makeSlice,
} from "../../fakes/device_objects.ts";
import { schedulingTest, type SchedulingWorld } from "../../fakes/scheduling_world.ts";

const RBAC = "/apis/rbac.authorization.k8s.io/v1";
const TEMPLATES = `${GROUP}/namespaces/default/resourceclaimtemplates`;

schedulingTest("admin access is for namespaces that are marked for it", async (world) => {
  const { api } = world;
  const exactly = { deviceClassName: "gpu", adminAccess: true, allocationMode: "All" };
  const spec = { devices: { requests: [{ name: "r", exactly }] } };
  const claim = { metadata: { name: "c" }, spec };
  const words =
    "spec.devices.requests[0].adminAccess: Forbidden: admin access to devices requires " +
    "the `resource.kubernetes.io/admin-access: true` label on the containing namespace";
  for (const [url, body] of [[CLAIMS, claim], [TEMPLATES, { ...claim, spec: { spec } }]] as const) {
    const refused = await api.ask("POST", url, body);
    assert.equal(refused.status, 422);
    assert(refused.json.message.endsWith(words), refused.json.message);
  }
  const space = await world.get("/api/v1/namespaces/default");
  const labels = { ...space.metadata.labels, "resource.kubernetes.io/admin-access": "true" };
  const marked = { ...space, metadata: { ...space.metadata, labels } };
  await api.ask("PUT", "/api/v1/namespaces/default", marked);

  await world.node("n1");
  await makeClass(world);
  await makeSlice(world, "n1", ["g0"]);
  await makeClaim(world, "user");
  await makePod(world, "user", "user");
  await world.post(CLAIMS, claim);
  await makePod(world, "admin", "c");
  await world.pass(2000);
  assert.deepEqual(await world.placements(), ["admin@n1", "user@n1"]);
  const { status } = await world.get(`${CLAIMS}/c`);
  assert.equal(status.allocation.devices.results[0].adminAccess, true);
});

/** Lets a user write statuses of claims, and what else is told. */
async function allow(world: SchedulingWorld, name: string, rules: readonly object[]) {
  const statuses = {
    apiGroups: ["resource.k8s.io"],
    resources: ["resourceclaims/status"],
    verbs: ["update"],
  };
  await world.post(`${RBAC}/clusterroles`, { metadata: { name }, rules: [statuses, ...rules] });
  await world.post(`${RBAC}/clusterrolebindings`, {
    metadata: { name },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
    subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name }],
  });
}

schedulingTest("a status is written part by part, by those who may", async (world) => {
  await world.node("n1");
  await makeClass(world);
  await makeSlice(world, "n1", ["g0"]);
  await makeClaim(world, "c");
  await makePod(world, "a", "c");
  await world.pass(1000);
  const node = "system:serviceaccount:kube-system:driver";
  const forDriver = (verb: string) => ({
    apiGroups: ["resource.k8s.io"],
    resources: ["resourceclaims/driver"],
    resourceNames: [DRIVER],
    verbs: [verb],
  });
  await allow(world, "nobody", []);
  await allow(world, "controller", [forDriver("arbitrary-node:update")]);
  await allow(world, node, [forDriver("associated-node:update")]);
  const onNode = (name: string): UserInfo => ({
    name: node,
    groups: [],
    extra: { "authentication.kubernetes.io/node-name": [name] },
  });
  const put = async (user: UserInfo, change: object) => {
    const claim = await world.get(`${CLAIMS}/c`);
    const body = { ...claim, status: { ...claim.status, ...change } };
    const { status, json } = await world.api.ask("PUT", `${CLAIMS}/c/status`, body, { user });
    return status === 200 ? "" : json.message as string;
  };
  const nobody: UserInfo = { name: "nobody", groups: [] };
  const device = { driver: DRIVER, pool: "n1", device: "g0" };
  const data = (value: string) => ({ devices: [{ ...device, data: { value } }] });

  assert.match(
    await put(nobody, { reservedFor: undefined }),
    /status\.allocation: Forbidden: changing status\.allocation or status\.reservedFor requires .*User "nobody" cannot update resource "resourceclaims\/binding" .* at the cluster scope/,
  );
  assert.match(
    await put(nobody, data("x")),
    /status\.devices: Forbidden: changing status\.devices requires resource="resourceclaims\/driver", verb="\[arbitrary-node:update\]"/,
  );
  assert.equal(await put({ name: "controller", groups: [] }, data("1")), "");
  assert.match(await put(onNode("n2"), data("2")), /verb="\[arbitrary-node:update\]"/);
  assert.equal(await put(onNode("n1"), data("2")), "");
  assert.deepEqual(given(await world.get(`${CLAIMS}/c`)), ["n1/g0"]);
});
