/** The small plugins, each by what it is documented to do, through requests of a client. */
import assert from "node:assert/strict";
import { type Answer, apiTest, type FakeApi, podNamed } from "../../../tests/fakes/api_server.ts";

const CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims";
const CLASSES = "/apis/storage.k8s.io/v1/storageclasses";
const PODS = "/api/v1/namespaces/default/pods";
const NODES = "/api/v1/nodes";
const REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests";

async function made(api: FakeApi, url: string, body: unknown): Promise<Answer["json"]> {
  const { status, json, text } = await api.ask("POST", url, body);
  assert.equal(status, 201, text);
  return json;
}

function refused({ status, json, text }: Answer, expected: string): void {
  assert.equal(status, 403, text);
  assert.ok(json.message.endsWith(`is forbidden: ${expected}`), json.message);
}

const storageClass = (name: string, more: object = {}) => ({
  metadata: { name, annotations: { "storageclass.kubernetes.io/is-default-class": "true" } },
  provisioner: "example.com/disk",
  ...more,
});
const claim = (name: string, spec: object = {}) => ({
  metadata: { name },
  spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } }, ...spec },
});

apiTest("claims get the newest default class, unless they say otherwise", async (api) => {
  assert.equal((await made(api, CLAIMS, claim("early"))).spec.storageClassName, undefined);
  await made(api, CLASSES, storageClass("old"));
  api.clock.advance(5000);
  await made(api, CLASSES, storageClass("b"));
  await made(api, CLASSES, storageClass("a"));
  assert.equal((await made(api, CLAIMS, claim("c"))).spec.storageClassName, "a");
  const none = await made(api, CLAIMS, claim("none", { storageClassName: "" }));
  assert.equal(none.spec.storageClassName, "");
  assert.deepEqual(none.metadata.finalizers, ["kubernetes.io/pvc-protection"]);
});

apiTest("ingresses get the default class", async (api) => {
  const annotations = { "ingressclass.kubernetes.io/is-default-class": "true" };
  await made(api, "/apis/networking.k8s.io/v1/ingressclasses", {
    metadata: { name: "edge", annotations },
    spec: { controller: "example.com/edge" },
  });
  const url = "/apis/networking.k8s.io/v1/namespaces/default/ingresses";
  const spec = { defaultBackend: { service: { name: "s", port: { number: 80 } } } };
  const open = await made(api, url, { metadata: { name: "open" }, spec });
  assert.equal(open.spec.ingressClassName, "edge");
  const old = { "kubernetes.io/ingress.class": "other" };
  const named = await made(api, url, { metadata: { name: "old", annotations: old }, spec });
  assert.equal(named.spec.ingressClassName, undefined);
});

apiTest("a claim grows where its class allows it and it is bound", async (api) => {
  await made(api, CLASSES, storageClass("grows", { allowVolumeExpansion: true }));
  await made(api, CLASSES, storageClass("stays"));
  const grow = (name: string) =>
    api.ask(
      "PATCH",
      `${CLAIMS}/${name}`,
      { spec: { resources: { requests: { storage: "2Gi" } } } },
      {
        headers: { "content-type": "application/merge-patch+json" },
      },
    );
  const bind = (name: string) =>
    api.ask("PATCH", `${CLAIMS}/${name}/status`, { status: { phase: "Bound" } }, {
      headers: { "content-type": "application/merge-patch+json" },
    });
  for (const [name, storageClassName] of [["a", "grows"], ["b", "stays"]]) {
    await made(api, CLAIMS, claim(name, { storageClassName, volumeName: "v" }));
  }
  await bind("a");
  await bind("b");
  assert.equal((await grow("a")).status, 200);
  refused(
    await grow("b"),
    "only dynamically provisioned pvc can be resized and the storageclass that provisions the " +
      "pvc must support resize",
  );
});

apiTest("nodes begin tainted; pods carry the zone of their node", async (api) => {
  const labels = {
    "topology.kubernetes.io/zone": "z1",
    "topology.kubernetes.io/region": "r1",
    "kubernetes.io/hostname": "n",
  };
  const node = await made(api, NODES, { metadata: { name: "n", labels } });
  assert.deepEqual(node.spec.taints, [{
    key: "node.kubernetes.io/not-ready",
    effect: "NoSchedule",
  }]);
  const copied = { "topology.kubernetes.io/zone": "z1", "topology.kubernetes.io/region": "r1" };
  await made(api, PODS, podNamed("later", { app: "x" }));
  const binding = { metadata: { name: "later" }, target: { kind: "Node", name: "n" } };
  await made(api, `${PODS}/later/binding`, binding);
  const bound = (await api.ask("GET", `${PODS}/later`)).json;
  assert.deepEqual(bound.metadata.labels, { app: "x", ...copied });
  const direct = { ...podNamed("direct"), spec: { ...podNamed("direct").spec, nodeName: "n" } };
  assert.deepEqual((await made(api, PODS, direct)).metadata.labels, copied);
});

