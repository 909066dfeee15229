/**
 * The rules of a claim's status: its allocation, for whom it is reserved, how its devices are.
 * In: the claim as it would be and as it is. Out: what is wrong; devices that are no longer
 * allocated lose their status.
 * Never: looks again at an allocation that stood before; it can't change.
 * Source: validateResourceClaimStatusUpdate of pkg/apis/resource/validation, the status strategy of
 * resourceclaim (v1.36).
 */
import { checkInterfaceAddress } from "../../ip.ts";
import type { KubeObject } from "../../meta.ts";
import { checkDns1123Label, checkDns1123Subdomain } from "../../names.ts";
import type { FieldError } from "../../resource.ts";
import type {
  AllocatedDeviceStatus,
  AllocationResult,
  DeviceRequestAllocationResult,
  NetworkDeviceData,
  ResourceClaim,
  ResourceClaimConsumerReference,
  ResourceClaimStatus,
} from "../../schema/generated/resource_v1.ts";
import { validateNodeSelector } from "../pod/validate_placement.ts";
import { Problems } from "../problems.ts";
import { validateDriverName } from "../storage/volume_sources.ts";
import { requestNames, tooMany, validateNames, validateSettings } from "./requests.ts";
import { validateConditions } from "./device.ts";

const RESERVED_LIMIT = 256;
const RESULTS_LIMIT = 32;
const SETTINGS_LIMIT = 64;
const CONDITIONS_LIMIT = 8;
const DATA_LIMIT = 10 * 1024;
const ADDRESSES_LIMIT = 16;
const INTERFACE_LIMIT = 256;
const HARDWARE_LIMIT = 128;
const SOURCES = ["FromClass", "FromClaim"];
const UID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

interface DeviceName {
  readonly driver: string;
  readonly pool: string;
  readonly device: string;
  readonly shareID?: string;
}

function idOf({ driver, pool, device, shareID = "" }: DeviceName): string {
  return [driver, pool, device, shareID].join("/");
}

function allocatedIn({ allocation }: ResourceClaimStatus): ReadonlySet<string> {
  return new Set((allocation?.devices?.results ?? []).map(idOf));
}

/** Takes the status of devices away that the claim held and holds no more. */
export function dropFreedDevices(draft: KubeObject, old: KubeObject): void {
  const status = (draft as ResourceClaim).status;
  if (status?.devices === undefined) return;
  const held = allocatedIn((old as ResourceClaim).status ?? {});
  const holds = allocatedIn(status);
  const devices = status.devices.filter((device) => {
    const id = idOf(device);
    return holds.has(id) || !held.has(id);
  });
  if (devices.length > 0) status.devices = devices;
  else delete status.devices;
}

function validateUid(problems: Problems, at: string, uid: string | undefined): void {
  if (uid === undefined || UID.test(uid)) return;
  problems.invalid(
    at,
    uid,
    "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with " +
      "lowercase hexadecimal characters",
  );
}

/** Driver, pool and name of a device that is spoken of. */
function validatePlace(problems: Problems, at: string, { driver, pool, device }: DeviceName): void {
  validateDriverName(problems, `${at}.driver`, driver);
  if (!pool) problems.required(`${at}.pool`);
  else {
    for (const part of pool.split("/")) {
      problems.checkName(`${at}.pool`, part, checkDns1123Subdomain);
    }
  }
  problems.checkName(`${at}.device`, device ?? "", checkDns1123Label);
}

function validateResult(
  problems: Problems,
  at: string,
  { result, known }: {
    readonly result: DeviceRequestAllocationResult;
    readonly known: ReadonlySet<string>;
  },
): void {
  if (!known.has(result.request)) {
    problems.invalid(
      `${at}.request`,
      result.request,
      "must be the name of a request in the claim or the name of a request and a subrequest " +
        "separated by '/'",
    );
  }
  validatePlace(problems, at, result);
  validateConditions(problems, at, result);
  validateUid(problems, `${at}.shareID`, result.shareID);
}

function validateAllocation(
  problems: Problems,
  { devices = {}, nodeSelector }: AllocationResult,
  known: ReadonlySet<string>,
): void {
  const { results = [], config = [] } = devices;
  const path = "status.allocation.devices";
  if (!tooMany(problems, `${path}.results`, results.length, RESULTS_LIMIT)) {
    results.forEach((result, index) =>
      validateResult(problems, `${path}.results[${index}]`, { result, known })
    );
  }
  if (!tooMany(problems, `${path}.config`, config.length, SETTINGS_LIMIT)) {
    config.forEach((settings, index) => {
      const at = `${path}.config[${index}]`;
      problems.oneOf(`${at}.source`, settings.source, SOURCES);
      validateNames(problems, `${at}.requests`, settings.requests ?? [], known);
      validateSettings(problems, at, settings);
    });
  }
  if (nodeSelector === undefined) return;
  validateNodeSelector(problems, "status.allocation.nodeSelector", nodeSelector);
}

