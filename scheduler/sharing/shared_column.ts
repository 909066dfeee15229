/**
 * What equal pods share: verdicts and scores of every row, kept from pod to pod.
 * In: a template under one profile, the table's change log. Out: the winner, or why there is none,
 * in O(changed rows + classes of rows).
 * Never: guesses. What depends on one row alone is repaired when that row changes. What looks
 * further (spreading, pod affinity) or is normalised is the same for all rows of a class, so it is
 * worked out again on each decision, on one row of each class.
 */

import { diagnose, filterRows, pickRank, prepareFilters, prepareScores } from "../decide.ts";
import { filterNominated, filterRow } from "../decide.ts";
import { countHelpable, HOLE, uniformTotal } from "../decide.ts";
import type { DecideInput, Diagnosis, Filtering, NominatedInput } from "../decide.ts";
import type { PreparedFilter, PreparedScore, Scratch } from "../decide.ts";
import type { TermColumn } from "../pod_index.ts";
import type { NodeTable } from "../node_table.ts";
import { FEASIBLE, normaliseScores } from "../plugin.ts";
import type { Classing, FeasibleClasses } from "../plugin.ts";
import type { PodSpecRow } from "../pod_row.ts";
import type { Nominations } from "../preemption/nominations.ts";
import type { Profile } from "../profile.ts";
import { nthRow } from "../structures/scored_rows.ts";
import type { ScoreSet } from "../structures/scored_rows.ts";
import { RowClasses, TooManyClasses } from "./row_classes.ts";

/** A score that is the same for all rows of a class before normalisation. */
interface ClassScore {
  readonly score: PreparedScore;
  /** Raw scores by row, for a score that looks at nothing but its row; null = computed anew. */
  readonly raw: Float64Array | null;
  readonly classing: Classing | null;
}

interface Parts {
  readonly filtering: Filtering;
  readonly local: readonly PreparedFilter[];
  readonly beyond: readonly PreparedFilter[];
  readonly fixed: readonly PreparedScore[];
  readonly byClass: readonly ClassScore[];
  readonly uniform: number;
}

/** Why a template fits nowhere. */
export interface SharedRefusal {
  readonly diagnosis: Diagnosis;
  /** Rows whose verdict eviction might change. */
  readonly helpable: number;
}

function labelsOf(table: NodeTable, spec: PodSpecRow) {
  return table.namespaceLabels.get(spec.namespace) ?? {};
}

/** Sorts what was prepared by how it can be shared. @returns null when some of it can't. */
function partsOf(table: NodeTable, filtering: Filtering, scores: readonly PreparedScore[]) {
  const at = filtering.filters.findIndex(({ run }) => !run.local);
  const local = at < 0 ? filtering.filters : filtering.filters.slice(0, at);
  const beyond = at < 0 ? [] : filtering.filters.slice(at);
  // A row's reason is the first filter's, so those that look further must come last.
  if (beyond.some(({ run }) => run.local || run.classing === undefined)) return null;
  const fixed: PreparedScore[] = [];
  const byClass: ClassScore[] = [];
  for (const score of scores) {
    const { run } = score;
    if (run.uniform !== undefined) continue;
    if (run.local && run.normalise === "none") fixed.push(score);
    else if (run.local) byClass.push({ score, raw: new Float64Array(table.rows), classing: null });
    else if (run.classing === undefined) return null;
    else byClass.push({ score, raw: null, classing: run.classing() });
  }
  return { filtering, local, beyond, fixed, byClass, uniform: uniformTotal(scores) };
}

