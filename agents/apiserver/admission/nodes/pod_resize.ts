/**
 * A running pod is not resized beyond what its node could ever give.
 * In: resizes of bound pods. Out: a refusal that names what does not fit.
 * Never: looks at the node's other pods; whether it fits now is the kubelet's to say.
 * Source: plugin/pkg/admission/podresize (v1.36).
 */
import type { KubeObject } from "../../../api/meta.ts";
import { milliOf, unitsOf } from "../../../api/quantity.ts";
import { nodes, pods } from "../../../api/resources.ts";
import { type ApiError, forbidden } from "../../../api/status.ts";
import { cacheOf, keyOf } from "../../verbs/core.ts";
import type { AdmissionPlugin, AdmissionRequest } from "../admission.ts";
import { podTotal } from "../../../api/kinds/pod/totals.ts";

export const podResizeValidator: AdmissionPlugin = {
  name: "PodResizeValidator",
  validate(request, core) {
    const { operation, resource, subresource, object, old } = request;
    if (resource !== pods || operation !== "UPDATE" || subresource !== "resize") return;
    const nodeName: string = object!.spec?.nodeName ?? "";
    if (nodeName === "" || old!.metadata.generation === object!.metadata.generation) return;
    const key = keyOf({ resource: nodes, namespace: "", name: nodeName });
    const node = cacheOf(core, nodes).get(key)?.object;
    const named = JSON.stringify(nodeName);
    if (node === undefined) throw refused(request, `node ${named} not found`);
    const os = node.metadata.labels?.["kubernetes.io/os"] ?? "linux";
    if (os !== "linux") {
      const reason = `pod resize is only supported on linux nodes, node ${named} is ` +
        JSON.stringify(os);
      throw caused(refused(request, reason), "UnsupportedPlatform");
    }
    const problem = beyond(object!, node.status?.allocatable ?? {});
    if (problem !== null) throw caused(refused(request, problem), "NodeCapacity");
  },
};

function refused(request: AdmissionRequest, reason: string): ApiError {
  return forbidden({ group: "", resource: "pods" }, request.name, reason);
}

function caused(error: ApiError, reason: string): ApiError {
  const details = (error.status.details ??= {});
  details.causes = [...details.causes ?? [], { reason, message: "" }];
  return error;
}

function beyond(pod: KubeObject, allocatable: Record<string, string>): string | null {
  const requests = podTotal(pod.spec, "requests");
  const over: string[] = [];
  for (const [name, amountOf] of [["cpu", milliOf], ["memory", unitsOf]] as const) {
    const [requested, most] = [amountOf(requests[name]), amountOf(allocatable[name])];
    if (requested > most) over.push(`${name}, requested: ${requested}, allocatable: ${most}`);
  }
  if (over.length === 0) return null;
  return `node didn't have enough allocatable resources: ${over.join("; ")}`;
}
