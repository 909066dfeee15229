/**
 * Servers outside that know tokens and judge access, over HTTPS: what they are sent, whose word
 * counts, what is kept of it, and what their silence means.
 */
import assert from "node:assert/strict";
import { type FakeApi, HandClock, startFakeApi } from "../../../../tests/fakes/api_server.ts";
import { startWebhookServer, type WebhookServer } from "../../../../tests/fakes/webhook_server.ts";
import type { WebhookEndpoint } from "../../outgoing/remote_webhook.ts";
import { type AccessAttributes, AUTHENTICATED_GROUP } from "../authorize.ts";
import { issueCertificate, makeAuthority } from "../certificates.ts";
import { AccessWebhook, type AccessWebhookConfig } from "./access_webhook.ts";
import { parseAuthorization } from "./authorization_file.ts";
import { WebhookTokenSource } from "./token_source.ts";

// deno-lint-ignore no-explicit-any
type Json = any;

const PODS = "/api/v1/namespaces/default/pods";
const noLog = () => {};
const endpointOf = (hook: WebhookServer, path = ""): WebhookEndpoint => ({
  server: hook.url + path,
  ca: atob(hook.caBundle),
});
const text = (value: unknown) => ({ text: JSON.stringify(value) });

/** A clock whose time passes at once for whoever waits to try again, and never for a deadline. */
class HurriedClock extends HandClock {
  override after(delayMillis: number, callback: () => void): () => void {
    if (delayMillis < 10_000) queueMicrotask(callback);
    return () => {};
  }
}

async function withHook(
  answer: (document: Json) => Json,
  run: (hook: WebhookServer) => Promise<void>,
  clientCa?: string,
): Promise<void> {
  const hook = await startWebhookServer((document) => answer(document), [], clientCa);
  try {
    await run(hook);
  } finally {
    await hook.close();
  }
}

const TOKENS: Readonly<Record<string, Json>> = {
  ann: { authenticated: true, user: { username: "ann", uid: "7", groups: ["dev"] } },
  api: { authenticated: true, audiences: ["api"], user: { username: "api" } },
  elsewhere: { authenticated: true, audiences: ["other"], user: { username: "eve" } },
};

Deno.test("a token webhook names the user, and its word is kept for a while", () =>
  withHook(
    ({ spec }) => text({ status: TOKENS[spec.token] ?? { authenticated: false } }),
    async (hook) => {
      const clock = new HandClock();
      const config = { endpoint: endpointOf(hook), version: "v1", cacheTtlMillis: 60_000 } as const;
      const source = new WebhookTokenSource(config, { clock, log: noLog, apiAudience: "api" });
      const ann = await source.verify("ann", []);
      assert.deepEqual(ann, {
        kind: "accepted",
        user: { name: "ann", uid: "7", groups: ["dev", AUTHENTICATED_GROUP] },
        audiences: ["api"],
      });
      const [{ request }] = hook.seen;
      assert.equal(request.apiVersion, "authentication.k8s.io/v1");
      assert.deepEqual(request.spec, { token: "ann", audiences: ["api"] });
      assert.deepEqual(await source.verify("ann", []), ann);
      assert.equal(hook.seen.length, 1);
      const both = await Promise.all([
        source.verify("api", ["x", "api"]),
        source.verify("nobody", []),
      ]);
      assert.deepEqual(both.map((one) => one?.kind), ["accepted", undefined]);
      assert.equal(await source.verify("elsewhere", []), null, "it is for somebody else");
      assert.equal(hook.seen.length, 4);
      // Who was unknown may be known soon; who was known is asked about again later.
      clock.advance(11_000);
      await source.verify("nobody", []);
      await source.verify("ann", []);
      assert.equal(hook.seen.length, 5);
      clock.advance(60_000);
      await source.verify("ann", []);
      assert.equal(hook.seen.length, 6);
      source.close();
    },
  ));

Deno.test("a token webhook that fails is tried again, believed nothing, and names no token", async () => {
  const said: string[] = [];
  let left = 2;
  await withHook(
    () => left-- > 0 ? { status: 503, text: "no" } : text({ status: TOKENS.ann }),
    async (hook) => {
      const config = { endpoint: endpointOf(hook), version: "v1", cacheTtlMillis: 60_000 } as const;
      const source = new WebhookTokenSource(config, {
        clock: new HurriedClock(),
        log: (_level, message, fields) => said.push(message + JSON.stringify(fields)),
        apiAudience: "api",
      });
      assert.equal((await source.verify("sesame", []))?.kind, "accepted");
      assert.equal(hook.seen.length, 3);
      left = 100;
      assert.equal(await source.verify("other", []), null);
      assert.equal(hook.seen.length, 8, "five times, not for ever");
      source.close();
    },
  );
  assert.equal(said.length, 1);
  assert.doesNotMatch(said[0], /other|sesame/);
});

const ASKED: AccessAttributes = {
  user: { name: "ann", groups: ["dev"], extra: { k: ["v"] } },
  verb: "list",
  group: "apps",
  version: "v1",
  resource: "deployments",
  subresource: "",
  namespace: "default",
  name: "",
  fieldSelector: "metadata.name=x",
};

