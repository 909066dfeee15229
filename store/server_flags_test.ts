/**
 * The command line.
 * In: arguments and variables. Out: settings, or every problem at once.
 * Never: starts a server.
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import { withDefaults } from "./member/config.ts";
import { formatHelp, parseFlags } from "./server_flags.ts";

function settingsOf(args: readonly string[], environment: Record<string, string> = {}) {
  const parsed = parseFlags(args, environment);
  if (parsed.kind !== "settings") throw new Error(JSON.stringify(parsed));
  return parsed.settings;
}

Deno.test("without flags a member alone listens where etcd does", () => {
  const { store, listenClientUrls, clientTls } = settingsOf([]);
  equal(store.dataDirectory, "default.etcd");
  deepEqual(listenClientUrls, ["http://localhost:2379"]);
  deepEqual(store.initialCluster, [{ name: "default", peerUrls: ["http://localhost:2380"] }]);
  equal(clientTls, null);
  equal(withDefaults(store).quotaBytes, 2 * 1024 ** 3);
});

Deno.test("a flag may carry its value either way, and wins over its variable", () => {
  const environment = { ETCD_NAME: "env", ETCD_DATA_DIR: "/env", ETCD_SNAPSHOT_COUNT: "7" };
  const { store } = settingsOf(["--name", "x", "-data-dir=/y"], environment);
  deepEqual([store.name, store.dataDirectory, store.snapshotCount], ["x", "/y", 7]);
});

Deno.test("a member of the initial cluster may have several URLs", () => {
  const { store } = settingsOf(["--initial-cluster", "a=http://x:1,b=http://y:1,a=http://z:1"]);
  deepEqual(store.initialCluster, [
    { name: "a", peerUrls: ["http://x:1", "http://z:1"] },
    { name: "b", peerUrls: ["http://y:1"] },
  ]);
});

Deno.test("certificates: a bare boolean flag, and files that need each other", () => {
  const args = ["--client-cert-auth", "--cert-file=c", "--key-file=k", "--trusted-ca-file=t"];
  deepEqual(settingsOf(args).clientTls, {
    certFile: "c",
    keyFile: "k",
    trustedCaFile: "t",
    clientCertAuth: true,
  });
  const parsed = parseFlags(["--cert-file=c", "--peer-client-cert-auth=true"], {});
  equal(parsed.kind === "problems" && parsed.problems.length, 2);
});

Deno.test("retention counts hours, durations, or revisions by mode", () => {
  const retention = (...args: string[]) => settingsOf(args).store.autoCompactionRetention;
  equal(retention("--auto-compaction-retention=2"), 7_200_000);
  equal(retention("--auto-compaction-retention=30m"), 1_800_000);
  equal(
    retention("--auto-compaction-mode=revision", "--auto-compaction-retention=1000"),
    1000,
  );
});

Deno.test("every problem is named at once", () => {
  const parsed = parseFlags(
    ["--no-such-flag=1", "stray", "--snapshot-count=x", "--log-level=loud", "--name"],
    {},
  );
  ok(parsed.kind === "problems");
  for (const part of ["no-such-flag", "stray", "snapshot-count", "log-level", "--name needs"]) {
    ok(parsed.problems.some((problem) => problem.includes(part)), part);
  }
});

Deno.test("help names every flag", () => {
  equal(parseFlags(["--help"], {}).kind, "help");
  ok(formatHelp().includes("--quota-backend-bytes"));
});
