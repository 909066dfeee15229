/**
 * Plugins that a file configures, and those that stand for whole policies: namespaces made on the
 * way, event limits, image policies, tolerations and selectors by namespace, limits by default.
 */
import assert from "node:assert/strict";
import { type Answer, podNamed, withApi } from "../../../../tests/fakes/api_server.ts";
import { startWebhookServer } from "../../../../tests/fakes/webhook_server.ts";
import type { KubeObject } from "../../../api/meta.ts";
import { DEFAULT_CONFIG, validateConfig } from "../../config.ts";
import { type AdmissionSettings, DEFAULT_ADMISSION, type Toleration } from "../settings.ts";
import { covers, mergeTolerations } from "./pod_toleration_restriction.ts";

const PODS = "/api/v1/namespaces/default/pods";
const EVENTS = "/api/v1/namespaces/default/events";

const told = (settings: Partial<AdmissionSettings>) => ({ ...DEFAULT_ADMISSION, ...settings });
const pod = (name: string, more: object = {}, metadata: object = {}): KubeObject => ({
  ...podNamed(name),
  metadata: { name, ...metadata },
  spec: { ...podNamed(name).spec, ...more },
});

function refused({ status, json, text }: Answer, expected: string): void {
  assert.equal(status, 403, text);
  assert.ok(json.message.endsWith(`is forbidden: ${expected}`), json.message);
}

function made({ status, json, text }: Answer): Answer["json"] {
  assert.equal(status, 201, text);
  return json;
}

Deno.test("a namespace is made on the way where it is missing, but not for a dry run", () =>
  withApi(async (api) => {
    const maps = "/api/v1/namespaces/new/configmaps";
    assert.equal(
      (await api.ask("POST", `${maps}?dryRun=All`, { metadata: { name: "m" } })).status,
      404,
    );
    assert.equal((await api.ask("GET", "/api/v1/namespaces/new")).status, 404);
    const both = await Promise.all(
      ["a", "b"].map((name) => api.ask("POST", maps, { metadata: { name } })),
    );
    both.forEach(made);
    assert.equal((await api.ask("GET", "/api/v1/namespaces/new")).json.status.phase, "Active");
    assert.equal((await api.ask("GET", "/api/v1/namespaces/other/pods")).status, 200);
    assert.equal((await api.ask("GET", "/api/v1/namespaces/other")).status, 404);
  }, { enabledAdmission: ["NamespaceAutoProvision"] }));

Deno.test("a namespace that is not there refuses what would be in it", () =>
  withApi(async (api) => {
    const url = "/api/v1/namespaces/none/configmaps";
    const answer = await api.ask("POST", url, { metadata: { name: "m" } });
    assert.equal(answer.status, 404);
    assert.equal(answer.json.message, 'namespaces "none" not found');
    made(await api.ask("POST", PODS, pod("p")));
  }, { enabledAdmission: ["NamespaceExists"], disabledAdmission: ["NamespaceLifecycle"] }));

Deno.test("AlwaysDeny lets nothing be written, AlwaysAdmit everything", async () => {
  await withApi(async (api) => {
    refused(
      await api.ask("POST", "/api/v1/namespaces/default/configmaps", { metadata: { name: "m" } }),
      "admission control is denying all modifications",
    );
    assert.equal((await api.ask("GET", PODS)).status, 200);
  }, { enabledAdmission: ["AlwaysDeny"] });
  await withApi(async (api) => {
    made(await api.ask("POST", PODS, pod("p")));
  }, { enabledAdmission: ["AlwaysAdmit"] });
});

const event = (name: string, about: string, component = "c") => ({
  metadata: { name },
  involvedObject: { kind: "Pod", namespace: "default", name: about },
  source: { component },
  type: "Normal",
});

