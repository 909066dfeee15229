/** The checkers notice every seeded bug within a few seeds; the same seeds pass without it. */
import { ok } from "node:assert/strict";
import { type Bug, BUGS } from "./bugs.ts";
import { runSeed } from "./run.ts";

/** Seeds tried for one bug; most show in the first. */
const SEEDS = 30;

async function find(bug: Bug): Promise<{ seed: number; problem: string } | null> {
  const undo = bug.patch?.() ?? (() => {});
  try {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const options = { seed, members: 3, faults: bug.faults, minutes: 0.5 };
      const outcome = await runSeed({ ...options, prepare: bug.prepare });
      if (outcome.kind === "failed") return { seed, problem: outcome.problem };
    }
    return null;
  } finally {
    undo();
  }
}

for (const bug of BUGS) {
  Deno.test(`noticed: ${bug.name}`, async () => {
    const found = await find(bug);
    ok(found !== null, `${SEEDS} seeds pass with a store in which ${bug.name}`);
    if (Deno.env.get("SIM_SHOW")) console.log(found.seed, found.problem.slice(0, 300));
  });
}
