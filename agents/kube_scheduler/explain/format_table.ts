/**
 * An explanation as text for a terminal.
 * In: an `Explanation`. Out: lines with aligned columns; of many nodes only the first.
 * Never: decides, reads or prints.
 */
import type { NodeAccount } from "../../../scheduler/mod.ts";
import type { Explanation } from "./explanation.ts";
import {
  MEMBER_HEADER,
  memberRows,
  objectionOf,
  pluginsOf,
  RELAXATION_HEADER,
  relaxationRows,
  scoreWords,
  summaryOf,
} from "./explanation.ts";

/** Nodes shown; JSON and HTML show all. */
const SHOWN_NODES = 20;

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i])).join("  ").trimEnd());
}

function section(title: string, header: string[], rows: readonly string[][]): string[] {
  return rows.length === 0 ? [] : ["", title, ...aligned([header, ...rows])];
}

function rest(nodes: readonly NodeAccount[]): string[] {
  if (nodes.length <= SHOWN_NODES) return [];
  return [`… and ${nodes.length - SHOWN_NODES} more; --output json or html shows all`];
}

function scoreLines(feasible: readonly NodeAccount[]): string[] {
  const plugins = pluginsOf(feasible, "scores");
  const rows = feasible.slice(0, SHOWN_NODES).map(({ nodeName, total, scores }) => [
    nodeName,
    `${total}`,
    ...scores.map((score) => `${scoreWords(score)} = ${score.weighted}`),
  ]);
  const header = ["NODE", "TOTAL", ...plugins];
  return [
    ...section("Scores: raw -> normalised x weight = weighted", header, rows),
    ...rest(feasible),
  ];
}

/** The first objection of a node stands beside its name, others below. */
function refusalLines(refused: readonly NodeAccount[]): string[] {
  const rows = refused.slice(0, SHOWN_NODES).flatMap((node) =>
    node.filters.filter(({ reasons }) => reasons.length > 0).map((filter, index) => [
      index === 0 ? node.nodeName : "",
      filter.plugin,
      objectionOf(filter),
    ])
  );
  return [...section("Refused:", ["NODE", "PLUGIN", "OBJECTION"], rows), ...rest(refused)];
}

/** @returns text that ends with a line break. */
export function formatTable(explanation: Explanation): string {
  const { namespace, name, schedulerName, revision, account, context } = explanation;
  const lines = [
    `Pod ${namespace}/${name}, ${schedulerName}, revision ${revision}`,
    ...summaryOf(explanation),
    ...section("What would make it fit:", RELAXATION_HEADER, relaxationRows(account)),
    ...section("The group, tried now:", MEMBER_HEADER, memberRows(context)),
    ...scoreLines(account.nodes.filter((node) => node.feasible)),
    ...refusalLines(account.nodes.filter((node) => !node.feasible)),
  ];
  return `${lines.join("\n")}\n`;
}
