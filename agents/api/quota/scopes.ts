/**
 * The scopes of a quota: which objects it is about.
 * In: a quota's spec. Out: terms, all of which an object must meet. Never: reads an object.
 * Source: apiserver's quota/v1/generic/evaluator.go, core helper's scope selectors (v1.36).
 */
import type { KubeObject } from "../meta.ts";

export interface ScopeTerm {
  readonly scopeName: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

export function scopeTermsOf({ spec = {} }: KubeObject): readonly ScopeTerm[] {
  const named = (spec.scopes ?? []).map((scopeName: string) => ({ scopeName, operator: "Exists" }));
  return [...named, ...spec.scopeSelector?.matchExpressions ?? []];
}

/** Whether names that an object refers to meet a term. */
export function meetsTerm({ operator, values = [] }: ScopeTerm, names: readonly string[]): boolean {
  switch (operator) {
    case "Exists":
      return names.length > 0;
    case "DoesNotExist":
      return names.length === 0;
    case "In":
      return names.some((name) => values.includes(name));
    case "NotIn":
      return names.length === 0 || names.some((name) => !values.includes(name));
    default:
      return false;
  }
}
