/** Webhooks: who is asked, what they may change and refuse, and what happens when they fail. */
import assert from "node:assert/strict";
import {
  type Answer,
  type FakeApi,
  podNamed,
  startFakeApi,
} from "../../../../tests/fakes/api_server.ts";
import {
  type HookAnswer,
  startWebhookServer,
  type WebhookServer,
} from "../../../../tests/fakes/webhook_server.ts";

const GROUP = "/apis/admissionregistration.k8s.io/v1";
const MAPS = "/api/v1/namespaces/default/configmaps";
const PODS = "/api/v1/namespaces/default/pods";
const ON_MAPS = {
  operations: ["CREATE", "UPDATE", "DELETE"],
  apiGroups: [""],
  apiVersions: ["v1"],
  resources: ["configmaps"],
};

// deno-lint-ignore no-explicit-any
type Json = any;

/** Runs a test against a server whose answers `reply` makes. */
function hookTest(
  name: string,
  reply: (request: Json, path: string) => HookAnswer,
  run: (api: FakeApi, hook: WebhookServer) => Promise<void>,
): void {
  Deno.test(name, async () => {
    const hook = await startWebhookServer(reply, ["hook.default.svc"]);
    const api = await startFakeApi();
    try {
      await run(api, hook);
    } finally {
      await api.close();
      await hook.close();
    }
  });
}

async function configure(
  api: FakeApi,
  hook: WebhookServer,
  parts: { kind: "mutating" | "validating"; name?: string; hooks?: readonly object[] },
): Promise<void> {
  const { kind, name = "c", hooks = [{}] } = parts;
  const webhooks = hooks.map((more, index) => ({
    name: `h${index}.example.com`,
    clientConfig: { url: `${hook.url}/${name}${index}`, caBundle: hook.caBundle },
    rules: [ON_MAPS],
    sideEffects: "None",
    admissionReviewVersions: ["v1"],
    ...more,
  }));
  const url = `${GROUP}/${kind}webhookconfigurations`;
  const made = await api.ask("POST", url, { metadata: { name }, webhooks });
  assert.equal(made.status, 201, made.text);
}

const map = (name: string, more: object = {}) => ({ metadata: { name }, ...more });
const create = (api: FakeApi, name: string, more: object = {}, query = "") =>
  api.ask("POST", `${MAPS}${query}`, map(name, more));
const patched = (operations: readonly object[]): HookAnswer => ({
  response: { allowed: true, patchType: "JSONPatch", patch: btoa(JSON.stringify(operations)) },
});
const allow: HookAnswer = { response: { allowed: true } };
const warningsOf = ({ response }: Answer) =>
  response.headers.filter((_, index) => response.headers[index - 1] === "warning");

hookTest("a mutating webhook changes the draft and says so", ({ oldObject }) => {
  const value = oldObject === null ? { a: "b" } : { seen: "again" };
  return patched([{ op: "add", path: "/data", value }]);
}, async (api, hook) => {
  await configure(api, hook, { kind: "mutating" });
  const made = await create(api, "m");
  assert.equal(made.status, 201, made.text);
  assert.deepEqual(made.json.data, { a: "b" });
  const { request, path } = hook.seen[0];
  assert.equal(path, "/c0?timeout=10s");
  assert.deepEqual(
    [request.operation, request.name, request.namespace, request.dryRun, request.oldObject],
    ["CREATE", "m", "default", false, null],
  );
  assert.deepEqual(request.kind, { group: "", version: "v1", kind: "ConfigMap" });
  assert.deepEqual(request.resource, { group: "", version: "v1", resource: "configmaps" });
  assert.deepEqual(request.requestResource, request.resource);
  assert.equal(request.userInfo.username, "kubernetes-admin");
  assert.equal(request.options.kind, "CreateOptions");
  assert.equal(request.object.kind, "ConfigMap");
  const changed = await api.ask("PUT", `${MAPS}/m`, map("m", { data: {} }));
  assert.deepEqual(changed.json.data, { seen: "again" });
  assert.equal(hook.seen[1].request.oldObject.data.a, "b");
  assert.equal(hook.connections(), 1, "the connection is kept");
});

