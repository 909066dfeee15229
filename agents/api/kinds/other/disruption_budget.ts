/**
 * The rules of pod disruption budgets.
 * In: drafts. Out: checks, columns. Never: counts what is healthy.
 * Source: pkg/apis/policy/validation (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import { checkPercent } from "../../names.ts";
import { validateLabelSelector } from "../../object_meta.ts";
import type { FieldError, Rules } from "../../resource.ts";
import type { PodDisruptionBudget } from "../../schema/generated/policy_v1.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { ownStatus } from "../prepare.ts";
import { Problems } from "../problems.ts";

export type { PodDisruptionBudget } from "../../schema/generated/policy_v1.ts";

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { spec } = draft as PodDisruptionBudget;
  if (spec?.minAvailable !== undefined && spec.maxUnavailable !== undefined) {
    problems.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set");
  }
  for (const field of ["minAvailable", "maxUnavailable"] as const) {
    const value = spec?.[field];
    if (typeof value === "number") problems.nonNegative(`spec.${field}`, value);
    else if (value !== undefined) {
      problems.checkName(`spec.${field}`, value, checkPercent);
      if (parseInt(value) > 100) {
        problems.invalid(`spec.${field}`, value, "must not be greater than 100%");
      }
    }
  }
  validateLabelSelector(problems, "spec.selector", spec?.selector);
  return problems.errors;
}

const share = (field: string) => (budget: KubeObject) => String(budget.spec?.[field] ?? "N/A");

export const disruptionBudgetRules: Rules = {
  ...ownStatus(() => ({
    disruptionsAllowed: 0,
    currentHealthy: 0,
    desiredHealthy: 0,
    expectedPods: 0,
  })),
  validate,
  columns: [
    nameColumn,
    column("Min Available", "Pods that must stay.", share("minAvailable")),
    column("Max Unavailable", "Pods that may be away.", share("maxUnavailable")),
    column(
      "Allowed Disruptions",
      "Pods that may be evicted now.",
      (budget) => budget.status?.disruptionsAllowed ?? 0,
      { type: "integer" },
    ),
    ageColumn,
  ],
};
