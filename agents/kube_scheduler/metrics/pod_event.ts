/**
 * Which event of the scheduler's a change of a pod is, by upstream's names.
 * In: a change, the profiles there are. Out: labels; none for pods of other schedulers.
 * Source: eventhandlers.go of Kubernetes v1.36.
 */
import type { Change } from "../../client/informer.ts";
import { isFinished } from "../encode.ts";
import type { Pod } from "../kinds.ts";

const NONE: readonly string[] = [];
const ASSIGNED = {
  add: ["AssignedPodAdd"],
  update: ["AssignedPodUpdate"],
  delete: ["AssignedPodDelete"],
} as const;
const UNSCHEDULABLE = {
  add: ["UnschedulablePodAdd"],
  update: ["UnschedulablePodUpdate"],
  delete: ["UnschedulablePodDelete"],
} as const;

/** @param profiles by the name that pods call for */
export function labelsOf(
  { type, object, old }: Change<Pod>,
  profiles: { has(schedulerName: string): boolean },
): readonly string[] {
  const change = isFinished(object) ? "delete" : type;
  if (object.spec.nodeName) {
    const isBinding = change === "update" && !old?.spec.nodeName;
    return ASSIGNED[isBinding ? "add" : change];
  }
  const { schedulerName = "default-scheduler" } = object.spec;
  return profiles.has(schedulerName) ? UNSCHEDULABLE[change] : NONE;
}
