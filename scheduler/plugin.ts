/**
 * What a plugin is. A filter writes a verdict for each row it rejects; a score fills a column.
 * In: a cycle (table, pod). Out: a run prepared for that pod, or null when the plugin has no say.
 * Never: a per-node object; a run works on ranges of rows, so that the same code serves the whole
 * table, the repair of one row in a batch, and the trial of one node in a preemption.
 * Source: the extension points of the Kubernetes v1.36 scheduling framework.
 */

import type { ClusterEvent } from "./cluster_event.ts";
import type { NodeTable } from "./node_table.ts";
import type { PodRow, PodSpecRow } from "./pod_row.ts";
import type { RowRange } from "./selector.ts";

/** Highest normalised score of one plugin for one node. */
export const MAX_NODE_SCORE = 100;

/** A verdict of 0: the row is feasible so far. */
export const FEASIBLE = 0;
/** Set when removing pods can't help: preemption passes the node by. */
export const UNRESOLVABLE = 1 << 25;
/** The low bits belong to the plugin; its `reasons` reads them. */
export const DETAIL_MASK = UNRESOLVABLE - 1;
const ORDINAL_SHIFT = 26;

/** @returns the bits that name the plugin of a verdict. `ordinal` 1..63. */
export function verdictMark(ordinal: number): number {
  return (ordinal << ORDINAL_SHIFT) >>> 0;
}

/** @returns the ordinal of the plugin that gave a verdict, 0 for a feasible row. */
export function verdictOrdinal(verdict: number): number {
  return verdict >>> ORDINAL_SHIFT;
}

/** One attempt to place one pod. */
export interface Cycle {
  readonly table: NodeTable;
  readonly pod: PodRow;
  readonly spec: PodSpecRow;
  /** `Uint32Array[rows]`: 0 = feasible, otherwise plugin, resolvability and detail. */
  readonly verdicts: Uint32Array;
}

/**
 * What lets a run that looks beyond its rows be shared by equal pods: rows fall into classes, all
 * rows of a class fare alike, and sums over other rows are kept up to date row by row.
 */
export interface Classing {
  /** Rows with equal numbers in all of these fare alike. `Int32Array[rows]` each. */
  readonly columns: readonly Int32Array[];
  /** Takes in that pods came to a row or left it: sums and columns follow. */
  refresh(row: number): void;
  /** @returns false when the run must be prepared anew. */
  isCurrent(): boolean;
  /** Of a score: called before `score`, as which rows are feasible may have changed. */
  reweigh?(feasible: FeasibleClasses): void;
}

/** One feasible row of each class, and how many feasible rows it stands for. */
export interface FeasibleClasses extends Feasible {
  readonly sizes: Int32Array;
}

/** Amounts of cpu and memory that one run looks at, when it looks at nothing else. */
export interface TwoAmounts {
  readonly cpuMilli: number;
  readonly memoryBytes: number;
}

/** A filter, ready for one pod. */
export interface FilterRun {
  /** True when the verdict of a row depends on nothing but the pod and that row. */
  readonly local: boolean;
  /** Names of the only nodes worth looking at; absent = all. */
  readonly onlyNodes?: ReadonlySet<string>;
  /** Writes `mark | UNRESOLVABLE? | detail` where it rejects a row whose verdict is still 0. */
  filter(verdicts: Uint32Array, range: RowRange, mark: number): void;
  /** @returns the reasons behind the detail bits, in the order Kubernetes gives them. */
  reasons(detail: number): readonly string[];
  /** @returns what exactly a row that it rejects has or lacks, for people. */
  why?(row: number): string;
  /** Set when the run asks for free cpu, memory and room for a pod, and for nothing else. */
  readonly fits?: TwoAmounts;
  /** Of a run that is not local; absent = equal pods can't share it. */
  classing?(): Classing;
  /** Tells the run of a pod put on (1) or taken off (-1) a row since it was prepared. */
  change?(pod: PodRow, row: number, sign: 1 | -1): void;
}

/** A verdict on the pod itself: no node can be looked at. */
export interface Rejection {
  readonly reject: string;
}

/** How raw scores become 0..100. */
export type Normalisation =
  | "none"
  /** 100 * score / highest; all 0 stays 0. */
  | "max"
  /** 100 - 100 * score / highest; all 0 becomes 100. */
  | "reversedMax"
  /** The run's own rule, over feasible rows: `rows[0..count)`. */
  | ((scores: Float64Array, rows: Int32Array, count: number) => void);

/** A score, ready for one pod. */
export interface ScoreRun {
  /** True when the raw score of a row depends on nothing but the pod and that row. */
  readonly local: boolean;
  readonly normalise: Normalisation;
  /** Of a run that is not local; absent = equal pods can't share it. */
  classing?(): Classing;
  /** Set when the run is LeastAllocated over cpu and memory with equal weights. */
  readonly least?: TwoAmounts;
  /** Set when the run is BalancedAllocation over cpu and memory. */
  readonly balance?: TwoAmounts;
  /** The final score, when it is the same for every row; then `score` is never called. */
  readonly uniform?: number;
  /** Writes the raw score of each row whose verdict is 0. @param out `Float64Array[rows]`. */
  score(out: Float64Array, verdicts: Uint32Array, range: RowRange): void;
}

/** Who is feasible, once filters are done; scores may depend on it. */
export interface Feasible {
  readonly rows: Int32Array;
  readonly count: number;
}

export interface Plugin {
  readonly name: string;
  /** Holds the pod back from the queue. @returns the reason, null = let it pass. */
  gate?(spec: PodSpecRow): string | null;
  prepareFilter?(cycle: Cycle): FilterRun | Rejection | null;
  prepareScore?(cycle: Cycle, feasible: Feasible): ScoreRun | null;
  /** Whether the event may help a pod that this plugin rejected; absent = no event does. */
  hint?(pod: PodRow, event: ClusterEvent, table: NodeTable): boolean;
}

/** @returns whether a prepared filter is a rejection of the pod itself. */
export function isRejection(prepared: FilterRun | Rejection): prepared is Rejection {
  return "reject" in prepared;
}

/** Scales raw scores of the feasible rows to 0..100 in place. */
export function normaliseScores(
  rule: Normalisation,
  scores: Float64Array,
  feasible: Feasible,
): void {
  if (rule === "none") return;
  const { rows, count } = feasible;
  if (typeof rule === "function") return rule(scores, rows, count);
  let highest = 0;
  for (let i = 0; i < count; i++) {
    const score = scores[rows[i]];
    if (score > highest) highest = score;
  }
  for (let i = 0; i < count; i++) {
    scores[rows[i]] = scaleToMax(scores[rows[i]], highest, rule === "reversedMax");
  }
}

/** @returns one raw score scaled by the highest of the feasible rows. */
export function scaleToMax(score: number, highest: number, reversed: boolean): number {
  const scaled = highest === 0 ? 0 : Math.floor((MAX_NODE_SCORE * score) / highest);
  return reversed ? MAX_NODE_SCORE - scaled : scaled;
}
