/**
 * The quality-of-service class of a pod, from its requests and limits of cpu and memory.
 * In: a pod's spec. Out: Guaranteed, Burstable or BestEffort. Never: reads the status.
 * Source: pkg/apis/core/helper/qos (v1.36).
 */
import { compareQuantities, milliOf } from "../../quantity.ts";
import type { PodSpec, ResourceRequirements } from "../../schema/generated/core_v1.ts";

export type QosClass = "Guaranteed" | "Burstable" | "BestEffort";

const COMPUTE = ["cpu", "memory"] as const;

/** @returns the class; it never changes during a pod's life. */
export function qosClassOf(spec: PodSpec): QosClass {
  const podLevel = spec.resources;
  if (podLevel?.limits || podLevel?.requests) return classOf([podLevel]);
  const containers = [...spec.containers ?? [], ...spec.initContainers ?? []];
  return classOf(containers.map((container) => container.resources ?? {}));
}

function classOf(all: readonly ResourceRequirements[]): QosClass {
  let asksAnything = false;
  let isGuaranteed = true;
  for (const { requests = {}, limits = {} } of all) {
    for (const name of COMPUTE) {
      const request = requests[name];
      const limit = limits[name];
      if (milliOf(request) > 0 || milliOf(limit) > 0) asksAnything = true;
      const isSet = milliOf(limit) > 0;
      const isEqual = isSet && compareQuantities(request ?? limit ?? "0", limit ?? "0") === 0;
      if (!isEqual) isGuaranteed = false;
    }
  }
  if (!asksAnything) return "BestEffort";
  return isGuaranteed ? "Guaranteed" : "Burstable";
}
