/**
 * Each verb against a memory store: what is answered and what is kept.
 */
import assert from "node:assert/strict";
import { type Answer, apiTest, podNamed } from "../../../tests/fakes/api_server.ts";

const PODS = "/api/v1/namespaces/default/pods";
const MAPS = "/api/v1/namespaces/default/configmaps";

function refused(answer: Answer, code: number, message: string | RegExp, reason?: string): void {
  assert.equal(answer.status, code, answer.text);
  assert.equal(answer.json.kind, "Status");
  assert.equal(answer.json.code, code);
  if (typeof message === "string") assert.equal(answer.json.message, message);
  else assert.match(answer.json.message, message);
  if (reason !== undefined) assert.equal(answer.json.reason, reason);
}

const configMap = (name: string, data: Record<string, string> = {}) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name } as Record<string, unknown>,
  data,
});

apiTest("create fills metadata and get answers the same bytes", async (api) => {
  const created = await api.ask("POST", MAPS, configMap("a", { k: "v" }));
  assert.equal(created.status, 201);
  const { metadata } = created.json;
  assert.equal(metadata.namespace, "default");
  assert.equal(metadata.creationTimestamp, "2026-01-02T03:04:05Z");
  assert.match(metadata.uid, /^[0-9a-f-]{36}$/);
  assert.equal(metadata.resourceVersion, String(api.store.revision));
  const got = await api.ask("GET", `${MAPS}/a`);
  assert.equal(got.text, created.text);
});

apiTest("a second create of a name is refused", async (api) => {
  await api.ask("POST", MAPS, configMap("a"));
  const again = await api.ask("POST", MAPS, configMap("a"));
  refused(again, 409, 'configmaps "a" already exists', "AlreadyExists");
  assert.deepEqual(again.json.details, { name: "a", kind: "configmaps" });
});

