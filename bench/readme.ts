/**
 * Makes the README's tables from bench/results, between `<!-- bench:NAME -->` marks.
 * In: results/NAME.json of each mark. Out: README.md rewritten; `tables()` for the test that holds
 * the two together. Never: measures, or touches a word outside the marks.
 */
import { join } from "node:path";
import type { BenchResult } from "./result.ts";

const ROOT = join(import.meta.dirname!, "..");
const MARK = /<!-- bench:([a-z_]+) -->\n[\s\S]*?<!-- \/bench:\1 -->/g;

/** @returns the README with every table made anew. Errors: throws when a result is missing. */
export function tables(readme: string): string {
  return readme.replace(MARK, (_, name: string) => {
    const path = join(ROOT, "bench/results", `${name}.json`);
    const result = JSON.parse(Deno.readTextFileSync(path)) as BenchResult;
    return `<!-- bench:${name} -->\n${formatTable(result)}<!-- /bench:${name} -->`;
  });
}

/** Of scheduler_perf's many metrics the README shows one a workload. */
const SHOWN_METRICS: readonly (string | undefined)[] = [
  undefined,
  "SchedulingThroughput",
  "decide",
];

function formatTable({ commit, date, deno, machine, ...result }: BenchResult): string {
  const dataItems = result.dataItems.filter(({ labels }) => SHOWN_METRICS.includes(labels.Metric));
  const peer = dataItems.some((item) => item.labels.Peer !== undefined);
  const head = peer
    ? "| what | Balsa | peer | ratio |\n|---|---|---|---|"
    : "| what | |\n|---|---|";
  const rows = dataItems.map(({ data, labels, unit }) => {
    // A throughput is the mean over its run, as scheduler_perf judges it.
    const isMean = labels.Metric === "SchedulingThroughput" || data.Perc50 === undefined;
    const value = `${formatNumber(isMean ? data.Average : data.Perc50)} ${unit}`;
    const client = labels.Client === "https" ? ", over HTTPS" : "";
    if (!peer) return `| ${labels.Name}${client} | ${value} |`;
    const other = data.Peer === undefined ? "" : `${formatNumber(data.Peer)} ${unit}`;
    const ratio = data.Ratio === undefined ? "" : `${data.Ratio.toFixed(2)}×`;
    return `| ${labels.Name} | ${value} | ${other} | ${ratio} |`;
  });
  const peerName = dataItems.find((item) => item.labels.Peer !== undefined)?.labels.Peer;
  const against = peerName === undefined ? "" : ` Peer: ${peerName}.`;
  const where = `${machine.cores} cores (${machine.cpu}), ${machine.memoryGib} GiB, Deno ${deno}`;
  const isThroughput = dataItems.some(({ labels }) => labels.Metric === "SchedulingThroughput");
  const kind = isThroughput ? "Means" : "Medians";
  return `${head}\n${rows.join("\n")}\n\n${where}; commit ${commit}, ${date}. ${kind}.${against}\n`;
}

function formatNumber(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString("en-US");
  return value.toPrecision(value >= 10 ? 3 : 2);
}

if (import.meta.main) {
  const path = join(ROOT, "README.md");
  Deno.writeTextFileSync(path, tables(Deno.readTextFileSync(path)));
  await new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", path] }).output();
}
