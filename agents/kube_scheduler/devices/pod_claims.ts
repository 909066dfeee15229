/**
 * Which claims to devices a pod has, and whether it has to wait for them to be made.
 * In: a pod, a look-up of claims. Out: `DeviceNeeds` for its row.
 * Never: makes a claim; the controller of claims does, from templates.
 * Source: dynamic-resource-allocation/resourceclaim of Kubernetes v1.36.
 */
import type { ResourceClaim } from "../../api/schema/generated/resource_v1.ts";
import { type DeviceNeeds, NO_DEVICES } from "../../../scheduler/mod.ts";
import type { Pod } from "../kinds.ts";

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

export function resolveClaims(pod: Pod, lookUp: ClaimLookup): DeviceNeeds {
  if (!usesDevices(pod)) return NO_DEVICES;
  const { namespace = "", name: podName } = pod.metadata;
  const claims: string[] = [];
  const waits = (rejection: string): DeviceNeeds => ({ claims, rejection });
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
  return claims.length === 0 ? NO_DEVICES : { claims, rejection: "" };
}
