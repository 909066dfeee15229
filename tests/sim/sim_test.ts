/**
 * The store under every fault the simulator knows: a fixed budget of seeds, and the seeds that once
 * found something.
 */
import { equal, ok } from "node:assert/strict";
import { Coverage } from "./coverage.ts";
import { FAULTS } from "./world/faults.ts";
import { type RunOptions, runSeed } from "./run.ts";
import { runPool } from "./seed_pool.ts";

const SEEDS = 200;

/** What each of these once broke is told in the commit that mended it. */
const KEPT: readonly Omit<RunOptions, "minutes">[] = [
  { seed: 1, members: 3, faults: [] },
  { seed: 507, members: 3, faults: FAULTS },
  { seed: 2026, members: 3, faults: FAULTS },
  { seed: 70, members: 3, faults: FAULTS },
  { seed: 84, members: 5, faults: FAULTS },
  { seed: 5007, members: 3, faults: FAULTS },
  { seed: 20029, members: 3, faults: FAULTS },
  { seed: 20097, members: 3, faults: FAULTS },
];

Deno.test("one seed gives one run, event by event", async () => {
  const options = { seed: 11, members: 3, faults: FAULTS, minutes: 0.3 } as const;
  const outcomes = [await runSeed(options), await runSeed(options)];
  const digests = outcomes.map((one) => one.kind === "passed" ? one.digest : one.problem);
  equal(digests[0], digests[1]);
});

function* everyRun(): Generator<RunOptions> {
  for (const kept of KEPT) yield { ...kept, minutes: 1 };
  for (let seed = 1; seed <= SEEDS; seed++) {
    yield { seed, members: seed % 4 === 0 ? 5 : 3, faults: FAULTS, minutes: 1 };
  }
}

Deno.test(`${SEEDS} seeds of a simulated minute hold, and exercise what they should`, async () => {
  const total = new Coverage();
  const failures: string[] = [];
  await runPool(everyRun(), {
    threads: Math.min(4, navigator.hardwareConcurrency),
    onResult({ coverage, failure }) {
      total.add(coverage);
      if (failure !== null) failures.push(`${failure.problem}\nreplay: ${failure.replay}`);
      return failures.length < 3;
    },
  });
  equal(failures.join("\n\n"), "");
  for (const kind of FAULTS) ok((total.faults.get(kind) ?? 0) >= 50, `too few faults: ${kind}`);
  ok(total.elections > 5 * SEEDS, `${total.elections} elections`);
  ok(total.snapshotsInstalled > SEEDS, `${total.snapshotsInstalled} snapshots installed`);
  ok(total.membershipChanges > 5 * SEEDS, `${total.membershipChanges} membership changes`);
  ok(total.acknowledged > 3_000 * SEEDS, `${total.acknowledged} acknowledged operations`);
  ok(total.leasesExpired > 20 * SEEDS, `${total.leasesExpired} leases ended`);
  ok(total.compactions > 5 * SEEDS, `${total.compactions} compactions`);
  ok(total.autoCompactions > SEEDS, `${total.autoCompactions} compactions by members`);
  ok(total.snapshotsResumed > 5, `${total.snapshotsResumed} snapshots resumed`);
  ok(total.alarmsRaised > SEEDS / 2, `${total.alarmsRaised} alarms`);
  ok(total.authChanges > SEEDS / 3, `${total.authChanges} changes of auth`);
  ok(total.refusedByRule > 20 * SEEDS, `${total.refusedByRule} refusals by alarms and auth`);
  ok(total.watchResumes > 5 * SEEDS, `${total.watchResumes} watches resumed`);
  ok(total.searchesGivenUp < total.keysSearched / 20, `${total.searchesGivenUp} searches given up`);
});