Deno.test("events beyond the limits are refused, each sender by itself, until time has passed", () =>
  withApi(async (api) => {
    const send = async (name: string, about: string) => {
      const { status, json } = await api.ask("POST", EVENTS, event(name, about));
      return status === 429 ? json.message : status;
    };
    const source = (about: string) =>
      `limit reached on type SourceAndObject for key cPoddefault${about}`;
    assert.deepEqual([await send("a", "x"), await send("b", "x")], [201, 201]);
    assert.equal(await send("c", "x"), source("x"));
    assert.equal(await send("d", "y"), 201, "another object has a share of its own");
    assert.equal(
      await send("e", "x"),
      `[limit reached on type Namespace for key default, ${source("x")}]`,
    );
    const dry = await api.ask("POST", `${EVENTS}?dryRun=All`, event("f", "x"));
    assert.equal(dry.status, 201);
    api.clock.advance(1000);
    assert.equal(await send("g", "x"), 201);
    const { json } = await api.ask("POST", EVENTS, event("h", "x"));
    assert.deepEqual([json.code, json.reason], [429, "TooManyRequests"]);
    made(await api.ask("POST", PODS, pod("p")));
  }, {
    enabledAdmission: ["EventRateLimit"],
    admission: told({
      eventLimits: [
        { type: "Namespace", qps: 2, burst: 4, cacheSize: 10 },
        { type: "SourceAndObject", qps: 1, burst: 2, cacheSize: 10 },
      ],
    }),
  }));

Deno.test("an image policy judges images and is shown its own annotations; its word is kept", async () => {
  const hook = await startWebhookServer(({ spec }) => {
    const images: string[] = spec.containers.map(({ image }: { image: string }) => image);
    if (images.includes("broken")) return { status: 403, text: "{}" };
    const isBad = images.some((image) => image.startsWith("bad"));
    const status = isBad ? { allowed: false, reason: "unsigned" } : { allowed: true };
    return { text: JSON.stringify({ status }) };
  });
  const policy = {
    endpoint: { server: `${hook.url}/images`, ca: atob(hook.caBundle) },
    allowTtlMillis: 60_000,
    denyTtlMillis: 0,
    retryBackoffMillis: 1,
    defaultAllow: false,
  };
  const running = (...images: string[]) => ({
    containers: images.map((image, i) => ({ name: `c${i}`, image })),
  });
  try {
    const enabledAdmission = ["ImagePolicyWebhook"];
    await withApi(async (api) => {
      const annotations = { "a.image-policy.k8s.io/ticket": "7", "other/x": "y" };
      made(await api.ask("POST", PODS, pod("a", running("good", "fine"), { annotations })));
      assert.deepEqual(hook.seen[0].request.spec, {
        containers: [{ image: "good" }, { image: "fine" }],
        annotations: { "a.image-policy.k8s.io/ticket": "7" },
        namespace: "default",
      });
      made(await api.ask("POST", PODS, pod("b", running("good", "fine"), { annotations })));
      assert.equal(hook.seen.length, 1);
      const denied = "image policy webhook backend denied one or more images: unsigned";
      for (const name of ["c", "d"]) {
        refused(await api.ask("POST", PODS, pod(name, running("good", "bad:1"))), denied);
      }
      assert.equal(hook.seen.length, 3, "a no is not kept");
      refused(
        await api.ask("POST", PODS, pod("e", running("broken"))),
        "the server rejected our request for an unknown reason",
      );
    }, { enabledAdmission, admission: told({ imagePolicy: policy }) });
    await withApi(async (api) => {
      const { metadata } = made(await api.ask("POST", PODS, pod("e", running("broken"))));
      assert.equal(metadata.annotations["alpha.image-policy.k8s.io/failed-open"], "true");
    }, { enabledAdmission, admission: told({ imagePolicy: { ...policy, defaultAllow: true } }) });
  } finally {
    await hook.close();
  }
});

Deno.test("what has to be configured can't be enabled without", () => {
  const problems = validateConfig({
    ...DEFAULT_CONFIG,
    pkiDirectory: "p",
    enabledAdmission: ["EventRateLimit", "ImagePolicyWebhook"],
  });
  assert.deepEqual(problems.map((line) => line.split(":")[0]), [
    "admission.eventLimits",
    "admission.imagePolicy",
  ]);
});

const toleration = (text: string): Toleration => {
  const [key, operator, value, effect, seconds] = text.split(" ");
  return {
    ...(key === "-" ? {} : { key }),
    ...(operator === "-" ? {} : { operator }),
    ...(value === "-" ? {} : { value }),
    ...(effect === "-" ? {} : { effect }),
    ...(seconds === undefined ? {} : { tolerationSeconds: Number(seconds) }),
  };
};

