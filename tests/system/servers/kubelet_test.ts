/**
 * `balsa apiserver` and `balsa kubelet` in processes of their own, containerd below: what kubectl
 * asks of a pod goes API server -> kubelet over HTTPS, with the kubelet known as a node alone.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { request } from "node:https";
import { issueCertificate } from "../../../agents/apiserver/auth/certificates.ts";
import type { KubeObject } from "../../../agents/api/meta.ts";
import { nodes } from "../../../agents/api/resources.ts";
import { freePort } from "../../free_port.ts";
import { type BalsaProcess, clientOf, Kubectl, startBalsa } from "../cluster.ts";
import { startContainerd, TEST_IMAGE } from "../containerd.ts";
import { startAlone, withFolder } from "../store/member_process.ts";
import { systemTest } from "../tools.ts";

const NODE = "far-node";
const MINUTES = 60_000;

const POD = `apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  nodeName: ${NODE}
  terminationGracePeriodSeconds: 0
  containers:
  - name: web
    image: ${TEST_IMAGE}
    command: [sh, -c, "echo started; echo from the pod > /tmp/index.html; exec httpd -f -p 8080 -h /tmp"]
`;

/** A kubeconfig of somebody whom the cluster's authority signed for. */
async function kubeconfigFor(
  folder: string,
  admin: string,
  subject: { readonly commonName: string; readonly organizations: readonly string[] },
): Promise<string> {
  const read = (name: string) => Deno.readTextFile(join(folder, "pki", name));
  const ca = { certificate: await read("ca.crt"), key: await read("ca.key") };
  const pair = await issueCertificate(ca, {
    subject,
    usage: "client",
    nowMillis: Date.now(),
    lifetimeMillis: 60 * MINUTES,
  });
  const config = parse(await Deno.readTextFile(admin));
  config.users[0].user = {
    "client-certificate-data": btoa(pair.certificate),
    "client-key-data": btoa(pair.key),
  };
  const path = join(folder, "node.kubeconfig");
  await Deno.writeTextFile(path, stringify(config), { mode: 0o600 });
  return path;
}

systemTest(
  "an API server reaches the kubelet of another process: logs, exec, port-forward, proxy",
  ["kubectl-1.36", "containerd", "ctr", "runc", "cni-plugins", "busybox", "ip"],
  (test) =>
    withFolder(async (folder) => {
      const containerd = await startContainerd();
      const member = await startAlone("balsa", join(folder, "store"));
      const kubeconfig = join(folder, "kubeconfig");
      const running: BalsaProcess[] = [];
      const start = async (...args: string[]) => void running.push(await startBalsa(args));
      try {
        await start(
          ...["apiserver", "--datastore-endpoint", member.url, "--port", String(freePort())],
          ...["--pki-dir", join(folder, "pki"), "--kubeconfig", kubeconfig],
        );
        const node = await kubeconfigFor(folder, kubeconfig, {
          commonName: `system:node:${NODE}`,
          organizations: ["system:nodes"],
        });
        await Promise.all([
          start(
            ...["kubelet", "--kubeconfig", node, "--hostname-override", NODE],
            ...["--container-runtime-endpoint", `unix://${containerd.socketPath}`],
            ...["--node-ip", "127.0.0.1", "--address", "127.0.0.1", "--port", "0"],
            ...["--root-dir", join(folder, "kubelet")],
          ),
          start(
            ...["controller-manager", "--kubeconfig", kubeconfig],
            ...["--leader-elect", "false", "--secure-port", "0"],
          ),
        ]);
        await walk(test, new Kubectl("kubectl-1.36", { dataDir: folder, kubeconfig }));
        await refuseStranger(kubeconfig);
      } finally {
        await Promise.all(running.map((process) => process.stop().catch(() => {})));
        await member.kill();
        await containerd.stop();
      }
    }),
);

async function walk(test: Deno.TestContext, kubectl: Kubectl): Promise<void> {
  // The default account is made a moment after the namespace.
  await kubectl.ok("wait --for=create serviceaccount/default --timeout=30s");
  await kubectl.ok("apply -f -", POD);
  await kubectl.ok("wait --for=condition=Ready pod/web --timeout=60s");
  await test.step("logs", async () => {
    assert.equal(await kubectl.ok("logs web"), "started\n");
  });
  await test.step("exec: output and exit code", async () => {
    assert.equal(await kubectl.ok("exec web -- cat /tmp/index.html"), "from the pod\n");
    const failed = await kubectl.try(["exec", "web", "--", "false"]);
    assert.equal(failed.code, 1, failed.stderr);
    const piped = await kubectl.try(["exec", "-i", "web", "--", "cat"], "typed\n".repeat(5000));
    assert.equal(piped.stdout.length, 30_000, piped.stderr);
  });
  await test.step("proxy, which is a port-forward", async () => {
    const url = "/api/v1/namespaces/default/pods/web:8080/proxy/index.html";
    assert.equal(await kubectl.ok(`get --raw ${url}`), "from the pod\n");
  });
}

/** The kubelet's port is for those whom the API server's rules let. */
async function refuseStranger(kubeconfig: string): Promise<void> {
  const client = await clientOf({ kubeconfig });
  const node = await client.get<KubeObject>(nodes, { name: NODE });
  const { Port } = node.status.daemonEndpoints.kubeletEndpoint;
  client.close();
  const status = await new Promise((resolve, reject) => {
    const url = `https://127.0.0.1:${Port}/containerLogs/default/web/web`;
    request(url, { rejectUnauthorized: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    }).on("error", reject).end();
  });
  assert.equal(status, 401);
}
