/**
 * Who a bearer token is: service accounts and what their tokens are bound to, bootstrap tokens,
 * keys of before; whom a request may act as; what those see who name nobody.
 */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { decodeJwt, SignJWT, UnsecuredJWT } from "jose";
import { ADMIN, type FakeApi, podNamed, withApi } from "../../../tests/fakes/api_server.ts";
import { Authenticator, staticTokenSource } from "./authenticate.ts";
import { impersonate } from "./impersonate.ts";

const SECRETS = "/api/v1/namespaces/kube-system/secrets";
const TOKEN_PATH = "/api/v1/namespaces/default/serviceaccounts/default/token";
const ISSUER = "https://kubernetes.default.svc.cluster.local";

/** The status of a TokenReview. */
async function review(api: FakeApi, token: string, audiences?: string[]) {
  const spec = { token, ...(audiences ? { audiences } : {}) };
  const answer = await api.ask("POST", "/apis/authentication.k8s.io/v1/tokenreviews", { spec });
  assert.equal(answer.status, 201, answer.text);
  return answer.json.status;
}

async function issue(api: FakeApi, spec: Record<string, unknown> = {}): Promise<string> {
  const answer = await api.ask("POST", TOKEN_PATH, { spec });
  assert.equal(answer.status, 201, answer.text);
  return answer.json.status.token;
}

function bootstrapSecret(id: string, data: Record<string, string> = {}) {
  const stringData = {
    "token-id": id,
    "token-secret": "0123456789abcdef",
    "usage-bootstrap-authentication": "true",
    ...data,
  };
  return {
    metadata: { name: `bootstrap-token-${id}` },
    type: "bootstrap.kubernetes.io/token",
    stringData,
  };
}

Deno.test("a bootstrap token is its user while its secret says so", () =>
  withApi(async (api) => {
    const rows: [string, Record<string, string>, string[] | null][] = [
      ["aaaaa0", {}, []],
      ["aaaaa1", { expiration: "2026-01-02T03:04:06Z" }, []],
      ["aaaaa2", { expiration: "2026-01-02T03:04:05Z" }, null],
      ["aaaaa3", { expiration: "tomorrow" }, null],
      ["aaaaa4", { "usage-bootstrap-authentication": "false" }, null],
      ["aaaaa5", { "token-id": "aaaaa0" }, null],
      ["aaaaa6", { "auth-extra-groups": "system:bootstrappers:workers" }, [
        "system:bootstrappers:workers",
      ]],
      ["aaaaa7", { "auth-extra-groups": "system:masters" }, null],
    ];
    for (const [id, data, groups] of rows) {
      const made = await api.ask("POST", SECRETS, bootstrapSecret(id, data));
      assert.equal(made.status, 201, made.text);
      const status = await review(api, `${id}.0123456789abcdef`);
      assert.equal(status.authenticated === true, groups !== null, id);
      if (groups === null) continue;
      assert.equal(status.user.username, `system:bootstrap:${id}`);
      const wanted = ["system:bootstrappers", ...groups, "system:authenticated"];
      assert.deepEqual(status.user.groups, wanted);
    }
    assert((await review(api, "aaaaa0.0123456789abcdee")).authenticated === false);
    api.clock.advance(2000);
    assert((await review(api, "aaaaa1.0123456789abcdef")).authenticated === false);
    await api.ask("DELETE", `${SECRETS}/bootstrap-token-aaaaa0`);
    assert((await review(api, "aaaaa0.0123456789abcdef")).authenticated === false);
    const opaque = { ...bootstrapSecret("aaaaa8"), type: "Opaque" };
    await api.ask("POST", SECRETS, opaque);
    assert((await review(api, "aaaaa8.0123456789abcdef")).authenticated === false);
  }));

