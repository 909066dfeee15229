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
import { UNRESOLVABLE } from "../plugin.ts";
import type { PodRow } from "../pod_row.ts";
import { NOBODY, priorityOf } from "./trial.ts";
import type { Candidate } from "./trial.ts";
import { NO_CANDIDATE, TriedRows } from "./tried_rows.ts";
import type { TrialMemory, TriedInput } from "./tried_rows.ts";

export interface PreemptInput extends TriedInput {
  /** What trials found for pods that are alike, by their filters; absent = nothing is kept. */
  readonly memory?: TrialMemory;
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
  const tried = TriedRows.of(input, input.memory);
  const { open, helpable: { size } } = tried;
  const enough = Math.max(LEAST_CANDIDATES, Math.floor((size * LEAST_CANDIDATE_PERCENT) / 100));
  let best = -1;
  let bestCost = NO_CANDIDATE;
  let candidates = 0;
  let isHarmless = false;
  const first = size === 0 ? 0 : tried.helpable.nth(pickRank(input.seed ?? 0, size));
  // From the first row to the last one, then from the start up to the first.
  let hasTurned = false;
  for (let row = open.next(first);; row = open.next(row + 1)) {
    if (row < 0 && !hasTurned) {
      hasTurned = true;
      row = open.next(0);
    }
    if (row < 0 || (hasTurned && row >= first)) break;
    const cost = tried.costOf(input, row);
    if (cost === NO_CANDIDATE) continue;
    candidates++;
    if (cost !== bestCost) {
      isHarmless ||= candidateOf(tried, row).violations === 0;
      if (best < 0 || tried.isLess(cost, bestCost)) [best, bestCost] = [row, cost];
    }
    if (candidates >= enough && isHarmless) break;
  }
  if (best < 0) return hopeless(table.nodeCount, size, reasonsOfAll(input, tried));
  const { victims } = candidateOf(tried, best);
  return { nodeName: table.nodeName(best), victims, message: "", keepsNomination: false };
}

function candidateOf(tried: TriedRows, row: number): Candidate {
  return tried.found(row) as Candidate;
}

/** @returns why none of the rows would do, each reason with how many rows gave it. */
function reasonsOfAll({ filtering }: PreemptInput, tried: TriedRows): Map<string, number> {
  const { helpable } = tried;
  const failed = new Map<number | typeof NOBODY, number>();
  for (let row = helpable.next(0); row >= 0; row = helpable.next(row + 1)) {
    const found = tried.found(row);
    if (typeof found !== "object") failed.set(found, (failed.get(found) ?? 0) + 1);
  }
  const reasons = new Map<string, number>();
  for (const [found, times] of failed) {
    const given = found === NOBODY ? [NO_VICTIMS] : reasonsOf(filtering, found);
    for (const reason of given) reasons.set(reason, (reasons.get(reason) ?? 0) + times);
  }
  return reasons;
}

function hopeless(nodeCount: number, tried: number, reasons: Map<string, number>): Preemption {
  if (nodeCount > tried) reasons.set(NOT_HELPFUL, nodeCount - tried);
  const message = `preemption: 0/${nodeCount} nodes are available: ${formatReasons(reasons)}.`;
  return { nodeName: "", victims: [], message, keepsNomination: false };
}
