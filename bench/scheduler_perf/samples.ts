/**
 * Of several runs of one workload, the one that stands for it.
 * In: what each run measured. Out: all that the median run measured, and how far apart they were.
 * Never: mixes numbers of two runs; a row's throughput, latencies and memory belong together.
 */
import type { DataItem } from "../result.ts";

/**
 * The run of median throughput; of an even number, the slower of the two in the middle.
 * @param samples at least one run's items
 * @returns its items; those of throughput tell the number of runs, the slowest and the fastest too
 */
export function medianSample(samples: readonly (readonly DataItem[])[]): readonly DataItem[] {
  const sorted = [...samples].sort((a, b) => throughputOf(a) - throughputOf(b));
  const median = sorted[Math.floor((sorted.length - 1) / 2)];
  const spread = {
    Samples: samples.length,
    SlowestSample: throughputOf(sorted[0]),
    FastestSample: throughputOf(sorted[sorted.length - 1]),
  };
  return median.map((item) =>
    isThroughput(item) ? { ...item, data: { ...item.data, ...spread } } : item
  );
}

/** Pods/s, of all of the run's measured operations. */
function throughputOf(items: readonly DataItem[]): number {
  const rows = items.filter(isThroughput);
  return rows.reduce((sum, { data }) => sum + data.Average, 0) / Math.max(1, rows.length);
}

function isThroughput({ labels }: DataItem): boolean {
  return labels.Metric === "SchedulingThroughput";
}
