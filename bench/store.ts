/**
 * Claim: the store answers several times as many requests a second as etcd, both with fsync on.
 * In: --peer PATH, --only ID[,ID], --quick, --json FILE, --samples N. Out: a table with both sides
 * and the ratio of their medians, and bench/results/store.json.
 * Never: compares numbers of two runs: the sides alternate, each sample on fresh data.
 */
import { ensureTools, toolPath } from "../tests/system/tools.ts";
import { readFlags } from "./flags.ts";
import { type DataItem, printTable, summarize, writeResult } from "./result.ts";
import type { ThreadUse } from "./store_metrics.ts";
import { type Figure, LOAD_ROWS, type Row, type Scale } from "./store_rows.ts";
import { SIZE_ROWS } from "./store_size.ts";
import { STREAM_ROWS } from "./store_streams.ts";
import { balsaSide, etcdSide, etcdVersion, Servers, type Side } from "./store_servers.ts";

/** Puts a second of the latency row, when the same run did not measure the peer's own most. */
const USUAL_RATE = 15_000;
const FULL: Scale = {
  isQuick: false,
  seconds: 4,
  keys: 1_000_000,
  watchers: 1_000,
  leases: 10_000,
  rate: USUAL_RATE,
};
export const QUICK: Scale = {
  isQuick: true,
  seconds: 1,
  keys: 20_000,
  watchers: 50,
  leases: 200,
  rate: 1_000,
};
/** Samples of a row, unless it takes fewer. */
const FULL_SAMPLES = 5;

const ROWS: readonly Row[] = [...LOAD_ROWS, ...STREAM_ROWS, ...SIZE_ROWS];

export interface StoreBenchOptions {
  readonly scale: Scale;
  readonly samples: number;
  /** Path of an etcd; without it only Balsa is measured. */
  readonly peer: string | null;
  readonly only: readonly string[];
  readonly say: (line: string) => void;
}

/** Runs the rows asked for, all without `only`. @returns one item a row */
export async function benchStore(options: StoreBenchOptions): Promise<DataItem[]> {
  const { only, peer, say } = options;
  let { scale } = options;
  const unknown = only.filter((id) => !ROWS.some((row) => row.id === id));
  if (unknown.length > 0) {
    throw new Error(`no row ${unknown.join(", ")}; rows: ${ROWS.map(({ id }) => id).join(" ")}`);
  }
  const peerName = peer === null ? null : await etcdVersion(peer);
  const sides = [balsaSide(), ...(peer === null ? [] : [etcdSide(peer)])];
  const items: DataItem[] = [];
  for (const row of ROWS) {
    if (only.length > 0 && !only.includes(row.id)) continue;
    let found: RowSamples;
    try {
      found = await measureRow(row, sides, { ...options, scale });
    } catch (error) {
      // The other rows still count; this one is missing from the result.
      say(`${row.id} failed: ${error instanceof Error ? error.message : String(error)}`);
      continue;
    }
    const [ours, theirs] = found.samples;
    for (const [i, figure] of row.figures.entries()) {
      const values = { ours: ours.map((one) => one[i]), theirs: theirs?.map((one) => one[i]) };
      const name = nameOf(figure, { row, scale, samples: ours.length });
      const item = itemOf({ ...figure, name }, { ...values, peerName, thread: found.thread });
      const { Perc50, Peer, Ratio } = item.data;
      const against = Ratio === undefined
        ? ""
        : `, ${peerName} ${round(Peer)}: ${Ratio.toFixed(2)}× (aim ${figure.aim})`;
      say(`${name}: ${round(Perc50)} ${figure.unit}${against}`);
      items.push(item);
    }
    const most = items.at(-row.figures.length)?.data.Peer;
    if (row.id === "put" && most !== undefined) scale = { ...scale, rate: Math.round(most / 2) };
    say(`  our thread: ${formatThread(found.thread)}`);
  }
  return items;
}

