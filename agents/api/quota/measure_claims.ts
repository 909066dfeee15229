/**
 * What claims use of a quota: storage in all and by class, devices by class and by the extended
 * resources that they stand for, beyond what their pod is charged for.
 * In: a claim, what stands around it. Out: amounts, scopes. Never: looks at what it is bound to.
 * Source: pkg/quota/v1/evaluator/core (persistent_volume_claims, resource_claims; v1.36).
 */
import { compareQuantities, unitsOf } from "../quantity.ts";
import type { KubeObject } from "../meta.ts";
import type { QuotaAmounts } from "./amounts.ts";
import { addAll, beyond, withoutZeros } from "./amounts.ts";
import type { Around, Measure } from "./measure.ts";
import { isExtendedRequest, POD_MEASURE } from "./measure_pods.ts";
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

/** Followed by the name of a class: its devices as an extended resource. */
const BY_EXTENDED_CLASS = "requests.deviceclass.resource.kubernetes.io/";
const FOR_EXTENDED = "resource.kubernetes.io/extended-resource-claim";

export const DEVICE_CLAIM_MEASURE: Measure = {
  handles: ({ operation, subresource }) =>
    subresource === "" && (operation === "CREATE" || operation === "UPDATE"),
  counts: (name) =>
    name === DEVICE_COUNT || name.endsWith(BY_DEVICE_CLASS) || isExtendedRequest(name),
  usage: (claim, nowMillis, around) => {
    let used: QuotaAmounts = { [DEVICE_COUNT]: "1" };
    for (const request of claim.spec?.devices?.requests ?? []) {
      const one = request.firstAvailable?.length > 0
        ? worstOf(request.firstAvailable)
        : request.exactly
        ? worstOf([request.exactly])
        : {};
      used = addAll(used, one);
    }
    const paid = paidByPod(claim, nowMillis, around);
    return { ...used, ...withoutZeros(beyond(asExtended(used, around), paid)) };
  },
};

/** Devices of a class also count as the extended resources that they stand for. */
function asExtended(used: QuotaAmounts, { deviceClass }: Around): QuotaAmounts {
  const extended: Record<string, string> = {};
  for (const [name, amount] of Object.entries(used)) {
    if (!name.endsWith(BY_DEVICE_CLASS)) continue;
    const className = name.slice(0, -BY_DEVICE_CLASS.length);
    const known = deviceClass(className);
    if (known === undefined) continue;
    extended[BY_EXTENDED_CLASS + className] = String(amount);
    const resource = known.spec?.extendedResourceName;
    if (resource) extended[`requests.${resource}`] = String(amount);
  }
  return extended;
}

/** What the pod pays for whose extended resources the claim was made; only its first one counts. */
function paidByPod(claim: KubeObject, nowMillis: number, around: Around): QuotaAmounts {
  const { namespace = "", annotations, ownerReferences = [] } = claim.metadata;
  if (annotations?.[FOR_EXTENDED] !== "true") return {};
  const owner = ownerReferences.find(({ controller }) => controller);
  if (owner?.kind !== "Pod" || owner.apiVersion !== "v1") return {};
  const pod = around.pod(namespace, owner.name);
  if (pod === undefined || pod.metadata.uid !== owner.uid) return {};
  const named = pod.status?.extendedResourceClaimStatus?.resourceClaimName;
  const isFirst = named === undefined
    ? !around.claims(namespace).some((other) => isEarlier(other, claim, owner.uid))
    : named === claim.metadata.name;
  return isFirst ? POD_MEASURE.usage(pod, nowMillis, around) : {};
}

/** Whether another claim was made for the same pod before this one. */
function isEarlier({ metadata: other }: KubeObject, { metadata }: KubeObject, uid: string) {
  if (other.annotations?.[FOR_EXTENDED] !== "true") return false;
  if (!other.ownerReferences?.some((it) => it.controller && it.uid === uid)) return false;
  const [a = "", b = ""] = [other.creationTimestamp, metadata.creationTimestamp];
  return a < b || (a === b && (other.name ?? "") < (metadata.name ?? ""));
}

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
