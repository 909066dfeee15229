/**
 * How much of a request is written down.
 * In: the policy and what a request asks. Out: a level, the stages left out, whether managed fields
 * are. Never: reads a body. Source: apiserver's audit/policy/checker.go (v1.36).
 */

export const LEVELS = ["None", "Metadata", "Request", "RequestResponse"] as const;
export type Level = (typeof LEVELS)[number];

export const STAGES = [
  "RequestReceived",
  "ResponseStarted",
  "ResponseComplete",
  "Panic",
] as const;
export type Stage = (typeof STAGES)[number];

export interface GroupResources {
  /** "" = core, `*` = all. */
  readonly group: string;
  readonly resources: readonly string[];
  readonly resourceNames: readonly string[];
}

/** One rule; an empty list matches everything. */
export interface AuditRule {
  readonly level: Level;
  readonly users: readonly string[];
  readonly userGroups: readonly string[];
  readonly verbs: readonly string[];
  readonly resources: readonly GroupResources[];
  readonly namespaces: readonly string[];
  readonly nonResourceURLs: readonly string[];
  readonly omitStages: readonly Stage[];
  readonly omitManagedFields?: boolean;
}

export interface AuditPolicy {
  readonly rules: readonly AuditRule[];
  readonly omitStages: readonly Stage[];
  readonly omitManagedFields: boolean;
}

/** What of a request the rules look at. */
export interface AuditAttributes {
  /** Null for whoever was not authenticated. */
  readonly user: { readonly name: string; readonly groups: readonly string[] } | null;
  readonly verb: string;
  readonly path: string;
  readonly isResource: boolean;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
}

export interface AuditPlan {
  readonly level: Level;
  readonly omitStages: readonly Stage[];
  readonly omitManagedFields: boolean;
}

/** The first rule that matches decides; where none does, nothing is written. */
export function planLevel(policy: AuditPolicy, asked: AuditAttributes): AuditPlan {
  const rule = policy.rules.find((candidate) => matches(candidate, asked));
  if (rule === undefined) {
    const { omitStages, omitManagedFields } = policy;
    return { level: "None", omitStages, omitManagedFields };
  }
  return {
    level: rule.level,
    omitStages: [...new Set([...policy.omitStages, ...rule.omitStages])],
    omitManagedFields: rule.omitManagedFields ?? policy.omitManagedFields,
  };
}

/** Whether a level writes at least what another one does. */
export function isAtLeast(level: Level, least: Level): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(least);
}

function matches(rule: AuditRule, asked: AuditAttributes): boolean {
  const { user } = asked;
  if (rule.users.length > 0 && (user === null || !rule.users.includes(user.name))) return false;
  if (rule.userGroups.length > 0 && !user?.groups.some((one) => rule.userGroups.includes(one))) {
    return false;
  }
  if (rule.verbs.length > 0 && !rule.verbs.includes(asked.verb)) return false;
  if (rule.namespaces.length > 0 || rule.resources.length > 0) return matchesResource(rule, asked);
  if (rule.nonResourceURLs.length === 0) return true;
  return !asked.isResource && rule.nonResourceURLs.some((url) => matchesUrl(url, asked.path));
}

function matchesUrl(url: string, path: string): boolean {
  if (url === "*" || url === path) return true;
  return url.endsWith("*") && path.startsWith(url.replace(/\*+$/, ""));
}

function matchesResource(rule: AuditRule, asked: AuditAttributes): boolean {
  if (!asked.isResource) return false;
  if (rule.namespaces.length > 0 && !rule.namespaces.includes(asked.namespace)) return false;
  if (rule.resources.length === 0) return true;
  return rule.resources.some((of) => {
    if (of.group !== asked.group && of.group !== "*") return false;
    if (of.resources.length === 0) return true;
    if (of.resourceNames.length > 0 && !of.resourceNames.includes(asked.name)) return false;
    return of.resources.some((name) => matchesName(name, asked));
  });
}

/** `pods`, `pods/log`, `pods/*`, the same part of any resource, or everything. */
function matchesName(name: string, { resource, subresource }: AuditAttributes): boolean {
  const full = subresource === "" ? resource : `${resource}/${subresource}`;
  if (name === "*" || name === full) return true;
  if (subresource !== "" && name === `*/${subresource}`) return true;
  return name.endsWith("/*") && name.slice(0, -2) === resource;
}
