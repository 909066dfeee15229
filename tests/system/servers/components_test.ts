/**
 * A cluster in parts: a store member, an API server, two controller managers, two schedulers. Each
 * scheduler tells of itself to whom it may. The ones that lead are killed; the others go on.
 */
import assert from "node:assert/strict";
import { request } from "node:https";
import { join } from "node:path";
import type { KubeObject } from "../../../agents/api/meta.ts";
import {
  clusterRoleBindings,
  clusterRoles,
  deployments,
  leases,
  nodes,
  pods,
  serviceAccounts,
} from "../../../agents/api/resources.ts";
import type { Client } from "../../../agents/client/client.ts";
import { parseKubeconfig } from "../../../agents/client/kubeconfig.ts";
import { freePort } from "../../free_port.ts";
import { type BalsaProcess, clientOf, startBalsa } from "../cluster.ts";
import { startAlone, withFolder } from "../store/member_process.ts";
import { systemTest } from "../tools.ts";
import { pause } from "./load.ts";

const LEASE_SECONDS = 3;
const PLACE = { namespace: "default", name: "web" };

async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!await holds()) {
    assert(performance.now() < deadline, `never: ${what}`);
    await pause(50);
  }
}

function leads(process: BalsaProcess): boolean {
  return process.printed().includes("leading: ");
}

/** Kills the one that leads. @returns the other */
async function killLeader(pair: readonly BalsaProcess[]): Promise<BalsaProcess> {
  await until("one of two leads", () => pair.some(leads));
  assert.equal(pair.filter(leads).length, 1);
  const leader = pair.find(leads)!;
  await leader.kill();
  return pair.find((one) => one !== leader)!;
}

async function boundPods(client: Client): Promise<number> {
  const list = await client.list<KubeObject>(pods, { namespace: PLACE.namespace });
  return list.items.filter(({ spec }) => spec.nodeName === "n1").length;
}

function scale(client: Client, replicas: number): Promise<KubeObject> {
  return client.patch(deployments, PLACE, {
    type: "application/merge-patch+json",
    body: { spec: { replicas } },
  });
}

async function makeWork(client: Client): Promise<void> {
  const room = { cpu: "8", memory: "16Gi", pods: "110" };
  const ready = { type: "Ready", status: "True", reason: "KubeletReady", message: "" };
  await client.create<KubeObject>(nodes, {
    metadata: { name: "n1" },
    status: { capacity: room, allocatable: room, conditions: [ready] },
  });
  const labels = { app: "web" };
  await client.create<KubeObject>(deployments, {
    metadata: PLACE,
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          containers: [{ name: "c", image: "c", resources: { requests: { cpu: "100m" } } }],
          // No kubelet reports on this node.
          tolerations: [{ operator: "Exists" }],
        },
      },
    },
  });
}

interface Caller {
  readonly token?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** What `curl -k` would get. */
function ask(
  port: number,
  path: string,
  { token, cert, key }: Caller = {},
): Promise<{ readonly code?: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({
      ...{ host: "127.0.0.1", port, path, cert, key },
      rejectUnauthorized: false,
      agent: false,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    }, (response) => {
      let text = "";
      response.on("data", (bytes) => text += bytes);
      response.on("end", () => resolve({ code: response.statusCode, text }));
    });
    asked.on("error", reject);
    asked.end();
  });
}

