/**
 * PodTopologySpread: keeps matching pods evenly spread over topology domains, as a demand
 * (DoNotSchedule) or as a wish (ScheduleAnyway), with the system's wishes for pods that state none.
 * In: counters of matching pods, label columns. Out: verdicts; raw score = crowding of the domains.
 * Never: visits pods. Domains of excluded nodes don't count.
 * Source: Kubernetes v1.36 scheduler plugin PodTopologySpread.
 */

import { ABSENT } from "../intern.ts";
import type { ClusterEvent } from "../cluster_event.ts";
import type { NodeTable } from "../node_table.ts";
import type { PodRow, PodSpecRow, SpreadConstraint } from "../pod_row.ts";
import { FEASIBLE, MAX_NODE_SCORE, UNRESOLVABLE } from "../plugin.ts";
import type { Classing, Feasible, FeasibleClasses } from "../plugin.ts";
import type { FilterRun, Plugin, ScoreRun } from "../plugin.ts";
import { labelOf, matchesLabels } from "../selector.ts";
import { havingKeys, Inclusion, SpreadDomains } from "./spread_domains.ts";

const HOSTNAME = "kubernetes.io/hostname";

export interface SpreadArgs {
  /** Constraints of pods that state none; absent = the system's: hostname 3, zone 5, as wishes. */
  readonly defaultConstraints?: readonly SpreadConstraint[];
}

function wish(topologyKey: string, maxSkew: number): SpreadConstraint {
  return {
    topologyKey,
    maxSkew,
    whenUnsatisfiable: "ScheduleAnyway",
    selector: [],
    minDomains: 1,
    nodeAffinityPolicy: "Honor",
    nodeTaintsPolicy: "Ignore",
  };
}

const SYSTEM_DEFAULTS = [wish(HOSTNAME, 3), wish("topology.kubernetes.io/zone", 5)];

const SKEW = 1;
const LABEL_MISSING = 2;
const SKEW_REASONS = ["node(s) didn't match pod topology spread constraints"];
const LABEL_REASONS = [
  "node(s) didn't match pod topology spread constraints (missing required label)",
];

/**
 * A class column for domains that are single rows: what the row holds, told apart from no domain.
 */
function ownCounts(domains: SpreadDomains, counts: Int32Array, byRow: boolean): Int32Array {
  const { ids } = domains;
  const column = new Int32Array(ids.length);
  for (let row = 0; row < ids.length; row++) {
    if (ids[row] !== ABSENT) column[row] = 1 + (counts[byRow ? row : ids[row]] ?? 0);
  }
  return column;
}

function filterRun(
  table: NodeTable,
  spec: PodSpecRow,
  constraints: readonly SpreadConstraint[],
): FilterRun {
  const inclusion = new Inclusion(table, spec, havingKeys(table, constraints));
  const all = constraints.map((constraint) =>
    new SpreadDomains(table, spec, constraint, inclusion.rowsOf(constraint))
  );
  return {
    local: false,
    filter(verdicts, { from, to }, mark) {
      for (const domains of all) {
        const { constraint, counts, countsItself, ids } = domains;
        const most = constraint.maxSkew + domains.fewest - (countsItself ? 1 : 0);
        for (let row = from; row < to; row++) {
          if (verdicts[row] !== FEASIBLE) continue;
          const id = ids[row];
          if (id === ABSENT) verdicts[row] = mark | UNRESOLVABLE | LABEL_MISSING;
          else if (counts[id] > most) verdicts[row] = mark | SKEW;
        }
      }
    },
    reasons: (detail) => detail === LABEL_MISSING ? LABEL_REASONS : SKEW_REASONS,
    classing: () => filterClassing(all),
    change(pod, row, sign) {
      for (const domains of all) domains.change(pod.template.spec, row, sign);
    },
  };
}

function filterClassing(all: readonly SpreadDomains[]): Classing {
  const singular = all.map((domains) => domains.isSingular());
  for (const domains of all) domains.remember();
  const columns = all.map((domains, i) =>
    singular[i] ? ownCounts(domains, domains.counts, false) : domains.ids
  );
  return {
    columns,
    refresh(row) {
      for (let i = 0; i < all.length; i++) {
        const { ids, counts } = all[i];
        if (all[i].refresh(row) && singular[i] && ids[row] !== ABSENT) {
          columns[i][row] = 1 + counts[ids[row]];
        }
      }
    },
    isCurrent: () => all.every((domains) => domains.isCurrent()),
  };
}

