/**
 * A cluster in parts: a store member, an API server, two controller managers, two schedulers. The
 * ones that lead are killed; the others go on.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { KubeObject } from "../../../agents/api/meta.ts";
import { deployments, leases, nodes, pods } from "../../../agents/api/resources.ts";
import type { Client } from "../../../agents/client/client.ts";
import { type BalsaProcess, clientOf, freePort, startBalsa } from "../cluster.ts";
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
        // No kubelet reports on this node.
        spec: { containers: [{ name: "c", image: "c" }], tolerations: [{ operator: "Exists" }] },
      },
    },
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
      const component = (name: string) =>
        start(
          name,
          "--kubeconfig",
          kubeconfig,
          "--leader-elect-lease-duration",
          `${LEASE_SECONDS}`,
        );
      try {
        await start(
          ...["apiserver", "--datastore-endpoint", member.url, "--port", String(freePort())],
          ...["--pki-dir", join(folder, "pki"), "--kubeconfig", kubeconfig],
        );
        const client = await clientOf({ kubeconfig });
        const [managers, schedulers] = await Promise.all(
          ["controller-manager", "scheduler"].map((name) =>
            Promise.all([component(name), component(name)])
          ),
        );
        await makeWork(client);
        await until("two pods on the node", async () => await boundPods(client) === 2);
        const manager = await killLeader(managers);
        const scheduler = await killLeader(schedulers);
        await scale(client, 5);
        await until("five pods on the node", async () => await boundPods(client) === 5);
        assert(leads(manager) && leads(scheduler), "the others lead now");
        // One that is stopped leaves the lease to whoever asks next.
        assert.equal(await manager.stop(), 0);
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
