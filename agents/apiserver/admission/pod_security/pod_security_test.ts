/** The Pod Security Standards as a table: what each level forbids, in upstream's words. */
import assert from "node:assert/strict";
import { startFakeApi } from "../../../../tests/fakes/api_server.ts";
import { describeViolations, type Level, POD_CHECKS, violations } from "./checks.ts";

const latest = (level: Level) => ({ level, minor: Infinity });
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
    "restricted",
    { ...one({ procMount: "Unmasked" }), hostUsers: false },
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
    assert.equal(describeViolations(violations(latest(level), {}, spec)), words);
    assert.deepEqual(violations(latest(BELOW[level]), {}, spec), []);
  });
}

Deno.test("pod security: a safe pod passes everything; every check has a case", () => {
  assert.deepEqual(violations(latest("restricted"), {}, SAFE), []);
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

/** What only some versions of the standards forbid: since, level, spec; or until. */
const VERSIONS: readonly [number, Level, object, number?][] = [
  [34, "baseline", one({}, { livenessProbe: { httpGet: { host: "h" } } })],
  [22, "restricted", one({ capabilities: {} })],
  [23, "restricted", one({ runAsUser: 0 })],
  [0, "restricted", { ...one({ runAsNonRoot: false }), hostUsers: false }, 35],
  [0, "restricted", { ...one({ allowPrivilegeEscalation: true }), os: { name: "windows" } }, 25],
  [0, "baseline", { ...SAFE, securityContext: { sysctls: [{ name: "net.ipv4.tcp_rmem" }] } }, 32],
  [0, "baseline", one({ seLinuxOptions: { type: "container_engine_t" } }), 31],
];

Deno.test("pod security: versions of the standards are told apart", () => {
  for (const [since, level, spec, until] of VERSIONS) {
    for (const minor of [18, 22, 23, 24, 25, 31, 32, 34, 35, Infinity]) {
      const expected = minor >= since && (until === undefined || minor < until);
      const found = violations({ level, minor }, {}, spec).length > 0;
      assert.equal(found, expected, `${level} ${minor} ${JSON.stringify(spec)}`);
    }
  }
});

Deno.test("pod security: warnings, audit annotations, exemptions", async () => {
  const lax = { level: "privileged" as const, minor: Infinity };
  const api = await startFakeApi({
    podSecurity: {
      defaults: { enforce: lax, audit: lax, warn: lax },
      exempt: { usernames: ["trusted"], runtimeClasses: [], namespaces: ["free"] },
    },
  });
  const label = (mode: string) => `pod-security.kubernetes.io/${mode}`;
  const warnings = ({ response }: { response: { headers: readonly string[] } }) =>
    response.headers.filter((_, at) => response.headers[at - 1] === "warning");
  const namespace = (name: string, labels: object) =>
    api.ask("POST", "/api/v1/namespaces", { metadata: { name, labels } });
  const wrong = await namespace("wrong", { [label("enforce")]: "none" });
  assert.equal(wrong.status, 422, wrong.text);
  assert.match(
    wrong.json.message,
    /metadata.labels\[pod-security.kubernetes.io\/enforce\]: Invalid/,
  );
  await namespace("soft", { [label("warn")]: "baseline", [label("warn-version")]: "v1.25" });
  const spec = { hostPID: true, containers: [{ name: "c", image: "i" }] };
  const said =
    '299 - "would violate PodSecurity \\"baseline:v1.25\\": host namespaces (hostPID=true)"';
  await api.ask("POST", "/api/v1/namespaces/soft/serviceaccounts", {
    metadata: { name: "default" },
  });
  const pod = await api.ask("POST", "/api/v1/namespaces/soft/pods", {
    metadata: { name: "p" },
    spec,
  });
  assert.equal(pod.status, 201, pod.text);
  assert.deepEqual(warnings(pod), [said]);
  const deployment = {
    metadata: { name: "d" },
    spec: {
      selector: { matchLabels: { a: "b" } },
      template: { metadata: { labels: { a: "b" } }, spec },
    },
  };
  const made = await api.ask("POST", "/apis/apps/v1/namespaces/soft/deployments", deployment);
  assert.deepEqual(warnings(made), [said]);
  const quiet = await api.ask("POST", "/apis/apps/v1/namespaces/soft/deployments", {
    ...deployment,
    metadata: { name: "e" },
  }, { user: { name: "trusted", groups: ["system:masters"] } });
  assert.deepEqual(warnings(quiet), []);
  const stricter = await api.ask("PATCH", "/api/v1/namespaces/soft", {
    metadata: { labels: { [label("enforce")]: "baseline" } },
  }, { headers: { "content-type": "application/merge-patch+json" } });
  assert.deepEqual(warnings(stricter), [
    '299 - "existing pods in namespace \\"soft\\" violate the new PodSecurity enforce level ' +
    '\\"baseline:latest\\""',
    '299 - "p: host namespaces"',
  ]);
  const free = await namespace("free", { [label("enforce")]: "restricted" });
  assert.deepEqual(warnings(free), [
    '299 - "namespace \\"free\\" is exempt from Pod Security, and the policy ' +
    '(enforce=restricted:latest) will be ignored"',
  ]);
  await api.close();
});