hookTest("a validating webhook refuses in its own words", ({ object, oldObject, operation }) => {
  if (operation === "DELETE") {
    return { response: { allowed: false, status: { message: `keep ${oldObject.metadata.name}` } } };
  }
  const status = object.data;
  return {
    response: { allowed: status === undefined, warnings: ["watch out", "two\nlines"], status },
  };
}, async (api, hook) => {
  await configure(api, hook, { kind: "validating" });
  const by = 'admission webhook "h0.example.com" denied the request';
  const cases: readonly [object, number, string][] = [
    [{ message: "no" }, 400, `${by}: no`],
    [{ message: "no", reason: "Forbidden", code: "403" }, 400, `${by}: no`],
    [{ reason: "Because" }, 400, `${by}: Because`],
    [{ other: "x" }, 400, `${by} without explanation`],
  ];
  for (const [data, code, message] of cases) {
    const answer = await create(api, "m", { data });
    assert.equal(answer.status, code, answer.text);
    assert.equal(answer.json.message, message);
    assert.deepEqual(warningsOf(answer), ['299 - "watch out"']);
  }
  assert.equal((await create(api, "m")).status, 201);
  const kept = await api.ask("DELETE", `${MAPS}/m`);
  assert.equal(kept.json.message, `${by}: keep m`);
  assert.equal((await api.ask("GET", `${MAPS}/m`)).status, 200);
});

hookTest(
  "hooks run in the order of their names, and again where they ask for it",
  (request, path) => {
    const { order = "" } = request.object.data ?? {};
    const own = path.split("?")[0].slice(1);
    // Each writes once.
    if (order.includes(own)) return allow;
    return patched([{ op: "add", path: "/data", value: { order: `${order}${own} ` } }]);
  },
  async (api, hook) => {
    await configure(api, hook, { kind: "mutating", name: "b", hooks: [{}, {}] });
    await configure(api, hook, {
      kind: "mutating",
      name: "a",
      hooks: [{ reinvocationPolicy: "IfNeeded" }],
    });
    const made = await create(api, "m");
    assert.equal(made.json.data.order, "a0 b0 b1 ");
    assert.deepEqual(hook.seen.map(({ path }) => path.split("?")[0]), ["/a0", "/b0", "/b1", "/a0"]);
  },
);

hookTest("only what rules and selectors choose is asked about", () => allow, async (api, hook) => {
  await configure(api, hook, {
    kind: "validating",
    hooks: [
      { objectSelector: { matchLabels: { judge: "me" } } },
      { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "other" } } },
      { rules: [{ ...ON_MAPS, scope: "Cluster" }] },
      { rules: [{ ...ON_MAPS, apiVersions: ["v2"] }] },
      { rules: [{ ...ON_MAPS, resources: ["configmaps/status", "secrets"] }] },
      { rules: [{ ...ON_MAPS, operations: ["DELETE"] }] },
    ],
  });
  const asked = async (run: () => Promise<Answer>) => {
    const before = hook.seen.length;
    const answer = await run();
    assert.ok(answer.status < 300, answer.text);
    return hook.seen.slice(before).map(({ path }) => path.split("?")[0]).sort();
  };
  assert.deepEqual(await asked(() => create(api, "plain")), []);
  const labelled = { metadata: { name: "m", labels: { judge: "me" } } };
  assert.deepEqual(await asked(() => api.ask("POST", MAPS, labelled)), ["/c0"]);
  await api.ask("POST", "/api/v1/namespaces", { metadata: { name: "other" } });
  const other = MAPS.replace("default", "other");
  assert.deepEqual(await asked(() => api.ask("POST", other, map("m"))), ["/c1"]);
  assert.deepEqual(await asked(() => api.ask("DELETE", `${MAPS}/m`)), ["/c0", "/c5"]);
});

