/**
 * NodeDeclaredFeatures: a pod that uses what not every kubelet can do goes where one says it can.
 * In: features that the pod needs, features that nodes declare. Out: verdicts.
 * Never: knows what a feature is; the encoder reads that from the pod.
 * Source: Kubernetes v1.36 scheduler plugin NodeDeclaredFeatures.
 */

import { FEASIBLE, UNRESOLVABLE } from "../plugin.ts";
import type { Plugin } from "../plugin.ts";

const REASONS = ["node(s) didn't match Pod's required features"];

export function createNodeDeclaredFeatures(): Plugin {
  return {
    name: "NodeDeclaredFeatures",
    prepareFilter({ table, spec }) {
      const needed = spec.requiredFeatures;
      if (needed.length === 0) return null;
      return {
        local: true,
        filter(verdicts, { from, to }, mark) {
          for (let row = from; row < to; row++) {
            if (verdicts[row] !== FEASIBLE) continue;
            const declared = table.nodes[row]?.declaredFeatures ?? [];
            if (needed.some((name) => !declared.includes(name))) {
              verdicts[row] = mark | UNRESOLVABLE;
            }
          }
        },
        reasons: () => REASONS,
      };
    },
    hint(pod, event) {
      if (event.resource === "node") return event.change === "add" || event.change === "features";
      if (event.resource !== "pod" || event.after?.uid !== pod.uid) return false;
      const [before, after] = [event.before, event.after].map((it) =>
        it?.template.spec.requiredFeatures
      );
      return before?.join() !== after?.join();
    },
  };
}
