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

function formatTable({ commit, dataItems, date, deno, machine }: BenchResult): string {
  const peer = dataItems.some((item) => item.labels.Peer !== undefined);
  const head = peer
    ? "| what | Balsa | peer | ratio |\n|---|---|---|---|"
    : "| what | |\n|---|---|";
  const rows = dataItems.map(({ data, labels, unit }) => {
    const value = `${formatNumber(data.Perc50 ?? data.Average)} ${unit}`;
    if (!peer) return `| ${labels.Name} | ${value} |`;
    const other = data.Peer === undefined ? "" : `${formatNumber(data.Peer)} ${unit}`;
    const ratio = data.Ratio === undefined ? "" : `${data.Ratio.toFixed(2)}×`;
    return `| ${labels.Name} | ${value} | ${other} | ${ratio} |`;
  });
  const peerName = dataItems.find((item) => item.labels.Peer !== undefined)?.labels.Peer;
  const against = peerName === undefined ? "" : ` Peer: ${peerName}.`;
  const where = `${machine.cores} cores (${machine.cpu}), ${machine.memoryGib} GiB, Deno ${deno}`;
  return `${head}\n${rows.join("\n")}\n\n${where}; commit ${commit}, ${date}. Medians.${against}\n`;
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
