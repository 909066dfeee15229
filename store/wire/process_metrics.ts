/**
 * What the process itself uses, for scrapers and for `etcdctl check`.
 * In: nothing. Out: Prometheus text under the names that every exporter has for it.
 * Never: measures the store; `etcd/plain_http.ts` does.
 * Source: https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics
 */
import process from "node:process";

/** @returns lines of the text format */
export function processMetrics(): string {
  const { user, system } = process.cpuUsage();
  const { rss } = Deno.memoryUsage();
  const startSeconds = (performance.timeOrigin / 1000).toFixed(3);
  return metric("process_cpu_seconds_total", "counter", {
    help: "Total user and system CPU time spent in seconds.",
    value: (user + system) / 1e6,
  }) + metric("process_resident_memory_bytes", "gauge", {
    help: "Resident memory size in bytes.",
    value: rss,
  }) + metric("process_start_time_seconds", "gauge", {
    help: "Start time of the process since unix epoch in seconds.",
    value: startSeconds,
  });
}

function metric(
  name: string,
  type: "counter" | "gauge",
  { help, value }: { readonly help: string; readonly value: number | string },
): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name} ${value}\n`;
}
