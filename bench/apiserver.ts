/**
 * Claim: the API server answers several times as many requests as kube-apiserver with etcd does.
 * In: --only NAME, --quick, --json FILE, --peer-kubeconfig FILE (a cluster whose user has a token).
 * Out: a table and bench/results/apiserver.json: throughput, latency, memory.
 * Never: shares the server's process: `balsa up` runs on its own, over HTTPS, HTTP/2, bearer token,
 * with a durable store; with a peer both sides take turns in one run.
 */
import { parseArgs } from "node:util";
import { join } from "node:path";
import { parse } from "yaml";
import { freePort, makeDataDir, startCluster } from "../tests/system/cluster.ts";
import { ensureTools } from "../tests/system/tools.ts";
import { API_ROWS, type ApiRow, type ApiScale, type Side } from "./apiserver_rows.ts";
import { type DataItem, printTable, summarize, writeResult } from "./result.ts";

const FULL: ApiScale = {
  seconds: 5,
  listed: 12_000,
  watches: 1_000,
  leaseNodes: 5_000,
  crowd: 100_000,
};
/** Small enough for a test that keeps the bench from rotting. */
export const QUICK: ApiScale = {
  seconds: 1,
  listed: 500,
  watches: 20,
  leaseNodes: 50,
  crowd: 1_000,
};
const TOKEN = "bench-token";

export interface ApiBenchOptions {
  readonly scale: ApiScale;
  readonly samples: number;
  readonly only: readonly string[];
  /** Kubeconfig of a cluster to compare with. */
  readonly peerKubeconfig: string | null;
  readonly say: (line: string) => void;
}

/** Runs the rows asked for, all without `only`. */
export async function benchApiserver(options: ApiBenchOptions): Promise<DataItem[]> {
  const rows = API_ROWS.filter(({ id }) => options.only.length === 0 || options.only.includes(id));
  if (rows.length === 0) {
    throw new Error(`no such row; rows: ${API_ROWS.map(({ id }) => id).join(" ")}`);
  }
  const items: DataItem[] = [];
  for (const row of rows) {
    const item = await measure(row, options);
    const { Peer, Perc50, Ratio } = item.data;
    const against = Peer === undefined ? "" : `, peer ${Peer.toFixed(1)}: ${Ratio.toFixed(2)}×`;
    options.say(
      `${row.name}: ${Perc50.toFixed(1)} ${row.unit}${against} (at least ${row.atLeast})`,
    );
    items.push(item);
  }
  return items;
}

async function measure(row: ApiRow, options: ApiBenchOptions): Promise<DataItem> {
  const ours: number[] = [];
  const theirs: number[] = [];
  const peer = options.peerKubeconfig === null || row.ownOnly
    ? null
    : await sideOfKubeconfig(options.peerKubeconfig);
  for (let sample = 0; sample < options.samples; sample++) {
    ours.push(await withOwnSide(row, options.scale));
    if (peer !== null) theirs.push(await row.measure(peer, options.scale));
  }
  const data = summarize(ours);
  const labels = { Name: row.name };
  if (peer === null) return { data, unit: row.unit, labels };
  const Peer = summarize(theirs).Perc50;
  const Ratio = row.lessIsBetter ? Peer / data.Perc50 : data.Perc50 / Peer;
  return { data: { ...data, Peer, Ratio }, unit: row.unit, labels: { ...labels, Peer: peer.name } };
}

/** A fresh `balsa up` for one sample. */
async function withOwnSide(row: ApiRow, scale: ApiScale): Promise<number> {
  const dataDir = await makeDataDir();
  const tokens = join(dataDir, "tokens.csv");
  await Deno.writeTextFile(tokens, `${TOKEN},bench,1,"system:masters"\n`, { mode: 0o600 });
  const hollow = String(row.hollowNodes?.(scale) ?? 0);
  const cluster = await startCluster({
    dataDir,
    port: freePort(),
    flags: ["--cri", "none", "--hollow-nodes", hollow, "--token-auth-file", tokens],
  });
  try {
    const side = await sideOfKubeconfig(cluster.kubeconfig, TOKEN);
    return await row.measure({ ...side, name: "Balsa", pid: cluster.pid }, scale);
  } finally {
    await cluster.stop();
    await Deno.remove(dataDir, { recursive: true });
  }
}

async function sideOfKubeconfig(path: string, token?: string): Promise<Side> {
  const config = parse(await Deno.readTextFile(path));
  const found = token ?? config.users[0].user.token;
  if (found === undefined) throw new Error(`${path}: its user has no token, which h2load needs`);
  const { server, "certificate-authority-data": ca } = config.clusters[0].cluster;
  return { name: "peer", server, ca: atob(ca), token: found, pid: null };
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      only: { type: "string", default: "" },
      quick: { type: "boolean", default: false },
      samples: { type: "string", default: "3" },
      json: { type: "string" },
      "peer-kubeconfig": { type: "string" },
    },
  });
  await ensureTools(console.log);
  const items = await benchApiserver({
    scale: values.quick ? QUICK : FULL,
    samples: Number(values.samples),
    only: values.only.split(",").filter((id) => id !== ""),
    peerKubeconfig: values["peer-kubeconfig"] ?? null,
    say: console.log,
  });
  printTable([
    ["what", "median", "unit"],
    ...items.map(({ data, labels, unit }) => [labels.Name, data.Perc50.toFixed(1), unit]),
  ]);
  console.log(`written to ${await writeResult("apiserver", items, values.json)}`);
}
