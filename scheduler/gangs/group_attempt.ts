/**
 * One try to start a group, wherever its topology lets it: anywhere, or within one domain.
 * In: the group's waiting pods, what it asks for, ports to the machine. Out: after some steps, what
 * became of each pod, and the words for the group itself.
 * Never: looks at nodes but for their labels. A pod is bound to a domain by a node affinity that
 * its own spec does not have; the spec itself stays as it is.
 * Source: schedule_one_podgroup.go (placement algorithm), the plugins TopologyPlacementGenerator
 * and PodGroupPodsCount of Kubernetes v1.36.
 */

import type { TemplateTable } from "../intern.ts";
import type { NodeTable } from "../node_table.ts";
import type { NodeTerm, PodTemplate } from "../pod_row.ts";
import type { QueuedPod } from "../queue.ts";
import { labelOf } from "../selector.ts";
import { GROUP_UNSCHEDULABLE, tryGang, WAITS_FOR_PREEMPTION } from "./gang_attempt.ts";
import type { GangAttempt, GangPorts, TriedPod } from "./gang_attempt.ts";
import type { Gangs } from "./gangs.ts";

export interface GroupAttempt {
  /** As of a gang; "error" = nothing was tried, and `message` says why. */
  readonly result: GangAttempt["result"] | "error";
  readonly tried: readonly TriedPod[];
  /** What the group's own status says; "" when it starts. */
  readonly message: string;
}

/** What a try does to the machine, and what it looks at there. */
export interface PlacementPorts extends GangPorts {
  readonly table: NodeTable;
  readonly templates: TemplateTable;
  /** @returns 0..sides-1, which breaks ties between domains. */
  roll(sides: number): number;
}

export interface GroupInput {
  /** "namespace/name". */
  readonly group: string;
  readonly gangs: Gangs;
  readonly ports: PlacementPorts;
}

const MESSAGES = { starts: "", waits: WAITS_FOR_PREEMPTION, fails: GROUP_UNSCHEDULABLE } as const;

/** Tries the waiting pods of a group, in order, in steps as those of a gang. */
export function* tryGroup(
  entries: readonly QueuedPod[],
  input: GroupInput,
): Generator<void, GroupAttempt> {
  const { group, gangs, ports } = input;
  const failed = (message: string): GroupAttempt => ({ result: "error", tried: [], message });
  const stranger = entries.find(({ profile }) => profile !== entries[0].profile);
  if (stranger !== undefined) {
    const names = [entries[0], stranger].map(({ profile }) => `"${profile.schedulerName}"`);
    return failed(
      "all pods in a single pod group should have the same .spec.schedulerName set, got: " +
        names.join(" and "),
    );
  }
  const missing = gangs.missing(group);
  const key = gangs.topologyOf(group);
  if (key === "") return worded(yield* tryGang(entries, missing, ports));
  const required = domainOfPlaced(input, key);
  if ("fault" in required) {
    return failed(`cannot determine domain for already scheduled pods: ${required.fault}`);
  }
  const domains = required.domain === null ? domainsOf(ports.table, key) : [required.domain];
  if (domains.length === 0) return nowhere(entries);
  return yield* tryDomains(
    entries,
    Math.max(1, missing),
    domains.map((domain) => ({ key, domain })),
    ports,
  );
}

function worded(attempt: GangAttempt): GroupAttempt {
  return { ...attempt, message: MESSAGES[attempt.result] };
}

function nowhere(entries: readonly QueuedPod[]): GroupAttempt {
  const message = "no feasible placements found";
  // Only a node that comes or is labelled can help, and that is what node affinity waits for.
  const rejectedBy = ["NodeAffinity", "NodeName"];
  const tried = entries.map((entry) => ({ entry, nodeName: "", victims: [], message, rejectedBy }));
  return { result: "fails", tried, message };
}

/** @returns the values of a label over all nodes, sorted. */
function domainsOf(table: NodeTable, key: string): string[] {
  const domains = new Set<string>();
  for (const node of table.nodes) {
    const domain = node && labelOf(node.labels, key);
    if (domain !== undefined) domains.add(domain);
  }
  return [...domains].sort();
}

