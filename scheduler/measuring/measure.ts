/**
 * How long each plugin takes over a pod, found out beside the decision and not by it.
 * In: a scheduler, a stopwatch. Out: times by extension point and plugin.
 * Never: decides, or slows what does: decisions of equal pods share their work and have no times of
 * single plugins, so one waiting pod is now and then put through all of them once more.
 * Source: the extension points that Kubernetes v1.36 measures.
 */

import { gatherFeasible, HOLE, Scratch } from "../decide.ts";
import type { NodeTable } from "../node_table.ts";
import { FEASIBLE, isRejection, normaliseScores, verdictMark } from "../plugin.ts";
import type { Cycle, FilterRun, ScoreRun } from "../plugin.ts";
import type { PodRow } from "../pod_row.ts";
import type { Profile } from "../profile.ts";
import type { Scheduler } from "../scheduler.ts";
import type { RowRange } from "../selector.ts";

export type MeasuredPoint = "PreEnqueue" | "PreFilter" | "Filter" | "PreScore" | "Score";
export type MeasuredStatus = "Success" | "Skip" | "Unschedulable";

/** Where times go, and where they come from. */
export interface Stopwatch {
  /** Milliseconds with fractions; only differences are looked at. */
  now(): number;
  /** All plugins of a point, over the pod. */
  point(point: MeasuredPoint, status: MeasuredStatus, millis: number): void;
  /** @param times how often it ran: once over the pod, or once a node */
  plugin(
    point: MeasuredPoint,
    plugin: string,
    run: { readonly status: MeasuredStatus; readonly millis: number; readonly times: number },
  ): void;
}

/** Rows that are looked at; in a larger table they stand for the rest. */
const MOST_ROWS = 8192;

interface Subject {
  readonly table: NodeTable;
  readonly pod: PodRow;
  readonly profile: Profile;
  readonly scratch: Scratch;
}

/**
 * Puts the pod that is next in turn through its plugins. One with claims to devices is left alone:
 * a search on each node, made twice, would be felt.
 *
 * @returns whether there was one
 */
export function measureNext(scheduler: Scheduler, stopwatch: Stopwatch): boolean {
  const entry = scheduler.queue.peek();
  const { table } = scheduler;
  if (entry === undefined || table.nodeCount === 0) return false;
  const { pod, profile } = entry;
  if (pod.template.spec.devices.claims.length > 0) return false;
  table.trimLabels();
  measureGates(pod, profile, stopwatch);
  measure({ table, pod, profile, scratch: new Scratch() }, stopwatch);
  return true;
}

/** It waits for its turn, so every gate lets it pass. */
function measureGates(
  { template: { spec } }: PodRow,
  { gates }: Profile,
  stopwatch: Stopwatch,
): void {
  let total = 0;
  for (const { name, gate } of gates) {
    const started = stopwatch.now();
    gate!(spec);
    const millis = stopwatch.now() - started;
    total += millis;
    stopwatch.plugin("PreEnqueue", name, { status: "Success", millis, times: 1 });
  }
  stopwatch.point("PreEnqueue", "Success", total);
}

function measure(subject: Subject, stopwatch: Stopwatch): void {
  const { table, pod, scratch } = subject;
  const rows = rangeOf(table).to;
  scratch.fit(rows);
  const { verdicts } = scratch;
  const cycle: Cycle = { table, pod, spec: pod.template.spec, verdicts };
  for (let row = 0; row < rows; row++) verdicts[row] = table.alive[row] === 0 ? HOLE : FEASIBLE;
  const runs = prepareFilters(subject, cycle, stopwatch);
  if (runs === null) return;
  gatherFeasible(scratch, rows);
  runFilters(runs, subject, stopwatch);
  if (scratch.feasibleCount > 0) score(subject, cycle, stopwatch);
}

function rangeOf({ rows }: NodeTable): RowRange {
  return { from: 0, to: Math.min(rows, MOST_ROWS) };
}

interface NamedRun<Run> {
  readonly name: string;
  readonly run: Run;
}

/** @returns the filters that have a say, null when one rejected the pod itself. */
function prepareFilters(
  { profile }: Subject,
  cycle: Cycle,
  stopwatch: Stopwatch,
): NamedRun<FilterRun>[] | null {
  const runs: NamedRun<FilterRun>[] = [];
  let total = 0;
  for (const plugin of profile.filters) {
    const started = stopwatch.now();
    const run = plugin.prepareFilter!(cycle);
    const millis = stopwatch.now() - started;
    total += millis;
    const isRejected = run !== null && isRejection(run);
    const status = run === null ? "Skip" : isRejected ? "Unschedulable" : "Success";
    stopwatch.plugin("PreFilter", plugin.name, { status, millis, times: 1 });
    if (isRejected) {
      stopwatch.point("PreFilter", "Unschedulable", total);
      return null;
    }
    if (run !== null) runs.push({ name: plugin.name, run });
  }
  stopwatch.point("PreFilter", "Success", total);
  return runs;
}

function runFilters(
  runs: readonly NamedRun<FilterRun>[],
  { table, profile, scratch }: Subject,
  stopwatch: Stopwatch,
): void {
  const range = rangeOf(table);
  let total = 0;
  for (const { name, run } of runs) {
    const asked = scratch.feasibleCount;
    const mark = verdictMark(profile.filters.findIndex((plugin) => plugin.name === name) + 1);
    const started = stopwatch.now();
    run.filter(scratch.verdicts, range, mark);
    const millis = stopwatch.now() - started;
    total += millis;
    gatherFeasible(scratch, range.to);
    const passed = scratch.feasibleCount;
    const each = millis / Math.max(1, asked);
    stopwatch.plugin("Filter", name, { status: "Success", millis: each, times: passed });
    const times = asked - passed;
    stopwatch.plugin("Filter", name, { status: "Unschedulable", millis: each, times });
  }
  const status = scratch.feasibleCount > 0 ? "Success" : "Unschedulable";
  stopwatch.point("Filter", status, total * shareOf(table));
}

function score({ table, profile, scratch }: Subject, cycle: Cycle, stopwatch: Stopwatch): void {
  const { feasible, raw, verdicts } = scratch;
  const range = rangeOf(table);
  const runs: NamedRun<ScoreRun>[] = [];
  let total = 0;
  for (const { plugin } of profile.scores) {
    const started = stopwatch.now();
    const run = plugin.prepareScore!(cycle, feasible);
    const millis = stopwatch.now() - started;
    total += millis;
    const status = run === null ? "Skip" : "Success";
    stopwatch.plugin("PreScore", plugin.name, { status, millis, times: 1 });
    if (run !== null && run.uniform === undefined) runs.push({ name: plugin.name, run });
  }
  stopwatch.point("PreScore", "Success", total);
  total = 0;
  for (const { name, run } of runs) {
    const started = stopwatch.now();
    run.score(raw, verdicts, range);
    normaliseScores(run.normalise, raw, feasible);
    const millis = stopwatch.now() - started;
    total += millis;
    const times = feasible.count;
    stopwatch.plugin("Score", name, { status: "Success", millis: millis / times, times });
  }
  stopwatch.point("Score", "Success", total * shareOf(table));
}

/** @returns how many times as many rows the table has as were looked at. */
function shareOf({ rows }: NodeTable): number {
  return Math.max(1, rows / MOST_ROWS);
}
