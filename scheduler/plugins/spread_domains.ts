/**
 * Matching pods by topology domain, for one constraint of PodTopologySpread.
 * In: the pod index's counters, label columns, which nodes count. Out: counts by domain and their
 * least, kept up to date row by row for pods that share the run.
 * Never: visits pods.
 * Source: Kubernetes v1.36 scheduler plugin PodTopologySpread.
 */

import { ABSENT } from "../intern.ts";
import type { NodeTable } from "../node_table.ts";
import type { PodCounter } from "../pod_index.ts";
import type { PodSpecRow, Requirement, SpreadConstraint } from "../pod_row.ts";
import { demandsNode, matchesLabels, matchNodeDemand } from "../selector.ts";
import { isSingular } from "./domains.ts";
import { isRepelled } from "./tolerations.ts";

const NO_COUNTS = new Int32Array(0);

/** @returns the counter of matching pods of the namespace; null when the selector counts none. */
function matchingPods(
  table: NodeTable,
  namespace: string,
  selector: readonly Requirement[] | null,
): PodCounter | null {
  if (selector === null || selector.length === 0) return null;
  const query = { namespaces: [namespace], selectors: [selector], skipTerminating: true };
  return table.index.counter(query);
}

/** Marks nodes that have every topology key. */
export function havingKeys(
  table: NodeTable,
  constraints: readonly SpreadConstraint[],
): Uint8Array {
  const having = table.alive.slice(0, table.rows);
  for (const { topologyKey } of constraints) {
    const ids = table.labelIds(topologyKey);
    for (let row = 0; row < table.rows; row++) if (ids[row] === ABSENT) having[row] = 0;
  }
  return having;
}

/** Which nodes count towards the domains of a constraint, by its two policies. */
export class Inclusion {
  readonly #table: NodeTable;
  readonly #spec: PodSpecRow;
  readonly #having: Uint8Array;
  #demanded: Uint8Array | null | undefined;
  #repelled: Uint8Array | undefined;

  /** @param having `Uint8Array[rows]`: rows that may count at all. */
  constructor(table: NodeTable, spec: PodSpecRow, having: Uint8Array) {
    this.#table = table;
    this.#spec = spec;
    this.#having = having;
  }

  /** @returns `Uint8Array[rows]`: 1 where a row counts. Not to be written. */
  rowsOf({ nodeAffinityPolicy, nodeTaintsPolicy }: SpreadConstraint): Uint8Array {
    const demand = nodeAffinityPolicy === "Honor" ? this.#demand() : null;
    const repels = nodeTaintsPolicy === "Honor" ? this.#repels() : null;
    if (demand === null && repels === null) return this.#having;
    const { rows } = this.#table;
    const counts = this.#having.slice(0, rows);
    for (let row = 0; row < rows; row++) {
      if (demand?.[row] === 0 || repels?.[row] === 1) counts[row] = 0;
    }
    return counts;
  }

