/** Flags to configuration: defaults, every problem at once, each naming its flag. */
import assert from "node:assert/strict";
import { type UpConfig, validateUpConfig } from "./config.ts";
import type { RawFlags } from "./flag_shapes.ts";

/** All but what `security_flags_test.ts` looks at. */
function configOf(raw: RawFlags): Omit<UpConfig, "security"> {
  const { security: _security, ...rest } = validateUpConfig(raw) as UpConfig;
  return rest;
}

Deno.test("no flags give the defaults", () => {
  assert.deepEqual(configOf({}), {
    dataDir: ".balsa",
    bind: "127.0.0.1",
    port: 6443,
    kubeconfig: ".balsa/kubeconfig",
    hollowNodes: null,
    cri: { kind: "auto" },
    etcdPort: null,
    datastoreEndpoints: [],
    tokenAuthFile: null,
    schedulerConfig: null,
    enabledAdmission: [],
    disabledAdmission: [],
  });
});

Deno.test("every flag is taken", () => {
  const config = configOf({
    dataDir: "/var/lib/balsa/",
    bind: "::1",
    port: "0",
    kubeconfig: "/tmp/k",
    hollowNodes: "5000",
    cri: "unix:///run/crio/crio.sock",
    etcdPort: "2379",
    schedulerConfig: "/etc/scheduler.yaml",
  });
  assert.deepEqual(config, {
    dataDir: "/var/lib/balsa/",
    bind: "::1",
    port: 0,
    kubeconfig: "/tmp/k",
    hollowNodes: 5000,
    cri: { kind: "socket", path: "/run/crio/crio.sock" },
    etcdPort: 2379,
    datastoreEndpoints: [],
    tokenAuthFile: null,
    schedulerConfig: "/etc/scheduler.yaml",
    enabledAdmission: [],
    disabledAdmission: [],
  });
});

Deno.test("all problems are told at once, each with its flag", () => {
  const problems = validateUpConfig({
    port: "70000",
    bind: "example",
    hollowNodes: "-1",
    cri: "docker",
    datastoreEndpoint: "localhost:2379",
  });
  assert(Array.isArray(problems));
  assert.deepEqual(problems.map((problem) => problem.flag).sort(), [
    "--bind",
    "--cri",
    "--datastore-endpoint",
    "--hollow-nodes",
    "--port",
  ]);
  for (const problem of problems) assert.match(problem.message, /^".+" \S/);
});

Deno.test("an own etcd port and a foreign datastore exclude each other", () => {
  const problems = validateUpConfig({ etcdPort: "2379", datastoreEndpoint: "http://127.0.0.1:1" });
  assert(Array.isArray(problems));
  assert.equal(problems[0].flag, "--etcd-port");
});
