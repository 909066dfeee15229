/**
 * Where a request stands for those who choose requests: resource, kind, namespace, labels.
 * In: an admission request. Out: what rules and selectors look at, and what a review tells.
 * Never: a rule. Source: apiserver's admission attributes, predicates/namespace (v1.36).
 */
import type { KubeObject } from "../../../api/meta.ts";
import type { Resource } from "../../../api/resource.ts";
import { namespaces, resources } from "../../../api/resources.ts";
import { cacheOf, type Core, keyOf, prefixOf } from "../../verbs/core.ts";
import type { AdmissionRequest } from "../admission.ts";

export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** The kind that a request's object has: the resource's, or its subresource's own. */
export function kindOf(resource: Resource, subresource: string): GroupVersionKind {
  const part = resource.subresources.find((row) => row.name === subresource);
  const { group, version, kind } = part ?? resource;
  return { group, version, kind };
}

/** Whether the request's object is not the resource's but its subresource's own. */
export function hasOwnKind({ resource, subresource }: AdmissionRequest): boolean {
  return subresource !== "" && kindOf(resource, subresource).kind !== resource.kind;
}

/** A namespace counts as being in itself. */
export function namespaceOf({ resource, namespace, name }: AdmissionRequest): string {
  return resource === namespaces ? name : namespace;
}

/** The namespace that a request is about; null where it is about none, or none that is known. */
export function namespaceObjectOf(core: Core, request: AdmissionRequest): KubeObject | null {
  if (request.namespace === "") return null;
  const key = keyOf({ resource: namespaces, namespace: "", name: request.namespace });
  return cacheOf(core, namespaces).get(key)?.object ?? null;
}

const faces = new Map<string, readonly Resource[]>();

/** Other resources that show the same objects. */
export function otherFacesOf(core: Core, resource: Resource): readonly Resource[] {
  if (faces.size === 0) {
    for (const row of resources) {
      const prefix = prefixOf(row);
      faces.set(prefix, [...faces.get(prefix) ?? [], row]);
    }
  }
  const prefix = prefixOf(resource);
  const known = resource.custom === undefined
    ? faces.get(prefix) ?? []
    : core.custom.rows.filter((row) => prefixOf(row) === prefix);
  return known.filter((row) => row !== resource);
}

/** An object as another resource of the same store shows it. */
export function asShownBy(from: Resource, to: Resource, object: KubeObject): KubeObject {
  if (from === to) return object;
  const { resourceVersion } = object.metadata;
  const stored = from.storedAs?.toStored(object) ?? object;
  // What a version makes of an object may be kept with it; a draft changes.
  const shown = to.storedAs?.fromStored({ ...stored }) ?? stored;
  return resourceVersion === undefined
    ? shown
    : { ...shown, metadata: { ...shown.metadata, resourceVersion } };
}
