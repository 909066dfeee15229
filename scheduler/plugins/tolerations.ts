/**
 * Does a pod tolerate a taint?
 * In: tolerations, taints. Out: booleans.
 * Never: compares numbers; the Lt and Gt operators are off by default in v1.36 and match nothing.
 * Source: Kubernetes v1.36 core/v1 Toleration.
 */

import type { Taint } from "../node_row.ts";
import type { Toleration } from "../pod_row.ts";

function tolerates({ key, operator, value, effect }: Toleration, taint: Taint): boolean {
  if (effect !== "" && effect !== taint.effect) return false;
  if (key !== "" && key !== taint.key) return false;
  if (operator === "" || operator === "Equal") return value === taint.value;
  return operator === "Exists";
}

/** @returns whether any of the tolerations tolerates the taint. */
export function toleratesTaint(tolerations: readonly Toleration[], taint: Taint): boolean {
  return tolerations.some((toleration) => tolerates(toleration, taint));
}

/** @returns whether a taint with effect NoSchedule or NoExecute is left untolerated. */
export function isRepelled(tolerations: readonly Toleration[], taints: readonly Taint[]): boolean {
  return taints.some((taint) =>
    (taint.effect === "NoSchedule" || taint.effect === "NoExecute") &&
    !toleratesTaint(tolerations, taint)
  );
}
