/**
 * NodeResourcesFit: the pod's requests must fit beside those already on the node; scores prefer
 * emptier (LeastAllocated), fuller (MostAllocated) nodes or follow a curve.
 * In: resource columns. Out: verdicts that keep every insufficient resource; scores 0..100.
 * Source: Kubernetes v1.36 scheduler plugin NodeResourcesFit.
 */

import type { ClusterEvent } from "../cluster_event.ts";
import type { NodeRow } from "../node_row.ts";
import type { NodeTable } from "../node_table.ts";
import type { PodRow, PodSpecRow, Resources } from "../pod_row.ts";
import { FEASIBLE, UNRESOLVABLE } from "../plugin.ts";
import type { FilterRun, Plugin, ScoreRun } from "../plugin.ts";
import { areExact, scoreLeastAllocatedOfTwo } from "../kernels/two_resources.ts";
import type { RowRange } from "../selector.ts";
import {
  brokenLine,
  CPU_AND_MEMORY,
  isCpuAndMemory,
  leastAllocated,
  mostAllocated,
  percentOf,
  resourceColumns,
} from "./allocation.ts";
import type { ResourceColumn, ResourceWeight, ShapePoint } from "./allocation.ts";
import { shortfall } from "../structures/amounts.ts";

export type ScoringStrategy =
  | {
    readonly type: "LeastAllocated" | "MostAllocated";
    readonly resources?: readonly ResourceWeight[];
  }
  | {
    readonly type: "RequestedToCapacityRatio";
    readonly resources?: readonly ResourceWeight[];
    readonly shape: readonly ShapePoint[];
  };

export interface FitArgs {
  readonly ignoredResources?: readonly string[];
  /** Prefixes of extended resources, the part before the slash. */
  readonly ignoredResourceGroups?: readonly string[];
  readonly strategy?: ScoringStrategy;
}

const PODS = 1;
const CPU = 2;
const MEMORY = 4;
const EPHEMERAL = 8;
const FIRST_SCALAR_BIT = 4;
const LAST_SCALAR_BIT = 24;

const NO_SCALARS: readonly ScalarDemand[] = [];

interface ScalarDemand {
  readonly name: string;
  readonly amount: number;
  readonly bit: number;
  /** Whether devices stand for it where a node has none of its own. */
  readonly isBacked: boolean;
}

/** @returns whether devices stand for an extended resource, where a node has none of its own. */
type IsBacked = (resource: string) => boolean;

function rejectFull(table: NodeTable, verdicts: Uint32Array, range: RowRange, mark: number): void {
  const { podCount, podsAllowed } = table;
  for (let row = range.from; row < range.to; row++) {
    if (verdicts[row] === FEASIBLE && podCount[row] + 1 > podsAllowed[row]) {
      verdicts[row] = mark | PODS;
    }
  }
}

/** The hot loop of a pod that asks for nothing beyond cpu, memory and ephemeral storage. */
function rejectUnfit(
  table: NodeTable,
  asked: Resources,
  verdicts: Uint32Array,
  range: RowRange,
  mark: number,
): void {
  const { cpuAllocatable, cpuRequested, memoryAllocatable, memoryRequested } = table;
  const { ephemeralAllocatable, ephemeralRequested, podCount, podsAllowed } = table;
  const { cpuMilli, memoryBytes, ephemeralBytes } = asked;
  for (let row = range.from; row < range.to; row++) {
    if (verdicts[row] !== FEASIBLE) continue;
    let detail = podCount[row] + 1 > podsAllowed[row] ? PODS : 0;
    if (cpuMilli > 0 && cpuMilli > cpuAllocatable[row] - cpuRequested[row]) {
      detail |= cpuMilli > cpuAllocatable[row] ? CPU | UNRESOLVABLE : CPU;
    }
    if (memoryBytes > 0 && memoryBytes > memoryAllocatable[row] - memoryRequested[row]) {
      detail |= memoryBytes > memoryAllocatable[row] ? MEMORY | UNRESOLVABLE : MEMORY;
    }
    if (
      ephemeralBytes > 0 && ephemeralBytes > ephemeralAllocatable[row] - ephemeralRequested[row]
    ) {
      detail |= ephemeralBytes > ephemeralAllocatable[row] ? EPHEMERAL | UNRESOLVABLE : EPHEMERAL;
    }
    if (detail !== 0) verdicts[row] = mark | detail;
  }
}

