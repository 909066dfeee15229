/**
 * The rules of roles, cluster roles and their bindings.
 * In: drafts. Out: defaults, checks, columns. Never: decides who may do what.
 * Source: pkg/apis/rbac/validation, pkg/apis/rbac/v1/defaults.go (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import { checkDns1123Subdomain, checkPathSegment } from "../../names.ts";
import { validateLabelSelector } from "../../object_meta.ts";
import type { FieldError, Rules, TableColumn } from "../../resource.ts";
import type {
  ClusterRole,
  PolicyRule,
  Role,
  RoleBinding,
  Subject,
} from "../../schema/generated/rbac_v1.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { Problems, sameJson } from "../problems.ts";

export type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  RoleRef,
  Subject,
} from "../../schema/generated/rbac_v1.ts";

const GROUP = "rbac.authorization.k8s.io";
const SUBJECT_KINDS = ["ServiceAccount", "User", "Group"];

function validateRule(
  problems: Problems,
  at: string,
  rule: PolicyRule,
  isNamespaced: boolean,
): void {
  const { verbs = [], nonResourceURLs = [], apiGroups = [], resources = [] } = rule;
  if ((verbs ?? []).length === 0) {
    problems.required(`${at}.verbs`, "verbs must contain at least one value");
  }
  if (nonResourceURLs.length > 0) {
    const path = `${at}.nonResourceURLs`;
    if (isNamespaced) {
      const detail = "namespaced rules cannot apply to non-resource URLs";
      problems.invalid(path, nonResourceURLs, detail);
    }
    const names = rule.resourceNames ?? [];
    if (apiGroups.length > 0 || resources.length > 0 || names.length > 0) {
      const detail = "rules cannot apply to both regular resources and non-resource URLs";
      problems.invalid(path, nonResourceURLs, detail);
    }
    return;
  }
  if (apiGroups.length === 0) {
    problems.required(`${at}.apiGroups`, "resource rules must supply at least one api group");
  }
  if (resources.length === 0) {
    problems.required(`${at}.resources`, "resource rules must supply at least one resource");
  }
}

function validateRole(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  ((draft as Role).rules ?? []).forEach((rule, index) =>
    validateRule(problems, `rules[${index}]`, rule, true)
  );
  return problems.errors;
}

function validateClusterRole(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { rules, aggregationRule } = draft as ClusterRole;
  (rules ?? []).forEach((rule, index) => validateRule(problems, `rules[${index}]`, rule, false));
  if (aggregationRule === undefined) return problems.errors;
  const selectors = aggregationRule.clusterRoleSelectors ?? [];
  const at = "aggregationRule.clusterRoleSelectors";
  if (selectors.length === 0) {
    const detail = "at least one clusterRoleSelector required if aggregationRule is non-nil";
    problems.required(at, detail);
  }
  selectors.forEach((selector, index) => {
    validateLabelSelector(problems, `${at}[${index}]`, selector);
  });
  return problems.errors;
}

function validateSubject(
  problems: Problems,
  at: string,
  subject: Subject,
  isNamespaced: boolean,
): void {
  const { kind, name, apiGroup = "", namespace } = subject;
  if (!name) problems.required(`${at}.name`);
  switch (kind) {
    case "ServiceAccount":
      if (name) problems.checkName(`${at}.name`, name, checkDns1123Subdomain);
      if (apiGroup !== "") problems.notSupported(`${at}.apiGroup`, apiGroup, [""]);
      if (!isNamespaced && !namespace) problems.required(`${at}.namespace`);
      return;
    case "User":
    case "Group":
      if (apiGroup !== GROUP) problems.notSupported(`${at}.apiGroup`, apiGroup, [GROUP]);
      return;
    default:
      problems.notSupported(`${at}.kind`, kind, SUBJECT_KINDS);
  }
}

/** @param isNamespaced whether the binding is, and so may refer to a role of its namespace. */
function validateBinding(draft: KubeObject, isNamespaced: boolean): FieldError[] {
  const problems = new Problems();
  const { roleRef, subjects } = draft as RoleBinding;
  const { apiGroup, kind, name } = roleRef ?? {};
  if (apiGroup !== GROUP) problems.notSupported("roleRef.apiGroup", apiGroup ?? "", [GROUP]);
  const kinds = isNamespaced ? ["Role", "ClusterRole"] : ["ClusterRole"];
  if (!kinds.includes(kind)) problems.notSupported("roleRef.kind", kind ?? "", kinds);
  if (!name) problems.required("roleRef.name");
  else problems.checkName("roleRef.name", name, checkPathSegment);
  (subjects ?? []).forEach((subject, index) =>
    validateSubject(problems, `subjects[${index}]`, subject, isNamespaced)
  );
  return problems.errors;
}

function setBindingDefaults(draft: KubeObject): void {
  const binding = draft as RoleBinding;
  if (binding.roleRef !== undefined) binding.roleRef.apiGroup ||= GROUP;
  for (const subject of binding.subjects ?? []) {
    if (subject.kind === "User" || subject.kind === "Group") subject.apiGroup ||= GROUP;
  }
}

function validateBindingUpdate(draft: KubeObject, old: KubeObject): FieldError[] {
  const problems = new Problems();
  if (!sameJson(draft.roleRef, old.roleRef)) {
    problems.invalid("roleRef", draft.roleRef, "cannot change roleRef");
  }
  return problems.errors;
}

export const roleRules: Rules = {
  validate: validateRole,
  validateName: "pathSegment",
  generationFields: [],
};

export const clusterRoleRules: Rules = {
  validate: validateClusterRole,
  validateName: "pathSegment",
  generationFields: [],
};

function subjectsOf(binding: KubeObject, kind: string): string {
  const subjects = (binding as RoleBinding).subjects ?? [];
  return subjects.filter((subject) => subject.kind === kind).map(({ name, namespace }) =>
    kind === "ServiceAccount" ? `${namespace ?? ""}/${name}` : name
  ).join(", ");
}

const wide = { wide: true };

const bindingColumns: readonly TableColumn[] = [
  nameColumn,
  column(
    "Role",
    "Role that is granted.",
    ({ roleRef }) => `${roleRef?.kind ?? ""}/${roleRef?.name ?? ""}`,
  ),
  ageColumn,
  column("Users", "Users that get it.", (binding) => subjectsOf(binding, "User"), wide),
  column("Groups", "Groups that get it.", (binding) => subjectsOf(binding, "Group"), wide),
  column(
    "ServiceAccounts",
    "Service accounts that get it.",
    (binding) => subjectsOf(binding, "ServiceAccount"),
    wide,
  ),
];

function bindingRules(isNamespaced: boolean): Rules {
  return {
    setDefaults: setBindingDefaults,
    validate: (draft) => validateBinding(draft, isNamespaced),
    validateUpdate: validateBindingUpdate,
    validateName: "pathSegment",
    generationFields: [],
    columns: bindingColumns,
  };
}

export const roleBindingRules: Rules = bindingRules(true);
export const clusterRoleBindingRules: Rules = bindingRules(false);
