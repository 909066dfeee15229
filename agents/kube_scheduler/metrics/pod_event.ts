/**
 * Which event of the scheduler's a change of a pod is, by upstream's names.
 * In: a change, the profiles there are. Out: labels; none for pods of other schedulers.
 * Source: eventhandlers.go of Kubernetes v1.36.
 */
import type { Change } from "../../client/informer.ts";
import { isFinished } from "../encode.ts";
import type { Pod } from "../kinds.ts";

const SUFFIX = { add: "Add", update: "Update", delete: "Delete" } as const;

/** @param profiles by the name that pods call for */
export function labelsOf(
  { type, object, old }: Change<Pod>,
  profiles: { has(schedulerName: string): boolean },
): readonly string[] {
  const change = isFinished(object) ? "delete" : type;
  if (object.spec.nodeName) {
    const isBinding = change === "update" && !old?.spec.nodeName;
    return [`AssignedPod${isBinding ? "Add" : SUFFIX[change]}`];
  }
  const { schedulerName = "default-scheduler" } = object.spec;
  return profiles.has(schedulerName) ? [`UnschedulablePod${SUFFIX[change]}`] : [];
}
