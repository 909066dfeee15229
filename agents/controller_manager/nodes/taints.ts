/**
 * PURE. Taints of nodes and what pods tolerate of them.
 * In: taints, tolerations. Out: whether one covers the other, and for how long.
 * Never: writes. Source: core/v1 toleration matching, pkg/controller/tainteviction (v1.36).
 */
import type { Taint, Toleration } from "../kinds.ts";

export const NOT_READY = "node.kubernetes.io/not-ready";
export const UNREACHABLE = "node.kubernetes.io/unreachable";

/** Whether a toleration covers a taint. */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  switch (toleration.operator ?? "Equal") {
    case "Exists":
      return true;
    case "Equal":
      return Boolean(toleration.key) && (toleration.value ?? "") === (taint.value ?? "");
    default:
      return false;
  }
}

/**
 * How long a pod may stay with these taints.
 * @returns seconds; 0 when one is not tolerated; Infinity when all are for good.
 */
export function tolerationSeconds(
  taints: readonly Taint[],
  tolerations: readonly Toleration[],
): number {
  let least = Infinity;
  for (const taint of taints) {
    const covering = tolerations.filter((toleration) => tolerates(toleration, taint));
    if (covering.length === 0) return 0;
    // The first that covers the taint counts, as in upstream.
    const { tolerationSeconds: seconds } = covering[0];
    if (seconds !== undefined) least = Math.min(least, Math.max(0, seconds));
  }
  return least;
}

export function isSameTaint(left: Taint, right: Taint): boolean {
  return left.key === right.key && left.effect === right.effect;
}
