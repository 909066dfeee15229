/** Whole controllers against an API in memory: what they write, and that they come to rest. */
import assert from "node:assert/strict";
import {
  configMaps,
  deployments,
  namespaces,
  pods,
  replicaSets,
  serviceAccounts,
} from "../api/resources.ts";
import type { KubeObject } from "../api/meta.ts";
import { failure, MemoryApi } from "../../tests/fakes/memory_api.ts";
import { ManualClock } from "../../tests/fakes/manual_clock.ts";
import { type ControllerManagerConfig, runControllerManager } from "./run.ts";

async function world(config: ControllerManagerConfig = { caPem: "PEM" }) {
  const clock = new ManualClock();
  const api = new MemoryApi(clock);
  const client = api.client();
  const failures: string[] = [];
  await client.create(namespaces, {
    metadata: { name: "default" },
    spec: { finalizers: ["kubernetes"] },
  });
  const manager = runControllerManager({
    client,
    clock,
    config,
    onFailure: (where, failure) => failures.push(`${where}: ${failure.message}`),
  });
  await clock.advance(0);
  await manager.ready;
  /** Every pod that is new becomes Running and ready, as a kubelet would make it. */
  const runPods = async () => {
    for (const pod of api.all("pods")) {
      if (pod.status?.phase === "Running" || pod.metadata.deletionTimestamp) continue;
      const { namespace, name } = pod.metadata;
      await client.patch(pods, { namespace, name: name!, subresource: "status" }, {
        type: "application/merge-patch+json",
        body: {
          status: {
            phase: "Running",
            conditions: [{
              type: "Ready",
              status: "True",
              lastTransitionTime: new Date(clock.nowMillis()).toISOString(),
            }],
          },
        },
      });
    }
  };
  const settle = async (rounds = 20) => {
    for (let round = 0; round < rounds; round++) {
      await clock.advance(100);
      await runPods();
    }
    await clock.advance(100);
  };
  return { clock, api, client, manager, failures, settle };
}

const deployment = (replicas: number, image = "web:1"): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "default" },
  spec: {
    replicas,
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
    selector: { matchLabels: { app: "web" } },
    strategy: {
      type: "RollingUpdate",
      rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" },
    },
    template: {
      metadata: { labels: { app: "web" } },
      spec: { containers: [{ name: "web", image }] },
    },
  },
});

Deno.test("controllers: a deployment becomes pods and comes to rest", async () => {
  const { api, client, manager, settle, failures } = await world();
  await client.create(deployments, deployment(3));
  await settle();
  assert.equal(api.all("replicasets").length, 1);
  assert.equal(api.all("pods").length, 3);
  const [{ status, metadata }] = api.all("deployments");
  const { conditions, ...counts } = status;
  assert.deepEqual(counts, {
    observedGeneration: 1,
    replicas: 3,
    updatedReplicas: 3,
    readyReplicas: 3,
    availableReplicas: 3,
    terminatingReplicas: 0,
  });
  assert.deepEqual(
    conditions.map((one: { type: string; reason: string }) => `${one.type} ${one.reason}`).sort(),
    ["Available MinimumReplicasAvailable", "Progressing NewReplicaSetAvailable"],
  );
  assert.equal(metadata.annotations?.["deployment.kubernetes.io/revision"], "1");
  const revision = api.revision;
  await settle();
  assert.equal(api.revision, revision, "nothing is written at rest");
  assert.deepEqual(failures, []);
  const messages = api.all("events").map((event) => event.message).sort();
  const set = api.all("replicasets")[0].metadata.name;
  assert.equal(messages.filter((message) => message.startsWith("Created pod: ")).length, 3);
  assert.ok(messages.includes(`Scaled up replica set ${set} from 0 to 3`));
  await manager.stop();
});

Deno.test("controllers: a new template rolls over, and back again", async () => {
  const { api, client, manager, settle } = await world();
  await client.create(deployments, deployment(4));
  await settle();
  const place = { namespace: "default", name: "web" };
  const setImage = (image: string) =>
    client.patch(deployments, place, {
      type: "application/merge-patch+json",
      body: { spec: { template: { spec: { containers: [{ name: "web", image }] } } } },
    });
  await setImage("web:2");
  let most = 0;
  let fewest = Infinity;
  for (let step = 0; step < 30; step++) {
    await settle(1);
    const live = api.all("pods").filter((pod) => !pod.metadata.deletionTimestamp);
    most = Math.max(most, live.length);
    const [{ status }] = api.all("deployments");
    fewest = Math.min(fewest, status.availableReplicas ?? 0);
  }
  assert.ok(most <= 5, `at most maxSurge above: ${most}`);
  assert.ok(fewest >= 3, `at most maxUnavailable below: ${fewest}`);
  const images = () => api.all("pods").map((pod) => pod.spec.containers[0].image);
  assert.deepEqual(new Set(images()), new Set(["web:2"]));
  assert.equal(images().length, 4);
  assert.equal(api.all("replicasets").length, 2);

  await setImage("web:1");
  await settle(30);
  assert.deepEqual(new Set(images()), new Set(["web:1"]));
  assert.equal(api.all("replicasets").length, 2, "the old one is used again");
  const [current] = api.all("replicasets").filter((set) => set.spec.replicas === 4);
  assert.equal(current.metadata.annotations?.["deployment.kubernetes.io/revision"], "3");
  assert.equal(current.metadata.annotations?.["deployment.kubernetes.io/revision-history"], "1");
  await manager.stop();
});