Deno.test("one toleration covers another by key, effect, time and value", () => {
  const table: readonly (readonly [wide: string, one: string, isCovered: boolean])[] = [
    ["a Equal x NoSchedule", "a Equal x NoSchedule", true],
    ["a Equal x NoSchedule", "a Equal y NoSchedule", false],
    ["a Exists - NoSchedule", "a Equal y NoSchedule", true],
    ["a Equal y NoSchedule", "a Exists - NoSchedule", false],
    ["a Exists - -", "a Equal y NoExecute", true],
    ["a Exists - NoSchedule", "a Exists - -", false],
    ["- Exists - -", "b Equal y NoSchedule", true],
    ["- Equal - -", "b Equal - -", false],
    ["a Exists - NoExecute 30", "a Exists - NoExecute 20", true],
    ["a Exists - NoExecute 30", "a Exists - NoExecute 40", false],
    ["a Exists - NoExecute 30", "a Exists - NoExecute", false],
    ["a Exists - NoExecute", "a Exists - NoExecute 40", true],
  ];
  for (const [wide, one, isCovered] of table) {
    assert.equal(covers(toleration(wide), toleration(one)), isCovered, `${wide} / ${one}`);
  }
  const list = (...texts: string[]) => texts.map(toleration);
  assert.deepEqual(
    mergeTolerations(
      list("a Equal x NoSchedule", "b Exists - -"),
      list("a Exists - -", "b Equal z -"),
    ),
    list("b Exists - -", "a Exists - -"),
  );
});

Deno.test("a namespace gives its pods tolerations, and bounds them; else the cluster does", () =>
  withApi(async (api) => {
    const annotate = async (annotations: Record<string, string | null>) => {
      const { status, text } = await api.ask(
        "PATCH",
        "/api/v1/namespaces/default",
        { metadata: { annotations } },
        { headers: { "content-type": "application/merge-patch+json" } },
      );
      assert.equal(status, 200, text);
    };
    const key = (name: string) => `scheduler.alpha.kubernetes.io/${name}`;
    const made1 = made(await api.ask("POST", PODS, pod("a")));
    assert.ok(made1.spec.tolerations.some((one: Toleration) => one.key === "of-cluster"));
    const own = [{ key: "own", operator: "Exists" }];
    await annotate({ [key("defaultTolerations")]: JSON.stringify(own) });
    const made2 = made(await api.ask("POST", PODS, pod("b")));
    const keys = made2.spec.tolerations.map((one: Toleration) => one.key);
    assert.ok(keys.includes("own") && !keys.includes("of-cluster"), keys.join());
    const requests = { resources: { requests: { cpu: "1" } } };
    const containers = [{ name: "c", image: "i", ...requests }];
    const burstable = made(await api.ask("POST", PODS, pod("c", { containers })));
    assert.ok(
      burstable.spec.tolerations.some((one: Toleration) =>
        one.key === "node.kubernetes.io/memory-pressure"
      ),
    );
    await annotate({
      [key("defaultTolerations")]: "",
      [key("tolerationsWhitelist")]: JSON.stringify([
        { key: "node.kubernetes.io/not-ready", operator: "Exists" },
        { key: "node.kubernetes.io/unreachable", operator: "Exists" },
        { key: "fine", operator: "Exists" },
      ]),
    });
    made(
      await api.ask("POST", PODS, pod("d", { tolerations: [{ key: "fine", operator: "Exists" }] })),
    );
    const wrong = await api.ask("POST", PODS, pod("e", { tolerations: own }));
    assert.equal(wrong.status, 500, wrong.text);
    assert.equal(
      wrong.json.message,
      "pod tolerations (possibly merged with namespace default tolerations) conflict with its " +
        "namespace whitelist",
    );
  }, {
    enabledAdmission: ["PodTolerationRestriction"],
    admission: told({
      podTolerations: { default: [{ key: "of-cluster", operator: "Exists" }], whitelist: [] },
    }),
  }));

