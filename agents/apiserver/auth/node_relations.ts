/**
 * Which objects a node has to do with: those that its pods name, and those that these name.
 * In: a node's pods, other objects by name. Out: yes or no.
 * Never: follows what a mirror pod names: its kubelet wrote that itself.
 * Source: plugin/pkg/auth/authorizer/node/graph.go (v1.36).
 */
import type { KubeObject } from "../../api/meta.ts";
import { MIRROR_ANNOTATION } from "./authorize.ts";

/** What of the cluster a node's rights depend on. */
export interface NodeSource {
  /** The pods that are bound to a node. */
  podsOf(nodeName: string): Iterable<KubeObject>;
  /** @param kind one of those that rights depend on */
  find(kind: RelatedKind, namespace: string, name: string): KubeObject | undefined;
}

export type RelatedKind =
  | "PersistentVolume"
  | "PersistentVolumeClaim"
  | "ResourceSlice"
  | "VolumeAttachment";

interface Named {
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
}

/** Whether an object belongs to a node's work. */
export function isRelated(source: NodeSource, node: string, object: Named): boolean {
  const { resource, namespace, name } = object;
  switch (resource) {
    case "volumeattachments":
      return source.find("VolumeAttachment", "", name)?.spec?.nodeName === node;
    case "resourceslices":
      return source.find("ResourceSlice", "", name)?.spec?.nodeName === node;
    case "persistentvolumes":
      return isVolumeRelated(source, node, name);
    case "secrets":
      return isNamed(source, node, object) || isSecretOfVolume(source, node, { namespace, name });
    default:
      return isNamed(source, node, object);
  }
}

/** Pods of the node whose words count. */
function* ownPods(source: NodeSource, node: string, namespace?: string): Generator<KubeObject> {
  for (const pod of source.podsOf(node)) {
    if (pod.metadata.annotations?.[MIRROR_ANNOTATION] !== undefined) continue;
    if (namespace === undefined || pod.metadata.namespace === namespace) yield pod;
  }
}

function isNamed(source: NodeSource, node: string, { resource, namespace, name }: Named): boolean {
  for (const pod of ownPods(source, node, namespace)) {
    if (namesOf(pod, resource).has(name)) return true;
  }
  return false;
}

function isVolumeRelated(source: NodeSource, node: string, name: string): boolean {
  const claim = source.find("PersistentVolume", "", name)?.spec?.claimRef;
  if (claim === undefined) return false;
  const { namespace = "", name: claimName = "" } = claim;
  return isNamed(source, node, { resource: "persistentvolumeclaims", namespace, name: claimName });
}

/** A volume's driver on the node needs the secrets that the volume names. */
function isSecretOfVolume(
  source: NodeSource,
  node: string,
  secret: { readonly namespace: string; readonly name: string },
): boolean {
  for (const pod of ownPods(source, node)) {
    const { namespace = "" } = pod.metadata;
    for (const claimName of namesOf(pod, "persistentvolumeclaims")) {
      const claim = source.find("PersistentVolumeClaim", namespace, claimName);
      const volume = claim && source.find("PersistentVolume", "", claim.spec?.volumeName ?? "");
      const back = volume?.spec?.claimRef;
      // A claim may ask for any volume; only the volume's own word counts.
      if (back?.name !== claimName || back.namespace !== namespace) continue;
      if (namesSecret(volume!.spec, secret, namespace)) return true;
    }
  }
  return false;
}

/** @param home where a secret is that is named without a namespace */
function namesSecret(
  value: unknown,
  secret: { readonly namespace: string; readonly name: string },
  home: string,
): boolean {
  if (typeof value !== "object" || value === null) return false;
  for (const [member, inner] of Object.entries(value)) {
    if (/secretRef$/i.test(member)) {
      const { name, namespace = home } = (inner ?? {}) as Partial<typeof secret>;
      if (name === secret.name && namespace === secret.namespace) return true;
    } else if (member === "azureFile") {
      const { secretName, secretNamespace } = inner as Record<string, string | undefined>;
      if (secretName === secret.name && (secretNamespace ?? home) === secret.namespace) return true;
    } else if (namesSecret(inner, secret, home)) return true;
  }
  return false;
}

