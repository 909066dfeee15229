/**
 * What trials found, row by row, for pods that are alike: one trial serves them all until the row
 * changes.
 * In: prepared filters that look at nothing but their row, the table's change log, budgets.
 * Out: the outcome of a trial, made now or remembered.
 * Never: remembers where a filter looks further than its row, or for a pod that holds a promise of
 * its own; those are tried anew.
 */

import type { TrialInput, Tried } from "./trial.ts";
import { tryRow } from "./trial.ts";

export class TriedRows {
  readonly #tried: (Tried | undefined)[] = [];
  #budgets: TrialInput["budgets"];
  #seen: number;

  private constructor({ table, budgets }: TrialInput) {
    this.#budgets = budgets;
    this.#seen = table.generation;
  }

  /**
   * Brings what is remembered up to date.
   *
   * @returns the memory of the filters, null where nothing may be remembered
   */
  static of(
    input: TrialInput,
    memory: WeakMap<TrialInput["filtering"], TriedRows>,
  ): TriedRows | null {
    const { filtering, pod } = input;
    if (pod.nominatedNode !== "" || filtering.filters.some(({ run }) => !run.local)) return null;
    let rows = memory.get(filtering);
    if (rows === undefined) memory.set(filtering, rows = new TriedRows(input));
    rows.#refresh(input);
    return rows;
  }

  /** As `tryRow`. */
  try(input: TrialInput, verdicts: Uint32Array, row: number): Tried {
    return this.#tried[row] ??= tryRow(input, verdicts, row);
  }

  #refresh({ table, budgets }: TrialInput): void {
    const known = budgets === this.#budgets &&
      table.eachChange(this.#seen, (row) => this.#tried[row] = undefined);
    if (!known) this.#tried.length = 0;
    this.#budgets = budgets;
    this.#seen = table.generation;
  }
}
