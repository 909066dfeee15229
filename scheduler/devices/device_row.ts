/**
 * Devices, classes and claims as the scheduler sees them.
 * In: nothing. Out: types, and how a node is asked whether it reaches something.
 * Never: knows of CEL or of JSON; whoever fills these rows also answers what a selector matches.
 * Source: resource.k8s.io/v1 of Kubernetes v1.36.
 */

import type { NodeRow } from "../node_row.ts";
import type { NodeTerm } from "../pod_row.ts";
import { matchesNodeTerm } from "../selector.ts";

/** From where something can be reached: one node, nodes that match any term, or all. */
export interface NodeReach {
  /** "" = not one node only. */
  readonly nodeName: string;
  readonly terms: readonly NodeTerm[];
  readonly all: boolean;
}

export interface DeviceTaint {
  readonly key: string;
  readonly value: string;
  readonly effect: string;
}

/** One counter of a pool, or what a device takes of it. */
export interface CounterAmount {
  /** Names of the counter set and the counter. */
  readonly set: string;
  readonly counter: string;
  readonly amount: number;
}

export interface DeviceRow {
  /** "driver/pool/name" */
  readonly id: string;
  readonly driver: string;
  readonly pool: string;
  readonly name: string;
  /** "domain/name" -> kind and value as text; equal texts are equal values. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly taints: readonly DeviceTaint[];
  readonly consumes: readonly CounterAmount[];
  /** Set where the slice leaves it to each device. */
  readonly reach: NodeReach | null;
  /** Devices that nobody here can prepare are never chosen. */
  readonly isUsable: boolean;
}

/** One slice of a pool: devices, or the counters that devices of the pool share. */
export interface SliceRow {
  readonly name: string;
  readonly driver: string;
  readonly pool: string;
  readonly generation: number;
  /** Slices of the pool in this generation. */
  readonly sliceCount: number;
  /** null = each device says it for itself. */
  readonly reach: NodeReach | null;
  readonly devices: readonly DeviceRow[];
  readonly counters: readonly CounterAmount[];
}

export interface ClassRow {
  readonly name: string;
  readonly selectors: readonly string[];
}

export interface DeviceToleration {
  readonly key: string;
  readonly operator: string;
  readonly value: string;
  readonly effect: string;
}

/** One way to satisfy a request. */
export interface Alternative {
  /** As results name it: "request", or "request/alternative" in a list. */
  readonly name: string;
  readonly className: string;
  readonly selectors: readonly string[];
  readonly mode: "ExactCount" | "All";
  readonly count: number;
  readonly adminAccess: boolean;
  readonly tolerations: readonly DeviceToleration[];
}

export interface RequestRow {
  readonly name: string;
  /** One, or a list of which the first that can be satisfied is taken. */
  readonly alternatives: readonly Alternative[];
  readonly isList: boolean;
}

/** All devices of the requests (none named = of all) have the same value of an attribute. */
export interface MatchConstraint {
  readonly requests: readonly string[];
  readonly attribute: string;
}

export interface AllocatedDevice {
  /** Name of the request or alternative. */
  readonly request: string;
  readonly driver: string;
  readonly pool: string;
  readonly device: string;
  readonly adminAccess: boolean;
}

export interface Allocation {
  readonly devices: readonly AllocatedDevice[];
  /** Where the devices can be used; null = everywhere. */
  readonly terms: readonly NodeTerm[] | null;
}

export interface ClaimRow {
  /** "namespace/name" */
  readonly key: string;
  readonly uid: string;
  readonly requests: readonly RequestRow[];
  readonly constraints: readonly MatchConstraint[];
  /** What it asks for that can't be given here, "" = nothing. */
  readonly unsupported: string;
  readonly allocation: Allocation | null;
  /** Uids of those it is reserved for. */
  readonly reservedFor: readonly string[];
}

/** @returns true or false, or in words why the selector can't be evaluated on the device. */
export type DeviceMatcher = (device: DeviceRow, selector: string) => boolean | string;

/** As many may use one claim at a time. */
export const MOST_CONSUMERS = 256;
/** As many devices one claim may hold. */
export const MOST_RESULTS = 32;
/** As many alternatives a list may have. */
export const MOST_ALTERNATIVES = 8;

export function reaches({ nodeName, terms, all }: NodeReach, node: NodeRow): boolean {
  if (nodeName !== "") return nodeName === node.name;
  return all || terms.some((term) => matchesNodeTerm(term, node));
}

/** @returns whether an allocated claim can be used on a node. */
export function isUsableOn({ terms }: Allocation, node: NodeRow): boolean {
  return terms === null || terms.some((term) => matchesNodeTerm(term, node));
}

export function deviceId(
  { driver, pool, device }: { readonly driver: string; readonly pool: string; device: string },
): string {
  return `${driver}/${pool}/${device}`;
}
