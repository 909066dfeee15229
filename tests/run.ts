/**
 * The whole check of the project, in one command: set-up, format, lint, types, tests.
 * In: the source tree; BALSA_FORBID_SKIPS=1 turns a skip into a failure. Out: each step with its
 * time, and a last line `N passed, M failed`; exit code 1 on any failure.
 * Never: changes a source file.
 */
import { join } from "node:path";
import { projectRoot } from "./source_tree.ts";
import { ensureTools, toolPath } from "./system/tools.ts";

interface Tally {
  passed: number;
  failed: number;
  ignored: number;
}

const tally: Tally = { passed: 0, failed: 0, ignored: 0 };
const started = performance.now();

function say(line: string): void {
  const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(6);
  console.log(`[${seconds} s] ${line}`);
}

/** Runs deno itself; returns whether it succeeded and what it printed. */
async function deno(args: readonly string[], env: Record<string, string> = {}) {
  const output = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: projectRoot(),
    env: { NO_COLOR: "1", ...env },
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = new TextDecoder().decode(output.stdout) + new TextDecoder().decode(output.stderr);
  return { success: output.success, text };
}

async function step(name: string, args: readonly string[]): Promise<void> {
  const result = await deno(args);
  tally[result.success ? "passed" : "failed"]++;
  say(`${result.success ? "ok  " : "FAIL"} ${name}`);
  if (!result.success) console.log(result.text);
}

/** Adds the closing line of one `deno test` run; a run without one counts as a failure. */
async function tests(
  name: string,
  paths: readonly string[],
  options: readonly string[] = [],
): Promise<void> {
  const env = goldenObjects();
  const result = await deno(["test", "-A", "--frozen", ...options, ...paths], env);
  const closing = /(?:ok|FAILED) \| (\d+) passed.*?\| (\d+) failed(?: \| (\d+) ignored)?/.exec(
    result.text,
  );
  tally.passed += Number(closing?.[1] ?? 0);
  const failed = Number(closing?.[2] ?? 0);
  tally.failed += failed > 0 || result.success ? failed : 1;
  tally.ignored += Number(closing?.[3] ?? 0);
  say(`${result.success ? "ok  " : "FAIL"} ${name}: ${closing?.[0] ?? "no closing line"}`);
  for (const skip of result.text.matchAll(/^SKIP .*$/gm)) say(skip[0]);
  if (!result.success) console.log(result.text);
}

/** Upstream's golden objects, read from Debian's package where it is unpacked. */
function goldenObjects(): Record<string, string> {
  const source = toolPath("go-src");
  return source === null ? {} : { BALSA_K8S_TESTDATA: join(source, "api/testdata/HEAD") };
}

async function main(): Promise<void> {
  await ensureTools(say);
  await step("format", ["fmt", "--check"]);
  await step("lint", ["lint"]);
  await step("types", ["check", "--frozen"]);
  await tests("unit and model tests", ["."], ["--parallel", "--no-check", "--ignore=tests/system"]);
  await tests("examples in the documentation", ["store/mod.ts", "scheduler/mod.ts"], [
    "--doc",
    // Examples are given imports that they may not all use.
    "--no-check",
  ]);
  await tests("system tests", ["tests/system"], ["--no-check"]);
  if (tally.ignored > 0 && Deno.env.get("BALSA_FORBID_SKIPS") === "1") {
    say(`FAIL ${tally.ignored} skipped although skips are forbidden`);
    tally.failed += tally.ignored;
  }
  console.log(`${tally.passed} passed, ${tally.failed} failed`);
  Deno.exit(tally.failed === 0 ? 0 : 1);
}

await main();
