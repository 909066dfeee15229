/**
 * Every default role and binding of a new cluster, asked verb by verb over the authorizer: what
 * each may do and what it may not (`testdata/default_roles.txt`), who holds the rights that open
 * the whole cluster, and whom the bindings reach. Source: the documented default roles (v1.36).
 */
import assert from "node:assert/strict";
import { type FakeApi, withApi } from "../../../../tests/fakes/api_server.ts";
import { defaultClusterRoles } from "./bootstrap_roles.ts";
import { parseRoles } from "./parse_policy.ts";
import { NAMESPACE_ROLES } from "./policy/namespace_roles.ts";

const RBAC = "/apis/rbac.authorization.k8s.io/v1";
const REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews";

const READ = ["get", "list", "watch"];
const WRITE = ["create", "update", "patch", "delete", "deletecollection"];
const SPECIAL = ["impersonate", "bind", "escalate", "approve", "sign", "proxy"];
const ASKED = [...READ, ...WRITE, ...SPECIAL];
const WORDS: Readonly<Record<string, readonly string[]>> = {
  read: READ,
  write: WRITE,
  all: [...READ, ...WRITE],
  any: ASKED,
  none: [],
};

interface Expected {
  readonly role: string;
  /** Verbs by thing. */
  readonly verbs: Map<string, Set<string>>;
}

function parseExpected(text: string): Expected[] {
  const all: Expected[] = [];
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    if (!line.startsWith(" ")) {
      all.push({ role: line, verbs: new Map() });
      continue;
    }
    const [words, ...things] = line.slice(1).split(" ");
    const verbs = words.split(",").flatMap((word) => WORDS[word] ?? [word]);
    for (const verb of verbs) assert.ok(ASKED.includes(verb), line);
    const known = all.at(-1)!.verbs;
    for (const thing of things) {
      known.set(thing, new Set([...known.get(thing) ?? [], ...verbs]));
    }
  }
  return all;
}

/** `leases.coordination.k8s.io/status=name`, or a path, as a review asks for it. */
function attributesOf(thing: string, verb: string, namespace: string): Record<string, unknown> {
  if (thing.startsWith("/")) return { nonResourceAttributes: { path: thing, verb } };
  const [, resource, group = "", subresource = "", name = ""] =
    /^([^./=]+)(?:\.([^/=]+))?(?:\/([^=]+))?(?:=(.+))?$/.exec(thing)!;
  return { resourceAttributes: { resource, group, subresource, name, verb, namespace } };
}

interface Question {
  readonly user: string;
  readonly groups?: readonly string[];
  readonly thing: string;
  readonly verb: string;
  readonly namespace: string;
}

async function may(api: FakeApi, { thing, verb, namespace, ...who }: Question): Promise<boolean> {
  const spec = { ...who, ...attributesOf(thing, verb, namespace) };
  const { json, status, text } = await api.ask("POST", REVIEWS, { spec });
  assert.equal(status, 201, text);
  return json.status.allowed;
}

const holderOf = (role: string) => `holder of ${role}`;

/** Binds every default role, and nothing else, to a user of its own. */
async function bindHolders(api: FakeApi, roles: readonly string[]): Promise<void> {
  for (const [i, role] of roles.entries()) {
    const [namespace, name] = role.includes("/") ? role.split("/") : ["", role];
    const kind = namespace === "" ? "ClusterRole" : "Role";
    const path = namespace === ""
      ? `${RBAC}/clusterrolebindings`
      : `${RBAC}/namespaces/${namespace}/rolebindings`;
    const made = await api.ask("POST", path, {
      metadata: { name: `holder-${i}` },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind, name },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: holderOf(role) }],
    });
    assert.equal(made.status, 201, made.text);
  }
}

const TABLE = parseExpected(
  await Deno.readTextFile(new URL("testdata/default_roles.txt", import.meta.url)),
);
const NAMES = TABLE.map(({ role }) => role);