/** The shared column of one template under one profile. */
export class SharedColumn {
  readonly #table: NodeTable;
  readonly #profile: Profile;
  readonly #spec: PodSpecRow;
  readonly #parts: Parts;
  readonly #localFiltering: Filtering;
  readonly #nominated: NominatedInput;
  readonly #classings: readonly Classing[];
  readonly #structure: number;
  readonly #namespaces: number;
  readonly #terms: readonly TermColumn[];
  #termSet: number;
  #seen: number;
  readonly #verdicts: Uint32Array;
  /** Verdict -> rows that have it, of the filters that look at one row alone. */
  readonly #histogram = new Map<number, number>();
  readonly #classes: RowClasses;
  readonly #values: Float64Array;
  readonly #out: Float64Array;
  readonly #range = { from: 0, to: 0 };
  #classVerdicts: Uint32Array;
  #feasible: FeasibleClasses;
  #offsets: Float64Array;
  #feasibleCount = 0;
  #refusal: SharedRefusal | null = null;

  private constructor(input: DecideInput, parts: Parts) {
    const { table, profile } = input;
    const { rows } = table;
    this.#table = table;
    this.#profile = profile;
    this.#spec = input.pod.template.spec;
    this.#parts = parts;
    this.#localFiltering = { ...parts.filtering, filters: parts.local };
    this.#nominated = {
      table,
      filtering: this.#localFiltering,
      // Equal pods that hold a promise ask for themselves.
      pod: { uid: "", template: input.pod.template },
      nominations: input.nominations,
    };
    this.#structure = table.structureGeneration;
    this.#namespaces = table.namespaceGeneration;
    this.#terms = table.index.termsMeaning(this.#spec, labelsOf(table, this.#spec));
    this.#termSet = table.index.termSetGeneration;
    this.#seen = table.generation;
    this.#classings = [
      ...parts.beyond.map(({ run }) => run.classing!()),
      ...parts.byClass.flatMap(({ classing }) => classing ?? []),
    ];
    const raws = parts.byClass.filter(({ raw }) => raw !== null).length;
    const depth = raws + this.#classings.reduce((sum, { columns }) => sum + columns.length, 0);
    this.#values = new Float64Array(depth);
    this.#classes = new RowClasses(rows, depth);
    this.#verdicts = new Uint32Array(rows).fill(HOLE);
    this.#histogram.set(HOLE, rows);
    this.#out = new Float64Array(rows);
    this.#classVerdicts = new Uint32Array(0);
    this.#feasible = { rows: new Int32Array(0), sizes: new Int32Array(0), count: 0 };
    this.#offsets = new Float64Array(0);
    this.#fill(rows);
  }

  /** @returns a column for the pod's template, null when its decisions can't be shared. */
  static make(input: DecideInput, scratch: Scratch): SharedColumn | null {
    const { table, profile, pod } = input;
    table.trimLabels();
    scratch.fit(table.rows);
    const { verdicts } = scratch;
    const cycle = { table, pod, spec: pod.template.spec, verdicts };
    const filtering = prepareFilters(profile, cycle);
    if (filtering.rejection !== "") return null;
    const nowhere = { rows: new Int32Array(0), count: 0 };
    const parts = partsOf(table, filtering, prepareScores(profile, cycle, nowhere));
    if (parts === null) return null;
    try {
      return new SharedColumn(input, parts);
    } catch (error) {
      if (error instanceof TooManyClasses) return null;
      throw error;
    }
  }

  /** Whether promises to other pods are in the verdicts; where filters look further they aren't. */
  get seesGuests(): boolean {
    return this.#parts.beyond.length === 0;
  }

  /** @returns `Uint32Array[rows]` of what the filters say, null where some look further. */
  get verdicts(): Uint32Array | null {
    return this.seesGuests ? this.#verdicts : null;
  }

  get filtering(): Filtering {
    return this.#parts.filtering;
  }

  /** Feasible rows of the last `pick`. */
  get feasibleCount(): number {
    return this.#feasibleCount;
  }

  /**
   * Brings the column up to date; a changed promise has touched its row.
   *
   * @returns false when it must be made anew.
   */
  repair(nominations: Nominations): boolean {
    const table = this.#table;
    if (nominations !== this.#nominated.nominations) return false;
    if (table.structureGeneration !== this.#structure) return false;
    if (table.namespaceGeneration !== this.#namespaces) return false;
    for (const classing of this.#classings) if (!classing.isCurrent()) return false;
    if (table.generation === this.#seen) return true;
    if (!this.#knowsTerms()) return false;
    this.#refusal = null;
    try {
      const known = table.eachChange(this.#seen, (row) => this.#repairRow(row));
      this.#seen = table.generation;
      return known;
    } catch (error) {
      if (error instanceof TooManyClasses) return false;
      throw error;
    }
  }

  /** @returns the row to take, -1 when none is feasible. */
  pick(seed: number): number {
    const sets = this.#bestSets();
    if (sets.length === 0) return -1;
    const ties = sets.length === 1 ? sets[0].count : sets.reduce((sum, it) => sum + it.count, 0);
    return nthRow(sets, pickRank(seed, ties));
  }

  /** Whether every total is the sum of what each row is worth by itself. */
  get isFlat(): boolean {
    return this.#parts.beyond.length === 0 && this.#parts.byClass.length === 0;
  }

  /**
   * Picks among some of the rows, where `isFlat`.
   *
   * @param verdicts `Uint32Array[rows]` that are those of this column or stricter
   * @returns the row to take, -1 when there is none, and how many there were to choose from
   */
  pickAmong(verdicts: Uint32Array, seed: number) {
    return this.#classes.pickAmong(verdicts, (ties) => pickRank(seed, ties));
  }

  /** @returns why no row is feasible; the same object until something changes. */
  refusal(): SharedRefusal {
    if (this.#refusal !== null) return this.#refusal;
    const histogram = new Map<number, number>(this.#histogram);
    histogram.delete(FEASIBLE);
    const { list } = this.#classes;
    for (let i = 0; i < list.length; i++) {
      const { size } = list[i].rows;
      const verdict = this.#classVerdicts[i];
      if (size > 0) histogram.set(verdict, (histogram.get(verdict) ?? 0) + size);
    }
    const { filtering } = this.#parts;
    const diagnosis = diagnose(this.#table, this.#profile, filtering, histogram);
    this.#refusal = { diagnosis, helpable: countHelpable(histogram) };
    return this.#refusal;
  }

  #knowsTerms(): boolean {
    const { index } = this.#table;
    if (index.termSetGeneration === this.#termSet) return true;
    const terms = index.termsMeaning(this.#spec, labelsOf(this.#table, this.#spec));
    this.#termSet = index.termSetGeneration;
    return terms.length === this.#terms.length && terms.every((it, i) => it === this.#terms[i]);
  }

  #fill(rows: number): void {
    const all = { from: 0, to: rows };
    const verdicts = new Uint32Array(rows);
    filterRows(this.#table, this.#localFiltering, verdicts, all);
    if (this.seesGuests) filterNominated(this.#nominated, verdicts);
    const totals = new Float64Array(rows).fill(this.#parts.uniform);
    for (const { run, weight } of this.#parts.fixed) {
      run.score(this.#out, verdicts, all);
      for (let row = 0; row < rows; row++) totals[row] += weight * this.#out[row];
    }
    for (const { score, raw } of this.#parts.byClass) {
      if (raw !== null) score.run.score(raw, verdicts, all);
    }
    for (let row = 0; row < rows; row++) this.#place(row, verdicts[row], totals[row]);
  }

  #repairRow(row: number): void {
    const range = this.#range;
    range.from = row;
    range.to = row + 1;
    for (const classing of this.#classings) classing.refresh(row);
    const known = this.#verdicts[row];
    if (this.seesGuests) filterRow(this.#nominated, this.#verdicts, range);
    else filterRows(this.#table, this.#localFiltering, this.#verdicts, range);
    const verdict = this.#verdicts[row];
    this.#verdicts[row] = known;
    let total = this.#parts.uniform;
    if (verdict === FEASIBLE) {
      for (const { run, weight } of this.#parts.fixed) {
        run.score(this.#out, this.#verdicts, range);
        total += weight * this.#out[row];
      }
      for (const { score, raw } of this.#parts.byClass) {
        if (raw !== null) score.run.score(raw, this.#verdicts, range);
      }
    }
    this.#place(row, verdict, total);
  }

  /** Takes down a row's verdict, and its total and class if it is feasible as far as it goes. */
  #place(row: number, verdict: number, total: number): void {
    const known = this.#verdicts[row];
    if (known !== verdict) {
      this.#verdicts[row] = verdict;
      this.#count(known, -1);
      this.#count(verdict, 1);
    }
    if (verdict !== FEASIBLE) return this.#classes.take(row);
    const values = this.#values;
    let depth = 0;
    for (const { raw } of this.#parts.byClass) if (raw !== null) values[depth++] = raw[row];
    for (const { columns } of this.#classings) {
      for (const column of columns) values[depth++] = column[row];
    }
    this.#classes.put(row, values, total);
  }

  #count(verdict: number, by: number): void {
    const count = (this.#histogram.get(verdict) ?? 0) + by;
    if (count === 0) this.#histogram.delete(verdict);
    else this.#histogram.set(verdict, count);
  }

  /** @returns the sets of rows that share the highest total. */
  #bestSets(): ScoreSet[] {
    const { list } = this.#classes;
    if (this.isFlat) {
      const only = list[0]?.rows;
      this.#feasibleCount = only?.size ?? 0;
      return this.#feasibleCount === 0 ? [] : [only.best!];
    }
    this.#judgeClasses();
    const { rows, count } = this.#feasible;
    this.#scoreClasses();
    let best = -Infinity;
    let sets: ScoreSet[] = [];
    for (let i = 0; i < count; i++) {
      const set = this.#classes.of(rows[i])!.rows.best!;
      const total = set.score + this.#offsets[i];
      if (total < best) continue;
      if (total > best) sets = [];
      best = total;
      sets.push(set);
    }
    return sets;
  }

  /** Asks the filters that look further about one row of each class. */
  #judgeClasses(): void {
    const { list } = this.#classes;
    if (this.#feasible.rows.length < list.length) {
      const length = 2 * list.length;
      const [rows, sizes] = [new Int32Array(length), new Int32Array(length)];
      this.#feasible = { rows, sizes, count: 0 };
      this.#offsets = new Float64Array(length);
      this.#classVerdicts = new Uint32Array(length);
    }
    const { rows, sizes } = this.#feasible;
    const range = this.#range;
    let count = 0;
    this.#feasibleCount = 0;
    for (let i = 0; i < list.length; i++) {
      const { size } = list[i].rows;
      if (size === 0) continue;
      const row = this.#classes.representative(i);
      range.from = row;
      range.to = row + 1;
      for (const { run, mark } of this.#parts.beyond) run.filter(this.#verdicts, range, mark);
      const verdict = this.#verdicts[row];
      this.#verdicts[row] = FEASIBLE;
      this.#classVerdicts[i] = verdict;
      if (verdict !== FEASIBLE) continue;
      rows[count] = row;
      sizes[count++] = size;
      this.#feasibleCount += size;
    }
    this.#feasible = { rows, sizes, count };
  }

  /** Works out what each feasible class adds to the totals of its rows. */
  #scoreClasses(): void {
    const { rows, count } = this.#feasible;
    const out = this.#out;
    const range = this.#range;
    this.#offsets.fill(0, 0, count);
    for (const { score: { run, weight }, raw, classing } of this.#parts.byClass) {
      classing?.reweigh?.(this.#feasible);
      for (let i = 0; i < count; i++) {
        const row = rows[i];
        if (raw !== null) {
          out[row] = raw[row];
          continue;
        }
        range.from = row;
        range.to = row + 1;
        run.score(out, this.#verdicts, range);
      }
      normaliseScores(run.normalise, out, this.#feasible);
      for (let i = 0; i < count; i++) this.#offsets[i] += weight * out[rows[i]];
    }
  }
}
