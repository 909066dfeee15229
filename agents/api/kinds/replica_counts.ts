/**
 * Checks the counts that a controller reports in a status.
 * In: a status, which of its fields are counts, which of them can't exceed `replicas`.
 * Out: problems. Never: counts. Source: apps/v1 and core/v1 status validation (v1.36).
 */
import type { KubeObject } from "../meta.ts";
import type { FieldError } from "../resource.ts";
import { Problems } from "./problems.ts";

export interface ReplicaCounts {
  /** Fields that can't be negative. */
  readonly counts: readonly string[];
  /** Fields that can't be greater than `replicas`. */
  readonly bounded?: readonly string[];
}

/** @returns problems of an object's status, by field. */
export function validateReplicaCounts(
  object: KubeObject,
  { counts, bounded = [] }: ReplicaCounts,
): FieldError[] {
  const problems = new Problems();
  const status: Readonly<Record<string, number | undefined>> = object.status ?? {};
  for (const field of counts) problems.nonNegative(`status.${field}`, status[field]);
  const { replicas = 0, readyReplicas = 0, availableReplicas = 0 } = status;
  for (const field of bounded) {
    const count = status[field] ?? 0;
    if (count > replicas) {
      problems.invalid(`status.${field}`, count, "cannot be greater than status.replicas");
    }
  }
  if (bounded.length > 0 && availableReplicas > readyReplicas) {
    const detail = "cannot be greater than readyReplicas";
    problems.invalid("status.availableReplicas", availableReplicas, detail);
  }
  return problems.errors;
}
