/**
 * NodeName: a pod that names its node goes there or nowhere.
 * In: the pod's required node. Out: verdicts.
 * Source: Kubernetes v1.36 scheduler plugin NodeName.
 */

import { FEASIBLE, UNRESOLVABLE } from "../plugin.ts";
import type { Plugin } from "../plugin.ts";

const REASONS = ["node(s) didn't match the requested node name"];

export function createNodeName(): Plugin {
  return {
    name: "NodeName",
    prepareFilter({ table, spec }) {
      if (spec.requiredNode === "") return null;
      const wanted = table.rowOf(spec.requiredNode);
      return {
        local: true,
        filter(verdicts, { from, to }, mark) {
          for (let row = from; row < to; row++) {
            if (row !== wanted && verdicts[row] === FEASIBLE) verdicts[row] = mark | UNRESOLVABLE;
          }
        },
        reasons: () => REASONS,
      };
    },
    hint: (_pod, event) => event.resource === "node" && event.change === "add",
  };
}
