/**
 * Which volumes are attached where, driver by driver, kept up to date as pods come and go.
 * In: pods on rows, what nodes have attached and may. Out: distinct volumes of a driver by row, the
 * row's limit, who holds which disk, and whether a volume or an exclusive claim is in use at all.
 * Never: decides; NodeVolumeLimits and VolumeRestrictions read it.
 */

import type { NodeRow } from "./node_row.ts";
import type { DriverVolume, PodSpecRow, VolumeNeeds } from "./pod_row.ts";
import { grown } from "./structures/columns.ts";
import { countHolder } from "./structures/holders.ts";
import type { Holders } from "./structures/holders.ts";

/** The limit of a row that has none. */
export const NO_LIMIT = 2 ** 31 - 1;

/** One CSI driver over all rows. */
export interface DriverColumns {
  /** `Int32Array[rows]`: how many volumes the node may attach, `NO_LIMIT` = any. */
  limits: Int32Array;
  /** `Int32Array[rows]`: distinct volumes that the node's pods use or that it says it has. */
  attached: Int32Array;
  /** Volume -> its rows and how many pods use it there: row, count, row, count… */
  readonly users: Map<string, number[]>;
  /** Volume -> rows of the nodes that say they have it. */
  readonly held: Map<string, number[]>;
  /** Nodes that limit it; with no user and no holder left either, the driver goes. */
  limiting: number;
}

/** How a disk is held: by pods that only read it, by such as write. */
export const READ = "read";
export const WRITE = "write";

export class AttachmentIndex {
  /** Disks that pods name themselves, held to read or to write. */
  readonly disks: Holders = new Map();
  #capacity: number;
  readonly #drivers = new Map<string, DriverColumns>();
  /** Exclusive claims of pods on rows, "namespace/name" -> pods. */
  readonly #claims = new Map<string, number>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  grow(capacity: number): void {
    this.#capacity = capacity;
    for (const driver of this.#drivers.values()) {
      const before = driver.limits.length;
      driver.limits = grown(driver.limits, capacity).fill(NO_LIMIT, before);
      driver.attached = grown(driver.attached, capacity);
    }
  }

  /** Sets or (-1) takes back what a node may attach, and what it has. */
  node(
    row: number,
    { attachLimits, attached }: NodeRow,
    sign: 1 | -1,
  ): void {
    for (const name in attachLimits) {
      const driver = this.#columns(name);
      driver.limits[row] = sign > 0 ? attachLimits[name] : NO_LIMIT;
      driver.limiting += sign;
      this.#leave(name, driver);
    }
    for (const volume of attached) this.#hold(volume, row, sign);
  }

  #hold({ driver: name, handle }: DriverVolume, row: number, sign: 1 | -1): void {
    const driver = this.#columns(name);
    const rows = driver.held.get(handle) ?? [];
    const others = rows.filter((other) => other !== row);
    if (sign > 0) driver.held.set(handle, [...others, row]);
    else if (others.length > 0) driver.held.set(handle, others);
    else driver.held.delete(handle);
    const isNews = rows.includes(row) !== sign > 0;
    if (isNews && !isUsed(driver, handle, row)) driver.attached[row] += sign;
    this.#leave(name, driver);
  }

  /** Called by the table when a pod is put on a row (1) or taken off it (-1). */
  change({ attachments, exclusiveClaims, disks }: VolumeNeeds, row: number, sign: 1 | -1): void {
    for (const { driver: name, handle } of attachments) {
      const driver = this.#columns(name);
      if (sign > 0) use(driver, handle, row);
      else unuse(driver, handle, row);
      this.#leave(name, driver);
    }
    for (const { name, isReadOnly } of disks) {
      countHolder(this.disks, { thing: name, row, way: isReadOnly ? READ : WRITE }, sign);
    }
    for (const claim of exclusiveClaims) {
      const count = (this.#claims.get(claim) ?? 0) + sign;
      if (count === 0) this.#claims.delete(claim);
      else this.#claims.set(claim, count);
    }
  }

  /** @returns the columns of a driver, undefined when no node and no pod has to do with it. */
  driver(name: string): DriverColumns | undefined {
    return this.#drivers.get(name);
  }

  /** @returns on how many rows' pods an exclusive claim is in use. */
  claimUsers(claim: string): number {
    return this.#claims.get(claim) ?? 0;
  }

  /** @returns whether no pod on any row uses a volume, disk or exclusive claim of the spec. */
  isUnused({ volumes: { attachments, exclusiveClaims, disks } }: PodSpecRow): boolean {
    for (const { driver, handle } of attachments) {
      if (this.#drivers.get(driver)?.users.has(handle)) return false;
    }
    for (const claim of exclusiveClaims) if (this.#claims.has(claim)) return false;
    for (const { name } of disks) if (this.disks.has(name)) return false;
    return true;
  }

  #columns(name: string): DriverColumns {
    let driver = this.#drivers.get(name);
    if (driver === undefined) {
      driver = {
        limits: new Int32Array(this.#capacity).fill(NO_LIMIT),
        attached: new Int32Array(this.#capacity),
        users: new Map(),
        held: new Map(),
        limiting: 0,
      };
      this.#drivers.set(name, driver);
    }
    return driver;
  }

  #leave(name: string, { limiting, users, held }: DriverColumns): void {
    if (limiting === 0 && users.size === 0 && held.size === 0) this.#drivers.delete(name);
  }
}

/** @returns where a row's count is in the list of a volume's users, -1 when it is not. */
function placeOf(users: readonly number[] | undefined, row: number): number {
  if (users === undefined) return -1;
  for (let at = 0; at < users.length; at += 2) if (users[at] === row) return at;
  return -1;
}

/** @returns whether a pod on the row uses the volume. */
export function isUsed({ users }: DriverColumns, handle: string, row: number): boolean {
  return placeOf(users.get(handle), row) >= 0;
}

function isHeld({ held }: DriverColumns, handle: string, row: number): boolean {
  return held.size > 0 && held.get(handle)?.includes(row) === true;
}

function use(driver: DriverColumns, handle: string, row: number): void {
  let users = driver.users.get(handle);
  if (users === undefined) driver.users.set(handle, users = []);
  const at = placeOf(users, row);
  if (at >= 0) {
    users[at + 1]++;
    return;
  }
  users.push(row, 1);
  if (!isHeld(driver, handle, row)) driver.attached[row]++;
}

function unuse(driver: DriverColumns, handle: string, row: number): void {
  const users = driver.users.get(handle);
  const at = placeOf(users, row);
  if (users === undefined || at < 0) {
    throw new Error(`attachment index: ${handle} is not on row ${row}`);
  }
  if (--users[at + 1] > 0) return;
  users.splice(at, 2);
  if (users.length === 0) driver.users.delete(handle);
  if (!isHeld(driver, handle, row)) driver.attached[row]--;
}