/** Where the pods of the group are that have a node: the others have to follow them. */
function domainOfPlaced(
  { group, gangs, ports: { table } }: GroupInput,
  key: string,
): { readonly domain: string | null } | { readonly fault: string } {
  let domain: string | null = null;
  for (const uid of gangs.placed(group)) {
    const placed = table.pod(uid);
    const node = placed && table.nodes[table.rowOf(placed.nodeName)];
    // A node that is gone takes its pods with it.
    if (placed === undefined || node === undefined) continue;
    const found = labelOf(node.labels, key);
    if (found === undefined) {
      const { name, template: { spec: { namespace } } } = placed.pod;
      return { fault: `no topology domain found for pod ${namespace}/${name}` };
    }
    if (domain !== null && domain !== found) {
      return { fault: `more than 1 domain found for pod group: ${domain}, ${found}` };
    }
    domain = found;
  }
  return { domain };
}

interface Domain {
  readonly key: string;
  readonly domain: string;
}

/**
 * Tries each domain with an empty slate, and keeps the one that takes most pods; among equals one
 * that needs no eviction, which upstream leaves to chance.
 */
function* tryDomains(
  entries: readonly QueuedPod[],
  missing: number,
  domains: readonly Domain[],
  ports: PlacementPorts,
): Generator<void, GroupAttempt> {
  let best: GangAttempt[] = [];
  let first: GangAttempt | null = null;
  for (const domain of domains) {
    if (first !== null) yield;
    const attempt: GangAttempt = yield* tryGang(entries, missing, within(domain, ports));
    first ??= attempt;
    if (attempt.result === "fails") continue;
    if (attempt.result === "starts") {
      for (const { entry, nodeName } of attempt.tried) if (nodeName !== "") ports.release(entry);
    }
    const difference = best.length === 0 ? 1 : worthOf(attempt) - worthOf(best[0]);
    if (difference > 0) best = [attempt];
    else if (difference === 0) best.push(attempt);
  }
  if (best.length === 0) {
    const message =
      `0/${domains.length} placements are available, first placement status: ${GROUP_UNSCHEDULABLE}`;
    return { ...first!, message };
  }
  const chosen = best[ports.roll(best.length)];
  if (chosen.result === "starts") {
    for (const { entry, nodeName } of chosen.tried) {
      if (nodeName !== "") ports.hold(entry, nodeName);
    }
  }
  return worded(chosen);
}

function worthOf({ tried, result }: GangAttempt): number {
  const placed = tried.filter(({ nodeName }) => nodeName !== "").length;
  return 2 * placed + (result === "starts" ? 1 : 0);
}

/** @returns ports that decide as if each pod demanded nodes of the domain. */
function within({ key, domain }: Domain, ports: PlacementPorts): GangPorts {
  const bound = new Map<PodTemplate, PodTemplate>();
  const demand = { key, operator: "In", values: [domain] } as const;
  const bind = (entry: QueuedPod): QueuedPod => {
    const { template } = entry.pod;
    let narrowed = bound.get(template);
    if (narrowed === undefined) {
      const requiredNodeTerms = withDemand(template.spec.requiredNodeTerms, demand);
      narrowed = ports.templates.intern({ ...template.spec, requiredNodeTerms });
      bound.set(template, narrowed);
    }
    return { ...entry, pod: { ...entry.pod, template: narrowed } };
  };
  return {
    ...ports,
    decide: (entry) => ports.decide(bind(entry)),
    preempt: (entry, outcome) => ports.preempt(bind(entry), outcome),
  };
}

function withDemand(
  terms: readonly NodeTerm[] | null,
  demand: NodeTerm["expressions"][number],
): NodeTerm[] {
  if (terms === null) return [{ expressions: [demand], fields: [] }];
  // A term that asks for nothing matches nothing, and is to go on doing so.
  const asking = terms.filter(({ expressions, fields }) => expressions.length + fields.length > 0);
  return asking.map((term) => ({ ...term, expressions: [...term.expressions, demand] }));
}
