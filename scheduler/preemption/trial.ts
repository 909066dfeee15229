/**
 * What would have to go from one node, so that a pod fits there.
 * In: a row, the pod's prepared filters, budgets. Out: the victims of that row, or the verdict that
 * stands even when every less important pod is gone.
 * Never: leaves a trace; pods taken off for the trial are put back before it ends.
 * Source: SelectVictimsOnNode of the Kubernetes v1.36 scheduler plugin DefaultPreemption.
 */

import { filterRow } from "../decide.ts";
import type { Filtering } from "../decide.ts";
import type { NodeTable } from "../node_table.ts";
import { FEASIBLE } from "../plugin.ts";
import type { PodRow, Requirement } from "../pod_row.ts";
import { matchesLabels } from "../selector.ts";
import type { RowRange } from "../selector.ts";
import type { Nominations } from "./nominations.ts";

/** A PodDisruptionBudget as preemption sees it. */
export interface DisruptionBudget {
  readonly namespace: string;
  /** null or empty = means no pod. */
  readonly selector: readonly Requirement[] | null;
  readonly disruptionsAllowed: number;
  /** Names of pods whose eviction is already counted. */
  readonly disruptedPods: readonly string[];
}

export interface TrialInput {
  readonly table: NodeTable;
  readonly filtering: Filtering;
  readonly pod: PodRow;
  readonly nominations: Nominations;
  readonly budgets: readonly DisruptionBudget[];
}

/** A row that evictions would make feasible, and what they cost. */
export interface Candidate {
  readonly row: number;
  /** Most important first; empty when the pod fits beside them all. */
  readonly victims: readonly PodRow[];
  readonly violations: number;
  /** The criteria that decide between rows, in their order; each is better when lower. */
  readonly costs: readonly number[];
}

/** Nobody on the row is less important. */
export const NOBODY = "nobody";
/** What one row comes to: victims, nobody to evict, or the verdict that remains. */
export type Tried = Candidate | typeof NOBODY | number;

/** Lifts any 32-bit priority above 0, so that fewer victims never sum to more. */
const PRIORITY_LIFT = 2 ** 31;

export function priorityOf(pod: PodRow): number {
  return pod.template.spec.priority;
}

/** Whether no filter can tell two pods of one row apart. */
function isAlike(a: PodRow, b: PodRow): boolean {
  return a.template === b.template && a.terminating === b.terminating;
}

function startOf(pod: PodRow): number {
  return pod.startMs === 0 ? Infinity : pod.startMs;
}

function byImportance(a: PodRow, b: PodRow): number {
  if (priorityOf(a) !== priorityOf(b)) return priorityOf(b) - priorityOf(a);
  return startOf(a) === startOf(b) ? 0 : startOf(a) - startOf(b);
}

/** Splits potential victims by whether evicting them would break a budget. */
function splitByBudget(
  pods: readonly PodRow[],
  budgets: readonly DisruptionBudget[],
): { readonly violating: PodRow[]; readonly free: PodRow[] } {
  const allowed = budgets.map(({ disruptionsAllowed }) => disruptionsAllowed);
  const violating: PodRow[] = [];
  const free: PodRow[] = [];
  for (const pod of pods) {
    const { namespace, labels } = pod.template.spec;
    let violates = false;
    for (let i = 0; i < budgets.length; i++) {
      const budget = budgets[i];
      if (budget.namespace !== namespace || budget.selector?.length === 0) continue;
      if (!matchesLabels(budget.selector, labels)) continue;
      if (budget.disruptedPods.includes(pod.name)) continue;
      if (--allowed[i] < 0) violates = true;
    }
    (violates ? violating : free).push(pod);
  }
  return { violating, free };
}

/** One trial on one row: takes pods off, puts pods back, asks the filters. */
class Trial {
  readonly #input: TrialInput;
  readonly #row: number;
  readonly #range: RowRange;
  readonly #verdicts: Uint32Array;

  constructor(input: TrialInput, verdicts: Uint32Array, row: number) {
    this.#input = input;
    this.#row = row;
    this.#range = { from: row, to: row + 1 };
    this.#verdicts = verdicts;
  }

  takeOff(pod: PodRow): void {
    this.#input.table.lift(pod, this.#row);
    this.#tell(pod, -1);
  }

  putBack(pod: PodRow): void {
    this.#input.table.putBack(pod, this.#row);
    this.#tell(pod, 1);
  }

  /** @returns the verdict on the row as it stands. */
  verdict(): number {
    filterRow(this.#input, this.#verdicts, this.#range);
    return this.#verdicts[this.#row];
  }

  #tell(pod: PodRow, sign: 1 | -1): void {
    for (const { run } of this.#input.filtering.filters) run.change?.(pod, this.#row, sign);
  }
}

/**
 * Tries one row; to be called within `NodeTable.trial`.
 *
 * @param verdicts `Uint32Array[rows]` to work in; the row's entry is overwritten
 */
export function tryRow(input: TrialInput, verdicts: Uint32Array, row: number): Tried {
  const { table, pod, budgets } = input;
  const potential = table.podsAt(row).filter((other) => priorityOf(other) < priorityOf(pod));
  if (potential.length === 0) return NOBODY;
  const trial = new Trial(input, verdicts, row);
  for (const victim of potential) trial.takeOff(victim);
  const verdict = trial.verdict();
  if (verdict !== FEASIBLE) {
    for (const victim of potential) trial.putBack(victim);
    return verdict;
  }
  const { violating, free } = splitByBudget(potential.sort(byImportance), budgets);
  const victims: PodRow[] = [];
  // Who could not be spared, as long as nobody was since: a pod like it can't be, either.
  let doomed: PodRow | null = null;
  // Pods whose eviction would break a budget are spared first, then the most important ones.
  const reprieve = (other: PodRow): boolean => {
    if (doomed === null || !isAlike(doomed, other)) {
      trial.putBack(other);
      doomed = null;
      if (trial.verdict() === FEASIBLE) return true;
      trial.takeOff(other);
      doomed = other;
    }
    victims.push(other);
    return false;
  };
  let violations = 0;
  for (const other of violating) if (!reprieve(other)) violations++;
  for (const other of free) reprieve(other);
  for (const victim of victims) trial.putBack(victim);
  victims.sort(byImportance);
  return { row, victims, violations, costs: costsOf(victims, violations) };
}

function costsOf(victims: readonly PodRow[], violations: number): readonly number[] {
  if (victims.length === 0) return [];
  const highest = priorityOf(victims[0]);
  let sum = 0;
  let firstStart = Infinity;
  for (const victim of victims) {
    sum += priorityOf(victim) + PRIORITY_LIFT;
    if (priorityOf(victim) === highest) firstStart = Math.min(firstStart, startOf(victim));
  }
  // The victim of the highest priority that started first should have started as late as can be.
  return [violations, highest, sum, victims.length, -firstStart];
}

/** @returns whether a candidate costs less than another. */
export function costsLess(a: Candidate, b: Candidate): boolean {
  for (let i = 0; i < a.costs.length; i++) {
    if (a.costs[i] !== b.costs[i]) return a.costs[i] < b.costs[i];
  }
  return false;
}
