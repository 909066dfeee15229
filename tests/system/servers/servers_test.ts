/**
 * Three API servers before a store of three members, behind a balancer: one server and the store's
 * leader are killed under load; nothing answered is lost or reordered, watches tell all once.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { parse } from "yaml";
import type { KubeObject } from "../../../agents/api/meta.ts";
import { configMaps, namespaces } from "../../../agents/api/resources.ts";
import { createHttpsClient } from "../../../agents/client/https.ts";
import { freePort } from "../../free_port.ts";
import { type BalsaProcess, startBalsa } from "../cluster.ts";
import { Group } from "../store/group.ts";
import { withFolder } from "../store/member_process.ts";
import { systemTest } from "../tools.ts";
import { Balancer } from "./balancer.ts";
import { checkWatch, checkWrites, readHistory, stateOf } from "./history.ts";
import { isOutage, type MakeClient, pause, Watching, Writer } from "./load.ts";

const NAMESPACE = "load";
const WRITERS = 6;
const WATCHERS = 6;
/** How long the load runs before and after each fault. */
const PHASE_MILLIS = 3_000;
/** An election, reconnecting, and what a busy machine adds. */
const MOST_OUTAGE_MILLIS = 15_000;

interface World {
  readonly group: Group;
  readonly servers: BalsaProcess[];
  readonly balancer: Balancer;
  readonly makeClient: MakeClient;
}

async function withServers(folder: string, test: (world: World) => Promise<void>): Promise<void> {
  const group = await Group.start({ folder });
  const servers: BalsaProcess[] = [];
  const ports = [freePort(), freePort(), freePort()];
  const balancer = new Balancer(ports);
  const kubeconfig = join(folder, "kubeconfig");
  try {
    const flags = ports.map((port, i) => [
      "apiserver",
      // Each begins with another member.
      ...["--datastore-endpoint", [0, 1, 2].map((n) => group.urls[(i + n) % 3]).join(",")],
      ...["--pki-dir", join(folder, "pki"), "--port", String(port)],
      ...(i === 0 ? ["--kubeconfig", kubeconfig] : []),
    ]);
    // All at once, as they would after a power cut.
    servers.push(...await Promise.all(flags.map(startBalsa)));
    const config = parse(await Deno.readTextFile(kubeconfig));
    const user = config.users[0].user;
    const makeClient = () =>
      createHttpsClient({
        server: `https://127.0.0.1:${balancer.port}`,
        ca: atob(config.clusters[0].cluster["certificate-authority-data"]),
        certificate: atob(user["client-certificate-data"]),
        privateKey: atob(user["client-key-data"]),
        timeoutMillis: 10_000,
      });
    await test({ group, servers, balancer, makeClient });
  } finally {
    balancer.close();
    await Promise.all(servers.map((server) => server.kill().catch(() => {})));
    await group.stop();
  }
}

/** Waits until every writer has been answered again. @returns milliseconds that took */
async function recovered(writers: readonly Writer[]): Promise<number> {
  const started = performance.now();
  const before = writers.map(({ written }) => written.length);
  while (writers.some(({ written }, i) => written.length < before[i] + 2)) {
    const waited = performance.now() - started;
    assert(waited < MOST_OUTAGE_MILLIS, `writers wait for ${Math.round(waited)} ms`);
    await pause(20);
  }
  return performance.now() - started;
}

systemTest(
  "three API servers: one and the store's leader killed under load",
  ["etcdctl-3.5"],
  (test) =>
    withFolder((folder) =>
      withServers(folder, async ({ group, servers, balancer, makeClient }) => {
        const admin = makeClient();
        await admin.create(namespaces, { metadata: { name: NAMESPACE } });
        const watchers = Array.from(
          { length: WATCHERS },
          () => new Watching(makeClient, NAMESPACE),
        );
        const begun = await Promise.all(watchers.map(({ from }) => from));
        const writers = Array.from(
          { length: WRITERS },
          (_, i) => new Writer(makeClient, { namespace: NAMESPACE, prefix: `w${i}` }),
        );
        await pause(PHASE_MILLIS);
        await test.step("an API server is killed", async () => {
          await servers[0].kill();
          await recovered(writers);
          await pause(PHASE_MILLIS);
        });
        await test.step("the store's leader is killed", async () => {
          await group.members[await group.leader()].kill();
          await recovered(writers);
          await pause(PHASE_MILLIS);
        });
        await Promise.all(writers.map((writer) => writer.stop()));
        await test.step("what clients saw is the store's history", async () => {
          const alive = (await aliveMembers(group))[0];
          const store = await group.connect(alive);
          const { until, items } = await finalList(admin);
          const after = Math.min(...begun);
          const prefix = `/registry/configmaps/${NAMESPACE}/`;
          const history = await readHistory(store, { prefix, after, until });
          await store.close();
          assert(history.length > 200, `only ${history.length} changes`);
          const seen = history.filter(({ revision }) => revision > Math.max(...begun)).length;
          const deadline = performance.now() + MOST_OUTAGE_MILLIS;
          while (watchers.some(({ told }) => told.length < seen) && performance.now() < deadline) {
            await pause(20);
          }
          await Promise.all(watchers.map((watch) => watch.stop()));
          watchers.forEach(({ told }, i) => checkWatch(history, { from: begun[i], told }));
          for (const { written } of writers) checkWrites(history, written);
          assert.deepEqual(items, [...stateOf(history)].sort());
          assert(watchers.some(({ resumed }) => resumed > 0), "no watch had to resume");
          assert(writers.some(({ outages }) => outages > 0), "no writer met an outage");
          assert(balancer.accepted.every((count) => count > 0), "a server had no connection");
        });
        admin.close();
      })
    ),
);

async function aliveMembers(group: Group): Promise<string[]> {
  const urls: string[] = [];
  for (const url of group.urls) {
    const answer = await fetch(`${url}/health`).catch(() => null);
    if (answer === null) continue;
    await answer.body?.cancel();
    urls.push(url);
  }
  return urls;
}

/** Name and value of what is left, and the revision of that state. */
async function finalList(admin: ReturnType<MakeClient>) {
  for (;;) {
    try {
      const list = await admin.list<KubeObject>(configMaps, { namespace: NAMESPACE });
      const until = Number(list.metadata.resourceVersion);
      const items = list.items.map(({ metadata, data }) => [metadata.name, data.value]);
      return { until, items: items.sort() };
    } catch (error) {
      if (!isOutage(error)) throw error;
      await pause(50);
    }
  }
}
