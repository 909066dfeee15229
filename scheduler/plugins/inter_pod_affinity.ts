/**
 * InterPodAffinity: near pods that it likes, far from pods that it or they can't stand.
 * In: counts of pods that match the pod's terms, counts of pods whose terms match it. Out:
 * verdicts; raw score = weights summed over topology domains.
 * Never: visits pods; counters and term columns of the pod index are summed by domain instead.
 * Source: Kubernetes v1.36 scheduler plugin InterPodAffinity.
 */

import { ABSENT } from "../intern.ts";
import type { ClusterEvent } from "../cluster_event.ts";
import type { NodeTable } from "../node_table.ts";
import { matchesTerm } from "../pod_index.ts";
import type { PodCounter, PodQuery } from "../pod_index.ts";
import type { Labels, PodRow, PodSpecRow, PodTerm } from "../pod_row.ts";
import { FEASIBLE, MAX_NODE_SCORE, UNRESOLVABLE } from "../plugin.ts";
import type { Classing, FilterRun, Plugin, ScoreRun } from "../plugin.ts";
import { labelOf, matchesLabels } from "../selector.ts";
import type { RowRange } from "../selector.ts";
import { DomainSums, isSingular } from "./domains.ts";

export interface InterPodAffinityArgs {
  /** What required affinity of existing pods is worth, 0..100. Default 1. */
  readonly hardPodAffinityWeight?: number;
  /** Skips scoring for pods without preferred terms of their own. Default false. */
  readonly ignorePreferredTermsOfExistingPods?: boolean;
}

const AFFINITY = 1;
const ANTI_AFFINITY = 2;
const EXISTING = 3;
const REASONS: Readonly<Record<number, readonly string[]>> = {
  [AFFINITY]: ["node(s) didn't match pod affinity rules"],
  [ANTI_AFFINITY]: ["node(s) didn't match pod anti-affinity rules"],
  [EXISTING]: ["node(s) didn't satisfy existing pods anti-affinity rules"],
};

const NO_LABELS: Labels = {};

function namespaceLabels(table: NodeTable, namespace: string): Labels {
  return table.namespaceLabels.get(namespace) ?? NO_LABELS;
}

/** @returns the namespaces that a pod's own term reaches, null = all. */
function reachOf(table: NodeTable, term: PodTerm): readonly string[] | null {
  const { namespaceSelector: selector } = term;
  if (selector === null) return term.namespaces;
  if (selector.length === 0) return null;
  const names = new Set(term.namespaces);
  for (const [name, labels] of table.namespaceLabels) {
    if (matchesLabels(selector, labels)) names.add(name);
  }
  return [...names].sort();
}

/** @returns the query of pods that match all terms at once, null when no pod can. */
function queryOf(table: NodeTable, terms: readonly PodTerm[]): PodQuery | null {
  let namespaces: readonly string[] | null = null;
  for (const term of terms) {
    if (term.selector === null) return null;
    const reach = reachOf(table, term);
    if (reach === null) continue;
    namespaces = namespaces === null ? reach : namespaces.filter((name) => reach.includes(name));
  }
  return { namespaces, selectors: terms.map((term) => term.selector!), skipTerminating: false };
}

/** @returns whether a pod matches one of the incoming pod's own terms. */
function ownTermMatches(table: NodeTable, term: PodTerm, spec: PodSpecRow): boolean {
  const reach = reachOf(table, term);
  return (reach === null || reach.includes(spec.namespace)) &&
    matchesLabels(term.selector, spec.labels);
}

function matchesAll(table: NodeTable, terms: readonly PodTerm[], spec: PodSpecRow): boolean {
  return terms.length > 0 && terms.every((term) => ownTermMatches(table, term, spec));
}

/** Sums by domain behind the verdicts of one pod. */
interface FilterSums {
  readonly counters: readonly PodCounter[];
  /** Pods that match all required affinity terms. */
  readonly liked: DomainSums;
  /** Pods that match a required anti-affinity term. */
  readonly disliked: DomainSums;
  /** Pods whose own required anti-affinity means this pod. */
  readonly hostile: DomainSums;
}

