/** Checks changes of pods. */
import type { FieldError } from "../../resource.ts";
import type { Pod } from "../../schema/generated/core_v1.ts";

export function validatePodUpdate(_pod: Pod, _old: Pod): FieldError[] {
  return [];
}

export function validatePodStatusUpdate(_pod: Pod, _old: Pod): FieldError[] {
  return [];
}
