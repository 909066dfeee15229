/**
 * Finds devices for the claims of a pod on one node: the first solution of an exhaustive search.
 * In: claims without an allocation, what the node reaches, what is taken. Out: an allocation for
 * each claim, or that there is none, or in words why it can't be told.
 * Never: takes from a pool that is incomplete or contradicts itself; changes what it is given.
 * Devices are tried in the order of pools, slices and devices, requests and alternatives in theirs.
 * Source: structured parameters of Kubernetes v1.36 (dynamic-resource-allocation).
 */

import type { NodeRow } from "../node_row.ts";
import type { NodeTerm, Requirement } from "../pod_row.ts";
import { consumptionOf, Shares } from "./capacity.ts";
import { AttributeRules } from "./constraints.ts";
import { Counters } from "./counters.ts";
import {
  type AllocatedDevice,
  type Allocation,
  type Alternative,
  type ClaimRow,
  type ClassRow,
  type Consumption,
  type DeviceMatcher,
  type DeviceRow,
  type DeviceToleration,
  MOST_RESULTS,
  type NodeReach,
  type SliceRow,
} from "./device_row.ts";
import type { Pool, PoolView } from "./pools.ts";

export interface AllocateInput {
  readonly claims: readonly ClaimRow[];
  readonly node: NodeRow;
  readonly views: readonly PoolView[];
  readonly classes: ReadonlyMap<string, ClassRow>;
  readonly matches: DeviceMatcher;
  /** Whether someone holds a device alone, by its id. */
  readonly isTaken: (id: string) => boolean;
  /** Parts of devices that others hold. */
  readonly shares: Shares;
}

export type AllocateOutcome =
  | { readonly kind: "allocated"; readonly allocations: readonly Allocation[] }
  | { readonly kind: "none" }
  | { readonly kind: "problem"; readonly reason: string };

/** A search that long would hold up every other pod. */
const MOST_STEPS = 50_000;
const INVALID_POOLS = "invalid resource pools were encountered";

class Problem extends Error {}

interface Candidate {
  readonly device: DeviceRow;
  readonly pool: Pool;
}

interface Taken {
  readonly claim: number;
  readonly device: DeviceRow;
  readonly pool: Pool;
  readonly result: AllocatedDevice;
}

/** @returns whether a taint keeps a request from a device. */
function keepsOff(device: DeviceRow, tolerations: readonly DeviceToleration[]): boolean {
  return device.taints.some((taint) => {
    if (taint.effect !== "NoSchedule" && taint.effect !== "NoExecute") return false;
    return !tolerations.some(({ key, operator, value, effect }) => {
      if (effect !== "" && effect !== taint.effect) return false;
      if (key !== "" && key !== taint.key) return false;
      return operator === "Exists" || ((operator || "Equal") === "Equal" && value === taint.value);
    });
  });
}

class Search {
  readonly #input: AllocateInput;
  readonly #candidates: readonly Candidate[];
  readonly #rules: readonly AttributeRules[];
  /** Devices taken by this search, in order; and by id, by how many claims. */
  readonly #taken: Taken[] = [];
  readonly #holders = new Map<string, Set<number>>();
  /** Parts taken by this search. */
  readonly #shares = new Shares();
  readonly #results: number[];
  readonly #counters: Counters;
  /** What a request takes of a device, null = it may not have it. */
  readonly #wishes = new Map<Alternative, Map<DeviceRow, Consumption | null>>();
  readonly #all = new Map<Alternative, readonly Candidate[]>();
  #steps = 0;

  constructor(input: AllocateInput) {
    this.#input = input;
    this.#candidates = input.views.filter(({ pool, isInvalid }) => !pool.isIncomplete && !isInvalid)
      .flatMap(({ pool, devices }) => devices.map((device) => ({ device, pool })));
    this.#rules = input.claims.map(({ constraints }) => new AttributeRules(constraints));
    this.#counters = new Counters((id) => input.isTaken(id) || input.shares.has(id));
    this.#results = input.claims.map(() => 0);
  }

