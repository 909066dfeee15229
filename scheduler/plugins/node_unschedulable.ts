/**
 * NodeUnschedulable: a cordoned node takes only pods that tolerate being cordoned.
 * In: the `unschedulable` column. Out: verdicts.
 * Never: reads taints of the node; spec.unschedulable alone counts here.
 * Source: Kubernetes v1.36 scheduler plugin NodeUnschedulable.
 */

import { FEASIBLE, UNRESOLVABLE } from "../plugin.ts";
import type { Plugin } from "../plugin.ts";
import { toleratesTaint } from "./tolerations.ts";

const CORDON = { key: "node.kubernetes.io/unschedulable", value: "", effect: "NoSchedule" };
const REASONS = ["node(s) were unschedulable"];

export function createNodeUnschedulable(): Plugin {
  return {
    name: "NodeUnschedulable",
    prepareFilter({ table, spec }) {
      if (table.cordoned === 0 || toleratesTaint(spec.tolerations, CORDON)) return null;
      const { unschedulable } = table;
      return {
        local: true,
        filter(verdicts, { from, to }, mark) {
          for (let row = from; row < to; row++) {
            if (unschedulable[row] !== 0 && verdicts[row] === FEASIBLE) {
              verdicts[row] = mark | UNRESOLVABLE;
            }
          }
        },
        reasons: () => REASONS,
      };
    },
    hint(pod, event) {
      if (event.resource === "node") {
        const opened = event.before === null || event.before.unschedulable;
        return event.after !== null && opened && !event.after.unschedulable;
      }
      return event.resource === "pod" && event.change === "tolerations" &&
        event.after?.uid === pod.uid &&
        toleratesTaint(event.after.template.spec.tolerations, CORDON);
    },
  };
}
