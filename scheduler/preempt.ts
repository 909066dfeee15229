/**
 * Which pods to evict, and where, so that a pod that fits nowhere gets a node.
 * In: the verdicts of the failed decision and its prepared filters. Out: a node and its victims, or
 * words for why eviction does not help.
 * Never: evicts; the runner deletes victims. Trying changes the table and puts it back exactly.
 * Source: Kubernetes v1.36 scheduler plugin DefaultPreemption.
 */

import { filterNominated, filterRows, pickRank, reasonsOf } from "./decide.ts";
import type { Filtering, Nominations } from "./decide.ts";
import { formatReasons } from "./explain.ts";
import type { NodeTable } from "./node_table.ts";
import { FEASIBLE, UNRESOLVABLE, verdictOrdinal } from "./plugin.ts";
import type { PodRow, Requirement } from "./pod_row.ts";
import { matchesLabels } from "./selector.ts";

/** A PodDisruptionBudget as preemption sees it. */
export interface DisruptionBudget {
  readonly namespace: string;
  /** null or empty = means no pod. */
  readonly selector: readonly Requirement[] | null;
  readonly disruptionsAllowed: number;
  /** Names of pods whose eviction is already counted. */
  readonly disruptedPods: readonly string[];
}

export interface PreemptInput {
  readonly table: NodeTable;
  readonly filtering: Filtering;
  /** `Uint32Array[rows]` of the failed decision; copied, not written. */
  readonly verdicts: Uint32Array;
  readonly pod: PodRow;
  readonly nominations: Nominations;
  readonly budgets: readonly DisruptionBudget[];
  /** Where among the nodes the search starts; any 32-bit number. Default 0. */
  readonly seed?: number;
}

/** What a preemption that has no one to evict needs to know. */
export interface VictimlessInput {
  readonly table: NodeTable;
  readonly pod: PodRow;
  /** Rows that eviction might help, if there were anyone to evict. */
  readonly helpable: number;
}

export interface Preemption {
  /** "" when no node can be cleared. */
  readonly nodeName: string;
  readonly victims: readonly PodRow[];
  /** "preemption: …", "" on success. */
  readonly message: string;
  /** True when an earlier promise to the pod still stands. */
  readonly keepsNomination: boolean;
}

interface Candidate {
  readonly row: number;
  /** Most important first. */
  readonly victims: readonly PodRow[];
  readonly violations: number;
}

const LEAST_CANDIDATES = 100;
const LEAST_CANDIDATE_PERCENT = 10;
const NO_VICTIMS = "No preemption victims found for incoming pod";
const NOT_HELPFUL = "Preemption is not helpful for scheduling";
/** Lifts any 32-bit priority above 0, so that fewer victims never sum to more. */
const PRIORITY_LIFT = 2 ** 31;

function priorityOf(pod: PodRow): number {
  return pod.template.spec.priority;
}

function startOf(pod: PodRow): number {
  return pod.startMs === 0 ? Infinity : pod.startMs;
}

function byImportance(a: PodRow, b: PodRow): number {
  if (priorityOf(a) !== priorityOf(b)) return priorityOf(b) - priorityOf(a);
  return startOf(a) === startOf(b) ? 0 : startOf(a) - startOf(b);
}

