/**
 * Attempts to come to more than one has: by roles, bindings, tokens, certificates, a node's hand,
 * another's name. Each is refused with its documented Status, and changes nothing.
 */
import assert from "node:assert/strict";
import "reflect-metadata";
import { Pkcs10CertificateRequestGenerator } from "@peculiar/x509";
import type { UserInfo } from "../../../api/meta.ts";
import { type FakeApi, podNamed, withApi } from "../../../../tests/fakes/api_server.ts";

const RBAC = "/apis/rbac.authorization.k8s.io/v1";
const DEFAULT = "/api/v1/namespaces/default";
const CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests";

function user(name: string, ...groups: string[]): UserInfo {
  return { name, groups: [...groups, "system:authenticated"] };
}

const EVE = user("eve");
const NODE = user("system:node:n1", "system:nodes");

const roleRef = (kind: string, name: string) => ({
  apiGroup: "rbac.authorization.k8s.io",
  kind,
  name,
});
const subjectEve = { apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "eve" };

async function give(api: FakeApi, role: string, namespace = ""): Promise<void> {
  const path = namespace === ""
    ? `${RBAC}/clusterrolebindings`
    : `${RBAC}/namespaces/${namespace}/rolebindings`;
  const made = await api.ask("POST", path, {
    metadata: { name: `${role}-eve`.replaceAll(":", "-") },
    roleRef: roleRef("ClusterRole", role),
    subjects: [subjectEve],
  });
  assert.equal(made.status, 201, made.text);
}

/** Every one of these is refused. */
async function refused(
  api: FakeApi,
  who: UserInfo,
  attempts: readonly (readonly [method: string, path: string, body?: unknown, type?: string])[],
): Promise<void> {
  for (const [method, path, body, type] of attempts) {
    const headers: Record<string, string> = type === undefined ? {} : { "content-type": type };
    const answer = await api.ask(method, path, body, { user: who, headers });
    const what = `${method} ${path} ${JSON.stringify(body)} -> ${answer.text}`;
    assert.equal(answer.status, 403, what);
    assert.equal(answer.json.kind, "Status", what);
    assert.equal(answer.json.reason, "Forbidden", what);
    assert.equal(answer.json.code, 403, what);
  }
}

Deno.test("an admin of a namespace grants there what it holds, and nothing more", () =>
  withApi(async (api) => {
    await give(api, "admin", "default");
    const roles = `${RBAC}/namespaces/default/roles`;
    const bindings = `${RBAC}/namespaces/default/rolebindings`;
    const role = (rules: unknown[]) => ({ metadata: { name: "r" }, rules });
    const rule = (verbs: string[], resources: string[], apiGroups = [""]) => ({
      verbs,
      apiGroups,
      resources,
    });
    const fine = await api.ask("POST", roles, role([rule(["get"], ["pods"])]), { user: EVE });
    assert.equal(fine.status, 201, fine.text);
    const binding = (ref: unknown, subjects: unknown[] = [subjectEve]) => ({
      metadata: { name: "b" },
      roleRef: ref,
      subjects,
    });
    await refused(api, EVE, [
      ["PUT", `${roles}/r`, role([rule(["*"], ["*"], ["*"])])],
      ["PUT", `${roles}/r`, role([rule(["get"], ["nodes"])])],
      ["PUT", `${roles}/r`, role([rule(["escalate"], ["roles"], ["rbac.authorization.k8s.io"])])],
      ["PUT", `${roles}/r`, role([rule(["impersonate"], ["users"])])],
      [
        "PATCH",
        `${roles}/r`,
        [{ op: "add", path: "/rules/0/verbs/-", value: "deletecollection" }, {
          op: "add",
          path: "/rules/0/resources/-",
          value: "nodes",
        }],
        "application/json-patch+json",
      ],
      ["PATCH", `${roles}/r`, { rules: [rule(["*"], ["*"])] }, "application/merge-patch+json"],
      [
        "PATCH",
        `${roles}/r?fieldManager=m&force=true`,
        { apiVersion: "rbac.authorization.k8s.io/v1", kind: "Role", ...role([rule(["*"], ["*"])]) },
        "application/apply-patch+yaml",
      ],
      ["POST", bindings, binding(roleRef("ClusterRole", "cluster-admin"))],
      ["POST", bindings, binding(roleRef("ClusterRole", "system:node"))],
      ["POST", `${RBAC}/clusterroles`, role([rule(["get"], ["pods"])])],
      ["POST", `${RBAC}/clusterrolebindings`, binding(roleRef("ClusterRole", "view"))],
      [
        "POST",
        `${RBAC}/namespaces/kube-system/rolebindings`,
        binding(roleRef("ClusterRole", "view")),
      ],
      [
        "PATCH",
        "/api/v1/namespaces/default",
        { metadata: { labels: { a: "b" } } },
        "application/merge-patch+json",
      ],
      ["GET", "/api/v1/namespaces/kube-system/secrets"],
      ["GET", "/api/v1/secrets"],
      ["GET", "/api/v1/nodes"],
    ]);
    assert.deepEqual((await api.ask("GET", `${roles}/r`)).json.rules, [rule(["get"], ["pods"])]);
    const own = await api.ask("POST", bindings, binding(roleRef("ClusterRole", "edit")), {
      user: EVE,
    });
    assert.equal(own.status, 201, "what it holds it may hand on");
  }));