function sumForFilter(table: NodeTable, spec: PodSpecRow): FilterSums {
  const counters: PodCounter[] = [];
  const sums = {
    counters,
    liked: new DomainSums(table),
    disliked: new DomainSums(table),
    hostile: new DomainSums(table),
  };
  const all = spec.requiredAffinity.length === 0 ? null : queryOf(table, spec.requiredAffinity);
  if (all !== null) {
    const counter = table.index.counter(all);
    counters.push(counter);
    for (const term of spec.requiredAffinity) sums.liked.addColumn(term.topologyKey, counter, 1);
  }
  for (const term of spec.requiredAntiAffinity) {
    const query = queryOf(table, [term]);
    if (query === null) continue;
    const counter = table.index.counter(query);
    counters.push(counter);
    sums.disliked.addColumn(term.topologyKey, counter, 1);
  }
  const labels = namespaceLabels(table, spec.namespace);
  for (const column of table.index.termsMeaning(spec, labels)) {
    if (column.kind === "requiredAnti") {
      sums.hostile.addColumn(column.term.topologyKey, column, 1);
    }
  }
  return sums;
}

function rejectUnliked(
  table: NodeTable,
  terms: readonly PodTerm[],
  sums: DomainSums,
  selfSuffices: boolean,
  target: { readonly verdicts: Uint32Array; readonly range: RowRange; readonly mark: number },
): void {
  const { verdicts, range, mark } = target;
  for (const { topologyKey } of terms) {
    const ids = table.labelIds(topologyKey);
    const liked = sums.of(topologyKey);
    for (let row = range.from; row < range.to; row++) {
      if (verdicts[row] !== FEASIBLE) continue;
      const near = ids[row] !== 0 && (selfSuffices || liked[ids[row]] > 0);
      if (!near) verdicts[row] = mark | UNRESOLVABLE | AFFINITY;
    }
  }
}

function rejectNear(
  table: NodeTable,
  sums: DomainSums,
  verdict: number,
  verdicts: Uint32Array,
  { from, to }: RowRange,
): void {
  for (const key of sums.keys()) {
    const ids = table.labelIds(key);
    const near = sums.of(key);
    for (let row = from; row < to; row++) {
      const id = ids[row];
      if (id !== 0 && near[id] > 0 && verdicts[row] === FEASIBLE) verdicts[row] = verdict;
    }
  }
}

function filterRun(table: NodeTable, spec: PodSpecRow, sums: FilterSums): FilterRun {
  const likesItself = matchesAll(table, spec.requiredAffinity, spec);
  const labels = namespaceLabels(table, spec.namespace);
  return {
    local: false,
    filter(verdicts, range, mark) {
      // The first pod of a group that likes itself may go anywhere that has the topology.
      const selfSuffices = likesItself && sums.liked.total === 0;
      const target = { verdicts, range, mark };
      rejectUnliked(table, spec.requiredAffinity, sums.liked, selfSuffices, target);
      rejectNear(table, sums.disliked, mark | ANTI_AFFINITY, verdicts, range);
      rejectNear(table, sums.hostile, mark | EXISTING, verdicts, range);
    },
    reasons: (detail) => REASONS[detail],
    classing: () => filterClassing(table, spec, sums),
    change(pod, row, sign) {
      const other = pod.template.spec;
      if (matchesAll(table, spec.requiredAffinity, other)) {
        for (const { topologyKey } of spec.requiredAffinity) {
          sums.liked.addRow(topologyKey, row, sign);
        }
      }
      for (const term of spec.requiredAntiAffinity) {
        if (ownTermMatches(table, term, other)) sums.disliked.addRow(term.topologyKey, row, sign);
      }
      for (const term of other.requiredAntiAffinity) {
        if (matchesTerm(term, spec, labels)) sums.hostile.addRow(term.topologyKey, row, sign);
      }
    },
  };
}

