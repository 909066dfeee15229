/**
 * Claim: a cluster is ready in under 3 s, runs 1,000 replicas in under 5 s and idles at next to
 * nothing. In: --idle-seconds N, --replicas N, --json FILE. Out: a table and bench/results/up.json.
 * Never: runs in the cluster's own process; it measures `balsa up` from outside, over HTTPS, with
 * the real kubectl for the apply.
 */
import { deployments } from "../agents/api/resources.ts";
import { freePort } from "../tests/free_port.ts";
import {
  clientOf,
  Kubectl,
  makeDataDir,
  startCluster,
  type TestCluster,
} from "../tests/system/cluster.ts";
import { ensureTools } from "../tests/system/tools.ts";
import { readFlags } from "./flags.ts";
import { cpuShare, residentBytes } from "./process_usage.ts";
import { type DataItem, printTable, summarize, writeResult } from "./result.ts";

const READY_RUNS = 5;
const SETTLE_MILLIS = 5_000;

export interface UpBenchOptions {
  readonly idleSeconds: number;
  readonly replicas: number;
  readonly readyRuns: number;
  /** Cluster sizes to measure at rest. */
  readonly idleNodes: readonly number[];
}

/** Runs every part and returns what was measured. */
export async function benchUp(options: UpBenchOptions): Promise<DataItem[]> {
  const items = [await timeToReady(options.readyRuns), await applyReplicas(options.replicas)];
  for (const nodes of options.idleNodes) items.push(...await idle(nodes, options.idleSeconds));
  return items;
}

/** `balsa up` on an empty folder until it says that it is ready, in ms. */
async function timeToReady(runs: number): Promise<DataItem> {
  const samples: number[] = [];
  for (let i = 0; i < runs; i++) {
    await withCluster(3, async (_, readyMillis) => {
      samples.push(readyMillis);
      await Promise.resolve();
    });
  }
  return {
    data: summarize(samples),
    unit: "ms",
    labels: { Name: "time to ready, 3 hollow nodes" },
  };
}

/** kubectl apply of one Deployment on 100 hollow nodes until every replica is ready, in ms. */
async function applyReplicas(replicas: number): Promise<DataItem> {
  let millis = 0;
  await withCluster(100, async (cluster) => {
    const client = await clientOf(cluster);
    const kubectl = new Kubectl("kubectl-1.36", cluster);
    const started = performance.now();
    await kubectl.ok("apply -f -", deploymentOf(replicas));
    const watch = await client.watch(deployments, { namespace: "default" });
    for await (const batch of watch) {
      if (batch.some(({ object }) => object.status?.readyReplicas === replicas)) break;
    }
    millis = performance.now() - started;
    watch.close();
    client.close();
  });
  const Name = `kubectl apply of ${replicas} replicas on 100 hollow nodes, all Running`;
  return { data: summarize([millis]), unit: "ms", labels: { Name } };
}

function deploymentOf(replicas: number): string {
  return JSON.stringify({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "many" },
    spec: {
      replicas,
      selector: { matchLabels: { app: "many" } },
      template: {
        metadata: { labels: { app: "many" } },
        spec: {
          containers: [{
            name: "c",
            image: "registry.example/c:1",
            resources: { requests: { cpu: "100m", memory: "100Mi" } },
          }],
        },
      },
    },
  });
}

async function idle(nodes: number, seconds: number): Promise<DataItem[]> {
  let share = 0;
  let bytes = 0;
  await withCluster(nodes, async (cluster) => {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MILLIS));
    share = await cpuShare(cluster.pid, seconds);
    bytes = residentBytes(cluster.pid);
  });
  return [
    {
      data: { Average: share * 100 },
      unit: "% of a core",
      labels: { Name: `idle CPU, ${nodes} hollow nodes` },
    },
    {
      data: { Average: bytes / 2 ** 20 },
      unit: "MiB",
      labels: { Name: `resident memory, ${nodes} hollow nodes` },
    },
  ];
}

async function withCluster(
  nodes: number,
  measure: (cluster: TestCluster, readyMillis: number) => Promise<void>,
): Promise<void> {
  const dataDir = await makeDataDir();
  const started = performance.now();
  const flags = ["--cri", "none", "--hollow-nodes", String(nodes)];
  const cluster = await startCluster({ dataDir, port: freePort(), flags });
  try {
    await measure(cluster, performance.now() - started);
  } finally {
    await cluster.stop();
    await Deno.remove(dataDir, { recursive: true });
  }
}

if (import.meta.main) {
  const values = readFlags({
    "idle-seconds": { type: "string", default: "30" },
    replicas: { type: "string", default: "1000" },
    json: { type: "string" },
  });
  await ensureTools(console.log);
  const items = await benchUp({
    idleSeconds: Number(values["idle-seconds"]),
    replicas: Number(values.replicas),
    readyRuns: READY_RUNS,
    idleNodes: [3, 1000],
  });
  printTable([
    ["what", "median", "unit"],
    ...items.map(({ data, labels, unit }) => [
      labels.Name,
      (data.Perc50 ?? data.Average).toFixed(1),
      unit,
    ]),
  ]);
  console.log(`written to ${await writeResult("up", items, values.json)}`);
}
