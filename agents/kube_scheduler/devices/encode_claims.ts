/**
 * Claims to rows, and an allocation back to what a claim's status says.
 * In: claims of resource.k8s.io/v1. Out: rows; an AllocationResult.
 * Never: chooses a device. What can't be given here is named in the row, not left out.
 * Source: resource.k8s.io/v1 (v1.36); dynamic-resource-allocation's allocator for configurations.
 */
import type { NodeSelector } from "../../api/schema/generated/core_v1.ts";
import type {
  AllocationResult,
  DeviceAllocationConfiguration,
  DeviceClass,
  DeviceRequest,
  DeviceRequestAllocationResult,
  DeviceSubRequest,
  ExactDeviceRequest,
  ResourceClaim,
} from "../../api/schema/generated/resource_v1.ts";
import { formatQuantity, nanosOf } from "../../api/quantity.ts";
import { parseMillis } from "../../api/time.ts";
import { type ClaimReadiness, READY } from "../../../scheduler/mod.ts";
import type {
  AllocatedDevice,
  Allocation,
  Alternative,
  ClaimRow,
  Consumption,
  RequestRow,
} from "../../../scheduler/mod.ts";
import { conditionsOf, selectorsOf, termsOf } from "./encode_devices.ts";

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
    capacities: consumptionIn(ask.capacity?.requests),
  };
}

function consumptionIn(amounts: Readonly<Record<string, string | number>> = {}): Consumption {
  return new Map(Object.entries(amounts).map(([name, amount]) => [name, nanosOf(amount)]));
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
    for (const { selectors = [], allocationMode } of asks) {
      const empty = selectors.findIndex(({ cel }) => cel === undefined);
      if (empty >= 0) return `request ${name}, selector #${empty}: CEL expression empty`;
      if (!["All", "ExactCount", undefined].includes(allocationMode)) {
        return `request ${name}: unsupported count mode ${allocationMode}`;
      }
    }
  }
  const odd = constraints.findIndex(({ matchAttribute, distinctAttribute }) =>
    matchAttribute === undefined && distinctAttribute === undefined
  );
  return odd < 0 ? "" : `constraint #${odd}: empty constraint (unsupported constraint type?)`;
}

function encodeResult(result: DeviceRequestAllocationResult): AllocatedDevice {
  const { request, driver, pool, device, adminAccess, shareID, consumedCapacity } = result;
  return {
    request,
    driver,
    pool,
    device,
    adminAccess: adminAccess === true,
    share: shareID === undefined ? null : consumptionIn(consumedCapacity),
    conditions: conditionsOf(result),
  };
}

function encodeAllocation({ devices, nodeSelector }: AllocationResult): Allocation {
  return { devices: (devices?.results ?? []).map(encodeResult), terms: termsOf(nodeSelector) };
}

/** @returns how far the devices of an allocated claim are, and whether any can't be had. */
export function readinessOf({ metadata, status }: ResourceClaim): ClaimReadiness {
  const { allocation, devices = [] } = status ?? {};
  const results = allocation?.devices?.results ?? [];
  const awaiting = results.filter(({ bindingConditions = [] }) => bindingConditions.length > 0);
  if (awaiting.length === 0) return READY;
  const since = parseMillis(allocation?.allocationTimestamp);
  const allocatedMs = Number.isNaN(since) ? null : since;
  for (const { driver, pool, device, ...wanted } of awaiting) {
    const own = devices.find((it) =>
      it.driver === driver && it.pool === pool && it.device === device
    );
    const isTrue = (type: string) =>
      own?.conditions?.find((it) => it.type === type && it.status === "True");
    const failed = (wanted.bindingFailureConditions ?? []).map(isTrue).find((it) => it);
    if (failed) {
      const failure = `device binding failed: claim=${metadata.name}, reason=${failed.reason}, ` +
        `message=${JSON.stringify(failed.message)}`;
      return { isReady: false, failure, allocatedMs };
    }
    if (!wanted.bindingConditions!.every(isTrue)) {
      return { isReady: false, failure: "", allocatedMs };
    }
  }
  return READY;
}

export function keyOf({ metadata }: ResourceClaim): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/** Marks a claim that the scheduler made for the extended resources of a pod. */
export const FOR_EXTENDED = "resource.kubernetes.io/extended-resource-claim";

function extendedFor({ metadata: { annotations, ownerReferences = [] } }: ResourceClaim): string {
  if (annotations?.[FOR_EXTENDED] !== "true") return "";
  return ownerReferences.find(({ controller, kind }) => controller && kind === "Pod")?.uid ?? "";
}

export function encodeClaim(claim: ResourceClaim): ClaimRow {
  const { spec, status, metadata } = claim;
  return {
    key: keyOf(claim),
    uid: metadata.uid ?? "",
    requests: (spec.devices?.requests ?? []).map(encodeRequest),
    constraints: (spec.devices?.constraints ?? []).map((
      { requests = [], matchAttribute, distinctAttribute = "" },
    ) => ({
      requests,
      attribute: matchAttribute ?? distinctAttribute,
      isDistinct: matchAttribute === undefined,
    })),
    unsupported: unsupportedIn(claim),
    allocation: status?.allocation === undefined ? null : encodeAllocation(status.allocation),
    reservedFor: (status?.reservedFor ?? []).map(({ uid }) => uid),
    readiness: readinessOf(claim),
    extendedFor: extendedFor(claim),
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

/** What an allocation needs from outside to be written down. */
export interface AllocationParts {
  readonly classOf: (name: string) => DeviceClass | undefined;
  /** A new name for a part of a device. */
  readonly newShareId: () => string;
}

function formatConsumption(share: Consumption): Record<string, string> {
  return Object.fromEntries(
    [...share].map(([name, nanos]) => [name, formatQuantity({ nanos, format: "BinarySI" })]),
  );
}

/** @returns what the claim's status says of an allocation. */
export function formatAllocation(
  claim: ResourceClaim,
  allocation: Allocation,
  { classOf, newShareId }: AllocationParts,
): AllocationResult {
  const chosen = chosenAsks(claim, allocation);
  const results = allocation.devices.map(({ adminAccess, share, conditions, ...device }) => {
    const tolerations = chosen.find(({ name }) => name === device.request)?.ask.tolerations;
    const { awaited: bindingConditions, failing: bindingFailureConditions } = conditions;
    return {
      ...device,
      ...(adminAccess ? { adminAccess } : {}),
      ...(tolerations === undefined ? {} : { tolerations }),
      ...(bindingConditions.length === 0 ? {} : { bindingConditions: [...bindingConditions] }),
      ...(bindingFailureConditions.length === 0
        ? {}
        : { bindingFailureConditions: [...bindingFailureConditions] }),
      ...(share === null ? {} : { shareID: newShareId() }),
      ...(share === null || share.size === 0 ? {} : { consumedCapacity: formatConsumption(share) }),
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
