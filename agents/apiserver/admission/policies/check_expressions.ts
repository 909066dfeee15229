/**
 * Policies and webhooks whose expressions do not compile are not taken.
 * In: policies and webhook configurations about to be written. Out: 422 that shows the place.
 * Never: minds an expression that stood before; it may be older than this server's language.
 * Source: pkg/apis/admissionregistration/validation (v1.36).
 */
import type { KubeObject } from "../../../api/meta.ts";
import type { FieldError } from "../../../api/resource.ts";
import {
  mutatingAdmissionPolicies,
  mutatingWebhookConfigurations,
  validatingAdmissionPolicies,
  validatingWebhookConfigurations,
} from "../../../api/resources.ts";
import { invalid } from "../../../api/status.ts";
import type { AdmissionPlugin } from "../admission.ts";
import { compileConditions } from "../expressions/conditions.ts";
import { compileProblem, type Expression } from "../expressions/expression.ts";
import { CONDITION_NAMES } from "../webhooks/hooks.ts";
import { compileValidating } from "./judge.ts";
import { compileMutating } from "./mutate.ts";
import type { PolicyBase } from "./policy.ts";

type Placed = readonly [string, Expression];

export const expressionCheck: AdmissionPlugin = {
  name: "ExpressionCheck",
  validate({ resource, object, old, subresource, name }) {
    if (object === null || subresource !== "" || resource.group !== GROUP) return;
    const placesOf = PLACES.get(resource);
    if (placesOf === undefined) return;
    const standing = new Set(old === null ? [] : placesOf(old).map(([, { source }]) => source));
    const errors = placesOf(object).flatMap(([path, expression]): FieldError[] => {
      const problem = compileProblem(expression);
      if (problem === null || standing.has(expression.source)) return [];
      return [{ type: "invalid", path, value: expression.source, detail: problem }];
    });
    if (errors.length > 0) throw invalid(resource, name, errors);
  },
};

const GROUP = "admissionregistration.k8s.io";

const PLACES = new Map([
  [validatingAdmissionPolicies, validationsOf],
  [mutatingAdmissionPolicies, mutationsOf],
  [validatingWebhookConfigurations, hooksOf],
  [mutatingWebhookConfigurations, hooksOf],
]);

function hooksOf({ webhooks = [] }: KubeObject): readonly Placed[] {
  return webhooks.flatMap(({ matchConditions = [] }: KubeObject, hook: number) =>
    compileConditions(matchConditions, CONDITION_NAMES).map((condition, at): Placed => [
      `webhooks[${hook}].matchConditions[${at}].expression`,
      condition,
    ])
  );
}

function sharedOf({ conditions, variables }: PolicyBase): readonly Placed[] {
  return [
    ...conditions.map((one, at): Placed => [`spec.matchConditions[${at}].expression`, one]),
    ...variables.map((one, at): Placed => [`spec.variables[${at}].expression`, one]),
  ];
}

function validationsOf(object: KubeObject): readonly Placed[] {
  const policy = compileValidating(object);
  return [
    ...sharedOf(policy),
    ...policy.validations.flatMap(({ check, messageExpression }, at): Placed[] => [
      [`spec.validations[${at}].expression`, check],
      ...(messageExpression === null
        ? []
        : [[`spec.validations[${at}].messageExpression`, messageExpression] as const]),
    ]),
    ...policy.annotations.map(({ value }, at): Placed => [
      `spec.auditAnnotations[${at}].valueExpression`,
      value,
    ]),
  ];
}

function mutationsOf(object: KubeObject): readonly Placed[] {
  const policy = compileMutating(object);
  return [
    ...sharedOf(policy),
    ...policy.mutations.map(({ patchType, expression }, at): Placed => {
      const field = patchType === "JSONPatch" ? "jsonPatch" : "applyConfiguration";
      return [`spec.mutations[${at}].${field}.expression`, expression];
    }),
  ];
}
