/**
 * Devices, classes and claims to rows, and an allocation back to what a claim's status says.
 * In: objects of resource.k8s.io/v1. Out: rows; an AllocationResult.
 * Never: chooses a device. What can't be given here is named in the row, not left out.
 * Source: resource.k8s.io/v1 (v1.36); dynamic-resource-allocation's allocator for configurations.
 */
import type { NodeSelector } from "../../api/schema/generated/core_v1.ts";
import type {
  AllocationResult,
  Device,
  DeviceAllocationConfiguration,
  DeviceAttribute,
  DeviceClass,
  DeviceRequest,
  DeviceSelector as Selector,
  DeviceSubRequest,
  ExactDeviceRequest,
  ResourceClaim,
  ResourceSlice,
} from "../../api/schema/generated/resource_v1.ts";
import { unitsOf } from "../../api/quantity.ts";
import type {
  Allocation,
  Alternative,
  ClaimRow,
  ClassRow,
  CounterAmount,
  DeviceRow,
  NodeReach,
  NodeTerm,
  RequestRow,
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

function termsOf(selector: NodeSelector | undefined): NodeTerm[] | null {
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
    // Nobody here waits for conditions of a device before the pod is bound.
    isUsable: (device.bindingConditions ?? []).length === 0,
  };
}