apiTest("generateName makes a name; a dry run keeps nothing", async (api) => {
  const body = { ...configMap(""), metadata: { generateName: "x-" } };
  const created = await api.ask("POST", MAPS, body);
  assert.match(created.json.metadata.name, /^x-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  const revision = api.store.revision;
  const dry = await api.ask("POST", `${MAPS}?dryRun=All`, configMap("dry"));
  assert.equal(dry.status, 201);
  assert.equal(dry.json.metadata.name, "dry");
  assert.equal(api.store.revision, revision);
});

apiTest("create in a namespace that is missing or going is refused", async (api) => {
  const url = (ns: string) => `/api/v1/namespaces/${ns}/configmaps`;
  refused(
    await api.ask("POST", url("nowhere"), configMap("a")),
    404,
    'namespaces "nowhere" not found',
  );
  await api.ask("POST", "/api/v1/namespaces", {
    metadata: { name: "going", finalizers: ["example.com/hold"] },
  });
  const deleted = await api.ask("DELETE", "/api/v1/namespaces/going");
  assert.equal(deleted.json.status.phase, "Terminating");
  refused(
    await api.ask("POST", url("going"), configMap("a")),
    403,
    'configmaps "a" is forbidden: unable to create new content in namespace going ' +
      "because it is being terminated",
    "Forbidden",
  );
});

apiTest("update needs the version it replaces", async (api) => {
  const created = await api.ask("POST", MAPS, configMap("a", { k: "1" }));
  const second = { ...created.json, data: { k: "2" } };
  const updated = await api.ask("PUT", `${MAPS}/a`, second);
  assert.equal(updated.status, 200);
  assert.equal(updated.json.data.k, "2");
  assert.equal(updated.json.metadata.uid, created.json.metadata.uid);
  refused(
    await api.ask("PUT", `${MAPS}/a`, { ...second, data: { k: "3" } }),
    409,
    'Operation cannot be fulfilled on configmaps "a": the object has been modified; ' +
      "please apply your changes to the latest version and try again",
    "Conflict",
  );
});

apiTest("an update that changes nothing writes nothing", async (api) => {
  const created = await api.ask("POST", MAPS, configMap("a", { k: "1" }));
  const revision = api.store.revision;
  const { data, metadata, kind, apiVersion } = created.json;
  const same = await api.ask("PUT", `${MAPS}/a`, { data, apiVersion, kind, metadata });
  assert.equal(same.json.metadata.resourceVersion, created.json.metadata.resourceVersion);
  assert.equal(api.store.revision, revision);
});

apiTest("an update of what is not there is refused", async (api) => {
  refused(
    await api.ask("PUT", `${MAPS}/none`, configMap("none")),
    404,
    'configmaps "none" not found',
  );
});

apiTest("patches of three types change the object", async (api) => {
  await api.ask("POST", MAPS, configMap("a", { k: "1" }));
  const patch = (type: string, body: unknown) =>
    api.ask("PATCH", `${MAPS}/a`, body, {
      headers: { "content-type": `application/${type}` },
    });
  const merged = await patch("merge-patch+json", { data: { k: null, m: "2" } });
  assert.deepEqual(merged.json.data, { m: "2" });
  const operated = await patch("json-patch+json", [{ op: "add", path: "/data/j", value: "3" }]);
  assert.deepEqual(operated.json.data, { m: "2", j: "3" });
  const strategic = await patch("strategic-merge-patch+json", { data: { s: "4" } });
  assert.deepEqual(strategic.json.data, { m: "2", j: "3", s: "4" });
  const stale = { metadata: { resourceVersion: "1" }, data: { k: "9" } };
  assert.equal((await patch("merge-patch+json", stale)).status, 409);
  refused(await patch("foo", {}), 415, /unknown format/, "UnsupportedMediaType");
});

apiTest("a spec change moves the generation, a status change does not", async (api) => {
  const url = "/apis/apps/v1/namespaces/default/deployments";
  const labels = { app: "a" };
  const template = {
    metadata: { labels },
    spec: { containers: [{ name: "c", image: "i" }] },
  };
  const spec = { replicas: 1, selector: { matchLabels: labels }, template };
  const created = await api.ask("POST", url, { metadata: { name: "d" }, spec });
  assert.equal(created.status, 201, created.text);
  assert.equal(created.json.metadata.generation, 1);
  const headers = { "content-type": "application/merge-patch+json" };
  const scaled = await api.ask("PATCH", `${url}/d/scale`, { spec: { replicas: 3 } }, { headers });
  assert.equal(scaled.json.kind, "Scale");
  assert.equal(scaled.json.spec.replicas, 3);
  assert.equal(scaled.json.status.selector, "app=a");
  const status = { status: { observedGeneration: 2, replicas: 3 }, spec: { replicas: 9 } };
  const reported = await api.ask("PATCH", `${url}/d/status`, status, { headers });
  assert.equal(reported.json.status.replicas, 3);
  assert.equal(reported.json.spec.replicas, 3);
  assert.equal(reported.json.metadata.generation, 2);
});

apiTest("delete honours preconditions and finalizers", async (api) => {
  const body = configMap("a");
  body.metadata.finalizers = ["example.com/hold"];
  const created = await api.ask("POST", MAPS, body);
  const wrong = await api.ask("DELETE", `${MAPS}/a`, { preconditions: { uid: "other" } });
  refused(wrong, 409, /Precondition failed: UID in precondition: other/);
  const marked = await api.ask("DELETE", `${MAPS}/a`);
  assert.equal(marked.json.metadata.deletionTimestamp, "2026-01-02T03:04:05Z");
  const freed = await api.ask("PATCH", `${MAPS}/a`, { metadata: { finalizers: null } }, {
    headers: { "content-type": "application/merge-patch+json" },
  });
  assert.equal(freed.status, 200);
  assert.equal((await api.ask("GET", `${MAPS}/a`)).status, 404);
  await api.ask("POST", MAPS, configMap("b"));
  const gone = await api.ask("DELETE", `${MAPS}/b`);
  assert.equal(gone.json.status, "Success");
  assert.equal(gone.json.details.kind, "configmaps");
  assert.notEqual(gone.json.details.uid, created.json.metadata.uid);
});

apiTest("foreground deletion holds the object by a finalizer", async (api) => {
  await api.ask("POST", MAPS, configMap("a"));
  const marked = await api.ask("DELETE", `${MAPS}/a?propagationPolicy=Foreground`);
  assert.deepEqual(marked.json.metadata.finalizers, ["foregroundDeletion"]);
});

apiTest("delete of a collection takes what the selector selects", async (api) => {
  for (const name of ["a", "b", "c"]) {
    const body = configMap(name);
    body.metadata.labels = { keep: String(name === "c") };
    await api.ask("POST", MAPS, body);
  }
  const answer = await api.ask("DELETE", `${MAPS}?labelSelector=keep%3Dfalse`);
  assert.equal(answer.json.items.length, 2);
  const left = await api.ask("GET", MAPS);
  assert.deepEqual(left.json.items.map((item: Named) => item.metadata.name), ["c"]);
});

interface Named {
  readonly metadata: { readonly name: string };
}

apiTest("a pod is outfitted by admission", async (api) => {
  const { json } = await api.ask("POST", PODS, podNamed("p"));
  assert.equal(json.spec.serviceAccountName, "default");
  assert.equal(json.spec.priority, 0);
  assert.equal(json.spec.preemptionPolicy, "PreemptLowerPriority");
  assert.equal(json.spec.tolerations.length, 2);
  assert.match(json.spec.volumes[0].name, /^kube-api-access-.{5}$/);
  assert.equal(json.spec.containers[0].volumeMounts[0].name, json.spec.volumes[0].name);
});

apiTest("a pod of an unknown priority class is refused", async (api) => {
  const pod = podNamed("p");
  const body = { ...pod, spec: { ...pod.spec, priorityClassName: "none" } };
  refused(
    await api.ask("POST", PODS, body),
    403,
    'pods "p" is forbidden: no PriorityClass with name none was found',
  );
});

apiTest("a pod binds once", async (api) => {
  await api.ask("POST", PODS, podNamed("p"));
  const bind = (name: string) =>
    api.ask("POST", `${PODS}/p/binding`, {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name: "p" },
      target: { kind: "Node", name },
    });
  const bound = await bind("n1");
  assert.equal(bound.status, 201);
  assert.equal(bound.json.status, "Success");
  const { json } = await api.ask("GET", `${PODS}/p`);
  assert.equal(json.spec.nodeName, "n1");
  assert.equal(json.status.conditions[0].type, "PodScheduled");
  refused(
    await bind("n2"),
    409,
    'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n1"',
  );
});

