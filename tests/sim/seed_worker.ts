/**
 * A thread that runs seeds one after the other.
 * In: options of runs, as messages. Out: each run's result, as plain data.
 * Never: decides which seeds to run.
 */
import type { CoverageData } from "./coverage.ts";
import { type RunOptions, runSeed } from "./run.ts";

/** What a thread says of one run. */
export interface SeedResult {
  readonly seed: number;
  readonly coverage: CoverageData;
  /** Null when every check held. */
  readonly failure: { readonly problem: string; readonly replay: string } | null;
}

const scope = self as unknown as {
  onmessage: (event: MessageEvent<RunOptions>) => void;
  postMessage(result: SeedResult): void;
};

scope.onmessage = async ({ data }) => {
  const outcome = await runSeed(data);
  scope.postMessage({
    seed: data.seed,
    coverage: outcome.coverage.toData(),
    failure: outcome.kind === "failed"
      ? { problem: outcome.problem, replay: outcome.replay }
      : null,
  });
};
