/**
 * Values that are a count or a percentage: `3`, `"25%"`.
 * In: the value and what it is a share of. Out: a count. Never: clamps; callers do.
 * Source: apimachinery util/intstr GetScaledValueFromIntOrPercent (v1.36).
 */

/**
 * Resolves a share.
 * @param value a count, or text such as `25%`.
 * @param of.total what a percentage refers to.
 * @param of.round which way a fraction goes: maxSurge rounds up, maxUnavailable down.
 * @returns the count, or null for text that is no percentage.
 */
export function resolveShare(
  value: number | string,
  of: { readonly total: number; readonly round: "up" | "down" },
): number | null {
  if (typeof value === "number") return value;
  const match = /^(\d+)%$/.exec(value);
  if (match === null) return null;
  const exact = Number(match[1]) * of.total / 100;
  return of.round === "up" ? Math.ceil(exact) : Math.floor(exact);
}
