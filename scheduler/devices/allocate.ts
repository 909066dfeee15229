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
import {
  type AllocatedDevice,
  type Allocation,
  type Alternative,
  type ClaimRow,
  type ClassRow,
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
  /** Whether someone holds a device, by its id. */
  readonly isTaken: (id: string) => boolean;
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

/** Equal values among the devices of some requests of one claim. */
interface Matching {
  readonly requests: readonly string[];
  readonly attribute: string;
  value: string;
  count: number;
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
  readonly #matchings: Matching[][];
  /** Devices taken by this search, in order; and by id, by how many claims. */
  readonly #taken: Taken[] = [];
  readonly #holders = new Map<string, Set<number>>();
  readonly #results: number[];
  readonly #consumed = new Map<Pool, Map<string, number>>();
  readonly #left = new Map<Pool, Map<string, number>>();
  readonly #verdicts = new Map<Alternative, Map<DeviceRow, boolean>>();
  readonly #all = new Map<Alternative, readonly Candidate[]>();
  #steps = 0;

  constructor(input: AllocateInput) {
    this.#input = input;
    this.#candidates = input.views.filter(({ pool }) => !pool.isIncomplete && !pool.isInvalid)
      .flatMap(({ pool, devices }) => devices.map((device) => ({ device, pool })));
    this.#matchings = input.claims.map(({ constraints }) =>
      constraints.map(({ requests, attribute }) => ({ requests, attribute, value: "", count: 0 }))
    );
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
    const isInvalid = this.#input.views.some(({ pool }) => pool.isInvalid);
    return isInvalid ? { kind: "problem", reason: INVALID_POOLS } : { kind: "none" };
  }

  /** Requests for all devices must know all of them before anything is taken. */
  #gatherAll(): void {
    for (const claim of this.#input.claims) {
      for (const { alternatives } of claim.requests) {
        for (const alternative of alternatives) {
          if (alternative.mode !== "All") continue;
          const own = alternative.name.slice(alternative.name.indexOf("/") + 1);
          for (const { pool } of this.#input.views) {
            if (!pool.isIncomplete && !pool.isInvalid) continue;
            const state = pool.isIncomplete ? "being updated" : "invalid";
            throw new Problem(
              `claim ${claim.key}, request ${own}: asks for all devices, but resource pool ` +
                `${pool.id} is currently ${state}`,
            );
          }
          const wanted = this.#candidates.filter(({ device }) =>
            this.#isSelected(claim, alternative, device)
          );
          this.#all.set(alternative, wanted);
        }
      }
    }
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
      const claim = this.#input.claims[at.claim];
      if (!this.#isSelected(claim, at.alternative, candidate.device)) continue;
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

  #isSelected(claim: ClaimRow, alternative: Alternative, device: DeviceRow): boolean {
    let verdicts = this.#verdicts.get(alternative);
    if (verdicts === undefined) this.#verdicts.set(alternative, verdicts = new Map());
    let verdict = verdicts.get(device);
    if (verdict === undefined) {
      const ofClass = this.#input.classes.get(alternative.className);
      verdict = device.isUsable && ofClass !== undefined &&
        this.#matchAll(`class ${ofClass.name}`, ofClass.selectors, device) &&
        this.#matchAll(`claim ${claim.key}`, alternative.selectors, device);
      verdicts.set(device, verdict);
    }
    return verdict;
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
    if (device.consumes.length > 0 && !this.#hasCounters(device, pool)) return "refused";
    if (keepsOff(device, alternative.tolerations)) return "refused";
    const matchings = this.#matchingsOf(claim, alternative);
    for (const { attribute, value, count } of matchings) {
      const own = device.attributes.get(attribute);
      if (own === undefined || (count > 0 && own !== value)) return "mismatch";
    }
    for (const matching of matchings) {
      matching.value = device.attributes.get(matching.attribute)!;
      matching.count++;
    }
    const { driver, pool: poolName, name } = device;
    const { name: request, adminAccess } = alternative;
    const result = { request, driver, pool: poolName, device: name, adminAccess };
    this.#taken.push({ claim, device, pool, result });
    this.#results[claim]++;
    const holders = this.#holders.get(device.id);
    if (holders === undefined) this.#holders.set(device.id, new Set([claim]));
    else holders.add(claim);
    this.#consume(device, pool, 1);
    return "taken";
  }

  #putBack(): void {
    const { claim, device, pool, result } = this.#taken.pop()!;
    for (const matching of this.#matchings[claim]) {
      if (isAbout(matching.requests, result.request)) matching.count--;
    }
    this.#results[claim]--;
    this.#holders.get(device.id)!.delete(claim);
    this.#consume(device, pool, -1);
  }

  #matchingsOf(claim: number, { name }: Alternative): Matching[] {
    return this.#matchings[claim].filter(({ requests }) => isAbout(requests, name));
  }

  #consume(device: DeviceRow, pool: Pool, sign: 1 | -1): void {
    if (device.consumes.length === 0) return;
    let consumed = this.#consumed.get(pool);
    if (consumed === undefined) this.#consumed.set(pool, consumed = new Map());
    for (const { set, counter, amount } of device.consumes) {
      const key = `${set}/${counter}`;
      consumed.set(key, (consumed.get(key) ?? 0) + sign * amount);
    }
  }

  #hasCounters(device: DeviceRow, pool: Pool): boolean {
    const left = this.#leftOf(pool);
    const consumed = this.#consumed.get(pool);
    const wanted = new Map<string, number>();
    for (const { set, counter, amount } of device.consumes) {
      const key = `${set}/${counter}`;
      wanted.set(key, (wanted.get(key) ?? 0) + amount);
    }
    for (const [key, amount] of wanted) {
      if (amount + (consumed?.get(key) ?? 0) > (left.get(key) ?? 0)) return false;
    }
    return true;
  }

  /** What others leave of the counters of a pool. */
  #leftOf(pool: Pool): Map<string, number> {
    let left = this.#left.get(pool);
    if (left === undefined) {
      left = new Map(pool.counters);
      for (const device of pool.slices.flatMap(({ devices }) => devices)) {
        if (device.consumes.length === 0 || !this.#input.isTaken(device.id)) continue;
        for (const { set, counter, amount } of device.consumes) {
          const key = `${set}/${counter}`;
          left.set(key, (left.get(key) ?? 0) - amount);
        }
      }
      this.#left.set(pool, left);
    }
    return left;
  }

  #allocations(): Allocation[] {
    return this.#input.claims.map((_, claim) => {
      const own = this.#taken.filter((taken) => taken.claim === claim);
      return { devices: own.map(({ result }) => result), terms: termsOf(own) };
    });
  }
}

interface Place {
  readonly claim: number;
  readonly request: number;
  readonly alternative: Alternative;
}

/** @param name "request" or "request/alternative"; a list's own name means all in it */
function isAbout(requests: readonly string[], name: string): boolean {
  if (requests.length === 0 || requests.includes(name)) return true;
  const slash = name.indexOf("/");
  return slash > 0 && requests.includes(name.slice(0, slash));
}

function reachOf({ device, pool }: Taken): NodeReach | null {
  const slice = pool.slices.find((it: SliceRow) => it.devices.includes(device));
  return slice?.reach ?? device.reach;
}

/** One device of one node ties the claim to it; terms of others are all to be met. */
function termsOf(taken: readonly Taken[]): readonly NodeTerm[] | null {
  const expressions: Requirement[] = [];
  const fields: Requirement[] = [];
  for (const one of taken) {
    const reach = reachOf(one);
    if (reach === null) continue;
    if (reach.nodeName !== "") {
      const name: Requirement = { key: "metadata.name", operator: "In", values: [reach.nodeName] };
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
