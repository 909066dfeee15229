/**
 * What else belongs to a kubelet: its lease, its drivers, its slices, tokens for its pods, its own
 * certificate. In: what a user of a node does to them. Out: why it may not, or null.
 * Never: hands out a token that is not bound to a pod of that node.
 * Source: plugin/pkg/admission/noderestriction (v1.36).
 */
import "reflect-metadata";
import { Pkcs10CertificateRequest } from "@peculiar/x509";
import { copyJson } from "../../registry.ts";
import type { KubeObject } from "../../../api/meta.ts";
import { equalJson } from "../../../api/patch/json_patch.ts";
import {
  csiDrivers,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
} from "../../../api/resources.ts";
import type { Resource } from "../../../api/resource.ts";
import { cacheOf, type Core, keyOf } from "../../verbs/core.ts";
import type { AdmissionRequest } from "../admission.ts";

const LEASE_NAMESPACE = "kube-node-lease";
const KUBELET_SIGNERS: ReadonlySet<string> = new Set([
  "kubernetes.io/kubelet-serving",
  "kubernetes.io/kube-apiserver-client-kubelet",
]);

export function leaseReason(node: string, request: AdmissionRequest): string | null {
  if (request.namespace !== LEASE_NAMESPACE) {
    return `can only access leases in the "${LEASE_NAMESPACE}" system namespace`;
  }
  return nameOf(request) === node
    ? null
    : "can only access node lease with the same name as the requesting node";
}

export function csiNodeReason(node: string, request: AdmissionRequest): string | null {
  return nameOf(request) === node
    ? null
    : "can only access CSINode with the same name as the requesting node";
}

/** Before it is made, an object alone knows its name. */
function nameOf({ operation, object, name }: AdmissionRequest): string | undefined {
  return operation === "CREATE" ? object?.metadata.name : name;
}

export function sliceReason(node: string, request: AdmissionRequest): string | null {
  const { operation, object, old } = request;
  const isOwn = (slice: KubeObject | null) => slice?.spec?.nodeName === node;
  if (operation === "CREATE" && !isOwn(object)) {
    return "can only create ResourceSlice with the same NodeName as the requesting node";
  }
  if (operation === "DELETE" && !isOwn(old)) {
    return "can only delete ResourceSlice with the same NodeName as the requesting node";
  }
  return null;
}

/** Of a claim, a kubelet tells how large its volume is now. */
export function claimReason(node: string, request: AdmissionRequest): string | null {
  const { operation, subresource, object, old } = request;
  if (subresource !== "status") return "may only update PVC status";
  if (operation !== "UPDATE") return `unexpected operation ${JSON.stringify(operation)}`;
  return equalJson(withoutProgress(object!), withoutProgress(old!))
    ? null
    : `node ${JSON.stringify(node)} is not allowed to update fields other than ` +
      "status.quantity and status.conditions";
}

function withoutProgress(claim: KubeObject): KubeObject {
  const rest = copyJson(claim);
  delete rest.metadata.resourceVersion;
  delete rest.metadata.managedFields;
  for (
    const member of ["capacity", "conditions", "allocatedResources", "allocatedResourceStatuses"]
  ) delete rest.status?.[member];
  return rest;
}

/** A token of a node is for one of its pods, and for those that the pod will talk to. */
export function tokenReason(node: string, request: AdmissionRequest, core: Core): string | null {
  const { operation, subresource, object, namespace } = request;
  if (operation !== "CREATE" || subresource !== "token") return null;
  const { boundObjectRef: bound, audiences = [] } = object!.spec ?? {};
  const isOfPod = bound?.apiVersion === "v1" && bound.kind === "Pod" && !!bound.name;
  if (!isOfPod) return "node requested token not bound to a pod";
  if (!bound.uid) return "node requested token with a pod binding without a uid";
  const pod = find(core, pods, namespace, bound.name);
  // The verb itself refuses a pod that is not there.
  if (pod === undefined) return null;
  if (pod.metadata.uid !== bound.uid) {
    return `the UID in the bound object reference (${bound.uid}) does not match the UID in ` +
      "record. The object might have been deleted and then recreated";
  }
  if (pod.spec.nodeName !== node) {
    return "node requested token bound to a pod scheduled on a different node";
  }
  return audienceReason(request, core, { pod, audiences });
}

function audienceReason(
  request: AdmissionRequest,
  core: Core,
  parts: { readonly pod: KubeObject; readonly audiences: readonly string[] },
): string | null {
  const { pod, audiences } = parts;
  if (audiences.length > 1) return "node may only request 0 or 1 audiences";
  const [audience = ""] = audiences;
  if (audiencesOf(core, pod).has(audience)) return null;
  const { user, namespace, name } = request;
  const decision = core.authorizer.authorize({
    user,
    verb: "request-serviceaccounts-token-audience",
    group: "",
    resource: audience,
    subresource: "",
    namespace,
    name,
  });
  if (decision.allowed) return null;
  return `audience ${JSON.stringify(audience)} not found in pod spec volume, ${user.name} is not ` +
    "authorized to request tokens for this audience";
}

/** Whom the tokens in a pod's volumes, and of its volumes' drivers, are for. */
function audiencesOf(core: Core, pod: KubeObject): ReadonlySet<string> {
  const audiences = new Set<string>();
  const { name, namespace = "" } = pod.metadata;
  for (const volume of pod.spec.volumes ?? []) {
    for (const { serviceAccountToken } of volume.projected?.sources ?? []) {
      if (serviceAccountToken !== undefined) audiences.add(serviceAccountToken.audience ?? "");
    }
    const claimName = volume.ephemeral !== undefined
      ? `${name}-${volume.name}`
      : volume.persistentVolumeClaim?.claimName;
    const driver = claimName === undefined
      ? volume.csi?.driver
      : driverOfClaim(core, namespace, claimName);
    const found = driver === undefined ? undefined : find(core, csiDrivers, "", driver);
    for (const { audience = "" } of found?.spec?.tokenRequests ?? []) audiences.add(audience);
  }
  return audiences;
}

function driverOfClaim(core: Core, namespace: string, claimName: string): string | undefined {
  const claim = find(core, persistentVolumeClaims, namespace, claimName);
  return find(core, persistentVolumes, "", claim?.spec?.volumeName ?? "")?.spec?.csi?.driver;
}

function find(
  core: Core,
  resource: Resource,
  namespace: string,
  name: string,
): KubeObject | undefined {
  return cacheOf(core, resource).get(keyOf({ resource, namespace, name }))?.object;
}

/** A kubelet asks for certificates of its own name alone. */
export function signingReason(node: string, request: AdmissionRequest): string | null {
  const { operation, subresource, object } = request;
  if (operation !== "CREATE" || subresource !== "") return null;
  if (!KUBELET_SIGNERS.has(object!.spec?.signerName)) return null;
  const name = `system:node:${node}`;
  try {
    const { subjectName } = new Pkcs10CertificateRequest(atob(String(object!.spec.request)));
    const names = subjectName.getField("CN");
    if (names.length === 1 && names[0] === name) return null;
  } catch {
    return "unable to parse csr: it is no PKCS #10 request";
  }
  return `can only create a node CSR with CN=${name}`;
}