/** Adds missing scalars to the verdicts of rows that are feasible or that this plugin rejected. */
function rejectScalar(
  table: NodeTable,
  { name, amount, bit, isBacked }: ScalarDemand,
  verdicts: Uint32Array,
  range: RowRange,
  mark: number,
): void {
  const column = table.scalars.get(name);
  for (let row = range.from; row < range.to; row++) {
    const verdict = verdicts[row];
    const ours = verdict >>> 26 === mark >>> 26;
    if (verdict !== FEASIBLE && !ours) continue;
    const allocatable = column === undefined ? 0 : column.allocatable[row];
    const requested = column === undefined ? 0 : column.requested[row];
    if (amount <= allocatable - requested || (isBacked && allocatable === 0)) continue;
    verdicts[row] = verdict | mark | bit | (amount > allocatable ? UNRESOLVABLE : 0);
  }
}

function filterRun(
  table: NodeTable,
  spec: PodSpecRow,
  scalars: readonly ScalarDemand[],
): FilterRun {
  const { requests } = spec;
  const asksNothing = requests.cpuMilli === 0 && requests.memoryBytes === 0 &&
    requests.ephemeralBytes === 0 && scalars.length === 0;
  return {
    local: true,
    fits: requests.ephemeralBytes === 0 && scalars.length === 0 ? requests : undefined,
    filter(verdicts, range, mark) {
      if (asksNothing) return rejectFull(table, verdicts, range, mark);
      rejectUnfit(table, requests, verdicts, range, mark);
      for (const scalar of scalars) rejectScalar(table, scalar, verdicts, range, mark);
    },
    reasons(detail) {
      const reasons: string[] = [];
      if (detail & PODS) reasons.push("Too many pods");
      if (detail & CPU) reasons.push("Insufficient cpu");
      if (detail & MEMORY) reasons.push("Insufficient memory");
      if (detail & EPHEMERAL) reasons.push("Insufficient ephemeral-storage");
      for (const { name, bit } of scalars) if (detail & bit) reasons.push(`Insufficient ${name}`);
      return reasons;
    },
    why: (row) => shortfall(table, requests, row),
  };
}

type ColumnScore = (requested: number, capacity: number) => number;

/** The unrolled loop, where it is exact. @returns false when the general one must do it. */
function scoreLeastFast(
  columns: readonly ResourceColumn[],
  out: Float64Array,
  { from, to }: RowRange,
): boolean {
  if (columns.length !== 2) return false;
  const [a, b] = columns;
  if (!areExact(a.allocatable, from, to) || !areExact(b.allocatable, from, to)) return false;
  scoreLeastAllocatedOfTwo(
    a.allocatable,
    a.requested,
    a.asked,
    a.weight,
    b.allocatable,
    b.requested,
    b.asked,
    b.weight,
    out,
    from,
    to,
  );
  return true;
}

/** Weighted mean, rounded down, of one formula over the resources that a node has. */
export function scoreMean(
  columns: readonly ResourceColumn[],
  scoreOf: ColumnScore,
  out: Float64Array,
  { from, to }: RowRange,
): void {
  for (let row = from; row < to; row++) {
    let total = 0;
    let weights = 0;
    for (let i = 0; i < columns.length; i++) {
      const { allocatable, requested, asked, weight } = columns[i];
      const capacity = allocatable[row];
      if (capacity === 0) continue;
      total += scoreOf(requested[row] + asked, capacity) * weight;
      weights += weight;
    }
    out[row] = weights === 0 ? 0 : Math.floor(total / weights);
  }
}

/** Weighted mean, rounded to nearest, over the resources whose curve is above 0. */
function scoreCurve(
  columns: readonly ResourceColumn[],
  curve: (utilization: number) => number,
  out: Float64Array,
  { from, to }: RowRange,
): void {
  for (let row = from; row < to; row++) {
    let total = 0;
    let weights = 0;
    for (const { allocatable, requested, asked, weight } of columns) {
      const capacity = allocatable[row];
      if (capacity === 0) continue;
      const wanted = requested[row] + asked;
      const score = curve(wanted > capacity ? 100 : percentOf(wanted, capacity));
      if (score <= 0) continue;
      total += score * weight;
      weights += weight;
    }
    out[row] = weights === 0 ? 0 : Math.round(total / weights);
  }
}

