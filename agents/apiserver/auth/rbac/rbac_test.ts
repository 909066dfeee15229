/**
 * Roles over the handler and by themselves: bindings, escalation, aggregation, reviews, nodes.
 * What each default role may do stands in `default_roles_test.ts`.
 */
import assert from "node:assert/strict";
import { type Answer, apiTest, podNamed } from "../../../../tests/fakes/api_server.ts";
import type { UserInfo } from "../../../api/meta.ts";
import type { PolicyRule } from "../../../api/schema/generated/rbac_v1.ts";
import { defaultClusterRoles } from "./bootstrap_roles.ts";
import { parseBindings } from "./parse_policy.ts";
import { CLUSTER_BINDINGS } from "./policy/bindings.ts";
import { compactRules, formatRule, missingRights } from "./rules.ts";

const RBAC = "/apis/rbac.authorization.k8s.io/v1";
const POD = "/api/v1/namespaces/default/pods";

const person = (name: string, ...groups: string[]): UserInfo => ({
  name,
  groups: [...groups, "system:authenticated"],
});
const account = (namespace: string, name: string): UserInfo => ({
  name: `system:serviceaccount:${namespace}:${name}`,
  groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"],
});

const rule = (verbs: string, resources: string, apiGroups = ""): PolicyRule => ({
  verbs: verbs.split(","),
  resources: resources.split(","),
  apiGroups: apiGroups.split(","),
});

async function created(answer: Promise<Answer>): Promise<void> {
  const { status, text } = await answer;
  assert.equal(status, 201, text);
}

const role = (name: string, ...rules: PolicyRule[]) => ({ metadata: { name }, rules });
const binding = (name: string, ref: string, ...subjects: unknown[]) => {
  const [kind, roleName] = ref.split("/");
  const apiGroup = "rbac.authorization.k8s.io";
  return { metadata: { name }, roleRef: { apiGroup, kind, name: roleName }, subjects };
};
const userSubject = (name: string) => ({
  kind: "User",
  apiGroup: "rbac.authorization.k8s.io",
  name,
});

Deno.test("every default binding names a default role, and every rule has verbs", () => {
  const roles = defaultClusterRoles();
  const names = new Set(roles.map((one) => one.metadata.name));
  assert.equal(names.size, roles.length);
  for (const one of parseBindings(CLUSTER_BINDINGS)) assert.ok(names.has(one.roleRef.name));
  for (const one of roles) {
    for (const { verbs, resources, apiGroups, nonResourceURLs } of one.rules!) {
      assert.ok(verbs.length > 0 && verbs.every(Boolean), one.metadata.name!);
      const isResource = (resources?.length ?? 0) > 0 && (apiGroups?.length ?? 0) > 0;
      assert.ok(isResource !== (nonResourceURLs !== undefined), one.metadata.name!);
    }
  }
});

Deno.test("rights that a rule covers, and rights that it leaves out", () => {
  const held = [rule("get,list", "pods,*/status"), {
    verbs: ["get"],
    nonResourceURLs: ["/logs/*"],
  }];
  const missing = (...wanted: PolicyRule[]) =>
    compactRules(missingRights(held, wanted)).map(formatRule);
  assert.deepEqual(missing(rule("get", "pods"), rule("list", "nodes/status")), []);
  assert.deepEqual(missing(rule("get,create,delete", "pods")), [
    '{APIGroups:[""], Resources:["pods"], Verbs:["create" "delete"]}',
  ]);
  assert.deepEqual(missing({ verbs: ["get"], nonResourceURLs: ["/logs/a", "/metrics"] }), [
    '{NonResourceURLs:["/metrics"], Verbs:["get"]}',
  ]);
  const named = { ...rule("get", "secrets"), resourceNames: ["a"] };
  assert.equal(missingRights([named], [rule("get", "secrets")]).length, 1);
  assert.equal(missingRights([rule("get", "secrets")], [named]).length, 0);
});

apiTest("nobody may anything until a binding says so", async (api) => {
  for (const user of [person("ann"), account("default", "default")]) {
    const refused = await api.ask("GET", POD, undefined, { user });
    assert.equal(refused.status, 403);
    assert.equal(
      refused.json.message,
      `pods is forbidden: User "${user.name}" cannot list resource "pods" in API group "" ` +
        'in the namespace "default"',
    );
    assert.equal((await api.ask("GET", "/apis", undefined, { user })).status, 200);
  }
  await created(api.ask(
    "POST",
    `${RBAC}/namespaces/default/rolebindings`,
    binding("r", "ClusterRole/view", userSubject("ann"), {
      kind: "ServiceAccount",
      name: "default",
      namespace: "default",
    }),
  ));
  for (const user of [person("ann"), account("default", "default")]) {
    assert.equal((await api.ask("GET", POD, undefined, { user })).status, 200);
    assert.equal((await api.ask("POST", POD, podNamed("x"), { user })).status, 403);
    const elsewhere = "/api/v1/namespaces/kube-system/pods";
    assert.equal((await api.ask("GET", elsewhere, undefined, { user })).status, 403);
  }
});

