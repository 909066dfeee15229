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
  /** Billionths. */
  readonly amount: bigint;
}

/** What a device has of something, and which parts of it may be taken; amounts in billionths. */
export interface CapacityRow {
  /** As its slice writes it; requests name it in the same way. */
  readonly name: string;
  readonly amount: bigint;
  /** Taken by a request that names no amount; null = all there is. */
  readonly usual: bigint | null;
  /** The only amounts that may be taken, ascending; empty = any. */
  readonly values: readonly bigint[];
  readonly range: CapacityRange | null;
}

export interface CapacityRange {
  readonly min: bigint;
  readonly max: bigint | null;
  readonly step: bigint | null;
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
  /** By name, ascending. */
  readonly capacities: readonly CapacityRow[];
  /** Whether several requests may have a part of it. */
  readonly isShareable: boolean;
  readonly conditions: BindingConditions;
  /** Whether, once allocated, it can be used on that node only. */
  readonly bindsToNode: boolean;
}

/** Conditions that decide, once a device is allocated, whether its pod may be bound. */
export interface BindingConditions {
  /** All have to be true; empty = nothing is waited for. */
  readonly awaited: readonly string[];
  /** Any that is true gives the allocation up. */
  readonly failing: readonly string[];
}

export const NO_CONDITIONS: BindingConditions = { awaited: [], failing: [] };

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
  /** Extended resource that its devices stand for, "" = none but the one named after it. */
  readonly extendedResource: string;
  readonly createdMs: number;
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
  /** Capacity -> what each device has to give of it at least, billionths. */
  readonly capacities: ReadonlyMap<string, bigint>;
}

export interface RequestRow {
  readonly name: string;
  /** One, or a list of which the first that can be satisfied is taken. */
  readonly alternatives: readonly Alternative[];
  readonly isList: boolean;
}

/** Values of an attribute among all devices of the requests; none named = of all requests. */
export interface AttributeConstraint {
  readonly requests: readonly string[];
  readonly attribute: string;
  /** Whether no two may be equal; otherwise all have to be. */
  readonly isDistinct: boolean;
}

/** Capacity -> what was taken of it, billionths. */
export type Consumption = ReadonlyMap<string, bigint>;

export interface AllocatedDevice {
  /** Name of the request or alternative. */
  readonly request: string;
  readonly driver: string;
  readonly pool: string;
  readonly device: string;
  readonly adminAccess: boolean;
  /** What is taken of a device that others may share; null = it is had alone. */
  readonly share: Consumption | null;
  readonly conditions: BindingConditions;
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
  readonly constraints: readonly AttributeConstraint[];
  /** What it asks for that can't be given here, "" = nothing. */
  readonly unsupported: string;
  readonly allocation: Allocation | null;
  /** Uids of those it is reserved for. */
  readonly reservedFor: readonly string[];
  readonly readiness: ClaimReadiness;
  /** Uid of the pod for whose extended resources it was made, "" = it is none of those. */
  readonly extendedFor: string;
}

/** How far the devices of an allocated claim are. */
export interface ClaimReadiness {
  /** Whether every condition that is awaited is true. */
  readonly isReady: boolean;
  /** In words that and why it never will be, "" = it may be. */
  readonly failure: string;
  /** When the wait began, milliseconds; null = nothing is waited for, or it is not known. */
  readonly allocatedMs: number | null;
}

export const READY: ClaimReadiness = { isReady: true, failure: "", allocatedMs: null };

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
