/**
 * The story of one pod in sentences and rows of cells, for whichever form it is told in.
 * In: an `Account`, its context, whose it is. Out: an `Explanation`, lines and cells.
 * Never: decides, reads or prints.
 */
import type { Account, NodeAccount, ScoreAccount } from "../../../scheduler/mod.ts";
import { contextLines, groupLines, type PodContext } from "./pod_context.ts";

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

/** @returns the account with the pod's own node as winner where only the seed decides otherwise. */
export function inFavourOf(account: Account, nodeName: string): Account {
  const own = account.nodes.find((node) => node.nodeName === nodeName);
  if (own === undefined || own.total === null || own.total !== account.nodes[0].total) {
    return account;
  }
  const others = account.nodes.filter((node) => node !== own);
  return { ...account, winner: nodeName, nodes: [own, ...others] };
}

/** @returns sentences on how it came out and on what it hangs. */
export function summaryOf({ account, nodeName, context }: Explanation): string[] {
  return [
    ...placeLines(account, nodeName),
    ...context.heldBy.map((reason) => `It is held back. ${reason}.`),
    ...verdictLines(account),
    ...evictionLines(account, context),
    ...(context.group === null ? [] : groupLines(context.group)),
    ...contextLines(context, nodeName !== ""),
  ];
}

function placeLines({ winner, nodes }: Account, nodeName: string): string[] {
  if (nodeName === "") return [];
  const line = `The pod is on ${nodeName}.`;
  if (!nodes.some((node) => node.nodeName === nodeName)) return [line];
  if (winner === nodeName) return [line];
  return [
    line,
    "Decided now, it would not go there again; --at REVISION tells of an earlier moment.",
  ];
}

function verdictLines(account: Account): string[] {
  const { winner, feasibleCount, nodes, rejection } = account;
  if (rejection !== "") return [`No node is looked at: ${rejection}.`];
  if (winner === "") return [`None of ${nodes.length} nodes will do.`];
  const won = nodes.find(({ nodeName }) => nodeName === winner)!;
  return [
    `${winner} wins: ${reasonToWin(account, won)}.`,
    `${feasibleCount} of ${nodes.length} nodes will do.`,
  ];
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

function evictionLines({ winner, nodes }: Account, { eviction }: PodContext): string[] {
  if (winner !== "" || nodes.length === 0 || eviction === null) return [];
  if (eviction.victims.length === 0) return ["Evicting less important pods would not help."];
  return [`Evicting ${eviction.victims.join(", ")} would make room on ${eviction.nodeName}.`];
}

/** @returns what one filter says of a node, "" when it lets the pod pass. */
export function objectionOf({ reasons, detail, resolvable }: NodeAccount["filters"][0]): string {
  if (reasons.length === 0) return "";
  const exactly = detail === "" ? "" : ` (${detail})`;
  return `${reasons.join(", ")}${exactly}${resolvable ? "; eviction may help" : ""}`;
}

/** @returns names of plugins in the order in which nodes first tell of them. */
export function pluginsOf(
  nodes: readonly NodeAccount[],
  kind: "filters" | "scores",
): readonly string[] {
  const names = new Set<string>();
  for (const node of nodes) for (const { plugin } of node[kind]) names.add(plugin);
  return [...names];
}

/** @returns how a score came about. */
export function scoreWords({ raw, normalised, weight }: ScoreAccount): string {
  return `${Number(raw.toFixed(2))} -> ${normalised} x ${weight}`;
}

export const RELAXATION_HEADER = ["PLUGIN", "WITHOUT", "NODES FREED", "INSTEAD"];

/** @returns a row for each demand that, given up, would free nodes. */
export function relaxationRows({ relaxations }: Account): string[][] {
  return relaxations.map(({ plugin, demand, nodes, instead }) => [
    plugin,
    demand,
    `${nodes}`,
    instead,
  ]);
}

export const MEMBER_HEADER = ["POD", "NODE", "OUTCOME"];

/** @returns a row for each pod of the group; none where there is no group. */
export function memberRows({ group }: PodContext): string[][] {
  return (group?.members ?? []).map(({ name, nodeName, isBound, message }) => [
    name,
    nodeName === "" ? "-" : nodeName,
    isBound ? "bound" : message === "" ? "would be bound" : message,
  ]);
}
