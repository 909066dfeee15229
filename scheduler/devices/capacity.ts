/**
 * Parts of devices: how much of a device's capacities a request takes, and what is left of them.
 * In: what a request asks for, what a device offers, what was taken. Out: amounts in billionths.
 * Never: asks who takes a part; refuses a second part of one device to one claim.
 * Source: consumable capacity of Kubernetes v1.36 (KEP-5075), DeviceCapacity.requestPolicy.
 */

import type { CapacityRange, CapacityRow, Consumption } from "./device_row.ts";

const UNIT = 1_000_000_000n;
const NOTHING: Consumption = new Map();

function wholeUnits(amount: bigint): bigint {
  return amount >= 0n ? (amount + UNIT - 1n) / UNIT : amount / UNIT;
}

/** Steps are counted in whole units from the least amount. */
function roundToStep(asked: bigint, { min, step }: CapacityRange): bigint {
  if (asked < min) return min;
  if (step === null) return asked;
  const [size, base] = [wholeUnits(step), wholeUnits(min)];
  if (size <= 0n) return asked;
  const above = wholeUnits(asked) - base;
  return (base + (above + size - 1n) / size * size) * UNIT;
}

function isOnStep(amount: bigint, { min, step }: CapacityRange): boolean {
  const size = step === null ? 0n : wholeUnits(step);
  return size <= 0n || (wholeUnits(amount) - wholeUnits(min)) % size === 0n;
}

/** @returns the least amount that may be taken and satisfies a request. */
function rounded(asked: bigint | undefined, { amount, usual, values, range }: CapacityRow): bigint {
  if (asked === undefined) return usual ?? amount;
  if (range !== null) return roundToStep(asked, range);
  return values.find((value) => asked <= value) ?? asked;
}

function isAllowed(taken: bigint, { usual, values, range }: CapacityRow): boolean {
  if (taken === usual) return true;
  if (range !== null) return (range.max === null || taken <= range.max) && isOnStep(taken, range);
  return values.length === 0 || values.includes(taken);
}

/**
 * @param asked capacity -> at least, billionths
 * @returns what such a request takes of a device, null where it asks for what the device has not
 */
export function consumptionOf(
  asked: ReadonlyMap<string, bigint>,
  capacities: readonly CapacityRow[],
): Consumption | null {
  if (capacities.length === 0) return asked.size === 0 ? NOTHING : null;
  for (const name of asked.keys()) {
    if (!capacities.some((capacity) => capacity.name === name)) return null;
  }
  const taken = new Map<string, bigint>();
  for (const capacity of capacities) {
    const amount = rounded(asked.get(capacity.name), capacity);
    if (amount > capacity.amount || !isAllowed(amount, capacity)) return null;
    taken.set(capacity.name, amount);
  }
  return taken;
}

interface Shared {
  parts: number;
  readonly taken: Map<string, bigint>;
}

/** Parts that were taken of devices, by device. */
export class Shares {
  readonly #byDevice = new Map<string, Shared>();

  has(id: string): boolean {
    return this.#byDevice.has(id);
  }

  /** @returns what is taken of a capacity, billionths */
  taken(id: string, capacity: string): bigint {
    return this.#byDevice.get(id)?.taken.get(capacity) ?? 0n;
  }

  add(id: string, part: Consumption): void {
    let shared = this.#byDevice.get(id);
    if (shared === undefined) this.#byDevice.set(id, shared = { parts: 0, taken: new Map() });
    shared.parts++;
    for (const [name, amount] of part) {
      shared.taken.set(name, (shared.taken.get(name) ?? 0n) + amount);
    }
  }

  remove(id: string, part: Consumption): void {
    const shared = this.#byDevice.get(id);
    if (shared === undefined) throw new Error(`assertion: no part of ${id} was taken`);
    if (--shared.parts === 0) {
      this.#byDevice.delete(id);
      return;
    }
    for (const [name, amount] of part) shared.taken.set(name, shared.taken.get(name)! - amount);
  }
}
