/**
 * How the volumes stand that a pod gets through claims.
 * In: a pod, look-ups of claims, volumes and classes. Out: one account a claim.
 * Never: decides whether the pod fits; filters do.
 */
import { claimKeys, isBound } from "../encode_volumes.ts";
import type { Claim, VolumeLookup } from "../encode_volumes.ts";
import type { Pod } from "../kinds.ts";
import { SELECTED_NODE } from "../volume_binder.ts";

export interface VolumeClaimAccount {
  /** "namespace/name" */
  readonly name: string;
  /** Name of its volume, "" when it has none. */
  readonly volumeName: string;
  /** How it stands, to follow its name in a sentence. */
  readonly state: string;
}

function stateOf(claim: Claim, lookup: VolumeLookup): string {
  const { metadata, spec, status } = claim;
  if (metadata.deletionTimestamp !== undefined) return "is being deleted";
  if (status?.phase === "Lost") return `has lost its volume ${spec?.volumeName ?? ""}`;
  if (isBound(claim)) {
    const volume = lookup.volume(spec?.volumeName ?? "");
    if (volume === undefined) return `is bound to ${spec?.volumeName}, which is gone`;
    const reach = volume.spec?.nodeAffinity === undefined ? "" : ", which some nodes only reach";
    return `is bound to ${spec?.volumeName}${reach}`;
  }
  const className = spec?.storageClassName ?? "";
  const storageClass = lookup.storageClass(className);
  if (storageClass === undefined) {
    return className === ""
      ? "has no volume and no class: someone has to bind it"
      : `waits for its class ${className}, which is not there`;
  }
  const { provisioner = "", volumeBindingMode } = storageClass;
  if (volumeBindingMode !== "WaitForFirstConsumer") {
    return `waits for a volume of class ${className}, whatever the pod's node`;
  }
  const selected = metadata.annotations?.[SELECTED_NODE];
  return selected === undefined
    ? `gets a volume of class ${className} (${provisioner}) once the pod has a node`
    : `waits for ${provisioner} to make a volume for ${selected}`;
}

/** @returns an account of each claim behind the pod's volumes. */
export function volumeClaimsOf(pod: Pod, lookup: VolumeLookup): VolumeClaimAccount[] {
  const namespace = pod.metadata.namespace ?? "";
  return claimKeys(pod).map((key) => {
    const claim = lookup.claim(namespace, key.slice(namespace.length + 1));
    if (claim === undefined) return { name: key, volumeName: "", state: "is not there" };
    return {
      name: key,
      volumeName: claim.spec?.volumeName ?? "",
      state: stateOf(claim, lookup),
    };
  });
}
