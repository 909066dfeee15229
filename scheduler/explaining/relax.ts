/**
 * What would make a pod fit: each of its demands given up alone, and how many nodes that frees.
 * In: the input of a decision, what every node objects to. Out: relaxations, most freed nodes
 * first.
 * Never: guesses from reasons where it can try: a demand is taken off and all filters asked anew.
 */

import { filterRows, prepareFilters } from "../decide.ts";
import type { DecideInput } from "../decide.ts";
import type { NodeTable } from "../node_table.ts";
import type { Taint } from "../node_row.ts";
import type { PodSpecRow } from "../pod_row.ts";
import { FEASIBLE } from "../plugin.ts";
import { type AmountKey, formatAmount, offeredAt } from "../structures/amounts.ts";
import { demandsOf } from "./demands.ts";

/** What, given up, would make nodes feasible. */
export interface Relaxation {
  /** Several joined by "+" where one alone frees no node. */
  readonly plugin: string;
  /** The pod's demand, or the node's objection where no demand of the pod's stands behind it. */
  readonly demand: string;
  readonly nodes: number;
  /** How much of an amount would still fit, "" where it is all or nothing. */
  readonly instead: string;
}

/** What is said of a node. */
export interface JudgedNode {
  readonly nodeName: string;
  readonly filters: readonly {
    readonly plugin: string;
    readonly reasons: readonly string[];
  }[];
}

/** Combinations shown where no demand alone is to blame. */
const MOST_COMBINATIONS = 5;

/** @returns rows that would take the pod with another spec. */
function rowsThatTake({ table, profile, pod }: DecideInput, spec: PodSpecRow): number[] {
  const { rows } = table;
  const verdicts = new Uint32Array(rows);
  const changed = { ...pod, template: { id: -1, spec, plain: null } };
  const filtering = prepareFilters(profile, { table, pod: changed, spec, verdicts });
  if (filtering.rejection !== "") return [];
  filterRows(table, filtering, verdicts, { from: 0, to: rows });
  return Array.from({ length: rows }, (_, row) => row)
    .filter((row) => verdicts[row] === FEASIBLE);
}

function distinctTaints({ nodes }: NodeTable): Taint[] {
  const byText = new Map<string, Taint>();
  for (const node of nodes) {
    for (const taint of node?.taints ?? []) byText.set(JSON.stringify(taint), taint);
  }
  return [...byText.values()];
}

function instead(table: NodeTable, key: AmountKey | undefined, rows: readonly number[]): string {
  if (key === undefined) return "";
  const most = rows.reduce((best, row) => Math.max(best, offeredAt(table, key, row).free), 0);
  return most > 0 ? `${formatAmount(key, most)} would fit` : "none of it is free";
}

interface Objection {
  readonly plugin: string;
  readonly reason: string;
}

function objectionsOf({ filters }: JudgedNode): Objection[] {
  return filters.flatMap(({ plugin, reasons }) => reasons.map((reason) => ({ plugin, reason })));
}

/** Nodes by what they object to, for those that object to as few things as any. */
function byObjections(nodes: readonly JudgedNode[]): Relaxation[] {
  const groups = new Map<string, { readonly objections: Objection[]; nodes: number }>();
  for (const node of nodes) {
    const objections = objectionsOf(node);
    const key = JSON.stringify(objections);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { objections, nodes: 1 });
    else group.nodes++;
  }
  const all = [...groups.values()].filter(({ objections }) => objections.length > 0);
  const fewest = Math.min(...all.map(({ objections }) => objections.length));
  return all.filter(({ objections }) => objections.length === fewest)
    .map(({ objections, nodes }) => ({
      plugin: [...new Set(objections.map(({ plugin }) => plugin))].join(" + "),
      demand: objections.map(({ reason }) => reason).join(" + "),
      nodes,
      instead: "",
    }));
}

function byNodes(a: Relaxation, b: Relaxation): number {
  return b.nodes - a.nodes || (a.demand < b.demand ? -1 : 1);
}

/**
 * Takes off one demand after the other.
 *
 * @param nodes what each node objects to; empty when the pod itself was rejected
 * @returns what frees nodes alone; if nothing does, what stands together in the way of most nodes
 */
export function relax(input: DecideInput, nodes: readonly JudgedNode[]): Relaxation[] {
  const { table, pod } = input;
  const freed = new Set<string>();
  const alone: Relaxation[] = [];
  for (const demand of demandsOf(pod.template.spec, distinctTaints(table))) {
    const rows = rowsThatTake(input, demand.without);
    if (rows.length === 0) continue;
    for (const row of rows) freed.add(table.nodeName(row));
    const { plugin, words, amount } = demand;
    const more = instead(table, amount, rows);
    alone.push({ plugin, demand: words, nodes: rows.length, instead: more });
  }
  const left = nodes.filter(({ nodeName }) => !freed.has(nodeName));
  const single = left.filter((node) => objectionsOf(node).length === 1);
  if (alone.length > 0 || single.length > 0) {
    return [...alone, ...byObjections(single)].sort(byNodes);
  }
  return byObjections(left).sort(byNodes).slice(0, MOST_COMBINATIONS);
}
