/**
 * The obviously correct scheduler: one node at a time, plain objects, no columns, no caches.
 * In: a list of nodes with their pods. Out: for each node its reasons or its score per plugin.
 * Never: shares code with the plugins it checks; slow is fine here.
 * Source: the Kubernetes v1.36 documentation and plugins, restated per node.
 */

import type { NodeRow, Taint } from "../node_row.ts";
import type {
  Labels,
  NodeTerm,
  PodRow,
  PodSpecRow,
  PodTerm,
  Requirement,
  SpreadConstraint,
} from "../pod_row.ts";

export interface NaiveNode {
  readonly row: NodeRow;
  readonly pods: PodRow[];
}

export interface NaiveCluster {
  readonly nodes: readonly NaiveNode[];
  readonly namespaces: ReadonlyMap<string, Labels>;
}

function holds({ key, operator, values }: Requirement, labels: Labels): boolean {
  const has = Object.hasOwn(labels, key);
  const value = labels[key];
  if (operator === "In") return has && values.indexOf(value) >= 0;
  if (operator === "NotIn") return !has || values.indexOf(value) < 0;
  if (operator === "Exists") return has;
  if (operator === "DoesNotExist") return !has;
  if (!has || !/^-?[0-9]+$/.test(value)) return false;
  return operator === "Gt" ? Number(value) > Number(values[0]) : Number(value) < Number(values[0]);
}

function matches(selector: readonly Requirement[] | null, labels: Labels): boolean {
  return selector !== null && selector.every((requirement) => holds(requirement, labels));
}

function termMatches(term: NodeTerm, node: NodeRow): boolean {
  if (term.expressions.length + term.fields.length === 0) return false;
  return term.expressions.every((it) => holds(it, node.labels)) &&
    term.fields.every((it) => holds(it, { "metadata.name": node.name }));
}

function demandMet(spec: PodSpecRow, node: NodeRow): boolean {
  for (const key in spec.nodeSelector ?? {}) {
    if (node.labels[key] !== spec.nodeSelector![key]) return false;
  }
  return spec.requiredNodeTerms === null ||
    spec.requiredNodeTerms.some((term) => termMatches(term, node));
}

function tolerated(spec: PodSpecRow, taint: Taint): boolean {
  return spec.tolerations.some((toleration) => {
    const effect = toleration.effect === "" || toleration.effect === taint.effect;
    const key = toleration.key === "" || toleration.key === taint.key;
    if (toleration.operator === "Exists") return effect && key;
    return effect && key && toleration.value === taint.value &&
      (toleration.operator === "" || toleration.operator === "Equal");
  });
}