apiTest("many bindings have an outcome each and revisions of their own", async (api) => {
  for (const name of ["p1", "p2"]) await api.ask("POST", PODS, podNamed(name));
  const user = { name: "system:kube-scheduler", groups: [] };
  const outcomes = await api.server.port.bindMany(user, [
    { namespace: "default", name: "p1", nodeName: "n1" },
    { namespace: "default", name: "none", nodeName: "n1" },
    { namespace: "default", name: "p2", nodeName: "n2" },
  ]);
  assert.equal(outcomes[0], null);
  assert.match(outcomes[1]!.message, /pods "none" not found/);
  assert.equal(outcomes[2], null);
  const { json } = await api.ask("GET", `${PODS}?fieldSelector=spec.nodeName%3Dn2`);
  assert.deepEqual(json.items.map((item: Named) => item.metadata.name), ["p2"]);
  const versions = (await api.ask("GET", PODS)).json.items
    .map((item: { metadata: { resourceVersion: string } }) => item.metadata.resourceVersion);
  assert.equal(new Set(versions).size, 2);
});

apiTest("a bound pod gets its grace, an unbound one none", async (api) => {
  await api.ask("POST", PODS, podNamed("unbound"));
  assert.equal((await api.ask("DELETE", `${PODS}/unbound`)).status, 200);
  assert.equal((await api.ask("GET", `${PODS}/unbound`)).status, 404);
  await api.ask("POST", PODS, podNamed("bound"));
  const user = { name: "system:kube-scheduler", groups: [] };
  await api.server.port.bindMany(user, [{ namespace: "default", name: "bound", nodeName: "n" }]);
  const { json } = await api.ask("DELETE", `${PODS}/bound`);
  assert.equal(json.metadata.deletionGracePeriodSeconds, 30);
  assert.equal(json.metadata.deletionTimestamp, "2026-01-02T03:04:35Z");
  await api.ask("DELETE", `${PODS}/bound`, { gracePeriodSeconds: 0 });
  assert.equal((await api.ask("GET", `${PODS}/bound`)).status, 404);
});

apiTest("services get addresses and ports of their own", async (api) => {
  const url = "/api/v1/namespaces/default/services";
  const make = (name: string, spec: Record<string, unknown>) =>
    api.ask("POST", url, {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name },
      spec: { selector: { a: "b" }, ports: [{ port: 80 }], ...spec },
    });
  const first = await make("a", { type: "NodePort" });
  assert.equal(first.status, 201, first.text);
  assert.match(first.json.spec.clusterIP, /^10\.96\./);
  const { nodePort } = first.json.spec.ports[0];
  assert.ok(nodePort >= 30000 && nodePort <= 32767);
  refused(
    await make("b", { clusterIP: first.json.spec.clusterIP }),
    422,
    /failed to allocate IP .*: provided IP is already allocated/,
    "Invalid",
  );
  refused(
    await make("c", { type: "NodePort", ports: [{ port: 1, nodePort }] }),
    422,
    /provided port is already allocated/,
  );
  await api.ask("DELETE", `${url}/a`);
  const again = await make("b", { clusterIP: first.json.spec.clusterIP });
  assert.equal(again.status, 201, again.text);
});

apiTest("the verbs of the in-process port leave the caller's objects alone", async (api) => {
  const { configMaps } = await import("../../api/resources.ts");
  const user = { name: "system:kube-x", groups: ["system:masters"] };
  const target = { resource: configMaps, subresource: "", namespace: "default", name: "", user };
  const object = Object.freeze({ metadata: Object.freeze({ name: "a" }), data: { k: "v" } });
  const answer = await api.server.port.call({ ...target, verb: "create", object, options: {} });
  assert(answer.kind === "object" && answer.created);
  assert(Object.isFrozen(answer.object.metadata));
  assert.equal(answer.object.metadata.resourceVersion, String(api.store.revision));
});

apiTest("an event keeps a lease through its updates", async (api) => {
  const url = "/api/v1/namespaces/default/events";
  await api.ask("POST", url, {
    metadata: { name: "e" },
    involvedObject: { kind: "Pod", namespace: "default", name: "p" },
    reason: "R",
    type: "Normal",
  });
  const patched = await api.ask("PATCH", `${url}/e`, { count: 2 }, {
    headers: { "content-type": "application/merge-patch+json" },
  });
  assert.equal(patched.status, 200, patched.text);
  const key = new TextEncoder().encode("/registry/events/default/e");
  const kept = await api.store.range({ kind: "range", key });
  assert(kept.kind === "range");
  assert.notEqual(kept.kvs[0].lease, 0n);
  assert.equal(kept.kvs[0].version, 2);
});
