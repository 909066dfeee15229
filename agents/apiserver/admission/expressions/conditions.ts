/**
 * Conditions that a request must meet before a webhook or a policy is asked.
 * In: compiled conditions, bindings. Out: whether all hold, or why that can't be said.
 * Never: lets an error hide a condition that is false.
 * Source: apiserver's admission/plugin/webhook/matchconditions (v1.36).
 */
import { BOOL, type Environment } from "../../../cel/mod.ts";
import {
  type Bindings,
  compileExpression,
  type NamedExpression,
  newConditionBudget,
  OutOfBudget,
  run,
} from "./expression.ts";

export type Met =
  | { readonly kind: "met" }
  | { readonly kind: "unmet" }
  | { readonly kind: "failed"; readonly message: string };

export interface Condition {
  readonly name: string;
  readonly expression: string;
}

export function compileConditions(
  conditions: readonly Condition[],
  names: Environment,
): readonly NamedExpression[] {
  return conditions.map(({ name, expression }) => ({
    name,
    ...compileExpression(expression, names, [BOOL]),
  }));
}

/** @param mayFail whether an error counts as a condition that is not met */
export function meetsAll(
  conditions: readonly NamedExpression[],
  bindings: Bindings,
  mayFail: boolean,
): Met {
  if (conditions.length === 0) return { kind: "met" };
  const budget = newConditionBudget();
  const errors: string[] = [];
  try {
    for (const condition of conditions) {
      const outcome = run(condition, bindings, budget);
      if (outcome.kind === "error") errors.push(outcome.message);
      else if (outcome.value === false) return { kind: "unmet" };
      else if (outcome.value !== true) errors.push("cel evaluated to no bool");
    }
  } catch (error) {
    if (!(error instanceof OutOfBudget)) throw error;
    errors.splice(0, errors.length, error.message);
  }
  if (errors.length === 0) return { kind: "met" };
  if (mayFail) return { kind: "unmet" };
  return { kind: "failed", message: errors.length === 1 ? errors[0] : `[${errors.join(", ")}]` };
}
