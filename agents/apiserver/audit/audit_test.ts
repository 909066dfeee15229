/**
 * The audit log: which rule speaks, what a line holds, what never stands in one, how files turn.
 */
import assert from "node:assert/strict";
import { HandClock, podNamed, readEvents, startFakeApi } from "../../../tests/fakes/api_server.ts";
import { openAuditLog } from "./log_file.ts";
import { type AuditAttributes, type AuditPolicy, planLevel } from "./plan_level.ts";
import { parseAuditPolicy } from "./policy.ts";

const POLICY = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: ["system:kube-proxy"]
  verbs: [watch]
  resources: [{group: "", resources: [endpoints, services]}]
- level: None
  nonResourceURLs: ["/healthz*", "/version"]
- level: Metadata
  resources: [{group: "", resources: [secrets, configmaps, "serviceaccounts/token"]}]
- level: Request
  userGroups: ["system:nodes"]
  resources: [{group: "", resources: ["pods/*"]}]
- level: RequestResponse
  namespaces: [audited]
  omitManagedFields: true
- level: Metadata
  omitStages: [ResponseStarted]
`;

function policyOf(text: string): AuditPolicy {
  const read = parseAuditPolicy(text);
  assert(read.kind === "policy", JSON.stringify(read));
  return read.policy;
}

const ASKED: AuditAttributes = {
  user: { name: "ann", groups: ["system:authenticated"] },
  verb: "get",
  path: "/x",
  isResource: true,
  group: "",
  resource: "pods",
  subresource: "",
  namespace: "default",
  name: "a",
};

Deno.test("the first rule that matches decides", () => {
  const policy = policyOf(POLICY);
  const node = { name: "system:node:n", groups: ["system:nodes"] };
  const proxy = { name: "system:kube-proxy", groups: [] };
  const rows: [Partial<AuditAttributes>, string][] = [
    [{}, "Metadata"],
    [{ user: proxy, verb: "watch", resource: "services" }, "None"],
    [{ user: proxy, verb: "list", resource: "services" }, "Metadata"],
    [{ isResource: false, path: "/healthz/etcd" }, "None"],
    [{ isResource: false, path: "/version" }, "None"],
    [{ isResource: false, path: "/versions" }, "Metadata"],
    [{ resource: "secrets", namespace: "audited" }, "Metadata"],
    [{ resource: "serviceaccounts", subresource: "token", namespace: "audited" }, "Metadata"],
    [{ resource: "serviceaccounts", namespace: "audited" }, "RequestResponse"],
    [{ user: node, subresource: "status" }, "Request"],
    [{ user: node, group: "apps", subresource: "status" }, "Metadata"],
    [{ user: null, namespace: "audited" }, "RequestResponse"],
  ];
  for (const [change, level] of rows) {
    const plan = planLevel(policy, { ...ASKED, ...change });
    assert.equal(plan.level, level, JSON.stringify(change));
  }
  const audited = planLevel(policy, { ...ASKED, namespace: "audited" });
  assert.equal(audited.omitManagedFields, true);
  assert.deepEqual(planLevel(policy, ASKED).omitStages, ["RequestReceived", "ResponseStarted"]);
  assert.equal(planLevel({ ...policy, rules: [] }, ASKED).level, "None");
});

Deno.test("a policy that can't be kept is refused with all its problems", () => {
  const read = parseAuditPolicy(`
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: Everything
- level: None
  nonResourceURLs: [healthz, "/a*b"]
- level: None
  nonResourceURLs: ["/healthz"]
  namespaces: [x]
- level: None
  resources: [{group: apps/v1}]
- level: None
  resource: [{group: apps}]
`);
  assert(read.kind === "malformed");
  const text = read.problems.join("\n");
  assert.match(text, /rules\[0\]\.level/);
  assert.match(text, /rules\[1\]\.nonResourceURLs\[0\]: .*begin with/);
  assert.match(text, /rules\[1\]\.nonResourceURLs\[1\]: .*final character/);
  assert.match(text, /rules\[2\]: rules cannot apply to both/);
  assert.match(text, /rules\[3\]\.resources\[0\]\.group/);
  assert.match(text, /rules\[4\].*resource/);
  assert.equal(parseAuditPolicy("rules: [").kind, "malformed");
});

async function auditedApi(policy = POLICY) {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/audit.log`;
  const log = { path, maxSizeMegabytes: 1, maxAgeDays: 0, maxBackups: 0 };
  const api = await startFakeApi({ audit: { policy: policyOf(policy), log, webhook: null } });
  return {
    api,
    path,
    /** Ends the server. @returns the events of the log */
    async finish() {
      await api.close();
      const text = await Deno.readTextFile(path);
      const mode = (await Deno.stat(path)).mode! & 0o777;
      await Deno.remove(directory, { recursive: true });
      // deno-lint-ignore no-explicit-any
      const events: any[] = text.trim().split("\n").map((line) => JSON.parse(line));
      return { text, events, mode };
    },
  };
}

