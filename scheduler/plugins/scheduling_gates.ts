/**
 * SchedulingGates: a pod with gates is not even queued.
 * In: the pod's gates. Out: the reason that holds it back.
 * Source: Kubernetes v1.36 scheduler plugin SchedulingGates.
 */

import type { Plugin } from "../plugin.ts";

export function createSchedulingGates(): Plugin {
  return {
    name: "SchedulingGates",
    gate({ schedulingGates }) {
      if (schedulingGates.length === 0) return null;
      return `waiting for scheduling gates: [${schedulingGates.join(" ")}]`;
    },
    hint: (pod, event) =>
      event.resource === "pod" && event.change === "gatesEliminated" &&
      event.after?.uid === pod.uid,
  };
}
