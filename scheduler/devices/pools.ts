/**
 * Pools of devices, put together from the slices that drivers publish.
 * In: slices as they come and go. Out: the pools that a node reaches, each with the devices that
 * can be used there.
 * Never: mixes generations: only the newest counts, and only once all its slices are there.
 * Source: the documentation of ResourceSlice and pool information of Kubernetes v1.36.
 */

import type { NodeRow } from "../node_row.ts";
import { type DeviceRow, reaches, type SliceRow } from "./device_row.ts";

export interface Pool {
  /** "driver/pool" */
  readonly id: string;
  /** Its driver is about to publish the rest: nothing of it may be taken. */
  readonly isIncomplete: boolean;
  /** Its counters contradict themselves: nothing of it may be taken. */
  readonly isInvalid: boolean;
  readonly driver: string;
  readonly name: string;
  readonly slices: readonly SliceRow[];
  /** "set/counter" -> what there is of it, billionths. */
  readonly counters: ReadonlyMap<string, bigint>;
}

/** What a node can use of a pool. */
export interface PoolView {
  readonly pool: Pool;
  readonly devices: readonly DeviceRow[];
  /** Whether the pool, or what the node reaches of it, contradicts itself. */
  readonly isInvalid: boolean;
  /** Pools with devices that have to be waited for come after all others. */
  readonly isLast: boolean;
}

/** @param slices all that exist of one pool, of any generation; at least one */
export function buildPool(id: string, slices: Iterable<SliceRow>): Pool {
  const all = [...slices];
  const generation = Math.max(...all.map((slice) => slice.generation));
  const newest = all.filter((slice) => slice.generation === generation)
    .sort((a, b) => a.name < b.name ? -1 : 1);
  const counters = new Map<string, bigint>();
  const sets = new Set<string>();
  let isInvalid = false;
  for (const { counters: offered } of newest) {
    const own = new Set(offered.map(({ set }) => set));
    for (const set of own) {
      if (sets.has(set)) isInvalid = true;
      sets.add(set);
    }
    for (const { set, counter, amount } of offered) counters.set(`${set}/${counter}`, amount);
  }
  isInvalid ||= newest.some(({ devices }) =>
    devices.some(({ consumes }) =>
      consumes.some(({ set, counter }) => !counters.has(`${set}/${counter}`))
    )
  );
  const isIncomplete = newest.length !== newest[0].sliceCount;
  const { driver, pool: name } = newest[0];
  return { id, driver, name, isIncomplete, isInvalid, slices: newest, counters };
}

/** @returns what a node can use of a pool, null = nothing of it is meant for the node. */
export function viewOf(pool: Pool, node: NodeRow): PoolView | null {
  const reached: SliceRow[] = [];
  const devices: DeviceRow[] = [];
  for (const slice of pool.slices) {
    const usable = slice.reach !== null
      ? reaches(slice.reach, node) ? slice.devices : null
      : slice.devices.filter(({ reach }) => reach !== null && reaches(reach, node));
    if (usable === null || (slice.reach === null && usable.length === 0)) continue;
    reached.push(slice);
    devices.push(...usable);
  }
  if (reached.length === 0) return null;
  const names = new Set<string>();
  const all = reached.flatMap((slice) => slice.devices);
  const isAmbiguous = all.some(({ name }) => names.size === names.add(name).size);
  const isLast = all.some(({ conditions }) => conditions.awaited.length > 0);
  return { pool, devices, isInvalid: pool.isInvalid || isAmbiguous, isLast };
}

function comesFirst(a: PoolView, b: PoolView): boolean {
  if (a.isLast !== b.isLast) return b.isLast;
  if (a.pool.driver !== b.pool.driver) return a.pool.driver < b.pool.driver;
  return a.pool.name < b.pool.name;
}

/** @returns the one node that reaches the pool, "" when there may be several. */
function homeOf({ slices }: Pool): string {
  let home = "";
  for (const { reach, devices } of slices) {
    if (reach === null && devices.length === 0) continue;
    const own = reach?.nodeName ?? "";
    if (own === "" || (home !== "" && own !== home)) return "";
    home = own;
  }
  return home;
}

export class Pools {
  readonly #slices = new Map<string, SliceRow>();
  readonly #byPool = new Map<string, Map<string, SliceRow>>();
  readonly #pools = new Map<string, Pool>();
  /** Pools of one node each, by its name; those of several nodes under "". */
  readonly #byHome = new Map<string, Map<string, Pool>>();
  #views = new WeakMap<NodeRow, readonly PoolView[]>();

  set(slice: SliceRow): void {
    this.remove(slice.name);
    this.#slices.set(slice.name, slice);
    const id = `${slice.driver}/${slice.pool}`;
    let members = this.#byPool.get(id);
    if (members === undefined) this.#byPool.set(id, members = new Map());
    members.set(slice.name, slice);
    this.#rebuild(id);
  }

  remove(name: string): void {
    const slice = this.#slices.get(name);
    if (slice === undefined) return;
    this.#slices.delete(name);
    const id = `${slice.driver}/${slice.pool}`;
    this.#byPool.get(id)!.delete(name);
    this.#rebuild(id);
  }

  #rebuild(id: string): void {
    const before = this.#pools.get(id);
    if (before !== undefined) this.#byHome.get(homeOf(before))?.delete(id);
    this.#pools.delete(id);
    this.#views = new WeakMap();
    const members = this.#byPool.get(id)!;
    if (members.size === 0) {
      this.#byPool.delete(id);
      return;
    }
    const pool = buildPool(id, members.values());
    this.#pools.set(id, pool);
    const home = homeOf(pool);
    let neighbours = this.#byHome.get(home);
    if (neighbours === undefined) this.#byHome.set(home, neighbours = new Map());
    neighbours.set(id, pool);
  }

  /** @returns what a node reaches, in the order in which it is tried. */
  on(node: NodeRow): readonly PoolView[] {
    let views = this.#views.get(node);
    if (views === undefined) {
      const near = [this.#byHome.get(node.name), this.#byHome.get("")];
      views = near.flatMap((pools) => [...pools?.values() ?? []])
        .flatMap((pool) => viewOf(pool, node) ?? [])
        .sort((a, b) => comesFirst(a, b) ? -1 : 1);
      this.#views.set(node, views);
    }
    return views;
  }
}
