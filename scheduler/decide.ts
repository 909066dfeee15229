/**
 * One pod, one decision: filters write verdicts, scores fill columns, the best row is picked.
 * In: table, profile, pod, nominations, seed. Out: a node, or why there is none.
 * Never: samples nodes; every feasible node is scored. Never reads a clock or its own randomness:
 * the same state, pod and seed give the same decision.
 * Source: the scheduling cycle of Kubernetes v1.36 (findNodesThatFitPod, prioritizeNodes).
 */

import { pickPlaced } from "./kernels/place_pod.ts";
import type { PodAsk } from "./kernels/place_pod.ts";
import type { NodeTable } from "./node_table.ts";
import { FEASIBLE, isRejection, normaliseScores, UNRESOLVABLE, verdictMark } from "./plugin.ts";
import { DETAIL_MASK, verdictOrdinal } from "./plugin.ts";
import type { Cycle, Feasible, FilterRun, ScoreRun, TwoAmounts } from "./plugin.ts";
import type { PodRow, PodTemplate } from "./pod_row.ts";
import { guestsOf } from "./preemption/nominations.ts";
import type { Nominations } from "./preemption/nominations.ts";
import type { Profile } from "./profile.ts";
import type { RowRange } from "./selector.ts";

/** The ordinal of rows that a filter ruled out by name before looking at them. */
const BY_NAME_ORDINAL = 62;
/** The ordinal of holes in the table. */
const HOLE_ORDINAL = 63;
export const HOLE = verdictMark(HOLE_ORDINAL);
const NOBODY: readonly PodRow[] = [];

/** Why a pod fits nowhere. */
export interface Diagnosis {
  readonly nodeCount: number;
  /** Reason -> nodes that gave it. */
  readonly reasons: ReadonlyMap<string, number>;
  /** Set when the pod itself was rejected; then there are no reasons by node. */
  readonly preFilterMessage: string;
  /** Names of the plugins that rejected it anywhere. */
  readonly plugins: ReadonlySet<string>;
}

export type Decision =
  | {
    readonly kind: "placed";
    readonly row: number;
    readonly nodeName: string;
    readonly feasibleCount: number;
  }
  | { readonly kind: "unschedulable"; readonly diagnosis: Diagnosis }
  | { readonly kind: "noNodes" };

export interface PreparedFilter {
  readonly run: FilterRun;
  readonly mark: number;
}

export interface PreparedScore {
  readonly run: ScoreRun;
  readonly weight: number;
}

/** Filters ready for one pod. */
export interface Filtering {
  readonly filters: readonly PreparedFilter[];
  /** Rejection of the pod itself, "" when none, and by whom. */
  readonly rejection: string;
  /** Names of the only nodes worth looking at, null = all. */
  readonly onlyNodes: ReadonlySet<string> | null;
  /** Plugins that named those nodes, or that rejected the pod. */
  readonly namedBy: readonly string[];
}

/** Columns that one decision writes; reused from decision to decision. */
export class Scratch {
  verdicts = new Uint32Array(0);
  totals = new Int32Array(0);
  raw = new Float64Array(0);
  feasibleRows = new Int32Array(0);
  feasibleCount = 0;

  fit(rows: number): void {
    if (this.verdicts.length >= rows) return;
    const length = Math.max(64, 2 * rows);
    this.verdicts = new Uint32Array(length);
    this.totals = new Int32Array(length);
    this.raw = new Float64Array(length);
    this.feasibleRows = new Int32Array(length);
  }

  get feasible(): Feasible {
    return { rows: this.feasibleRows, count: this.feasibleCount };
  }
}

/** Prepares every filter that has a say on the pod. */
export function prepareFilters(profile: Profile, cycle: Cycle): Filtering {
  const filters: PreparedFilter[] = [];
  const namedBy: string[] = [];
  let onlyNodes: Set<string> | null = null;
  for (let i = 0; i < profile.filters.length; i++) {
    const plugin = profile.filters[i];
    const run = plugin.prepareFilter!(cycle);
    if (run === null) continue;
    if (isRejection(run)) {
      return { filters: [], rejection: run.reject, onlyNodes: null, namedBy: [plugin.name] };
    }
    filters.push({ run, mark: verdictMark(i + 1) });
    if (run.onlyNodes === undefined) continue;
    namedBy.push(plugin.name);
    onlyNodes = onlyNodes === null ? new Set(run.onlyNodes) : onlyNodes.intersection(run.onlyNodes);
    if (onlyNodes.size === 0) {
      return { filters: [], rejection: contradiction(namedBy), onlyNodes: null, namedBy };
    }
  }
  return { filters, rejection: "", onlyNodes, namedBy };
}

