/**
 * Hundreds of random schedules, each from one seed, with the invariants checked after every step.
 * In: seeds. Out: pass, or the seed to replay with `RAFT_SEED=n deno test -A
 * store/raft/testing/simulation_test.ts`.
 * Never: passes without having exercised elections, crashes, snapshots, memberships and reads.
 */
import assert from "node:assert/strict";
import { Simulation, type SimulationCounts } from "./simulation.ts";

const seeds = 400;
const stepsPerSeed = 3000;

function simulate(seed: number): SimulationCounts {
  try {
    return new Simulation(seed).run(stepsPerSeed);
  } catch (error) {
    const replay = `RAFT_SEED=${seed} deno test -A store/raft/testing/simulation_test.ts`;
    throw new Error(`seed ${seed} fails; replay with: ${replay}`, { cause: error });
  }
}

Deno.test("invariants hold on random schedules", () => {
  const only = Deno.env.get("RAFT_SEED");
  if (only !== undefined) {
    simulate(Number(only));
    return;
  }
  const total = simulate(1);
  for (let seed = 2; seed <= seeds; seed++) {
    const counts = simulate(seed);
    for (const key of Object.keys(total) as (keyof SimulationCounts)[]) total[key] += counts[key];
  }

  assert.ok(total.elections > seeds, `elections: ${total.elections}`);
  assert.ok(total.committed > 30 * seeds, `committed: ${total.committed}`);
  assert.ok(total.confChanges > 3 * seeds, `membership changes: ${total.confChanges}`);
  assert.ok(total.snapshots > seeds / 2, `snapshots: ${total.snapshots}`);
  assert.ok(total.wantedSnapshots > seeds / 10, `wanted snapshots: ${total.wantedSnapshots}`);
  assert.ok(total.trims > 5 * seeds, `trims: ${total.trims}`);
  assert.ok(total.crashes > 5 * seeds, `crashes: ${total.crashes}`);
  assert.ok(total.reads > seeds, `reads: ${total.reads}`);
});
