/**
 * The scheduler, then store and API server too, are restarted while 10,000 pods are scheduled onto
 * nodes that hold exactly these: nothing is bound twice, no node holds too much, no pod is lost.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { KubeObject, UserInfo } from "../../agents/api/meta.ts";
import { nodes, pods } from "../../agents/api/resources.ts";
import { ApiError } from "../../agents/api/status.ts";
import {
  type ApiServer,
  createApiServer,
  DEFAULT_CONFIG,
  randomFrom,
} from "../../agents/apiserver/mod.ts";
import type { Client } from "../../agents/client/client.ts";
import { systemClock } from "../../agents/client/clock.ts";
import { createInProcessClient } from "../../agents/client/in_process.ts";
import { runKubeScheduler } from "../../agents/kube_scheduler/run.ts";
import { realClock } from "../../agents/ports.ts";
import { openStore, type Store } from "../../store/mod.ts";
import { replayBindings } from "./binding_checker.ts";

const NODES = 250;
/** 40 pods of 100 millicores fill a node of 4 CPUs. */
const PODS = NODES * 40;
const WRITERS = 128;
const DEADLINE_MILLIS = 120_000;
const ADMIN: UserInfo = { name: "test", groups: ["system:masters", "system:authenticated"] };

interface Running {
  readonly store: Store;
  readonly api: ApiServer;
  readonly client: Client;
}

/** Store and API server on a folder, which may hold an earlier cluster's data. */
async function start(directory: string): Promise<Running> {
  const store = await openStore({ dataDirectory: join(directory, "store") });
  const absent = () => Promise.reject(new Error("no kubelets"));
  const api = await createApiServer({
    ...DEFAULT_CONFIG,
    pkiDirectory: join(directory, "pki"),
    disabledAdmission: ["ServiceAccount", "TaintNodesByCondition"],
  }, {
    store,
    log: () => {},
    clock: { ...realClock, nowMillis: () => realClock.wallNow() },
    random: randomFrom((bytes) => crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>)),
    kubelets: { logs: absent, exec: absent, attach: absent, portForward: absent },
  });
  return { store, api, client: createInProcessClient({ port: api.port, user: ADMIN }) };
}

function nodeOf(index: number): KubeObject {
  const name = `node-${index}`;
  const capacity = { cpu: "4", memory: "32Gi", pods: "110" };
  const labels = { "kubernetes.io/hostname": name };
  return { apiVersion: "v1", kind: "Node", metadata: { name, labels }, status: { capacity } };
}

function podOf(index: number): KubeObject {
  const requests = { cpu: "100m", memory: "500Mi" };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace: "default", name: `pod-${index}` },
    spec: { containers: [{ name: "pause", image: "pause:1", resources: { requests } }] },
  };
}

/** Creates pods until all are there or the API server is gone. @returns the first not created. */
async function createPods(client: Client, from: number): Promise<number> {
  let next = from;
  let missing = PODS;
  const write = async () => {
    while (next < PODS && missing === PODS) {
      const index = next++;
      try {
        await client.create(pods, podOf(index));
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        // The write before the restart may have been kept without having been answered.
        if (error.reason !== "AlreadyExists") missing = Math.min(missing, index);
      }
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, write));
  return missing;
}

async function boundPods(client: Client): Promise<number> {
  const { items } = await client.list<KubeObject>(pods, { namespace: "default" });
  return items.filter((pod) => pod.spec.nodeName).length;
}

async function untilBound(client: Client, count: number): Promise<void> {
  const deadline = performance.now() + DEADLINE_MILLIS;
  for (;;) {
    const bound = await boundPods(client);
    if (bound >= count) return;
    assert(performance.now() < deadline, `only ${bound} of ${count} pods were bound`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

Deno.test("the checker sees a second binding and a node that holds too much", async () => {
  const directory = await Deno.makeTempDir({ prefix: "balsa-binding-checker-" });
  const store = await openStore({ dataDirectory: directory });
  const encoder = new TextEncoder();
  const put = async (path: string, object: KubeObject) => {
    const key = encoder.encode(`/registry/${path}`);
    const answer = await store.put({
      kind: "put",
      key,
      value: encoder.encode(JSON.stringify(object)),
    });
    assert.equal(answer.kind, "put");
  };
  const bound = (index: number, nodeName: string): KubeObject => {
    const pod = podOf(index);
    const metadata = { ...pod.metadata, uid: `uid-${index}` };
    return { ...pod, metadata, spec: { ...pod.spec, nodeName } };
  };
  try {
    for (const name of ["node-0", "node-1"]) {
      const status = { allocatable: { cpu: "150m", memory: "32Gi", pods: "110" } };
      await put(`minions/${name}`, { ...nodeOf(0), status });
    }
    await put("pods/default/pod-0", bound(0, "node-0"));
    await put("pods/default/pod-0", bound(0, "node-1"));
    await put("pods/default/pod-1", bound(1, "node-1"));
    const { bound: pods, bindings, problems } = await replayBindings(store);
    assert.equal(pods, 2);
    assert.equal(bindings, 3);
    assert.equal(problems.length, 2);
    assert.match(problems[0], /pod default\/pod-0 went from node-0 to "node-1"/);
    assert.match(problems[1], /node node-1 holds cpuMilli 200 of 150/);
  } finally {
    await store.close();
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("restarts amid 10,000 pods bind nothing twice and fill no node too much", async () => {
  const directory = await Deno.makeTempDir({ prefix: "balsa-scheduler-restart-" });
  try {
    const first = await start(directory);
    for (let i = 0; i < NODES; i++) await first.client.create(nodes, nodeOf(i));
    const options = { client: first.client, clock: systemClock };
    let scheduler = await runKubeScheduler(options);
    const creating = createPods(first.client, 0);
    await untilBound(first.client, PODS / 4);
    await scheduler.stop();
    scheduler = await runKubeScheduler(options);
    await untilBound(first.client, PODS / 2);
    // Everything ends at once, with creations and bindings under way.
    const stopping = scheduler.stop();
    await first.api.close();
    await first.store.close();
    await stopping;
    const missing = await creating;

    const second = await start(directory);
    assert(await boundPods(second.client) >= PODS / 2, "bindings that were seen are still there");
    scheduler = await runKubeScheduler({ client: second.client, clock: systemClock });
    assert.equal(await createPods(second.client, missing), PODS);
    await untilBound(second.client, PODS);
    await scheduler.stop();

    const { bound, bindings, problems } = await replayBindings(second.store);
    assert.deepEqual(problems, []);
    assert.equal(bound, PODS);
    assert.equal(bindings, PODS);
    await second.api.close();
    await second.store.close();
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
