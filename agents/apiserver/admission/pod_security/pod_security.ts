/**
 * Holds pods to the Pod Security Standard that their namespace asks for by its labels.
 * In: a pod, or an object with a pod template, about to be written. Out: a refusal (enforce).
 * Never: checks what an update leaves as it is. Source: pod-security-admission (v1.36).
 */
import type { KubeObject } from "../../../api/meta.ts";
import { namespaces, pods } from "../../../api/resources.ts";
import { forbidden } from "../../../api/status.ts";
import { cacheOf, type Core, keyOf } from "../../verbs/core.ts";
import type { AdmissionPlugin, AdmissionRequest } from "../admission.ts";
import { describeViolations, type Level, violations } from "./checks.ts";

const PODS = { group: "", resource: "pods" } as const;
const LABEL = "pod-security.kubernetes.io/enforce";
const LEVELS: readonly string[] = ["privileged", "baseline", "restricted"];
/** Fields of a pod's spec whose change can't make it less safe. */
const HARMLESS_SUBRESOURCES = new Set(["status", "binding", "eviction", "resize"]);

export const podSecurity: AdmissionPlugin = {
  name: "PodSecurity",
  validate(request, core) {
    if (request.operation === "DELETE" || request.resource !== pods || request.object === null) {
      return;
    }
    if (HARMLESS_SUBRESOURCES.has(request.subresource)) return;
    const level = enforcedLevel(core, request);
    if (level === "privileged" || isUnchanged(request)) return;
    const found = violations(level, request.object.metadata, request.object.spec ?? {});
    if (found.length === 0) return;
    const words = `violates PodSecurity "${level}:latest": ${describeViolations(found)}`;
    throw forbidden(PODS, request.name, words);
  },
};

/** A label that names no level enforces the strictest, as upstream does. */
function enforcedLevel(core: Core, request: AdmissionRequest): Level {
  const key = keyOf({ resource: namespaces, namespace: "", name: request.namespace });
  const namespace: KubeObject | undefined = cacheOf(core, namespaces).get(key)?.object;
  const label = namespace?.metadata.labels?.[LABEL];
  if (label === undefined || label === "") return "privileged";
  return LEVELS.includes(label) ? label as Level : "restricted";
}

/** Updates that leave the spec alone pass, so that old pods can still be labelled and finish. */
function isUnchanged({ object, old, operation }: AdmissionRequest): boolean {
  return operation === "UPDATE" && old !== null &&
    JSON.stringify(object!.spec) === JSON.stringify(old.spec);
}
