/**
 * Who may come in and what is kept of it, on a real cluster: sealed secrets, the audit log, tokens
 * of every kind, acting as another, those without a name.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { parse } from "yaml";
import { freePort } from "../free_port.ts";
import { Kubectl, makeDataDir, run, startCluster, type TestCluster } from "./cluster.ts";
import { requireTool, systemTest } from "./tools.ts";

const PASSWORD = "hunter2-of-the-test";
const STATIC_TOKEN = "static-token-of-the-test";

const POLICY = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  nonResourceURLs: ["/openapi*", "/api*"]
- level: Metadata
  resources: [{group: "", resources: [secrets, configmaps, "serviceaccounts/token"]},
              {group: authentication.k8s.io}]
- level: RequestResponse
`;

const ENCRYPTION = `
apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets]
  providers:
  - aesgcm: {keys: [{name: one, secret: ${btoa("k".repeat(32))}}]}
  - identity: {}
`;

/** kubectl that has nothing but a token. */
async function withToken(cluster: TestCluster, token: string, ...args: string[]) {
  const config = parse(await Deno.readTextFile(cluster.kubeconfig));
  const { server, "certificate-authority-data": ca } = config.clusters[0].cluster;
  const caFile = join(cluster.dataDir, "ca-of-test.crt");
  await Deno.writeTextFile(caFile, atob(ca));
  const empty = join(cluster.dataDir, "empty-kubeconfig");
  await Deno.writeTextFile(empty, "");
  const identity = token === "" ? [] : ["--token", token];
  return await run(requireTool("kubectl-1.36"), [
    ...["--kubeconfig", empty, "--server", server, "--certificate-authority", caFile],
    ...identity,
    ...args,
  ], { env: { HOME: join(cluster.dataDir, "home-token") } });
}

async function refusedAs(result: Promise<{ code: number; stderr: string }>, reason: RegExp) {
  const { code, stderr } = await result;
  assert.notEqual(code, 0);
  assert.match(stderr, reason);
}

