/**
 * PURE. Evicts pods whose claims hold devices with NoExecute taints, when their time of toleration
 * is over.
 * In: a pod's key, the view, the time. Out: a condition, a delete, or when to look again.
 * Never: looks at taints of outdated slices; evicts a pod that its claim is not reserved for.
 * Source: pkg/controller/devicetainteviction (v1.36), wording of events and conditions included.
 */
import type { KubeObject } from "../../api/meta.ts";
import { pods, resourceClaims, resourceSlices } from "../../api/resources.ts";
import type { Pod } from "../../api/schema/generated/core_v1.ts";
import type {
  DeviceRequestAllocationResult,
  DeviceTaint,
  DeviceToleration,
  ResourceClaim,
  ResourceSlice,
} from "../../api/schema/generated/resource_v1.ts";
import { parseMillis } from "../../api/time.ts";
import { objectKey, parseObjectKey } from "../../client/lister.ts";
import type { Action, Controller, PlanInput, View } from "../controller.ts";
import { withDisruption } from "../nodes/plan_taint_eviction.ts";
import type { Pod as EvictablePod } from "../kinds.ts";

/** Index of slices, and of claims by what they hold: "driver/pool". */
const BY_POOL = "pool";
const NO_EXECUTE = "NoExecute";

/** The row of run.ts. */
export function deviceTaintEvictionController(): Controller {
  /** Uids of pods whose eviction is due later. */
  const pending = new Set<string>();
  return {
    name: "device-taint-eviction-controller",
    workers: 8,
    watches: [
      {
        resource: pods,
        keysOf: (pod) => usesClaims(pod as Pod) ? [objectKey(pod)] : [],
        ignoreUpdate: (pod, old) => areSame(claimsOf(pod as Pod), claimsOf(old as Pod)),
      },
      {
        resource: resourceClaims,
        keysOf: (claim) => consumersOf(claim as ResourceClaim),
        indexes: {
          [BY_POOL]: (claim) => [...new Set(resultsOf(claim as ResourceClaim).map(poolOf))],
        },
      },
      {
        resource: resourceSlices,
        keysOf: consumersOfPool,
        indexes: { [BY_POOL]: (slice) => [poolOfSlice(slice as ResourceSlice)] },
      },
    ],
    plan: (key, input) => planEviction(key, input, pending),
  };
}

function planEviction(key: string, { view, nowMillis }: PlanInput, pending: Set<string>): Action[] {
  const pod = view.get<Pod>(pods, parseObjectKey(key));
  if (pod === undefined) return [];
  const uid = pod.metadata.uid ?? "";
  if (pod.metadata.deletionTimestamp !== undefined) {
    pending.delete(uid);
    return [];
  }
  const dueMillis = evictionOf(pod, view, nowMillis);
  if (dueMillis === Infinity) {
    return pending.delete(uid) ? [event(pod, "Cancelling deletion")] : [];
  }
  if (dueMillis > nowMillis) {
    pending.add(uid);
    return [{ kind: "requeue", afterMillis: dueMillis - nowMillis }];
  }
  pending.delete(uid);
  const object = withDisruption(pod as EvictablePod, nowMillis, {
    reason: "DeletionByDeviceTaintManager",
    message: "Device Taint manager: deleting due to NoExecute taint",
  });
  return [
    event(pod, "Marking for deletion"),
    { kind: "update", resource: pods, subresource: "status", object },
    { kind: "delete", resource: pods, object: pod },
  ];
}

/** @returns when the pod has to go, milliseconds since 1970; Infinity = it may stay */
function evictionOf(pod: Pod, view: View, nowMillis: number): number {
  const { namespace, uid } = pod.metadata;
  if (!pod.spec?.nodeName) return Infinity;
  let due = Infinity;
  for (const { name, isOwned } of namedClaims(pod)) {
    const claim = view.get<ResourceClaim>(resourceClaims, { namespace, name });
    if (claim?.status?.reservedFor?.some((consumer) => consumer.uid === uid) !== true) continue;
    if (isOwned && !claim.metadata.ownerReferences?.some((it) => it.controller && it.uid === uid)) {
      continue;
    }
    for (const result of resultsOf(claim)) {
      for (const taint of taintsOn(result, view)) {
        due = Math.min(due, dueFor(taint, result.tolerations ?? [], nowMillis));
      }
    }
  }
  return due;
}