function contradiction(plugins: readonly string[]): string {
  return plugins.length === 1
    ? `node(s) didn't satisfy plugin ${plugins[0]}`
    : `node(s) didn't satisfy plugin(s) [${plugins.toSorted().join(" ")}] simultaneously`;
}

/** Writes the verdicts of a range of rows from scratch. */
export function filterRows(
  table: NodeTable,
  filtering: Filtering,
  verdicts: Uint32Array,
  range: RowRange,
): void {
  const { alive } = table;
  for (let row = range.from; row < range.to; row++) {
    verdicts[row] = alive[row] === 0 ? HOLE : FEASIBLE;
  }
  if (filtering.onlyNodes !== null) {
    const mark = verdictMark(BY_NAME_ORDINAL) | UNRESOLVABLE;
    for (let row = range.from; row < range.to; row++) {
      if (verdicts[row] === FEASIBLE && !filtering.onlyNodes.has(table.nodeName(row))) {
        verdicts[row] = mark;
      }
    }
  }
  for (const { run, mark } of filtering.filters) run.filter(verdicts, range, mark);
}

/** Writes the verdict of a row with pods put on it that aren't there (yet). */
function filterBeside(
  { table, filtering }: NominatedInput,
  verdicts: Uint32Array,
  range: RowRange,
  guests: readonly PodRow[],
): void {
  const row = range.from;
  for (const guest of guests) {
    table.putBack(guest, row);
    for (const { run } of filtering.filters) run.change?.(guest, row, 1);
  }
  filterRows(table, filtering, verdicts, range);
  for (const guest of guests) {
    table.lift(guest, row);
    for (const { run } of filtering.filters) run.change?.(guest, row, -1);
  }
}

/** For whom, and by which filters, promises to others are to be kept. */
export interface NominatedInput {
  readonly table: NodeTable;
  readonly filtering: Filtering;
  /** The pod itself is nobody's guest. */
  readonly pod: { readonly uid: string; readonly template: PodTemplate };
  readonly nominations: Nominations;
}

/**
 * Writes the verdict of one row from scratch: the pod must fit there as it stands, and if those
 * that the row is promised to were there.
 *
 * @param range the row
 */
export function filterRow(input: NominatedInput, verdicts: Uint32Array, range: RowRange): void {
  const { table, filtering, nominations } = input;
  const nominated = nominations.size === 0
    ? undefined
    : nominations.get(table.nodeName(range.from));
  const guests = nominated === undefined ? NOBODY : guestsOf(nominated, input.pod, table);
  if (guests.length > 0) {
    table.trial(() => filterBeside(input, verdicts, range, guests));
    if (verdicts[range.from] !== FEASIBLE) return;
  }
  filterRows(table, filtering, verdicts, range);
}

/** Filters every row that is promised to others once more, as if those others were there. */
export function filterNominated(input: NominatedInput, verdicts: Uint32Array): void {
  for (const nodeName of input.nominations.keys()) {
    const row = input.table.rowOf(nodeName);
    if (row >= 0) filterRow(input, verdicts, { from: row, to: row + 1 });
  }
}

/** Lists the feasible rows. */
export function gatherFeasible(scratch: Scratch, rows: number): void {
  const { verdicts, feasibleRows } = scratch;
  let count = 0;
  for (let row = 0; row < rows; row++) {
    if (verdicts[row] === FEASIBLE) feasibleRows[count++] = row;
  }
  scratch.feasibleCount = count;
}

/** Prepares every score that has a say on the pod. */
export function prepareScores(profile: Profile, cycle: Cycle, feasible: Feasible): PreparedScore[] {
  const scores: PreparedScore[] = [];
  for (const { plugin, weight } of profile.scores) {
    const run = plugin.prepareScore!(cycle, feasible);
    if (run !== null) scores.push({ run, weight });
  }
  return scores;
}

/** @returns what the scores that don't tell rows apart add to every total. */
export function uniformTotal(scores: readonly PreparedScore[]): number {
  return scores.reduce((sum, { run, weight }) => sum + weight * (run.uniform ?? 0), 0);
}

/** Fills `totals` of the feasible rows. */
export function scoreRows(scores: readonly PreparedScore[], scratch: Scratch, rows: number): void {
  const { verdicts, raw, totals, feasible } = scratch;
  totals.fill(uniformTotal(scores), 0, rows);
  for (const { run, weight } of scores) {
    if (run.uniform !== undefined) continue;
    run.score(raw, verdicts, { from: 0, to: rows });
    normaliseScores(run.normalise, raw, feasible);
    for (let i = 0; i < feasible.count; i++) {
      const row = feasible.rows[i];
      totals[row] += weight * raw[row];
    }
  }
}