function repelled(spec: PodSpecRow, node: NodeRow): boolean {
  return node.taints.some((taint) =>
    taint.effect !== "PreferNoSchedule" && !tolerated(spec, taint)
  );
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

function scalarOf(resources: PodSpecRow["requests"], name: string): number {
  return sum(resources.scalars.filter((it) => it.name === name).map((it) => it.amount));
}

function unfit(spec: PodSpecRow, { row, pods }: NaiveNode): string[] {
  const used = (get: (requests: PodSpecRow["requests"]) => number) =>
    sum(pods.map((pod) => get(pod.template.spec.requests)));
  const reasons: string[] = [];
  if (pods.length + 1 > row.allowedPods) reasons.push("Too many pods");
  const need = (name: string, get: (requests: PodSpecRow["requests"]) => number) => {
    const asked = get(spec.requests);
    if (asked > 0 && asked > get(row.allocatable) - used(get)) reasons.push(`Insufficient ${name}`);
  };
  need("cpu", (it) => it.cpuMilli);
  need("memory", (it) => it.memoryBytes);
  need("ephemeral-storage", (it) => it.ephemeralBytes);
  for (const { name } of spec.requests.scalars) need(name, (it) => scalarOf(it, name));
  return reasons;
}

function portsTaken(spec: PodSpecRow, pods: readonly PodRow[]): boolean {
  const taken = pods.flatMap((pod) => pod.template.spec.hostPorts);
  return spec.hostPorts.some((want) =>
    taken.some((have) =>
      want.port === have.port && want.protocol === have.protocol &&
      (want.ip === "0.0.0.0" || have.ip === "0.0.0.0" || want.ip === have.ip)
    )
  );
}

// ---- spreading

const SYSTEM: readonly [string, number][] = [
  ["kubernetes.io/hostname", 3],
  ["topology.kubernetes.io/zone", 5],
];

function constraintsOf(spec: PodSpecRow, action: string): SpreadConstraint[] {
  if (spec.spread.length > 0) return spec.spread.filter((it) => it.whenUnsatisfiable === action);
  if (spec.defaultSpreadSelector.length === 0 || action !== "ScheduleAnyway") return [];
  return SYSTEM.map(([topologyKey, maxSkew]) => ({
    topologyKey,
    maxSkew,
    whenUnsatisfiable: "ScheduleAnyway",
    selector: spec.defaultSpreadSelector,
    minDomains: 1,
    nodeAffinityPolicy: "Honor",
    nodeTaintsPolicy: "Ignore",
  }));
}

function included(spec: PodSpecRow, constraint: SpreadConstraint, node: NodeRow): boolean {
  if (constraint.nodeAffinityPolicy === "Honor" && !demandMet(spec, node)) return false;
  return constraint.nodeTaintsPolicy === "Ignore" || !repelled(spec, node);
}

function countMatching(spec: PodSpecRow, constraint: SpreadConstraint, node: NaiveNode): number {
  if (constraint.selector?.length === 0) return 0;
  return node.pods.filter((pod) =>
    !pod.terminating && pod.template.spec.namespace === spec.namespace &&
    matches(constraint.selector, pod.template.spec.labels)
  ).length;
}

function hasAll(constraints: readonly SpreadConstraint[], node: NodeRow): boolean {
  return constraints.every(({ topologyKey }) => Object.hasOwn(node.labels, topologyKey));
}

function spreadReason(cluster: NaiveCluster, spec: PodSpecRow, target: NaiveNode): string[] {
  const constraints = constraintsOf(spec, "DoNotSchedule");
  for (const constraint of constraints) {
    const key = constraint.topologyKey;
    const words = "node(s) didn't match pod topology spread constraints";
    if (!Object.hasOwn(target.row.labels, key)) return [`${words} (missing required label)`];
    const domains = new Map<string, number>();
    for (const node of cluster.nodes) {
      if (!hasAll(constraints, node.row) || !included(spec, constraint, node.row)) continue;
      const value = node.row.labels[key];
      domains.set(value, (domains.get(value) ?? 0) + countMatching(spec, constraint, node));
    }
    const least = domains.size < constraint.minDomains ? 0 : Math.min(...domains.values());
    const self = matches(constraint.selector, spec.labels) ? 1 : 0;
    const here = domains.get(target.row.labels[key]) ?? 0;
    if (here + self - least > constraint.maxSkew) return [words];
  }
  return [];
}

// ---- pod affinity

function termMeans(cluster: NaiveCluster, term: PodTerm, spec: PodSpecRow): boolean {
  const labels = cluster.namespaces.get(spec.namespace) ?? {};
  const reached = term.namespaces.includes(spec.namespace) ||
    (term.namespaceSelector !== null && matches(term.namespaceSelector, labels));
  return reached && matches(term.selector, spec.labels);
}

function together(a: NodeRow, b: NodeRow, key: string): boolean {
  return Object.hasOwn(a.labels, key) && Object.hasOwn(b.labels, key) &&
    a.labels[key] === b.labels[key];
}

function affinityReason(cluster: NaiveCluster, spec: PodSpecRow, target: NaiveNode): string[] {
  const { requiredAffinity: likes, requiredAntiAffinity: dislikes } = spec;
  const likesAll = (other: PodSpecRow) =>
    likes.length > 0 && likes.every((term) => termMeans(cluster, term, other));
  const near = (term: PodTerm, test: (other: PodSpecRow) => boolean) =>
    cluster.nodes.some((node) =>
      together(node.row, target.row, term.topologyKey) &&
      node.pods.some((pod) => test(pod.template.spec))
    );
  const anywhere = cluster.nodes.some((node) =>
    likes.some(({ topologyKey }) => Object.hasOwn(node.row.labels, topologyKey)) &&
    node.pods.some((pod) => likesAll(pod.template.spec))
  );
  const labelled = likes.every(({ topologyKey }) => Object.hasOwn(target.row.labels, topologyKey));
  const satisfied = likes.every((term) => near(term, likesAll)) ||
    (!anywhere && likesAll(spec));
  if (likes.length > 0 && !(labelled && satisfied)) {
    return ["node(s) didn't match pod affinity rules"];
  }
  if (dislikes.some((term) => near(term, (other) => termMeans(cluster, term, other)))) {
    return ["node(s) didn't match pod anti-affinity rules"];
  }
  const hostile = cluster.nodes.some((node) =>
    node.pods.some((pod) =>
      pod.template.spec.requiredAntiAffinity.some((term) =>
        termMeans(cluster, term, spec) && together(node.row, target.row, term.topologyKey)
      )
    )
  );
  return hostile ? ["node(s) didn't satisfy existing pods anti-affinity rules"] : [];
}

// ---- volumes

function volumeReasons({ nodes }: NaiveCluster, spec: PodSpecRow, target: NaiveNode): string[] {
  const { attachments, exclusiveClaims, disks, boundTerms, zones } = spec.volumes;
  const disputed = target.pods.some(({ template }) =>
    template.spec.volumes.disks.some((held) =>
      disks.some((it) => it.name === held.name && !(it.isReadOnly && held.isReadOnly))
    )
  );
  if (disputed) return ["node(s) had no available disk"];
  const claims = nodes.flatMap(({ pods }) =>
    pods.flatMap(({ template }) => template.spec.volumes.exclusiveClaims)
  );
  if (exclusiveClaims.some((claim) => claims.includes(claim))) {
    return [
      "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode " +
      "already in-use by another pod",
    ];
  }
  for (const [name, limit] of Object.entries(target.row.attachLimits)) {
    const handlesOf = (needs: typeof attachments) =>
      needs.filter(({ driver }) => driver === name).map(({ handle }) => handle);
    const used = new Set(
      target.pods.flatMap(({ template }) => handlesOf(template.spec.volumes.attachments)),
    );
    const attached = new Set([...used, ...handlesOf(target.row.attached)]);
    const added = new Set(handlesOf(attachments).filter((handle) => !used.has(handle)));
    if (added.size > 0 && attached.size + added.size > limit) {
      return ["node(s) exceed max volume count"];
    }
  }
  if (boundTerms.some((terms) => !terms.some((term) => termMatches(term, target.row)))) {
    return ["node(s) didn't match PersistentVolume's node affinity"];
  }
  const labels = target.row.labels;
  if (zones.every(({ key }) => !Object.hasOwn(labels, key))) return [];
  const inZones = zones.every(({ key, values }) => values.includes(labels[key]));
  return inZones ? [] : ["node(s) had no available volume zone"];
}

/** @returns why the node won't do, in the words of the first plugin that objects; empty = will. */
export function naiveReasons(cluster: NaiveCluster, pod: PodRow, node: NaiveNode): string[] {
  const { spec } = pod.template;
  const cordon = { key: "node.kubernetes.io/unschedulable", value: "", effect: "NoSchedule" };
  if (node.row.unschedulable && !tolerated(spec, cordon)) return ["node(s) were unschedulable"];
  if (repelled(spec, node.row)) return ["node(s) had untolerated taint(s)"];
  if (!demandMet(spec, node.row)) return ["node(s) didn't match Pod's node affinity/selector"];
  if (portsTaken(spec, node.pods)) {
    return ["node(s) didn't have free ports for the requested pod ports"];
  }
  const missing = unfit(spec, node);
  if (missing.length > 0) return missing;
  const volumes = volumeReasons(cluster, spec, node);
  if (volumes.length > 0) return volumes;
  const spread = spreadReason(cluster, spec, node);
  return spread.length > 0 ? spread : affinityReason(cluster, spec, node);
}

// ---- scores

type Scores = Map<NaiveNode, number>;

function scaleByHighest(scores: Scores, reversed: boolean): Scores {
  const highest = Math.max(0, ...scores.values());
  return new Map([...scores].map(([node, score]) => {
    const scaled = highest === 0 ? 0 : Math.floor(100 * score / highest);
    return [node, reversed ? 100 - scaled : scaled];
  }));
}

function evenness(parts: readonly number[]): number {
  const mean = sum(parts) / parts.length;
  const variance = sum(parts.map((part) => (part - mean) * (part - mean))) / parts.length;
  const deviation = parts.length === 2
    ? Math.abs((parts[0] - parts[1]) / 2)
    : parts.length > 2
    ? Math.sqrt(variance)
    : 0;
  return Math.trunc((1 - deviation) * 100);
}

function fitScore(spec: PodSpecRow, { row, pods }: NaiveNode): number {
  const cpu = sum(pods.map((pod) => pod.template.spec.nonzeroCpuMilli)) + spec.nonzeroCpuMilli;
  const memory = sum(pods.map((pod) => pod.template.spec.nonzeroMemoryBytes)) +
    spec.nonzeroMemoryBytes;
  const scores: number[] = [];
  const { cpuMilli, memoryBytes } = row.allocatable;
  if (cpuMilli > 0) scores.push(Math.max(0, Math.floor((cpuMilli - cpu) * 100 / cpuMilli)));
  if (memoryBytes > 0) {
    scores.push(Math.max(0, Math.floor((memoryBytes - memory) * 100 / memoryBytes)));
  }
  return scores.length === 0 ? 0 : Math.floor(sum(scores) / scores.length);
}

function balanceScore(spec: PodSpecRow, { row, pods }: NaiveNode): number {
  const before: number[] = [];
  const after: number[] = [];
  for (
    const get of [
      (it: PodSpecRow["requests"]) => it.cpuMilli,
      (it: PodSpecRow["requests"]) => it.memoryBytes,
    ]
  ) {
    const capacity = get(row.allocatable);
    if (capacity === 0) continue;
    const used = sum(pods.map((pod) => get(pod.template.spec.requests)));
    before.push(Math.min(1, used / capacity));
    after.push(Math.min(1, (used + get(spec.requests)) / capacity));
  }
  return 50 + Math.floor((50 + evenness(after) - evenness(before)) / 2);
}

function imageScore(cluster: NaiveCluster, spec: PodSpecRow, target: NaiveNode): number {
  const megabyte = 1024 * 1024;
  let bytes = 0;
  for (const name of spec.images) {
    const holders = cluster.nodes.filter(({ row }) =>
      row.images.some(({ names }) => names.includes(name))
    );
    const image = target.row.images.find(({ names }) => names.includes(name));
    if (image) bytes += Math.trunc(image.sizeBytes * (holders.length / cluster.nodes.length));
  }
  const most = 1000 * megabyte * spec.containerCount;
  const clamped = Math.min(most, Math.max(23 * megabyte, bytes));
  return Math.floor(100 * (clamped - 23 * megabyte) / (most - 23 * megabyte));
}

function spreadScores(cluster: NaiveCluster, spec: PodSpecRow, feasible: NaiveNode[]): Scores {
  const constraints = constraintsOf(spec, "ScheduleAnyway");
  if (constraints.length === 0) return new Map();
  const strict = spec.spread.length > 0;
  const counted = feasible.filter(({ row }) => !strict || hasAll(constraints, row));
  const raw: Scores = new Map();
  for (const target of counted) {
    let score = 0;
    for (const constraint of constraints) {
      const key = constraint.topologyKey;
      if (!Object.hasOwn(target.row.labels, key)) continue;
      const byHost = key === "kubernetes.io/hostname";
      const domains = byHost
        ? counted.length
        : new Set(counted.map(({ row }) => row.labels[key])).size;
      const neighbours = cluster.nodes.filter((node) =>
        (!strict || hasAll(constraints, node.row)) && included(spec, constraint, node.row) &&
        together(node.row, target.row, key)
      );
      const count = byHost
        ? countMatching(spec, constraint, target)
        : sum(neighbours.map((node) => countMatching(spec, constraint, node)));
      score += count * Math.log(domains + 2) + (constraint.maxSkew - 1);
    }
    raw.set(target, Math.round(score));
  }
  const least = Math.min(...raw.values());
  const most = Math.max(0, ...raw.values());
  return new Map(feasible.map((node) => {
    const score = raw.get(node);
    if (score === undefined) return [node, 0];
    return [node, most === 0 ? 100 : Math.floor(100 * (most + least - score) / most)];
  }));
}

function affinityScores(cluster: NaiveCluster, spec: PodSpecRow, feasible: NaiveNode[]): Scores {
  const raw: Scores = new Map(feasible.map((node) => [node, 0]));
  const add = (from: NaiveNode, term: PodTerm, weight: number) => {
    for (const node of feasible) {
      if (together(from.row, node.row, term.topologyKey)) raw.set(node, raw.get(node)! + weight);
    }
  };
  for (const node of cluster.nodes) {
    for (const pod of node.pods) {
      const other = pod.template.spec;
      for (const { term, weight } of spec.preferredAffinity) {
        if (termMeans(cluster, term, other)) add(node, term, weight);
      }
      for (const { term, weight } of spec.preferredAntiAffinity) {
        if (termMeans(cluster, term, other)) add(node, term, -weight);
      }
      for (const term of other.requiredAffinity) {
        if (termMeans(cluster, term, spec)) add(node, term, 1);
      }
      for (const { term, weight } of other.preferredAffinity) {
        if (termMeans(cluster, term, spec)) add(node, term, weight);
      }
      for (const { term, weight } of other.preferredAntiAffinity) {
        if (termMeans(cluster, term, spec)) add(node, term, -weight);
      }
    }
  }
  const least = Math.min(...raw.values());
  const span = Math.max(...raw.values()) - least;
  return new Map(
    [...raw].map(([node, score]) => [
      node,
      span === 0 ? 0 : Math.trunc(100 * ((score - least) / span)),
    ]),
  );
}

/** @returns the weighted total of every feasible node. */
export function naiveTotals(cluster: NaiveCluster, pod: PodRow, feasible: NaiveNode[]): Scores {
  const { spec } = pod.template;
  const each = (score: (node: NaiveNode) => number): Scores =>
    new Map(feasible.map((node) => [node, score(node)]));
  const soft = {
    ...spec,
    tolerations: spec.tolerations.filter(({ effect }) =>
      effect !== "NoSchedule" && effect !== "NoExecute"
    ),
  };
  const asksNothing = spec.requests.cpuMilli === 0 && spec.requests.memoryBytes === 0;
  const parts: [number, Scores][] = [
    [
      3,
      scaleByHighest(
        each(({ row }) =>
          row.taints.filter((taint) =>
            taint.effect === "PreferNoSchedule" && !tolerated(soft, taint)
          ).length
        ),
        true,
      ),
    ],
    [
      2,
      scaleByHighest(
        each(({ row }) =>
          sum(
            spec.preferredNodeTerms.map(({ term, weight }) => termMatches(term, row) ? weight : 0),
          )
        ),
        false,
      ),
    ],
    [1, each((node) => fitScore(spec, node))],
    [2, spreadScores(cluster, spec, feasible)],
    [2, affinityScores(cluster, spec, feasible)],
    [1, asksNothing ? new Map() : each((node) => balanceScore(spec, node))],
    [1, each((node) => imageScore(cluster, spec, node))],
  ];
  return each((node) => sum(parts.map(([weight, scores]) => weight * (scores.get(node) ?? 0))));
}