/** Names of the objects of one resource that a pod uses. */
function namesOf(pod: KubeObject, resource: string): ReadonlySet<string> {
  const names = new Set<string>();
  if (resource === "serviceaccounts") {
    names.add(pod.spec.serviceAccountName ?? "default");
  } else if (resource === "resourceclaims") {
    addResourceClaims(pod, names);
  } else {
    visitNames(pod.spec, FIELDS[resource] ?? {}, names);
    if (resource === "persistentvolumeclaims") addEphemeralClaims(pod, names);
  }
  return names;
}

function addEphemeralClaims(pod: KubeObject, names: Set<string>): void {
  for (const volume of pod.spec.volumes ?? []) {
    if (volume.ephemeral !== undefined) names.add(`${pod.metadata.name}-${volume.name}`);
  }
}

function addResourceClaims({ spec, status }: KubeObject, names: Set<string>): void {
  for (const claim of spec.resourceClaims ?? []) {
    if (claim.resourceClaimName) names.add(claim.resourceClaimName);
  }
  for (const claim of status?.resourceClaimStatuses ?? []) {
    if (claim.resourceClaimName) names.add(claim.resourceClaimName);
  }
  const extended = status?.extendedResourceClaimStatus?.resourceClaimName;
  if (extended) names.add(extended);
}

/** Members of a pod's spec that name an object, and how the name stands in them. */
const FIELDS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  secrets: {
    secretRef: "name",
    secretKeyRef: "name",
    imagePullSecrets: "name",
    secret: "secretName name",
    azureFile: "secretName",
    nodePublishSecretRef: "name",
  },
  configmaps: { configMapRef: "name", configMapKeyRef: "name", configMap: "name" },
  persistentvolumeclaims: { persistentVolumeClaim: "claimName" },
};

function visitNames(
  value: unknown,
  fields: Readonly<Record<string, string>>,
  names: Set<string>,
): void {
  if (Array.isArray(value)) {
    for (const item of value) visitNames(item, fields, names);
    return;
  }
  if (typeof value !== "object" || value === null) return;
  for (const [member, inner] of Object.entries(value)) {
    const at = fields[member];
    if (at !== undefined) {
      for (const one of Array.isArray(inner) ? inner : [inner]) {
        for (const word of at.split(" ")) if (one?.[word]) names.add(one[word]);
      }
    }
    visitNames(inner, fields, names);
  }
}

/**
 * What of the API a pod depends on, in the words of a refusal.
 * @returns null for a pod that a kubelet can run by itself
 */
export function apiReferenceOf(pod: KubeObject): string | null {
  const { spec } = pod;
  if (spec.serviceAccountName) return "serviceaccounts";
  if ((spec.resourceClaims ?? []).length > 0) return "resourceclaims";
  for (const volume of spec.volumes ?? []) {
    const [kind] = Object.keys(volume).filter((member) => member !== "name");
    if (kind === "projected") {
      const of = (volume.projected.sources ?? []).flatMap((source: object) => Object.keys(source))
        .find((member: string) => member !== "downwardAPI");
      if (of !== undefined) return `${PROJECTED[of] ?? of} (via projected volumes)`;
    } else if (VOLUMES[kind] !== undefined) return VOLUMES[kind];
  }
  for (const resource of ["secrets", "configmaps"]) {
    if (namesOf(pod, resource).size > 0) return resource;
  }
  return null;
}

const VOLUMES: Readonly<Record<string, string>> = {
  configMap: "configmaps (via configmap volumes)",
  secret: "secrets (via secret volumes)",
  csi: "csidrivers (via CSI volumes)",
  glusterfs: "endpoints (via glusterFS volumes)",
  persistentVolumeClaim: "persistentvolumeclaims",
  ephemeral: "persistentvolumeclaims (via ephemeral volumes)",
  azureFile: "secrets (via azureFile volumes)",
};

const PROJECTED: Readonly<Record<string, string>> = {
  configMap: "configmaps",
  secret: "secrets",
  serviceAccountToken: "serviceaccounts",
  clusterTrustBundle: "clustertrustbundles",
  podCertificate: "podcertificates",
};
