/**
 * Claim: the API server answers several times as many requests as kube-apiserver with etcd does.
 * In: --only NAME, --quick, --json FILE, --peer-kubeconfig FILE of a cluster to compare with.
 * Out: a table and bench/results/apiserver.json: throughput, p99 of requests, memory, ratios.
 * Never: shares the server's process: `balsa up` runs on its own, over HTTPS, HTTP/2, bearer token,
 * with a durable store; with a peer both sides take turns in one run.
 */
import { join } from "node:path";
import { freePort } from "../tests/free_port.ts";
import { makeDataDir, startCluster } from "../tests/system/cluster.ts";
import { ensureTools } from "../tests/system/tools.ts";
import { readKubeconfig, withKubeconfig } from "./apiserver/peer.ts";
import {
  API_ROWS,
  type ApiRow,
  type ApiScale,
  clean,
  type Measured,
  prepare,
  type Side,
} from "./apiserver/rows.ts";
import { readFlags } from "./flags.ts";
import { residentBytes } from "./process_usage.ts";
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
    options.say(`${describe(item)} (at least ${row.atLeast})`);
    items.push(item);
  }
  return items;
}

/** `name: 25.0 requests/s, p99 3.1 ms, 120 MB, peer 5.0: 5.00×` */
function describe({ data, labels, unit }: DataItem): string {
  const { Peer, Ratio, LatencyPerc99, ResidentMb, Perc50 } = data;
  return [
    `${labels.Name}: ${Perc50.toFixed(1)} ${unit}`,
    ...(LatencyPerc99 === undefined ? [] : [`p99 ${LatencyPerc99.toFixed(1)} ms`]),
    ...(ResidentMb === undefined ? [] : [`${ResidentMb.toFixed(0)} MB`]),
    ...(Peer === undefined ? [] : [`peer ${Peer.toFixed(1)}: ${Ratio.toFixed(2)}×`]),
  ].join(", ");
}

async function measure(row: ApiRow, options: ApiBenchOptions): Promise<DataItem> {
  const ours: Sample[] = [];
  const theirs: Sample[] = [];
  const measured = async (peer: Side | null) => {
    for (let sample = 0; sample < options.samples; sample++) {
      ours.push(await withOwnSide(row, options.scale));
      if (peer !== null) theirs.push(await sampleOf(row, peer, options.scale));
    }
  };
  const { peerKubeconfig } = options;
  if (peerKubeconfig === null || row.ownOnly) await measured(null);
  else await withKubeconfig(peerKubeconfig, measured);
  const data = summarizeSamples(ours);
  const labels = { Name: row.name };
  if (theirs.length === 0) return { data, unit: row.unit, labels };
  const { Perc50: Peer, LatencyPerc99 } = summarizeSamples(theirs);
  const Ratio = row.lessIsBetter ? Peer / data.Perc50 : data.Perc50 / Peer;
  const against = {
    Peer,
    Ratio,
    ...(LatencyPerc99 > 0 ? { PeerLatencyPerc99: LatencyPerc99 } : {}),
  };
  return { data: { ...data, ...against }, unit: row.unit, labels: { ...labels, Peer: "peer" } };
}

/** One run of one row on one side. */
interface Sample extends Measured {
  /** Of the server afterwards, where its process is known. */
  readonly residentMb?: number;
}

async function sampleOf(row: ApiRow, side: Side, scale: ApiScale): Promise<Sample> {
  await prepare(side);
  const measured = await row.measure(side, scale);
  const residentMb = side.pid === null ? undefined : residentBytes(side.pid) / 1e6;
  // A server of our own is gone after its sample; another keeps what it is left.
  if (side.pid === null) await clean(side);
  return { ...measured, residentMb };
}

/** The row's value, with the worst p99 and the most memory of all samples beside it. */
function summarizeSamples(samples: readonly Sample[]): Record<string, number> {
  const most = (values: readonly (number | undefined)[]) =>
    Math.max(0, ...values.map((value) => value ?? 0));
  const LatencyPerc99 = most(samples.map(({ p99Millis }) => p99Millis));
  const ResidentMb = most(samples.map(({ residentMb }) => residentMb));
  return {
    ...summarize(samples.map(({ value }) => value)),
    ...(LatencyPerc99 > 0 ? { LatencyPerc99 } : {}),
    ...(ResidentMb > 0 ? { ResidentMb } : {}),
  };
}

/** A fresh `balsa up` for one sample. */
async function withOwnSide(row: ApiRow, scale: ApiScale): Promise<Sample> {
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
    const { server, ca } = await readKubeconfig(cluster.kubeconfig);
    const side = { name: "Balsa", server, ca, token: TOKEN, pid: cluster.pid };
    return await sampleOf(row, side, scale);
  } finally {
    await cluster.stop();
    await Deno.remove(dataDir, { recursive: true });
  }
}

if (import.meta.main) {
  const values = readFlags({
    only: { type: "string", default: "" },
    quick: { type: "boolean", default: false },
    samples: { type: "string", default: "3" },
    json: { type: "string" },
    "peer-kubeconfig": { type: "string" },
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
    ["what", "median", "unit", "p99 ms", "MB", "peer", "ratio"],
    ...items.map(({ data, labels, unit }) => [
      ...[labels.Name, data.Perc50.toFixed(1), unit],
      ...[data.LatencyPerc99, data.ResidentMb, data.Peer].map((one) => one?.toFixed(1) ?? "-"),
      data.Ratio?.toFixed(2) ?? "-",
    ]),
  ]);
  console.log(`written to ${await writeResult("apiserver", items, values.json)}`);
}