Deno.test("controllers: a lagging informer never makes a replica set create twice", async () => {
  const { api, client, manager, clock } = await world();
  await client.create(replicaSets, {
    metadata: { name: "rs", namespace: "default" },
    spec: {
      replicas: 5,
      selector: { matchLabels: { a: "b" } },
      template: { metadata: { labels: { a: "b" } }, spec: { containers: [] } },
    },
  });
  await clock.advance(1);
  api.holdWatches();
  await clock.advance(60_000);
  const [set] = api.all("replicasets");
  await client.patch(replicaSets, { namespace: "default", name: "rs" }, {
    type: "application/merge-patch+json",
    body: { metadata: { labels: { touched: "yes" } } },
  });
  await clock.advance(60_000);
  assert.equal(api.all("pods").length, 5);
  api.releaseWatches();
  await clock.advance(5_000);
  assert.equal(api.all("pods").length, 5);
  assert.equal(set.metadata.name, "rs");
  await manager.stop();
});

Deno.test("controllers: 1,000 replicas take batches and few status writes", async () => {
  const { api, client, manager, settle } = await world();
  await client.create(deployments, deployment(1000));
  await settle(6);
  assert.equal(api.all("pods").length, 1000);
  const creates = api.log.filter((line) => line.startsWith("create pods")).length;
  assert.equal(creates, 1000);
  const statusWrites = api.log.filter((line) => line.startsWith("update replicasets/status"));
  assert.ok(statusWrites.length < 60, `${statusWrites.length} status writes`);
  assert.equal(api.all("deployments")[0].status.availableReplicas, 1000);
  await manager.stop();
});

Deno.test("controllers: refused creates are told on the replica set, and tried again", async () => {
  const { api, client, manager, settle } = await world();
  let refuse = true;
  api.beforeCall = (call) => {
    if (refuse && call.verb === "create" && call.resource === pods) {
      throw failure(403, "Forbidden", "exceeded quota");
    }
  };
  await client.create(deployments, deployment(3));
  await settle(3);
  const condition = () => api.all("replicasets")[0].status?.conditions?.[0];
  assert.equal(condition()?.type, "ReplicaFailure");
  assert.equal(condition()?.reason, "FailedCreate");
  assert.equal(condition()?.message, "exceeded quota");
  refuse = false;
  await settle(200);
  assert.equal(api.all("pods").length, 3);
  assert.equal(condition(), undefined);
  await manager.stop();
});

Deno.test("controllers: namespaces are furnished, and emptied when deleted", async () => {
  const { api, client, manager, settle } = await world();
  await client.create(namespaces, {
    metadata: { name: "shop" },
    spec: { finalizers: ["kubernetes"] },
  });
  await settle(3);
  const shop = { namespace: "shop" };
  assert.ok(await client.get(serviceAccounts, { ...shop, name: "default" }));
  assert.equal(
    (await client.get(configMaps, { ...shop, name: "kube-root-ca.crt" })).data["ca.crt"],
    "PEM",
  );
  await client.create(pods, {
    metadata: { name: "held", ...shop, finalizers: ["example.com/hold"] },
    spec: { containers: [] },
  });
  await client.delete(namespaces, { name: "shop" });
  await settle(30);
  const [namespace] = api.all("namespaces").filter((one) => one.metadata.name === "shop");
  const remaining = namespace.status.conditions.find((one: { type: string }) =>
    one.type === "NamespaceFinalizersRemaining"
  );
  assert.match(remaining.message, /example\.com\/hold in 1 resource instances/);
  assert.equal(api.all("configmaps").filter((one) => one.metadata.namespace === "shop").length, 0);

  const held = await client.get(pods, { ...shop, name: "held" });
  await client.update(pods, { ...held, metadata: { ...held.metadata, finalizers: [] } });
  await settle(30);
  assert.deepEqual(api.all("namespaces").map((one) => one.metadata.name), ["default"]);
  await manager.stop();
});
