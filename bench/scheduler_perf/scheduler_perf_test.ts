/**
 * The harness with tiny parameters, so that the bench can't rot; its arithmetic by hand.
 */
import assert from "node:assert/strict";
import { NotServed } from "./executor.ts";
import { runWorkload } from "./main.ts";
import { medianSample } from "./samples.ts";
import { ThroughputCollector } from "./throughput.ts";
import { resolveCount, selectWorkloads } from "./workload.ts";
import { TEST_CASES } from "./workloads/mod.ts";

/** Small enough for a unit test: at most this many nodes and pods in all. */
const TINY = 60;

Deno.test("throughput counts every second and ends with the last binding", () => {
  const collector = new ThroughputCollector(10_000);
  collector.add(300, 10_900);
  collector.add(500, 12_100);
  collector.add(100, 12_500);
  assert.deepEqual(collector.samples(), [0, 300, 1200]);
  const { data, unit, labels } = collector.toItem("Case/Workload/namespace-2");
  assert.equal(data.Average, 360);
  assert.equal(data.Perc50, 300);
  assert.equal(data.Perc99, 1200);
  assert.equal(unit, "pods/s");
  assert.deepEqual(labels, { Name: "Case/Workload/namespace-2", Metric: "SchedulingThroughput" });
});

Deno.test("a last window that is too short to be a sample counts in the mean only", () => {
  const collector = new ThroughputCollector(0);
  collector.add(1000, 500);
  collector.add(10, 1100);
  assert.deepEqual(collector.samples(), [1000]);
  assert.equal(Math.round(collector.toItem("x").data.Average), 918);
});

Deno.test("of several runs the median one is reported whole, and how far apart they were", () => {
  const run = (pods: number) => [
    { data: { Average: pods }, unit: "pods/s", labels: { Metric: "SchedulingThroughput" } },
    { data: { Average: pods / 10 }, unit: "MiB", labels: { Metric: "PeakMemory" } },
  ];
  const [throughput, memory] = medianSample([run(300), run(100), run(200)]);
  assert.deepEqual(throughput.data, {
    Average: 200,
    Samples: 3,
    SlowestSample: 100,
    FastestSample: 300,
  });
  assert.equal(memory.data.Average, 20);
  assert.equal(medianSample([run(5), run(9)])[0].data.Average, 5);
});

Deno.test("workloads are found by full name, by case and by upstream's names of variants", () => {
  const names = (pattern: string) => selectWorkloads(TEST_CASES, pattern).map(({ name }) => name);
  assert.deepEqual(names("SchedulingBasic/5000Nodes"), ["SchedulingBasic/5000Nodes"]);
  const basic = TEST_CASES.find(({ name }) => name === "SchedulingBasic");
  assert.equal(names("SchedulingBasic").length, basic?.workloads.length);
  assert.deepEqual(names("SchedulingBasic/5000Nodes_10000Pods_QueueingHintsEnabled"), [
    "SchedulingBasic/5000Nodes_10000Pods",
  ]);
  assert.deepEqual(names("Scheduling"), []);
});

Deno.test("every count that an operation names is a parameter of each workload", () => {
  for (const { testCase, workload, name } of everyWorkload()) {
    for (const operation of testCase.operations) {
      if (!("count" in operation)) continue;
      assert(resolveCount(operation.count, workload.params) > 0, name);
    }
  }
});

function everyWorkload() {
  return TEST_CASES.flatMap(({ name }) => selectWorkloads(TEST_CASES, name));
}

for (const selected of everyWorkload()) {
  const size = Object.values(selected.workload.params).reduce((sum, value) => sum + value, 0);
  if (size > TINY) continue;
  Deno.test(`${selected.name} schedules all its pods`, async () => {
    let items;
    try {
      items = await runWorkload(selected, "direct");
    } catch (error) {
      if (!(error instanceof NotServed)) throw error;
      return console.log(`SKIP ${error.message}`);
    }
    const metrics = items.map(({ labels }) => labels.Metric);
    assert(metrics.includes("SchedulingThroughput"));
    assert(metrics.includes("SchedulingAttemptDuration"));
    assert(metrics.includes("LongestStall"));
    for (const { data, labels } of items) {
      for (const value of Object.values(data)) assert(Number.isFinite(value), labels.Metric);
    }
  });
}

Deno.test("the same over HTTPS, with the clients in a thread of their own", async () => {
  const [selected] = selectWorkloads(TEST_CASES, "SchedulingBasic/5Nodes");
  const items = await runWorkload(selected, "https");
  const one = (metric: string) => items.find(({ labels }) => labels.Metric === metric);
  const { Client, ClientThread } = items[0].labels;
  assert.deepEqual({ Client, ClientThread }, { Client: "https", ClientThread: "own" });
  const throughput = one("SchedulingThroughput");
  assert(throughput !== undefined && throughput.data.Average > 0);
  assert.equal(one("Attempts")?.data.Average, selected.workload.params.measurePods);
  for (const metric of ["LongestStall", "LongestServerStall"]) {
    assert(Number.isFinite(one(metric)?.data.Average), metric);
  }
});

Deno.test("a thread of clients that fails says why", async () => {
  const [selected] = selectWorkloads(TEST_CASES, "SchedulingBasic/5Nodes");
  const name = "SchedulingBasic/NoSuchWorkload";
  await assert.rejects(runWorkload({ ...selected, name }, "https"), /no workload is named/);
});
