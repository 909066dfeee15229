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
import type { PodRow, PodSpecRow, Requirement, SpreadConstraint } from "../pod_row.ts";
import { FEASIBLE, MAX_NODE_SCORE, UNRESOLVABLE } from "../plugin.ts";
import type { Feasible, FilterRun, Plugin, ScoreRun } from "../plugin.ts";
import { demandsNode, labelOf, matchesLabels, matchNodeDemand } from "../selector.ts";
import { isRepelled } from "./tolerations.ts";

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

const NO_COUNTS = new Int32Array(0);

/** @returns pods of the namespace that match, by row; empty when the selector can't count any. */
function matchingPods(
  table: NodeTable,
  namespace: string,
  selector: readonly Requirement[] | null,
): Int32Array {
  if (selector === null || selector.length === 0) return NO_COUNTS;
  const query = { namespaces: [namespace], selectors: [selector], skipTerminating: true };
  return table.index.counter(query).counts;
}

/** Marks nodes that have every topology key. */
function havingKeys(table: NodeTable, constraints: readonly SpreadConstraint[]): Uint8Array {
  const having = table.alive.slice(0, table.rows);
  for (const { topologyKey } of constraints) {
    const ids = table.labelIds(topologyKey);
    for (let row = 0; row < table.rows; row++) if (ids[row] === ABSENT) having[row] = 0;
  }
  return having;
}

/** Which nodes count towards the domains of a constraint, by its two policies. */
class Inclusion {
  readonly #table: NodeTable;
  readonly #spec: PodSpecRow;
  #demanded: Uint8Array | null | undefined;
  #repelled: Uint8Array | undefined;

  constructor(table: NodeTable, spec: PodSpecRow) {
    this.#table = table;
    this.#spec = spec;
  }

