/**
 * The rules of validating and mutating admission policies and their bindings.
 * In: drafts. Out: defaults, checks, columns. Never: compiles or runs an expression.
 * Source: pkg/apis/admissionregistration (defaults and validation, v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import { checkDns1123Subdomain, checkPathSegment, checkQualifiedName } from "../../names.ts";
import { validateLabelSelector } from "../../object_meta.ts";
import type { FieldError, Rules } from "../../resource.ts";
import { formatLabelSelector, fromLabelSelector } from "../../selector.ts";
import type {
  AuditAnnotation,
  MutatingAdmissionPolicySpec,
  Mutation,
  ParamKind,
  ParamRef,
  ValidatingAdmissionPolicyBindingSpec,
  ValidatingAdmissionPolicySpec,
  Validation,
  Variable,
} from "../../schema/generated/admissionregistration_v1.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { ownStatus } from "../prepare.ts";
import { Problems } from "../problems.ts";
import {
  FAILURE_POLICIES,
  setMatchDefaults,
  validateMatchConditions,
  validateMatchResources,
} from "./match_rules.ts";

export type {
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from "../../schema/generated/admissionregistration_v1.ts";

const MUTATED_OPERATIONS = ["CREATE", "UPDATE"];
const REINVOCATIONS = ["IfNeeded", "Never"];
const PATCH_TYPES = ["ApplyConfiguration", "JSONPatch"];
const REASONS = ["Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"];
const ACTIONS = ["Audit", "Deny", "Warn"];
const NOT_FOUND_ACTIONS = ["Deny", "Allow"];
const IDENTIFIER = /^[_a-zA-Z][_a-zA-Z0-9]*$/;
const MAX_ANNOTATIONS = 20;
const MAX_VALUE_BYTES = 5 * 1024;

/** What the specs of both kinds of policies share. */
type PolicySpec = Pick<
  ValidatingAdmissionPolicySpec & MutatingAdmissionPolicySpec,
  "failurePolicy" | "paramKind" | "matchConstraints" | "matchConditions" | "variables"
>;

function validateParamKind(problems: Problems, at: string, kind: ParamKind | undefined): void {
  if (kind === undefined) return;
  if (!kind.apiVersion) problems.required(`${at}.apiVersion`);
  else if (kind.apiVersion.split("/").length > 2) {
    const detail = `invalid group version: unexpected GroupVersion string: ${kind.apiVersion}`;
    problems.invalid(`${at}.apiVersion`, kind.apiVersion, detail);
  }
  if (!kind.kind) problems.required(`${at}.kind`);
}

function validateVariables(problems: Problems, path: string, list: readonly Variable[]): void {
  list.forEach(({ name, expression }, index) => {
    const at = `${path}[${index}]`;
    if (!name?.trim()) problems.required(`${at}.name`, "name is not specified");
    else if (!IDENTIFIER.test(name)) {
      problems.invalid(`${at}.name`, name, "must be a valid CEL identifier");
    }
    if (!expression?.trim()) {
      problems.required(`${at}.expression`, "expression is not specified");
    }
  });
}

function validatePolicy(problems: Problems, spec: PolicySpec): void {
  if (spec.failurePolicy === undefined) problems.required("spec.failurePolicy");
  else if (!FAILURE_POLICIES.includes(spec.failurePolicy)) {
    problems.notSupported("spec.failurePolicy", spec.failurePolicy, [...FAILURE_POLICIES].sort());
  }
  validateParamKind(problems, "spec.paramKind", spec.paramKind);
  const match = spec.matchConstraints;
  if (match === undefined) problems.required("spec.matchConstraints");
  else {
    validateMatchResources(problems, "spec.matchConstraints", match);
    if ((match.resourceRules ?? []).length === 0) {
      problems.required("spec.matchConstraints.resourceRules");
    }
  }
  validateMatchConditions(problems, "spec.matchConditions", spec.matchConditions ?? []);
  validateVariables(problems, "spec.variables", spec.variables ?? []);
}

