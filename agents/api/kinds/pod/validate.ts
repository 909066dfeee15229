/** Checks pods. */
import type { FieldError } from "../../resource.ts";
import type { Pod, PodTemplateSpec } from "../../schema/generated/core_v1.ts";
import type { Problems } from "../problems.ts";

export function validatePod(_pod: Pod): FieldError[] {
  return [];
}

export function validatePodTemplate(_p: Problems, _path: string, _t: PodTemplateSpec): void {}
