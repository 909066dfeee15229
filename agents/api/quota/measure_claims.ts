/**
 * What claims use of a quota: storage in all and by class, devices by class.
 * In: a claim. Out: amounts, scopes. Never: looks at what a claim is bound to.
 * Source: pkg/quota/v1/evaluator/core (persistent_volume_claims, resource_claims; v1.36).
 */
import { compareQuantities, unitsOf } from "../quantity.ts";
import type { QuotaAmounts } from "./amounts.ts";
import { addAll } from "./amounts.ts";
import type { Measure } from "./measure.ts";
import { meetsTerm } from "./scopes.ts";
import { attributesClassesOf } from "../kinds/storage/persistent_volume_claim.ts";

const CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class";
const BY_CLASS = ".storageclass.storage.k8s.io/";
const CLAIM_NAMES = ["persistentvolumeclaims", "requests.storage"];
const CLAIM_COUNT = "count/persistentvolumeclaims";

export const CLAIM_MEASURE: Measure = {
  handles: ({ operation, subresource }) =>
    operation === "UPDATE"
      ? subresource === "" || subresource === "status"
      : operation === "CREATE" && subresource === "",
  counts: (name) =>
    name === CLAIM_COUNT || CLAIM_NAMES.includes(name) ||
    CLAIM_NAMES.some((own) => name.endsWith(BY_CLASS + own)),
  usage: ({ metadata, spec = {}, status }) => {
    const used: Record<string, string> = { [CLAIM_COUNT]: "1", persistentvolumeclaims: "1" };
    const asked: string | undefined = spec.resources?.requests?.storage;
    const given: string | undefined = status?.allocatedResources?.storage;
    if (asked !== undefined) {
      const larger = given !== undefined && compareQuantities(given, asked) > 0 ? given : asked;
      used["requests.storage"] = wholeBytes(larger);
    }
    const storageClass = metadata.annotations?.[CLASS_ANNOTATION] ?? spec.storageClassName ?? "";
    if (storageClass !== "") {
      for (const name of CLAIM_NAMES) {
        if (name in used) used[storageClass + BY_CLASS + name] = used[name];
      }
    }
    return used;
  },
  isInScope: (claim, term) =>
    term.scopeName === "VolumeAttributesClass" && meetsTerm(term, attributesClassesOf(claim)),
};

function wholeBytes(amount: string): string {
  return /[m.nu]/.test(amount.replace(/Mi$/, "")) ? String(unitsOf(amount)) : amount;
}

const DEVICE_COUNT = "count/resourceclaims.resource.k8s.io";
const BY_DEVICE_CLASS = ".deviceclass.resource.k8s.io/devices";
/** As many as one claim may be given. */
const ALL_DEVICES = 32;

interface DeviceRequest {
  readonly deviceClassName?: string;
  readonly allocationMode?: string;
  readonly count?: number;
}

export const DEVICE_CLAIM_MEASURE: Measure = {
  handles: ({ operation, subresource }) =>
    subresource === "" && (operation === "CREATE" || operation === "UPDATE"),
  counts: (name) => name === DEVICE_COUNT || name.endsWith(BY_DEVICE_CLASS),
  usage: ({ spec }) => {
    let used: QuotaAmounts = { [DEVICE_COUNT]: "1" };
    for (const request of spec?.devices?.requests ?? []) {
      const one = request.firstAvailable?.length > 0
        ? worstOf(request.firstAvailable)
        : request.exactly
        ? worstOf([request.exactly])
        : {};
      used = addAll(used, one);
    }
    return used;
  },
};

/** The most that one of the alternatives may take, by class. */
function worstOf(alternatives: readonly DeviceRequest[]): QuotaAmounts {
  const worst: Record<string, string> = {};
  for (const { deviceClassName = "", allocationMode, count = 0 } of alternatives) {
    const name = deviceClassName + BY_DEVICE_CLASS;
    const most = allocationMode === "All" ? ALL_DEVICES : count;
    if (most > Number(worst[name] ?? 0)) worst[name] = String(most);
  }
  return worst;
}