function validateValidation(problems: Problems, at: string, item: Validation): void {
  const { expression = "", message = "", messageExpression = "", reason } = item;
  if (!expression.trim()) {
    problems.required(`${at}.expression`, "expression is not specified");
  }
  if (messageExpression !== "" && !messageExpression.trim()) {
    const detail = "must be non-empty if specified";
    problems.invalid(`${at}.messageExpression`, messageExpression, detail);
  }
  if (message !== "" && !message.trim()) {
    problems.invalid(`${at}.message`, message, "must be non-empty if specified");
  } else if (message.trim().includes("\n")) {
    problems.invalid(`${at}.message`, message, "must not contain line breaks");
  } else if (message === "" && expression.trim().includes("\n")) {
    const detail = "message must be specified if expression contains line breaks";
    problems.required(`${at}.message`, detail);
  }
  if (reason !== undefined && !REASONS.includes(reason)) {
    problems.notSupported(`${at}.reason`, reason, REASONS);
  }
}

function validateAnnotations(
  problems: Problems,
  list: readonly AuditAnnotation[],
  policyName: string,
): void {
  const path = "spec.auditAnnotations";
  if (list.length > MAX_ANNOTATIONS) {
    const detail = `must not have more than ${MAX_ANNOTATIONS} auditAnnotations`;
    problems.invalid(path, list, detail);
  }
  const keys = new Set<string>();
  list.forEach(({ key = "", valueExpression = "" }, index) => {
    const at = `${path}[${index}]`;
    for (const fault of checkQualifiedName(`${policyName}/${key}`)) {
      problems.invalid(`${at}.key`, key, fault);
    }
    if (keys.has(key)) problems.duplicate(`${at}.key`, key);
    keys.add(key);
    const trimmed = valueExpression.trim();
    if (trimmed === "") {
      problems.required(`${at}.valueExpression`, "valueExpression is not specified");
    } else if (trimmed.length > MAX_VALUE_BYTES) {
      const detail = `must not exceed ${MAX_VALUE_BYTES} bytes in length`;
      problems.required(`${at}.valueExpression`, detail);
    }
  });
}

function validateValidating(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const spec: ValidatingAdmissionPolicySpec = draft.spec ?? {};
  validatePolicy(problems, spec);
  const { validations = [], auditAnnotations = [] } = spec;
  if (validations.length === 0 && auditAnnotations.length === 0) {
    const detail = "validations or auditAnnotations must contain at least one item";
    problems.required("spec.validations", `${detail}`);
    problems.required("spec.auditAnnotations", detail);
  }
  validations.forEach((item, index) =>
    validateValidation(problems, `spec.validations[${index}]`, item)
  );
  validateAnnotations(problems, auditAnnotations, draft.metadata.name ?? "");
  return problems.errors;
}

function validateMutation(problems: Problems, at: string, mutation: Mutation): void {
  const { patchType = "", jsonPatch, applyConfiguration } = mutation;
  if (patchType === "") return problems.required(`${at}.patchType`);
  if (!PATCH_TYPES.includes(patchType)) {
    return problems.notSupported(`${at}.patchType`, patchType, PATCH_TYPES);
  }
  const [wanted, other] = patchType === "JSONPatch"
    ? ["jsonPatch", "applyConfiguration"] as const
    : ["applyConfiguration", "jsonPatch"] as const;
  const given = { jsonPatch, applyConfiguration };
  if (given[wanted] === undefined) {
    problems.required(`${at}.${wanted}`, `must be specified when patchType is ${patchType}`);
  } else if (!given[wanted]?.expression?.trim()) {
    problems.required(`${at}.${wanted}.expression`);
  }
  if (given[other] !== undefined) {
    const detail = `must not be specified when patchType is ${patchType}`;
    problems.invalid(`${at}.${other}`, `{${other}}`, detail);
  }
}

function validateMutating(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const spec: MutatingAdmissionPolicySpec = draft.spec ?? {};
  validatePolicy(problems, spec);
  for (const rule of spec.matchConstraints?.resourceRules ?? []) {
    for (const operation of rule.operations ?? []) {
      if (MUTATED_OPERATIONS.includes(operation)) continue;
      const path = "spec.matchConstraints.resourceRules.operations";
      problems.notSupported(path, operation, MUTATED_OPERATIONS);
    }
  }
  const mutations = spec.mutations ?? [];
  if (mutations.length === 0) {
    problems.required("spec.mutations", "mutations must contain at least one item");
  }
  mutations.forEach((item, index) => validateMutation(problems, `spec.mutations[${index}]`, item));
  problems.oneOf("spec.reinvocationPolicy", spec.reinvocationPolicy, REINVOCATIONS);
  return problems.errors;
}

