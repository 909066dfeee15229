/** Plugins that have to be asked for: off they do nothing, on what they are documented to do. */
import assert from "node:assert/strict";
import {
  type Answer,
  type FakeApi,
  podNamed,
  startFakeApi,
} from "../../../../tests/fakes/api_server.ts";

const PODS = "/api/v1/namespaces/default/pods";

/** Runs a test without the plugin, then with it. */
function switched(name: string, run: (api: FakeApi, isOn: boolean) => Promise<void>): void {
  Deno.test(name, async () => {
    for (const isOn of [false, true]) {
      const api = await startFakeApi({ enabledAdmission: isOn ? [name] : [] });
      await run(api, isOn);
      await api.close();
    }
  });
}

const pod = (name: string, more: object) => ({
  ...podNamed(name),
  spec: { ...podNamed(name).spec, ...more },
});

function refusedIf(isOn: boolean, { status, json, text }: Answer, expected: string): void {
  assert.equal(status, isOn ? 403 : 201, text);
  if (isOn) assert.ok(json.message.endsWith(`is forbidden: ${expected}`), json.message);
}

switched("AlwaysPullImages", async (api, isOn) => {
  const containers = [{ name: "c", image: "i", imagePullPolicy: "Never" }];
  const { json } = await api.ask("POST", PODS, pod("p", { containers }));
  assert.equal(json.spec.containers[0].imagePullPolicy, isOn ? "Always" : "Never");
});

switched("DenyServiceExternalIPs", async (api, isOn) => {
  const made = await api.ask("POST", "/api/v1/namespaces/default/services", {
    metadata: { name: "s" },
    spec: { ports: [{ port: 1 }], externalIPs: ["1.2.3.4"] },
  });
  refusedIf(isOn, made, "Use of external IPs is denied by admission control");
});

switched("LimitPodHardAntiAffinityTopology", async (api, isOn) => {
  const term = (topologyKey: string) => ({
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [{
          topologyKey,
          labelSelector: { matchLabels: { a: "b" } },
        }],
      },
    },
  });
  const fine = await api.ask("POST", PODS, pod("a", term("kubernetes.io/hostname")));
  assert.equal(fine.status, 201, fine.text);
  refusedIf(
    isOn,
    await api.ask("POST", PODS, pod("b", term("zone"))),
    "affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey zone but only key " +
      "kubernetes.io/hostname is allowed",
  );
});

switched("ExtendedResourceToleration", async (api, isOn) => {
  const resources = { requests: { "x.io/gpu": "1" }, limits: { "x.io/gpu": "1" } };
  const containers = [{ name: "c", image: "i", resources }];
  const { json } = await api.ask("POST", PODS, pod("p", { containers }));
  const found = json.spec.tolerations.filter(({ key }: { key: string }) => key === "x.io/gpu");
  assert.equal(found.length, isOn ? 1 : 0);
});

switched("PodNodeSelector", async (api, isOn) => {
  await api.ask("PATCH", "/api/v1/namespaces/default", {
    metadata: { annotations: { "scheduler.alpha.kubernetes.io/node-selector": "pool=a, x=y" } },
  }, { headers: { "content-type": "application/merge-patch+json" } });
  const { json } = await api.ask("POST", PODS, pod("p", { nodeSelector: { z: "1" } }));
  assert.deepEqual(json.spec.nodeSelector, isOn ? { pool: "a", x: "y", z: "1" } : { z: "1" });
  refusedIf(
    isOn,
    await api.ask("POST", PODS, pod("q", { nodeSelector: { pool: "b" } })),
    "pod node label selector conflicts with its namespace node label selector",
  );
});

switched("OwnerReferencesPermissionEnforcement", async (api, isOn) => {
  const rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
  await api.ask("POST", `${rbac}/roles`, {
    metadata: { name: "maker" },
    rules: [{ apiGroups: [""], resources: ["configmaps"], verbs: ["create"] }],
  });
  await api.ask("POST", `${rbac}/rolebindings`, {
    metadata: { name: "maker" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "maker" },
    subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "ann" }],
  });
  const user = { name: "ann", groups: ["system:authenticated"] };
  const owned = (name: string, blockOwnerDeletion: boolean) => ({
    metadata: {
      name,
      ownerReferences: [{
        apiVersion: "v1",
        kind: "Secret",
        name: "s",
        uid: "u",
        blockOwnerDeletion,
      }],
    },
  });
  const url = "/api/v1/namespaces/default/configmaps";
  assert.equal((await api.ask("POST", url, owned("a", false), { user })).status, 201);
  refusedIf(
    isOn,
    await api.ask("POST", url, owned("b", true), { user }),
    "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set " +
      "finalizers on: , <nil>",
  );
});