/** What the score of one wish needs. */
interface Wish {
  readonly domains: SpreadDomains;
  readonly byHost: boolean;
  /** The more domains there are, the more each pod too many in one of them weighs. */
  weight: number;
}

function scoreRun(
  table: NodeTable,
  spec: PodSpecRow,
  constraints: readonly SpreadConstraint[],
  requireAllKeys: boolean,
  feasible: Feasible,
): ScoreRun {
  const having = requireAllKeys ? havingKeys(table, constraints) : table.alive;
  const inclusion = new Inclusion(table, spec, having);
  const wishes = constraints.map((constraint): Wish => ({
    domains: new SpreadDomains(table, spec, constraint, inclusion.rowsOf(constraint)),
    byHost: constraint.topologyKey === HOSTNAME,
    weight: 0,
  }));
  for (const wish of wishes) wish.weight = Math.log(countDomains(wish, having, feasible) + 2);
  return {
    local: false,
    normalise: (scores, all, count) => normaliseCrowding(scores, all, count, having),
    score(out, verdicts, { from, to }) {
      for (let row = from; row < to; row++) {
        if (verdicts[row] !== FEASIBLE) continue;
        out[row] = having[row] === 0 ? 0 : crowding(wishes, row);
      }
    },
    classing: () => scoreClassing(wishes, having),
  };
}

/** @returns how many domains have feasible rows; a lacking label makes one domain. */
function countDomains(
  { domains: { ids, counts }, byHost }: Wish,
  having: Uint8Array,
  { rows, count }: Feasible,
): number {
  const present = new Uint8Array(byHost ? 0 : counts.length);
  let domainCount = 0;
  for (let i = 0; i < count; i++) {
    const row = rows[i];
    if (having[row] === 0) continue;
    if (byHost) domainCount++;
    else if (present[ids[row]] === 0) {
      present[ids[row]] = 1;
      domainCount++;
    }
  }
  return domainCount;
}

/** The same, from one row of each class. */
function countClassDomains(
  { domains: { ids, counts }, byHost }: Wish,
  singular: boolean,
  having: Uint8Array,
  { rows, sizes, count }: FeasibleClasses,
): number {
  const present = new Uint8Array(singular ? 1 : counts.length);
  let domainCount = 0;
  for (let i = 0; i < count; i++) {
    const row = rows[i];
    if (having[row] === 0) continue;
    const id = ids[row];
    if (byHost || (singular && id !== ABSENT)) domainCount += sizes[i];
    else if (present[id] === 0) {
      present[id] = 1;
      domainCount++;
    }
  }
  return domainCount;
}

function scoreClassing(
  wishes: readonly Wish[],
  having: Uint8Array,
): Classing {
  const singular = wishes.map(({ domains }) => domains.isSingular());
  for (const { domains } of wishes) domains.remember();
  const columns = wishes.map(({ domains, byHost }, i) =>
    byHost
      ? ownCounts(domains, domains.pods, true)
      : singular[i]
      ? ownCounts(domains, domains.counts, false)
      : domains.ids
  );
  return {
    columns,
    refresh(row) {
      for (let i = 0; i < wishes.length; i++) {
        const { domains, byHost } = wishes[i];
        const { ids, counts, pods } = domains;
        if (!domains.refresh(row) || ids[row] === ABSENT) continue;
        if (byHost) columns[i][row] = 1 + pods[row];
        else if (singular[i]) columns[i][row] = 1 + counts[ids[row]];
      }
    },
    isCurrent: () => wishes.every(({ domains }) => domains.isCurrent()),
    reweigh(feasible) {
      for (let i = 0; i < wishes.length; i++) {
        const count = countClassDomains(wishes[i], singular[i], having, feasible);
        wishes[i].weight = Math.log(count + 2);
      }
    },
  };
}

