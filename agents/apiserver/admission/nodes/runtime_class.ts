/**
 * Pods of a runtime class carry its overhead and stay on the nodes that have it.
 * In: pods about to be created. Out: overhead, node selector and tolerations of the class.
 * Never: lets a pod claim an overhead that its class does not have.
 * Source: plugin/pkg/admission/runtimeclass, component-helpers' tolerations (v1.36).
 */
import type { KubeObject } from "../../../api/meta.ts";
import { equalJson } from "../../../api/patch/json_patch.ts";
import { pods, runtimeClasses } from "../../../api/resources.ts";
import type { Toleration } from "../../../api/schema/generated/core_v1.ts";
import { forbidden } from "../../../api/status.ts";
import { cacheOf, type Core, keyOf, waitFresh } from "../../verbs/core.ts";
import type { AdmissionPlugin, AdmissionRequest } from "../admission.ts";

const WRONG_OVERHEAD = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";

export const runtimeClass: AdmissionPlugin = {
  name: "RuntimeClass",
  admit(request, core) {
    const name = classNameOf(request);
    if (name === undefined) return undefined;
    const found = find(core, name);
    if (found === undefined && !core.feed.isFresh) {
      return waitFresh(core).then(() => setClass(request, find(core, name)));
    }
    setClass(request, found);
    return undefined;
  },
  validate(request, core) {
    if (!isPodCreate(request)) return;
    const { overhead, runtimeClassName } = request.object!.spec ?? {};
    const found = runtimeClassName === undefined ? undefined : find(core, runtimeClassName);
    const fixed = found?.overhead?.podFixed;
    if (fixed === undefined && overhead !== undefined) {
      throw refused(
        request,
        "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
      );
    }
    if (fixed !== undefined && !equalJson(fixed, overhead)) throw refused(request, WRONG_OVERHEAD);
  },
};

function isPodCreate({ operation, resource, subresource }: AdmissionRequest): boolean {
  return resource === pods && operation === "CREATE" && subresource === "";
}

function classNameOf(request: AdmissionRequest): string | undefined {
  return isPodCreate(request) ? request.object!.spec?.runtimeClassName : undefined;
}

function find(core: Core, name: string): KubeObject | undefined {
  const key = keyOf({ resource: runtimeClasses, namespace: "", name });
  return cacheOf(core, runtimeClasses).get(key)?.object;
}

function refused(request: AdmissionRequest, reason: string): Error {
  return forbidden({ group: "", resource: "pods" }, request.name, reason);
}

/** Errors: throws ApiError 403. */
function setClass(request: AdmissionRequest, found: KubeObject | undefined): void {
  const { spec } = request.object!;
  if (found === undefined) {
    const name = JSON.stringify(spec.runtimeClassName);
    throw refused(request, `pod rejected: RuntimeClass ${name} not found`);
  }
  const fixed = found.overhead?.podFixed;
  if (found.overhead !== undefined) {
    const isSet = Object.keys(spec.overhead ?? {}).length > 0;
    if (isSet && !equalJson(fixed, spec.overhead)) throw refused(request, WRONG_OVERHEAD);
    if (fixed !== undefined) spec.overhead = { ...fixed };
  }
  if (found.scheduling === undefined) return;
  const { nodeSelector = {}, tolerations = [] } = found.scheduling;
  for (const [key, value] of Object.entries(nodeSelector)) {
    const wanted = spec.nodeSelector?.[key];
    if (wanted === undefined || wanted === value) continue;
    throw refused(
      request,
      `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; ` +
        `pod.spec.nodeSelector[${key}] = ${wanted}`,
    );
  }
  if (Object.keys(nodeSelector).length > 0) {
    spec.nodeSelector = { ...spec.nodeSelector, ...nodeSelector };
  }
  const merged = mergeTolerations([...spec.tolerations ?? [], ...tolerations]);
  if (merged.length > 0) spec.tolerations = merged;
}

/** Drops each toleration that another one covers; of equal ones the first stays. */
function mergeTolerations(all: readonly Toleration[]): Toleration[] {
  const merged: Toleration[] = [];
  all.forEach((one, index) => {
    if (merged.some((kept) => covers(kept, one))) return;
    const rest = all.slice(index + 1).filter((later) => !equalJson(later, one));
    if (rest.some((later) => covers(later, one))) return;
    merged.push(one);
  });
  return merged;
}

function covers(wide: Toleration, narrow: Toleration): boolean {
  if (equalJson(wide, narrow)) return true;
  const isForAllKeys = !wide.key && wide.operator === "Exists";
  if (narrow.key !== wide.key && !isForAllKeys) return false;
  if (narrow.effect !== wide.effect && wide.effect) return false;
  if (wide.effect === "NoExecute" && wide.tolerationSeconds !== undefined) {
    const { tolerationSeconds = Infinity } = narrow;
    if (tolerationSeconds > wide.tolerationSeconds) return false;
  }
  if (wide.operator === "Exists") return true;
  if ((wide.operator ?? "Equal") !== "Equal") return false;
  return (narrow.operator ?? "Equal") === "Equal" && narrow.value === wide.value;
}
