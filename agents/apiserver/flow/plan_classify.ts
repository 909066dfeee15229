/**
 * Which flow schema a request falls under, and which flow of it.
 * In: flow schemas, a user, what it asks. Out: the schema's name, its level, the flow's name.
 * Never: counts a request. Source: apiserver's util/flowcontrol/rule.go and apf_controller.go
 * (v1.36).
 */
import type { UserInfo } from "../../api/meta.ts";
import type {
  FlowSchema,
  PolicyRulesWithSubjects,
  Subject,
} from "../../api/schema/generated/flowcontrol_v1.ts";

/** What of a request the rules look at. */
export type FlowAsked =
  | {
    readonly verb: string;
    readonly group: string;
    readonly resource: string;
    readonly subresource: string;
    readonly namespace: string;
    readonly path?: undefined;
  }
  | { readonly verb: string; readonly path: string };

export interface FlowMatch {
  readonly schema: string;
  readonly level: string;
  /** Requests of one name wait in one order; "" = the schema's are all one flow. */
  readonly distinguisher: string;
}

const ALL = "*";
const ACCOUNT_PREFIX = "system:serviceaccount:";

/** The schemas in the order they are asked, without those whose level is missing. */
export function orderSchemas(
  schemas: readonly FlowSchema[],
  hasLevel: (name: string) => boolean,
): FlowSchema[] {
  const precedence = ({ spec }: FlowSchema) => spec.matchingPrecedence ?? 0;
  return schemas.filter((schema) => hasLevel(schema.spec.priorityLevelConfiguration.name))
    .sort((a, b) =>
      precedence(a) - precedence(b) || (a.metadata.name! < b.metadata.name! ? -1 : 1)
    );
}

/** @returns null where no schema wants the request */
export function classify(
  schemas: readonly FlowSchema[],
  user: UserInfo,
  asked: FlowAsked,
): FlowMatch | null {
  const schema = schemas.find(({ spec }) =>
    spec.rules?.some((rules) => rulesMatch(rules, user, asked))
  );
  if (schema === undefined) return null;
  return {
    schema: schema.metadata.name!,
    level: schema.spec.priorityLevelConfiguration.name,
    distinguisher: distinguisherOf(schema, user, asked),
  };
}

/**
 * The flow of everything that a user may ask, where one schema takes it all.
 * @returns null where that depends on what is asked
 */
export function classifyWhole(schemas: readonly FlowSchema[], user: UserInfo): FlowMatch | null {
  for (const { metadata, spec } of schemas) {
    const rules = spec.rules?.find(({ subjects }) => subjects.some((one) => isSubject(one, user)));
    if (rules === undefined) continue;
    const method = spec.distinguisherMethod?.type;
    if (method === "ByNamespace" || !takesEverything(rules)) return null;
    return {
      schema: metadata.name!,
      level: spec.priorityLevelConfiguration.name,
      distinguisher: method === "ByUser" ? user.name : "",
    };
  }
  return null;
}

function takesEverything({ resourceRules = [], nonResourceRules = [] }: PolicyRulesWithSubjects) {
  const isAll = (list: readonly string[] | undefined) => list?.length === 1 && list[0] === ALL;
  return resourceRules.some((rule) =>
    isAll(rule.verbs) && isAll(rule.apiGroups) && isAll(rule.resources) &&
    isAll(rule.namespaces) && rule.clusterScope === true
  ) && nonResourceRules.some((rule) => isAll(rule.verbs) && isAll(rule.nonResourceURLs));
}

function distinguisherOf(schema: FlowSchema, user: UserInfo, asked: FlowAsked): string {
  switch (schema.spec.distinguisherMethod?.type) {
    case "ByUser":
      return user.name;
    case "ByNamespace":
      return asked.path === undefined ? asked.namespace : "";
    default:
      return "";
  }
}

function rulesMatch(rules: PolicyRulesWithSubjects, user: UserInfo, asked: FlowAsked): boolean {
  if (!rules.subjects.some((subject) => isSubject(subject, user))) return false;
  if (asked.path !== undefined) {
    return rules.nonResourceRules?.some(({ verbs, nonResourceURLs }) =>
      holds(verbs, asked.verb) && nonResourceURLs.some((url) => matchesUrl(url, asked.path))
    ) ?? false;
  }
  const { resource, subresource, namespace } = asked;
  const full = subresource === "" ? resource : `${resource}/${subresource}`;
  return rules.resourceRules?.some((rule) =>
    holds(rule.verbs, asked.verb) && holds(rule.resources, full) &&
    holds(rule.apiGroups, asked.group) &&
    (namespace === "" ? rule.clusterScope === true : holds(rule.namespaces ?? [], namespace))
  ) ?? false;
}

function isSubject(subject: Subject, user: UserInfo): boolean {
  switch (subject.kind) {
    case "User":
      return subject.user?.name === ALL || subject.user?.name === user.name;
    case "Group":
      return subject.group?.name === ALL ||
        (subject.group !== undefined && user.groups.includes(subject.group.name));
    case "ServiceAccount": {
      if (subject.serviceAccount === undefined) return false;
      const { namespace, name } = subject.serviceAccount;
      const home = `${ACCOUNT_PREFIX}${namespace}:`;
      return name === ALL ? user.name.startsWith(home) : user.name === home + name;
    }
    default:
      return false;
  }
}

function holds(list: readonly string[], value: string): boolean {
  return list.includes(value) || (list.length === 1 && list[0] === ALL);
}

/** A path stands for all below it, with a star or without. */
function matchesUrl(url: string, path: string): boolean {
  if (url === ALL || url === path) return true;
  const prefix = url.endsWith(ALL) ? url.slice(0, -1) : url;
  return path.startsWith(prefix.endsWith("/") ? prefix : `${prefix}/`);
}