Deno.test("a token dies with what it is bound to, its account, and its time", () =>
  withApi(async (api) => {
    const pods = "/api/v1/namespaces/default/pods";
    const secrets = "/api/v1/namespaces/default/secrets";
    await api.ask("POST", "/api/v1/nodes", { metadata: { name: "n1" } });
    const pod = podNamed("p");
    const placed = { ...pod, spec: { ...pod.spec, nodeName: "n1" } };
    assert.equal((await api.ask("POST", pods, placed)).status, 201);
    await api.ask("POST", secrets, { metadata: { name: "s" } });
    const bind = (kind: string, name: string) =>
      issue(api, { boundObjectRef: { kind, apiVersion: "v1", name } });
    const tokens = {
      pod: await bind("Pod", "p"),
      secret: await bind("Secret", "s"),
      node: await bind("Node", "n1"),
      free: await issue(api),
    };
    const alive = async () => {
      const names: string[] = [];
      for (const [name, token] of Object.entries(tokens)) {
        if ((await review(api, token)).authenticated) names.push(name);
      }
      return names;
    };
    assert.deepEqual(await alive(), ["pod", "secret", "node", "free"]);
    const { extra } = (await review(api, tokens.pod)).user;
    assert.deepEqual(extra["authentication.kubernetes.io/pod-name"], ["p"]);
    assert.deepEqual(extra["authentication.kubernetes.io/node-name"], ["n1"]);
    assert.equal(extra["authentication.kubernetes.io/node-uid"].length, 1);
    assert.match(extra["authentication.kubernetes.io/credential-id"][0], /^JTI=/);
    await api.ask("DELETE", `${secrets}/s`);
    assert.deepEqual(await alive(), ["pod", "node", "free"]);
    // Another secret of the same name is not the one that the token was bound to.
    await api.ask("POST", secrets, { metadata: { name: "s" } });
    assert.deepEqual(await alive(), ["pod", "node", "free"]);
    await api.ask("DELETE", "/api/v1/nodes/n1");
    assert.deepEqual(await alive(), ["pod", "free"], "a pod's token only tells of its node");
    await api.ask("DELETE", `${pods}/p?gracePeriodSeconds=0`);
    assert.deepEqual(await alive(), ["free"]);
    const short = await issue(api, { expirationSeconds: 600 });
    api.clock.advance(601_000);
    assert.equal((await review(api, short)).authenticated, false);
    assert.deepEqual(await alive(), ["free"]);
    await api.ask("DELETE", "/api/v1/namespaces/default/serviceaccounts/default");
    assert.deepEqual(await alive(), []);
  }));

Deno.test("a token is for its audiences, and for nobody else", () =>
  withApi(async (api) => {
    const vault = await issue(api, { audiences: ["vault", "other"] });
    assert.equal((await review(api, vault)).authenticated, false);
    assert.deepEqual((await review(api, vault, ["vault", "third"])).audiences, ["vault"]);
    assert.equal((await review(api, vault, ["third"])).authenticated, false);
    const own = await issue(api);
    assert.deepEqual((await review(api, own)).audiences, [ISSUER]);
    assert.equal((await review(api, own, ["vault"])).authenticated, false);
    const empty = await api.ask("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {
      spec: {},
    });
    assert.equal(empty.status, 400);
  }));

Deno.test("a forged token is nobody's", () =>
  withApi(async (api) => {
    const good = await issue(api);
    const claims = decodeJwt(good);
    const [head, body, signature] = good.split(".");
    const other = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const shared = new TextEncoder().encode(JSON.stringify((await jwks(api)).keys[0]));
    const forged = [
      await new SignJWT(claims).setProtectedHeader({ alg: "ES256" }).sign(other.privateKey),
      await new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(shared),
      new UnsecuredJWT(claims).encode(),
      `${head}.${btoa(JSON.stringify({ ...claims, sub: "x" })).replace(/=+$/, "")}.${signature}`,
      `${head}.${body}.`,
      `${head}.${body}`,
      "..",
      "a.b.c",
      "\u{1f600}",
      "x".repeat(100_000),
    ];
    for (const token of forged) {
      const status = await review(api, token);
      assert.equal(status.authenticated, false, token.slice(0, 60));
      assert.equal(status.error, "invalid bearer token");
      assert.equal(status.user, undefined);
    }
    assert.equal((await review(api, good)).authenticated, true);
  }));

async function jwks(api: FakeApi) {
  return (await api.ask("GET", "/openid/v1/jwks")).json;
}

Deno.test("tokens of the keys before are taken, published, and refused once a key is gone", async () => {
  const before = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = before.publicKey.export({ type: "spki", format: "pem" }) as string;
  let claims: ReturnType<typeof decodeJwt> = {};
  const signOld = (header: Record<string, string> = {}) =>
    new SignJWT(claims).setProtectedHeader({ alg: "RS256", ...header }).sign(before.privateKey);
  await withApi(async (api) => {
    claims = decodeJwt(await issue(api));
    assert.equal((await review(api, await signOld())).authenticated, true);
    assert.equal((await review(api, await signOld({ kid: "unknown" }))).authenticated, true);
    const { keys } = await jwks(api);
    assert.deepEqual(keys.map((key: { alg: string }) => key.alg), ["ES256", "RS256"]);
    assert(keys.every((key: Record<string, unknown>) => !("d" in key) && !("p" in key)));
    const discovery = (await api.ask("GET", "/.well-known/openid-configuration")).json;
    assert.deepEqual(discovery.id_token_signing_alg_values_supported, ["ES256", "RS256"]);
    assert.equal(discovery.issuer, ISSUER);
  }, { tokenVerificationKeys: [pem] });
  await withApi(async (api) => {
    claims = decodeJwt(await issue(api));
    assert.equal((await review(api, await signOld())).authenticated, false);
  });
});