/** @returns a number 0..count-1 that only the seed decides; every value is as likely. */
export function pickRank(seed: number, count: number): number {
  let mixed = (seed ^ 0x9e3779b9) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  mixed = (mixed ^ (mixed >>> 16)) >>> 0;
  return Math.floor((mixed / 2 ** 32) * count);
}

/** @returns the row with the best total; among equals, the one that the seed picks. */
export function pickRow(scratch: Scratch, seed: number): number {
  const { totals, feasibleRows, feasibleCount } = scratch;
  let best = -1;
  let ties = 0;
  let first = 0;
  for (let i = 0; i < feasibleCount; i++) {
    const total = totals[feasibleRows[i]];
    if (total > best) {
      best = total;
      ties = 1;
      first = i;
    } else if (total === best) ties++;
  }
  let rank = pickRank(seed, ties);
  for (let i = first; i < feasibleCount; i++) {
    const row = feasibleRows[i];
    if (totals[row] === best && rank-- === 0) return row;
  }
  throw new Error("decide: no feasible row to pick");
}

/** @returns how many rows have each verdict. */
function countVerdicts(verdicts: Uint32Array, rows: number): Map<number, number> {
  const histogram = new Map<number, number>();
  for (let row = 0; row < rows; row++) {
    const verdict = verdicts[row];
    histogram.set(verdict, (histogram.get(verdict) ?? 0) + 1);
  }
  return histogram;
}

/** @returns rows whose verdict eviction might change. */
export function countHelpable(histogram: ReadonlyMap<number, number>): number {
  let helpable = 0;
  for (const [verdict, count] of histogram) {
    const ruledOut = verdict === FEASIBLE || (verdict & UNRESOLVABLE) !== 0;
    if (!ruledOut && verdictOrdinal(verdict) !== HOLE_ORDINAL) helpable += count;
  }
  return helpable;
}

/** Counts verdicts into reasons. @param histogram verdict -> rows that have it */
export function diagnose(
  table: NodeTable,
  profile: Profile,
  filtering: Filtering,
  histogram: ReadonlyMap<number, number>,
): Diagnosis {
  const reasons = new Map<string, number>();
  const plugins = new Set<string>(filtering.namedBy);
  const nodeCount = table.nodeCount;
  if (filtering.rejection !== "") {
    return { nodeCount, reasons, preFilterMessage: filtering.rejection, plugins };
  }
  for (const [verdict, count] of histogram) {
    const ordinal = verdictOrdinal(verdict);
    if (verdict === FEASIBLE || ordinal === HOLE_ORDINAL) continue;
    const given = reasonsOf(filtering, verdict);
    if (ordinal !== BY_NAME_ORDINAL) plugins.add(profile.filters[ordinal - 1].name);
    for (const reason of given) reasons.set(reason, (reasons.get(reason) ?? 0) + count);
  }
  return { nodeCount, reasons, preFilterMessage: "", plugins };
}

/** @returns the words behind one verdict. */
export function reasonsOf(filtering: Filtering, verdict: number): readonly string[] {
  const ordinal = verdictOrdinal(verdict);
  if (ordinal === BY_NAME_ORDINAL) {
    return [`node(s) didn't satisfy plugin(s) [${filtering.namedBy.toSorted().join(" ")}]`];
  }
  const filter = filtering.filters.find(({ mark }) => verdictOrdinal(mark) === ordinal);
  return filter?.run.reasons(verdict & DETAIL_MASK) ?? [];
}

/** What a decision looks at. */
export interface DecideInput {
  readonly table: NodeTable;
  readonly profile: Profile;
  readonly pod: PodRow;
  readonly nominations: Nominations;
  /** 32-bit number that breaks ties. */
  readonly seed: number;
  /** Whether the scratch is to hold every verdict and total, whatever could be left out. */
  readonly inFull?: boolean;
}

/** A decision together with the prepared filters behind it, which a preemption goes on with. */
export interface Outcome {
  readonly decision: Decision;
  readonly filtering: Filtering;
  readonly scores: readonly PreparedScore[];
  /** Rows that rejected the pod in a way that eviction might change. */
  readonly helpable: number;
  /** @returns `Uint32Array[rows]` behind a refusal, good until the next decision. */
  verdicts(): Uint32Array;
}

/**
 * Decides where a pod goes.
 *
 * @param scratch overwritten; holds the verdicts and, if several nodes are feasible, the totals.
 */