apiTest("a runtime class brings overhead, selector and tolerations", async (api) => {
  const wanted = { key: "vm", operator: "Exists", effect: "NoSchedule" };
  await made(api, "/apis/node.k8s.io/v1/runtimeclasses", {
    metadata: { name: "vm" },
    handler: "vm",
    overhead: { podFixed: { memory: "64Mi" } },
    scheduling: { nodeSelector: { vm: "yes" }, tolerations: [wanted] },
  });
  const pod = (name: string, more: object) => ({
    ...podNamed(name),
    spec: { ...podNamed(name).spec, ...more },
  });
  const { spec } = await made(api, PODS, pod("a", { runtimeClassName: "vm" }));
  assert.deepEqual(spec.overhead, { memory: "64Mi" });
  assert.deepEqual(spec.nodeSelector, { vm: "yes" });
  assert.deepEqual(spec.tolerations.filter((item: { key: string }) => item.key === "vm"), [wanted]);
  const cases: readonly [object, string][] = [
    [{ runtimeClassName: "nope" }, 'pod rejected: RuntimeClass "nope" not found'],
    [
      { runtimeClassName: "vm", overhead: { memory: "1Mi" } },
      "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
    ],
    [
      { overhead: { memory: "1Mi" } },
      "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
    ],
    [
      { runtimeClassName: "vm", nodeSelector: { vm: "no" } },
      "conflict: runtimeClass.scheduling.nodeSelector[vm] = yes; pod.spec.nodeSelector[vm] = no",
    ],
  ];
  for (const [more, expected] of cases) {
    refused(await api.ask("POST", PODS, pod("b", more)), expected);
  }
});

apiTest("a pod is not resized beyond its node", async (api) => {
  await made(api, NODES, {
    metadata: { name: "n" },
    status: { allocatable: { cpu: "2", memory: "1Gi" } },
  });
  const base = podNamed("p");
  const resources = { requests: { cpu: "1" } };
  const containers = [{ ...base.spec.containers[0], resources }];
  await made(api, PODS, { ...base, spec: { ...base.spec, nodeName: "n", containers } });
  const resize = (cpu: string) =>
    api.ask("PATCH", `${PODS}/p/resize`, {
      spec: { containers: [{ name: "c", resources: { requests: { cpu } } }] },
    }, { headers: { "content-type": "application/strategic-merge-patch+json" } });
  refused(
    await resize("3"),
    "node didn't have enough allocatable resources: cpu, requested: 3000, allocatable: 2000",
  );
  const fits = await resize("2");
  assert.equal(fits.status, 200, fits.text);
});

apiTest("signing requests: who approves, who signs, who may be asked for", async (api) => {
  const signerName = "example.com/signer";
  const sent = {
    metadata: { name: "r" },
    spec: {
      request: btoa(
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
      ),
      signerName,
      usages: ["client auth"],
    },
  };
  await made(api, REQUESTS, sent);
  await made(api, "/apis/rbac.authorization.k8s.io/v1/clusterroles", {
    metadata: { name: "approver" },
    rules: [{
      apiGroups: ["certificates.k8s.io"],
      resources: ["certificatesigningrequests/approval", "certificatesigningrequests/status"],
      verbs: ["update", "patch"],
    }],
  });
  await made(api, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
    metadata: { name: "approver" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "approver" },
    subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "ann" }],
  });
  const user = { name: "ann", groups: ["system:authenticated"] };
  const patch = (part: string, status: object) =>
    api.ask("PATCH", `${REQUESTS}/r/${part}`, { status }, {
      headers: { "content-type": "application/merge-patch+json" },
      user,
    });
  const conditions = [{ type: "Approved", status: "True", reason: "R", message: "m" }];
  refused(
    await patch("approval", { conditions }),
    'user not permitted to approve requests with signerName "example.com/signer"',
  );
  refused(
    await patch("status", { conditions: [{ ...conditions[0], type: "Failed" }] }),
    'user not permitted to sign requests with signerName "example.com/signer"',
  );
  await made(api, "/apis/rbac.authorization.k8s.io/v1/clusterroles", {
    metadata: { name: "signers" },
    rules: [{
      apiGroups: ["certificates.k8s.io"],
      resources: ["signers"],
      resourceNames: ["example.com/*"],
      verbs: ["approve"],
    }],
  });
  await made(api, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
    metadata: { name: "signers" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "signers" },
    subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "ann" }],
  });
  const approved = await patch("approval", { conditions });
  assert.equal(approved.status, 200, approved.text);
});