/** @returns why the pod may not evict, "" when it may. */
function ineligibility(input: PreemptInput): string {
  const { table, pod, verdicts } = input;
  if (!pod.template.spec.mayPreempt) return "not eligible due to preemptionPolicy=Never.";
  const row = pod.nominatedNode === "" ? -1 : table.rowOf(pod.nominatedNode);
  if (row < 0 || (verdicts[row] & UNRESOLVABLE) !== 0) return "";
  const clearing = table.podsAt(row).some((other) =>
    other.evicted === true && priorityOf(other) < priorityOf(pod)
  );
  return clearing ? "not eligible due to a terminating pod on the nominated node." : "";
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
  readonly #input: PreemptInput;
  readonly #row: number;
  readonly #nodeName: string;
  readonly #verdicts: Uint32Array;
  readonly #nominated: Nominations;

  constructor(input: PreemptInput, verdicts: Uint32Array, row: number) {
    this.#input = input;
    this.#row = row;
    this.#verdicts = verdicts;
    this.#nodeName = input.table.nodeName(row);
    const promised = input.nominations.get(this.#nodeName);
    this.#nominated = new Map(promised === undefined ? [] : [[this.#nodeName, promised]]);
  }

  takeOff(pod: PodRow): void {
    this.#input.table.removePod(pod.uid);
    this.#tell(pod, -1);
  }

  putBack(pod: PodRow): void {
    this.#input.table.addPod(pod, this.#nodeName);
    this.#tell(pod, 1);
  }

  /** @returns the verdict on the row as it stands. */
  verdict(): number {
    const { table, filtering, pod } = this.#input;
    const range = { from: this.#row, to: this.#row + 1 };
    filterRows(table, filtering, this.#verdicts, range);
    if (this.#nominated.size > 0) {
      filterNominated(table, filtering, this.#verdicts, pod, this.#nominated);
    }
    return this.#verdicts[this.#row];
  }

  #tell(pod: PodRow, sign: 1 | -1): void {
    for (const { run } of this.#input.filtering.filters) run.change?.(pod, this.#row, sign);
  }
}

/** Tries one row. @returns the victims to take, or the reasons why none would do. */
function tryRow(
  input: PreemptInput,
  verdicts: Uint32Array,
  row: number,
): Candidate | readonly string[] {
  const { table, pod, budgets } = input;
  const potential = table.podsAt(row).filter((other) => priorityOf(other) < priorityOf(pod));
  if (potential.length === 0) return [NO_VICTIMS];
  const trial = new Trial(input, verdicts, row);
  for (const victim of potential) trial.takeOff(victim);
  const verdict = trial.verdict();
  if (verdict !== FEASIBLE) {
    for (const victim of potential) trial.putBack(victim);
    return reasonsOf(input.filtering, verdict);
  }
  const { violating, free } = splitByBudget(potential.sort(byImportance), budgets);
  const victims: PodRow[] = [];
  // Pods whose eviction would break a budget are spared first, then the most important ones.
  const reprieve = (other: PodRow): boolean => {
    trial.putBack(other);
    if (trial.verdict() === FEASIBLE) return true;
    trial.takeOff(other);
    victims.push(other);
    return false;
  };
  let violations = 0;
  for (const other of violating) if (!reprieve(other)) violations++;
  for (const other of free) reprieve(other);
  for (const victim of victims) trial.putBack(victim);
  return { row, victims: victims.sort(byImportance), violations };
}

/** Each criterion is better when lower; later ones decide among equals. */
const CRITERIA: readonly ((candidate: Candidate) => number)[] = [
  ({ violations }) => violations,
  ({ victims }) => priorityOf(victims[0]),
  ({ victims }) => victims.reduce((sum, pod) => sum + priorityOf(pod) + PRIORITY_LIFT, 0),
  ({ victims }) => victims.length,
  // The victim of the highest priority that started first should have started as late as can be.
  ({ victims }) => {
    const highest = victims.filter((pod) => priorityOf(pod) === priorityOf(victims[0]));
    return -Math.min(...highest.map(startOf));
  },
];

function best(candidates: readonly Candidate[]): Candidate {
  let left = candidates;
  for (const criterion of CRITERIA) {
    const values = left.map(criterion);
    const least = values.reduce((a, b) => Math.min(a, b), Infinity);
    left = left.filter((_, i) => values[i] === least || values.length === 1);
    if (left.length === 1) break;
  }
  return left[0];
}

/** @returns the rows that eviction may help, in order of rows. */
function helpableRows({ table, filtering, verdicts }: PreemptInput): number[] {
  if (filtering.rejection !== "") return [];
  const rows: number[] = [];
  for (let row = 0; row < table.rows; row++) {
    if (table.alive[row] === 0 || verdictOrdinal(verdicts[row]) === 0) continue;
    if ((verdicts[row] & UNRESOLVABLE) === 0) rows.push(row);
  }
  return rows;
}

/**
 * The answer for a pod that no placed pod is less important than, without looking at nodes.
 *
 * @returns null when there may be victims, or an earlier promise to the pod: ask `preempt`.
 */
export function preemptNobody({ table, pod, helpable }: VictimlessInput): Preemption | null {
  if (pod.nominatedNode !== "") return null;
  if (pod.template.spec.mayPreempt && table.lowestPriority < priorityOf(pod)) return null;
  if (!pod.template.spec.mayPreempt) return refusal("not eligible due to preemptionPolicy=Never.");
  const reasons = new Map<string, number>(helpable === 0 ? [] : [[NO_VICTIMS, helpable]]);
  return hopeless(table.nodeCount, helpable, reasons);
}

function refusal(words: string): Preemption {
  return { nodeName: "", victims: [], message: `preemption: ${words}`, keepsNomination: true };
}

/**
 * Looks for a node that evictions would make feasible.
 *
 * @returns the node whose clearing costs least, by the criteria of kube-scheduler in their order.
 */
export function preempt(input: PreemptInput): Preemption {
  const refused = ineligibility(input);
  if (refused !== "") return refusal(refused);
  return input.table.trial(() => tryRows(input));
}

function tryRows(input: PreemptInput): Preemption {
  const { table } = input;
  const verdicts = input.verdicts.slice(0, table.rows);
  const rows = helpableRows(input);
  const enough = Math.max(
    LEAST_CANDIDATES,
    Math.floor((rows.length * LEAST_CANDIDATE_PERCENT) / 100),
  );
  const candidates: Candidate[] = [];
  const reasons = new Map<string, number>();
  const offset = rows.length === 0 ? 0 : pickRank(input.seed ?? 0, rows.length);
  for (let i = 0; i < rows.length; i++) {
    const tried = tryRow(input, verdicts, rows[(offset + i) % rows.length]);
    if ("row" in tried) {
      if (tried.victims.length > 0) candidates.push(tried);
      const harmless = candidates.some(({ violations }) => violations === 0);
      if (candidates.length >= enough && harmless) break;
    } else for (const reason of tried) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  if (candidates.length === 0) return hopeless(table.nodeCount, rows.length, reasons);
  const { row, victims } = best(candidates);
  return { nodeName: table.nodeName(row), victims, message: "", keepsNomination: false };
}

function hopeless(nodeCount: number, tried: number, reasons: Map<string, number>): Preemption {
  if (nodeCount > tried) reasons.set(NOT_HELPFUL, nodeCount - tried);
  const message = `preemption: 0/${nodeCount} nodes are available: ${formatReasons(reasons)}.`;
  return { nodeName: "", victims: [], message, keepsNomination: false };
}