export function decide(input: DecideInput, scratch: Scratch): Outcome {
  const { table, profile, pod, nominations, seed } = input;
  const { rows } = table;
  table.trimLabels();
  scratch.fit(rows);
  const { verdicts } = scratch;
  const cycle: Cycle = { table, pod, spec: pod.template.spec, verdicts };
  const outcome = (decision: Decision, filtering: Filtering, scores: readonly PreparedScore[]) => ({
    decision,
    filtering,
    scores,
    helpable: 0,
    verdicts: () => verdicts,
  });
  if (table.nodeCount === 0) {
    const filtering = { filters: [], rejection: "", onlyNodes: null, namedBy: [] };
    return outcome({ kind: "noNodes" }, filtering, []);
  }
  const filtering = prepareFilters(profile, cycle);
  const promised = input.inFull === true ? -1 : fitsPromised(input, filtering, verdicts);
  if (promised >= 0) return outcome(placed(table, promised, 1), filtering, []);
  const plain = plainAsk(input, cycle, filtering);
  if (plain !== null) {
    const count = table.hot.place(rows, plain.ask);
    if (count > 0) {
      const row = pickPlaced(table.hot, rows, plain.ask, (ties) => pickRank(seed, ties));
      return outcome(placed(table, row, count), filtering, plain.scores);
    }
  }
  if (filtering.rejection === "") {
    filterRows(table, filtering, verdicts, { from: 0, to: rows });
    filterNominated({ table, filtering, pod, nominations }, verdicts);
    gatherFeasible(scratch, rows);
  } else scratch.feasibleCount = 0;

  const feasibleCount = scratch.feasibleCount;
  if (feasibleCount === 0) {
    const histogram = countVerdicts(verdicts, rows);
    const diagnosis = diagnose(table, profile, filtering, histogram);
    const helpable = filtering.rejection === "" ? countHelpable(histogram) : 0;
    return { ...outcome({ kind: "unschedulable", diagnosis }, filtering, []), helpable };
  }
  const scores = prepareScores(profile, cycle, scratch.feasible);
  scoreRows(scores, scratch, rows);
  const row = pickRow(scratch, seed);
  return outcome(placed(table, row, feasibleCount), filtering, scores);
}

/**
 * Looks at the node that a pod was promised before any other.
 *
 * @param verdicts `Uint32Array[rows]` to work in; the row's entry is overwritten
 * @returns its row where the pod fits, -1 where it does not or nothing was promised
 */
export function fitsPromised(
  { table, pod, nominations }: DecideInput,
  filtering: Filtering,
  verdicts: Uint32Array,
): number {
  if (pod.nominatedNode === "" || filtering.rejection !== "") return -1;
  const row = table.rowOf(pod.nominatedNode);
  if (row < 0) return -1;
  filterRow({ table, filtering, pod, nominations }, verdicts, { from: row, to: row + 1 });
  return verdicts[row] === FEASIBLE ? row : -1;
}

interface PlainAsk {
  readonly ask: PodAsk;
  readonly scores: readonly PreparedScore[];
}

/** Above this, totals might leave 32 bits. */
const MOST_WEIGHT = 2 ** 20;

const NOWHERE: Feasible = { rows: new Int32Array(0), count: 0 };

/** @returns what one pass over the table needs, null when some plugin wants more than that. */
function plainAsk(input: DecideInput, cycle: Cycle, filtering: Filtering): PlainAsk | null {
  const { table, profile, pod, nominations } = input;
  if (input.inFull === true || nominations.size > 0) return null;
  const { filters, onlyNodes } = filtering;
  const fits = filters.length === 1 && onlyNodes === null ? filters[0].run.fits : undefined;
  if (fits === undefined || table.hugeNodes > 0 || pod.nominatedNode !== "") return null;
  const scores = prepareScores(profile, cycle, NOWHERE);
  let least: TwoAmounts | undefined;
  let balance: TwoAmounts | undefined;
  let leastWeight = 0;
  let balanceWeight = 0;
  for (const { run, weight } of scores) {
    if (run.uniform !== undefined) continue;
    if (run.least !== undefined) [least, leastWeight] = [run.least, weight];
    else if (run.balance !== undefined) [balance, balanceWeight] = [run.balance, weight];
    else return null;
  }
  const ask: PodAsk = {
    cpuFit: fits.cpuMilli > 0 ? fits.cpuMilli : -Infinity,
    memoryFit: fits.memoryBytes > 0 ? fits.memoryBytes : -Infinity,
    cpuScored: least?.cpuMilli ?? 0,
    memoryScored: least?.memoryBytes ?? 0,
    cpuExact: balance?.cpuMilli ?? 0,
    memoryExact: balance?.memoryBytes ?? 0,
    leastWeight,
    balanceWeight,
  };
  if (leastWeight + balanceWeight > MOST_WEIGHT) return null;
  return { ask, scores };
}

function placed(table: NodeTable, row: number, feasibleCount: number): Decision {
  return { kind: "placed", row, nodeName: table.nodeName(row), feasibleCount };
}
