/**
 * Short ways to say devices, slices and claims in tests.
 * In: the little that a case is about. Out: whole rows. Used by tests only.
 * Never: randomness.
 */

import type { NodeRow } from "../node_row.ts";
import { EMPTY_NODE } from "../node_row.ts";
import {
  type Alternative,
  type CapacityRow,
  type ClaimRow,
  type ClassRow,
  type DeviceMatcher,
  type DeviceRow,
  NO_CONDITIONS,
  type NodeReach,
  READY,
  type SliceRow,
} from "./device_row.ts";

export const NOWHERE: NodeReach = { nodeName: "", terms: [], all: false };
export const DRIVER = "gpu.example.com";

export function onNode(nodeName: string): NodeReach {
  return { ...NOWHERE, nodeName };
}

export function nodeNamed(name: string, labels: Record<string, string> = {}): NodeRow {
  return { ...EMPTY_NODE, name, labels };
}

export function device(
  name: string,
  parts: Partial<DeviceRow> & { pool?: string } = {},
): DeviceRow {
  const pool = parts.pool ?? "pool";
  return {
    id: `${DRIVER}/${pool}/${name}`,
    driver: DRIVER,
    pool,
    name,
    attributes: new Map(),
    taints: [],
    consumes: [],
    reach: null,
    capacities: [],
    isShareable: false,
    conditions: NO_CONDITIONS,
    bindsToNode: false,
    ...parts,
  };
}

export function slice(devices: readonly DeviceRow[], parts: Partial<SliceRow> = {}): SliceRow {
  return {
    name: "slice",
    driver: DRIVER,
    pool: devices[0]?.pool ?? "pool",
    generation: 1,
    sliceCount: 1,
    reach: onNode("n1"),
    devices,
    counters: [],
    ...parts,
  };
}

export function ask(name: string, parts: Partial<Alternative> = {}): Alternative {
  return {
    name,
    className: "gpu",
    selectors: [],
    mode: "ExactCount",
    count: 1,
    adminAccess: false,
    tolerations: [],
    capacities: new Map(),
    ...parts,
  };
}

/** A list makes a request of alternatives. */
export function claim(
  name: string,
  asks: readonly (Alternative | readonly Alternative[])[],
  parts: Partial<ClaimRow> = {},
): ClaimRow {
  const requests = asks.map((one) => {
    const isList = Array.isArray(one);
    const alternatives = (isList ? one : [one]) as readonly Alternative[];
    return { name: alternatives[0].name.split("/")[0], alternatives, isList };
  });
  return {
    key: `default/${name}`,
    uid: `uid-${name}`,
    requests,
    constraints: [],
    unsupported: "",
    allocation: null,
    reservedFor: [],
    readiness: READY,
    extendedFor: "",
    ...parts,
  };
}

/** A selector `key=value` matches that attribute; "broken" can't be evaluated. */
export const byAttribute: DeviceMatcher = ({ attributes }, selector) => {
  if (selector === "broken") return "CEL runtime error: no such key: x";
  const [key, value] = selector.split("=");
  return attributes.get(`${DRIVER}/${key}`) === value;
};

export function deviceClass(name: string, parts: Partial<ClassRow> = {}): ClassRow {
  return { name, selectors: [], extendedResource: "", createdMs: 0, ...parts };
}

export function capacity(
  name: string,
  amount: bigint,
  parts: Partial<CapacityRow> = {},
): CapacityRow {
  return { name, amount, usual: null, values: [], range: null, ...parts };
}

/** Attributes of the driver's own domain. */
export function attributes(values: Record<string, string>): ReadonlyMap<string, string> {
  return new Map(Object.entries(values).map(([key, value]) => [`${DRIVER}/${key}`, value]));
}
