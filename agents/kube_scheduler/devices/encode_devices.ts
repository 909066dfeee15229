/**
 * Devices and their classes to rows.
 * In: slices and classes of resource.k8s.io/v1. Out: rows; amounts in billionths.
 * Never: chooses a device or evaluates a selector.
 * Source: resource.k8s.io/v1 (v1.36).
 */
import type { NodeSelector } from "../../api/schema/generated/core_v1.ts";
import type {
  Device,
  DeviceAttribute,
  DeviceCapacity,
  DeviceClass,
  DeviceSelector as Selector,
  ResourceSlice,
} from "../../api/schema/generated/resource_v1.ts";
import { nanosOf } from "../../api/quantity.ts";
import { parseMillis } from "../../api/time.ts";
import { NO_CONDITIONS } from "../../../scheduler/mod.ts";
import type {
  BindingConditions,
  CapacityRow,
  ClassRow,
  CounterAmount,
  DeviceRow,
  NodeReach,
  NodeTerm,
  SliceRow,
} from "../../../scheduler/mod.ts";
import { encodeNodeTerm } from "../encode.ts";
import type { NodeSelectorTerm } from "../kinds.ts";
import { splitName } from "./device_selector.ts";

function reachOf(
  { nodeName = "", nodeSelector, allNodes = false }: {
    readonly nodeName?: string;
    readonly nodeSelector?: NodeSelector;
    readonly allNodes?: boolean;
  },
): NodeReach {
  return { nodeName, terms: termsOf(nodeSelector) ?? [], all: allNodes };
}

export function termsOf(selector: NodeSelector | undefined): NodeTerm[] | null {
  if (selector === undefined) return null;
  return (selector.nodeSelectorTerms as readonly NodeSelectorTerm[]).map(encodeNodeTerm);
}

/** @returns kind and value as one text; undefined for lists, which nothing compares here. */
function attributeText({ int, bool, string, version }: DeviceAttribute): string | undefined {
  if (int !== undefined) return `int ${int}`;
  if (bool !== undefined) return `bool ${bool}`;
  if (version !== undefined) return `version ${version}`;
  return string === undefined ? undefined : `string ${string}`;
}

function encodeDevice(slice: ResourceSlice, device: Device): DeviceRow {
  const { driver, pool, perDeviceNodeSelection } = slice.spec;
  const attributes = new Map<string, string>();
  for (const [name, attribute] of Object.entries(device.attributes ?? {})) {
    const text = attributeText(attribute);
    if (text !== undefined) attributes.set(splitName(name, driver).join("/"), text);
  }
  return {
    id: `${driver}/${pool.name}/${device.name}`,
    driver,
    pool: pool.name,
    name: device.name,
    attributes,
    taints: (device.taints ?? []).map(({ key, value = "", effect }) => ({ key, value, effect })),
    consumes: (device.consumesCounters ?? []).flatMap(({ counterSet, counters = {} }) =>
      amountsOf(counterSet, counters)
    ),
    reach: perDeviceNodeSelection ? reachOf(device) : null,
    capacities: Object.entries(device.capacity ?? {}).map(encodeCapacity)
      .sort((a, b) => a.name < b.name ? -1 : 1),
    isShareable: device.allowMultipleAllocations === true,
    conditions: conditionsOf(device),
    bindsToNode: device.bindsToNode === true,
  };
}

function encodeCapacity([name, { value, requestPolicy }]: [string, DeviceCapacity]): CapacityRow {
  const { default: usual, validValues = [], validRange } = requestPolicy ?? {};
  const known = (amount: string | number | undefined) =>
    amount === undefined ? null : nanosOf(amount);
  return {
    name,
    amount: nanosOf(value),
    usual: known(usual),
    values: validValues.map(nanosOf),
    range: validRange === undefined ? null : {
      min: nanosOf(validRange.min),
      max: known(validRange.max),
      step: known(validRange.step),
    },
  };
}

export function conditionsOf(
  { bindingConditions = [], bindingFailureConditions = [] }: {
    readonly bindingConditions?: readonly string[];
    readonly bindingFailureConditions?: readonly string[];
  },
): BindingConditions {
  if (bindingConditions.length === 0) return NO_CONDITIONS;
  return { awaited: bindingConditions, failing: bindingFailureConditions };
}

function amountsOf(
  set: string,
  counters: Readonly<Record<string, { readonly value: string | number }>>,
): CounterAmount[] {
  return Object.entries(counters).map(([counter, { value }]) => ({
    set,
    counter,
    amount: nanosOf(value),
  }));
}

/** @param onDevice told which row stands for which device */
export function encodeSlice(
  slice: ResourceSlice,
  onDevice: (row: DeviceRow, device: Device) => void,
): SliceRow {
  const { spec } = slice;
  const isEach = spec.perDeviceNodeSelection === true || spec.sharedCounters !== undefined;
  return {
    name: slice.metadata.name ?? "",
    driver: spec.driver,
    pool: spec.pool.name,
    generation: spec.pool.generation ?? 0,
    sliceCount: spec.pool.resourceSliceCount,
    reach: isEach ? null : reachOf(spec),
    devices: (spec.devices ?? []).map((device) => {
      const row = encodeDevice(slice, device);
      onDevice(row, device);
      return row;
    }),
    counters: (spec.sharedCounters ?? []).flatMap(({ name, counters = {} }) =>
      amountsOf(name, counters)
    ),
  };
}

export function selectorsOf(selectors: readonly Selector[] = []): string[] {
  return selectors.map(({ cel }) => cel?.expression ?? "");
}

export function encodeClass({ metadata, spec }: DeviceClass): ClassRow {
  const createdMs = parseMillis(metadata.creationTimestamp);
  return {
    name: metadata.name ?? "",
    selectors: selectorsOf(spec?.selectors),
    extendedResource: spec?.extendedResourceName ?? "",
    createdMs: Number.isNaN(createdMs) ? 0 : createdMs,
  };
}
