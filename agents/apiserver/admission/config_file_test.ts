/** The configuration file of admission: what it sets, and every problem with its place. */
import assert from "node:assert/strict";
import { parseAdmissionConfig } from "./config_file.ts";

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
  assert.deepEqual(read, {
    kind: "config",
    podSecurity: {
      defaults: {
        enforce: { level: "baseline", minor: 25 },
        audit: latest("privileged"),
        warn: latest("privileged"),
      },
      exempt: { namespaces: ["kube-system"], usernames: ["ann"], runtimeClasses: [] },
    },
  });
  assert.deepEqual(parseAdmissionConfig(HEAD), { kind: "config", podSecurity: null });
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
    problemsOf(`${HEAD}plugins: [{name: EventRateLimit, configuration: {}}]`),
    /plugins\[0\].name: takes no configuration; only PodSecurity does/,
  );
});
