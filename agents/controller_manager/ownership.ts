/**
 * PURE. Who controls what: owner references, adoption and release by label selector.
 * In: an owner, its selector, candidate objects. Out: what it owns, and the writes that make it so.
 * Never: adopts for an owner that is being deleted. Source: controller_ref_manager.go.
 */
import type { KubeObject, OwnerReference } from "../api/meta.ts";
import type { Resource } from "../api/resource.ts";
import { matchesLabels, type ParsedLabelSelector } from "../api/selector.ts";
import type { Write } from "./controller.ts";

/** Index: uid of the controlling owner, or `orphan:<namespace>` for objects without one. */
export const BY_CONTROLLER = "controller";

/** The one owner that manages an object. */
export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true);
}

export function controllerIndex(object: KubeObject): readonly string[] {
  return [controllerOf(object)?.uid ?? `orphan:${object.metadata.namespace ?? ""}`];
}

export function apiVersionOf(resource: Resource): string {
  return resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
}

/** The reference a controller puts into what it makes. */
export function controllerReference(resource: Resource, owner: KubeObject): OwnerReference {
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    name: owner.metadata.name!,
    uid: owner.metadata.uid!,
    controller: true,
    blockOwnerDeletion: true,
  };
}

export interface ClaimOptions<T extends KubeObject> {
  readonly owner: KubeObject;
  readonly ownerResource: Resource;
  readonly selector: ParsedLabelSelector;
  readonly resource: Resource;
  /** Objects that the owner controls or that nobody does. */
  readonly candidates: readonly T[];
}

/**
 * Finds what an owner has, adopting orphans that match and releasing what no longer does.
 * @returns the objects that are owned already or will be, and the writes to perform.
 */
export function claim<T extends KubeObject>(
  options: ClaimOptions<T>,
): { readonly owned: T[]; readonly writes: Write[] } {
  const { owner, ownerResource, selector, resource, candidates } = options;
  const owned: T[] = [];
  const writes: Write[] = [];
  const ownerDeleted = owner.metadata.deletionTimestamp !== undefined;
  for (const object of candidates) {
    const matches = matchesLabels(selector, object.metadata.labels);
    const controller = controllerOf(object);
    if (controller !== undefined) {
      if (controller.uid !== owner.metadata.uid) continue;
      if (matches) owned.push(object);
      else if (!ownerDeleted) writes.push(release(resource, object, owner));
      continue;
    }
    if (!matches || ownerDeleted || object.metadata.deletionTimestamp !== undefined) continue;
    const { namespace, name } = owner.metadata;
    owned.push(object);
    writes.push({
      kind: "patch",
      resource,
      place: { namespace: object.metadata.namespace, name: object.metadata.name! },
      body: {
        metadata: {
          uid: object.metadata.uid,
          resourceVersion: object.metadata.resourceVersion,
          ownerReferences: [
            ...object.metadata.ownerReferences ?? [],
            controllerReference(ownerResource, owner),
          ],
        },
      },
      guards: [{
        kind: "alive",
        resource: ownerResource,
        place: { namespace, name: name! },
        uid: owner.metadata.uid!,
      }],
    });
  }
  return { owned, writes };
}

function release(resource: Resource, object: KubeObject, owner: KubeObject): Write {
  const left = (object.metadata.ownerReferences ?? []).filter((reference) =>
    reference.uid !== owner.metadata.uid
  );
  return {
    kind: "patch",
    resource,
    place: { namespace: object.metadata.namespace, name: object.metadata.name! },
    body: {
      metadata: {
        uid: object.metadata.uid,
        resourceVersion: object.metadata.resourceVersion,
        ownerReferences: left.length === 0 ? null : left,
      },
    },
  };
}
