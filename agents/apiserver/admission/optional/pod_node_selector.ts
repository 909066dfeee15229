/**
 * Pods go to the nodes that their namespace is given.
 * In: pods about to be created. Out: the namespace's selector beside the pod's own, or a refusal.
 * Never: lets a pod choose against its namespace. Off by default.
 * Source: plugin/pkg/admission/podnodeselector (v1.36), by annotation alone.
 */
import { namespaces, pods } from "../../../api/resources.ts";
import { forbidden } from "../../../api/status.ts";
import { cacheOf, keyOf } from "../../verbs/core.ts";
import type { AdmissionPlugin } from "../admission.ts";

const ANNOTATION = "scheduler.alpha.kubernetes.io/node-selector";

export const podNodeSelector: AdmissionPlugin = {
  name: "PodNodeSelector",
  admit({ operation, resource, subresource, object, namespace, name }, core) {
    if (resource !== pods || subresource !== "" || operation !== "CREATE") return;
    const key = keyOf({ resource: namespaces, namespace: "", name: namespace });
    const text = cacheOf(core, namespaces).get(key)?.object.metadata.annotations?.[ANNOTATION];
    if (!text) return;
    const wanted = parsePairs(text);
    const spec = (object!.spec ??= {});
    const own: Readonly<Record<string, string>> = spec.nodeSelector ?? {};
    if (Object.keys(own).some((label) => label in wanted && wanted[label] !== own[label])) {
      const reason = "pod node label selector conflicts with its namespace node label selector";
      throw forbidden({ group: "", resource: "pods" }, name, reason);
    }
    spec.nodeSelector = { ...wanted, ...own };
  },
};

/** `a=b,c=d` */
function parsePairs(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split(",").map((pair) => pair.split("=", 2).map((part) => part.trim()))
      .filter(([key]) => key !== "").map(([key, value = ""]) => [key, value]),
  );
}
