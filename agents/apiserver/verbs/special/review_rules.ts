/**
 * What an access review must say.
 * In: a review. Out: every problem of its spec. Never: decides.
 * Source: pkg/apis/authorization/validation (v1.36).
 */
import type { KubeObject } from "../../../api/meta.ts";
import type { FieldError } from "../../../api/resource.ts";

interface Selector {
  readonly rawSelector?: string;
  readonly requirements?: readonly {
    readonly key?: string;
    readonly operator?: string;
    readonly values?: readonly string[];
  }[];
}

/** @param kind SubjectAccessReview, or one of its two relatives */
export function reviewProblems(kind: string, review: KubeObject): FieldError[] {
  const problems: FieldError[] = [];
  const invalid = (path: string, value: unknown, detail: string) =>
    problems.push({ type: "invalid", path, value, detail });
  const { resourceAttributes: resource, nonResourceAttributes: path, user, groups } = review.spec ??
    {};
  if (resource && path) {
    const detail = "cannot be specified in combination with resourceAttributes";
    invalid("spec.nonResourceAttributes", path, detail);
  }
  if (!resource && !path) {
    const detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
    invalid("spec.resourceAttributes", null, detail);
  }
  if (kind !== "SelfSubjectAccessReview" && !user && !(groups?.length > 0)) {
    invalid("spec.user", user ?? "", "at least one of user or group must be specified");
  }
  for (const which of ["fieldSelector", "labelSelector"] as const) {
    if (resource?.[which]) {
      checkSelector(problems, `spec.resourceAttributes.${which}`, resource[which]);
    }
  }
  if (kind === "LocalSubjectAccessReview") {
    const { namespace = "" } = review.metadata;
    if (resource && (resource.namespace ?? "") !== namespace) {
      const at = "spec.resourceAttributes.namespace";
      invalid(at, resource.namespace ?? "", "must match metadata.namespace");
    }
    if (path) invalid("spec.nonResourceAttributes", path, "disallowed on this kind of request");
  }
  return problems;
}

function checkSelector(problems: FieldError[], at: string, selector: Selector): void {
  const { rawSelector = "", requirements = [] } = selector;
  if (rawSelector !== "" && requirements.length > 0) {
    const detail = "may not specified at the same time as requirements";
    problems.push({ type: "invalid", path: `${at}.rawSelector`, value: rawSelector, detail });
  }
  if (rawSelector === "" && requirements.length === 0) {
    const detail = `when ${at} is specified, requirements or rawSelector is required`;
    problems.push({ type: "required", path: `${at}.requirements`, detail });
  }
}

/** The field selector as a list or a watch would have it in its query; "" = none that narrows. */
export function selectorText(selector: Selector | undefined): string {
  if (selector?.rawSelector) return selector.rawSelector;
  // What is not one value of one field narrows nothing that an authorizer looks at.
  return (selector?.requirements ?? [])
    .filter(({ operator, values }) => operator === "In" && values?.length === 1)
    .map(({ key, values }) => `${key}=${values![0]}`).join(",");
}