/** Which kinds of domains a row is in, for keys whose domains are single rows. */
function filterClassing(table: NodeTable, spec: PodSpecRow, sums: FilterSums): Classing {
  const { liked, disliked, hostile } = sums;
  const keys = new Set(spec.requiredAffinity.map(({ topologyKey }) => topologyKey));
  for (const part of [liked, disliked, hostile]) for (const key of part.keys()) keys.add(key);
  for (const part of [liked, disliked, hostile]) part.remember();
  const columns: Int32Array[] = [];
  const own: ((row: number) => void)[] = [];
  for (const key of keys) {
    const ids = table.labelIds(key);
    if (!isSingular(table, key)) {
      columns.push(ids);
      continue;
    }
    const column = new Int32Array(table.rows);
    const parts = [liked.of(key), disliked.of(key), hostile.of(key)];
    const update = (row: number) => {
      const id = ids[row];
      column[row] = id === ABSENT ? 0 : 1 + (parts[0][id] > 0 ? 2 : 0) +
        (parts[1][id] > 0 ? 4 : 0) + (parts[2][id] > 0 ? 8 : 0);
    };
    for (let row = 0; row < table.rows; row++) update(row);
    columns.push(column);
    own.push(update);
  }
  return {
    columns,
    refresh(row) {
      liked.refresh(row);
      disliked.refresh(row);
      hostile.refresh(row);
      for (const update of own) update(row);
    },
    isCurrent: () => areLive(table, sums.counters),
  };
}

function areLive(table: NodeTable, counters: readonly PodCounter[]): boolean {
  for (const counter of counters) {
    if (!counter.live) return false;
    table.index.touch(counter);
  }
  return true;
}

interface ScoreSums {
  readonly sums: DomainSums;
  readonly counters: readonly PodCounter[];
}

function sumForScore(table: NodeTable, spec: PodSpecRow, hardWeight: number): ScoreSums {
  const sums = new DomainSums(table);
  const counters: PodCounter[] = [];
  const own = [
    ...spec.preferredAffinity.map(({ term, weight }) => ({ term, weight })),
    ...spec.preferredAntiAffinity.map(({ term, weight }) => ({ term, weight: -weight })),
  ];
  for (const { term, weight } of own) {
    const query = queryOf(table, [term]);
    if (query === null) continue;
    const counter = table.index.counter(query);
    counters.push(counter);
    sums.addColumn(term.topologyKey, counter, weight);
  }
  const labels = namespaceLabels(table, spec.namespace);
  const worth = { requiredAnti: 0, required: hardWeight, preferred: 1, preferredAnti: -1 };
  for (const column of table.index.termsMeaning(spec, labels)) {
    const { kind, term, weight } = column;
    const factor = kind === "required" ? worth.required : worth[kind] * weight;
    if (factor !== 0) sums.addColumn(term.topologyKey, column, factor);
  }
  return { sums, counters };
}

/** What the single rows that are domains of their own add up to, and the ids of larger domains. */
function scoreClassing(table: NodeTable, { sums, counters }: ScoreSums): Classing {
  sums.remember();
  const keys = [...sums.keys()];
  const single = keys.filter((key) => isSingular(table, key))
    .map((key) => ({ ids: table.labelIds(key), weights: sums.of(key) }));
  const columns = keys.filter((key) => !isSingular(table, key)).map((key) => table.labelIds(key));
  const own = new Int32Array(table.rows);
  const update = (row: number) => {
    let weight = 0;
    for (const { ids, weights } of single) if (ids[row] !== ABSENT) weight += weights[ids[row]];
    own[row] = weight;
  };
  for (let row = 0; row < table.rows; row++) update(row);
  if (single.length > 0) columns.push(own);
  return {
    columns,
    refresh(row) {
      sums.refresh(row);
      update(row);
    },
    isCurrent: () => areLive(table, counters),
  };
}

function normaliseSpan(scores: Float64Array, rows: Int32Array, count: number): void {
  let least = Infinity;
  let most = -Infinity;
  for (let i = 0; i < count; i++) {
    least = Math.min(least, scores[rows[i]]);
    most = Math.max(most, scores[rows[i]]);
  }
  const span = most - least;
  for (let i = 0; i < count; i++) {
    const score = scores[rows[i]];
    scores[rows[i]] = span > 0 ? Math.trunc(MAX_NODE_SCORE * ((score - least) / span)) : 0;
  }
}