function validateParamRef(problems: Problems, at: string, reference: ParamRef | undefined): void {
  if (reference === undefined) return;
  const { name, selector, parameterNotFoundAction: action } = reference;
  if (name) {
    problems.checkName(`${at}.name`, name, checkPathSegment);
    if (selector !== undefined) {
      problems.forbidden(`${at}.name`, "name and selector are mutually exclusive");
      problems.forbidden(`${at}.selector`, "name and selector are mutually exclusive");
    }
  } else if (selector === undefined) {
    problems.required(at, "one of name or selector must be specified");
  }
  validateLabelSelector(problems, `${at}.selector`, selector);
  if (!action) problems.required(`${at}.parameterNotFoundAction`);
  else if (!NOT_FOUND_ACTIONS.includes(action)) {
    problems.notSupported(`${at}.parameterNotFoundAction`, action, NOT_FOUND_ACTIONS);
  }
}

function validateBinding(draft: KubeObject, isValidating: boolean): FieldError[] {
  const problems = new Problems();
  const spec: Partial<ValidatingAdmissionPolicyBindingSpec> = draft.spec ?? {};
  if (!spec.policyName) problems.required("spec.policyName");
  else problems.checkName("spec.policyName", spec.policyName, checkDns1123Subdomain);
  validateParamRef(problems, "spec.paramRef", spec.paramRef);
  if (spec.matchResources !== undefined) {
    validateMatchResources(problems, "spec.matchResources", spec.matchResources);
  }
  if (!isValidating) return problems.errors;
  const actions = spec.validationActions ?? [];
  if (actions.length === 0) problems.required("spec.validationActions");
  actions.forEach((action, index) => {
    const at = `spec.validationActions[${index}]`;
    if (!ACTIONS.includes(action)) problems.notSupported(at, action, ACTIONS);
    if (actions.indexOf(action) < index) problems.duplicate(at, action);
  });
  if (actions.includes("Deny") && actions.includes("Warn")) {
    problems.invalid(
      "spec.validationActions",
      actions,
      "must not contain both Deny and Warn (repeating the same validation failure information " +
        "in the API response and headers serves no purpose)",
    );
  }
  return problems.errors;
}

function setPolicyDefaults(draft: KubeObject): void {
  if (draft.spec === undefined) return;
  draft.spec.failurePolicy ??= "Fail";
  setMatchDefaults(draft.spec.matchConstraints);
}

const asInteger = { type: "integer" } as const;

const paramKindColumn = column("ParamKind", "Kind of its parameters.", ({ spec }) => {
  const kind: ParamKind | undefined = spec?.paramKind;
  return kind === undefined ? "<unset>" : `${kind.apiVersion}/${kind.kind}`;
});

function paramCell({ spec }: KubeObject): string {
  const reference: ParamRef | undefined = spec?.paramRef;
  if (reference?.name) return `${reference.namespace || "*"}/${reference.name}`;
  const selector = fromLabelSelector(reference?.selector);
  return selector === null ? "<unset>" : formatLabelSelector(selector);
}

export const validatingPolicyRules: Rules = {
  setDefaults: setPolicyDefaults,
  ...ownStatus(),
  validate: validateValidating,
  columns: [
    nameColumn,
    column(
      "Validations",
      "How many checks it has.",
      ({ spec }) => (spec?.validations ?? []).length,
      asInteger,
    ),
    paramKindColumn,
    ageColumn,
  ],
};

export const mutatingPolicyRules: Rules = {
  setDefaults: setPolicyDefaults,
  validate: validateMutating,
  columns: [
    nameColumn,
    column(
      "Mutations",
      "How many changes it makes.",
      ({ spec }) => (spec?.mutations ?? []).length,
      asInteger,
    ),
    paramKindColumn,
    ageColumn,
  ],
};

function bindingRules(isValidating: boolean): Rules {
  return {
    setDefaults: (draft) => setMatchDefaults(draft.spec?.matchResources),
    validate: (draft) => validateBinding(draft, isValidating),
    columns: [
      nameColumn,
      column("PolicyName", "Policy that it puts to work.", ({ spec }) => spec?.policyName ?? ""),
      column("ParamRef", "Parameters that it gives.", paramCell),
      ageColumn,
    ],
  };
}

export const validatingBindingRules: Rules = bindingRules(true);
export const mutatingBindingRules: Rules = bindingRules(false);
