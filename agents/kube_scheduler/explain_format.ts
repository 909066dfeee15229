/**
 * An account of one decision as a table, as JSON, or as one HTML page that needs nothing else.
 * In: an `Account` and whose it is. Out: text.
 * Never: decides, reads or prints. Text from the cluster is escaped in HTML.
 */
import type { Account, NodeAccount } from "../../scheduler/mod.ts";
import { contextLines, type PodContext } from "./explain/pod_context.ts";

export interface Explanation {
  readonly namespace: string;
  readonly name: string;
  readonly schedulerName: string;
  /** The revision that was looked at. */
  readonly revision: string;
  /** Node the pod is on, "" when it has none. */
  readonly nodeName: string;
  readonly account: Account;
  /** What besides nodes decides about the pod. */
  readonly context: PodContext;
}

export type ExplainFormat = "table" | "json" | "html";

/** Objections shown in full in a table; JSON and HTML show all. */
const SHOWN_NODES = 20;

/** @returns the explanation as text that ends with a line break. */
export function formatExplanation(explanation: Explanation, format: ExplainFormat): string {
  switch (format) {
    case "json":
      return `${JSON.stringify(explanation, null, 2)}\n`;
    case "html":
      return formatHtml(explanation);
    case "table":
      return formatTable(explanation);
  }
}

/** @returns one sentence or two on how it came out. */
export function summaryOf({ account, nodeName, context }: Explanation): string[] {
  const { winner, feasibleCount, nodes, tied, rejection } = account;
  const lines: string[] = [];
  if (rejection !== "") lines.push(`No node is looked at: ${rejection}.`);
  else if (winner === "") lines.push(`None of ${nodes.length} nodes will do.`);
  else {
    lines.push(`${winner} wins: ${reasonToWin(account, nodeOf(account, winner))}.`);
    lines.push(`${feasibleCount} of ${nodes.length} nodes will do; ${tied} share the best total.`);
  }
  if (nodeName !== "") lines.push(`The pod is on ${nodeName}.`);
  return [...lines, ...contextLines(context)];
}

function nodeOf({ nodes }: Account, name: string): NodeAccount {
  return nodes.find(({ nodeName }) => nodeName === name)!;
}

function reasonToWin({ nodes, feasibleCount, tied }: Account, winner: NodeAccount): string {
  if (feasibleCount === 1) return "it is the only node that will do";
  if (tied > 1) return `total ${winner.total}, drawn among ${tied} equals`;
  const second = nodes.find((node) => node.feasible && node !== winner)!;
  const gains = winner.scores.map(({ plugin, weighted }) => ({
    plugin,
    gain: weighted - (second.scores.find((it) => it.plugin === plugin)?.weighted ?? 0),
  })).filter(({ gain }) => gain !== 0).sort((a, b) => b.gain - a.gain);
  const parts = gains.map(({ plugin, gain }) => `${plugin} ${gain > 0 ? "+" : ""}${gain}`);
  return `total ${winner.total} against ${second.total} of ${second.nodeName} (${
    parts.join(", ")
  })`;
}

function objectionsOf({ filters }: NodeAccount): string {
  return filters.filter(({ reasons }) => reasons.length > 0)
    .map(({ plugin, reasons, resolvable }) =>
      `${plugin}: ${reasons.join(", ")}${resolvable ? " (eviction may help)" : ""}`
    ).join("; ");
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i])).join("  ").trimEnd());
}

function scoreRows(nodes: readonly NodeAccount[]): string[][] {
  const plugins = nodes[0].scores.map(({ plugin }) => plugin);
  const header = ["NODE", "TOTAL", ...plugins.map((name) => name.toUpperCase())];
  const rows = nodes.map(({ nodeName, total, scores }) => [
    nodeName,
    `${total}`,
    ...scores.map(({ raw, normalised, weight, weighted }) =>
      `${Number(raw.toFixed(2))} -> ${normalised} x ${weight} = ${weighted}`
    ),
  ]);
  return [header, ...rows];
}

/** @returns a header and a row for each pod of the group; only the header when there is none. */
function memberRows({ group }: PodContext): string[][] {
  const rows = (group?.members ?? []).map(({ name, nodeName, isBound, message }) => [
    name,
    nodeName === "" ? "-" : nodeName,
    isBound ? "bound" : message === "" ? "would be bound" : message,
  ]);
  return [["POD", "NODE", "OUTCOME"], ...rows];
}

