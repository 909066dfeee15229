/**
 * Whether a webhook or a policy is to be asked about a request.
 * In: rules, selectors, a request. Out: as which resource it matches, or null.
 * Never: evaluates expressions.
 * Source: apiserver's webhook/predicates and policy/matching (v1.36).
 */
import type { KubeObject, LabelSelector } from "../../../api/meta.ts";
import type { Resource } from "../../../api/resource.ts";
import { namespaces } from "../../../api/resources.ts";
import {
  fromLabelSelector,
  matchesLabels,
  type ParsedLabelSelector,
} from "../../../api/selector.ts";
import { notFound } from "../../../api/status.ts";
import type { RuleWithOperations } from "../../../api/schema/generated/admissionregistration_v1.ts";
import type { Core } from "../../verbs/core.ts";
import type { AdmissionRequest } from "../admission.ts";
import { namespaceObjectOf, otherFacesOf } from "./request_place.ts";

/** What webhooks and policies say of the requests they want. */
export interface MatchParts {
  readonly rules: readonly MatchRule[];
  readonly exclude?: readonly MatchRule[];
  /** Whether no rules at all match everything, as with bindings of policies. */
  readonly isOpen?: boolean;
  readonly matchPolicy?: string;
  readonly namespaceSelector?: LabelSelector;
  readonly objectSelector?: LabelSelector;
}

export type MatchRule = RuleWithOperations & { readonly resourceNames?: readonly string[] };

export interface Matcher {
  readonly parts: MatchParts;
  /** Null where everything is selected. */
  readonly namespaces: ParsedLabelSelector | null;
  readonly objects: ParsedLabelSelector | null;
}

export function compileMatcher(parts: MatchParts): Matcher {
  return {
    parts,
    namespaces: compileSelector(parts.namespaceSelector),
    objects: compileSelector(parts.objectSelector),
  };
}

function compileSelector(selector: LabelSelector | undefined): ParsedLabelSelector | null {
  const parsed = fromLabelSelector(selector);
  return parsed === null || parsed.length === 0 ? null : parsed;
}

/**
 * @returns the resource by which it matches: the request's, or an equivalent one
 * Errors: throws ApiError 404 where a namespace that has to be looked at is not there.
 */
export function matchRequest(
  core: Core,
  matcher: Matcher,
  request: AdmissionRequest,
): Resource | null {
  const { parts } = matcher;
  // Objects first: the cheaper question, and no reason to look for a namespace.
  if (matcher.objects !== null && !objectMatches(matcher.objects, request)) return null;
  if (parts.exclude !== undefined && findFace(core, { ...parts, rules: parts.exclude }, request)) {
    return null;
  }
  const found = parts.isOpen && parts.rules.length === 0
    ? request.resource
    : findFace(core, parts, request);
  if (found === null) return null;
  if (matcher.namespaces !== null && !namespaceMatches(core, matcher.namespaces, request)) {
    return null;
  }
  return found;
}

function objectMatches(selector: ParsedLabelSelector, { object, old }: AdmissionRequest): boolean {
  return [object, old].some((one) =>
    one?.metadata !== undefined && matchesLabels(selector, one.metadata.labels)
  );
}

/** Errors: throws ApiError 404. */
function namespaceMatches(
  core: Core,
  selector: ParsedLabelSelector,
  request: AdmissionRequest,
): boolean {
  if (request.resource === namespaces) {
    const { object, old, operation, subresource } = request;
    const isNew = operation === "CREATE" || (operation === "UPDATE" && subresource === "");
    return matchesLabels(selector, (isNew ? object : old)?.metadata.labels);
  }
  // What lives in no namespace is not selected by one.
  if (request.namespace === "") return true;
  const found: KubeObject | null = namespaceObjectOf(core, request);
  if (found === null) throw notFound({ group: "", resource: "namespaces" }, request.namespace);
  return matchesLabels(selector, found.metadata.labels);
}

/** Rules in their order, each against the request and then against its equivalents. */
function findFace(
  core: Core,
  { rules, matchPolicy }: Pick<MatchParts, "rules" | "matchPolicy">,
  request: AdmissionRequest,
): Resource | null {
  if (rules.some((rule) => ruleMatches(rule, request.resource, request))) return request.resource;
  if (matchPolicy !== "Equivalent") return null;
  const others = otherFacesOf(core, request.resource);
  if (others.length === 0) return null;
  for (const rule of rules) {
    const found = others.find((resource) => ruleMatches(rule, resource, request));
    if (found !== undefined) return found;
  }
  return null;
}

function ruleMatches(rule: MatchRule, resource: Resource, request: AdmissionRequest): boolean {
  const { operation, name, subresource } = request;
  const { operations = [], apiGroups = [], apiVersions = [], resourceNames = [] } = rule;
  if (!hasWord(operations, operation) || !hasWord(apiGroups, resource.group)) return false;
  if (!hasWord(apiVersions, resource.version)) return false;
  if (!isInScope(rule.scope, request)) return false;
  if (resourceNames.length > 0 && !resourceNames.includes(name)) return false;
  return (rule.resources ?? []).some((text) => {
    const [plural, part = ""] = text.split("/", 2);
    return (plural === "*" || plural === resource.plural) && (part === "*" || part === subresource);
  });
}

function hasWord(words: readonly string[], wanted: string): boolean {
  return words.includes("*") || words.includes(wanted);
}

/** A namespace is no more in a scope of namespaces than any other object of the cluster. */
function isInScope(scope: string | undefined, request: AdmissionRequest): boolean {
  if (scope === undefined || scope === "*") return true;
  const isInNamespace = request.resource !== namespaces && request.namespace !== "";
  return scope === (isInNamespace ? "Namespaced" : "Cluster");
}

const EXEMPT_GROUP = "admissionregistration.k8s.io";

/** Nothing that decides about admission is asked about what decides about admission. */
export function isExempt({ resource }: AdmissionRequest): boolean {
  return resource.group === EXEMPT_GROUP;
}