/** A name says when it is not the full measurement, for a file may outlive its command line. */
function nameOf(
  { name }: Figure,
  { row, scale, samples }: { readonly row: Row; readonly scale: Scale; readonly samples: number },
): string {
  const full = typeof name === "string" ? name : name(scale);
  const fewer = samples < Math.min(FULL_SAMPLES, row.maxSamples ?? FULL_SAMPLES);
  const counted = fewer ? `${full}, ${samples} sample${samples === 1 ? "" : "s"}` : full;
  return scale.isQuick ? `Quick run, no result: ${counted}` : counted;
}

interface RowSamples {
  /** By side. */
  readonly samples: (readonly number[])[][];
  readonly thread: ThreadUse;
}

/** Samples of each side, taken in turns. */
async function measureRow(
  row: Row,
  sides: readonly Side[],
  { scale, samples }: StoreBenchOptions,
): Promise<RowSamples> {
  const found: (readonly number[])[][] = sides.map(() => []);
  const threads: ThreadUse[] = [];
  for (let sample = 0; sample < Math.min(samples, row.maxSamples ?? samples); sample++) {
    for (const [i, side] of sides.entries()) {
      const servers = await Servers.start(side, { members: row.members, flags: row.flags ?? [] });
      try {
        found[i].push(await row.measure(servers, scale));
      } finally {
        await servers.stop();
      }
      threads.push(...servers.threadUse);
    }
  }
  const most = (of: (use: ThreadUse) => number) => Math.max(...threads.map(of));
  return {
    samples: found,
    thread: {
      longestStall: most((use) => use.longestStall),
      running: most((use) => use.running),
      syncing: most((use) => use.syncing),
    },
  };
}

function itemOf(
  figure: Figure & { readonly name: string },
  { ours, theirs, peerName, thread }: {
    readonly ours: readonly number[];
    readonly theirs: readonly number[] | undefined;
    readonly peerName: string | null;
    readonly thread: ThreadUse;
  },
): DataItem {
  const data: Record<string, number> = {
    ...summarize(ours),
    LongestStallMillis: thread.longestStall,
    ThreadRunning: thread.running,
    ThreadSyncing: thread.syncing,
  };
  const labels = { Name: figure.name, Samples: String(ours.length) };
  if (theirs === undefined || peerName === null) return { data, unit: figure.unit, labels };
  const Peer = summarize(theirs).Perc50;
  return {
    data: { ...data, Peer, Ratio: data.Perc50 / Peer },
    unit: figure.unit,
    labels: { ...labels, Peer: peerName },
  };
}

/** What binds a row: the thread where it ran all the time, else the disk or the client. */
function formatThread({ longestStall, running, syncing }: ThreadUse): string {
  const percent = (part: number) => `${Math.round(part * 100)} %`;
  return `${percent(running)} running, ${percent(syncing)} waiting for syncs, ` +
    `longest stall ${round(longestStall)} ms`;
}

function round(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3);
}

if (import.meta.main) {
  const values = readFlags({
    peer: { type: "string" },
    only: { type: "string", default: "" },
    quick: { type: "boolean", default: false },
    samples: { type: "string" },
    json: { type: "string" },
  });
  await ensureTools(console.log);
  const only = values.only.split(",").filter((id) => id !== "");
  const items = await benchStore({
    scale: values.quick ? QUICK : FULL,
    samples: Number(values.samples ?? (values.quick ? 1 : FULL_SAMPLES)),
    peer: values.peer ?? toolPath("etcd-3.5"),
    only,
    say: console.log,
  });
  printTable([
    ["what", "Balsa", "peer", "ratio", "unit", "longest stall, ms"],
    ...items.map(({ data, labels, unit }) => [
      labels.Name,
      round(data.Perc50),
      data.Peer === undefined ? "" : round(data.Peer),
      data.Ratio === undefined ? "" : data.Ratio.toFixed(2),
      unit,
      round(data.LongestStallMillis),
    ]),
  ]);
  // A part of the rows, or small ones, do not replace the whole result unless a file is named.
  if (values.json !== undefined || (only.length === 0 && !values.quick)) {
    console.log(`written to ${await writeResult("store", items, values.json)}`);
  }
}