function accessConfig(
  hook: WebhookServer,
  more: Partial<AccessWebhookConfig> = {},
): AccessWebhookConfig {
  return {
    name: "w",
    endpoint: endpointOf(hook),
    version: "v1",
    timeoutMillis: 30_000,
    authorizedTtlMillis: 300_000,
    unauthorizedTtlMillis: 30_000,
    failurePolicy: "NoOpinion",
    matchConditions: [],
    ...more,
  };
}

Deno.test("an access webhook is sent the whole question; its yes lasts longer than its no", () =>
  withHook(
    ({ spec }) => text({ status: { allowed: spec.user === "ann", reason: "by list" } }),
    async (hook) => {
      const clock = new HandClock();
      const webhook = new AccessWebhook(accessConfig(hook), { clock, log: noLog });
      assert.deepEqual(webhook.recall(ASKED), { allowed: false });
      assert.deepEqual(await webhook.decide(ASKED), { allowed: true, reason: "by list" });
      assert.deepEqual(webhook.recall(ASKED).allowed, true);
      assert.deepEqual(hook.seen[0].request.spec, {
        resourceAttributes: {
          namespace: "default",
          verb: "list",
          group: "apps",
          version: "v1",
          resource: "deployments",
          fieldSelector: {
            requirements: [{ key: "metadata.name", operator: "In", values: ["x"] }],
          },
        },
        user: "ann",
        groups: ["dev"],
        extra: { k: ["v"] },
      });
      const bob = { user: { name: "bob", groups: [] }, verb: "get", path: "/metrics" };
      assert.equal((await webhook.decide(bob)).allowed, false);
      assert.deepEqual(hook.seen[1].request.spec, {
        nonResourceAttributes: { path: "/metrics", verb: "get" },
        user: "bob",
      });
      clock.advance(31_000);
      await webhook.decide(bob);
      await webhook.decide(ASKED);
      assert.equal(hook.seen.length, 3);
      webhook.close();
    },
  ));

Deno.test("conditions decide who is asked about; a broken one is a failure", () =>
  withHook(() => text({ status: { allowed: true } }), async (hook) => {
    const decide = async (condition: string, failurePolicy: "NoOpinion" | "Deny" = "NoOpinion") => {
      const config = accessConfig(hook, { matchConditions: [condition], failurePolicy });
      const webhook = new AccessWebhook(config, { clock: new HandClock(), log: noLog });
      const decision = await webhook.decide(ASKED);
      webhook.close();
      return decision.isDenied ? "denied" : decision.allowed ? "allowed" : "no opinion";
    };
    assert.equal(await decide("request.user == 'ann'"), "allowed");
    assert.equal(await decide("'admin' in request.groups"), "no opinion");
    const own = "has(request.resourceAttributes) && request.resourceAttributes.verb == 'list'";
    assert.equal(await decide(own), "allowed");
    assert.equal(await decide("has(request.nonResourceAttributes)"), "no opinion");
    assert.equal(hook.seen.length, 2);
    assert.equal(await decide("request.nonResourceAttributes.path == '/'"), "no opinion");
    assert.equal(await decide("request.nonResourceAttributes.path == '/'", "Deny"), "denied");
    assert.equal(hook.seen.length, 2);
  }));

Deno.test("silence is no opinion or a denial, as configured, and is not kept", async () => {
  const answers = [
    [{ status: 500, text: "x" }, 5],
    [{ status: 403, text: "x" }, 1],
    [{ text: "no json" }, 1],
    [text({ status: { allowed: true, denied: true } }), 1],
  ] as const;
  for (const [answer, tries] of answers) {
    await withHook(() => answer, async (hook) => {
      for (const failurePolicy of ["NoOpinion", "Deny"] as const) {
        const config = accessConfig(hook, { failurePolicy });
        const webhook = new AccessWebhook(config, { clock: new HurriedClock(), log: noLog });
        const { allowed, isDenied = false } = await webhook.decide(ASKED);
        assert.deepEqual([allowed, isDenied], [false, failurePolicy === "Deny"]);
        await webhook.decide(ASKED);
        webhook.close();
      }
      assert.equal(hook.seen.length, 4 * tries);
    });
  }
});

