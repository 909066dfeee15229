/**
 * What a rule of a role allows, and what one set of rules leaves out of another.
 * In: rules and a request's attributes. Out: yes or no; the rights that are missing.
 * Never: looks roles up. Source: pkg/apis/rbac/v1/evaluation_helpers.go,
 * component-helpers auth/rbac/validation/policy_comparator.go (v1.36).
 */
import type { PolicyRule } from "../../../api/schema/generated/rbac_v1.ts";
import type { AccessAttributes } from "../authorize.ts";

const ALL = "*";

/** Whether one rule alone allows the request. */
export function ruleAllows(rule: PolicyRule, asked: AccessAttributes): boolean {
  if (!rule.verbs.includes(ALL) && !rule.verbs.includes(asked.verb)) return false;
  if (asked.path !== undefined) return urlAllowed(rule.nonResourceURLs, asked.path);
  const { apiGroups = [], resources = [], resourceNames = [] } = rule;
  if (!apiGroups.includes(ALL) && !apiGroups.includes(asked.group)) return false;
  if (!resourceAllowed(resources, asked.resource, asked.subresource)) return false;
  return resourceNames.length === 0 || resourceNames.includes(asked.name);
}

function resourceAllowed(
  resources: readonly string[],
  resource: string,
  subresource: string,
): boolean {
  if (resources.includes(ALL)) return true;
  if (subresource === "") return resources.includes(resource);
  return resources.includes(`${resource}/${subresource}`) ||
    resources.includes(`*/${subresource}`);
}

function urlAllowed(urls: readonly string[] | undefined, path: string): boolean {
  return urls?.some((url) =>
    url === ALL || url === path ||
    (url.endsWith(ALL) && path.startsWith(url.replace(/\*+$/, "")))
  ) ?? false;
}

/**
 * The single rights of `wanted` that no rule of `held` covers, one rule each.
 * @returns an empty list when everything is covered
 */
export function missingRights(
  held: readonly PolicyRule[],
  wanted: readonly PolicyRule[],
): PolicyRule[] {
  return wanted.flatMap(singleRights).filter((right) =>
    !held.some((rule) => ruleCovers(rule, right))
  );
}

function singleRights(rule: PolicyRule): PolicyRule[] {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  const names = resourceNames.length === 0 ? [undefined] : resourceNames;
  const rights: PolicyRule[] = [];
  for (const verb of verbs) {
    for (const url of nonResourceURLs) rights.push({ verbs: [verb], nonResourceURLs: [url] });
    for (const group of apiGroups) {
      for (const resource of resources) {
        for (const name of names) {
          rights.push({
            verbs: [verb],
            apiGroups: [group],
            resources: [resource],
            ...(name === undefined ? {} : { resourceNames: [name] }),
          });
        }
      }
    }
  }
  return rights;
}

/** Whether a rule holds one single right. */
function ruleCovers(rule: PolicyRule, right: PolicyRule): boolean {
  const holds = (list: readonly string[] | undefined, value: string) =>
    list !== undefined && (list.includes(ALL) || list.includes(value));
  if (!holds(rule.verbs, right.verbs[0])) return false;
  const url = right.nonResourceURLs?.[0];
  if (url !== undefined) return urlAllowed(rule.nonResourceURLs, url);
  const [group] = right.apiGroups!;
  const [resource] = right.resources!;
  const part = resource.includes("/") ? `*/${resource.slice(resource.indexOf("/") + 1)}` : resource;
  const isResource = holds(rule.resources, resource) || (rule.resources ?? []).includes(part);
  if (!holds(rule.apiGroups, group) || !isResource) return false;
  const names = rule.resourceNames ?? [];
  return names.length === 0 ||
    (right.resourceNames !== undefined && names.includes(right.resourceNames[0]));
}

/**
 * `{APIGroups:["apps"], Resources:["deployments"], Verbs:["get" "list"]}`, as refusals list them.
 */
export function formatRule(rule: PolicyRule): string {
  const quoted = (list: readonly string[]) => list.map((word) => JSON.stringify(word)).join(" ");
  const parts = [
    ["APIGroups", rule.apiGroups],
    ["Resources", rule.resources],
    ["NonResourceURLs", rule.nonResourceURLs],
    ["ResourceNames", rule.resourceNames],
    ["Verbs", rule.verbs],
  ] as const;
  const shown = parts.filter(([, list]) => list !== undefined && list.length > 0);
  return `{${shown.map(([name, list]) => `${name}:[${quoted(list!)}]`).join(", ")}}`;
}

/** Rules that differ in their verbs alone, as one. */
export function compactRules(rules: readonly PolicyRule[]): PolicyRule[] {
  const byRest = new Map<string, PolicyRule>();
  for (const { verbs, ...rest } of rules) {
    const key = JSON.stringify(rest);
    const known = byRest.get(key);
    byRest.set(key, { ...rest, verbs: known === undefined ? verbs : [...known.verbs, ...verbs] });
  }
  return [...byRest.values()];
}