Deno.test("whoever names nobody is judged by roles, let in to probes, or not at all", async () => {
  const sources = [staticTokenSource(() => [{ token: "good", user: ADMIN }])];
  const rows = [
    ["all", "/api", "system:anonymous"],
    ["all", "/healthz", "system:anonymous"],
    ["health", "/api", null],
    ["health", "/healthz", "system:anonymous"],
    ["health", "/healthz/../api", null],
    ["none", "/healthz", null],
  ] as const;
  for (const [anonymous, path, name] of rows) {
    const authenticator = new Authenticator({ sources, anonymous, apiAudience: ISSUER });
    const who = await authenticator.authenticate(null, undefined, path);
    assert.equal(who.kind === "user" ? who.user.name : null, name, `${anonymous} ${path}`);
    const known = await authenticator.authenticate(null, "Bearer good", path);
    assert.equal(known.kind, "user");
    for (const header of ["Bearer bad", "Bearer", "Basic Z29vZA==", "good", "Bearer good bad"]) {
      const refused = await authenticator.authenticate(null, header, path);
      assert.equal(refused.kind, "refused", header);
    }
  }
});

Deno.test("acting as another takes the right to each part of it", () =>
  withApi(async (api) => {
    const role = (name: string, apiGroup: string, resource: string, names?: string[]) =>
      api.ask("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", {
        metadata: { name },
        rules: [{
          verbs: ["impersonate"],
          apiGroups: [apiGroup],
          resources: [resource],
          resourceNames: names,
        }],
      });
    const bind = (name: string) =>
      api.ask("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
        metadata: { name },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
        subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "eve" }],
      });
    const eve = { name: "eve", groups: ["system:authenticated"] };
    const act = async (fields: Record<string, string>) => {
      const headers = Object.fromEntries(
        Object.entries(fields).map(([name, value]) => [`impersonate-${name}`, value]),
      );
      const self = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
      const answer = await api.ask("POST", self, {}, {
        user: eve,
        headers,
        fields: Object.entries(headers).flat(),
      });
      return answer.status === 201 ? answer.json.status.userInfo : answer.status;
    };
    assert.equal(await act({ user: "bob" }), 403);
    await role("as-bob", "", "users", ["bob"]);
    await bind("as-bob");
    assert.deepEqual((await act({ user: "bob" })).groups, ["system:authenticated"]);
    assert.equal(await act({ user: "ann" }), 403);
    assert.equal(await act({ user: "bob", group: "system:masters" }), 403);
    assert.equal(await act({ user: "bob", uid: "7" }), 403);
    assert.equal(await act({ user: "bob", "extra-scopes": "view" }), 403);
    assert.equal(await act({ user: "system:serviceaccount:default:default" }), 403);
    for (const part of ["group", "uid", "extra-scopes"]) {
      assert.equal(await act({ [part]: "x" }), 400);
    }
    await role("as-devs", "", "groups", ["devs"]);
    await role("as-seven", "authentication.k8s.io", "uids", ["7"]);
    await role("as-scoped", "authentication.k8s.io", "userextras/scopes", ["view"]);
    for (const name of ["as-devs", "as-seven", "as-scoped"]) {
      await bind(name);
    }
    assert.deepEqual(await act({ user: "bob", group: "devs", uid: "7", "extra-Scopes": "view" }), {
      username: "bob",
      uid: "7",
      groups: ["devs", "system:authenticated"],
      extra: { scopes: ["view"] },
    });
    assert.equal(await act({ user: "bob", "extra-scopes": "edit" }), 403);
  }));

Deno.test("several groups come in several headers, and keys percent-encoded", () => {
  const allow = () => ({ allowed: true });
  const authorizer = { authorize: allow, decide: allow, rulesFor: () => ({}) };
  const fields = [
    ["Impersonate-User", "bob"],
    ["impersonate-group", "a,b"],
    ["IMPERSONATE-GROUP", "c"],
    ["Impersonate-Extra-example.com%2Fscope", "x"],
    ["impersonate-extra-example.com%2fscope", "y"],
    ["impersonate-extra-%zz", "z"],
  ].flat();
  const user = impersonate(ADMIN, { header: () => undefined, fields: () => fields }, authorizer);
  assert.deepEqual(user, {
    name: "bob",
    groups: ["a,b", "c", "system:authenticated"],
    extra: { "example.com/scope": ["x", "y"], "%zz": ["z"] },
  });
});
