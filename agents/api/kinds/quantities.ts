/**
 * Checks amounts in specs: well-formed, of the right sign, whole where parts make no sense.
 * In: a path and an amount. Out: field errors. Never: knows kinds.
 * Source: ValidatePositiveQuantityValue, ValidateNonnegativeQuantity (v1.36).
 */
import { formatQuantity, parseQuantity } from "../quantity.ts";
import type { Problems } from "./problems.ts";

type Amount = string | number;

/** @returns nanos, or null after the fault was reported. */
function nanosAt(problems: Problems, path: string, amount: Amount): bigint | null {
  const parsed = parseQuantity(amount);
  if (parsed.kind === "ok") return parsed.quantity.nanos;
  problems.invalid(path, amount, parsed.message);
  return null;
}

function shown(amount: Amount): string {
  const parsed = parseQuantity(amount);
  return parsed.kind === "ok" ? formatQuantity(parsed.quantity) : String(amount);
}

/** @returns whether it is one. */
export function checkPositive(problems: Problems, path: string, amount: Amount): boolean {
  const nanos = nanosAt(problems, path, amount);
  if (nanos !== null && nanos <= 0n) {
    problems.invalid(path, shown(amount), "must be greater than zero");
  }
  return nanos !== null && nanos > 0n;
}

/** @returns whether it is one. */
export function checkNonNegative(problems: Problems, path: string, amount: Amount): boolean {
  const nanos = nanosAt(problems, path, amount);
  if (nanos !== null && nanos < 0n) {
    problems.invalid(path, shown(amount), "must be greater than or equal to 0");
  }
  return nanos !== null && nanos >= 0n;
}

const NANO = 1_000_000_000n;

/** For what can't be divided: objects, bytes, devices. */
export function checkWhole(problems: Problems, path: string, amount: Amount): void {
  const parsed = parseQuantity(amount);
  if (parsed.kind === "ok" && parsed.quantity.nanos % NANO !== 0n) {
    problems.invalid(path, shown(amount), "must be an integer");
  }
}