function validateConsumers(
  problems: Problems,
  consumers: readonly ResourceClaimConsumerReference[],
): void {
  const path = "status.reservedFor";
  if (tooMany(problems, path, consumers.length, RESERVED_LIMIT)) return;
  const uids = new Set<string>();
  consumers.forEach((consumer, index) => {
    const at = `${path}[${index}]`;
    for (const field of ["resource", "name", "uid"] as const) {
      if (!consumer[field]) problems.required(`${at}.${field}`);
    }
    if (uids.has(consumer.uid)) problems.duplicate(at, consumer.uid);
    uids.add(consumer.uid);
  });
}

function validateNetwork(problems: Problems, at: string, data: NetworkDeviceData): void {
  const { interfaceName = "", hardwareAddress = "", ips = [] } = data;
  if (interfaceName.length > INTERFACE_LIMIT) {
    problems.tooLong(`${at}.interfaceName`, INTERFACE_LIMIT);
  }
  if (hardwareAddress.length > HARDWARE_LIMIT) {
    problems.tooLong(`${at}.hardwareAddress`, HARDWARE_LIMIT);
  }
  if (tooMany(problems, `${at}.ips`, ips.length, ADDRESSES_LIMIT)) return;
  ips.forEach((address, index) => {
    problems.checkName(`${at}.ips[${index}]`, address, checkInterfaceAddress);
    if (ips.indexOf(address) < index) problems.duplicate(`${at}.ips[${index}]`, address);
  });
}

function validateDeviceStatus(
  problems: Problems,
  at: string,
  device: AllocatedDeviceStatus,
): void {
  validatePlace(problems, at, device);
  validateUid(problems, `${at}.shareID`, device.shareID);
  const conditions = device.conditions ?? [];
  tooMany(problems, `${at}.conditions`, conditions.length, CONDITIONS_LIMIT);
  conditions.forEach(({ type, status, reason, lastTransitionTime }, index) => {
    const path = `${at}.conditions[${index}]`;
    if (!type) problems.required(`${path}.type`);
    problems.oneOf(`${path}.status`, status, ["False", "True", "Unknown"]);
    if (!reason) problems.required(`${path}.reason`);
    if (!lastTransitionTime) problems.required(`${path}.lastTransitionTime`, "must be set");
    const isTaken = conditions.slice(0, index).some((other) => other.type === type);
    if (isTaken) problems.duplicate(`${path}.type`, type);
  });
  const { data, networkData } = device;
  if (data !== undefined && data !== null) {
    const path = `${at}.data`;
    if (typeof data !== "object" || Array.isArray(data)) {
      problems.invalid(path, "<value omitted>", "must be a valid JSON object");
    } else if (JSON.stringify(data).length > DATA_LIMIT) problems.tooLong(path, DATA_LIMIT);
  }
  if (networkData !== undefined) validateNetwork(problems, `${at}.networkData`, networkData);
}

function validateDevices(problems: Problems, status: ResourceClaimStatus): void {
  const allocated = allocatedIn(status);
  const seen = new Set<string>();
  (status.devices ?? []).forEach((device, index) => {
    const at = `status.devices[${index}]`;
    const id = idOf(device);
    const shown = id.replace(/\/$/, "");
    validateDeviceStatus(problems, at, device);
    if (!allocated.has(id)) {
      problems.invalid(at, shown, "must be an allocated device in the claim");
    }
    if (seen.has(id)) problems.duplicate(at, shown);
    seen.add(id);
  });
}

export function validateClaimStatus(draft: KubeObject, old: KubeObject): FieldError[] {
  const problems = new Problems();
  const { spec, status = {}, metadata } = draft as ResourceClaim;
  const { allocation, reservedFor = [] } = status;
  const before = (old as ResourceClaim).status ?? {};
  validateConsumers(problems, reservedFor);
  validateDevices(problems, status);
  if (reservedFor.length > 0 && allocation === undefined) {
    problems.forbidden("status.reservedFor", "may not be specified when `allocated` is not set");
  } else if (metadata.deletionTimestamp !== undefined) {
    const known = new Set((before.reservedFor ?? []).map((consumer) => consumer.uid));
    if (reservedFor.some((consumer) => !known.has(consumer.uid))) {
      problems.forbidden(
        "status.reservedFor",
        "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set",
      );
    }
  }
  if (before.allocation !== undefined && allocation !== undefined) {
    problems.immutable("status.allocation", allocation, before.allocation);
  } else if (allocation !== undefined) {
    validateAllocation(problems, allocation, requestNames(spec?.devices?.requests ?? []));
  }
  return problems.errors;
}
