/**
 * TaintToleration: NoSchedule and NoExecute taints repel, PreferNoSchedule taints cost score.
 * In: the `taintList` column. Out: verdicts; raw score = untolerated PreferNoSchedule taints.
 * Never: judges a node; nodes share taint lists, and each distinct list is judged once.
 * Source: Kubernetes v1.36 scheduler plugin TaintToleration.
 */

import type { NodeTable } from "../node_table.ts";
import type { Taint } from "../node_row.ts";
import type { Toleration } from "../pod_row.ts";
import { FEASIBLE, MAX_NODE_SCORE, UNRESOLVABLE } from "../plugin.ts";
import type { Plugin } from "../plugin.ts";
import { isRepelled, toleratesTaint } from "./tolerations.ts";

const REASONS = ["node(s) had untolerated taint(s)"];

/** @returns a number for each distinct taint list, null when all are 0. */
function judgeLists(
  table: NodeTable,
  judge: (taints: readonly Taint[]) => number,
): Int32Array | null {
  if (table.taintLists.size === 0) return null;
  const judged = new Int32Array(table.taintLists.span);
  let any = false;
  for (let id = 1; id < judged.length; id++) {
    const taints = table.taintLists.item(id);
    if (taints === undefined) continue;
    judged[id] = judge(taints);
    if (judged[id] !== 0) any = true;
  }
  return any ? judged : null;
}

function countUntolerated(taints: readonly Taint[], tolerations: readonly Toleration[]): number {
  let count = 0;
  for (const taint of taints) {
    if (taint.effect === "PreferNoSchedule" && !toleratesTaint(tolerations, taint)) count++;
  }
  return count;
}

export function createTaintToleration(): Plugin {
  return {
    name: "TaintToleration",
    prepareFilter({ table, spec }) {
      const repels = judgeLists(table, (taints) => isRepelled(spec.tolerations, taints) ? 1 : 0);
      if (repels === null) return null;
      const { taintList } = table;
      return {
        local: true,
        filter(verdicts, { from, to }, mark) {
          for (let row = from; row < to; row++) {
            if (repels[taintList[row]] !== 0 && verdicts[row] === FEASIBLE) {
              verdicts[row] = mark | UNRESOLVABLE;
            }
          }
        },
        reasons: () => REASONS,
        why: (row) =>
          (table.nodes[row]?.taints ?? [])
            .filter((taint) => isRepelled(spec.tolerations, [taint]))
            .map(({ key, value, effect }) => `${key}${value === "" ? "" : `=${value}`}:${effect}`)
            .join(", "),
      };
    },
    prepareScore({ table, spec }) {
      const soft = spec.tolerations.filter(({ effect }) =>
        effect === "" || effect === "PreferNoSchedule"
      );
      const counts = judgeLists(table, (taints) => countUntolerated(taints, soft));
      const { taintList } = table;
      return {
        local: true,
        normalise: "reversedMax",
        uniform: counts === null ? MAX_NODE_SCORE : undefined,
        score(out, _verdicts, { from, to }) {
          for (let row = from; row < to; row++) out[row] = counts![taintList[row]];
        },
      };
    },
    hint(pod, event) {
      if (event.resource === "node" && event.after !== null) {
        if (event.change !== "add" && event.change !== "taints") return false;
        const { tolerations } = pod.template.spec;
        const was = event.before === null || isRepelled(tolerations, event.before.taints);
        return was && !isRepelled(tolerations, event.after.taints);
      }
      return event.resource === "pod" && event.change === "tolerations" &&
        event.after?.uid === pod.uid;
    },
  };
}
