/**
 * Evictions, tokens and reviews over a memory store.
 */
import assert from "node:assert/strict";
import { apiTest, podNamed, startFakeApi } from "../../../../tests/fakes/api_server.ts";
import type { KubeObject } from "../../../api/meta.ts";

const PODS = "/api/v1/namespaces/default/pods";
const TOKEN = "/api/v1/namespaces/default/serviceaccounts/default/token";
const REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews";

apiTest("an eviction deletes a pod that no budget holds", async (api) => {
  await api.ask("POST", PODS, podNamed("p"));
  const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: "p" } };
  const dry = await api.ask("POST", `${PODS}/p/eviction?dryRun=All`, eviction);
  assert.equal(dry.status, 201, dry.text);
  assert.equal((await api.ask("GET", `${PODS}/p`)).status, 200);
  const answer = await api.ask("POST", `${PODS}/p/eviction`, eviction);
  assert.equal(answer.json.status, "Success");
  assert.equal((await api.ask("GET", `${PODS}/p`)).status, 404);
});

apiTest("a token bound to a pod dies with the pod and with time", async (api) => {
  const pod = await api.ask("POST", PODS, podNamed("p"));
  const boundObjectRef = { kind: "Pod", apiVersion: "v1", name: "p", uid: pod.json.metadata.uid };
  const issued = await api.ask("POST", TOKEN, { spec: { boundObjectRef } });
  assert.equal(issued.status, 201, issued.text);
  assert.equal(issued.json.status.expirationTimestamp, "2026-01-02T04:04:05Z");
  const review = async () =>
    (await api.ask("POST", REVIEWS, { spec: { token: issued.json.status.token } })).json.status;
  const known = await review();
  assert.equal(known.authenticated, true);
  assert.equal(known.user.username, "system:serviceaccount:default:default");
  assert.deepEqual(known.user.extra["authentication.kubernetes.io/pod-name"], ["p"]);
  await api.ask("DELETE", `${PODS}/p`);
  assert.equal((await review()).authenticated, false);
  const plain = (await api.ask("POST", TOKEN, { spec: {} })).json.status.token;
  const later = { spec: { token: plain } };
  assert.equal((await api.ask("POST", REVIEWS, later)).json.status.authenticated, true);
  api.clock.advance(3601_000);
  assert.equal((await api.ask("POST", REVIEWS, later)).json.status.authenticated, false);
});

apiTest("a token is refused for a short life, and for another pod's account", async (api) => {
  const short = await api.ask("POST", TOKEN, { spec: { expirationSeconds: 60 } });
  assert.equal(short.status, 422);
  assert.match(short.json.message, /may not specify a duration less than 10 minutes/);
  const missing = { boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "none" } };
  assert.equal((await api.ask("POST", TOKEN, { spec: missing })).status, 404);
});

apiTest("access reviews say what the authorizer would", async (api) => {
  const url = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
  const resourceAttributes = { verb: "get", resource: "pods", namespace: "default" };
  const ask = async (user: string, groups: string[]) =>
    (await api.ask("POST", url, { spec: { user, groups, resourceAttributes } })).json.status;
  assert.equal((await ask("kubernetes-admin", ["system:masters"])).allowed, true);
  assert.equal((await ask("eve", [])).allowed, false);
  assert.equal((await api.ask("POST", url, { spec: { user: "eve" } })).status, 422);
});

Deno.test("componentstatuses tell how the parts are, with a word that they are of the past", async () => {
  const api = await startFakeApi({
    components: () => [
      { name: "scheduler", problem: null },
      { name: "controller-manager", problem: "not started" },
    ],
  });
  try {
    const list = await api.ask("GET", "/api/v1/componentstatuses");
    assert.equal(list.json.kind, "ComponentStatusList");
    assert.deepEqual(
      list.json.items.map((item: KubeObject) => [item.metadata.name, item.conditions[0]]),
      [
        ["scheduler", { type: "Healthy", status: "True", message: "ok" }],
        ["controller-manager", { type: "Healthy", status: "False", error: "not started" }],
        ["etcd-0", { type: "Healthy", status: "True", message: "ok" }],
      ],
    );
    assert.deepEqual(list.response.headers, [
      "warning",
      '299 - "v1 ComponentStatus is deprecated in v1.19+"',
    ]);
    const one = await api.ask("GET", "/api/v1/componentstatuses/etcd-0");
    assert.equal(one.json.metadata.name, "etcd-0");
    const none = await api.ask("GET", "/api/v1/componentstatuses/dns");
    assert.equal(none.status, 404);
    assert.equal(none.json.message, 'componentstatus "dns" not found');
    const table = await api.ask("GET", "/api/v1/componentstatuses", undefined, {
      headers: { accept: "application/json;as=Table;g=meta.k8s.io;v=v1" },
    });
    assert.deepEqual(table.json.rows[1].cells, [
      "controller-manager",
      "Unhealthy",
      "",
      "not started",
    ]);
  } finally {
    await api.close();
  }
});

