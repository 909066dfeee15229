/**
 * Which pods to evict, and where, so that a pod that fits nowhere gets a node.
 * In: the verdicts of the failed decision and its prepared filters. Out: a node and its victims, or
 * words for why eviction does not help.
 * Never: evicts; the runner deletes victims. Trying changes the table and puts it back exactly.
 * Source: Kubernetes v1.36 scheduler plugin DefaultPreemption.
 */

import { pickRank, reasonsOf } from "../decide.ts";
import { formatReasons } from "../explain.ts";
import type { NodeTable } from "../node_table.ts";
import { UNRESOLVABLE, verdictOrdinal } from "../plugin.ts";
import type { PodRow } from "../pod_row.ts";
import { costsLess, NOBODY, priorityOf, tryRow } from "./trial.ts";
import type { Candidate, TrialInput } from "./trial.ts";
import { TriedRows } from "./tried_rows.ts";

export interface PreemptInput extends TrialInput {
  /** `Uint32Array[rows]` of the failed decision; copied, not written. */
  readonly verdicts: Uint32Array;
  /** What trials found for pods that are alike, by their filters; absent = nothing is kept. */
  readonly memory?: TrialMemory;
  /** Where among the nodes the search starts; any 32-bit number. Default 0. */
  readonly seed?: number;
}

/** Trials by prepared filters, which equal pods share for as long as those hold. */
export type TrialMemory = WeakMap<TrialInput["filtering"], TriedRows>;

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

const LEAST_CANDIDATES = 100;
const LEAST_CANDIDATE_PERCENT = 10;
const NO_VICTIMS = "No preemption victims found for incoming pod";
const NOT_HELPFUL = "Preemption is not helpful for scheduling";
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
  const { table, filtering } = input;
  const verdicts = input.verdicts.slice(0, table.rows);
  const rows = helpableRows(input);
  const enough = Math.max(
    LEAST_CANDIDATES,
    Math.floor((rows.length * LEAST_CANDIDATE_PERCENT) / 100),
  );
  const known = input.memory === undefined ? null : TriedRows.of(input, input.memory);
  const failed = new Map<number | typeof NOBODY, number>();
  let best: Candidate | undefined;
  let candidates = 0;
  let isHarmless = false;
  const offset = rows.length === 0 ? 0 : pickRank(input.seed ?? 0, rows.length);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[offset + i < rows.length ? offset + i : offset + i - rows.length];
    const tried = known === null ? tryRow(input, verdicts, row) : known.try(input, verdicts, row);
    if (typeof tried !== "object") {
      failed.set(tried, (failed.get(tried) ?? 0) + 1);
      continue;
    }
    if (tried.victims.length === 0) continue;
    candidates++;
    if (tried.violations === 0) isHarmless = true;
    if (best === undefined || costsLess(tried, best)) best = tried;
    if (candidates >= enough && isHarmless) break;
  }
  if (best !== undefined) {
    const { row, victims } = best;
    return { nodeName: table.nodeName(row), victims, message: "", keepsNomination: false };
  }
  const reasons = new Map<string, number>();
  for (const [tried, count] of failed) {
    const given = tried === NOBODY ? [NO_VICTIMS] : reasonsOf(filtering, tried);
    for (const reason of given) reasons.set(reason, (reasons.get(reason) ?? 0) + count);
  }
  return hopeless(table.nodeCount, rows.length, reasons);
}

function hopeless(nodeCount: number, tried: number, reasons: Map<string, number>): Preemption {
  if (nodeCount > tried) reasons.set(NOT_HELPFUL, nodeCount - tried);
  const message = `preemption: 0/${nodeCount} nodes are available: ${formatReasons(reasons)}.`;
  return { nodeName: "", victims: [], message, keepsNomination: false };
}
