/**
 * The command that simulates the store: `deno task sim`.
 * In: `--seeds N` runs from `--seed S` (default 1) on, `--members M` (1, 3 or 5; default by seed),
 * `--faults all|none|kind,kind`, `--minutes T` (simulated, default 1), `--trace` (one seed, what
 * happens line by line). Out: progress every few seconds, each failure with the command that
 * replays it, what was covered, how fast; exit code 1 on a failure.
 * Never: writes a file or opens a socket.
 */
import process from "node:process";
import { Coverage } from "./coverage.ts";
import { type FaultKind, FAULTS } from "./world/faults.ts";
import { replayCommand, type RunOptions, runSeed } from "./run.ts";
import { runPool } from "./seed_pool.ts";

interface Arguments {
  readonly seeds: number;
  readonly seed: number;
  readonly members: number | null;
  readonly faults: readonly FaultKind[];
  readonly minutes: number;
  readonly trace: boolean;
}

const USAGE = "--seeds N --seed S --members M --faults all|none|LIST --minutes T --trace";

/** @returns the arguments, or what is wrong with them */
function parseArguments(args: readonly string[]): Arguments | string {
  const values = new Map<string, string>();
  for (let i = 0; i < args.length; i++) {
    const name = args[i];
    if (!["--seeds", "--seed", "--members", "--faults", "--minutes", "--trace"].includes(name)) {
      return `unknown argument ${name}; known are ${USAGE}`;
    }
    if (name === "--trace") values.set(name, "yes");
    else if (i + 1 < args.length) values.set(name, args[++i]);
    else return `${name} needs a value`;
  }
  const number = (name: string, otherwise: number) => Number(values.get(name) ?? otherwise);
  const seeds = number("--seeds", 1);
  const seed = number("--seed", 1);
  const minutes = number("--minutes", 1);
  const members = values.has("--members") ? number("--members", 3) : null;
  if (!(seeds >= 1) || !(seed >= 0) || !(minutes > 0)) return `not a number; ${USAGE}`;
  if (members !== null && !(members >= 1 && members <= 7)) return "--members must be 1 to 7";
  const list = values.get("--faults") ?? "all";
  const wanted = list === "all" ? [...FAULTS] : list === "none" ? [] : list.split(",");
  const unknown = wanted.filter((kind) => !FAULTS.includes(kind as FaultKind));
  if (unknown.length > 0) return `--faults knows ${FAULTS.join()}, not ${unknown.join()}`;
  const faults = wanted as FaultKind[];
  return { seeds, seed, members, faults, minutes, trace: values.has("--trace") };
}

/** Every seed has its own size of cluster unless one is asked for. */
function membersOf(seed: number): number {
  return seed % 4 === 0 ? 5 : 3;
}

function* runsOf(args: Arguments): Generator<RunOptions> {
  for (let seed = args.seed; seed < args.seed + args.seeds; seed++) {
    const { faults, minutes } = args;
    yield { seed, members: args.members ?? membersOf(seed), faults, minutes };
  }
}

async function traceOne(args: Arguments): Promise<boolean> {
  const [options] = runsOf({ ...args, seeds: 1 });
  const outcome = await runSeed({ ...options, trace: (line) => console.log(line) });
  console.log(outcome.kind === "failed" ? `FAILED ${outcome.problem}` : outcome.digest);
  return outcome.kind === "passed";
}

const PROGRESS_SECONDS = 5;

async function runAll(args: Arguments): Promise<boolean> {
  const total = new Coverage();
  const started = performance.now();
  const elapsed = () => (performance.now() - started) / 1000;
  const hours = () => total.simulatedMillis / 3_600_000;
  let failed = 0;
  let toldAt = 0;
  await runPool(runsOf(args), {
    threads: Math.min(args.seeds, navigator.hardwareConcurrency),
    onResult({ seed, coverage, failure }) {
      total.add(coverage);
      if (failure !== null) {
        failed++;
        console.log(`seed ${seed} FAILED: ${failure.problem}\n  replay: ${failure.replay}`);
      }
      if (elapsed() - toldAt >= PROGRESS_SECONDS) {
        toldAt = elapsed();
        console.log(
          `${total.runs} of ${args.seeds} seeds, ${failed} failed, ` +
            `${hours().toFixed(2)} simulated hours, ${toldAt.toFixed(0)} s`,
        );
      }
      return failed < 10;
    },
  });
  const { user, system } = process.cpuUsage();
  const cpuSeconds = (user + system) / 1e6;
  console.log(`${total.runs} runs, ${failed} failed; covered:\n${total.format()}`);
  console.log(
    `${hours().toFixed(2)} simulated hours in ${elapsed().toFixed(1)} s: ` +
      `${(3600 * hours() / elapsed()).toFixed(0)} simulated hours per wall hour, ` +
      `${(cpuSeconds / hours()).toFixed(1)} CPU seconds per simulated hour`,
  );
  return failed === 0;
}

const args = parseArguments(Deno.args);
if (typeof args === "string") {
  console.error(args);
  Deno.exit(2);
}
const [first] = runsOf(args);
if (args.seeds === 1) console.log(replayCommand(first));
const passed = args.trace ? await traceOne(args) : await runAll(args);
Deno.exit(passed ? 0 : 1);
