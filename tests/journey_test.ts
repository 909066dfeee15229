/**
 * The road of a pod, walked in one process: real store on a fake disk, real API server,
 * controllers,
 * scheduler and kubelet on a fake runtime. The hops seen are compared with the golden map;
 * UPDATE=1 rewrites it.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { KubeObject } from "../agents/api/meta.ts";
import { deployments, endpointSlices, services } from "../agents/api/resources.ts";
import { createApiServer, DEFAULT_CONFIG, randomFrom } from "../agents/apiserver/mod.ts";
import type { Client } from "../agents/client/client.ts";
import { systemClock } from "../agents/client/clock.ts";
import { createInProcessClient } from "../agents/client/in_process.ts";
import { runControllerManager } from "../agents/controller_manager/run.ts";
import { runKubeScheduler } from "../agents/kube_scheduler/run.ts";
import { runKubelet } from "../agents/kubelet/run.ts";
import { KubeletDirectory } from "../agents/nodes.ts";
import { realClock } from "../agents/ports.ts";
import { denoPorts, openStore, type Store } from "../store/mod.ts";
import { fakeRuntime } from "./fakes/container_runtime.ts";
import { FakeDisk } from "./fakes/disk.ts";
import { projectRoot } from "./source_tree.ts";

const GOLDEN = join(projectRoot(), "tests/golden/pod_journey.txt");
/** Not on the road: bookkeeping that comes whenever it comes. */
const ASIDE =
  /events|leases|nodes|minions|namespaces|accounts|maps|priority|flowschemas|kubernetes|role|apiserv/;

/** Hops in the order in which each was first seen. */
class Road {
  readonly hops: string[] = [];

  see(hop: string): void {
    const plain = hop.replace(/web-[a-z0-9]+-[a-z0-9]{5}\b/g, "web-HASH-NAME")
      .replace(/web-[a-f0-9]{6,10}\b/g, "web-HASH").replace(/web-[a-z0-9]{5}\b/g, "web-NAME");
    if (!ASIDE.test(plain) && !this.hops.includes(plain)) this.hops.push(plain);
  }
}

/** A client that tells the road what it writes. */
function seen(road: Road, component: string, client: Client): Client {
  const see = (verb: string, resource: { plural: string }, name: string, part = "") =>
    road.see(`${component} ${verb} ${resource.plural}${part && `/${part}`} ${name}`);
  const telling: Partial<Client> = {
    create: (resource, object, options) => {
      const { generateName, name } = object.metadata;
      see("create", resource, name ?? `${generateName}NAME`, options?.subresource);
      return client.create(resource, object, options);
    },
    patch: (resource, target, patch, options) => {
      see("patch", resource, target.name, target.subresource);
      return client.patch(resource, target, patch, options);
    },
    bindMany: (bindings) => {
      for (const { name } of bindings) road.see(`${component} bind pods ${name}`);
      return client.bindMany(bindings);
    },
  };
  return new Proxy(client, {
    get: (target, name) => {
      const own = telling[name as keyof Client];
      if (own !== undefined) return own;
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** A store that tells the road which keys were first committed. */
function seenStore(road: Road, store: Store): Store {
  const prefix = new TextEncoder().encode("/registry/");
  store.watch({ key: prefix, rangeEnd: new TextEncoder().encode("/registry0") }, (notice) => {
    if (notice.kind !== "events") return;
    for (const { kv } of notice.events) {
      if (kv.version === 1) road.see(`store commit ${new TextDecoder().decode(kv.key)}`);
    }
  });
  return store;
}

Deno.test({
  name: "a deployment's pod takes the road that the map shows",
  // The log of the runtime's folders and the informers' sockets are closed by stop().
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const road = new Road();
    const folder = await Deno.makeTempDir();
    const store = seenStore(
      road,
      await openStore({ dataDirectory: "/store" }, {
        ...denoPorts(),
        disk: new FakeDisk(),
      }),
    );
    const kubelets = new KubeletDirectory();
    const api = await createApiServer({ ...DEFAULT_CONFIG, pkiDirectory: join(folder, "pki") }, {
      store,
      kubelets,
      log: () => {},
      clock: { ...realClock, nowMillis: () => Date.now() },
      random: randomFrom((bytes) => crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>)),
    });
    const clientOf = (name: string) =>
      seen(
        road,
        name,
        createInProcessClient({
          port: api.port,
          user: { name: `system:${name}`, groups: ["system:masters"] },
        }),
      );
    const clock = systemClock;
    const manager = runControllerManager({
      client: clientOf("controller_manager"),
      clock,
      config: { caPem: api.pki.ca.certificate },
    });
    const scheduler = await runKubeScheduler({ client: clientOf("kube_scheduler"), clock });
    const kubelet = await runKubelet({
      client: clientOf("kubelet"),
      runtime: fakeRuntime((call) => road.see(`runtime ${call}`)),
      clock,
      identity: { name: "n1", runtime: { name: "fake", version: "1" }, kubeletVersion: "v1.36.0" },
      facts: {
        cpus: 4,
        memoryBytes: 8 * 2 ** 30,
        diskBytes: 0,
        kernelVersion: "",
        osImage: "",
        architecture: "amd64",
        machineId: "",
        bootId: "",
        address: "192.0.2.1",
      },
      root: join(folder, "kubelet"),
      logRoot: join(folder, "logs"),
      dns: { clusterServers: [], clusterDomain: "cluster.local" },
      apiServer: { host: "127.0.0.1", port: 6443 },
      log: () => {},
    });
    try {
      await walk(clientOf("user"));
    } finally {
      await kubelet.stop();
      scheduler.stop();
      await manager.stop();
      await api.close();
      await store.close();
      await Deno.remove(folder, { recursive: true });
    }
    compare(road.hops);
  },
});

async function walk(user: Client): Promise<void> {
  await user.create<KubeObject>(services, {
    metadata: { name: "web", namespace: "default" },
    spec: { selector: { app: "web" }, ports: [{ port: 80 }] },
  });
  await until(user, endpointSlices, () => true);
  await user.create<KubeObject>(deployments, {
    metadata: { name: "web", namespace: "default" },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: "web" } },
      template: {
        metadata: { labels: { app: "web" } },
        spec: { containers: [{ name: "c", image: "registry.example/web:1" }] },
      },
    },
  });
  await until(user, deployments, (one) => one.status?.readyReplicas === 1);
  await until(user, endpointSlices, (one) => one.endpoints?.[0]?.conditions?.ready === true);
}

/** Waits for an object of the service or deployment to satisfy a condition. */
async function until(
  user: Client,
  resource: typeof deployments,
  holds: (object: KubeObject) => boolean,
): Promise<void> {
  const watch = await user.watch(resource, { namespace: "default", timeoutSeconds: 20 });
  for await (const batch of watch) {
    const found = batch.some(({ object, type }) =>
      type !== "BOOKMARK" && /^web/.test(object.metadata.name ?? "") && holds(object)
    );
    if (found) return watch.close();
  }
  assert.fail(`no ${resource.plural} got there`);
}

function compare(hops: readonly string[]): void {
  const text = `${hops.join("\n")}\n`;
  if (Deno.env.get("UPDATE") === "1") Deno.writeTextFileSync(GOLDEN, text);
  assert.equal(text, Deno.readTextFileSync(GOLDEN));
}