  run(): AllocateOutcome {
    try {
      this.#gatherAll();
      if (this.#place(0, 0)) return { kind: "allocated", allocations: this.#allocations() };
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      return { kind: "problem", reason: error.message };
    }
    const isInvalid = this.#input.views.some((view) => view.isInvalid);
    return isInvalid ? { kind: "problem", reason: INVALID_POOLS } : { kind: "none" };
  }

  /** Requests for all devices must know all of them before anything is taken. */
  #gatherAll(): void {
    for (const claim of this.#input.claims) {
      let least = 0;
      for (const { alternatives } of claim.requests) {
        const counts = alternatives.map((alternative) =>
          alternative.mode === "All" ? this.#gather(claim, alternative) : alternative.count
        );
        least += Math.min(...counts);
      }
      if (least <= MOST_RESULTS) continue;
      throw new Problem(
        `claim ${claim.key}: number of requested devices ${least} exceeds the claim limit of ` +
          `${MOST_RESULTS}`,
      );
    }
  }

  /** @returns how many devices a request for all of them means. */
  #gather(claim: ClaimRow, alternative: Alternative): number {
    const own = alternative.name.slice(alternative.name.indexOf("/") + 1);
    for (const { pool, isInvalid } of this.#input.views) {
      if (!pool.isIncomplete && !isInvalid) continue;
      const state = pool.isIncomplete ? "being updated" : "invalid";
      throw new Problem(
        `claim ${claim.key}, request ${own}: asks for all devices, but resource pool ` +
          `${pool.id} is currently ${state}`,
      );
    }
    const wanted = this.#candidates.filter(({ device }) => {
      const wish = this.#wishFor(claim, alternative, device);
      return wish !== null && this.#hasRoom(device, wish);
    });
    this.#all.set(alternative, wanted);
    return wanted.length;
  }

  #place(claim: number, request: number): boolean {
    const { claims } = this.#input;
    if (claim === claims.length) return true;
    const { requests } = claims[claim];
    if (request === requests.length) return this.#place(claim + 1, 0);
    return requests[request].alternatives.some((alternative) => {
      const wanted = this.#all.get(alternative);
      if (wanted !== undefined && wanted.length === 0) return false;
      const count = wanted?.length ?? alternative.count;
      if (this.#results[claim] + count > MOST_RESULTS) return false;
      const at = { claim, request, alternative };
      return wanted === undefined ? this.#pick(at, 0, count) : this.#takeAll(at, wanted);
    });
  }

  /** Takes devices for a request, in ascending order: which of two equal ones is first is moot. */
  #pick(at: Place, from: number, left: number): boolean {
    if (left === 0) return this.#place(at.claim, at.request + 1);
    for (let i = from; i < this.#candidates.length; i++) {
      if (++this.#steps > MOST_STEPS) {
        throw new Problem(`node ${this.#input.node.name}: timed out trying to allocate devices`);
      }
      const candidate = this.#candidates[i];
      if (this.#isInUse(at, candidate.device)) continue;
      if (this.#take(at, candidate) !== "taken") continue;
      if (this.#pick(at, i + 1, left - 1)) return true;
      this.#putBack();
    }
    return false;
  }

  #takeAll(at: Place, wanted: readonly Candidate[]): boolean {
    const before = this.#taken.length;
    for (const candidate of wanted) {
      const outcome = this.#isInUse(at, candidate.device) ? "refused" : this.#take(at, candidate);
      if (outcome === "taken") continue;
      while (this.#taken.length > before) this.#putBack();
      if (outcome === "refused") return false;
      const { key } = this.#input.claims[at.claim];
      throw new Problem(
        `claim ${key}, request ${at.alternative.name}: cannot add device ` +
          `${candidate.device.id} because a claim constraint would not be satisfied`,
      );
    }
    if (this.#place(at.claim, at.request + 1)) return true;
    while (this.#taken.length > before) this.#putBack();
    return false;
  }

  #isInUse({ claim, alternative }: Place, { id }: DeviceRow): boolean {
    const holders = this.#holders.get(id);
    if (alternative.adminAccess) return holders?.has(claim) === true;
    return (holders?.size ?? 0) > 0 || this.#input.isTaken(id);
  }

  /** @returns what the request takes of a device; null where it does not select it. */
  #wishFor(claim: ClaimRow, alternative: Alternative, device: DeviceRow): Consumption | null {
    let wishes = this.#wishes.get(alternative);
    if (wishes === undefined) this.#wishes.set(alternative, wishes = new Map());
    let wish = wishes.get(device);
    if (wish === undefined) {
      const ofClass = this.#input.classes.get(alternative.className);
      const isSelected = ofClass !== undefined &&
        this.#matchAll(`class ${ofClass.name}`, ofClass.selectors, device) &&
        this.#matchAll(`claim ${claim.key}`, alternative.selectors, device);
      wish = isSelected ? consumptionOf(alternative.capacities, device.capacities) : null;
      wishes.set(device, wish);
    }
    return wish;
  }

  #hasRoom({ id, capacities }: DeviceRow, wish: Consumption): boolean {
    return capacities.every(({ name, amount }) => {
      const taken = this.#input.shares.taken(id, name) + this.#shares.taken(id, name);
      return taken + wish.get(name)! <= amount;
    });
  }

  #matchAll(owner: string, selectors: readonly string[], device: DeviceRow): boolean {
    return selectors.every((selector, index) => {
      const matches = this.#input.matches(device, selector);
      if (typeof matches === "boolean") return matches;
      throw new Problem(`${owner}: selector #${index}: ${matches}`);
    });
  }

  #take(at: Place, { device, pool }: Candidate): "taken" | "refused" | "mismatch" {
    const { claim, alternative } = at;
    const wish = this.#wishFor(this.#input.claims[claim], alternative, device);
    if (wish === null || !this.#hasRoom(device, wish)) return "refused";
    if (keepsOff(device, alternative.tolerations)) return "refused";
    const { name: request, adminAccess } = alternative;
    const isFirst = !this.#isShared(device);
    if (isFirst && !this.#counters.take(device, pool)) return "refused";
    if (!this.#rules[claim].add(request, device)) {
      if (isFirst) this.#counters.putBack(device, pool);
      return "mismatch";
    }
    const { driver, pool: poolName, name, conditions, isShareable } = device;
    const share = isShareable ? wish : null;
    const result = {
      request,
      driver,
      pool: poolName,
      device: name,
      adminAccess,
      share,
      conditions,
    };
    this.#taken.push({ claim, device, pool, result });
    this.#results[claim]++;
    if (share !== null) this.#shares.add(device.id, share);
    else {
      const holders = this.#holders.get(device.id);
      if (holders === undefined) this.#holders.set(device.id, new Set([claim]));
      else holders.add(claim);
    }
    return "taken";
  }

  /** Whether a part of the device is in use, so that its counters are taken already. */
  #isShared({ id, isShareable }: DeviceRow): boolean {
    return isShareable && (this.#input.shares.has(id) || this.#shares.has(id));
  }

  #putBack(): void {
    const { claim, device, pool, result } = this.#taken.pop()!;
    this.#rules[claim].removeLast(result.request);
    this.#results[claim]--;
    if (result.share !== null) this.#shares.remove(device.id, result.share);
    else this.#holders.get(device.id)!.delete(claim);
    if (!this.#isShared(device)) this.#counters.putBack(device, pool);
  }

  #allocations(): Allocation[] {
    return this.#input.claims.map((_, claim) => {
      const own = this.#taken.filter((taken) => taken.claim === claim);
      return { devices: own.map(({ result }) => result), terms: termsOf(own, this.#input.node) };
    });
  }
}