function amountsOf(
  set: string,
  counters: Readonly<Record<string, { readonly value: string | number }>>,
): CounterAmount[] {
  return Object.entries(counters).map(([counter, { value }]) => ({
    set,
    counter,
    amount: unitsOf(value),
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

function selectorsOf(selectors: readonly Selector[] = []): string[] {
  return selectors.map(({ cel }) => cel?.expression ?? "");
}

export function encodeClass({ metadata, spec }: DeviceClass): ClassRow {
  return { name: metadata.name ?? "", selectors: selectorsOf(spec?.selectors) };
}

function encodeAlternative(
  name: string,
  ask: ExactDeviceRequest | DeviceSubRequest,
): Alternative {
  return {
    name,
    className: ask.deviceClassName,
    selectors: selectorsOf(ask.selectors),
    mode: ask.allocationMode === "All" ? "All" : "ExactCount",
    count: ask.count ?? 1,
    adminAccess: "adminAccess" in ask && ask.adminAccess === true,
    tolerations: (ask.tolerations ?? []).map((it) => ({
      key: it.key ?? "",
      operator: it.operator ?? "",
      value: it.value ?? "",
      effect: it.effect ?? "",
    })),
  };
}

function encodeRequest({ name, exactly, firstAvailable }: DeviceRequest): RequestRow {
  const alternatives = exactly !== undefined
    ? [encodeAlternative(name, exactly)]
    : (firstAvailable ?? []).map((ask) => encodeAlternative(`${name}/${ask.name}`, ask));
  return { name, alternatives, isList: exactly === undefined };
}

/** @returns what a claim asks for that nobody here can give, "" = nothing. */
function unsupportedIn({ spec }: ResourceClaim): string {
  const { requests = [], constraints = [] } = spec.devices ?? {};
  for (const { name, exactly, firstAvailable = [] } of requests) {
    const asks = exactly === undefined ? firstAvailable : [exactly];
    if (asks.length === 0) return `request ${name}: unknown request type`;
    for (const { capacity, selectors = [], allocationMode } of asks) {
      if (capacity !== undefined) return `request ${name}: capacity requirements are not supported`;
      const empty = selectors.findIndex(({ cel }) => cel === undefined);
      if (empty >= 0) return `request ${name}, selector #${empty}: CEL expression empty`;
      if (!["All", "ExactCount", undefined].includes(allocationMode)) {
        return `request ${name}: unsupported count mode ${allocationMode}`;
      }
    }
  }
  const odd = constraints.findIndex(({ matchAttribute }) => matchAttribute === undefined);
  if (odd < 0) return "";
  return constraints[odd].distinctAttribute === undefined
    ? `constraint #${odd}: empty constraint (unsupported constraint type?)`
    : `constraint #${odd}: distinctAttribute is not supported`;
}

function encodeAllocation({ devices, nodeSelector }: AllocationResult): Allocation {
  return {
    devices: (devices?.results ?? []).map(({ request, driver, pool, device, adminAccess }) => ({
      request,
      driver,
      pool,
      device,
      adminAccess: adminAccess === true,
    })),
    terms: termsOf(nodeSelector),
  };
}

export function keyOf({ metadata }: ResourceClaim): string {
  return `${metadata.namespace}/${metadata.name}`;
}

export function encodeClaim(claim: ResourceClaim): ClaimRow {
  const { spec, status, metadata } = claim;
  return {
    key: keyOf(claim),
    uid: metadata.uid ?? "",
    requests: (spec.devices?.requests ?? []).map(encodeRequest),
    constraints: (spec.devices?.constraints ?? []).map((
      { requests = [], matchAttribute = "" },
    ) => ({
      requests,
      attribute: matchAttribute,
    })),
    unsupported: unsupportedIn(claim),
    allocation: status?.allocation === undefined ? null : encodeAllocation(status.allocation),
    reservedFor: (status?.reservedFor ?? []).map(({ uid }) => uid),
  };
}

/** Which way each request of a claim was satisfied, and what it asked. */
function chosenAsks({ spec }: ResourceClaim, { devices }: Allocation) {
  return (spec.devices?.requests ?? []).flatMap(({ name, exactly, firstAvailable = [] }) => {
    if (exactly !== undefined) return [{ name, parent: name, ask: exactly }];
    const sub = firstAvailable.find((it) =>
      devices.some((d) => d.request === `${name}/${it.name}`)
    );
    return sub === undefined ? [] : [{ name: `${name}/${sub.name}`, parent: name, ask: sub }];
  });
}

/** Settings of the classes first, each class once, then the claim's own. */
function configOf(
  claim: ResourceClaim,
  allocation: Allocation,
  classOf: (name: string) => DeviceClass | undefined,
): DeviceAllocationConfiguration[] {
  const chosen = chosenAsks(claim, allocation);
  const byClass = new Map<string, string[]>();
  for (const { name, ask: { deviceClassName } } of chosen) {
    const names = byClass.get(deviceClassName);
    if (names === undefined) byClass.set(deviceClassName, [name]);
    else names.push(name);
  }
  const ofClasses = [...byClass].flatMap(([name, requests]) =>
    (classOf(name)?.spec.config ?? []).map((config) => ({
      ...config,
      source: "FromClass",
      requests,
    }))
  );
  const ofClaim = (claim.spec.devices?.config ?? []).filter(({ requests = [] }) =>
    requests.length === 0 ||
    chosen.some(({ name, parent }) => requests.includes(name) || requests.includes(parent))
  ).map((config) => ({ ...config, source: "FromClaim" }));
  return [...ofClasses, ...ofClaim];
}

/** @returns what the claim's status says of an allocation. */
export function formatAllocation(
  claim: ResourceClaim,
  allocation: Allocation,
  classOf: (name: string) => DeviceClass | undefined,
): AllocationResult {
  const chosen = chosenAsks(claim, allocation);
  const results = allocation.devices.map(({ adminAccess, ...device }) => {
    const tolerations = chosen.find(({ name }) => name === device.request)?.ask.tolerations;
    return {
      ...device,
      ...(adminAccess ? { adminAccess } : {}),
      ...(tolerations === undefined ? {} : { tolerations }),
    };
  });
  const config = configOf(claim, allocation, classOf);
  const nodeSelector = allocation.terms === null ? undefined : {
    nodeSelectorTerms: allocation.terms.map(({ expressions, fields }) => ({
      ...(expressions.length === 0 ? {} : { matchExpressions: expressions }),
      ...(fields.length === 0 ? {} : { matchFields: fields }),
    })),
  };
  return {
    devices: { results, ...(config.length === 0 ? {} : { config }) },
    ...(nodeSelector === undefined ? {} : { nodeSelector: nodeSelector as NodeSelector }),
  };
}
