/**
 * Makes the README's tables from bench/results, between `<!-- bench:NAME -->` marks.
 * In: results/NAME.json of each mark. Out: README.md rewritten; `tables()` for the test that holds
 * the two together. Never: measures, or touches a word outside the marks.
 */
import { join } from "node:path";
import type { BenchResult, DataItem } from "./result.ts";

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

function formatTable(result: BenchResult): string {
  const has = (metric: string) => result.dataItems.some(({ labels }) => labels.Metric === metric);
  if (has("SchedulingThroughput")) return formatScheduling(result);
  if (has("decide")) return formatDecisions(result);
  const { dataItems } = result;
  const peerName = dataItems.find((item) => item.labels.Peer !== undefined)?.labels.Peer;
  const head = peerName === undefined
    ? "| what | |\n|---|---|"
    : "| what | Balsa | peer | ratio |\n|---|---|---|---|";
  const rows = dataItems.map(({ data, labels, unit }) => {
    const value = `${formatNumber(data.Perc50 ?? data.Average)} ${unit}`;
    const client = clientOf(labels);
    if (peerName === undefined) return `| ${labels.Name}${client} | ${value} |`;
    const other = data.Peer === undefined ? "" : `${formatNumber(data.Peer)} ${unit}`;
    const ratio = data.Ratio === undefined ? "" : `${data.Ratio.toFixed(2)}×`;
    return `| ${labels.Name} | ${value} | ${other} | ${ratio} |`;
  });
  const against = peerName === undefined ? "" : ` Peer: ${peerName}.`;
  return `${head}\n${rows.join("\n")}\n\n${placeOf(result)} Medians.${against}\n`;
}

function clientOf({ Client, ClientThread }: DataItem["labels"]): string {
  if (Client !== "https") return "";
  return ClientThread === "own" ? ", over HTTPS from a thread of its own" : ", over HTTPS";
}

function placeOf({ commit, date, deno, machine }: BenchResult): string {
  const where = `${machine.cores} cores (${machine.cpu}), ${machine.memoryGib} GiB, Deno ${deno}`;
  return `${where}; commit ${commit}, ${date}.`;
}

/** @returns the figure of another metric of the same run, "" when it was not measured */
function besides({ dataItems }: BenchResult, { labels }: DataItem) {
  return (metric: string, show: (data: DataItem["data"]) => string): string => {
    const found = dataItems.find((item) =>
      item.labels.Name === labels.Name && item.labels.Client === labels.Client &&
      item.labels.Metric === metric
    );
    return found === undefined ? "" : show(found.data);
  };
}

/** A throughput is the mean over its run, as scheduler_perf judges it. */
function formatScheduling(result: BenchResult): string {
  const rows = result.dataItems.filter(({ labels }) => labels.Metric === "SchedulingThroughput")
    .map((item) => {
      const { data, labels } = item;
      const of = besides(result, item);
      const client = clientOf(labels);
      const seconds = [data.Perc50, data.Perc90, data.Perc99].map(formatNumber).join(" / ");
      const attempt = of(
        "SchedulingAttemptDuration",
        ({ Perc50, Perc99 }) => `${formatNumber(Perc50)} / ${formatNumber(Perc99)}`,
      );
      const evaluations = of("NodeEvaluationsPerCore", ({ Average }) => formatMillions(Average));
      const memory = of("PeakMemory", ({ Average }) => formatNumber(Average));
      const name = `${labels.Name}${client}`;
      const { Average, SlowestSample, FastestSample } = data;
      const spread = SlowestSample === undefined
        ? ""
        : ` (${formatNumber(SlowestSample)}–${formatNumber(FastestSample)})`;
      const mean = formatNumber(Average) + spread;
      return `| ${name} | ${mean} | ${seconds} | ${attempt} | ${evaluations} | ${memory} |`;
    });
  const head = "| workload | pods/s | by second, p50 / p90 / p99 | attempt ms, p50 / p99 " +
    "| million nodes/s a core | MiB |\n|---|---|---|---|---|---|";
  return `${head}\n${rows.join("\n")}\n\n${placeOf(result)} ` +
    "The median of three runs (slowest–fastest); each figure is the mean over its run.\n";
}

function formatDecisions(result: BenchResult): string {
  const nodes = result.dataItems.find(({ labels }) => labels.Nodes !== undefined)?.labels.Nodes;
  const rows = result.dataItems.flatMap(({ data, labels, unit }) => {
    const { Name, Metric } = labels;
    const value = `${formatNumber(data.Perc50)} ${unit}`;
    if (Metric === "plan") return [];
    if (Metric !== "decide") return [`| ${Name}, ${Metric} | ${value} | | |`];
    const rate = formatNumber(1e6 / data.Perc50);
    const evaluations = formatMillions(Number(nodes ?? 5000) * 1e6 / data.Perc50);
    return [`| ${Name} | ${value} | ${rate} | ${evaluations} |`];
  });
  const head = "| pods | a decision | decisions/s | million nodes/s a core |\n|---|---|---|---|";
  return `${head}\n${rows.join("\n")}\n\n${placeOf(result)} Medians.\n`;
}

function formatMillions(value: number): string {
  return formatNumber(value / 1e6);
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