Deno.test("the table knows every default role, with something allowed and something refused", () => {
  const namespaced = parseRoles(NAMESPACE_ROLES)
    .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
  const defaults = [...defaultClusterRoles().map(({ metadata }) => metadata.name!), ...namespaced];
  assert.deepEqual(NAMES.toSorted(), defaults.sort());
  for (const { role, verbs } of TABLE) {
    const sets = [...verbs.values()];
    assert.ok(sets.some((set) => set.size > 0), role);
    if (role !== "cluster-admin") assert.ok(sets.some((set) => set.size === 0), role);
  }
});

Deno.test("each default role may do what the table says, and each other verb is refused", () =>
  withApi(async (api) => {
    await bindHolders(api, NAMES);
    const wrong: string[] = [];
    for (const { role, verbs } of TABLE) {
      const home = role.includes("/") ? role.split("/")[0] : "default";
      const user = holderOf(role);
      for (const [thing, wanted] of verbs) {
        for (const verb of ASKED) {
          const allowed = await may(api, { user, thing, verb, namespace: home });
          if (allowed !== wanted.has(verb)) wrong.push(`${role}: ${verb} ${thing}: ${allowed}`);
          if (home === "default" || !allowed) continue;
          for (const namespace of ["default", ""]) {
            const elsewhere = await may(api, { user, thing, verb, namespace });
            if (elsewhere) wrong.push(`${role}: ${verb} ${thing} in "${namespace}"`);
          }
        }
      }
    }
    assert.deepEqual(wrong, []);
  }));

/** Rights that lead to all others, in the whole cluster, and every default role that has one. */
const CROWN_RIGHTS: readonly (readonly [verb: string, thing: string, holders: string])[] = [
  ["*", "*.*", "cluster-admin"],
  ["get", "/*", "cluster-admin"],
  ["get", "/logs/", "cluster-admin"],
  ["impersonate", "users", "cluster-admin"],
  ["impersonate", "groups", "cluster-admin"],
  ["impersonate", "serviceaccounts", "admin cluster-admin edit system:aggregate-to-edit"],
  ["bind", "clusterroles.rbac.authorization.k8s.io", "cluster-admin"],
  ["bind", "roles.rbac.authorization.k8s.io", "cluster-admin"],
  [
    "escalate",
    "clusterroles.rbac.authorization.k8s.io",
    "cluster-admin system:controller:clusterrole-aggregation-controller",
  ],
  ["escalate", "roles.rbac.authorization.k8s.io", "cluster-admin"],
  ["create", "clusterrolebindings.rbac.authorization.k8s.io", "cluster-admin"],
  [
    "create",
    "rolebindings.rbac.authorization.k8s.io",
    "admin cluster-admin system:aggregate-to-admin",
  ],
  ["create", "nodes/proxy", "cluster-admin system:kubelet-api-admin"],
  ["create", "pods/exec", "admin cluster-admin edit system:aggregate-to-edit"],
  [
    "get",
    "secrets",
    "admin cluster-admin edit system:aggregate-to-edit system:controller:generic-garbage-collector" +
    " system:controller:namespace-controller system:kube-controller-manager system:node",
  ],
  [
    "create",
    "serviceaccounts/token",
    "admin cluster-admin edit system:aggregate-to-edit system:kube-controller-manager system:node",
  ],
  [
    "update",
    "certificatesigningrequests.certificates.k8s.io/approval",
    "cluster-admin system:controller:certificate-controller " +
    "system:controller:generic-garbage-collector",
  ],
  ["sign", "signers.certificates.k8s.io", "cluster-admin"],
  ["approve", "signers.certificates.k8s.io", "cluster-admin"],
  ["create", "apiservices.apiregistration.k8s.io", "cluster-admin"],
  ["create", "mutatingwebhookconfigurations.admissionregistration.k8s.io", "cluster-admin"],
  ["create", "customresourcedefinitions.apiextensions.k8s.io", "cluster-admin"],
  ["create", "namespaces", "cluster-admin"],
  [
    "delete",
    "nodes",
    "cluster-admin system:controller:generic-garbage-collector" +
    " system:controller:namespace-controller system:controller:node-controller",
  ],
];

