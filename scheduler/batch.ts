/**
 * Equal pods share one score column: decided once over all rows, then repaired row by row.
 * In: the same input as `decide`. Out: the same decision, in O(changed rows * log rows).
 * Never: guesses. A column serves only pods whose verdicts and raw scores depend on nothing beyond
 * each row; the table's change log names the rows to repair; when a node changes, when pods with
 * affinity terms move, or when the highest raw score of a normalised plugin moves, it starts over.
 */

import { decide, filterRows, pickRank, Scratch, uniformTotal } from "./decide.ts";
import type { DecideInput, Filtering, Outcome, PreparedScore } from "./decide.ts";
import type { NodeTable } from "./node_table.ts";
import { FEASIBLE, scaleToMax } from "./plugin.ts";
import type { PodTemplate } from "./pod_row.ts";
import type { Profile } from "./profile.ts";
import { OUT, Tournament } from "./structures/tournament.ts";

/** Rows times columns that a cache keeps at most: 8 Mi, about 200 MB. */
const MAX_CELLS = 8 * 1024 * 1024;
const MAX_COLUMNS = 64;

/** One score over all rows, with what its normalisation hangs on. */
interface RawColumn {
  readonly score: PreparedScore;
  readonly raw: Float64Array;
  /** Highest raw score of the feasible rows and how many have it; unused without normalisation. */
  highest: number;
  atHighest: number;
}

interface Generations {
  readonly structure: number;
  readonly terms: number;
  readonly namespaces: number;
}

function generationsOf(table: NodeTable): Generations {
  return {
    structure: table.structureGeneration,
    terms: table.index.termGeneration,
    namespaces: table.namespaceGeneration,
  };
}

/** The shared column of one template under one profile. */
class ScoreColumn {
  seen: number;
  readonly #table: NodeTable;
  readonly #filtering: Filtering;
  readonly #generations: Generations;
  readonly #verdicts: Uint32Array;
  readonly #columns: readonly RawColumn[];
  readonly #tournament: Tournament;
  /** What the scores that are the same for every row add. */
  readonly #uniform: number;
  #feasibleCount: number;