Deno.test("in a chain the first opinion counts: a denial beats a role, and masters are not asked about", () =>
  withHook(
    ({ spec }) => {
      const { verb, resource } = spec.resourceAttributes ?? {};
      if (verb === "delete") return text({ status: { denied: true, reason: "nobody deletes" } });
      return text({ status: { allowed: resource === "secrets" } });
    },
    async (hook) => {
      const api: FakeApi = await startFakeApi({
        authorizers: [
          { type: "Webhook", webhook: accessConfig(hook) },
          { type: "Node" },
          { type: "RBAC" },
        ],
      });
      try {
        assert.equal(hook.seen.length, 0, "nobody but masters so far");
        const bound = await api.ask(
          "POST",
          "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
          {
            metadata: { name: "b" },
            roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "edit" },
            subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "ann" }],
          },
        );
        assert.equal(bound.status, 201, bound.text);
        const user = { name: "ann", groups: [AUTHENTICATED_GROUP] };
        const status = async (method: string, url: string) =>
          (await api.ask(method, url, undefined, { user })).status;
        assert.equal(await status("GET", PODS), 200, "no opinion; the role lets");
        assert.equal(await status("GET", "/api/v1/secrets"), 200, "the webhook lets");
        assert.equal(await status("GET", "/api/v1/nodes"), 403, "nobody lets");
        const deleted = await api.ask("DELETE", `${PODS}/x`, undefined, { user });
        assert.equal(deleted.status, 403);
        assert.match(deleted.json.message, /: nobody deletes$/);
        const review = await api.ask("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
          spec: { user: "ann", resourceAttributes: { verb: "delete", resource: "pods" } },
        });
        assert.deepEqual(review.json.status, {
          allowed: false,
          denied: true,
          reason: "nobody deletes",
        });
        const acted = await api.ask("GET", PODS, undefined, {
          user,
          headers: { "impersonate-user": "bob" },
        });
        assert.equal(acted.status, 403);
        assert.equal(hook.seen.at(-1)!.request.spec.resourceAttributes.verb, "impersonate");
        assert.equal(await status("GET", "/version"), 200);
      } finally {
        await api.close();
      }
    },
  ));

Deno.test("a webhook is shown a certificate and a token where its kubeconfig has them", async () => {
  const nowMillis = Date.now();
  const lifetimeMillis = 600_000;
  const ca = await makeAuthority({ commonName: "ca", nowMillis, lifetimeMillis });
  const subject = { commonName: "kube-apiserver" };
  const pair = await issueCertificate(ca, { subject, usage: "client", nowMillis, lifetimeMillis });
  await withHook(() => text({ status: { allowed: true } }), async (hook) => {
    const endpoint = { ...endpointOf(hook, "/judge"), ...pair, token: "secret" };
    const config = accessConfig(hook, { endpoint });
    const webhook = new AccessWebhook(config, { clock: new HandClock(), log: noLog });
    assert.equal((await webhook.decide(ASKED)).allowed, true);
    webhook.close();
    const [{ authorization, client, path }] = hook.seen;
    assert.deepEqual([path, client, authorization], ["/judge", "kube-apiserver", "Bearer secret"]);
  }, ca.certificate);
});

const FILE = `
apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers:
- type: Webhook
  name: first.example.com
  webhook:
    authorizedTTL: 10s
    cacheUnauthorizedRequests: false
    timeout: 3s
    subjectAccessReviewVersion: v1
    matchConditionSubjectAccessReviewVersion: v1
    failurePolicy: Deny
    connectionInfo: {type: KubeConfigFile, kubeConfigFile: /etc/w.yaml}
    matchConditions:
    - expression: has(request.resourceAttributes)
- {type: Node, name: node}
- {type: RBAC, name: rbac}
`;

Deno.test("a file lists authorizers in their order, and is refused with every problem", () => {
  const read = parseAuthorization(FILE);
  assert(read.kind === "config", JSON.stringify(read));
  assert.deepEqual(read.authorizers, [
    {
      type: "Webhook",
      kubeconfigFile: "/etc/w.yaml",
      webhook: {
        name: "first.example.com",
        version: "v1",
        timeoutMillis: 3000,
        authorizedTtlMillis: 10_000,
        unauthorizedTtlMillis: 0,
        failurePolicy: "Deny",
        matchConditions: ["has(request.resourceAttributes)"],
      },
    },
    { type: "Node" },
    { type: "RBAC" },
  ]);
  const problemsOf = (from: string, to: string) => {
    const wrong = parseAuthorization(FILE.replace(from, to));
    return wrong.kind === "malformed" ? wrong.problems.join("; ") : "none";
  };
  const table: readonly (readonly [from: string, to: string, problem: RegExp])[] = [
    ["has(request.resourceAttributes)", "request.nothing", /matchConditions\[0\].*undefined field/],
    ["timeout: 3s", "timeout: 40s", /timeout: must be positive and at most 30s/],
    ["timeout: 3s", "timeout: soon", /timeout: must be a duration/],
    ["failurePolicy: Deny", "failurePolicy: Maybe", /failurePolicy/],
    ["kubeConfigFile: /etc", "kubeConfigFile: etc", /must be an absolute path/],
    ["name: rbac", "name: node", /authorizers\[2\]\.name: names node twice/],
    ["{type: RBAC,", "{type: Node,", /authorizers\[2\]\.type: names Node twice/],
    ["{type: RBAC,", "{type: ABAC,", /authorizers\[2\]/],
    ["matchConditionSubjectAccessReviewVersion: v1", "", /is required where/],
    ["timeout: 3s", "timeout: 3s\n    retries: 3", /retries/],
  ];
  for (const [from, to, problem] of table) assert.match(problemsOf(from, to), problem);
});
