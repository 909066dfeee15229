/** Wishes of flags and files: defaults, who goes first, and times that leave no time. */
import assert from "node:assert/strict";
import {
  electionOf,
  leaseTimes,
  mergeWishes,
  problemOfTimes,
  wordProblem,
} from "./election_config.ts";

Deno.test("an election without wishes is upstream's; a longer lease is divided the same way", () => {
  const times = (durationSeconds: number, renewSeconds: number, retrySeconds: number) => ({
    leaderElect: true,
    durationSeconds,
    renewSeconds,
    retrySeconds,
    namespace: "kube-system",
    name: null,
  });
  assert.deepEqual(electionOf({}), times(15, 10, 2));
  assert.deepEqual(electionOf({ durationSeconds: 60 }), times(60, 40, 8));
});

Deno.test("what flags say goes before what a file says, and only that", () => {
  const flags = { leaderElect: undefined, durationSeconds: 30, name: undefined };
  const file = { leaderElect: false, durationSeconds: 60, renewSeconds: 20, name: "mine" };
  assert.deepEqual(electionOf(mergeWishes(flags, file)), {
    leaderElect: false,
    durationSeconds: 30,
    renewSeconds: 20,
    retrySeconds: 4,
    namespace: "kube-system",
    name: "mine",
  });
});

Deno.test("a leader has time to renew, and to try that more than once", () => {
  const names = { durationSeconds: "lease", renewSeconds: "renew", retrySeconds: "retry" };
  const told = (renewSeconds: number, retrySeconds: number) => {
    const times = leaseTimes({ durationSeconds: 15, renewSeconds, retrySeconds });
    const problem = problemOfTimes(times);
    return problem === null ? null : wordProblem(problem, names);
  };
  assert.equal(told(10, 2), null);
  assert.equal(told(14.9, 12.4), null);
  assert.deepEqual(told(15, 2), { name: "renew", message: "must be less than lease" });
  assert.deepEqual(told(12, 10), {
    name: "retry",
    message: "must be less than renew divided by 1.2",
  });
});