Deno.test("who may bind or escalate by name may, and by that name alone", () =>
  withApi(async (api) => {
    await api.ask("POST", `${RBAC}/clusterroles`, {
      metadata: { name: "binder" },
      rules: [
        {
          verbs: ["create"],
          apiGroups: ["rbac.authorization.k8s.io"],
          resources: ["rolebindings"],
        },
        {
          verbs: ["bind"],
          apiGroups: ["rbac.authorization.k8s.io"],
          resources: ["clusterroles"],
          resourceNames: ["view"],
        },
      ],
    });
    await give(api, "binder", "default");
    const path = `${RBAC}/namespaces/default/rolebindings`;
    const binding = (name: string) => ({
      metadata: { name: `b-${name}` },
      roleRef: roleRef("ClusterRole", name),
      subjects: [subjectEve],
    });
    assert.equal((await api.ask("POST", path, binding("view"), { user: EVE })).status, 201);
    await refused(api, EVE, [["POST", path, binding("edit")]]);
  }));

Deno.test("viewers see no secret, and editors change no rights", () =>
  withApi(async (api) => {
    await api.ask("POST", `${DEFAULT}/secrets`, { metadata: { name: "s" } });
    await api.ask("POST", `${DEFAULT}/pods`, podNamed("p"));
    await give(api, "view", "default");
    await refused(api, EVE, [
      ["GET", `${DEFAULT}/secrets`],
      ["GET", `${DEFAULT}/secrets/s`],
      ["GET", `${DEFAULT}/secrets?watch=true`],
      ["POST", `${DEFAULT}/serviceaccounts/default/token`, { spec: {} }],
      ["POST", `${DEFAULT}/pods/p/exec?command=id&stdout=true`],
      ["GET", `${DEFAULT}/pods/p/proxy/`],
      ["DELETE", `${DEFAULT}/pods/p`],
      ["PATCH", `${DEFAULT}/pods/p/ephemeralcontainers`, {}, "application/merge-patch+json"],
      ["POST", `${DEFAULT}/pods/p/eviction`, {}],
      ["GET", `${RBAC}/namespaces/default/roles`],
    ]);
    await give(api, "edit", "default");
    await refused(api, EVE, [
      ["GET", `${RBAC}/namespaces/default/roles`],
      ["POST", `${RBAC}/namespaces/default/rolebindings`, { metadata: { name: "x" } }],
      ["PUT", `${DEFAULT}/resourcequotas/q`, { metadata: { name: "q" } }],
      ["DELETE", "/api/v1/namespaces/default"],
      ["POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", { spec: { user: "a" } }],
      ["POST", "/apis/authentication.k8s.io/v1/tokenreviews", { spec: { token: "a" } }],
    ]);
  }));

async function signingRequest(commonName: string, organization: string): Promise<string> {
  const keys = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, [
    "sign",
    "verify",
  ]);
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: [{ O: [organization] }, { CN: [commonName] }],
    keys,
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
  });
  return btoa(request.toString("pem"));
}