hookTest(
  "an equivalent version matches, and is what the webhook sees",
  () => allow,
  async (api, hook) => {
    const rule = {
      operations: ["CREATE"],
      apiGroups: ["autoscaling"],
      apiVersions: ["v1"],
      resources: ["horizontalpodautoscalers"],
    };
    await configure(api, hook, {
      kind: "validating",
      hooks: [{ rules: [rule] }, { rules: [rule], matchPolicy: "Exact" }],
    });
    const made = await api.ask(
      "POST",
      "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers",
      {
        metadata: { name: "h" },
        spec: {
          maxReplicas: 3,
          scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "d" },
          metrics: [{
            type: "Resource",
            resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 50 } },
          }],
        },
      },
    );
    assert.equal(made.status, 201, made.text);
    assert.equal(hook.seen.length, 1);
    const { request } = hook.seen[0];
    assert.equal(request.object.apiVersion, "autoscaling/v1");
    assert.equal(request.object.spec.targetCPUUtilizationPercentage, 50);
    assert.deepEqual([request.kind.version, request.requestKind.version], ["v1", "v2"]);
  },
);

hookTest(
  "subresources with kinds of their own are shown as those",
  () => allow,
  async (api, hook) => {
    const rule = {
      operations: ["*"],
      apiGroups: ["", "apps"],
      apiVersions: ["*"],
      resources: ["deployments/scale", "pods/binding", "pods/eviction", "pods/proxy"],
    };
    await configure(api, hook, { kind: "validating", hooks: [{ rules: [rule] }] });
    const template = { metadata: { labels: { a: "b" } }, spec: podNamed("p").spec };
    const deployments = "/apis/apps/v1/namespaces/default/deployments";
    await api.ask("POST", deployments, {
      metadata: { name: "d" },
      spec: { selector: { matchLabels: { a: "b" } }, template },
    });
    await api.ask("PATCH", `${deployments}/d/scale`, { spec: { replicas: 4 } }, {
      headers: { "content-type": "application/merge-patch+json" },
    });
    await api.ask("POST", PODS, podNamed("p"));
    await api.ask("POST", `${PODS}/p/binding`, {
      metadata: { name: "p" },
      target: { kind: "Node", name: "n" },
    });
    await api.ask("GET", `${PODS}/p/proxy/a/b`);
    await api.ask("POST", `${PODS}/p/eviction`, { metadata: { name: "p" } });
    assert.deepEqual(
      hook.seen.map(({ request }) => [request.kind.kind, request.subResource, request.operation]),
      [
        ["Scale", "scale", "UPDATE"],
        ["Binding", "binding", "CREATE"],
        ["PodProxyOptions", "proxy", "CONNECT"],
        ["Eviction", "eviction", "CREATE"],
      ],
    );
    assert.deepEqual(
      [hook.seen[0].request.oldObject.spec.replicas, hook.seen[0].request.object.spec.replicas],
      [1, 4],
    );
  },
);

const HUGE = JSON.stringify({ response: { allowed: true, junk: "x".repeat(7_000_000) } });
const reviewed = (response: object, apiVersion = "admission.k8s.io/v1") =>
  JSON.stringify({ apiVersion, kind: "AdmissionReview", response });

/** name of the object, answer, what is said */
const BAD_ANSWERS: Readonly<Record<string, [HookAnswer, RegExp]>> = {
  garbage: [{ text: "<html>" }, /failed to call webhook|json parse error/],
  empty: [{ text: "{}" }, /received invalid webhook response: webhook response was absent/],
  huge: [{ text: HUGE }, /the answer is longer than 6291456 bytes/],
  "wrong-uid": [
    { response: { allowed: true, uid: "x" } },
    /received invalid webhook response: expected response.uid="[0-9a-f-]{36}", got "x"/,
  ],
  broken: [
    { status: 500, text: "oops" },
    /failed to call webhook: an error on the server \("oops"\) has prevented the request/,
  ],
  moved: [{ status: 302, text: "" }, /the server rejected our request for an unknown reason/],
  patch: [
    { response: { allowed: true, patch: btoa("[]"), patchType: "JSONPatch" } },
    /validating webhook may not return response.patch/,
  ],
};

