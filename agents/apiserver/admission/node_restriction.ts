/**
 * A kubelet changes its own node and the pods that run on it, and nothing else of their kinds.
 * In: what a user of a node writes. Out: a refusal in upstream's words.
 * Never: minds other users. Source: plugin/pkg/admission/noderestriction (v1.36).
 */
import type { KubeObject } from "../../api/meta.ts";
import { equalJson } from "../../api/patch/json_patch.ts";
import { nodes, pods } from "../../api/resources.ts";
import { forbidden } from "../../api/status.ts";
import { nodeOf } from "../auth/node_authorizer.ts";
import { cacheOf, type Core, groupResourceOf, keyOf } from "../verbs/core.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./admission.ts";

const MIRROR = "kubernetes.io/config.mirror";
/** Labels that say where a pod may run are for administrators to set. */
const RESTRICTED_LABEL = /^([^/]*\.)?node-restriction\.kubernetes\.io\//;

export const nodeRestriction: AdmissionPlugin = {
  name: "NodeRestriction",
  admit(request, core) {
    const node = nodeOf(request.user);
    if (node === null) return;
    const reason = request.resource === pods
      ? podReason(core, node, request)
      : request.resource === nodes
      ? nodeReason(node, request)
      : null;
    if (reason !== null) throw forbidden(groupResourceOf(request.resource), request.name, reason);
  },
};

function podReason(core: Core, node: string, request: AdmissionRequest): string | null {
  const { operation, subresource, object } = request;
  const who = JSON.stringify(node);
  if (subresource === "" && operation === "CREATE") return mirrorReason(node, object!);
  if (subresource === "" && operation === "UPDATE") {
    return `unexpected operation "UPDATE", node ${who} can only create and delete mirror pods`;
  }
  if (!["", "status", "eviction"].includes(subresource)) {
    return `unexpected pod subresource ${JSON.stringify(subresource)}, ` +
      "only 'status' and 'eviction' are allowed";
  }
  const pod = request.old ?? cacheOf(core, pods).get(keyOf(request))?.object;
  if (pod === undefined || pod.spec?.nodeName === node) return null;
  const what = subresource === "status"
    ? "update pod status for pods"
    : subresource === "eviction"
    ? "evict pods"
    : "delete pods";
  return `node ${who} can only ${what} with spec.nodeName set to itself`;
}

/** A kubelet makes no pods but the images of its static ones. */
function mirrorReason(node: string, pod: KubeObject): string | null {
  const who = JSON.stringify(node);
  if (pod.metadata.annotations?.[MIRROR] === undefined) {
    return `pod does not have "${MIRROR}" annotation, node ${who} can only create mirror pods`;
  }
  if (pod.spec?.nodeName !== node) {
    return `node ${who} can only create pods with spec.nodeName set to itself`;
  }
  const owners = pod.metadata.ownerReferences ?? [];
  const isOwned = owners.length === 1 && owners[0].kind === "Node" && owners[0].name === node;
  if (!isOwned) {
    return `node ${who} can only create pods with a single owner reference set to itself`;
  }
  const account = pod.spec.serviceAccountName ?? "";
  return account === "" ? null : `node ${who} can not create pods that reference a service account`;
}

function nodeReason(node: string, request: AdmissionRequest): string | null {
  const { operation, object, old } = request;
  const name = operation === "CREATE" ? object?.metadata.name : request.name;
  const who = JSON.stringify(node);
  if (name !== node) return `node ${who} is not allowed to modify node ${JSON.stringify(name)}`;
  if (operation === "DELETE" || object === null) return null;
  if (operation === "UPDATE" && !equalJson(object.spec?.taints ?? [], old!.spec?.taints ?? [])) {
    return `node ${who} is not allowed to modify taints`;
  }
  const before = old?.metadata.labels ?? {};
  const after = object.metadata.labels ?? {};
  const changed = [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((key) => RESTRICTED_LABEL.test(key) && before[key] !== after[key]).sort();
  if (changed.length === 0) return null;
  return `is not allowed to modify labels: ${changed.join(", ")}`;
}