Deno.test("nobody signs a certificate for itself", () =>
  withApi(async (api) => {
    await api.ask("POST", `${RBAC}/clusterroles`, {
      metadata: { name: "asker" },
      rules: [{
        verbs: ["create", "get", "update", "patch"],
        apiGroups: ["certificates.k8s.io"],
        resources: [
          "certificatesigningrequests",
          "certificatesigningrequests/approval",
          "certificatesigningrequests/status",
        ],
      }],
    });
    await give(api, "asker");
    const csr = async (name: string, organization: string, signer: string) => ({
      metadata: { name },
      spec: {
        request: await signingRequest("eve", organization),
        signerName: `kubernetes.io/${signer}`,
        usages: ["client auth"],
        username: "system:admin",
        groups: ["system:masters"],
      },
    });
    await refused(api, EVE, [
      ["POST", CSRS, await csr("master", "system:masters", "kube-apiserver-client")],
    ]);
    const made = await api.ask("POST", CSRS, await csr("own", "devs", "kube-apiserver-client"), {
      user: EVE,
    });
    assert.equal(made.status, 201, made.text);
    assert.equal(made.json.spec.username, "eve", "who asks is not what it says");
    assert(!made.json.spec.groups.includes("system:masters"));
    const approved = {
      ...made.json,
      status: { conditions: [{ type: "Approved", status: "True", reason: "x", message: "y" }] },
    };
    const certificate = btoa(api.server.pki.admin.certificate);
    const signed = { ...made.json, status: { certificate } };
    await refused(api, EVE, [
      ["PUT", `${CSRS}/own/approval`, approved],
      [
        "PATCH",
        `${CSRS}/own/approval`,
        { status: approved.status },
        "application/merge-patch+json",
      ],
      ["PUT", `${CSRS}/own/status`, signed],
    ]);
    const now = (await api.ask("GET", `${CSRS}/own`)).json;
    assert.deepEqual(now.status ?? {}, {});
  }));

Deno.test("a node reads and writes its own, and can't make a pod that widens that", () =>
  withApi(async (api) => {
    for (const name of ["n1", "n2"]) {
      await api.ask("POST", "/api/v1/nodes", { metadata: { name } });
      for (const kind of ["secrets", "configmaps"]) {
        await api.ask("POST", `${DEFAULT}/${kind}`, { metadata: { name: `of-${name}` } });
      }
      await api.ask("POST", `${DEFAULT}/persistentvolumeclaims`, {
        metadata: { name: `claim-${name}` },
        spec: {
          accessModes: ["ReadWriteOnce"],
          resources: { requests: { storage: "1Gi" } },
          volumeName: `volume-${name}`,
        },
      });
      await api.ask("POST", `${DEFAULT}/secrets`, { metadata: { name: `disk-${name}` } });
      const volume = await api.ask("POST", "/api/v1/persistentvolumes", {
        metadata: { name: `volume-${name}` },
        spec: {
          accessModes: ["ReadWriteOnce"],
          capacity: { storage: "1Gi" },
          claimRef: { namespace: "default", name: `claim-${name}` },
          csi: {
            driver: "d",
            volumeHandle: "h",
            nodeStageSecretRef: { namespace: "default", name: `disk-${name}` },
          },
        },
      });
      assert.equal(volume.status, 201, volume.text);
      const attachment = await api.ask("POST", "/apis/storage.k8s.io/v1/volumeattachments", {
        metadata: { name: `attach-${name}` },
        spec: { attacher: "d", nodeName: name, source: { persistentVolumeName: `volume-${name}` } },
      });
      assert.equal(attachment.status, 201, attachment.text);
      const pod = await api.ask("POST", `${DEFAULT}/pods`, {
        metadata: { name: `pod-${name}` },
        spec: {
          nodeName: name,
          containers: [{ name: "c", image: "i" }],
          volumes: [
            { name: "s", secret: { secretName: `of-${name}` } },
            { name: "m", configMap: { name: `of-${name}` } },
            { name: "d", persistentVolumeClaim: { claimName: `claim-${name}` } },
          ],
        },
      });
      assert.equal(pod.status, 201, pod.text);
    }
    const paths = (name: string) => [
      `${DEFAULT}/secrets/of-${name}`,
      `${DEFAULT}/secrets/disk-${name}`,
      `${DEFAULT}/configmaps/of-${name}`,
      `${DEFAULT}/persistentvolumeclaims/claim-${name}`,
      `/api/v1/persistentvolumes/volume-${name}`,
      `/apis/storage.k8s.io/v1/volumeattachments/attach-${name}`,
      `${DEFAULT}/pods/pod-${name}`,
      `/api/v1/nodes/${name}`,
    ];
    for (const path of paths("n1")) {
      const { status, text } = await api.ask("GET", path, undefined, { user: NODE });
      assert.equal(status, 200, text);
    }
    await refused(api, NODE, paths("n2").map((path) => ["GET", path] as const));
    await refused(api, NODE, [
      ["GET", `${DEFAULT}/secrets`],
      ["GET", "/api/v1/secrets?watch=true"],
      ["GET", "/api/v1/pods"],
      ["GET", "/api/v1/pods?fieldSelector=spec.nodeName=n2"],
      ["GET", "/api/v1/pods?fieldSelector=spec.nodeName!=n1"],
      ["GET", "/api/v1/nodes"],
      ["GET", "/api/v1/persistentvolumes"],
      ["DELETE", `${DEFAULT}/pods/pod-n2`],
      ["POST", `${DEFAULT}/pods/pod-n2/eviction`, { metadata: { name: "pod-n2" } }],
      ["POST", `${DEFAULT}/pods`, podNamed("own")],
    ]);
    await refuseMirrors(api);
    await refuseTokens(api);
    await refuseNodeChanges(api);
  }));