hookTest("a bad answer fails, or is passed over", ({ name }) => {
  if (name === "wrong-kind") return { text: reviewed({}, "v9") };
  return BAD_ANSWERS[name]?.[0] ?? allow;
}, async (api, hook) => {
  await configure(api, hook, { kind: "validating" });
  for (const [name, [, expected]] of Object.entries(BAD_ANSWERS)) {
    const answer = await create(api, name);
    assert.equal(answer.status, 500, answer.text);
    assert.match(
      answer.json.message,
      /^Internal error occurred: failed calling webhook "h0.example.com": /,
    );
    assert.match(answer.json.message, expected);
  }
  await api.ask("PATCH", `${GROUP}/validatingwebhookconfigurations/c`, {
    webhooks: [{ name: "h0.example.com", failurePolicy: "Ignore" }],
  }, { headers: { "content-type": "application/strategic-merge-patch+json" } });
  for (const name of Object.keys(BAD_ANSWERS)) {
    const answer = await create(api, name);
    assert.equal(answer.status, 201, answer.text);
  }
});

hookTest("a patch is held to what a mutating webhook may do", ({ name, operation }) => {
  switch (name) {
    case "kind":
      return patched([{ op: "replace", path: "/kind", value: "Secret" }]);
    case "type":
      return patched([{ op: "add", path: "/data", value: [] }]);
    case "gone":
      return patched([{ op: "remove", path: "/nowhere" }]);
    case "untyped":
      return { response: { allowed: true, patch: btoa("[]") } };
    case "self":
      return operation === "DELETE"
        ? patched([{ op: "add", path: "/data", value: {} }])
        : patched([{ op: "replace", path: "/metadata/name", value: "other" }]);
    default:
      return allow;
  }
}, async (api, hook) => {
  await configure(api, hook, { kind: "mutating" });
  const cases: readonly [string, RegExp][] = [
    ["kind", /expected v1, Kind=ConfigMap, got v1, Kind=Secret/],
    ["type", /Internal error occurred: .*data/],
    ["gone", /Internal error occurred: /],
    ["untyped", /webhook returned response.patch but not response.patchType/],
  ];
  for (const [name, expected] of cases) {
    const answer = await create(api, name);
    assert.equal(answer.status, 500, answer.text);
    assert.match(answer.json.message, expected);
  }
  // An object stays itself.
  assert.equal((await create(api, "self")).json.metadata.name, "self");
  assert.match((await api.ask("DELETE", `${MAPS}/self`)).json.message, /attempted to modify/);
});

hookTest(
  "a webhook that is down or slow fails, or is passed over",
  () => "silence",
  async (api, hook) => {
    await configure(api, hook, { kind: "validating", hooks: [{ timeoutSeconds: 2 }] });
    const slow = create(api, "m");
    while (hook.seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    api.clock.advance(2000);
    const late = await slow;
    assert.equal(late.status, 500);
    assert.equal(
      late.json.message,
      'Internal error occurred: failed calling webhook "h0.example.com": failed to call webhook: ' +
        `Post "${hook.url}/c0?timeout=2s": context deadline exceeded`,
    );
    await hook.close();
    const down = await create(api, "m");
    assert.match(down.json.message, /context|refused/);
    assert.equal(down.status, 500);
  },
);

hookTest("a dry run asks only those without side effects", () => allow, async (api, hook) => {
  await configure(api, hook, { kind: "validating", hooks: [{ sideEffects: "NoneOnDryRun" }] });
  const dry = await create(api, "m", {}, "?dryRun=All");
  assert.equal(dry.status, 201, dry.text);
  assert.equal(hook.seen[0].request.dryRun, true);
  assert.deepEqual(hook.seen[0].request.options.dryRun, ["All"]);
});

hookTest("no webhook is asked about webhooks and policies", () => ({
  response: { allowed: false },
}), async (api, hook) => {
  const rule = { operations: ["*"], apiGroups: ["*"], apiVersions: ["*"], resources: ["*/*"] };
  await configure(api, hook, { kind: "validating", hooks: [{ rules: [rule] }] });
  await configure(api, hook, { kind: "mutating", name: "other" });
  assert.equal((await api.ask("DELETE", `${GROUP}/validatingwebhookconfigurations/c`)).status, 200);
  assert.equal(hook.seen.length, 0);
});

hookTest("a service's webhook is reached through its endpoints", () => allow, async (api, hook) => {
  const service = { namespace: "default", name: "hook", path: "/in" };
  const clientConfig = { service, caBundle: hook.caBundle };
  await configure(api, hook, { kind: "validating", hooks: [{ clientConfig }] });
  const missing = await create(api, "m");
  assert.match(missing.json.message, /failed to call webhook: service "hook" not found$/);
  await api.ask("POST", "/api/v1/namespaces/default/services", {
    metadata: { name: "hook" },
    spec: { ports: [{ port: 443, targetPort: hook.port }] },
  });
  const bare = await create(api, "m");
  assert.match(bare.json.message, /no endpoints available for service "hook"$/);
  await api.ask("POST", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", {
    metadata: { name: "hook-1", labels: { "kubernetes.io/service-name": "hook" } },
    addressType: "IPv4",
    endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true } }],
    ports: [{ port: hook.port, name: "" }],
  });
  const made = await create(api, "m");
  assert.equal(made.status, 201, made.text);
  assert.equal(hook.seen[0].path, "/in?timeout=10s");
});