apiTest(
  "reports keep to the one pod that is meant, and to all else that stands there",
  async (api) => {
    const made = await api.ask("POST", PODS, podNamed("p"));
    const user = { name: "system:kube-scheduler", groups: [] };
    await api.server.port.bindMany(user, [{ namespace: "default", name: "p", nodeName: "n" }]);
    const before = (await api.ask("GET", `${PODS}/p`)).json;
    const meant = { namespace: "default", name: "p", uid: made.json.metadata.uid, evicts: false };
    const told = { type: "DisruptionTarget", status: "True", reason: "Preempted" } as const;
    const report = { ...meant, condition: told };
    const [stranger, promised, written] = await api.server.port.reportMany(user, [
      { ...report, uid: "another" },
      { ...report, nominatedNodeName: "n2" },
      report,
    ]);
    assert.match(stranger!.message, /Precondition failed: UID in precondition: another/);
    assert.match(promised!.message, /may not be set on pods that are already bound to a node/);
    assert.equal(written, null);
    const { json } = await api.ask("GET", `${PODS}/p`);
    assert.deepEqual(json.spec, before.spec);
    // Times that nobody set are written as Go writes them.
    const untold = { lastProbeTime: null, lastTransitionTime: null };
    const conditions = [...before.status.conditions, { ...told, ...untold }];
    assert.deepEqual(json.status, { ...before.status, conditions });
    const again = { ...report, condition: { ...told, reason: "Other" } };
    await api.server.port.reportMany(user, [{ ...again, evicts: true }]);
    const doomed = (await api.ask("GET", `${PODS}/p`)).json;
    assert.equal(doomed.metadata.deletionGracePeriodSeconds, 30);
    assert.deepEqual(doomed.status.conditions.slice(1), [{ ...told, reason: "Other", ...untold }]);
  },
);

apiTest("a binding ends what the pod was promised", async (api) => {
  const { json: { metadata: { uid } } } = await api.ask("POST", PODS, podNamed("p"));
  const user = { name: "system:kube-scheduler", groups: [] };
  const of = { namespace: "default", name: "p" };
  await api.server.port.reportMany(user, [{ ...of, uid, nominatedNodeName: "n1", evicts: false }]);
  assert.equal((await api.ask("GET", `${PODS}/p`)).json.status.nominatedNodeName, "n1");
  await api.server.port.bindMany(user, [{ ...of, nodeName: "n2" }]);
  const { json } = await api.ask("GET", `${PODS}/p`);
  assert.deepEqual([json.spec.nodeName, json.status.nominatedNodeName], ["n2", undefined]);
});

apiTest("who may report on pods may not evict them for that", async (api) => {
  const rights = {
    metadata: { name: "reporter" },
    rules: [{ apiGroups: [""], resources: ["pods/status"], verbs: ["patch"] }],
  };
  const rbac = "/apis/rbac.authorization.k8s.io/v1";
  await api.ask("POST", `${rbac}/clusterroles`, rights);
  await api.ask("POST", `${rbac}/clusterrolebindings`, {
    metadata: { name: "reporter" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "reporter" },
    subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "ann" }],
  });
  const ann = { name: "ann", groups: ["system:authenticated"] };
  const report = { namespace: "default", name: "p", uid: "u", evicts: false };
  const [missing] = await api.server.port.reportMany(ann, [{ ...report, nominatedNodeName: "n" }]);
  assert.match(missing!.message, /"p" not found/);
  assert.throws(
    () => api.server.port.reportMany(ann, [{ ...report, evicts: true }]),
    /cannot delete resource "pods"/,
  );
});
