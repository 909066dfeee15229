/**
 * Pods of a kubelet's own node: mirrors of its static ones made and removed, status told, evicted.
 * In: what a user of a node does to a pod. Out: why it may not, or null.
 * Never: lets a mirror name what its kubelet could then read.
 * Source: plugin/pkg/admission/noderestriction (v1.36).
 */
import type { KubeObject } from "../../../api/meta.ts";
import { equalJson } from "../../../api/patch/json_patch.ts";
import { nodes, pods } from "../../../api/resources.ts";
import { MIRROR_ANNOTATION } from "../../auth/authorize.ts";
import { apiReferenceOf } from "../../auth/node_relations.ts";
import { cacheOf, type Core, keyOf } from "../../verbs/core.ts";
import type { AdmissionRequest } from "../admission.ts";

export function podReason(node: string, request: AdmissionRequest, core: Core): string | null {
  const { operation, subresource, object } = request;
  const who = JSON.stringify(node);
  switch (subresource) {
    case "":
      if (operation === "CREATE") return mirrorReason(core, node, object!);
      if (operation === "DELETE") return elsewhere(core, node, request, "delete pods");
      return `unexpected operation ${JSON.stringify(operation)}, ` +
        `node ${who} can only create and delete mirror pods`;
    case "status":
      return elsewhere(core, node, request, "update pod status for pods") ??
        statusReason(who, request);
    case "eviction":
      return elsewhere(core, node, request, "evict pods");
    default:
      return `unexpected pod subresource ${JSON.stringify(subresource)}, ` +
        "only 'status' and 'eviction' are allowed";
  }
}

function elsewhere(
  core: Core,
  node: string,
  request: AdmissionRequest,
  what: string,
): string | null {
  const pod = request.old ?? cacheOf(core, pods).get(keyOf(request))?.object;
  if (pod === undefined || pod.spec?.nodeName === node) return null;
  return `node ${JSON.stringify(node)} can only ${what} with spec.nodeName set to itself`;
}

/** Labels and claims say what else may touch the pod; a kubelet only tells how it is. */
function statusReason(who: string, { object, old }: AdmissionRequest): string | null {
  if (object === null || old === null) return null;
  if (!equalJson(object.metadata.labels ?? {}, old.metadata.labels ?? {})) {
    return `node ${who} cannot update labels through pod status`;
  }
  const claims = ({ status }: KubeObject) => status?.resourceClaimStatuses ?? [];
  if (!equalJson(claims(object), claims(old))) {
    return `node ${who} cannot update resource claim statues`;
  }
  const extended = ({ status }: KubeObject) => status?.extendedResourceClaimStatus ?? null;
  return equalJson(extended(object), extended(old))
    ? null
    : `node ${who} cannot update extended resource claim status`;
}

/** A kubelet makes no pods but the images of its static ones. */
function mirrorReason(core: Core, node: string, pod: KubeObject): string | null {
  const who = JSON.stringify(node);
  if (pod.metadata.annotations?.[MIRROR_ANNOTATION] === undefined) {
    return `pod does not have "${MIRROR_ANNOTATION}" annotation, ` +
      `node ${who} can only create mirror pods`;
  }
  if (pod.spec?.nodeName !== node) {
    return `node ${who} can only create pods with spec.nodeName set to itself`;
  }
  const owned = ownerReason(core, node, pod);
  if (owned !== null) return owned;
  const reference = apiReferenceOf(pod);
  return reference === null ? null : `node ${who} can not create pods that reference ${reference}`;
}

function ownerReason(core: Core, node: string, pod: KubeObject): string | null {
  const who = JSON.stringify(node);
  const owners = pod.metadata.ownerReferences ?? [];
  if (owners.length > 1) {
    return `node ${who} can only create pods with a single owner reference set to itself`;
  }
  const [owner] = owners;
  if (owner?.apiVersion !== "v1" || owner.kind !== "Node" || owner.name !== node) {
    return `node ${who} can only create pods with an owner reference set to itself`;
  }
  if (owner.controller !== true) {
    return `node ${who} can only create pods with a controller owner reference set to itself`;
  }
  if (owner.blockOwnerDeletion === true) {
    return `node ${who} must not set blockOwnerDeletion on an owner reference`;
  }
  const key = keyOf({ resource: nodes, namespace: "", name: node });
  const uid = cacheOf(core, nodes).get(key)?.object.metadata.uid ?? "";
  return owner.uid === uid ? null : `node ${node} UID mismatch: expected ${owner.uid} got ${uid}`;
}