function scoreRun(table: NodeTable, summed: ScoreSums): ScoreRun {
  const { sums } = summed;
  return {
    local: false,
    normalise: normaliseSpan,
    classing: () => scoreClassing(table, summed),
    score(out, _verdicts, { from, to }) {
      out.fill(0, from, to);
      for (const key of sums.keys()) {
        const ids = table.labelIds(key);
        const weights = sums.of(key);
        for (let row = from; row < to; row++) if (ids[row] !== 0) out[row] += weights[ids[row]];
      }
    },
  };
}

/**
 * A single pod must satisfy all affinity terms at once, while one anti-affinity term is enough to
 * keep a pod away. Upstream asks for all terms of the latter too, and so leaves a pod with several
 * waiting until its patience ends; here it is tried.
 *
 * @returns whether a pod's coming, going or relabelling bears on a required term of the pod
 */
function podMatters(pod: PodRow, event: ClusterEvent & { resource: "pod" }, table: NodeTable) {
  const { spec } = pod.template;
  const { before, after, change, assigned } = event;
  if (change !== "add" && change !== "delete" && change !== "labels") return false;
  if (after?.uid === pod.uid) return change === "labels";
  if (!assigned) return false;
  const likes = (row: PodRow | null) =>
    row !== null && matchesAll(table, spec.requiredAffinity, row.template.spec);
  if (likes(after) && !likes(before)) return true;
  if (before === null) return false;
  const isLost = spec.requiredAntiAffinity.some((term) =>
    ownTermMatches(table, term, before.template.spec) &&
    (after === null || !ownTermMatches(table, term, after.template.spec))
  );
  if (isLost) return true;
  const labels = namespaceLabels(table, spec.namespace);
  return change === "delete" &&
    before.template.spec.requiredAntiAffinity.some((term) => matchesTerm(term, spec, labels));
}

/**
 * A node that comes, or moves to another domain, matters to whoever other pods keep away, too;
 * upstream looks at the pod's own terms alone.
 */
function nodeMatters(
  { template: { spec } }: PodRow,
  { before, after, change }: ClusterEvent & { resource: "node" },
  table: NodeTable,
): boolean {
  if (after === null || (change !== "add" && change !== "labels")) return false;
  const hasMoved = (key: string): boolean =>
    labelOf(before!.labels, key) !== labelOf(after.labels, key);
  const mayLike = spec.requiredAffinity.some(({ topologyKey: key }) =>
    labelOf(after.labels, key) !== undefined && (before === null || hasMoved(key))
  );
  if (mayLike) return true;
  const isAverse = spec.requiredAntiAffinity.length > 0;
  if (before === null) return isAverse || spec.requiredAffinity.length === 0;
  const leaves = (key: string) => labelOf(before.labels, key) !== undefined && hasMoved(key);
  if (spec.requiredAntiAffinity.some(({ topologyKey }) => leaves(topologyKey))) return true;
  const labels = namespaceLabels(table, spec.namespace);
  for (const { kind, term } of table.index.termsMeaning(spec, labels)) {
    if (kind === "requiredAnti" && leaves(term.topologyKey)) return true;
  }
  return false;
}

export function createInterPodAffinity(args: InterPodAffinityArgs = {}): Plugin {
  const hardWeight = args.hardPodAffinityWeight ?? 1;
  return {
    name: "InterPodAffinity",
    prepareFilter({ table, spec }) {
      const hasTerms = spec.requiredAffinity.length + spec.requiredAntiAffinity.length > 0;
      if (!hasTerms && !table.index.hasTerms()) return null;
      const sums = sumForFilter(table, spec);
      if (!hasTerms && [...sums.hostile.keys()].length === 0) return null;
      return filterRun(table, spec, sums);
    },
    prepareScore({ table, spec }) {
      const hasTerms = spec.preferredAffinity.length + spec.preferredAntiAffinity.length > 0;
      if (!hasTerms && (args.ignorePreferredTermsOfExistingPods || !table.index.hasTerms())) {
        return null;
      }
      const summed = sumForScore(table, spec, hardWeight);
      return [...summed.sums.keys()].length === 0 ? null : scoreRun(table, summed);
    },
    hint(pod, event, table) {
      if (event.resource === "node") return nodeMatters(pod, event, table);
      return event.resource === "pod" && podMatters(pod, event, table);
    },
  };
}
