/**
 * The bench of decisions at its smallest: every workload runs, rounds agree, figures are numbers.
 */
import assert from "node:assert/strict";
import { runBigTable, runDecisions } from "./scheduler_decisions.ts";

Deno.test("bench decisions", () => {
  const items = runDecisions({ nodes: 120, pods: 60, rounds: 2, bigNodes: 0 });
  assert.equal(items.length, 24, "two figures of each of twelve workloads");
  items.push(...runBigTable(2000));
  for (const { data, labels } of items) {
    assert.ok(Number.isFinite(data.Perc50), `${labels.Name} ${labels.Metric}`);
  }
});
