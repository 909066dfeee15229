/** A node's figures: read from the kernel's files, written as upstream's metrics. */
import assert from "node:assert/strict";
import { parseBusySeconds, parseWorkingSet } from "./machine_usage.ts";
import { formatResourceMetrics } from "./resource_metrics.ts";

Deno.test("the kernel's files tell busy seconds and the working set", () => {
  const stat = "cpu  1000 20 300 90000 500 6 70 8 0 0\ncpu0 500 10 150 45000 250 3 35 4 0 0\n";
  assert.equal(parseBusySeconds(stat), 14.04);
  const meminfo = "MemTotal: 1000 kB\nMemFree: 300 kB\nInactive: 500 kB\nInactive(file): 200 kB\n";
  assert.equal(parseWorkingSet(meminfo), 500 * 1024);
  assert.equal(parseWorkingSet(""), 0);
});

Deno.test("figures are written in upstream's names, with their time", () => {
  const at = { atMillis: 5_000 };
  const one = { ...at, namespace: "a", pod: "p", startedAtMillis: 1_500, memoryBytes: 10 };
  const text = formatResourceMetrics({ ...at, cpuSeconds: 8.5, memoryBytes: 99 }, [
    { ...one, container: "x", cpuSeconds: 1 },
    { ...one, container: "y", cpuSeconds: 2 },
  ]);
  assert.deepEqual(text.split("\n").filter((line) => !line.startsWith("#")), [
    `container_cpu_usage_seconds_total{container="x",namespace="a",pod="p"} 1 5000`,
    `container_cpu_usage_seconds_total{container="y",namespace="a",pod="p"} 2 5000`,
    `container_memory_working_set_bytes{container="x",namespace="a",pod="p"} 10 5000`,
    `container_memory_working_set_bytes{container="y",namespace="a",pod="p"} 10 5000`,
    `container_start_time_seconds{container="x",namespace="a",pod="p"} 1.5 5000`,
    `container_start_time_seconds{container="y",namespace="a",pod="p"} 1.5 5000`,
    "node_cpu_usage_seconds_total 8.5 5000",
    "node_memory_working_set_bytes 99 5000",
    `pod_cpu_usage_seconds_total{namespace="a",pod="p"} 3 5000`,
    `pod_memory_working_set_bytes{namespace="a",pod="p"} 20 5000`,
    "resource_scrape_error 0",
    "",
  ]);
});

Deno.test("a runtime that tells nothing leaves the node's figures and says so", () => {
  const text = formatResourceMetrics({ atMillis: 1, cpuSeconds: 1, memoryBytes: 1 }, null);
  assert.match(text, /^resource_scrape_error 1$/m);
  assert.doesNotMatch(text, /container_/);
});
