/** The simulator itself: it repeats itself exactly, and the store holds under every fault. */
import { equal } from "node:assert/strict";
import { FAULTS } from "./faults.ts";
import { runSeed } from "./run.ts";

Deno.test("one seed gives one run, event by event", async () => {
  const options = { seed: 11, members: 3, faults: FAULTS, minutes: 0.3 } as const;
  const outcomes = [await runSeed(options), await runSeed(options)];
  const digests = outcomes.map((one) => one.kind === "passed" ? one.digest : one.problem);
  equal(digests[0], digests[1]);
});
