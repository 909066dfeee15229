/**
 * A kubelet's own node: what it may say of itself, and what only administrators may.
 * In: what a user of a node does to a node. Out: why it may not, or null.
 * Never: lets a node steer pods to itself by labels, or rid itself of taints.
 * Source: plugin/pkg/admission/noderestriction, kubelet/pkg/apis/well_known_labels.go (v1.36).
 */
import type { KubeObject } from "../../../api/meta.ts";
import { equalJson } from "../../../api/patch/json_patch.ts";
import type { AdmissionRequest } from "../admission.ts";

/** Labels that say where a pod may run are for administrators to set. */
const RESTRICTED = /^([^/]*\.)?node-restriction\.kubernetes\.io\//;
const KUBERNETES = /^([^/]*\.)?(kubernetes|k8s)\.io\//;
const KUBELET = /^([^/]*\.)?(kubelet|node)\.kubernetes\.io\//;
const KUBELET_LABELS: ReadonlySet<string> = new Set([
  "kubernetes.io/hostname",
  "topology.kubernetes.io/zone",
  "topology.kubernetes.io/region",
  "failure-domain.beta.kubernetes.io/zone",
  "failure-domain.beta.kubernetes.io/region",
  "beta.kubernetes.io/instance-type",
  "node.kubernetes.io/instance-type",
  "kubernetes.io/os",
  "kubernetes.io/arch",
  "beta.kubernetes.io/os",
  "beta.kubernetes.io/arch",
]);

export function nodeReason(node: string, request: AdmissionRequest): string | null {
  const { operation, object, old } = request;
  const who = JSON.stringify(node);
  const name = operation === "CREATE" ? object?.metadata.name : request.name;
  if (name !== node) return `node ${who} is not allowed to modify node ${JSON.stringify(name)}`;
  if (operation === "CREATE") return createReason(who, object!);
  return operation === "UPDATE" ? updateReason(who, object!, old!) : null;
}

function createReason(who: string, node: KubeObject): string | null {
  if (node.spec?.configSource !== undefined) {
    return `node ${who} is not allowed to create pods with a non-nil configSource`;
  }
  const changed = forbiddenLabels({}, node.metadata.labels ?? {});
  return changed.length === 0
    ? null
    : `node ${who} is not allowed to set the following labels: ${changed.join(", ")}`;
}

function updateReason(who: string, node: KubeObject, old: KubeObject): string | null {
  const isSame = (value: (of: KubeObject) => unknown) => equalJson(value(node), value(old));
  const source = node.spec?.configSource;
  if (source !== undefined && !isSame(({ spec }) => spec?.configSource ?? null)) {
    return `node ${who} is not allowed to update configSource to a new non-nil configSource`;
  }
  if (!isSame(({ spec }) => spec?.taints ?? [])) {
    return `node ${who} is not allowed to modify taints`;
  }
  if (!isSame(({ metadata }) => metadata.ownerReferences ?? [])) {
    return `node ${who} is not allowed to modify ownerReferences`;
  }
  const changed = forbiddenLabels(old.metadata.labels ?? {}, node.metadata.labels ?? {});
  return changed.length === 0 ? null : `is not allowed to modify labels: ${changed.join(", ")}`;
}

function forbiddenLabels(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((key) => before[key] !== after[key] && isForbidden(key)).sort();
}

function isForbidden(label: string): boolean {
  if (RESTRICTED.test(label)) return true;
  return KUBERNETES.test(label) && !KUBELET_LABELS.has(label) && !KUBELET.test(label);
}