apiTest("nobody grants what it does not hold", async (api) => {
  const user = person("ann");
  const roles = `${RBAC}/namespaces/default/roles`;
  const manage = rule("create,update,patch", "roles,rolebindings", "rbac.authorization.k8s.io");
  await created(api.ask("POST", roles, role("manager", manage, rule("get", "pods"))));
  const bindings = `${RBAC}/namespaces/default/rolebindings`;
  await created(api.ask("POST", bindings, binding("m", "Role/manager", userSubject("ann"))));
  await created(api.ask("POST", roles, role("less", rule("get", "pods")), { user }));
  const more = role("more", rule("get,delete", "pods", ""), rule("get", "secrets"));
  const refused = await api.ask("POST", roles, more, { user });
  assert.equal(refused.status, 403);
  assert.equal(
    refused.json.message,
    'roles.rbac.authorization.k8s.io "more" is forbidden: user "ann" ' +
      '(groups=["system:authenticated"]) is attempting to grant RBAC permissions ' +
      "not currently held:\n" +
      '{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}\n' +
      '{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}',
  );
  const bound = await api.ask(
    "POST",
    bindings,
    binding("x", "ClusterRole/edit", userSubject("ann")),
    {
      user,
    },
  );
  assert.equal(bound.status, 403);
  await created(api.ask("POST", bindings, binding("y", "Role/less", userSubject("bob")), { user }));
  const bind = {
    ...rule("bind", "clusterroles", "rbac.authorization.k8s.io"),
    resourceNames: ["edit"],
  };
  const escalate = rule("escalate", "roles", "rbac.authorization.k8s.io");
  await created(api.ask("POST", roles, role("special", bind, escalate)));
  await created(api.ask("POST", bindings, binding("s", "Role/special", userSubject("ann"))));
  await created(api.ask("POST", roles, more, { user }));
  const edit = binding("x", "ClusterRole/edit", userSubject("ann"));
  await created(api.ask("POST", bindings, edit, { user }));
});

apiTest("a role that gathers others follows them", async (api) => {
  const labels = { "rbac.authorization.k8s.io/aggregate-to-view": "true" };
  const rules = [rule("get", "widgets", "example.com")];
  await created(
    api.ask("POST", `${RBAC}/clusterroles`, { metadata: { name: "widgets", labels }, rules }),
  );
  const has = async (name: string) => {
    const { json } = await api.ask("GET", `${RBAC}/clusterroles/${name}`);
    return json.rules.some((one: PolicyRule) => one.resources?.includes("widgets"));
  };
  for (const name of ["view", "edit", "admin"]) {
    for (let i = 0; i < 100 && !await has(name); i++) await new Promise((r) => setTimeout(r, 1));
    assert.ok(await has(name), name);
  }
});

apiTest("reviews say what one may", async (api) => {
  const user = person("ann");
  const reviews = "/apis/authorization.k8s.io/v1";
  await created(api.ask(
    "POST",
    `${RBAC}/namespaces/default/rolebindings`,
    binding("r", "ClusterRole/view", userSubject("ann")),
  ));
  const ask = async (resourceAttributes: Record<string, string>) => {
    const { json } = await api.ask("POST", `${reviews}/selfsubjectaccessreviews`, {
      spec: { resourceAttributes },
    }, { user });
    return json.status;
  };
  assert.deepEqual(await ask({ verb: "get", resource: "pods", namespace: "default" }), {
    allowed: true,
    reason: 'RBAC: allowed by RoleBinding "r/default" of ClusterRole "view" to User "ann"',
  });
  assert.deepEqual(await ask({ verb: "get", resource: "pods" }), { allowed: false });
  const rules = await api.ask("POST", `${reviews}/selfsubjectrulesreviews`, {
    spec: { namespace: "default" },
  }, { user });
  assert.equal(rules.json.status.incomplete, false);
  assert.ok(
    rules.json.status.resourceRules.some((one: PolicyRule) => one.resources!.includes("pods")),
  );
  assert.ok(
    rules.json.status.nonResourceRules.some((one: PolicyRule) =>
      one.nonResourceURLs!.includes("/healthz")
    ),
  );
  const local = `${reviews}/namespaces/default/localsubjectaccessreviews`;
  const spec = {
    user: "ann",
    resourceAttributes: { verb: "list", resource: "pods", namespace: "x" },
  };
  const wrong = await api.ask("POST", local, { spec });
  assert.equal(wrong.status, 422, wrong.text);
  spec.resourceAttributes.namespace = "default";
  assert.equal((await api.ask("POST", local, { spec })).json.status.allowed, true);
});

apiTest("a node sees what its pods name, and changes itself", async (api) => {
  const user = person("system:node:n1", "system:nodes");
  for (const name of ["used", "other"]) {
    await created(api.ask("POST", "/api/v1/namespaces/default/secrets", { metadata: { name } }));
  }
  const pod = podNamed("p");
  const withSecret = {
    ...pod,
    spec: { ...pod.spec, volumes: [{ name: "v", secret: { secretName: "used" } }] },
  };
  await created(api.ask("POST", POD, withSecret));
  const scheduler = { name: "system:kube-scheduler", groups: [] };
  await api.server.port.bindMany(scheduler, [{ namespace: "default", name: "p", nodeName: "n1" }]);
  const status = async (method: string, url: string, body?: unknown) =>
    (await api.ask(method, url, body, { user })).status;
  const secrets = "/api/v1/namespaces/default/secrets";
  assert.equal(await status("GET", `${secrets}/used`), 200);
  assert.equal(await status("GET", `${secrets}/other`), 403);
  assert.equal(await status("GET", secrets), 403);
  assert.equal(await status("GET", `${secrets}?fieldSelector=metadata.name%3Dused`), 200);
  assert.equal(await status("GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1"), 200);
  assert.equal(await status("GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn2"), 403);
  assert.equal(await status("GET", "/api/v1/nodes"), 403);
  assert.equal(await status("POST", "/api/v1/nodes", { metadata: { name: "n1" } }), 201);
  const other = await api.ask("POST", "/api/v1/nodes", { metadata: { name: "n2" } }, { user });
  assert.match(other.json.message, /node "n1" is not allowed to modify node "n2"/);
  const made = await api.ask("POST", POD, podNamed("q"), { user });
  assert.match(made.json.message, /node "n1" can only create mirror pods/);
  assert.equal(await status("GET", "/api/v1/services"), 200);
});
