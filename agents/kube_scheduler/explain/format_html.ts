/**
 * An explanation as one HTML page that needs nothing else: no script, no link, no image.
 * In: an `Explanation`. Out: HTML; all nodes, every filter's verdict, every score.
 * Never: lets text from the cluster become markup; all of it is escaped.
 */
import type { NodeAccount, ScoreAccount } from "../../../scheduler/mod.ts";
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

const STYLE = `
:root { color-scheme: light dark; --line: #d8d8d8; --soft: #767676; --good: #e4f5e6;
  --bad: #fbe9e7; --bar: #b9d6f2; --paper: #fff }
@media (prefers-color-scheme: dark) { :root { --line: #444; --soft: #999; --good: #173b1d;
  --bad: #43211c; --bar: #27496b; --paper: #161616 } }
body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem; background: var(--paper) }
h1 { margin-bottom: 0 } h2 { margin-top: 2rem; font-size: 1.1rem }
small, .soft { color: var(--soft) } .scroll { overflow-x: auto }
ul { padding-left: 1.2rem; max-width: 70rem }
table { border-collapse: collapse }
td, th { padding: .3rem .75rem; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums }
th { white-space: nowrap } td:first-child { white-space: nowrap }
td small { display: block; white-space: nowrap }
tr.win { background: var(--good) } td.no { background: var(--bad) } td.yes { color: var(--soft) }
td.score { background: linear-gradient(var(--bar), var(--bar)) 0 100% / var(--part) 3px no-repeat }
`;

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

function cell(text: string, kind = ""): string {
  return `<td${kind === "" ? "" : ` class="${kind}"`}>${escaped(text)}</td>`;
}

function row(cells: readonly string[], wins = false): string {
  return `<tr${wins ? ' class="win"' : ""}>${cells.join("")}</tr>`;
}

/** @param rows ready HTML */
function section(title: string, header: readonly string[], rows: readonly string[]): string[] {
  if (rows.length === 0) return [];
  const cells = header.map((text) => `<th>${escaped(text)}</th>`).join("");
  return [
    `<h2>${escaped(title)}</h2>`,
    `<div class="scroll"><table><tr>${cells}</tr>`,
    ...rows,
    "</table></div>",
  ];
}

/** Headers of the terminal's tables in the page's way. */
function titled(header: readonly string[]): string[] {
  return header.map((text) => text[0] + text.slice(1).toLowerCase());
}

function scoreCell(score: ScoreAccount | undefined): string {
  if (score === undefined) return "<td></td>";
  const part = `style="--part:${Math.max(0, Math.min(100, score.normalised))}%"`;
  const words = escaped(scoreWords(score)).replace("-&gt;", "→").replace(" x ", " × ");
  return `<td class="score" ${part}>${score.weighted}<small>${words}</small></td>`;
}

function scoreSection(nodes: readonly NodeAccount[], winner: string): string[] {
  const feasible = nodes.filter((node) => node.feasible);
  const plugins = pluginsOf(feasible, "scores");
  const rows = feasible.map(({ nodeName, total, scores }) =>
    row([
      cell(nodeName),
      `<td><b>${total}</b></td>`,
      ...plugins.map((name) => scoreCell(scores.find(({ plugin }) => plugin === name))),
    ], nodeName === winner)
  );
  const title = "Scores: weighted, of raw → normalised × weight";
  return section(title, ["Node", "Total", ...plugins], rows);
}

function verdictCell(filter: NodeAccount["filters"][0] | undefined): string {
  if (filter === undefined) return "<td></td>";
  const objection = objectionOf(filter);
  return objection === "" ? cell("✓", "yes") : cell(`✗ ${objection}`, "no");
}

function verdictSection(nodes: readonly NodeAccount[], winner: string): string[] {
  const plugins = pluginsOf(nodes, "filters");
  if (plugins.length === 0) return [];
  const rows = nodes.map(({ nodeName, filters }) =>
    row([
      cell(nodeName),
      ...plugins.map((name) => verdictCell(filters.find(({ plugin }) => plugin === name))),
    ], nodeName === winner)
  );
  return section("Verdicts of the filters that have a say", ["Node", ...plugins], rows);
}

/** @returns a page that ends with a line break. */
export function formatHtml(explanation: Explanation): string {
  const { namespace, name, schedulerName, revision, account, context } = explanation;
  const title = escaped(`Pod ${namespace}/${name}`);
  const plain = (rows: readonly string[][], own = "") =>
    rows.map((cells) => row(cells.map((text) => cell(text)), cells[0] === own));
  const parts = [
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title>`,
    '<meta name="viewport" content="width=device-width">',
    `<style>${STYLE}</style><h1>${title}</h1>`,
    `<p class="soft">${escaped(`${schedulerName}, revision ${revision}`)}</p>`,
    `<ul>${summaryOf(explanation).map((line) => `<li>${escaped(line)}</li>`).join("\n")}</ul>`,
    ...section(
      "What would make it fit",
      titled(RELAXATION_HEADER),
      plain(relaxationRows(account)),
    ),
    ...section("The group, tried now", titled(MEMBER_HEADER), plain(memberRows(context), name)),
    ...scoreSection(account.nodes, account.winner),
    ...verdictSection(account.nodes, account.winner),
  ];
  return `${parts.join("\n")}\n</html>\n`;
}