Deno.test("a right that opens the cluster is held by these default roles and no others", () =>
  withApi(async (api) => {
    await bindHolders(api, NAMES);
    for (const [verb, thing, holders] of CROWN_RIGHTS) {
      const found: string[] = [];
      for (const role of NAMES) {
        const user = holderOf(role);
        if (await may(api, { user, thing, verb, namespace: "" })) found.push(role);
      }
      assert.equal(found.sort().join(" "), holders, `${verb} ${thing}`);
    }
  }));

/** Whom the bindings of a new cluster reach, as `user|groups`, and what that is good for. */
const REACHED: readonly (readonly [who: string, namespace: string, allowed: string])[] = [
  ["root|system:masters", "", "delete nodes, get /logs/kern"],
  [
    "ann|system:authenticated",
    "",
    "create selfsubjectreviews.authentication.k8s.io, get /api, get /version",
  ],
  ["system:anonymous|system:unauthenticated", "", "get /version, get /healthz"],
  ["prober|system:monitoring", "", "get /metrics, get nodes/metrics"],
  ["system:kube-controller-manager|", "", "list widgets.example.com, update secrets"],
  ["system:kube-controller-manager|", "kube-system", "get leases.coordination.k8s.io"],
  ["system:kube-scheduler|", "", "create pods/binding, patch persistentvolumes"],
  [
    "system:kube-scheduler|",
    "kube-system",
    "get configmaps=extension-apiserver-authentication, update leases.coordination.k8s.io",
  ],
  ["system:kube-proxy|", "", "watch endpointslices.discovery.k8s.io"],
  ["system:serviceaccount:kube-system:kube-dns|", "", "list services"],
  ["system:serviceaccount:x:y|system:serviceaccounts", "", "get /openid/v1/jwks"],
  ["system:serviceaccount:kube-system:bootstrap-signer|", "kube-system", "list secrets"],
  [
    "system:serviceaccount:kube-system:bootstrap-signer|",
    "kube-public",
    "update configmaps=cluster-info",
  ],
  ["system:serviceaccount:kube-system:token-cleaner|", "kube-system", "delete secrets"],
  ["system:serviceaccount:kube-system:cloud-provider|", "kube-system", "create configmaps"],
  [
    "system:serviceaccount:kube-system:kube-scheduler|",
    "kube-system",
    "update leases.coordination.k8s.io",
  ],
  [
    "system:serviceaccount:kube-system:leader-election-controller|",
    "kube-system",
    "create leases.coordination.k8s.io",
  ],
];

Deno.test("the default bindings reach whom they should, and nobody by a likely name", () =>
  withApi(async (api) => {
    const controllers = NAMES.filter((name) => name.startsWith("system:controller:"))
      .map((role) => {
        const [thing, verbs] = [...TABLE.find((one) => one.role === role)!.verbs]
          .find(([, set]) => set.size > 0)!;
        const who = `system:serviceaccount:kube-system:${role.slice("system:controller:".length)}|`;
        return [who, "", `${[...verbs][0]} ${thing}`] as const;
      });
    assert.equal(controllers.length, 38);
    for (const [who, namespace, questions] of [...REACHED, ...controllers]) {
      const [user, group] = who.split("|");
      const groups = group === "" ? [] : [group];
      for (const question of questions.split(", ")) {
        const [verb, thing] = question.split(" ");
        const asked = { thing, verb, namespace };
        assert.ok(await may(api, { ...asked, user, groups }), `${who} ${question}`);
        const likely = { user: `${user}x`, groups: groups.map((name) => `${name}x`) };
        assert.ok(!await may(api, { ...asked, ...likely }), `${user}x ${question}`);
        const stolen = user.replace("kube-system:", "default:");
        if (stolen === user) continue;
        assert.ok(!await may(api, { ...asked, user: stolen, groups }), `${stolen} ${question}`);
      }
    }
    const nobody = { user: "system:node:n1", groups: [], namespace: "" };
    assert.ok(!await may(api, { ...nobody, thing: "pods", verb: "list" }));
  }));
