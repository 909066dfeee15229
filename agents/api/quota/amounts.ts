/**
 * Sums and comparisons over amounts by name, as quotas keep them.
 * In: maps of quantities. Out: new maps. Never: changes what it is given.
 * Source: apiserver's quota/v1/resources.go (v1.36).
 */
import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  formatQuantity,
  parseQuantity,
} from "../quantity.ts";

/** `requests.cpu` to `500m`, and so on. */
export type QuotaAmounts = Readonly<Record<string, string>>;

export function addAll(left: QuotaAmounts, right: QuotaAmounts): QuotaAmounts {
  const sum: Record<string, string> = { ...left };
  for (const [name, amount] of Object.entries(right)) {
    sum[name] = name in sum ? addQuantities(sum[name], amount) : amount;
  }
  return sum;
}

/** What `left` has beyond `right`, by the names of `left`; never below zero. */
export function beyond(left: QuotaAmounts, right: QuotaAmounts): QuotaAmounts {
  return mapAmounts(left, (amount, name) => subtract(amount, right[name] ?? "0"));
}

function subtract(left: string, right: string): string {
  const [a, b] = [parseQuantity(left), parseQuantity(right)];
  if (a.kind === "error" || b.kind === "error" || a.quantity.nanos <= b.quantity.nanos) return "0";
  const { nanos, format } = a.quantity;
  return formatQuantity({ nanos: nanos - b.quantity.nanos, format });
}

export function only(amounts: QuotaAmounts, names: Iterable<string>): QuotaAmounts {
  const kept = new Set(names);
  return Object.fromEntries(Object.entries(amounts).filter(([name]) => kept.has(name)));
}

export function withoutZeros(amounts: QuotaAmounts): QuotaAmounts {
  const some = Object.entries(amounts).filter(([, amount]) => compareQuantities(amount, "0") !== 0);
  return Object.fromEntries(some);
}

/** @returns names whose amount is above its limit; what has none is not looked at */
export function namesAbove(amounts: QuotaAmounts, limits: QuotaAmounts): string[] {
  return Object.keys(amounts).filter((name) =>
    name in limits && compareQuantities(amounts[name], limits[name]) > 0
  );
}

/** @returns names whose amount is below zero */
export function negativeNames(amounts: QuotaAmounts): string[] {
  return Object.keys(amounts).filter((name) => compareQuantities(amounts[name], "0") < 0);
}

export function equalAmounts(left: QuotaAmounts, right: QuotaAmounts): boolean {
  const names = Object.keys(left);
  return names.length === Object.keys(right).length &&
    names.every((name) => name in right && compareQuantities(left[name], right[name]) === 0);
}

/** `cpu=1,memory=1Gi` */
export function formatAmounts(amounts: QuotaAmounts): string {
  return Object.keys(amounts).sort()
    .map((name) => `${name}=${canonicalQuantity(amounts[name]) ?? amounts[name]}`).join(",");
}

export function canonicalAmounts(amounts: Readonly<Record<string, string | number>>): QuotaAmounts {
  return Object.fromEntries(
    Object.entries(amounts).map(([name, value]) => [name, canonicalQuantity(value) ?? `${value}`]),
  );
}

function mapAmounts(
  amounts: QuotaAmounts,
  change: (amount: string, name: string) => string,
): QuotaAmounts {
  return Object.fromEntries(
    Object.entries(amounts).map(([name, amount]) => [name, change(amount, name)]),
  );
}