/** Health is for everybody; numbers and configuration for those whom the API server lets. */
async function tellsOfItself(
  { leader, standby }: { readonly leader: number; readonly standby: number },
  { client, kubeconfig }: { readonly client: Client; readonly kubeconfig: string },
): Promise<void> {
  for (const port of [leader, standby]) assert.equal((await ask(port, "/healthz")).text, "ok");
  await until("the leader is ready", async () => (await ask(leader, "/readyz")).code === 200);
  assert.equal((await ask(standby, "/readyz")).code, 500);
  for (const path of ["/metrics", "/configz", "/readyz/informer-sync"]) {
    assert.equal((await ask(leader, path)).code, 403, path);
  }
  assert.equal((await ask(leader, "/metrics", { token: "guessed" })).code, 401);

  const account = { namespace: "default", name: "scraper" };
  await client.create<KubeObject>(serviceAccounts, { metadata: account });
  const { status: { token } } = await client.create<KubeObject>(serviceAccounts, {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    metadata: account,
    spec: {},
  }, { subresource: "token", name: account.name });
  const refused = await ask(leader, "/metrics", { token });
  assert.equal(refused.code, 403);
  assert.match(
    JSON.parse(refused.text).message,
    /User "system:serviceaccount:default:scraper" cannot get path "\/metrics"/,
  );
  const name = "scraper";
  await client.create<KubeObject>(clusterRoles, {
    metadata: { name },
    rules: [{ nonResourceURLs: ["/metrics"], verbs: ["get"] }],
  });
  await client.create<KubeObject>(clusterRoleBindings, {
    metadata: { name },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
    subjects: [{ kind: "ServiceAccount", ...account }],
  });
  await until(
    "the right counts",
    async () => (await ask(leader, "/metrics", { token })).code === 200,
  );
  assert.equal((await ask(leader, "/configz", { token })).code, 403);

  const admin = parseKubeconfig(await Deno.readTextFile(kubeconfig));
  assert(admin.kind === "ok");
  const pair = { cert: admin.options.certificate, key: admin.options.privateKey };
  const [metrics, resources, configz] = await Promise.all([
    ask(leader, "/metrics", pair),
    ask(leader, "/metrics/resources", pair),
    ask(leader, "/configz", pair),
  ]);
  assert.match(
    metrics.text,
    /^scheduler_schedule_attempts_total{result="scheduled",profile="default-scheduler"} 2$/m,
  );
  assert.match(metrics.text, /^leader_election_master_status{name="kube-scheduler"} 1$/m);
  assert.match(
    resources.text,
    /^kube_pod_resource_request\{namespace="default",.*resource="cpu",unit="cores"\} 0\.1$/m,
  );
  const { componentconfig } = JSON.parse(configz.text);
  assert.equal(componentconfig.apiVersion, "kubescheduler.config.k8s.io/v1");
  assert.equal(componentconfig.leaderElection.leaseDuration, `${LEASE_SECONDS}s`);
}

/** What flags leave open. */
function schedulerConfig(kubeconfig: string): string {
  return JSON.stringify({
    apiVersion: "kubescheduler.config.k8s.io/v1",
    kind: "KubeSchedulerConfiguration",
    clientConnection: { kubeconfig },
    leaderElection: { leaseDuration: `${LEASE_SECONDS}s` },
  });
}

systemTest(
  "a cluster in parts: controllers and schedulers go on when those that lead are killed",
  [],
  () =>
    withFolder(async (folder) => {
      const member = await startAlone("balsa", join(folder, "store"));
      const kubeconfig = join(folder, "kubeconfig");
      const running: BalsaProcess[] = [];
      const start = async (...args: string[]) => {
        const process = await startBalsa(args);
        running.push(process);
        return process;
      };
      const manager = () =>
        start(
          ...["controller-manager", "--kubeconfig", kubeconfig, "--secure-port", "0"],
          ...["--leader-elect-lease-duration", `${LEASE_SECONDS}`],
        );
      const config = join(folder, "scheduler.yaml");
      await Deno.writeTextFile(config, schedulerConfig(kubeconfig));
      const scheduler = (port: number) =>
        start("scheduler", "--config", config, "--secure-port", `${port}`);
      const ports = [freePort(), freePort()];
      try {
        await start(
          ...["apiserver", "--datastore-endpoint", member.url, "--port", String(freePort())],
          ...["--pki-dir", join(folder, "pki"), "--kubeconfig", kubeconfig],
        );
        const client = await clientOf({ kubeconfig });
        const [managers, schedulers] = await Promise.all([
          Promise.all([manager(), manager()]),
          Promise.all(ports.map(scheduler)),
        ]);
        await makeWork(client);
        await until("two pods on the node", async () => await boundPods(client) === 2);
        const [leader, standby] = leads(schedulers[0]) ? ports : ports.toReversed();
        await tellsOfItself({ leader, standby }, { client, kubeconfig });
        const heirs = [await killLeader(managers), await killLeader(schedulers)];
        await scale(client, 5);
        await until("five pods on the node", async () => await boundPods(client) === 5);
        assert(heirs.every(leads), "the others lead now");
        // One that is stopped leaves the lease to whoever asks next.
        assert.equal(await heirs[0].stop(), 0);
        const lease = await client.get<KubeObject>(leases, {
          namespace: "kube-system",
          name: "kube-controller-manager",
        });
        assert.equal(lease.spec.holderIdentity, undefined);
        client.close();
      } finally {
        await Promise.all(running.map((process) => process.kill().catch(() => {})));
        await member.kill();
      }
    }),
);
