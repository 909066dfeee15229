/**
 * What a pod's volumes demand of its node, looked up in claims, volumes and storage classes.
 * In: a pod and look-ups. Out: `VolumeNeeds` for its row, and the claims that wait for a node.
 * Never: binds; `volume_binder.ts` does.
 * Source: Kubernetes v1.36 scheduler plugins VolumeBinding, VolumeZone, NodeVolumeLimits,
 * VolumeRestrictions.
 */
import type { KubeObject, LabelSelector } from "../api/meta.ts";
import { compareQuantities } from "../api/quantity.ts";
import { matchesLabels, NO_VOLUMES } from "../../scheduler/mod.ts";
import type { NodeTerm, VolumeNeeds } from "../../scheduler/mod.ts";
import { encodeNodeTerm, encodeSelector } from "./encode.ts";
import type { NodeSelectorTerm, Pod, Volume } from "./kinds.ts";
import { namedDisks } from "./storage/named_disks.ts";

export interface Claim extends KubeObject {
  readonly spec?: {
    readonly volumeName?: string;
    readonly storageClassName?: string;
    readonly accessModes?: readonly string[];
    readonly volumeMode?: string;
    readonly selector?: LabelSelector;
    readonly resources?: { readonly requests?: { readonly storage?: string } };
  };
  readonly status?: { readonly phase?: string };
}

export interface PersistentVolume extends KubeObject {
  readonly spec?: {
    readonly storageClassName?: string;
    readonly accessModes?: readonly string[];
    readonly volumeMode?: string;
    readonly capacity?: { readonly storage?: string };
    readonly claimRef?: { readonly namespace?: string; readonly name?: string };
    readonly csi?: { readonly driver: string; readonly volumeHandle: string };
    readonly nodeAffinity?: {
      readonly required?: { readonly nodeSelectorTerms: readonly NodeSelectorTerm[] };
    };
  };
  readonly status?: { readonly phase?: string };
}

export interface StorageClass extends KubeObject {
  readonly provisioner?: string;
  readonly volumeBindingMode?: "Immediate" | "WaitForFirstConsumer";
  readonly allowedTopologies?: readonly {
    readonly matchLabelExpressions?: readonly { readonly key: string; values: readonly string[] }[];
  }[];
}

/** What a driver can still make of a class, for nodes of a topology. */
export interface StorageCapacity extends KubeObject {
  readonly nodeTopology?: LabelSelector;
  readonly storageClassName?: string;
  readonly capacity?: string;
  readonly maximumVolumeSize?: string;
}

export interface CsiDriver extends KubeObject {
  readonly spec?: { readonly storageCapacity?: boolean };
}

/** Reads of the informers' copies. */
export interface VolumeLookup {
  claim(namespace: string, name: string): Claim | undefined;
  volume(name: string): PersistentVolume | undefined;
  volumes(): readonly PersistentVolume[];
  storageClass(name: string): StorageClass | undefined;
  driver(name: string): CsiDriver | undefined;
  capacities(): readonly StorageCapacity[];
}

/** What was found out about a pod's claims. */
export interface ResolvedVolumes {
  readonly needs: VolumeNeeds;
  /** Claims that get a volume once the pod has a node. */
  readonly waiting: readonly Claim[];
  /** What it was found out from, there or not: `claimKey`s, and names of volumes. */
  readonly sources: readonly string[];
  /** Whether any volume, class, driver or capacity may make a difference. */
  readonly isOpen: boolean;
}

const NO_CLAIMS: ResolvedVolumes = { needs: NO_VOLUMES, waiting: [], sources: [], isOpen: false };

const NO_PROVISIONER = "kubernetes.io/no-provisioner";
const ZONE_KEYS = [
  "topology.kubernetes.io/zone",
  "topology.kubernetes.io/region",
  "failure-domain.beta.kubernetes.io/zone",
  "failure-domain.beta.kubernetes.io/region",
];

/** @returns the name of the claim behind a volume, null when there is none. */
function claimName(pod: Pod, volume: Volume): string | null {
  if (volume.persistentVolumeClaim) return volume.persistentVolumeClaim.claimName;
  return volume.ephemeral ? `${pod.metadata.name}-${volume.name}` : null;
}

