/**
 * Resources as pairs of columns, and the formulas that turn use of them into scores.
 * In: what is allocatable, requested and asked for. Out: integers 0..100.
 * Never: floors with floating error: products stay below 2^53 for nodes under 80 TiB, larger ones
 * take the exact path through big integers.
 * Source: Kubernetes v1.36 scheduler plugin NodeResourcesFit and its scoring strategies.
 */

import type { NodeTable } from "../node_table.ts";
import type { PodSpecRow } from "../pod_row.ts";
import { MAX_NODE_SCORE } from "../plugin.ts";

export interface ResourceWeight {
  readonly name: string;
  readonly weight: number;
}

export const CPU_AND_MEMORY: readonly ResourceWeight[] = [
  { name: "cpu", weight: 1 },
  { name: "memory", weight: 1 },
];

/** @returns whether the list is cpu and memory, in this order. */
export function isCpuAndMemory(resources: readonly ResourceWeight[]): boolean {
  return resources.length === 2 && resources[0].name === "cpu" && resources[1].name === "memory";
}

/** One resource of a scoring strategy over all rows. */
export interface ResourceColumn {
  readonly allocatable: Float64Array;
  readonly requested: Float64Array;
  /** What the pod adds. */
  readonly asked: number;
  readonly weight: number;
}

/** Whether missing requests count as the defaults ("nonzero") or as nothing ("exact"). */
export type Counting = "nonzero" | "exact";

/** @returns the columns that a strategy looks at; scalars that the pod doesn't ask for drop out. */
export function resourceColumns(
  table: NodeTable,
  spec: PodSpecRow,
  resources: readonly ResourceWeight[],
  counting: Counting,
): ResourceColumn[] {
  const nonzero = counting === "nonzero";
  const columns: ResourceColumn[] = [];
  for (const { name, weight } of resources) {
    if (name === "cpu") {
      columns.push({
        allocatable: table.cpuAllocatable,
        requested: nonzero ? table.cpuNonzero : table.cpuRequested,
        asked: nonzero ? spec.nonzeroCpuMilli : spec.requests.cpuMilli,
        weight,
      });
    } else if (name === "memory") {
      columns.push({
        allocatable: table.memoryAllocatable,
        requested: nonzero ? table.memoryNonzero : table.memoryRequested,
        asked: nonzero ? spec.nonzeroMemoryBytes : spec.requests.memoryBytes,
        weight,
      });
    } else if (name === "ephemeral-storage") {
      columns.push({
        allocatable: table.ephemeralAllocatable,
        requested: table.ephemeralRequested,
        asked: spec.requests.ephemeralBytes,
        weight,
      });
    } else {
      const asked = askedScalar(spec, name);
      const column = table.scalars.get(name);
      if (asked !== 0 && column !== undefined) columns.push({ ...column, asked, weight });
    }
  }
  return columns;
}

/** @returns how much of an extended resource the pod asks for. */
export function askedScalar(spec: PodSpecRow, name: string): number {
  return spec.requests.scalars.find((scalar) => scalar.name === name)?.amount ?? 0;
}

const EXACT_LIMIT = Math.floor(Number.MAX_SAFE_INTEGER / MAX_NODE_SCORE);

/** @returns floor(100 * part / whole); `part` 0..whole, both integers, `whole` above 0. */
export function percentOf(part: number, whole: number): number {
  if (whole <= EXACT_LIMIT) return Math.floor((part * MAX_NODE_SCORE) / whole);
  return Number((BigInt(part) * BigInt(MAX_NODE_SCORE)) / BigInt(whole));
}

/** @returns 100 for an empty node, 0 for a full or overfull one. */
export function leastAllocated(requested: number, capacity: number): number {
  return requested > capacity ? 0 : percentOf(capacity - requested, capacity);
}

/** @returns 0 for an empty node, 100 for a full or overfull one. */
export function mostAllocated(requested: number, capacity: number): number {
  return percentOf(Math.min(requested, capacity), capacity);
}

export interface ShapePoint {
  /** 0..100, rising from point to point. */
  readonly utilization: number;
  /** 0..10, as in the configuration. */
  readonly score: number;
}

/** @returns a broken line through the points, over utilization 0..100, scores scaled to 0..100. */
export function brokenLine(shape: readonly ShapePoint[]): (utilization: number) => number {
  const points = shape.map(({ utilization, score }) => ({ utilization, score: score * 10 }));
  return (utilization) => {
    for (let i = 0; i < points.length; i++) {
      const right = points[i];
      if (utilization > right.utilization) continue;
      if (i === 0) return right.score;
      const left = points[i - 1];
      const rise = (right.score - left.score) * (utilization - left.utilization);
      return left.score + Math.trunc(rise / (right.utilization - left.utilization));
    }
    return points[points.length - 1].score;
  };
}

/** @returns 50..100: how evenly the fractions in use are spread, 100 = all alike. */
export function evenness(fractions: Float64Array, count: number): number {
  let deviation = 0;
  if (count === 2) deviation = Math.abs((fractions[0] - fractions[1]) / 2);
  else if (count > 2) {
    let total = 0;
    for (let i = 0; i < count; i++) total += fractions[i];
    const mean = total / count;
    let sum = 0;
    for (let i = 0; i < count; i++) sum += (fractions[i] - mean) * (fractions[i] - mean);
    deviation = Math.sqrt(sum / count);
  }
  return Math.trunc((1 - deviation) * MAX_NODE_SCORE);
}
