/** Flags of the components that run apart. */
import assert from "node:assert/strict";
import { validateApiServerFlags } from "./apiserver_flags.ts";
import { electionOf } from "./client/election/election_config.ts";
import { validateComponentFlags } from "./component_flags.ts";
import { isProblemList } from "./flag_shapes.ts";

function flagsOf(value: object): string[] {
  assert(isProblemList(value), JSON.stringify(value));
  return value.map(({ flag }) => flag);
}

Deno.test("flags of components: defaults, and every problem by the flag's name", () => {
  assert.deepEqual(validateComponentFlags({}), {
    kubeconfig: null,
    election: {
      leaderElect: undefined,
      durationSeconds: undefined,
      renewSeconds: undefined,
      retrySeconds: undefined,
      namespace: undefined,
      name: undefined,
    },
    serving: {
      securePort: null,
      bindAddress: "0.0.0.0",
      tlsCertFile: null,
      tlsKeyFile: null,
      clientCaFile: null,
    },
    schedulerConfig: null,
  });
  const half = validateComponentFlags({ tlsCertFile: "tls.crt" });
  assert.deepEqual(flagsOf(half), ["--tls-cert-file"]);
  for (const flag of ["schedulerConfig", "config"]) {
    const config = validateComponentFlags({ [flag]: "profiles.yaml" });
    assert.equal(!isProblemList(config) && config.schedulerConfig, "profiles.yaml");
  }
  const wrong = validateComponentFlags({
    kubeconfig: "",
    leaderElect: "maybe",
    leaderElectLeaseDuration: "1",
  });
  const expected = ["--kubeconfig", "--leader-elect", "--leader-elect-lease-duration"];
  assert.deepEqual(flagsOf(wrong), expected);
});

Deno.test("flags of the lease: times in upstream's form, each shorter than the one before", () => {
  const config = validateComponentFlags({
    leaderElectLeaseDuration: "1m",
    leaderElectRenewDeadline: "30s",
    leaderElectRetryPeriod: "1500ms",
    leaderElectResourceName: "mine",
    leaderElectResourceNamespace: "team",
  });
  assert(!isProblemList(config), JSON.stringify(config));
  assert.deepEqual(electionOf(config.election), {
    leaderElect: true,
    durationSeconds: 60,
    renewSeconds: 30,
    retrySeconds: 1.5,
    namespace: "team",
    name: "mine",
  });
  const cases: readonly [Readonly<Record<string, string>>, string][] = [
    [{ leaderElectLeaseDuration: "soon" }, "--leader-elect-lease-duration"],
    [{ leaderElectRenewDeadline: "15s" }, "--leader-elect-renew-deadline"],
    [{ leaderElectRetryPeriod: "9s" }, "--leader-elect-retry-period"],
    [{ leaderElectRetryPeriod: "0s" }, "--leader-elect-retry-period"],
  ];
  for (const [raw, flag] of cases) assert.deepEqual(flagsOf(validateComponentFlags(raw)), [flag]);
  // A file may make the lease long enough.
  const open = { leaderElectRenewDeadline: "15s", config: "scheduler.yaml" };
  assert(!isProblemList(validateComponentFlags(open)));
});

Deno.test("flags of an API server apart: a store is needed, and a key with its certificate", () => {
  assert.deepEqual(flagsOf(validateApiServerFlags({})), ["--datastore-endpoint"]);
  const datastoreEndpoint = "http://127.0.0.1:2379,http://127.0.0.1:22379";
  const config = validateApiServerFlags({ datastoreEndpoint, tlsSan: "lb.example, 10.0.0.1" });
  assert(!isProblemList(config), JSON.stringify(config));
  assert.deepEqual(config.datastoreEndpoints, datastoreEndpoint.split(","));
  assert.deepEqual(config.serverNames, ["lb.example", "10.0.0.1"]);
  const lone = validateApiServerFlags({ datastoreEndpoint, datastoreCertfile: "a.crt" });
  assert.deepEqual(flagsOf(lone), ["--datastore-certfile"]);
  const bad = validateApiServerFlags({ datastoreEndpoint: "ftp://x", port: "70000" });
  assert.deepEqual(flagsOf(bad), ["--datastore-endpoint", "--port"]);
});
