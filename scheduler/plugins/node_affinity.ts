/**
 * NodeAffinity: node selector, required and preferred node affinity, and the affinity that the
 * scheduler's configuration adds to every pod.
 * In: label columns. Out: verdicts; raw score = weights of the preferred terms that match.
 * Source: Kubernetes v1.36 scheduler plugin NodeAffinity.
 */

import type { Labels, NodeTerm, PodSpecRow, WeightedNodeTerm } from "../pod_row.ts";
import { FEASIBLE, UNRESOLVABLE } from "../plugin.ts";
import type { Plugin } from "../plugin.ts";
import {
  demandsNode,
  keepAnyTerm,
  labelOf,
  matchesNodeTerm,
  matchNodeDemand,
  matchNodeTerm,
  meetsNodeDemand,
} from "../selector.ts";

/** Affinity that a profile adds to every pod. */
export interface NodeAffinityArgs {
  readonly addedRequired?: readonly NodeTerm[];
  readonly addedPreferred?: readonly WeightedNodeTerm[];
}

const POD_DETAIL = 1;
const ENFORCED_DETAIL = 2;
const POD_REASONS = ["node(s) didn't match Pod's node affinity/selector"];
const ENFORCED_REASONS = ["node(s) didn't match scheduler-enforced node affinity"];

/** @returns the only nodes that the terms name; null when some term leaves the name open. */
function namedNodes(terms: readonly NodeTerm[]): Set<string> | null {
  const names = new Set<string>();
  for (const term of terms) {
    let own: readonly string[] | null = null;
    for (const { key, operator, values } of term.fields) {
      if (key !== "metadata.name" || operator !== "In") continue;
      own = own === null ? values : own.filter((name) => values.includes(name));
    }
    if (own === null) return null;
    for (const name of own) names.add(name);
  }
  return names;
}

function meaningful(terms: readonly WeightedNodeTerm[]): WeightedNodeTerm[] {
  return terms.filter(({ weight, term }) =>
    weight !== 0 && (term.expressions.length > 0 || term.fields.length > 0)
  );
}

/** @returns the labels of the node selector that a node has otherwise or not at all. */
function missedLabels({ nodeSelector }: PodSpecRow, labels: Labels): string {
  return Object.entries(nodeSelector ?? {})
    .filter(([key, value]) => labelOf(labels, key) !== value)
    .map(([key]) => {
      const value = labelOf(labels, key);
      return value === undefined ? `no label ${key}` : `${key}=${value}`;
    }).join(", ");
}

export function createNodeAffinity(args: NodeAffinityArgs = {}): Plugin {
  const added = args.addedRequired ?? null;
  const addedPreferred = meaningful(args.addedPreferred ?? []);

  function hasSay(spec: PodSpecRow): boolean {
    return added !== null || demandsNode(spec);
  }

  return {
    name: "NodeAffinity",
    prepareFilter({ table, spec }) {
      if (!hasSay(spec)) return null;
      const terms = spec.requiredNodeTerms ?? [];
      const onlyNodes = terms.length === 0 ? null : namedNodes(terms);
      if (onlyNodes?.size === 0) return { reject: "pod affinity terms conflict" };
      const all = { from: 0, to: table.rows };
      const matches = new Uint8Array(table.rows);
      matchNodeDemand(table, spec, matches, all);
      let enforced: Uint8Array | null = null;
      if (added !== null) {
        enforced = new Uint8Array(table.rows).fill(1);
        keepAnyTerm(table, added, enforced, all);
      }
      return {
        local: true,
        onlyNodes: onlyNodes ?? undefined,
        filter(verdicts, { from, to }, mark) {
          for (let row = from; row < to; row++) {
            if (verdicts[row] !== FEASIBLE) continue;
            if (enforced !== null && enforced[row] === 0) {
              verdicts[row] = mark | UNRESOLVABLE | ENFORCED_DETAIL;
            } else if (matches[row] === 0) verdicts[row] = mark | UNRESOLVABLE | POD_DETAIL;
          }
        },
        reasons: (detail) => detail === ENFORCED_DETAIL ? ENFORCED_REASONS : POD_REASONS,
        why: (row) => missedLabels(spec, table.nodes[row]?.labels ?? {}),
      };
    },
    prepareScore({ table, spec }) {
      const terms = [...addedPreferred, ...meaningful(spec.preferredNodeTerms)];
      if (terms.length === 0) return null;
      const matches = new Uint8Array(table.rows);
      return {
        local: true,
        normalise: "max",
        score(out, _verdicts, range) {
          out.fill(0, range.from, range.to);
          for (const { weight, term } of terms) {
            matchNodeTerm(table, term, matches, range);
            for (let row = range.from; row < range.to; row++) out[row] += weight * matches[row];
          }
        },
      };
    },
    hint(pod, event) {
      if (event.resource !== "node" || event.after === null) return false;
      if (event.change !== "add" && event.change !== "labels") return false;
      const { after, before } = event;
      if (added !== null && !added.some((term) => matchesNodeTerm(term, after))) return false;
      const { spec } = pod.template;
      if (!meetsNodeDemand(spec, after)) return false;
      return before === null || !meetsNodeDemand(spec, before);
    },
  };
}
