/**
 * What trials found, row by row, for pods that are alike: one trial serves them all until the row
 * changes.
 * In: verdicts, prepared filters, the table's change log, budgets. Out: which rows eviction may
 * help; the outcome of a trial, made now or remembered, as a small number that candidates of one
 * cost share.
 * Never: remembers where a filter looks further than its row, or for a pod that holds a promise of
 * its own; those are tried anew.
 */

import { FEASIBLE, UNRESOLVABLE } from "../plugin.ts";
import type { PodRow } from "../pod_row.ts";
import { RowSet } from "../structures/row_set.ts";
import { guestsOf } from "./nominations.ts";
import { costsLess, priorityOf, tryRow } from "./trial.ts";
import type { Candidate, TrialInput, Tried } from "./trial.ts";

export interface TriedInput extends TrialInput {
  /** `Uint32Array[rows]` of the failed decision; not written. */
  readonly verdicts: Uint32Array;
}

/** Trials by prepared filters, which equal pods share for as long as those hold. */
export type TrialMemory = WeakMap<TrialInput["filtering"], TriedRows>;

/** The cost of a row that no eviction helps, or where none is needed. */
export const NO_CANDIDATE = 0;
const UNTRIED = -1;
/** Numbered costs kept beyond one a row. */
const MOST_COSTS = 1024;

/** Who stays on a row whatever is tried; null; to whom it is promised. */
type Standing = readonly (PodRow | null)[];

/** @returns undefined when everyone stays */
function standingOn(
  { table, pod, nominations }: TrialInput,
  row: number,
): Standing | undefined {
  const pods = table.podsAt(row);
  const staying = pods.filter((other) => priorityOf(other) >= priorityOf(pod));
  if (staying.length === pods.length) return undefined;
  const promised = nominations.get(table.nodeName(row));
  return promised === undefined ? staying : [...staying, null, ...guestsOf(promised, pod, table)];
}

export class TriedRows {
  /** Rows that eviction may help. */
  readonly helpable: RowSet;
  /** Those of them that are candidates, or were not tried as they are now. */
  readonly open: RowSet;
  readonly #tried: Tried[] = [];
  /** Of rows that can't be cleared: what stood there when they were tried. */
  readonly #standing: (Standing | undefined)[] = [];
  /** Number of the cost of each row's candidate, from 1. */
  readonly #costs: Int32Array;
  readonly #costNumbers = new Map<string, number>();
  /** A candidate of each cost. */
  readonly #examples: Candidate[] = [];
  /** For the filters to write into. */
  readonly #verdicts: Uint32Array;
  #budgets: TrialInput["budgets"];
  #seen: number;

  private constructor(input: TriedInput) {
    const { table, budgets } = input;
    this.helpable = new RowSet(table.rows);
    this.open = new RowSet(table.rows);
    this.#costs = new Int32Array(table.rows).fill(UNTRIED);
    this.#verdicts = new Uint32Array(table.rows);
    this.#budgets = budgets;
    this.#seen = table.generation;
    for (let row = 0; row < table.rows; row++) this.#reopen(input, row);
  }

  /** @returns what is known of the rows as they stand now, which may be nothing. */
  static of(input: TriedInput, memory?: TrialMemory): TriedRows {
    const { filtering, pod } = input;
    const isShared = pod.nominatedNode === "" && filtering.filters.every(({ run }) => run.local);
    if (memory === undefined || !isShared) return new TriedRows(input);
    const known = memory.get(filtering);
    if (known !== undefined && known.#refresh(input)) return known;
    const rows = new TriedRows(input);
    memory.set(filtering, rows);
    return rows;
  }

  /** @returns the number of what clearing a row costs, `NO_CANDIDATE` when it can't be cleared. */
  costOf(input: TrialInput, row: number): number {
    const known = this.#costs[row];
    return known === UNTRIED ? this.#try(input, row) : known;
  }

  /** @returns what the trial of a row found; it was asked for its cost before. */
  found(row: number): Tried {
    return this.#tried[row];
  }

  /** @returns whether one cost, by its number, is less than another. */
  isLess(a: number, b: number): boolean {
    return costsLess(this.#examples[a], this.#examples[b]);
  }

  #try(input: TrialInput, row: number): number {
    const tried = tryRow(input, this.#verdicts, row);
    this.#tried[row] = tried;
    const isCandidate = typeof tried === "object" && tried.victims.length > 0;
    if (!isCandidate) this.open.put(row, false);
    this.#standing[row] = typeof tried === "number" ? standingOn(input, row) : undefined;
    return this.#costs[row] = isCandidate ? this.#numberOf(tried) : NO_CANDIDATE;
  }

  #numberOf(candidate: Candidate): number {
    const key = candidate.costs.join();
    let number = this.#costNumbers.get(key);
    if (number === undefined) {
      this.#costNumbers.set(key, number = this.#costNumbers.size + 1);
      this.#examples[number] = candidate;
    }
    return number;
  }

  /** @returns false when it can't be told what changed. */
  #refresh(input: TriedInput): boolean {
    const { table, budgets } = input;
    if (budgets !== this.#budgets || table.rows > this.#costs.length) return false;
    // Costs come and go; what they were numbered with must not pile up.
    if (this.#costNumbers.size > this.#costs.length + MOST_COSTS) return false;
    const known = table.eachChange(this.#seen, (row) => this.#reopen(input, row));
    this.#seen = table.generation;
    return known;
  }

  /** Takes in that a row may have changed, and its verdict. */
  #reopen(input: TriedInput, row: number): void {
    const { table, filtering, verdicts } = input;
    const verdict = verdicts[row];
    const mayHelp = filtering.rejection === "" && table.alive[row] !== 0 &&
      verdict !== FEASIBLE && (verdict & UNRESOLVABLE) === 0;
    const isOpen = mayHelp && !this.#isHopelessStill(input, row);
    if (isOpen) this.#costs[row] = UNTRIED;
    this.helpable.put(row, mayHelp);
    this.open.put(row, isOpen);
  }

  /** Whether only those came or went that were taken off in vain. */
  #isHopelessStill(input: TriedInput, row: number): boolean {
    const before = this.#standing[row];
    if (before === undefined) return false;
    const now = standingOn(input, row);
    return now?.length === before.length && now.every((pod, at) => pod === before[at]);
  }
}