  /** @returns whether a row counts. */
  of(constraint: SpreadConstraint, row: number): boolean {
    if (constraint.nodeAffinityPolicy === "Honor" && this.#demand()?.[row] === 0) return false;
    return constraint.nodeTaintsPolicy === "Ignore" || this.#repels()[row] === 0;
  }

  #demand(): Uint8Array | null {
    if (this.#demanded === undefined) {
      this.#demanded = demandsNode(this.#spec) ? new Uint8Array(this.#table.rows) : null;
      if (this.#demanded !== null) {
        const all = { from: 0, to: this.#table.rows };
        matchNodeDemand(this.#table, this.#spec, this.#demanded, all);
      }
    }
    return this.#demanded;
  }

  #repels(): Uint8Array {
    if (this.#repelled === undefined) {
      const { rows, taintList, taintLists } = this.#table;
      this.#repelled = new Uint8Array(rows);
      for (let row = 0; row < rows; row++) {
        const taints = taintLists.item(taintList[row]) ?? [];
        if (isRepelled(this.#spec.tolerations, taints)) this.#repelled[row] = 1;
      }
    }
    return this.#repelled;
  }
}

/** Matching pods by domain under one demand. */
interface Domains {
  readonly constraint: SpreadConstraint;
  readonly counts: Int32Array;
  /** Label value ids that are domains. */
  readonly present: Set<number>;
  readonly countsItself: boolean;
}

function domainsOf(
  table: NodeTable,
  spec: PodSpecRow,
  constraints: readonly SpreadConstraint[],
  eligible: (constraint: SpreadConstraint, row: number) => boolean,
): Domains[] {
  return constraints.map((constraint) => {
    const ids = table.labelIds(constraint.topologyKey);
    const pods = matchingPods(table, spec.namespace, constraint.selector);
    const counts = new Int32Array(table.labelSpan);
    const present = new Set<number>();
    const seen = new Uint8Array(table.labelSpan);
    for (let row = 0; row < table.rows; row++) {
      if (!eligible(constraint, row)) continue;
      const id = ids[row];
      if (pods.length > 0) counts[id] += pods[row];
      if (seen[id] === 0) {
        seen[id] = 1;
        present.add(id);
      }
    }
    const countsItself = matchesLabels(constraint.selector, spec.labels);
    return { constraint, counts, present, countsItself };
  });
}

function fewest({ constraint, counts, present }: Domains): number {
  if (present.size < constraint.minDomains) return 0;
  let least = Infinity;
  for (const id of present) least = Math.min(least, counts[id]);
  return least;
}

function filterRun(
  table: NodeTable,
  spec: PodSpecRow,
  constraints: readonly SpreadConstraint[],
): FilterRun {
  const having = havingKeys(table, constraints);
  const inclusion = new Inclusion(table, spec);
  const eligible = (constraint: SpreadConstraint, row: number) =>
    having[row] !== 0 && inclusion.of(constraint, row);
  const domains = domainsOf(table, spec, constraints, eligible);
  let least: number[] | null = null;
  return {
    local: false,
    filter(verdicts, { from, to }, mark) {
      least ??= domains.map(fewest);
      for (let i = 0; i < domains.length; i++) {
        const { constraint, counts, countsItself } = domains[i];
        const ids = table.labelIds(constraint.topologyKey);
        const most = constraint.maxSkew + least[i] - (countsItself ? 1 : 0);
        for (let row = from; row < to; row++) {
          if (verdicts[row] !== FEASIBLE) continue;
          const id = ids[row];
          if (id === ABSENT) verdicts[row] = mark | UNRESOLVABLE | LABEL_MISSING;
          else if (counts[id] > most) verdicts[row] = mark | SKEW;
        }
      }
    },
    reasons: (detail) => detail === LABEL_MISSING ? LABEL_REASONS : SKEW_REASONS,
    change(pod, row, sign) {
      const other = pod.template.spec;
      if (other.namespace !== spec.namespace) return;
      for (const { constraint, counts, present } of domains) {
        if (!eligible(constraint, row) || !matchesLabels(constraint.selector, other.labels)) {
          continue;
        }
        const id = table.labelIds(constraint.topologyKey)[row];
        counts[id] += sign;
        present.add(id);
        least = null;
      }
    },
  };
}

/** What the score of one wish needs. */
interface Wish {
  readonly ids: Int32Array;
  readonly byHost: boolean;
  /** Matching pods by row. */
  readonly pods: Int32Array;
  /** Matching pods by label value id; unused by host. */
  readonly counts: Int32Array;
  readonly weight: number;
  readonly allowance: number;
}

function wishOf(
  table: NodeTable,
  spec: PodSpecRow,
  constraint: SpreadConstraint,
  feasible: { readonly rows: readonly number[]; readonly counts: (row: number) => boolean },
): Wish {
  const ids = table.labelIds(constraint.topologyKey);
  const pods = matchingPods(table, spec.namespace, constraint.selector);
  const byHost = constraint.topologyKey === HOSTNAME;
  const counts = new Int32Array(byHost ? 0 : table.labelSpan);
  let domainCount = feasible.rows.length;
  if (!byHost) {
    const present = new Uint8Array(table.labelSpan);
    domainCount = 0;
    for (const row of feasible.rows) {
      if (present[ids[row]] === 0) domainCount++;
      present[ids[row]] = 1;
    }
    for (let row = 0; pods.length > 0 && row < table.rows; row++) {
      if (pods[row] !== 0 && present[ids[row]] !== 0 && feasible.counts(row)) {
        counts[ids[row]] += pods[row];
      }
    }
  }
  const weight = Math.log(domainCount + 2);
  return { ids, byHost, pods, counts, weight, allowance: constraint.maxSkew - 1 };
}

function scoreRun(
  table: NodeTable,
  spec: PodSpecRow,
  constraints: readonly SpreadConstraint[],
  requireAllKeys: boolean,
  feasible: Feasible,
): ScoreRun {
  const having = requireAllKeys ? havingKeys(table, constraints) : table.alive;
  const inclusion = new Inclusion(table, spec);
  const rows: number[] = [];
  for (let i = 0; i < feasible.count; i++) {
    if (having[feasible.rows[i]] !== 0) rows.push(feasible.rows[i]);
  }
  const wishes = constraints.map((constraint) =>
    wishOf(table, spec, constraint, {
      rows,
      counts: (row) => having[row] !== 0 && inclusion.of(constraint, row),
    })
  );
  return {
    local: false,
    normalise: (scores, all, count) => normaliseCrowding(scores, all, count, having),
    score(out, verdicts, { from, to }) {
      for (let row = from; row < to; row++) {
        if (verdicts[row] !== FEASIBLE) continue;
        out[row] = having[row] === 0 ? 0 : crowding(wishes, row);
      }
    },
  };
}

function crowding(wishes: readonly Wish[], row: number): number {
  let score = 0;
  for (const { ids, byHost, pods, counts, weight, allowance } of wishes) {
    if (ids[row] === ABSENT) continue;
    const count = byHost ? (pods.length === 0 ? 0 : pods[row]) : counts[ids[row]];
    score += count * weight + allowance;
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
    if (change === "allocatable" || change === "images") return false;
    const constraints = constraintsOf(pod.template.spec, "DoNotSchedule");
    const matches = (labels: Readonly<Record<string, string>> | undefined) =>
      labels !== undefined &&
      constraints.every(({ topologyKey }) => labelOf(labels, topologyKey) !== undefined);
    const was = matches(before?.labels);
    const is = matches(after?.labels);
    if (before === null || after === null || was !== is) return was || is;
    if (!is) return false;
    return change === "taints" ||
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
