/**
 * A decision told in full: what every plugin says of every node, and what would change it.
 * In: the same input as `decide`. Out: verdicts of all filters, not only of the first to object;
 * raw, normalised and weighted scores; which single demand keeps the pod off how many nodes.
 * Never: takes a short cut that a decision takes; it runs the same plugins, one at a time.
 */

import { decide, filterRows, prepareFilters, prepareScores, Scratch } from "../decide.ts";
import type { DecideInput } from "../decide.ts";
import { DETAIL_MASK, FEASIBLE, normaliseScores, UNRESOLVABLE } from "../plugin.ts";
import type { Cycle } from "../plugin.ts";
import { relax, type Relaxation } from "./relax.ts";

/** What one filter says of one node. */
export interface FilterAccount {
  readonly plugin: string;
  /** Empty = it lets the pod pass. */
  readonly reasons: readonly string[];
  /** What exactly the node has or lacks, "" when there is nothing to add. */
  readonly detail: string;
  /** Whether evicting other pods might change it. */
  readonly resolvable: boolean;
}

/** What one score says of one node. */
export interface ScoreAccount {
  readonly plugin: string;
  readonly raw: number;
  /** 0..100 */
  readonly normalised: number;
  readonly weight: number;
  readonly weighted: number;
}

export interface NodeAccount {
  readonly nodeName: string;
  readonly feasible: boolean;
  /** Filters that have a say on this pod, in their order. */
  readonly filters: readonly FilterAccount[];
  readonly scores: readonly ScoreAccount[];
  /** Sum of the weighted scores; null where the pod may not go. */
  readonly total: number | null;
}

export interface Account {
  /** "" when there is none. */
  readonly winner: string;
  readonly feasibleCount: number;
  /** The winner, feasible nodes by falling total, others by what they object to; then by name. */
  readonly nodes: readonly NodeAccount[];
  /** How many nodes have the highest total; above 1 the seed decides. */
  readonly tied: number;
  /** Why the pod itself was rejected, "" when it was not. */
  readonly rejection: string;
  /** What would make a pod fit that fits nowhere; most freed nodes first. */
  readonly relaxations: readonly Relaxation[];
}

/** @returns the whole story of one decision. */
export function account(input: DecideInput): Account {
  const scratch = new Scratch();
  const { decision } = decide({ ...input, inFull: true }, scratch);
  const { table, profile, pod } = input;
  const { rows } = table;
  const verdicts = scratch.verdicts.slice(0, rows);
  const cycle: Cycle = { table, pod, spec: pod.template.spec, verdicts };
  const filtering = prepareFilters(profile, cycle);
  const winner = decision.kind === "placed" ? decision.nodeName : "";
  const empty = { winner, feasibleCount: 0, nodes: [], tied: 0, relaxations: [] };
  if (table.nodeCount === 0) return { ...empty, rejection: "there are no nodes" };
  if (filtering.rejection !== "") {
    return { ...empty, rejection: filtering.rejection, relaxations: relax(input, []) };
  }

  const filters = filterAccounts(input, filtering);
  const scores = scoreAccounts(input, cycle, scratch);
  const nodes: NodeAccount[] = [];
  for (let row = 0; row < rows; row++) {
    if (table.alive[row] === 0) continue;
    const feasible = verdicts[row] === FEASIBLE;
    const own = feasible ? scores[row] ?? [] : [];
    const total = feasible ? own.reduce((sum, { weighted }) => sum + weighted, 0) : null;
    const nodeName = table.nodeName(row);
    nodes.push({ nodeName, feasible, filters: filters[row], scores: own, total });
  }
  nodes.sort((a, b) => byTotal(a, b, winner));
  const best = nodes[0]?.total ?? null;
  return {
    winner,
    feasibleCount: nodes.filter(({ feasible }) => feasible).length,
    nodes,
    tied: best === null ? 0 : nodes.filter(({ total }) => total === best).length,
    rejection: "",
    relaxations: winner === "" ? relax(input, nodes) : [],
  };
}

function byTotal(a: NodeAccount, b: NodeAccount, winner: string): number {
  const difference = (b.total ?? -1) - (a.total ?? -1);
  if (difference !== 0) return difference;
  if (a.nodeName === winner) return -1;
  if (b.nodeName === winner) return 1;
  const objections = objectionsOf(a) - objectionsOf(b);
  if (objections !== 0) return objections;
  return a.nodeName < b.nodeName ? -1 : 1;
}

function objectionsOf({ filters }: NodeAccount): number {
  return filters.reduce((sum, { reasons }) => sum + reasons.length, 0);
}

/** Asks every filter about every row, as if it were the only one. */
function filterAccounts(
  { table, profile }: DecideInput,
  filtering: ReturnType<typeof prepareFilters>,
): FilterAccount[][] {
  const accounts: FilterAccount[][] = Array.from({ length: table.rows }, () => []);
  const alone = new Uint32Array(table.rows);
  const range = { from: 0, to: table.rows };
  if (filtering.onlyNodes !== null) {
    filterRows(table, { ...filtering, filters: [] }, alone, range);
    const plugin = filtering.namedBy.join(", ");
    const reasons = [`node(s) didn't satisfy plugin(s) [${plugin}]`];
    const refusal = { plugin, reasons, detail: "", resolvable: false };
    for (let row = 0; row < table.rows; row++) {
      if (alone[row] !== FEASIBLE) accounts[row].push(refusal);
    }
  }
  for (const { run, mark } of filtering.filters) {
    alone.fill(FEASIBLE);
    run.filter(alone, range, mark);
    const plugin = profile.filters[(mark >>> 26) - 1].name;
    for (let row = 0; row < table.rows; row++) {
      const verdict = alone[row];
      const reasons = verdict === FEASIBLE ? [] : run.reasons(verdict & DETAIL_MASK);
      const detail = verdict === FEASIBLE ? "" : run.why?.(row) ?? "";
      const resolvable = (verdict & UNRESOLVABLE) === 0;
      accounts[row].push({ plugin, reasons, detail, resolvable });
    }
  }
  return accounts;
}

/** @returns the scores of each feasible row; other rows have none. */
function scoreAccounts(
  { table, profile }: DecideInput,
  cycle: Cycle,
  scratch: Scratch,
): ScoreAccount[][] {
  const accounts: ScoreAccount[][] = [];
  const { verdicts } = cycle;
  const rows: number[] = [];
  for (let row = 0; row < table.rows; row++) if (verdicts[row] === FEASIBLE) rows.push(row);
  const feasible = { rows: Int32Array.from(rows), count: rows.length };
  for (const row of rows) accounts[row] = [];
  if (rows.length === 0) return accounts;
  const range = { from: 0, to: table.rows };
  for (const { plugin, weight } of profile.scores) {
    const [prepared] = prepareScores({ ...profile, scores: [{ plugin, weight }] }, cycle, feasible);
    if (prepared === undefined) continue;
    const { run } = prepared;
    const raw = scratch.raw.fill(run.uniform ?? 0);
    if (run.uniform === undefined) run.score(raw, verdicts, range);
    const normalised = raw.slice();
    if (run.uniform === undefined) normaliseScores(run.normalise, normalised, feasible);
    for (const row of rows) {
      accounts[row].push({
        plugin: plugin.name,
        raw: raw[row],
        normalised: normalised[row],
        weight,
        weighted: weight * normalised[row],
      });
    }
  }
  return accounts;
}
