/** The configuration file of admission: what it sets, and every problem with its place. */
import assert from "node:assert/strict";
import { parseAdmissionConfig } from "./config_file.ts";
import { DEFAULT_ADMISSION } from "./settings.ts";

const HEAD = "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\n";
const file = (plugin: string) =>
  `${HEAD}plugins:\n- name: PodSecurity\n  configuration:
    apiVersion: pod-security.admission.config.k8s.io/v1
    kind: PodSecurityConfiguration
${plugin}`;

Deno.test("pod security's defaults and exemptions", () => {
  const latest = (level: string) => ({ level, minor: Infinity });
  const read = parseAdmissionConfig(file(`    defaults: {enforce: baseline, enforce-version: v1.25}
    exemptions: {namespaces: [kube-system], usernames: [ann]}
`));
  assert(read.kind === "config");
  assert.deepEqual(read.podSecurity, {
    defaults: {
      enforce: { level: "baseline", minor: 25 },
      audit: latest("privileged"),
      warn: latest("privileged"),
    },
    exempt: { namespaces: ["kube-system"], usernames: ["ann"], runtimeClasses: [] },
  });
  assert.deepEqual(parseAdmissionConfig(HEAD), {
    kind: "config",
    podSecurity: null,
    settings: DEFAULT_ADMISSION,
    webhookFiles: {},
  });
});

const ALL = `${HEAD}plugins:
- name: ValidatingAdmissionWebhook
  configuration:
    apiVersion: apiserver.config.k8s.io/v1
    kind: WebhookAdmissionConfiguration
    kubeConfigFile: hooks.yaml
- name: EventRateLimit
  configuration:
    apiVersion: eventratelimit.admission.k8s.io/v1alpha1
    kind: Configuration
    limits: [{type: Namespace, qps: 50, burst: 100, cacheSize: 2000}, {type: Server, qps: 1, burst: 2}]
- name: ImagePolicyWebhook
  configuration:
    imagePolicy: {kubeConfigFile: /images.yaml, allowTTL: 60, denyTTL: -1, defaultAllow: true}
- name: PodTolerationRestriction
  configuration:
    apiVersion: podtolerationrestriction.admission.k8s.io/v1alpha1
    kind: Configuration
    default: [{key: a, operator: Exists}]
    whitelist: [{operator: Exists, effect: NoSchedule}]
- name: PodNodeSelector
  configuration:
    podNodeSelectorPluginConfig: {clusterDefaultNodeSelector: "zone=a,disk=fast", default: "zone=b"}
- name: ResourceQuota
  configuration:
    apiVersion: apiserver.config.k8s.io/v1
    kind: ResourceQuotaConfiguration
    limitedResources:
    - resource: pods
      matchContains: [cpu]
      matchScopes: [{scopeName: PriorityClass, operator: In, values: [high]}]
`;

Deno.test("each plugin is told what its own part says", () => {
  const read = parseAdmissionConfig(ALL);
  assert(read.kind === "config", JSON.stringify(read));
  assert.deepEqual(read.webhookFiles, { ValidatingAdmissionWebhook: "hooks.yaml" });
  assert.deepEqual(read.settings, {
    eventLimits: [
      { type: "Namespace", qps: 50, burst: 100, cacheSize: 2000 },
      { type: "Server", qps: 1, burst: 2, cacheSize: 4096 },
    ],
    imagePolicy: {
      kubeconfigFile: "/images.yaml",
      allowTtlMillis: 60_000,
      denyTtlMillis: 0,
      retryBackoffMillis: 500,
      defaultAllow: true,
    },
    podTolerations: {
      default: [{ key: "a", operator: "Exists" }],
      whitelist: [{ operator: "Exists", effect: "NoSchedule" }],
    },
    nodeSelectors: { clusterDefaultNodeSelector: "zone=a,disk=fast", default: "zone=b" },
    limitedResources: [{
      apiGroup: "",
      resource: "pods",
      matchContains: ["cpu"],
      matchScopes: [{ scopeName: "PriorityClass", operator: "In", values: ["high"] }],
    }],
  });
  const refused: readonly (readonly [from: string, to: string, problem: RegExp])[] = [
    ["qps: 50", "qps: 0", /limits\[0\].qps: must be positive/],
    ["type: Server", "type: Cluster", /limits\[1\].type/],
    ["allowTTL: 60", "allowTTL: 1801", /allowTTL: must be -1, 0, or from 1 to 1800/],
    ["zone=b", "zone in (b)", /podNodeSelectorPluginConfig.default: must be LABEL=VALUE/],
    ["name: PodNodeSelector", "name: ResourceQuota", /plugins\[4\]/],
    ["operator: In", "operator: Near", /matchScopes\[0\].operator/],
    ["kubeConfigFile: hooks.yaml", "kubeconfig: x", /kubeConfigFile/],
  ];
  for (const [from, to, problem] of refused) {
    const wrong = parseAdmissionConfig(ALL.replace(from, to));
    assert(wrong.kind === "malformed", to);
    assert.match(wrong.problems.join("; "), problem);
  }
});

Deno.test("what can't be kept to is refused with its place", () => {
  const problemsOf = (text: string) => {
    const read = parseAdmissionConfig(text);
    return read.kind === "malformed" ? read.problems.join("\n") : "none";
  };
  assert.match(problemsOf(file("    defaults: {enforce: most}\n")), /defaults.enforce: /);
  assert.match(
    problemsOf(file("    defaults: {warn-version: v2}\n")),
    /defaults.warn-version: must be "latest" or "v1.x"/,
  );
  assert.match(
    problemsOf(file("    exemptions: {namespaces: [A, b, b]}\n")),
    /exemptions.namespaces\[0\]: .*\n?.*/,
  );
  assert.match(
    problemsOf(`${HEAD}plugins: [{name: LimitRanger, configuration: {}}]`),
    /plugins\[0\].name: takes no configuration/,
  );
});
