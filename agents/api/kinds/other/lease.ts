/**
 * The rules of leases.
 * In: drafts. Out: checks, columns. Never: decides who leads.
 * Source: pkg/apis/coordination/validation (v1.36).
 */
import type { FieldError, Rules } from "../../resource.ts";
import type { KubeObject } from "../../meta.ts";
import type { Lease } from "../../schema/generated/coordination_v1.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { Problems } from "../problems.ts";

export type { Lease, LeaseSpec } from "../../schema/generated/coordination_v1.ts";

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const spec = (draft as Lease).spec ?? {};
  const seconds = spec.leaseDurationSeconds;
  if (seconds !== undefined && seconds <= 0) {
    problems.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0");
  }
  problems.nonNegative("spec.leaseTransitions", spec.leaseTransitions);
  if (spec.holderIdentity === "") {
    problems.invalid("spec.holderIdentity", "", "must not be empty");
  }
  return problems.errors;
}

export const leaseRules: Rules = {
  validate,
  generationFields: [],
  columns: [
    nameColumn,
    column("Holder", "Who holds the lease.", (lease) => lease.spec?.holderIdentity ?? ""),
    ageColumn,
  ],
};
