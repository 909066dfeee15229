/**
 * Checks which requests a webhook or an admission policy is asked about.
 * In: rules, conditions, selectors. Out: field errors. Never: matches a request.
 * Source: validateRule, validateResources, validateMatchConditions of
 * pkg/apis/admissionregistration/validation (v1.36).
 */
import { checkQualifiedName } from "../../names.ts";
import { validateLabelSelector } from "../../object_meta.ts";
import type {
  MatchCondition,
  MatchResources,
  RuleWithOperations,
} from "../../schema/generated/admissionregistration_v1.ts";
import type { Problems } from "../problems.ts";

export const FAILURE_POLICIES = ["Fail", "Ignore"];
export const MATCH_POLICIES = ["Equivalent", "Exact"];
const OPERATIONS = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const SCOPES = ["*", "Cluster", "Namespaced"];
const MAX_CONDITIONS = 64;

/** Lists in which a star stands alone. @param word what the list holds, for the message. */
function validateStarList(
  problems: Problems,
  path: string,
  list: readonly string[],
  word: string,
): void {
  if (list.length === 0) problems.required(path);
  if (list.length > 1 && list.includes("*")) {
    problems.invalid(path, list, `if '*' is present, must not specify other ${word}`);
  }
}

/** `pods`, `pods/log`, `*`, `pods/*`, and so on, as far as they do not repeat each other. */
function validateResources(problems: Problems, path: string, list: readonly string[]): void {
  if (list.length === 0) problems.required(path);
  const wholeResources = new Set<string>();
  const wholeSubresources = new Set<string>();
  let hasPlain = false;
  list.forEach((item, index) => {
    const at = `${path}[${index}]`;
    if (item === "") return problems.required(at);
    const slash = item.indexOf("/");
    if (slash < 0) {
      hasPlain = item !== "*";
      return;
    }
    const [resource, subresource] = [item.slice(0, slash), item.slice(slash + 1)];
    if (wholeResources.has(resource)) {
      const detail = `if '${resource}/*' is present, must not specify ${item}`;
      problems.invalid(at, item, detail);
    }
    if (wholeSubresources.has(subresource)) {
      const detail = `if '*/${subresource}' is present, must not specify ${item}`;
      problems.invalid(at, item, detail);
    }
    if (subresource === "*") wholeResources.add(resource);
    if (resource === "*") wholeSubresources.add(subresource);
  });
  if (list.length > 1 && list.includes("*/*")) {
    problems.invalid(path, list, "if '*/*' is present, must not specify other resources");
  }
  if (list.includes("*") && hasPlain) {
    const detail = "if '*' is present, must not specify other resources without subresources";
    problems.invalid(path, list, detail);
  }
}

/** One rule of a webhook or a policy. */
export function validateRule(problems: Problems, at: string, rule: RuleWithOperations): void {
  const { operations = [], apiGroups = [], apiVersions = [], resources = [], scope } = rule;
  validateStarList(problems, `${at}.operations`, operations, "operations");
  operations.forEach((operation, index) => {
    if (OPERATIONS.includes(operation)) return;
    problems.notSupported(`${at}.operations[${index}]`, operation, OPERATIONS);
  });
  validateStarList(problems, `${at}.apiGroups`, apiGroups, "API groups");
  validateStarList(problems, `${at}.apiVersions`, apiVersions, "API versions");
  apiVersions.forEach((version, index) => {
    if (version === "") problems.required(`${at}.apiVersions[${index}]`);
  });
  validateResources(problems, `${at}.resources`, resources);
  if (scope !== undefined && !SCOPES.includes(scope)) {
    problems.notSupported(`${at}.scope`, scope, SCOPES);
  }
}

/** Conditions in CEL; whether they compile is for the admission chain to find out. */
export function validateMatchConditions(
  problems: Problems,
  path: string,
  conditions: readonly MatchCondition[],
): void {
  if (conditions.length > MAX_CONDITIONS) {
    const detail = `must have at most ${MAX_CONDITIONS} items`;
    problems.errors.push({ type: "tooMany", path, value: conditions.length, detail });
  }
  const names = new Set<string>();
  conditions.forEach(({ name, expression }, index) => {
    const at = `${path}[${index}]`;
    if (!expression?.trim()) problems.required(`${at}.expression`);
    if (!name) return problems.required(`${at}.name`);
    problems.checkName(`${at}.name`, name, checkQualifiedName);
    if (names.has(name)) problems.duplicate(`${at}.name`, name);
    names.add(name);
  });
}

/** A policy's or a binding's choice of requests. */
export function validateMatchResources(
  problems: Problems,
  at: string,
  match: MatchResources,
): void {
  const { matchPolicy, namespaceSelector, objectSelector } = match;
  if (matchPolicy === undefined) problems.required(`${at}.matchPolicy`);
  else if (!MATCH_POLICIES.includes(matchPolicy)) {
    problems.notSupported(`${at}.matchPolicy`, matchPolicy, MATCH_POLICIES);
  }
  if (namespaceSelector === undefined) problems.required(`${at}.namespaceSelector`);
  else validateLabelSelector(problems, `${at}.namespaceSelector`, namespaceSelector);
  if (objectSelector === undefined) problems.required(`${at}.objectSelector`);
  else validateLabelSelector(problems, `${at}.objectSelector`, objectSelector);
  for (const field of ["resourceRules", "excludeResourceRules"] as const) {
    (match[field] ?? []).forEach((rule, index) => {
      const path = `${at}.${field}[${index}]`;
      validateRule(problems, path, rule);
      const names = rule.resourceNames ?? [];
      names.forEach((name, position) => {
        if (names.indexOf(name) < position) {
          problems.duplicate(`${path}.resourceNames[${position}]`, name);
        }
      });
    });
  }
}

/** What is matched where nothing is said. */
export function setMatchDefaults(match: MatchResources | undefined): void {
  if (match === undefined) return;
  match.matchPolicy ??= "Equivalent";
  match.namespaceSelector ??= {};
  match.objectSelector ??= {};
  for (const rule of [...match.resourceRules ?? [], ...match.excludeResourceRules ?? []]) {
    rule.scope ??= "*";
  }
}
