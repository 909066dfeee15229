/**
 * What a bench found, as data: the shape of kube-scheduler's scheduler_perf results.
 * In: items with numbers and labels. Out: a JSON file with machine, commit and time beside them.
 * Never: rounds away what was measured; tables are made from these files alone.
 */
import { join } from "node:path";

export interface DataItem {
  /** Average, Perc50, Perc90, Perc99, Min, Max, … in `unit`. */
  readonly data: Readonly<Record<string, number>>;
  readonly unit: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface BenchResult {
  readonly version: "v1";
  readonly machine: { readonly cpu: string; readonly cores: number; readonly memoryGib: number };
  readonly commit: string;
  readonly deno: string;
  readonly date: string;
  readonly dataItems: readonly DataItem[];
}

const RESULTS = join(import.meta.dirname!, "results");

/** min, median, p99 and max of samples. @param samples at least one number */
export function summarize(samples: readonly number[]): Record<string, number> {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (part: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
  return {
    Average: samples.reduce((sum, one) => sum + one, 0) / samples.length,
    Min: sorted[0],
    Perc50: at(0.5),
    Perc90: at(0.9),
    Perc99: at(0.99),
    Max: sorted[sorted.length - 1],
  };
}

/** Writes `results/<name>.json`, or the file asked for. @returns its path. */
export async function writeResult(
  name: string,
  dataItems: readonly DataItem[],
  file = join(RESULTS, `${name}.json`),
): Promise<string> {
  const result: BenchResult = {
    version: "v1",
    machine: {
      cpu: /^model name\s*:\s*(.+)$/m.exec(await Deno.readTextFile("/proc/cpuinfo"))?.[1] ?? "?",
      cores: navigator.hardwareConcurrency,
      memoryGib: Math.round(Deno.systemMemoryInfo().total / 2 ** 30),
    },
    commit: await gitCommit(),
    deno: Deno.version.deno,
    date: new Date().toISOString().slice(0, 10),
    dataItems,
  };
  await Deno.writeTextFile(file, `${JSON.stringify(result, null, 2)}\n`);
  return file;
}

async function gitCommit(): Promise<string> {
  try {
    const args = ["rev-parse", "--short", "HEAD"];
    const output = await new Deno.Command("git", { args, cwd: RESULTS }).output();
    return new TextDecoder().decode(output.stdout).trim();
  } catch {
    return "unknown";
  }
}

/** Prints rows as an aligned table. */
export function printTable(rows: readonly (readonly string[])[]): void {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows) {
    console.log(row.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd());
  }
}