/** @returns the name of a claim among all claims; no volume is called like that. */
export function claimKey(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

/** @returns `claimKey` of each claim behind the pod's volumes. */
export function claimKeys(pod: Pod): string[] {
  return (pod.spec.volumes ?? []).flatMap((volume) => {
    const name = claimName(pod, volume);
    return name === null ? [] : [claimKey(pod.metadata.namespace ?? "", name)];
  });
}

export function isBound(claim: Claim): boolean {
  return !!claim.spec?.volumeName && claim.status?.phase === "Bound";
}

/** @returns where a volume can be reached from: any of the terms; none = from everywhere. */
export function termsOf(volume: PersistentVolume): NodeTerm[] {
  const terms = volume.spec?.nodeAffinity?.required?.nodeSelectorTerms;
  return terms === undefined ? [] : terms.map(encodeNodeTerm);
}

/** @returns where the labels of a volume allow it to be used. */
export function zonesOf(volume: PersistentVolume): VolumeNeeds["zones"] {
  const { labels } = volume.metadata;
  if (labels === undefined) return [];
  return ZONE_KEYS.filter((key) => labels[key] !== undefined)
    .map((key) => ({ key, values: labels[key].split("__") }));
}

/** @returns whether a volume could be given to a claim. */
export function couldServe(volume: PersistentVolume, claim: Claim): boolean {
  const { spec: offer = {} } = volume;
  const { spec: wish = {} } = claim;
  const reference = offer.claimRef;
  const reserved = reference?.name === claim.metadata.name &&
    reference?.namespace === claim.metadata.namespace;
  if (reference !== undefined ? !reserved : (volume.status?.phase ?? "Available") !== "Available") {
    return false;
  }
  return (offer.storageClassName ?? "") === (wish.storageClassName ?? "") &&
    (offer.volumeMode ?? "Filesystem") === (wish.volumeMode ?? "Filesystem") &&
    (wish.accessModes ?? []).every((mode) => offer.accessModes?.includes(mode)) &&
    (wish.selector === undefined ||
      matchesLabels(encodeSelector(wish.selector), volume.metadata.labels ?? {})) &&
    compareQuantities(offer.capacity?.storage ?? "0", wish.resources?.requests?.storage ?? "0") >=
      0;
}

/** @returns the terms under which a new volume could be made; null = none can be. */
function provisionTerms(storageClass: StorageClass): NodeTerm[] | null {
  if ((storageClass.provisioner ?? NO_PROVISIONER) === NO_PROVISIONER) return null;
  return (storageClass.allowedTopologies ?? []).map(({ matchLabelExpressions = [] }) => ({
    expressions: matchLabelExpressions.map(({ key, values }) => ({ key, operator: "In", values })),
    fields: [],
  }));
}

/** @returns where there is room for a new volume; null = everywhere, or nobody keeps count. */
function roomFor(
  claim: Claim,
  { provisioner, metadata }: StorageClass,
  lookup: VolumeLookup,
): NodeTerm[] | null {
  if (lookup.driver(provisioner ?? "")?.spec?.storageCapacity !== true) return null;
  const size = claim.spec?.resources?.requests?.storage ?? "0";
  const fitting = lookup.capacities().filter((one) => {
    const most = one.maximumVolumeSize ?? one.capacity;
    return one.storageClassName === metadata.name && one.nodeTopology !== undefined &&
      most !== undefined && compareQuantities(most, size) >= 0;
  });
  const terms = fitting.map(({ nodeTopology }) => encodeSelector(nodeTopology) ?? []);
  if (terms.some((expressions) => expressions.length === 0)) return null;
  return terms.map((expressions) => ({ expressions: [...expressions], fields: [] }));
}

/** @returns terms of nodes that match one of each list; null = none do. An empty `base` = all. */
function bothTerms(base: readonly NodeTerm[], room: readonly NodeTerm[]): NodeTerm[] | null {
  if (room.length === 0) return null;
  if (base.length === 0) return [...room];
  return base.flatMap((one) =>
    room.map((other) => ({
      expressions: [...one.expressions, ...other.expressions],
      fields: [...one.fields, ...other.fields],
    }))
  );
}

/** What is known of a pod's claims so far; lists stay those of `NO_VOLUMES` while empty. */
type Draft = { -readonly [Part in keyof VolumeNeeds]: VolumeNeeds[Part] };

/** The pod's claims so far. */
interface Resolving {
  readonly lookup: VolumeLookup;
  readonly draft: Draft;
  waiting: readonly Claim[];
  sources: readonly string[];
  isOpen: boolean;
}

/** Adds what a bound claim demands. @returns why it can't be used, "" when it can. */
function addBound(resolving: Resolving, claim: Claim): string {
  const { draft, lookup } = resolving;
  const name = claim.spec!.volumeName!;
  resolving.sources = [...resolving.sources, name];
  const volume = lookup.volume(name);
  if (volume === undefined) {
    return "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)";
  }
  const terms = termsOf(volume);
  if (terms.length > 0) draft.boundTerms = [...draft.boundTerms, terms];
  const zones = zonesOf(volume);
  if (zones.length > 0) draft.zones = [...draft.zones, ...zones];
  const { csi } = volume.spec ?? {};
  if (csi) {
    const attachment = { driver: csi.driver, handle: csi.volumeHandle };
    draft.attachments = [...draft.attachments, attachment];
  }
  return "";
}

/** Adds what a claim that waits for a node could take. @returns as above. */
function addWaiting(resolving: Resolving, claim: Claim): string {
  const { draft, lookup } = resolving;
  resolving.isOpen = true;
  const storageClass = lookup.storageClass(claim.spec?.storageClassName ?? "");
  if (storageClass?.volumeBindingMode !== "WaitForFirstConsumer") {
    return "pod has unbound immediate PersistentVolumeClaims";
  }
  const choices = lookup.volumes().filter((volume) => couldServe(volume, claim)).map(termsOf);
  const provisioned = provisionTerms(storageClass);
  const room = provisioned === null ? null : roomFor(claim, storageClass, lookup);
  draft.roomTerms = [...draft.roomTerms, room === null ? null : provisioned];
  const made = provisioned === null || room === null ? provisioned : bothTerms(provisioned, room);
  draft.waitingTerms = [...draft.waitingTerms, made === null ? choices : [...choices, made]];
  const { provisioner = NO_PROVISIONER } = storageClass;
  if (provisioner !== NO_PROVISIONER) {
    // The volume has no handle yet, and takes one of the places that the driver has on a node.
    const { namespace = "", name = "" } = claim.metadata;
    const attachment = { driver: provisioner, handle: `claim ${claimKey(namespace, name)}` };
    draft.attachments = [...draft.attachments, attachment];
  }
  resolving.waiting = [...resolving.waiting, claim];
  return "";
}

/** Looks up everything about a pod's volumes. */
export function resolveVolumes(pod: Pod, lookup: VolumeLookup): ResolvedVolumes {
  const disks = namedDisks(pod);
  let resolving: Resolving | undefined;
  for (const volume of pod.spec.volumes ?? []) {
    const name = claimName(pod, volume);
    if (name === null) continue;
    const { namespace = "" } = pod.metadata;
    resolving ??= { ...NO_CLAIMS, lookup, draft: { ...NO_VOLUMES, disks } };
    resolving.sources = [...resolving.sources, claimKey(namespace, name)];
    const claim = lookup.claim(namespace, name);
    const reason = claim === undefined ? missing(name, volume) : addClaim(resolving, claim);
    if (resolving.draft.rejection === "") resolving.draft.rejection = reason;
  }
  if (resolving === undefined) {
    return disks.length === 0 ? NO_CLAIMS : { ...NO_CLAIMS, needs: { ...NO_VOLUMES, disks } };
  }
  const { draft, waiting, sources, isOpen } = resolving;
  return { needs: draft, waiting, sources, isOpen };
}

function missing(name: string, volume: Volume): string {
  return volume.ephemeral
    ? `waiting for ephemeral volume controller to create the persistentvolumeclaim "${name}"`
    : `persistentvolumeclaim "${name}" not found`;
}

function addClaim(resolving: Resolving, claim: Claim): string {
  const { draft } = resolving;
  const { name = "", namespace = "", deletionTimestamp } = claim.metadata;
  if (claim.status?.phase === "Lost") {
    const volume = claim.spec?.volumeName ?? "";
    return `persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${volume}"`;
  }
  if (deletionTimestamp !== undefined) return `persistentvolumeclaim "${name}" is being deleted`;
  if (claim.spec?.accessModes?.includes("ReadWriteOncePod")) {
    draft.exclusiveClaims = [...draft.exclusiveClaims, claimKey(namespace, name)];
  }
  return isBound(claim) ? addBound(resolving, claim) : addWaiting(resolving, claim);
}
