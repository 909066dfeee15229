/** The Pod Security Standards as a table: what each level forbids, in upstream's words. */
import assert from "node:assert/strict";
import { startFakeApi } from "../../../../tests/fakes/api_server.ts";
import { describeViolations, type Level, POD_CHECKS, violations } from "./checks.ts";

const SAFE = {
  securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
  containers: [{
    name: "c",
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
  }],
};
const one = (securityContext: object, more: object = {}) => ({
  ...SAFE,
  containers: [{
    name: "c",
    securityContext: { ...SAFE.containers[0].securityContext, ...securityContext },
    ...more,
  }],
});

/** level, spec, what is said; each passes the level below. */
const CASES: [Level, object, string][] = [
  [
    "baseline",
    { ...SAFE, hostNetwork: true, hostPID: true },
    "host namespaces (hostNetwork=true, hostPID=true)",
  ],
  [
    "baseline",
    one({ privileged: true }),
    'privileged (container "c" must not set securityContext.privileged=true)',
  ],
  [
    "baseline",
    one({ capabilities: { drop: ["ALL"], add: ["SYS_ADMIN", "CHOWN"] } }),
    'non-default capabilities (container "c" must not include "SYS_ADMIN" in securityContext.capabilities.add)',
  ],
  [
    "baseline",
    { ...SAFE, volumes: [{ name: "v", hostPath: { path: "/" } }] },
    'hostPath volumes (volume "v")',
  ],
  [
    "baseline",
    one({}, { ports: [{ hostPort: 80 }, { hostPort: 81 }] }),
    'hostPort (container "c" uses hostPorts 80, 81)',
  ],
  [
    "baseline",
    one({ procMount: "Unmasked" }),
    'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
  ],
  [
    "baseline",
    one({ seLinuxOptions: { type: "x", user: "u" } }),
    'seLinuxOptions (container "c" set forbidden securityContext.seLinuxOptions: type "x"; user may not be set)',
  ],
  [
    "baseline",
    one({ seccompProfile: { type: "Unconfined" } }),
    'seccompProfile (container "c" must not set securityContext.seccompProfile.type to "Unconfined")',
  ],
  [
    "baseline",
    one({ appArmorProfile: { type: "Unconfined" } }),
    'forbidden AppArmor profile (container "c" must not set AppArmor profile type to "Unconfined")',
  ],
  [
    "baseline",
    { ...SAFE, securityContext: { ...SAFE.securityContext, sysctls: [{ name: "kernel.msgmax" }] } },
    "forbidden sysctls (kernel.msgmax)",
  ],
  [
    "baseline",
    {
      ...SAFE,
      securityContext: { ...SAFE.securityContext, windowsOptions: { hostProcess: true } },
    },
    "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)",
  ],
  [
    "baseline",
    one({}, { livenessProbe: { httpGet: { host: "10.0.0.1" } } }),
    'probe or lifecycle host (container "c" uses probe or lifecycle host "10.0.0.1")',
  ],
  [
    "restricted",
    one({ allowPrivilegeEscalation: undefined }),
    'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false)',
  ],
  [
    "restricted",
    one({ capabilities: { add: ["CHOWN"] } }),
    'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]; container "c" must not include "CHOWN" in securityContext.capabilities.add)',
  ],
  [
    "restricted",
    { ...SAFE, volumes: [{ name: "v", nfs: {} }] },
    'restricted volume types (volume "v" uses restricted volume type "nfs")',
  ],
  [
    "restricted",
    { ...SAFE, securityContext: { seccompProfile: { type: "RuntimeDefault" } } },
    'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true)',
  ],
  ["restricted", one({ runAsUser: 0 }), 'runAsUser=0 (container "c" must not set runAsUser=0)'],
  [
    "restricted",
    { ...SAFE, securityContext: { runAsNonRoot: true } },
    'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
  ],
];

const BELOW: Record<string, Level> = { baseline: "privileged", restricted: "baseline" };

for (const [level, spec, words] of CASES) {
  Deno.test(`pod security ${level}: ${words}`, () => {
    assert.equal(describeViolations(violations(level, {}, spec)), words);
    assert.deepEqual(violations(BELOW[level], {}, spec), []);
  });
}

Deno.test("pod security: a safe pod passes everything; every check has a case", () => {
  assert.deepEqual(violations("restricted", {}, SAFE), []);
  assert.equal(CASES.length, POD_CHECKS.length);
});

Deno.test("pod security: a namespace's label is enforced", async () => {
  const api = await startFakeApi();
  try {
    const labels = { "pod-security.kubernetes.io/enforce": "baseline" };
    await api.ask("POST", "/api/v1/namespaces", {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "strict", labels },
    });
    await api.ask("POST", "/api/v1/namespaces/strict/serviceaccounts", {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: "default" },
    });
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p" },
      spec: { hostNetwork: true, containers: [{ name: "c", image: "i" }] },
    };
    const refused = await api.ask("POST", "/api/v1/namespaces/strict/pods", pod);
    assert.equal(refused.status, 403);
    assert.match(
      refused.json.message,
      /pods "p" is forbidden: violates PodSecurity "baseline:latest": host namespaces \(hostNetwork=true\)/,
    );
    assert.equal(
      (await api.ask("POST", "/api/v1/namespaces/default/pods", pod)).status,
      201,
    );
  } finally {
    await api.close();
  }
});
