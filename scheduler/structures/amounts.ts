/**
 * Amounts of resources by name, for people: how much a row offers and has left, in words.
 * In: the table, a resource. Out: numbers, texts.
 * Never: is asked while deciding; filters read the columns themselves.
 */

import type { NodeTable } from "../node_table.ts";
import type { Resources } from "../pod_row.ts";

/** A resource that a pod requests an amount of. */
export type AmountKey = "cpu" | "memory" | "ephemeral-storage" | { readonly scalar: string };

export interface Amount {
  readonly key: AmountKey;
  readonly amount: number;
}

const MEBI = 2 ** 20;
const GIBI = 2 ** 30;

export function amountName(key: AmountKey): string {
  return typeof key === "object" ? key.scalar : key;
}

/** @returns an amount as people write it, never more than it is. */
export function formatAmount(key: AmountKey, amount: number): string {
  if (key === "cpu") return amount >= 1000 ? `${amount / 1000}` : `${Math.floor(amount)}m`;
  if (typeof key === "object" || amount < MEBI) return `${Math.floor(amount)}`;
  const [unit, name] = amount < GIBI ? [MEBI, "Mi"] : [GIBI, "Gi"];
  return `${Math.floor(10 * amount / unit) / 10}${name}`;
}

/** @returns what is asked for of each resource, those asked for none of left out. */
export function amountsOf(asked: Resources): Amount[] {
  const amounts: Amount[] = [
    { key: "cpu", amount: asked.cpuMilli },
    { key: "memory", amount: asked.memoryBytes },
    { key: "ephemeral-storage", amount: asked.ephemeralBytes },
    ...asked.scalars.map(({ name, amount }) => ({ key: { scalar: name }, amount })),
  ];
  return amounts.filter(({ amount }) => amount > 0);
}

/** @returns what a row offers of a resource, and how much of it no pod there has asked for. */
export function offeredAt(
  table: NodeTable,
  key: AmountKey,
  row: number,
): { readonly whole: number; readonly free: number } {
  const [whole, taken] = offerOf(table, key, row);
  return { whole, free: whole - taken };
}

function offerOf(table: NodeTable, key: AmountKey, row: number): readonly [number, number] {
  if (key === "cpu") return [table.cpuAllocatable[row], table.cpuRequested[row]];
  if (key === "memory") return [table.memoryAllocatable[row], table.memoryRequested[row]];
  if (key === "ephemeral-storage") {
    return [table.ephemeralAllocatable[row], table.ephemeralRequested[row]];
  }
  const column = table.scalars.get(key.scalar);
  return column === undefined ? [0, 0] : [column.allocatable[row], column.requested[row]];
}

/** @returns "cpu 500m of 4 free, …" for each resource that a row has too little of. */
export function shortfall(table: NodeTable, asked: Resources, row: number): string {
  return amountsOf(asked).flatMap(({ key, amount }) => {
    const { whole, free } = offeredAt(table, key, row);
    if (amount <= free) return [];
    const left = formatAmount(key, Math.max(0, free));
    return [`${amountName(key)} ${left} of ${formatAmount(key, whole)} free`];
  }).join(", ");
}
