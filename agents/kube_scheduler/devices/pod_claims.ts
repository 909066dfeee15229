/**
 * Which claims to devices a pod has, and whether it has to wait for them to be made.
 * In: a pod, a look-up of claims. Out: `DeviceNeeds` for its row.
 * Never: makes a claim; the controller of claims does, from templates.
 * Source: dynamic-resource-allocation/resourceclaim of Kubernetes v1.36.
 */
import type { ResourceClaim } from "../../api/schema/generated/resource_v1.ts";
import { unitsOf } from "../../api/quantity.ts";
import { type ContainerDemand, type DeviceNeeds, NO_DEVICES } from "../../../scheduler/mod.ts";
import type { Container, Pod } from "../kinds.ts";

/** @param namespace and name; undefined where there is no such claim. */
export type ClaimLookup = (namespace: string, name: string) => ResourceClaim | undefined;

/** @returns whether the pod names any claim. */
export function usesDevices({ spec }: Pod): boolean {
  return (spec.resourceClaims ?? []).length > 0;
}

/** @returns name of the claim, null where none is needed, undefined while it is not made yet. */
function generatedName({ status }: Pod, name: string): string | null | undefined {
  const known = status?.resourceClaimStatuses?.find((it) => it.name === name);
  return known === undefined ? undefined : known.resourceClaimName ?? null;
}

/** @returns names of the claims that the pod has or will have, as far as they are known. */
export function claimNames(pod: Pod): readonly string[] {
  return (pod.spec.resourceClaims ?? []).flatMap(({ name, resourceClaimName }) =>
    resourceClaimName ?? generatedName(pod, name) ?? []
  );
}

function isFor({ metadata: { uid } }: Pod, claim: ResourceClaim): boolean {
  return (claim.metadata.ownerReferences ?? []).some((owner) =>
    owner.controller === true && owner.uid === uid
  );
}

/** A resource that is named after a class of devices. */
const BY_CLASS = "deviceclass.resource.kubernetes.io/";

function isExtended(resource: string): boolean {
  if (resource.startsWith(BY_CLASS)) return true;
  return resource.includes("/") && !resource.includes("kubernetes.io/") &&
    !resource.startsWith("requests.");
}

function demandOf(container: Container, index: number, isInit: boolean): ContainerDemand {
  const requests = container.resources?.requests ?? {};
  const extended = Object.keys(requests).sort().flatMap((resource, place) =>
    isExtended(resource) ? [{ resource, count: unitsOf(requests[resource]), index: place }] : []
  );
  const isShortLived = isInit && container.restartPolicy !== "Always";
  return { name: container.name, index, isShortLived, extended };
}

function asksExtended(containers: readonly Container[]): boolean {
  for (const { resources } of containers) {
    for (const resource in resources?.requests) if (isExtended(resource)) return true;
  }
  return false;
}

/** @returns what each container asks for that devices may stand for; empty where none does. */
function extendedDemands({ spec: { initContainers = [], containers } }: Pod): ContainerDemand[] {
  if (!asksExtended(containers) && !asksExtended(initContainers)) return [];
  return [...initContainers, ...containers]
    .map((one, index) => demandOf(one, index, index < initContainers.length));
}

export function resolveClaims(pod: Pod, lookUp: ClaimLookup): DeviceNeeds {
  const containers = extendedDemands(pod);
  if (!usesDevices(pod)) {
    return containers.length === 0 ? NO_DEVICES : { ...NO_DEVICES, containers };
  }
  const { namespace = "", name: podName } = pod.metadata;
  const claims: string[] = [];
  const waits = (rejection: string): DeviceNeeds => ({ claims, rejection, containers });
  for (const { name, resourceClaimName } of pod.spec.resourceClaims ?? []) {
    const own = resourceClaimName ?? generatedName(pod, name);
    if (own === undefined) {
      return waits(`pod "${namespace}/${podName}": ResourceClaim not created yet`);
    }
    if (own === null) continue;
    const claim = lookUp(namespace, own);
    if (claim === undefined) return waits(`could not find ResourceClaim "${namespace}/${own}"`);
    if (claim.metadata.deletionTimestamp !== undefined) {
      return waits(`resourceclaim "${own}" is being deleted`);
    }
    if (resourceClaimName === undefined && !isFor(pod, claim)) {
      return waits(
        `ResourceClaim ${namespace}/${own} was not created for Pod ${namespace}/${podName} ` +
          "(Pod is not owner)",
      );
    }
    claims.push(`${namespace}/${own}`);
  }
  return claims.length + containers.length === 0 ? NO_DEVICES : waits("");
}
