/**
 * Counters that the devices of a pool share: what is left of them while devices are tried.
 * In: pools, who is in use, devices taken and put back. Out: whether a device can still be had.
 * Never: counts a device twice, whoever holds parts of it.
 * Source: partitionable devices of Kubernetes v1.36 (KEP-4815).
 */

import type { CounterAmount, DeviceRow } from "./device_row.ts";
import type { Pool } from "./pools.ts";

/** "set/counter" -> amount, billionths */
type Amounts = Map<string, bigint>;

function add(to: Amounts, consumes: readonly CounterAmount[], sign: 1n | -1n): void {
  for (const { set, counter, amount } of consumes) {
    const key = `${set}/${counter}`;
    to.set(key, (to.get(key) ?? 0n) + sign * amount);
  }
}

export class Counters {
  readonly #isInUse: (id: string) => boolean;
  readonly #left = new Map<Pool, Amounts>();

  /** @param isInUse whether a device is in use by anyone but this search */
  constructor(isInUse: (id: string) => boolean) {
    this.#isInUse = isInUse;
  }

  /** @returns false, and nothing changes, when the pool has too little left. */
  take({ consumes }: DeviceRow, pool: Pool): boolean {
    if (consumes.length === 0) return true;
    const left = this.#leftOf(pool);
    add(left, consumes, -1n);
    const fits = consumes.every(({ set, counter }) => left.get(`${set}/${counter}`)! >= 0n);
    if (!fits) add(left, consumes, 1n);
    return fits;
  }

  putBack({ consumes }: DeviceRow, pool: Pool): void {
    if (consumes.length > 0) add(this.#leftOf(pool), consumes, 1n);
  }

  #leftOf(pool: Pool): Amounts {
    let left = this.#left.get(pool);
    if (left === undefined) {
      left = new Map(pool.counters);
      for (const { devices } of pool.slices) {
        for (const { id, consumes } of devices) {
          if (consumes.length > 0 && this.#isInUse(id)) add(left, consumes, -1n);
        }
      }
      this.#left.set(pool, left);
    }
    return left;
  }
}