systemTest("security flags do what they say", ["kubectl-1.36", "etcdctl-3.5"], async (test) => {
  const dataDir = await makeDataDir();
  const file = async (name: string, text: string) => {
    await Deno.writeTextFile(join(dataDir, name), text);
    return join(dataDir, name);
  };
  const etcdPort = freePort();
  const auditLog = join(dataDir, "audit/audit.log");
  const cluster = await startCluster({
    dataDir,
    port: freePort(),
    flags: [
      ...["--hollow-nodes", "1", "--cri", "none", "--etcd-port", String(etcdPort)],
      ...["--audit-policy-file", await file("policy.yaml", POLICY), "--audit-log-path", auditLog],
      ...["--encryption-provider-config", await file("encryption.yaml", ENCRYPTION)],
      ...["--token-auth-file", await file("tokens.csv", `${STATIC_TOKEN},carl,1,"devs"\n`)],
      ...["--anonymous-auth", "health"],
    ],
  });
  const kubectl = new Kubectl("kubectl-1.36", cluster);
  const issued: string[] = [];
  try {
    await test.step("a secret is sealed in the store", async () => {
      await kubectl.ok(`create secret generic s --from-literal=password=${PASSWORD}`);
      const read = await kubectl.ok("get secret s -o jsonpath={.data.password}");
      assert.equal(atob(read), PASSWORD);
      const raw = await run(requireTool("etcdctl-3.5"), [
        ...["--endpoints", `http://127.0.0.1:${etcdPort}`, "get", "--print-value-only"],
        "/registry/secrets/default/s",
      ]);
      assert(raw.stdout.startsWith("k8s:enc:aesgcm:v1:one:"), raw.stdout.slice(0, 40) + raw.stderr);
      for (const word of [PASSWORD, btoa(PASSWORD)]) assert(!raw.stdout.includes(word));
    });

    await test.step("tokens: of a file, to join with, of an account while it lives", async () => {
      const whoami = ["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"];
      const nameOf = async (token: string) => {
        const { stdout, stderr } = await withToken(cluster, token, ...whoami);
        return stdout || stderr;
      };
      assert.equal(await nameOf(STATIC_TOKEN), "carl");
      await kubectl.ok(
        "create secret generic bootstrap-token-abcdef -n kube-system " +
          "--type=bootstrap.kubernetes.io/token --from-literal=token-id=abcdef " +
          "--from-literal=token-secret=0123456789abcdef " +
          "--from-literal=usage-bootstrap-authentication=true",
      );
      assert.equal(await nameOf("abcdef.0123456789abcdef"), "system:bootstrap:abcdef");
      await kubectl.ok("create serviceaccount robot");
      const token = (await kubectl.ok("create token robot")).trim();
      issued.push(token);
      assert.equal(await nameOf(token), "system:serviceaccount:default:robot");
      await kubectl.ok("delete serviceaccount robot");
      for (const bad of [token, "abcdef.0123456789abcdee", `${STATIC_TOKEN}x`]) {
        await refusedAs(withToken(cluster, bad, ...whoami), /Unauthorized|logged in/);
      }
      await refusedAs(withToken(cluster, STATIC_TOKEN, "get", "secrets"), /Forbidden|forbidden/);
    });

    await test.step("several groups of another's are all heard", async () => {
      const who = await kubectl.ok(
        "auth whoami --as bob --as-group devs --as-group ops -o jsonpath={.status.userInfo.groups}",
      );
      assert.deepEqual(JSON.parse(who), ["devs", "ops", "system:authenticated"]);
    });

    await test.step("who names nobody sees health and nothing else", async () => {
      const config = parse(await Deno.readTextFile(cluster.kubeconfig));
      const { server } = config.clusters[0].cluster;
      const ask = async (path: string) =>
        (await run(requireTool("curl"), ["-ksw", "%{http_code}", "-o", "/dev/null", server + path]))
          .stdout;
      assert.equal(await ask("/healthz"), "200");
      assert.equal(await ask("/readyz"), "200");
      assert.equal(await ask("/version"), "401");
      assert.equal(await ask("/api/v1/secrets"), "401");
    });

    await test.step("requests have their levels", async () => {
      assert.match(await kubectl.ok("get flowschemas"), /system-node-high +node-high +400/);
      const metrics = await kubectl.ok("get --raw /metrics");
      assert.match(metrics, /apiserver_flowcontrol_dispatched_requests_total\{[^}]*exempt/);
    });
  } finally {
    await cluster.stop();
  }
  await test.step("the audit log tells all of that, and no secret", async () => {
    const text = await Deno.readTextFile(auditLog);
    const events = text.trim().split("\n").map((line) => JSON.parse(line));
    const hidden = [PASSWORD, btoa(PASSWORD), STATIC_TOKEN, "0123456789abcdef", ...issued];
    for (const word of hidden) {
      assert(!text.includes(word), `the audit log holds ${word.slice(0, 12)}…`);
      assert(!cluster.printed().includes(word), `what is printed holds ${word.slice(0, 12)}…`);
    }
    const made = events.find((event) =>
      event.verb === "create" && event.objectRef?.resource === "secrets" &&
      event.objectRef.name === "s"
    );
    assert.equal(made.level, "Metadata");
    assert.equal(made.user.username, "kubernetes-admin");
    assert.deepEqual(made.sourceIPs, ["127.0.0.1"]);
    assert.match(made.userAgent, /^kubectl/);
    const refused = events.filter((event) => event.responseStatus?.code === 401);
    assert(refused.some((event) => /attempted: bearer/.test(event.responseStatus.message)));
    assert(refused.every((event) => event.user.username === undefined));
    const robot = events.find((event) => event.verb === "delete");
    assert.equal(robot.objectRef.name, "robot");
    assert.equal(robot.responseObject.metadata.name, "robot");
    assert(events.some((event) => event.impersonatedUser?.username === "bob"));
    assert.equal((await Deno.stat(auditLog)).mode! & 0o777, 0o600);
  });
  await Deno.remove(dataDir, { recursive: true });
});