Deno.test("a request leaves what the policy asks for, and no secret", async () => {
  const { api, finish } = await auditedApi();
  await api.ask("POST", "/api/v1/namespaces", { metadata: { name: "audited" } });
  const secret = { metadata: { name: "s" }, stringData: { key: "hunter2" } };
  await api.ask("POST", "/api/v1/namespaces/audited/secrets", secret);
  await api.ask("GET", "/api/v1/namespaces/audited/secrets");
  const account = { metadata: { name: "default" } };
  await api.ask("POST", "/api/v1/namespaces/audited/serviceaccounts", account);
  const tokenPath = "/api/v1/namespaces/audited/serviceaccounts/default/token";
  const issued = await api.ask("POST", tokenPath, { spec: {} });
  const made = await api.ask(
    "POST",
    "/api/v1/namespaces/audited/pods?fieldManager=m",
    podNamed("a"),
    {
      headers: { "audit-id": "my-id", authorization: "Bearer s3cr3t" },
    },
  );
  assert.deepEqual(made.response.headers.slice(-2), ["audit-id", "my-id"]);
  const user = { name: "eve", groups: ["system:authenticated"] };
  await api.ask("DELETE", "/api/v1/namespaces/audited/pods/a", undefined, { user });
  const { text, events, mode } = await finish();
  assert.equal(mode, 0o600);
  const of = (verb: string, resource: string) =>
    events.find((event) => event.verb === verb && event.objectRef?.resource === resource);
  for (const hidden of ["hunter2", btoa("hunter2"), issued.json.status.token, "s3cr3t"]) {
    assert(!text.includes(hidden), hidden);
  }
  assert.equal(of("create", "secrets").level, "Metadata");
  assert.equal(of("create", "secrets").objectRef.name, "s");
  const pod = of("create", "pods");
  assert.equal(pod.auditID, "my-id");
  assert.equal(pod.requestURI, "/api/v1/namespaces/audited/pods?fieldManager=m");
  assert.equal(pod.requestObject.spec.containers[0].image, "busybox");
  assert.equal(pod.requestObject.spec.containers[0].imagePullPolicy, undefined);
  assert.equal(pod.responseObject.metadata.managedFields, undefined);
  assert.equal(pod.responseObject.spec.containers[0].imagePullPolicy, "Always");
  assert.deepEqual(pod.responseStatus, { metadata: {}, code: 201 });
  assert.equal(pod.annotations["authorization.k8s.io/decision"], "allow");
  assert.match(pod.stageTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  const refused = of("delete", "pods");
  assert.equal(refused.user.username, "eve");
  assert.equal(refused.annotations["authorization.k8s.io/decision"], "forbid");
  assert.equal(refused.responseStatus.reason, "Forbidden");
  assert.equal(refused.responseStatus.code, 403);
});

Deno.test("a watch is written when it starts and when it ends", async () => {
  const { api, finish } = await auditedApi();
  await api.ask("POST", "/api/v1/namespaces", { metadata: { name: "audited" } });
  const watch = await api.ask("GET", "/api/v1/namespaces/audited/serviceaccounts?watch=true");
  const account = { metadata: { name: "a" } };
  await api.ask("POST", "/api/v1/namespaces/audited/serviceaccounts", account);
  await readEvents(watch, 1);
  const { events } = await finish();
  const stages = events.filter((event) => event.verb === "watch").map((event) => event.stage);
  assert.deepEqual(stages, ["ResponseStarted", "ResponseComplete"]);
});

Deno.test("who acts for another is written with whom it acts for", async () => {
  const { api, finish } = await auditedApi();
  await api.ask("GET", "/api/v1/nodes", undefined, { headers: { "impersonate-user": "bob" } });
  const { events } = await finish();
  const event = events.find((one) => one.objectRef?.resource === "nodes");
  assert.equal(event.user.username, "kubernetes-admin");
  assert.equal(event.impersonatedUser.username, "bob");
  assert.equal(event.responseStatus.code, 403);
});

Deno.test("a full file is put aside, and old ones go", async () => {
  const directory = await Deno.makeTempDir();
  const clock = new HandClock();
  const path = `${directory}/a.log`;
  const options = { path, maxSizeMegabytes: 1, maxAgeDays: 2, maxBackups: 2 };
  const line = "x".repeat(700_000);
  for (let day = 0; day < 5; day++) {
    const sink = await openAuditLog(options, { clock, log: () => {} });
    sink.write(line);
    await sink.close();
    clock.advance(86_400_000);
  }
  const names = [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
  assert.deepEqual(names, [
    "a-2026-01-05T03-04-05.000.log",
    "a-2026-01-06T03-04-05.000.log",
    "a.log",
  ]);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("lines are dropped and counted where the disk fails, and no request waits", async () => {
  const directory = await Deno.makeTempDir();
  const said: unknown[] = [];
  const options = { path: `${directory}/a.log`, maxSizeMegabytes: 1, maxAgeDays: 0, maxBackups: 0 };
  const sink = await openAuditLog(options, {
    clock: new HandClock(),
    log: (_level, _message, fields) => said.push(fields),
  });
  sink.write("first");
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(sink.written, 1);
  // The next file can't be made where its folder is gone.
  await Deno.remove(directory, { recursive: true });
  for (let i = 0; i < 60; i++) sink.write("secret".repeat(100_000));
  await sink.close();
  assert(sink.dropped > 0);
  assert.equal(sink.written + sink.dropped, 61);
  assert(!JSON.stringify(said).includes("secret"));
});
