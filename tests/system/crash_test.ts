/**
 * kill -9 in a stream of creates: nothing answered is lost, versions never go back, watches
 * resume.
 */
import assert from "node:assert/strict";
import type { KubeObject } from "../../agents/api/meta.ts";
import { configMaps } from "../../agents/api/resources.ts";
import { ApiError } from "../../agents/api/status.ts";
import type { Client } from "../../agents/client/client.ts";
import { freePort } from "../free_port.ts";
import { clientOf, makeDataDir, startCluster, type TestCluster } from "./cluster.ts";
import { systemTest } from "./tools.ts";

const ROUNDS = 4;
const WRITERS = 8;

interface Answered {
  readonly name: string;
  readonly resourceVersion: number;
}

systemTest("kill -9 during creates loses nothing that was answered", [], async () => {
  const dataDir = await makeDataDir();
  const options = { dataDir, port: freePort(), flags: ["--cri", "none", "--hollow-nodes", "0"] };
  const answered: Answered[] = [];
  let watchFrom = "";
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const cluster = await startCluster(options);
      const client = await clientOf(cluster);
      await checkAllThere(client, answered);
      if (watchFrom !== "") await checkWatchResumes(client, watchFrom, answered);
      watchFrom = (await client.list(configMaps, { namespace: "default" })).metadata
        .resourceVersion!;
      await createUntilKilled(cluster, client, { round, answered });
      client.close();
    }
    const cluster = await startCluster(options);
    const client = await clientOf(cluster);
    await checkAllThere(client, answered);
    await checkWatchResumes(client, watchFrom, answered);
    client.close();
    assert.equal(await cluster.stop(), 0);
    assert(answered.length > ROUNDS * WRITERS, `only ${answered.length} creates were answered`);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

/** Writers create as fast as they are answered until the process is killed under them. */
async function createUntilKilled(
  cluster: TestCluster,
  client: Client,
  { round, answered }: { readonly round: number; readonly answered: Answered[] },
): Promise<void> {
  let isKilled = false;
  const write = async (writer: number) => {
    for (let i = 0; !isKilled; i++) {
      const name = `r${round}-w${writer}-${i}`;
      const metadata = { name, namespace: "default" };
      try {
        const made = await client.create<KubeObject>(configMaps, { metadata, data: { name } });
        answered.push({ name, resourceVersion: Number(made.metadata.resourceVersion) });
      } catch (error) {
        assert(error instanceof ApiError, String(error));
        return;
      }
    }
  };
  const writers = Array.from({ length: WRITERS }, (_, writer) => write(writer));
  await new Promise((resolve) => setTimeout(resolve, 700 + 150 * round));
  isKilled = true;
  await cluster.kill();
  await Promise.all(writers);
}

async function checkAllThere(client: Client, answered: readonly Answered[]): Promise<void> {
  const list = await client.list(configMaps, { namespace: "default" });
  const found = new Map(
    list.items.map((item) => [item.metadata.name, Number(item.metadata.resourceVersion)]),
  );
  for (const { name, resourceVersion } of answered) {
    assert.equal(found.get(name), resourceVersion, `${name} is missing or changed`);
  }
  const highest = Math.max(0, ...answered.map((one) => one.resourceVersion));
  assert(Number(list.metadata.resourceVersion) >= highest, "resourceVersions went back");
}

/** A watch from before the crash shows every answered create since, once and in order. */
async function checkWatchResumes(
  client: Client,
  from: string,
  answered: readonly Answered[],
): Promise<void> {
  const expected = new Set(
    answered.filter((one) => one.resourceVersion > Number(from)).map((one) => one.name),
  );
  const watch = await client.watch(configMaps, {
    namespace: "default",
    resourceVersion: from,
    timeoutSeconds: 20,
  });
  const seen = new Set<string>();
  let last = Number(from);
  for await (const batch of watch) {
    for (const { type, object } of batch) {
      assert.equal(type, "ADDED");
      const version = Number(object.metadata.resourceVersion);
      assert(version > last, "events out of order or repeated");
      last = version;
      seen.add(object.metadata.name!);
    }
    if ([...expected].every((name) => seen.has(name))) break;
  }
  watch.close();
  assert.deepEqual([...expected].filter((name) => !seen.has(name)), []);
}
