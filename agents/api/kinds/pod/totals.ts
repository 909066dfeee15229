/**
 * What a pod asks for in all: its containers, the pod's own word, the overhead of its runtime.
 * In: a pod's spec. Out: exact amounts by resource. Never: reads the status.
 * Source: component-helpers' resource (PodRequests, PodLimits), v1.36.
 */
import { addQuantities, compareQuantities, milliOf } from "../../quantity.ts";
import type { PodSpec } from "../../schema/generated/core_v1.ts";

/** `cpu` to `500m`, and so on. */
export type Amounts = Record<string, string>;

/**
 * Containers run together; an init container runs alone; sidecars run with both. What the pod says
 * of itself counts instead of what its containers add up to.
 */
export function podTotal(spec: PodSpec, field: "requests" | "limits"): Amounts {
  const together: Amounts = {};
  const alone: Amounts = {};
  const sidecars: Amounts = {};
  for (const container of spec.initContainers ?? []) {
    const amounts = container.resources?.[field] ?? {};
    if (container.restartPolicy === "Always") addAmounts(sidecars, amounts);
    const now = { ...sidecars };
    if (container.restartPolicy !== "Always") addAmounts(now, amounts);
    raise(alone, now);
  }
  for (const container of spec.containers ?? []) {
    addAmounts(together, container.resources?.[field] ?? {});
  }
  addAmounts(together, sidecars);
  raise(together, alone);
  Object.assign(together, spec.resources?.[field]);
  return together;
}

/** As `podTotal`, with the overhead; a limit that is not set has none. */
export function podTotalWithOverhead(spec: PodSpec, field: "requests" | "limits"): Amounts {
  const total = podTotal(spec, field);
  for (const [name, amount] of Object.entries(spec.overhead ?? {})) {
    if (field === "limits" && milliOf(total[name]) === 0) continue;
    addAmounts(total, { [name]: amount });
  }
  return total;
}

/** Adds amounts onto others. */
export function addAmounts(
  into: Amounts,
  amounts: Readonly<Record<string, string | number>>,
): void {
  for (const [name, amount] of Object.entries(amounts)) {
    const text = String(amount);
    into[name] = name in into ? addQuantities(into[name], text) : text;
  }
}

function raise(into: Amounts, amounts: Readonly<Amounts>): void {
  for (const [name, amount] of Object.entries(amounts)) {
    if (!(name in into) || compareQuantities(into[name], amount) < 0) into[name] = amount;
  }
}