  #demand(): Uint8Array | null {
    if (this.#demanded === undefined) {
      this.#demanded = demandsNode(this.#spec) ? new Uint8Array(this.#table.rows) : null;
      if (this.#demanded !== null) {
        const all = { from: 0, to: this.#table.rows };
        matchNodeDemand(this.#table, this.#spec, this.#demanded, all);
      }
    }
    return this.#demanded;
  }

  #repels(): Uint8Array {
    if (this.#repelled === undefined) {
      const { rows, taintList, taintLists } = this.#table;
      this.#repelled = new Uint8Array(rows);
      for (let row = 0; row < rows; row++) {
        const taints = taintLists.item(taintList[row]) ?? [];
        if (isRepelled(this.#spec.tolerations, taints)) this.#repelled[row] = 1;
      }
    }
    return this.#repelled;
  }
}

/** The counts of one constraint. */
export class SpreadDomains {
  readonly constraint: SpreadConstraint;
  /** Label value ids by row. */
  readonly ids: Int32Array;
  /** Matching pods on rows that count, by label value id. */
  readonly counts: Int32Array;
  readonly countsItself: boolean;
  readonly #table: NodeTable;
  readonly #spec: PodSpecRow;
  readonly #pods: PodCounter | null;
  readonly #eligible: Uint8Array;
  /** Label value ids that are domains. */
  readonly #present: number[] = [];
  /** Fewest pods of a domain and how many domains have as few; -1 = to be found again. */
  #fewest = -1;
  #atFewest = 0;
  /** What `refresh` saw last, by row; made when the run is to be shared. */
  #seen: Int32Array | null = null;

  /** @param eligible `Uint8Array[rows]`: rows that count. */
  constructor(
    table: NodeTable,
    spec: PodSpecRow,
    constraint: SpreadConstraint,
    eligible: Uint8Array,
  ) {
    this.#table = table;
    this.#spec = spec;
    this.constraint = constraint;
    this.#eligible = eligible;
    const ids = table.labelIds(constraint.topologyKey);
    this.ids = ids;
    this.#pods = matchingPods(table, spec.namespace, constraint.selector);
    this.counts = new Int32Array(table.labelSpan);
    this.countsItself = matchesLabels(constraint.selector, spec.labels);
    const { counts } = this;
    const pods = this.pods;
    const seen = new Uint8Array(table.labelSpan);
    for (let row = 0; row < table.rows; row++) {
      if (eligible[row] === 0) continue;
      const id = ids[row];
      if (pods.length > 0) counts[id] += pods[row];
      if (seen[id] === 0) {
        seen[id] = 1;
        this.#present.push(id);
      }
    }
  }

  /** Matching pods by row, of whatever row; empty when the selector counts none. */
  get pods(): Int32Array {
    return this.#pods === null ? NO_COUNTS : this.#pods.counts;
  }

  /** The count that others are held against: the least of all domains, 0 with too few domains. */
  get fewest(): number {
    if (this.#present.length < this.constraint.minDomains) return 0;
    if (this.#fewest < 0) this.#findFewest();
    return this.#fewest;
  }

  /** Takes in a pod that came (1) or left (-1). */
  change(other: PodSpecRow, row: number, sign: 1 | -1): void {
    if (other.namespace !== this.#spec.namespace || this.#eligible[row] === 0) return;
    if (matchesLabels(this.constraint.selector, other.labels)) this.#add(this.ids[row], sign);
  }

  /** @returns whether each row of the table is a domain of its own. */
  isSingular(): boolean {
    return isSingular(this.#table, this.constraint.topologyKey);
  }

  /** Starts to remember what rows hold, so that `refresh` can tell the difference. */
  remember(): void {
    this.#seen = this.pods.slice(0, this.#table.rows);
  }

  /** @returns whether the row's count of pods differs from what was known. */
  refresh(row: number): boolean {
    if (this.#pods === null) return false;
    const now = this.#pods.counts[row];
    const delta = now - this.#seen![row];
    if (delta === 0) return false;
    this.#seen![row] = now;
    if (this.#eligible[row] !== 0) this.#add(this.ids[row], delta);
    return true;
  }

  isCurrent(): boolean {
    if (this.#pods === null) return true;
    this.#table.index.touch(this.#pods);
    return this.#pods.live;
  }

  #add(id: number, delta: number): void {
    const before = this.counts[id];
    const after = before + delta;
    this.counts[id] = after;
    if (this.#fewest < 0) return;
    if (before === this.#fewest) this.#atFewest--;
    if (after < this.#fewest) {
      this.#fewest = after;
      this.#atFewest = 1;
    } else if (after === this.#fewest) this.#atFewest++;
    if (this.#atFewest === 0) this.#fewest = -1;
  }

  #findFewest(): void {
    let fewest = Infinity;
    let count = 0;
    for (const id of this.#present) {
      if (this.counts[id] < fewest) {
        fewest = this.counts[id];
        count = 1;
      } else if (this.counts[id] === fewest) count++;
    }
    this.#fewest = fewest;
    this.#atFewest = count;
  }
}