function dueFor(
  taint: DeviceTaint,
  tolerations: readonly DeviceToleration[],
  nowMillis: number,
): number {
  const added = parseMillis(taint.timeAdded);
  const since = Number.isNaN(added) ? nowMillis : added;
  const covering = tolerations.filter((it) => it.effect === NO_EXECUTE && tolerates(it, taint));
  if (covering.length === 0) return since;
  if (covering.some((it) => it.tolerationSeconds === undefined)) return Infinity;
  const seconds = covering.map((it) => Math.max(0, Number(it.tolerationSeconds)));
  return since + Math.min(...seconds) * 1000;
}

function tolerates({ key, operator, value }: DeviceToleration, taint: DeviceTaint): boolean {
  if (key && key !== taint.key) return false;
  if (operator === "Exists") return true;
  return (operator ?? "Equal") === "Equal" && (value ?? "") === (taint.value ?? "");
}

/** Taints that end the use of an allocated device, as the newest slices of its pool tell. */
function taintsOn(result: DeviceRequestAllocationResult, view: View): readonly DeviceTaint[] {
  const slices = view.byIndex<ResourceSlice>(resourceSlices, {
    index: BY_POOL,
    value: poolOf(result),
  });
  const generationOf = ({ spec }: ResourceSlice) => Number(spec.pool.generation ?? 0);
  const newest = Math.max(...slices.map(generationOf));
  const device = slices.filter((slice) => generationOf(slice) === newest)
    .flatMap(({ spec }) => spec.devices ?? []).find(({ name }) => name === result.device);
  return (device?.taints ?? []).filter(({ effect }) => effect === NO_EXECUTE);
}

function resultsOf({ status }: ResourceClaim): readonly DeviceRequestAllocationResult[] {
  return status?.allocation?.devices?.results ?? [];
}

function poolOf({ driver, pool }: DeviceRequestAllocationResult): string {
  return `${driver}/${pool}`;
}

function poolOfSlice({ spec }: ResourceSlice): string {
  return `${spec.driver}/${spec.pool.name}`;
}

function consumersOfPool(slice: KubeObject, view: View): string[] {
  const value = poolOfSlice(slice as ResourceSlice);
  return view.byIndex<ResourceClaim>(resourceClaims, { index: BY_POOL, value })
    .flatMap(consumersOf);
}

function consumersOf({ metadata: { namespace }, status }: ResourceClaim): string[] {
  return (status?.reservedFor ?? []).flatMap(({ apiGroup, resource, name }) =>
    !apiGroup && resource === "pods" ? [`${namespace}/${name}`] : []
  );
}

/** What a pod's part in claims hangs on. */
function claimsOf({ spec, status }: Pod) {
  return { nodeName: spec?.nodeName, statuses: status?.resourceClaimStatuses };
}

function areSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function usesClaims({ spec }: Pod): boolean {
  return Boolean(spec?.nodeName) && (spec?.resourceClaims ?? []).length > 0;
}

/** @returns the pod's claims as far as they are made; one from a template has to be its own. */
function namedClaims({ spec, status }: Pod) {
  return (spec?.resourceClaims ?? []).flatMap(({ name: entry, resourceClaimName }) => {
    if (resourceClaimName !== undefined) return [{ name: resourceClaimName, isOwned: false }];
    const made = status?.resourceClaimStatuses?.find((it) => it.name === entry);
    const name = made?.resourceClaimName;
    return name === undefined ? [] : [{ name, isOwned: true }];
  });
}

function event(about: Pod, message: string): Action {
  const reason = "DeviceTaintManagerEviction";
  return { kind: "event", about, type: "Normal", reason, message };
}
