/**
 * Strategic merge patch.
 */
import { applyMergePatch } from "./merge_patch.ts";
import type { Json, PatchOutcome } from "./outcome.ts";

/** @param typeName key of the object's type in the field tables. */
export function applyStrategicMergePatch(
  typeName: string,
  target: Json,
  patch: Json,
): PatchOutcome {
  void typeName;
  return applyMergePatch(target, patch);
}
