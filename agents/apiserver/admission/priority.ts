/**
 * Turns a pod's priority class into its number, and keeps the classes consistent.
 * In: pods and priority classes about to be created. Out: spec.priority, preemptionPolicy.
 * Never: lets a client set a priority that its class does not have.
 * Source: plugin/pkg/admission/priority (v1.36).
 */
import type { KubeObject } from "../../api/meta.ts";
import { pods, priorityClasses } from "../../api/resources.ts";
import { forbidden } from "../../api/status.ts";
import { cacheOf, type Core, keyOf, prefixOf } from "../verbs/core.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./admission.ts";

const PODS = { group: "", resource: "pods" } as const;
const CLASSES = { group: "scheduling.k8s.io", resource: "priorityclasses" } as const;
const PREEMPT_LOWER = "PreemptLowerPriority";

export const priority: AdmissionPlugin = {
  name: "Priority",
  admit(request, core) {
    const { operation, resource, subresource } = request;
    if (resource === pods && operation === "CREATE" && subresource === "") {
      prioritize(request, core);
    }
  },
  validate(request, core) {
    const { object, resource, subresource } = request;
    if (resource === priorityClasses && object !== null && subresource === "") {
      refuseSecondDefault(request, core);
    }
  },
};

function prioritize(request: AdmissionRequest, core: Core): void {
  const pod = request.object!;
  const spec = (pod.spec ??= {});
  const chosen = spec.priorityClassName
    ? classByName(core, request, spec.priorityClassName)
    : defaultClass(core);
  if (chosen !== null) spec.priorityClassName = chosen.metadata.name;
  const value = chosen?.value ?? 0;
  if (spec.priority !== undefined && spec.priority !== value) {
    const reason = `the integer value of priority (${spec.priority}) must not be provided in pod ` +
      `spec; priority admission controller computed ${value} from the given PriorityClass name`;
    throw forbidden(PODS, request.name, reason);
  }
  spec.priority = value;
  const policy = chosen?.preemptionPolicy ?? PREEMPT_LOWER;
  if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy) {
    const reason = `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be ` +
      `provided in pod spec; priority admission controller computed ${policy} from the given ` +
      "PriorityClass name";
    throw forbidden(PODS, request.name, reason);
  }
  spec.preemptionPolicy = policy;
}

function classByName(core: Core, request: AdmissionRequest, name: string): KubeObject {
  const key = keyOf({ resource: priorityClasses, namespace: "", name });
  const stored = cacheOf(core, priorityClasses).get(key);
  if (stored !== undefined) return stored.object;
  throw forbidden(PODS, request.name, `no PriorityClass with name ${name} was found`);
}

/** The lowest of the classes that call themselves the default. */
function defaultClass(core: Core): KubeObject | null {
  let lowest: KubeObject | null = null;
  for (const { object } of cacheOf(core, priorityClasses).select(everything())) {
    if (object.globalDefault && (lowest === null || object.value < lowest.value)) lowest = object;
  }
  return lowest;
}

function everything(): { keyPrefix: string } {
  return { keyPrefix: prefixOf(priorityClasses) };
}

function refuseSecondDefault(request: AdmissionRequest, core: Core): void {
  const draft = request.object!;
  if (!draft.globalDefault) return;
  const standing = defaultClass(core);
  if (standing === null || standing.metadata.name === draft.metadata.name) return;
  const reason = `PriorityClass ${draft.metadata.name} can't be the default: ` +
    `PriorityClass ${standing.metadata.name} is already marked as default. ` +
    "Only one default can exist";
  throw forbidden(CLASSES, request.name, reason);
}
