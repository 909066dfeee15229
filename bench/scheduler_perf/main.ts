/**
 * Claim: pods a second that the scheduler binds through the API server and a durable store.
 * In: --workload NAME (or a prefix; repeatable), --client direct|https, --samples N, --json FILE.
 * Out: a table and bench/results/scheduler.json, rows as kube-scheduler's scheduler_perf writes
 * them; of several samples the median run.
 * Never: runs two workloads in one process, where one would inherit the other's heap.
 */
import type { UserInfo } from "../../agents/api/meta.ts";
import { createInProcessClient } from "../../agents/client/in_process.ts";
import { readFlags } from "../flags.ts";
import { type BenchResult, type DataItem, printTable, writeResult } from "../result.ts";
import { runClients } from "./clients.ts";
import { runClientsThread } from "./clients_thread.ts";
import { NotServed } from "./executor.ts";
import { Meters } from "./meters.ts";
import { medianSample } from "./samples.ts";
import { startServer } from "./server.ts";
import { type Selected, selectWorkloads } from "./workload.ts";
import { TEST_CASES } from "./workloads/mod.ts";

/**
 * How everything talks to the API server: by direct calls in its thread, or over HTTPS on loopback
 * from another thread of the process.
 */
export type ClientKind = "direct" | "https";

/** Runs one workload on a server of its own. */
export async function runWorkload(
  selected: Selected,
  client: ClientKind,
): Promise<readonly DataItem[]> {
  const server = await startServer();
  const { api } = server;
  try {
    if (client === "https") {
      const items = await runClientsThread(selected.name, { api, port: await api.listen() });
      return withLabels(items, { Client: client, ClientThread: "own" });
    }
    const clientOf = (user: UserInfo) => createInProcessClient({ port: api.port, user });
    const items = await runClients(selected, clientOf, new Meters());
    return withLabels(items, { Client: client });
  } finally {
    await server.close();
  }
}

function withLabels(items: readonly DataItem[], more: DataItem["labels"]): readonly DataItem[] {
  return items.map((item) => ({ ...item, labels: { ...item.labels, ...more } }));
}

/** One run that was asked for. */
interface Run {
  readonly selected: Selected;
  readonly client: ClientKind;
}

/** Without names, every workload that has a floor, over HTTPS too where it has one for that. */
function chosen(patterns: readonly string[], client: ClientKind): Run[] {
  if (patterns.length > 0) {
    return patterns.flatMap((pattern) => selectWorkloads(TEST_CASES, pattern))
      .map((selected) => ({ selected, client }));
  }
  return TEST_CASES.flatMap(({ name }) => selectWorkloads(TEST_CASES, name))
    .flatMap((selected): Run[] => [
      ...(selected.workload.floor === undefined ? [] : [{ selected, client: "direct" as const }]),
      ...(selected.workload.httpsFloor === undefined
        ? []
        : [{ selected, client: "https" as const }]),
    ]);
}

/** Runs one workload in a process of its own. @returns its rows, null when it can't run here. */
async function runApart(name: string, client: ClientKind): Promise<readonly DataItem[] | null> {
  const json = await Deno.makeTempFile({ suffix: ".json" });
  try {
    const { code } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", import.meta.filename!, "--workload", name, "--client", client]
        .concat("--samples", "1", "--json", json),
      stdin: "null",
    }).spawn().status;
    if (code !== 0) return null;
    return (JSON.parse(await Deno.readTextFile(json)) as BenchResult).dataItems;
  } finally {
    await Deno.remove(json);
  }
}

function report(items: readonly DataItem[]): void {
  const find = (row: DataItem, metric: string) =>
    items.find(({ labels: { Name, Client, Metric } }) =>
      Name === row.labels.Name && Client === row.labels.Client && Metric === metric
    )?.data;
  const number = (value = NaN, digits = 0) => Number.isNaN(value) ? "-" : value.toFixed(digits);
  const rows = items.filter(({ labels }) => labels.Metric === "SchedulingThroughput");
  printTable([
    [
      "workload",
      "client",
      "pods/s",
      "p50",
      "p90",
      "p99",
      "floor",
      "attempt p50/p99 ms",
      "stall ms",
      "CPU µs",
      "Mnodes/s/core",
      "MiB",
    ],
    ...rows.map((row) => {
      const { data, labels: { Name, Client } } = row;
      const attempt = find(row, "SchedulingAttemptDuration");
      const { workload } = selectWorkloads(TEST_CASES, Name.slice(0, Name.lastIndexOf("/")))[0];
      return [
        Name,
        Client,
        number(data.Average),
        number(data.Perc50),
        number(data.Perc90),
        number(data.Perc99),
        number(Client === "https" ? workload.httpsFloor : workload.floor),
        `${number(attempt?.Perc50, 1)}/${number(attempt?.Perc99, 1)}`,
        [find(row, "LongestStall"), find(row, "LongestServerStall")]
          .flatMap((data) => data === undefined ? [] : [number(data.Average)]).join("+"),
        number(find(row, "CpuPerAttempt")?.Average),
        number((find(row, "NodeEvaluationsPerCore")?.Average ?? NaN) / 1e6),
        number(find(row, "PeakMemory")?.Average),
      ];
    }),
  ]);
}

async function main(): Promise<number> {
  const values = readFlags({
    workload: { type: "string", multiple: true, default: [] },
    client: { type: "string", default: "direct" },
    samples: { type: "string", default: "3" },
    json: { type: "string" },
  });
  const { client, json } = values;
  const samples = Number(values.samples);
  if (client !== "direct" && client !== "https") {
    console.error(`--client must be direct or https, not ${client}`);
    return 2;
  }
  if (!Number.isSafeInteger(samples) || samples < 1) {
    console.error(`--samples must be a whole number from 1 on, not ${values.samples}`);
    return 2;
  }
  const runs = chosen(values.workload, client);
  if (runs.length === 0) {
    console.error(`no workload is named ${values.workload.join(", ")}`);
    return 2;
  }
  try {
    const items = runs.length === 1 && samples === 1
      ? await runWorkload(runs[0].selected, runs[0].client)
      : await runAll(runs, samples, json);
    if (items.length > 0) report(items);
    console.log(`written to ${await writeResult("scheduler", items, json)}`);
    return 0;
  } catch (error) {
    if (!(error instanceof NotServed)) throw error;
    console.error(`SKIP ${runs[0].selected.name}: ${error.message}`);
    return 1;
  }
}

/** Every run once, then every run again, so that no row has all its samples in a bad minute. */
async function runAll(
  runs: readonly Run[],
  samples: number,
  json: string | undefined,
): Promise<readonly DataItem[]> {
  const taken = runs.map((): (readonly DataItem[])[] => []);
  const medians = () => taken.flatMap((found) => found.length === 0 ? [] : medianSample(found));
  for (let sample = 1; sample <= samples; sample++) {
    for (const [index, { selected, client }] of runs.entries()) {
      const items = await runApart(selected.name, client);
      if (items === null) continue;
      taken[index].push(items);
      // A run of all takes minutes; one that is cut short keeps what it has measured.
      await writeResult("scheduler", medians(), json);
    }
  }
  return medians();
}

if (import.meta.main) Deno.exit(await main());