interface Place {
  readonly claim: number;
  readonly request: number;
  readonly alternative: Alternative;
}

function reachOf({ device, pool }: Taken): NodeReach | null {
  const slice = pool.slices.find((it: SliceRow) => it.devices.includes(device));
  return slice?.reach ?? device.reach;
}

/** One device of one node, or bound to it, ties the claim to it; other terms all have to hold. */
function termsOf(taken: readonly Taken[], node: NodeRow): readonly NodeTerm[] | null {
  const expressions: Requirement[] = [];
  const fields: Requirement[] = [];
  for (const one of taken) {
    const reach = reachOf(one);
    if (reach === null) continue;
    if (reach.nodeName !== "" || one.device.bindsToNode) {
      const name: Requirement = { key: "metadata.name", operator: "In", values: [node.name] };
      return [{ expressions: [], fields: [name] }];
    }
    for (const term of reach.terms) {
      addNew(expressions, term.expressions);
      addNew(fields, term.fields);
    }
  }
  return expressions.length + fields.length === 0 ? null : [{ expressions, fields }];
}

function addNew(to: Requirement[], from: readonly Requirement[]): void {
  for (const one of from) {
    const key = keyOf(one);
    if (!to.some((other) => keyOf(other) === key)) to.push(one);
  }
}

function keyOf({ key, operator, values }: Requirement): string {
  return JSON.stringify([key, operator, [...new Set(values)].sort()]);
}

/** Finds devices for claims on a node. */
export function allocate(input: AllocateInput): AllocateOutcome {
  return new Search(input).run();
}