async function refuseMirrors(api: FakeApi): Promise<void> {
  const uid = (await api.ask("GET", "/api/v1/nodes/n1")).json.metadata.uid;
  const mirror = (spec: object, owner: object = {}) => ({
    metadata: {
      name: "mirror-n1",
      annotations: { "kubernetes.io/config.mirror": "x" },
      ownerReferences: [
        { apiVersion: "v1", kind: "Node", name: "n1", uid, controller: true, ...owner },
      ],
    },
    spec: { nodeName: "n1", containers: [{ name: "c", image: "i" }], ...spec },
  });
  const volume = (source: object) => mirror({ volumes: [{ name: "v", ...source }] });
  const env = (from: object) => mirror({ containers: [{ name: "c", image: "i", ...from }] });
  await refused(
    api,
    NODE,
    [
      volume({ secret: { secretName: "of-n2" } }),
      volume({ configMap: { name: "of-n2" } }),
      volume({ projected: { sources: [{ secret: { name: "of-n2" } }] } }),
      volume({ projected: { sources: [{ serviceAccountToken: { path: "t" } }] } }),
      volume({ persistentVolumeClaim: { claimName: "claim-n2" } }),
      env({ envFrom: [{ secretRef: { name: "of-n2" } }] }),
      env({ env: [{ name: "E", valueFrom: { secretKeyRef: { name: "of-n2", key: "k" } } }] }),
      mirror({ imagePullSecrets: [{ name: "of-n2" }] }),
      mirror({ serviceAccountName: "default" }),
      mirror({ nodeName: "n2" }),
      mirror({}, { uid: "other" }),
      mirror({}, { name: "n2" }),
      mirror({}, { controller: false }),
      mirror({}, { blockOwnerDeletion: true }),
    ].map((pod) => ["POST", `${DEFAULT}/pods`, pod] as const),
  );
  const made = await api.ask("POST", `${DEFAULT}/pods`, mirror({}), { user: NODE });
  assert.equal(made.status, 201, made.text);
}

async function refuseTokens(api: FakeApi): Promise<void> {
  const path = `${DEFAULT}/serviceaccounts/default/token`;
  const pod = async (name: string) =>
    (await api.ask("GET", `${DEFAULT}/pods/${name}`)).json.metadata.uid;
  const bound = (name: string, uid: string, more: object = {}) => ({
    spec: { boundObjectRef: { apiVersion: "v1", kind: "Pod", name, uid }, ...more },
  });
  const own = await pod("pod-n1");
  await refused(api, NODE, [
    ["POST", path, { spec: {} }],
    ["POST", path, { spec: { boundObjectRef: { apiVersion: "v1", kind: "Node", name: "n1" } } }],
    ["POST", path, bound("pod-n1", "")],
    ["POST", path, bound("pod-n1", "other")],
    ["POST", path, bound("pod-n2", await pod("pod-n2"))],
    ["POST", path, bound("pod-n1", own, { audiences: ["vault"] })],
    ["POST", path, bound("pod-n1", own, { audiences: ["a", "b"] })],
    ["POST", "/api/v1/namespaces/kube-system/serviceaccounts/default/token", bound("pod-n1", own)],
  ]);
}