  constructor(table: NodeTable, outcome: Outcome, scratch: Scratch) {
    const { rows } = table;
    this.#table = table;
    this.#filtering = outcome.filtering;
    this.#generations = generationsOf(table);
    this.seen = table.generation;
    this.#verdicts = scratch.verdicts.slice(0, rows);
    this.#feasibleCount = scratch.feasibleCount;
    this.#uniform = uniformTotal(outcome.scores);
    const varying = outcome.scores.filter(({ run }) => run.uniform === undefined);
    this.#columns = varying.map((score) => {
      const raw = new Float64Array(rows);
      score.run.score(raw, this.#verdicts, { from: 0, to: rows });
      return { score, raw, highest: 0, atHighest: 0 };
    });
    const totals = new Int32Array(rows).fill(OUT);
    for (const column of this.#columns) this.#findHighest(column);
    for (let row = 0; row < rows; row++) {
      if (this.#verdicts[row] === FEASIBLE) totals[row] = this.#total(row);
    }
    this.#tournament = new Tournament(totals, rows);
  }

  get feasibleCount(): number {
    return this.#feasibleCount;
  }

  /** Brings the column up to date. @returns false when it must be made anew. */
  repair(): boolean {
    const now = generationsOf(this.#table);
    const then = this.#generations;
    if (now.structure !== then.structure || now.namespaces !== then.namespaces) return false;
    if (now.terms !== then.terms) return false;
    let exact = true;
    const known = this.#table.eachChange(this.seen, (row) => {
      if (exact && !this.#repairRow(row)) exact = false;
    });
    this.seen = this.#table.generation;
    return known && exact;
  }

  /** @returns the row to take, -1 when none is feasible. */
  pick(seed: number): number {
    if (this.#tournament.best === OUT) return -1;
    return this.#tournament.winner(pickRank(seed, this.#tournament.ties));
  }

  #repairRow(row: number): boolean {
    const range = { from: row, to: row + 1 };
    const was = this.#verdicts[row] === FEASIBLE;
    filterRows(this.#table, this.#filtering, this.#verdicts, range);
    const is = this.#verdicts[row] === FEASIBLE;
    if (!was && !is) return true;
    this.#feasibleCount += Number(is) - Number(was);
    for (const column of this.#columns) {
      const before = column.raw[row];
      if (is) column.score.run.score(column.raw, this.#verdicts, range);
      if (column.score.run.normalise !== "none") {
        if (was && before === column.highest) column.atHighest--;
        if (is && column.raw[row] > column.highest) return false;
        if (is && column.raw[row] === column.highest) column.atHighest++;
        if (column.atHighest === 0 && column.highest > 0) return false;
      }
    }
    this.#tournament.set(row, is ? this.#total(row) : OUT);
    return true;
  }

  #findHighest(column: RawColumn): void {
    for (let row = 0; row < column.raw.length; row++) {
      if (this.#verdicts[row] !== FEASIBLE) continue;
      const score = column.raw[row];
      if (score > column.highest) {
        column.highest = score;
        column.atHighest = 1;
      } else if (score === column.highest) column.atHighest++;
    }
  }

  #total(row: number): number {
    let total = this.#uniform;
    for (const { score, raw, highest } of this.#columns) {
      const { normalise } = score.run;
      const scaled = normalise === "none"
        ? raw[row]
        : scaleToMax(raw[row], highest, normalise === "reversedMax");
      total += score.weight * scaled;
    }
    return total;
  }
}

/** Whether a decision may be shared by equal pods. */
function isShareable({ decision, filtering, scores }: Outcome): boolean {
  return decision.kind === "placed" && filtering.filters.every(({ run }) => run.local) &&
    scores.every(({ run }) => run.local && typeof run.normalise === "string");
}

/** Decides like `decide`, remembering columns of templates from pod to pod. */
export class BatchDecider {
  readonly #scratch = new Scratch();
  readonly #columns = new Map<Profile, Map<PodTemplate, ScoreColumn>>();
  /** Templates met before: a column pays off from the second pod on. */
  readonly #met = new WeakSet<PodTemplate>();

  /** The column that the last full decision wrote. */
  get scratch(): Scratch {
    return this.#scratch;
  }

  /** @returns the outcome; `filtering` and `scratch` belong to this pod unless it was shared. */
  decide(input: DecideInput): Outcome {
    // A promise to another pod changes one row for some pods only; those few are decided in full.
    const shareable = input.nominations.size === 0 && input.pod.nominatedNode === "";
    if (!shareable) return decide(input, this.#scratch);
    const columns = this.#columnsOf(input.profile);
    const { template } = input.pod;
    const column = columns.get(template);
    if (column !== undefined) {
      columns.delete(template);
      if (column.repair()) {
        const row = column.pick(input.seed);
        if (row >= 0) {
          columns.set(template, column);
          return sharedOutcome(input.table, row, column.feasibleCount);
        }
      }
    }
    const outcome = decide(input, this.#scratch);
    if (!this.#met.has(template)) this.#met.add(template);
    else if (isShareable(outcome)) this.#keep(columns, input, outcome);
    return outcome;
  }

  #columnsOf(profile: Profile): Map<PodTemplate, ScoreColumn> {
    let columns = this.#columns.get(profile);
    if (columns === undefined) this.#columns.set(profile, columns = new Map());
    return columns;
  }

  #keep(columns: Map<PodTemplate, ScoreColumn>, input: DecideInput, outcome: Outcome): void {
    const limit = Math.max(1, Math.min(MAX_COLUMNS, Math.floor(MAX_CELLS / input.table.rows)));
    while (columns.size >= limit) columns.delete(columns.keys().next().value!);
    columns.set(input.pod.template, new ScoreColumn(input.table, outcome, this.#scratch));
  }
}

const NO_FILTERING: Filtering = { filters: [], rejection: "", onlyNodes: null, namedBy: [] };

function sharedOutcome(table: NodeTable, row: number, feasibleCount: number): Outcome {
  const nodeName = table.nodeName(row);
  return {
    decision: { kind: "placed", row, nodeName, feasibleCount },
    filtering: NO_FILTERING,
    scores: [],
  };
}