hookTest(
  "an authority that is not the configured one is not trusted",
  () => allow,
  async (api, hook) => {
    const other = await startWebhookServer(() => allow);
    await configure(api, hook, {
      kind: "validating",
      hooks: [{ clientConfig: { url: hook.url, caBundle: other.caBundle } }],
    });
    const answer = await create(api, "m");
    assert.equal(answer.status, 500);
    assert.match(answer.json.message, /x509: certificate signed by unknown authority$/);
    await other.close();
  },
);

hookTest("conditions decide before a webhook is asked", () => allow, async (api, hook) => {
  const conditions = (...expressions: string[]) =>
    expressions.map((expression, at) => ({ name: `c${at}`, expression }));
  await configure(api, hook, {
    kind: "validating",
    hooks: [
      { matchConditions: conditions("request.name == 'm'", "object.metadata.name != ''") },
      { matchConditions: conditions("object.data.x == 'y'"), failurePolicy: "Ignore" },
    ],
  });
  assert.equal((await create(api, "n")).status, 201);
  assert.equal(hook.seen.length, 0);
  assert.equal((await create(api, "m", { data: { x: "y" } })).status, 201);
  assert.deepEqual(hook.seen.map(({ path }) => path.split("?")[0]).sort(), ["/c0", "/c1"]);
  await configure(api, hook, {
    kind: "mutating",
    name: "strict",
    hooks: [{ matchConditions: conditions("object.data.x == 'y'") }],
  });
  const failed = await create(api, "o");
  assert.equal(failed.status, 403);
  assert.match(
    failed.json.message,
    /configmaps "o" is forbidden: expression 'object.data.x == 'y''/,
  );
});

hookTest("a webhook's change makes the plugins run again, each to the same end", ({ object }) => {
  if (object.kind === "Pod") {
    const { containers } = object.spec;
    if (containers.length > 1) return allow;
    return patched([{
      op: "add",
      path: "/spec/containers/-",
      value: { name: "side", image: "s" },
    }]);
  }
  return patched([{ op: "add", path: "/metadata/labels", value: { seen: "y" } }]);
}, async (api, hook) => {
  const rule = { ...ON_MAPS, operations: ["CREATE"], resources: ["pods", "services"] };
  await configure(api, hook, { kind: "mutating", hooks: [{ rules: [rule] }] });
  const service = await api.ask("POST", "/api/v1/namespaces/default/services", {
    metadata: { name: "s" },
    spec: { type: "NodePort", ports: [{ port: 80 }] },
  });
  assert.equal(service.status, 201, service.text);
  assert.equal(service.json.metadata.labels.seen, "y");
  assert.ok(service.json.spec.ports[0].nodePort >= 30000);
  const pod = await api.ask("POST", PODS, podNamed("p"));
  assert.equal(pod.status, 201, pod.text);
  const [, side] = pod.json.spec.containers;
  assert.equal(side.imagePullPolicy, "Always");
  assert.match(side.volumeMounts[0].mountPath, /serviceaccount$/);
  assert.equal(pod.json.spec.volumes.length, 1);
});