async function refuseNodeChanges(api: FakeApi): Promise<void> {
  const merge = "application/merge-patch+json";
  const labels = (name: string) => ({ metadata: { labels: { [name]: "x" } } });
  await refused(api, NODE, [
    ["PATCH", "/api/v1/nodes/n1", labels("node-restriction.kubernetes.io/tier"), merge],
    ["PATCH", "/api/v1/nodes/n1", labels("node-role.kubernetes.io/control-plane"), merge],
    [
      "PATCH",
      "/api/v1/nodes/n1",
      { spec: { taints: [{ key: "a", effect: "NoSchedule" }] } },
      merge,
    ],
    ["PATCH", "/api/v1/nodes/n2", labels("mine"), merge],
    ["PATCH", "/api/v1/nodes/n2/status", { status: { phase: "x" } }, merge],
    ["PATCH", `${DEFAULT}/pods/pod-n2/status`, { status: { phase: "Failed" } }, merge],
    [
      "POST",
      "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases",
      { metadata: { name: "n2" } },
    ],
    ["POST", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases", {
      metadata: { name: "n1" },
    }],
    ["POST", "/apis/storage.k8s.io/v1/csinodes", {
      metadata: { name: "n2" },
      spec: { drivers: [] },
    }],
    ["POST", CSRS, {
      metadata: { name: "other" },
      spec: {
        request: await signingRequest("system:node:n2", "system:nodes"),
        signerName: "kubernetes.io/kube-apiserver-client-kubelet",
        usages: ["client auth"],
      },
    }],
  ]);
  const fine = await api.ask("PATCH", "/api/v1/nodes/n1", labels("kubernetes.io/os"), {
    user: NODE,
    headers: { "content-type": merge },
  });
  assert.equal(fine.status, 200, fine.text);
  // A status carries no labels: what stands there is left aside.
  for (const path of ["/api/v1/nodes/n1/status", `${DEFAULT}/pods/pod-n1/status`]) {
    const headers = { "content-type": merge };
    const changed = await api.ask("PATCH", path, labels("x.k8s.io/y"), { user: NODE, headers });
    assert.equal(changed.json.metadata?.labels?.["x.k8s.io/y"], undefined, changed.text);
  }
}

Deno.test("reviews are asked as documented, and tell of nobody else", () =>
  withApi(async (api) => {
    const path = (kind: string) => `/apis/authorization.k8s.io/v1/${kind}`;
    const pods = { verb: "list", resource: "pods", namespace: "default" };
    const own = await api.ask("POST", path("selfsubjectaccessreviews"), {
      spec: { resourceAttributes: pods },
    }, { user: EVE });
    assert.deepEqual(own.json.status, { allowed: false });
    await refused(api, EVE, [
      ["POST", path("subjectaccessreviews"), { spec: { user: "bob", resourceAttributes: pods } }],
      ["POST", `${path("namespaces/default/localsubjectaccessreviews")}`, {
        spec: { user: "bob", resourceAttributes: pods },
      }],
    ]);
    const bad: [string, object, number][] = [
      ["selfsubjectaccessreviews", {}, 422],
      ["selfsubjectaccessreviews", {
        resourceAttributes: pods,
        nonResourceAttributes: { path: "/", verb: "get" },
      }, 422],
      ["subjectaccessreviews", { resourceAttributes: pods }, 422],
      [
        "namespaces/other/localsubjectaccessreviews",
        { user: "bob", resourceAttributes: pods },
        422,
      ],
      ["selfsubjectrulesreviews", {}, 400],
    ];
    for (const [kind, spec, status] of bad) {
      const answer = await api.ask("POST", path(kind), { spec });
      assert.equal(answer.status, status, answer.text);
    }
    // A list of one node's pods is a different question from a list of all pods.
    const selector = { requirements: [{ key: "spec.nodeName", operator: "In", values: ["n1"] }] };
    const asNode = async (fieldSelector?: object) => {
      const attributes = {
        verb: "list",
        resource: "pods",
        ...(fieldSelector && { fieldSelector }),
      };
      const spec = { user: NODE.name, groups: NODE.groups, resourceAttributes: attributes };
      return (await api.ask("POST", path("subjectaccessreviews"), { spec })).json.status.allowed;
    };
    assert.equal(await asNode(), false);
    assert.equal(await asNode(selector), true);
  }));
