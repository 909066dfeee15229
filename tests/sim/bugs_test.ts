/** The checkers notice every seeded bug within a few seeds; the same seeds pass without it. */
import { equal, ok } from "node:assert/strict";
import { type Bug, BUGS } from "./bugs.ts";
import { type RunOptions, runSeed } from "./run.ts";

/** Seeds tried for one bug; most show in the first. */
const SEEDS = 30;

function optionsOf(bug: Bug, seed: number): RunOptions {
  return { seed, members: 3, faults: bug.faults, minutes: 0.5 };
}

async function find(bug: Bug): Promise<{ seed: number; problem: string } | null> {
  const undo = bug.patch?.() ?? (() => {});
  try {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const outcome = await runSeed({ ...optionsOf(bug, seed), prepare: bug.prepare });
      if (outcome.kind === "failed") return { seed, problem: outcome.problem };
    }
    return null;
  } finally {
    undo();
  }
}

/** Runs the seed without the bug; faults that only help it to show stay. */
async function control(bug: Bug, seed: number): Promise<string> {
  const prepare = bug.patch === undefined ? undefined : bug.prepare;
  const outcome = await runSeed({ ...optionsOf(bug, seed), prepare });
  return outcome.kind === "failed" ? outcome.problem : "";
}

for (const bug of BUGS) {
  Deno.test(`noticed: ${bug.name}`, async () => {
    const found = await find(bug);
    ok(found !== null, `${SEEDS} seeds pass with a store in which ${bug.name}`);
    equal(await control(bug, found.seed), "", `seed ${found.seed} fails without the bug, too`);
  });
}