function crowding(wishes: readonly Wish[], row: number): number {
  let score = 0;
  for (const { domains: { ids, counts, pods, constraint }, byHost, weight } of wishes) {
    if (ids[row] === ABSENT) continue;
    const count = byHost ? (pods.length === 0 ? 0 : pods[row]) : counts[ids[row]];
    score += count * weight + (constraint.maxSkew - 1);
  }
  return Math.round(score);
}

/** The emptier, the higher; nodes that lack a topology key get 0. */
function normaliseCrowding(
  scores: Float64Array,
  rows: Int32Array,
  count: number,
  having: Uint8Array,
): void {
  let least = Infinity;
  let most = 0;
  for (let i = 0; i < count; i++) {
    if (having[rows[i]] === 0) continue;
    least = Math.min(least, scores[rows[i]]);
    most = Math.max(most, scores[rows[i]]);
  }
  for (let i = 0; i < count; i++) {
    const row = rows[i];
    if (having[row] === 0) scores[row] = 0;
    else if (most === 0) scores[row] = MAX_NODE_SCORE;
    else scores[row] = Math.floor((MAX_NODE_SCORE * (most + least - scores[row])) / most);
  }
}

export function createPodTopologySpread(args: SpreadArgs = {}): Plugin {
  const systemDefaulted = args.defaultConstraints === undefined;
  const defaults = args.defaultConstraints ?? SYSTEM_DEFAULTS;

  function constraintsOf(
    spec: PodSpecRow,
    action: SpreadConstraint["whenUnsatisfiable"],
  ): readonly SpreadConstraint[] {
    const own = spec.spread.length > 0;
    if (!own && spec.defaultSpreadSelector.length === 0) return [];
    const chosen = (own ? spec.spread : defaults).filter((it) => it.whenUnsatisfiable === action);
    if (own) return chosen;
    return chosen.map((constraint) => ({ ...constraint, selector: spec.defaultSpreadSelector }));
  }

  function podMatters(pod: PodRow, event: ClusterEvent & { resource: "pod" }): boolean {
    const { spec } = pod.template;
    const { before, after, change } = event;
    const constraints = constraintsOf(spec, "DoNotSchedule");
    const itself = (after ?? before)?.uid === pod.uid;
    if (itself && change === "tolerations") {
      return constraints.some(({ nodeTaintsPolicy }) => nodeTaintsPolicy === "Honor");
    }
    if (change !== "add" && change !== "delete" && change !== "labels") return false;
    const involved = itself ||
      (event.assigned && (after ?? before)?.template.spec.namespace === spec.namespace);
    return involved && constraints.some(({ selector }) => {
      const was = before !== null && matchesLabels(selector, before.template.spec.labels);
      const is = after !== null && matchesLabels(selector, after.template.spec.labels);
      return was !== is;
    });
  }

  function nodeMatters(pod: PodRow, event: ClusterEvent & { resource: "node" }): boolean {
    const { before, after, change } = event;
    if (!["add", "delete", "labels", "taints"].includes(change)) return false;
    const constraints = constraintsOf(pod.template.spec, "DoNotSchedule");
    const matches = (labels: Readonly<Record<string, string>> | undefined) =>
      labels !== undefined &&
      constraints.every(({ topologyKey }) => labelOf(labels, topologyKey) !== undefined);
    const was = matches(before?.labels);
    const is = matches(after?.labels);
    if (before === null || after === null || was !== is) return was || is;
    if (!is) return false;
    return JSON.stringify(before.taints) !== JSON.stringify(after.taints) ||
      constraints.some(({ topologyKey }) =>
        labelOf(before.labels, topologyKey) !== labelOf(after.labels, topologyKey)
      );
  }

  return {
    name: "PodTopologySpread",
    prepareFilter({ table, spec }) {
      const constraints = constraintsOf(spec, "DoNotSchedule");
      return constraints.length === 0 ? null : filterRun(table, spec, constraints);
    },
    prepareScore({ table, spec }, feasible) {
      const constraints = constraintsOf(spec, "ScheduleAnyway");
      if (constraints.length === 0) return null;
      const requireAllKeys = spec.spread.length > 0 || !systemDefaulted;
      return scoreRun(table, spec, constraints, requireAllKeys, feasible);
    },
    hint(pod, event) {
      if (event.resource === "node") return nodeMatters(pod, event);
      return event.resource === "pod" && podMatters(pod, event);
    },
  };
}