function relaxationLines({ relaxations, winner }: Account): string[] {
  if (winner !== "" || relaxations.length === 0) return [];
  return [
    "",
    "What would make it fit, if given up alone:",
    ...aligned(relaxations.map(({ plugin, reason, nodes }) => [
      `  ${plugin}`,
      reason,
      `frees ${nodes} node${nodes === 1 ? "" : "s"}`,
    ])),
  ];
}

function formatTable(explanation: Explanation): string {
  const { namespace, name, schedulerName, revision, account, context } = explanation;
  const feasible = account.nodes.filter((node) => node.feasible);
  const refused = account.nodes.filter((node) => !node.feasible);
  const lines = [
    `Pod ${namespace}/${name}, ${schedulerName}, revision ${revision}`,
    ...summaryOf(explanation),
    ...relaxationLines(account),
  ];
  const members = memberRows(context);
  if (members.length > 1) lines.push("", "The group, tried now:", ...aligned(members));
  if (feasible.length > 0) {
    lines.push("", "Scores: raw -> normalised x weight = weighted");
    lines.push(...aligned(scoreRows(feasible.slice(0, SHOWN_NODES))), ...rest(feasible));
  }
  if (refused.length > 0) {
    const rows = refused.slice(0, SHOWN_NODES).map((node) => [node.nodeName, objectionsOf(node)]);
    lines.push("", "Refused:", ...aligned([["NODE", "OBJECTIONS"], ...rows]), ...rest(refused));
  }
  return `${lines.join("\n")}\n`;
}

function rest(nodes: readonly NodeAccount[]): string[] {
  if (nodes.length <= SHOWN_NODES) return [];
  return [`… and ${nodes.length - SHOWN_NODES} more; --output json shows all`];
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

const STYLE = "body{font:14px/1.5 system-ui,sans-serif;margin:2rem;color:#222;max-width:90rem}" +
  "table{border-collapse:collapse;margin:1rem 0}td,th{padding:.25rem .75rem;text-align:left;" +
  "border-bottom:1px solid #ddd;font-variant-numeric:tabular-nums}tr.win{background:#e7f6e7}" +
  "small{color:#777}@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}" +
  "td,th{border-color:#444}tr.win{background:#1d3a1d}}";

function htmlTable(header: readonly string[], rows: readonly string[]): string {
  const cells = header.map((cell) => `<th>${escaped(cell)}</th>`).join("");
  return `<table><tr>${cells}</tr>\n${rows.join("\n")}\n</table>`;
}

function htmlRow(cells: readonly string[], wins = false): string {
  const inner = cells.map((cell) => `<td>${escaped(cell)}</td>`).join("");
  return `<tr${wins ? ' class="win"' : ""}>${inner}</tr>`;
}

function formatHtml(explanation: Explanation): string {
  const { namespace, name, schedulerName, revision, account, context } = explanation;
  const feasible = account.nodes.filter((node) => node.feasible);
  const refused = account.nodes.filter((node) => !node.feasible);
  const title = escaped(`Pod ${namespace}/${name}`);
  const parts = [
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title>`,
    `<style>${STYLE}</style><h1>${title}</h1>`,
    `<p><small>${escaped(`${schedulerName}, revision ${revision}`)}</small></p>`,
    ...summaryOf(explanation).map((line) => `<p>${escaped(line)}</p>`),
  ];
  if (account.winner === "" && account.relaxations.length > 0) {
    const rows = account.relaxations.map(({ plugin, reason, nodes }) =>
      htmlRow([plugin, reason, `${nodes}`])
    );
    parts.push("<h2>What would make it fit, if given up alone</h2>");
    parts.push(htmlTable(["Plugin", "Demand", "Nodes freed"], rows));
  }
  const [memberHeader, ...members] = memberRows(context);
  if (members.length > 0) {
    const rows = members.map((row) => htmlRow(row, row[0] === name));
    parts.push("<h2>The group, tried now</h2>", htmlTable(memberHeader, rows));
  }
  if (feasible.length > 0) {
    const [header, ...rows] = scoreRows(feasible);
    parts.push("<h2>Scores</h2><p><small>raw → normalised × weight = weighted</small></p>");
    parts.push(htmlTable(header, rows.map((row) => htmlRow(row, row[0] === account.winner))));
  }
  if (refused.length > 0) {
    const rows = refused.map((node) => htmlRow([node.nodeName, objectionsOf(node)]));
    parts.push("<h2>Refused</h2>", htmlTable(["Node", "Objections"], rows));
  }
  return `${parts.join("\n")}\n</html>\n`;
}