Deno.test("pods get the cluster's selector, and keep within their namespace's list", () =>
  withApi(async (api) => {
    const given = made(await api.ask("POST", PODS, pod("a")));
    assert.deepEqual(given.spec.nodeSelector, { zone: "a" });
    made(await api.ask("POST", PODS, pod("b", { nodeSelector: { disk: "fast" } })));
    refused(
      await api.ask("POST", PODS, pod("c", { nodeSelector: { disk: "slow" } })),
      "pod node label selector labels conflict with its namespace whitelist",
    );
    refused(
      await api.ask("POST", PODS, pod("d", { nodeSelector: { zone: "b" } })),
      "pod node label selector conflicts with its namespace node label selector",
    );
  }, {
    enabledAdmission: ["PodNodeSelector"],
    admission: told({
      nodeSelectors: { clusterDefaultNodeSelector: "zone=a", default: "zone=a,disk=fast" },
    }),
  }));

Deno.test("what is limited by default takes a quota that covers it", () =>
  withApi(async (api) => {
    const cpu = (name: string, more: object = {}) =>
      pod(name, {
        containers: [{ name: "c", image: "i", resources: { requests: { cpu: "1" } } }],
        ...more,
      });
    made(await api.ask("POST", PODS, pod("free")));
    refused(
      await api.ask("POST", PODS, cpu("a")),
      "insufficient quota to consume: cpu,requests.cpu",
    );
    made(
      await api.ask("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", {
        metadata: { name: "high" },
        value: 10,
      }),
    );
    refused(
      await api.ask("POST", PODS, pod("b", { priorityClassName: "high" })),
      "insufficient quota to match these scopes: [{PriorityClass In [high]}]",
    );
    const quota = async (name: string, spec: { hard: object; scopeSelector?: object }) => {
      const url = "/api/v1/namespaces/default/resourcequotas";
      const { json } = await api.ask("POST", url, { metadata: { name }, spec });
      const used = Object.fromEntries(Object.keys(spec.hard).map((key) => [key, "0"]));
      const status = { hard: spec.hard, used };
      const put = await api.ask("PUT", `${url}/${name}/status`, { ...json, status });
      assert.equal(put.status, 200, put.text);
    };
    await quota("all", { hard: { cpu: "2", "requests.cpu": "2" } });
    made(await api.ask("POST", PODS, cpu("a")));
    await quota("urgent", {
      hard: { pods: "5" },
      scopeSelector: {
        matchExpressions: [{ scopeName: "PriorityClass", operator: "In", values: ["high"] }],
      },
    });
    made(await api.ask("POST", PODS, cpu("b", { priorityClassName: "high" })));
    const more = await api.ask("POST", PODS, cpu("c"));
    assert.equal(more.status, 403);
    assert.match(more.json.message, /exceeded quota: all/);
  }, {
    admission: told({
      limitedResources: [{
        apiGroup: "",
        resource: "pods",
        matchContains: ["cpu"],
        matchScopes: [{ scopeName: "PriorityClass", operator: "In", values: ["high"] }],
      }],
    }),
  }));

Deno.test("an admission webhook is shown what its plugin's file has for it", async () => {
  const hook = await startWebhookServer(() => ({ response: { allowed: true } }));
  const asked: string[] = [];
  await withApi(async (api) => {
    for (const kind of ["mutating", "validating"]) {
      made(
        await api.ask(
          "POST",
          `/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations`,
          {
            metadata: { name: "w" },
            webhooks: [{
              name: "w.example.com",
              clientConfig: { url: `${hook.url}/${kind}`, caBundle: hook.caBundle },
              rules: [{
                operations: ["CREATE"],
                apiGroups: [""],
                apiVersions: ["v1"],
                resources: ["pods"],
              }],
              sideEffects: "None",
              admissionReviewVersions: ["v1"],
            }],
          },
        ),
      );
    }
    made(await api.ask("POST", PODS, pod("p")));
    assert.deepEqual(
      hook.seen.map(({ path, authorization }) => [path.split("?")[0], authorization]),
      [
        ["/mutating", ""],
        ["/validating", "Bearer t"],
      ],
    );
    const target = `127.0.0.1:${hook.port}`;
    assert.deepEqual(asked, [
      `MutatingAdmissionWebhook ${target}`,
      `ValidatingAdmissionWebhook ${target}`,
    ]);
  }, {
    webhookCredentials: (plugin, hostPort) => {
      asked.push(`${plugin} ${hostPort}`);
      return plugin === "ValidatingAdmissionWebhook" ? { token: "t" } : {};
    },
  });
  await hook.close();
});