function scoreRun(table: NodeTable, spec: PodSpecRow, strategy: ScoringStrategy): ScoreRun {
  const resources = strategy.resources ?? CPU_AND_MEMORY;
  // The pass in lanes never asks for them.
  let known: readonly ResourceColumn[] | undefined;
  const curve = strategy.type === "RequestedToCapacityRatio" ? brokenLine(strategy.shape) : null;
  const scoreOf = strategy.type === "MostAllocated" ? mostAllocated : leastAllocated;
  const isPlain = strategy.type === "LeastAllocated" && isCpuAndMemory(resources);
  return {
    local: true,
    normalise: "none",
    least: isPlain && resources[0].weight === resources[1].weight
      ? { cpuMilli: spec.nonzeroCpuMilli, memoryBytes: spec.nonzeroMemoryBytes }
      : undefined,
    score(out, _verdicts, range) {
      const columns = known ??= resourceColumns(table, spec, resources, "nonzero");
      if (curve !== null) scoreCurve(columns, curve, out, range);
      else if (strategy.type === "MostAllocated" || !scoreLeastFast(columns, out, range)) {
        scoreMean(columns, scoreOf, out, range);
      }
    },
  };
}

function fitsEmpty(asked: Resources, node: NodeRow, isBacked: IsBacked): boolean {
  const { allocatable } = node;
  return node.allowedPods >= 1 && asked.cpuMilli <= allocatable.cpuMilli &&
    asked.memoryBytes <= allocatable.memoryBytes &&
    asked.ephemeralBytes <= allocatable.ephemeralBytes &&
    asked.scalars.every(({ name, amount }) => {
      const offered = amountOf(allocatable, name);
      return amount <= offered || (offered === 0 && isBacked(name));
    });
}

function amountOf(resources: Resources, name: string): number {
  return resources.scalars.find((scalar) => scalar.name === name)?.amount ?? 0;
}

/** @returns whether `after` has more than `before` of anything asked for. */
function hasMore(asked: Resources, before: Resources, after: Resources): boolean {
  return (asked.cpuMilli > 0 && after.cpuMilli > before.cpuMilli) ||
    (asked.memoryBytes > 0 && after.memoryBytes > before.memoryBytes) ||
    (asked.ephemeralBytes > 0 && after.ephemeralBytes > before.ephemeralBytes) ||
    asked.scalars.some(({ name, amount }) =>
      amount > 0 && amountOf(after, name) > amountOf(before, name)
    );
}

function mayFit(pod: PodRow, event: ClusterEvent, isBacked: IsBacked): boolean {
  const asked = pod.template.spec.requests;
  const isDelegated = () => asked.scalars.some(({ name, amount }) => amount > 0 && isBacked(name));
  if (event.resource === "devices") return isDelegated();
  if (event.resource === "pod") {
    if (event.change === "delete") return event.assigned;
    if (event.change !== "scaleDown" || event.before === null || event.after === null) return false;
    if (event.after.uid === pod.uid) return true;
    const [before, after] = [event.before, event.after].map((row) => row.template.spec.requests);
    return event.assigned && hasMore(asked, after, before);
  }
  if (event.resource !== "node" || event.after === null) return false;
  if (event.change !== "add" && event.change !== "allocatable") return false;
  if (!fitsEmpty(asked, event.after, isBacked)) return false;
  const { before, after } = event;
  return before === null || after.allowedPods > before.allowedPods ||
    hasMore(asked, before.allocatable, after.allocatable) || isDelegated();
}

/** @param isBacked for which resources DynamicResources finds devices instead */
export function createNodeResourcesFit(
  args: FitArgs = {},
  isBacked: IsBacked = () => false,
): Plugin {
  const ignored = new Set(args.ignoredResources ?? []);
  const ignoredGroups = new Set(args.ignoredResourceGroups ?? []);
  const strategy = args.strategy ?? { type: "LeastAllocated" };

  function scalarDemands({ requests }: PodSpecRow): readonly ScalarDemand[] {
    if (requests.scalars.length === 0) return NO_SCALARS;
    return requests.scalars
      .filter(({ name, amount }) =>
        amount !== 0 && !ignored.has(name) && !ignoredGroups.has(name.split("/")[0])
      )
      .map((scalar, i) => ({
        ...scalar,
        bit: 1 << Math.min(FIRST_SCALAR_BIT + i, LAST_SCALAR_BIT),
        isBacked: isBacked(scalar.name),
      }));
  }

  return {
    name: "NodeResourcesFit",
    prepareFilter: ({ table, spec }) => filterRun(table, spec, scalarDemands(spec)),
    prepareScore: ({ table, spec }) => scoreRun(table, spec, strategy),
    hint: (pod, event) => mayFit(pod, event, isBacked),
  };
}
