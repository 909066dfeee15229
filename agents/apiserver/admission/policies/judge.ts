/**
 * What a validating policy says of one request.
 * In: a compiled policy, bindings. Out: decisions by validation, annotations.
 * Never: refuses; what a decision means is its binding's to say.
 * Source: apiserver's admission/plugin/policy/validating/validator.go (v1.36).
 */
import type { KubeObject } from "../../../api/meta.ts";
import { BOOL, NULL, STRING } from "../../../cel/mod.ts";
import { meetsAll } from "../expressions/conditions.ts";
import {
  type Bindings,
  compileExpression,
  type Expression,
  lazyVariables,
  newBudget,
  type Outcome,
  OutOfBudget,
  run,
} from "../expressions/expression.ts";
import { namesFor } from "../expressions/names.ts";
import { compileBase, type PolicyBase } from "./policy.ts";

interface Validation {
  readonly check: Expression;
  readonly messageExpression: Expression | null;
  readonly message: string;
  readonly reason: string;
}

export interface ValidatingPolicy extends PolicyBase {
  readonly validations: readonly Validation[];
  readonly annotations: readonly { readonly key: string; readonly value: Expression }[];
}

/** A validation that does not hold, or could not be evaluated. */
export interface Decision {
  readonly index: number;
  readonly message: string;
  readonly reason: string;
}

export interface Judgement {
  readonly decisions: readonly Decision[];
  /** Annotations that could not be made: refused whatever the binding does with decisions. */
  readonly failures: readonly string[];
  readonly annotations: readonly { readonly key: string; readonly value: string }[];
}

const MAX_MESSAGE = 5 * 1024;
const MAX_ANNOTATION = 10 * 1024;
const DEFAULT_REASON = "Invalid";
const NOTHING: Judgement = { decisions: [], failures: [], annotations: [] };

export function compileValidating(object: KubeObject): ValidatingPolicy {
  const base = compileBase(object);
  const { hasParams: params, variableTypes: variables } = base;
  const names = namesFor({ params, authorizer: true, variables });
  // A message may not depend on who may do what.
  const messageNames = namesFor({ params, variables });
  return {
    ...base,
    validations: (base.spec.validations ?? []).map((item: KubeObject): Validation => ({
      check: compileExpression(item.expression, names, [BOOL]),
      messageExpression: item.messageExpression
        ? compileExpression(item.messageExpression, messageNames, [STRING])
        : null,
      message: (item.message ?? "").trim(),
      reason: item.reason ?? DEFAULT_REASON,
    })),
    annotations: (base.spec.auditAnnotations ?? []).map((item: KubeObject) => ({
      key: item.key,
      value: compileExpression(item.valueExpression, messageNames, [STRING, NULL]),
    })),
  };
}

export function judge(policy: ValidatingPolicy, seen: Bindings): Judgement {
  const failed = (message: string): Judgement =>
    policy.mayFail
      ? NOTHING
      : { ...NOTHING, decisions: [{ index: 0, message, reason: DEFAULT_REASON }] };
  const met = meetsAll(policy.conditions, seen, policy.mayFail);
  if (met.kind === "unmet") return NOTHING;
  if (met.kind === "failed") return failed(met.message);
  const budget = newBudget();
  const bindings = { ...seen, variables: lazyVariables(policy.variables, seen, budget) };
  try {
    const decisions = policy.validations.flatMap((validation, index): Decision[] => {
      const { check, reason } = validation;
      const outcome = run(check, bindings, budget);
      if (outcome.kind === "error") {
        return policy.mayFail ? [] : [{ index, message: outcome.message, reason: DEFAULT_REASON }];
      }
      if (outcome.value === true) return [];
      const told = validation.messageExpression === null
        ? null
        : run(validation.messageExpression, bindings, budget);
      return [{ index, message: messageOf(validation, told), reason }];
    });
    return { decisions, ...annotate(policy, bindings) };
  } catch (error) {
    if (error instanceof OutOfBudget) return failed(error.message);
    throw error;
  }
}

/** The computed message, or the written one, or the expression itself. */
function messageOf({ message, check }: Validation, told: Outcome | null): string {
  if (told?.kind === "value" && typeof told.value === "string") {
    const text = told.value.trim();
    if (text !== "" && text.length <= MAX_MESSAGE && !text.includes("\n")) return text;
  }
  return message || `failed expression: ${check.source.trim()}`;
}

/** Annotations that say something, and why others could not be made. */
function annotate(
  policy: ValidatingPolicy,
  bindings: Bindings,
): Pick<Judgement, "annotations" | "failures"> {
  const budget = newBudget();
  const annotations: { key: string; value: string }[] = [];
  const failures: string[] = [];
  for (const { key, value: expression } of policy.annotations) {
    const outcome = run(expression, bindings, budget);
    if (outcome.kind === "error") {
      if (!policy.mayFail) failures.push(outcome.message);
    } else if (typeof outcome.value === "string") {
      const value = outcome.value.trim();
      if (value !== "") annotations.push({ key, value: value.slice(0, MAX_ANNOTATION) });
    } else if (outcome.value !== null) {
      failures.push(
        `valueExpression '${expression.source}' resulted in unsupported return type. ` +
          "Return type must be either string or null.",
      );
    }
  }
  return { annotations, failures };
}
