/**
 * The rules of flow schemas and priority levels: who waits for whom at the API server.
 * In: drafts. Out: defaults, checks, columns. Never: queues a request.
 * Source: pkg/apis/flowcontrol/validation, pkg/apis/flowcontrol/v1/defaults.go (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import { checkDns1123Label, checkDns1123Subdomain } from "../../names.ts";
import type { FieldError, Rules } from "../../resource.ts";
import type {
  FlowSchema,
  LimitedPriorityLevelConfiguration,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  PriorityLevelConfiguration,
  QueuingConfiguration,
  ResourcePolicyRule,
  Subject,
} from "../../schema/generated/flowcontrol_v1.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { ownStatus } from "../prepare.ts";
import { Problems } from "../problems.ts";

export type {
  FlowSchema,
  PriorityLevelConfiguration,
} from "../../schema/generated/flowcontrol_v1.ts";

const DEFAULT_PRECEDENCE = 1000;
const MAX_PRECEDENCE = 10_000;
const DEFAULT_SHARES = 30;
const DEFAULT_HAND_SIZE = 8;
const DEFAULT_QUEUES = 64;
const DEFAULT_QUEUE_LENGTH = 50;
const MAX_QUEUES = 10 * 1000 * 1000;
const MAX_HASH_BITS = 60;
const DISTINGUISHERS = ["ByNamespace", "ByUser"];
const SUBJECT_FIELDS = { ServiceAccount: "serviceAccount", User: "user", Group: "group" } as const;
const VERBS = [
  "connect",
  "create",
  "delete",
  "deletecollection",
  "get",
  "list",
  "patch",
  "proxy",
  "update",
  "watch",
];

function validateSubject(problems: Problems, at: string, subject: Subject): void {
  const { kind } = subject;
  if (!Object.hasOwn(SUBJECT_FIELDS, kind ?? "")) {
    return problems.notSupported(`${at}.kind`, kind ?? "", ["Group", "ServiceAccount", "User"]);
  }
  const own = SUBJECT_FIELDS[kind as keyof typeof SUBJECT_FIELDS];
  for (const [otherKind, field] of Object.entries(SUBJECT_FIELDS)) {
    if (field === own || subject[field] === undefined) continue;
    const detail = `${field} is forbidden when subject kind is not '${otherKind}'`;
    problems.forbidden(`${at}.${field}`, detail);
  }
  const value = subject[own];
  const path = `${at}.${own}`;
  if (value === undefined) {
    return problems.required(path, `${own} is required when subject kind is '${kind}'`);
  }
  if (!value.name) problems.required(`${path}.name`);
  const account = subject.serviceAccount;
  if (own !== "serviceAccount" || account === undefined) return;
  if (account.name && account.name !== "*") {
    problems.checkName(`${path}.name`, account.name, checkDns1123Subdomain);
  }
  if (!account.namespace) {
    problems.required(`${path}.namespace`, "must specify namespace for service account");
  } else problems.checkName(`${path}.namespace`, account.namespace, checkDns1123Label);
}

interface StarList {
  readonly list: readonly string[];
  /** For an empty list. */
  readonly missing: string;
  /** What the list holds, for a star among others. */
  readonly word: string;
}

function validateStarList(problems: Problems, path: string, parts: StarList): void {
  const { list, missing, word } = parts;
  if (list.length === 0) problems.required(path, missing);
  else if (list.length > 1 && list.includes("*")) {
    problems.invalid(path, list, `if '*' is present, must not specify other ${word}`);
  }
}

function validateVerbs(problems: Problems, path: string, verbs: readonly string[]): void {
  const missing = "verbs must contain at least one value";
  validateStarList(problems, path, { list: verbs, missing, word: "verbs" });
  if (!verbs.includes("*") && verbs.some((verb) => !VERBS.includes(verb))) {
    problems.notSupported(path, verbs, VERBS);
  }
}

function validateResourceRule(problems: Problems, at: string, rule: ResourcePolicyRule): void {
  const { verbs = [], apiGroups = [], resources = [], namespaces = [], clusterScope } = rule;
  validateVerbs(problems, `${at}.verbs`, verbs);
  const missing = "resource rules must supply at least one";
  validateStarList(problems, `${at}.apiGroups`, {
    list: apiGroups,
    missing: `${missing} api group`,
    word: "api groups",
  });
  validateStarList(problems, `${at}.resources`, {
    list: resources,
    missing: `${missing} resource`,
    word: "resources",
  });
  const path = `${at}.namespaces`;
  if (namespaces.length === 0) {
    if (clusterScope) return;
    const detail = "resource rules that are not cluster scoped must supply at least one namespace";
    return problems.required(path, detail);
  }
  if (namespaces.includes("*")) {
    if (namespaces.length === 1) return;
    const detail = "if '*' is present, must not specify other namespaces";
    return problems.invalid(path, namespaces, detail);
  }
  namespaces.forEach((name, index) => {
    for (const fault of checkDns1123Label(name)) {
      const detail = `each member of this list must be '*' or a DNS-1123 label; ${fault}`;
      problems.invalid(`${path}[${index}]`, name, detail);
    }
  });
}

function validateUrlRule(problems: Problems, at: string, rule: NonResourcePolicyRule): void {
  const { verbs = [], nonResourceURLs = [] } = rule;
  validateVerbs(problems, `${at}.verbs`, verbs);
  const path = `${at}.nonResourceURLs`;
  validateStarList(problems, path, {
    list: nonResourceURLs,
    missing: "nonResourceURLs must contain at least one value",
    word: "non-resource URLs",
  });
  if (nonResourceURLs.includes("*")) return;
  nonResourceURLs.forEach((url, index) => {
    const fault = faultOfUrl(url);
    if (fault !== "") problems.invalid(`${path}[${index}]`, url, fault);
  });
}

/** What is wrong with a path such as `/healthz` or `/logs/*`; empty when nothing is. */
function faultOfUrl(url: string): string {
  if (url === "") return "must not be empty";
  if (url === "/") return "";
  if (!url.startsWith("/")) return "must start with slash";
  if (url.includes(" ")) return "must not contain white-space";
  if (url.includes("//")) return "must not contain double slash";
  const star = url.indexOf("*");
  const isTail = star < 0 || (star === url.length - 1 && url.endsWith("/*"));
  return isTail ? "" : "wildcard can only do suffix matching";
}

function validateRules(problems: Problems, at: string, rules: PolicyRulesWithSubjects): void {
  const { subjects = [], resourceRules = [], nonResourceRules = [] } = rules;
  if (subjects.length === 0) {
    problems.required(`${at}.subjects`, "subjects must contain at least one value");
  }
  subjects.forEach((item, index) => validateSubject(problems, `${at}.subjects[${index}]`, item));
  if (resourceRules.length === 0 && nonResourceRules.length === 0) {
    const detail = "at least one of resourceRules and nonResourceRules has to be non-empty";
    problems.required(at, detail);
  }
  resourceRules.forEach((rule, index) =>
    validateResourceRule(problems, `${at}.resourceRules[${index}]`, rule)
  );
  nonResourceRules.forEach((rule, index) =>
    validateUrlRule(problems, `${at}.nonResourceRules[${index}]`, rule)
  );
}

function validateSchema(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { spec, metadata } = draft as FlowSchema;
  const precedence = spec?.matchingPrecedence ?? 0;
  const path = "spec.matchingPrecedence";
  if (precedence <= 0) problems.invalid(path, precedence, "must be a positive value");
  if (precedence > MAX_PRECEDENCE) {
    problems.invalid(path, precedence, `must not be greater than ${MAX_PRECEDENCE}`);
  }
  if (precedence === 1 && metadata.name !== "exempt") {
    const detail = "only the schema named 'exempt' may have matchingPrecedence 1";
    problems.invalid(path, precedence, detail);
  }
  const method = spec?.distinguisherMethod;
  if (method !== undefined && !DISTINGUISHERS.includes(method.type)) {
    problems.notSupported("spec.distinguisherMethod.type", method, DISTINGUISHERS);
  }
  const level = spec?.priorityLevelConfiguration?.name;
  const levelPath = "spec.priorityLevelConfiguration.name";
  if (!level) problems.required(levelPath, "must reference a priority level");
  else problems.checkName(levelPath, level, checkDns1123Subdomain);
  (spec?.rules ?? []).forEach((rules, index) =>
    validateRules(problems, `spec.rules[${index}]`, rules)
  );
  return problems.errors;
}

function danglingCell(object: KubeObject): string {
  const conditions = (object as FlowSchema).status?.conditions ?? [];
  return conditions.find((condition) => condition.type === "Dangling")?.status ?? "?";
}

export const flowSchemaRules: Rules = {
  setDefaults: (draft) => {
    if (draft.spec !== undefined) draft.spec.matchingPrecedence ||= DEFAULT_PRECEDENCE;
  },
  ...ownStatus(),
  validate: validateSchema,
  columns: [
    nameColumn,
    column(
      "PriorityLevel",
      "Level that its requests get.",
      ({ spec }) => spec?.priorityLevelConfiguration?.name ?? "",
    ),
    column(
      "MatchingPrecedence",
      "Lower ones are asked first.",
      ({ spec }) => spec?.matchingPrecedence ?? 0,
    ),
    column(
      "DistinguisherMethod",
      "How its requests are told apart.",
      ({ spec }) => spec?.distinguisherMethod?.type ?? "<none>",
    ),
    ageColumn,
    column("MissingPL", "Whether its level does not exist.", danglingCell),
  ],
};

function setLevelDefaults(draft: KubeObject): void {
  const spec = (draft as PriorityLevelConfiguration).spec;
  if (spec?.exempt !== undefined) {
    spec.exempt.nominalConcurrencyShares ??= 0;
    spec.exempt.lendablePercent ??= 0;
  }
  if (spec?.limited === undefined) return;
  spec.limited.nominalConcurrencyShares ??= DEFAULT_SHARES;
  spec.limited.lendablePercent ??= 0;
  const queuing: Partial<QueuingConfiguration> | undefined = spec.limited.limitResponse?.queuing;
  if (queuing === undefined) return;
  queuing.handSize ||= DEFAULT_HAND_SIZE;
  queuing.queues ||= DEFAULT_QUEUES;
  queuing.queueLengthLimit ||= DEFAULT_QUEUE_LENGTH;
}

function validateShares(
  problems: Problems,
  at: string,
  level: { readonly nominalConcurrencyShares?: number; readonly lendablePercent?: number },
): void {
  const { nominalConcurrencyShares: shares, lendablePercent: percent } = level;
  if (shares !== undefined && shares < 0) {
    problems.invalid(`${at}.nominalConcurrencyShares`, shares, "must be a non-negative integer");
  }
  if (percent !== undefined && (percent < 0 || percent > 100)) {
    const detail = "must be between 0 and 100, inclusive";
    problems.invalid(`${at}.lendablePercent`, percent, detail);
  }
}

/** Bits that shuffle sharding needs to deal a hand from so many queues. */
function entropyBits(queues: number, handSize: number): number {
  return Math.ceil(Math.log2(queues) * handSize);
}

function validateQueuing(problems: Problems, at: string, queuing: QueuingConfiguration): void {
  const { queues = 0, handSize = 0, queueLengthLimit = 0 } = queuing;
  if (queueLengthLimit <= 0) {
    problems.invalid(`${at}.queueLengthLimit`, queueLengthLimit, "must be positive");
  }
  if (queues <= 0) problems.invalid(`${at}.queues`, queues, "must be positive");
  else if (queues > MAX_QUEUES) {
    const detail = `must not be greater than ${MAX_QUEUES}`;
    problems.invalid(`${at}.queues`, queues, detail);
  }
  const path = `${at}.handSize`;
  if (handSize <= 0) problems.invalid(path, handSize, "must be positive");
  else if (handSize > queues) {
    const detail = `should not be greater than queues (${queues})`;
    problems.invalid(path, handSize, detail);
  } else if (entropyBits(queues, handSize) > MAX_HASH_BITS) {
    const bits = entropyBits(queues, handSize);
    const detail = `required entropy bits of deckSize ${queues} and handSize ${handSize} should ` +
      `not be greater than ${MAX_HASH_BITS} (${bits})`;
    problems.invalid(path, handSize, detail);
  }
}

function validateLimited(
  problems: Problems,
  at: string,
  level: LimitedPriorityLevelConfiguration,
): void {
  validateShares(problems, at, level);
  const { borrowingLimitPercent: percent, limitResponse } = level;
  if (percent !== undefined && percent < 0) {
    const detail = "if specified, must be a non-negative integer";
    problems.invalid(`${at}.borrowingLimitPercent`, percent, detail);
  }
  const { type = "", queuing } = limitResponse ?? {};
  const path = `${at}.limitResponse`;
  if (type === "Reject") {
    if (queuing === undefined) return;
    const detail = "must be nil if limited.limitResponse.type is not Limited";
    problems.forbidden(`${path}.queuing`, detail);
  } else if (type === "Queue") {
    if (queuing === undefined) {
      const detail = "must not be empty if limited.limitResponse.type is Limited";
      problems.required(`${path}.queuing`, detail);
    } else validateQueuing(problems, `${path}.queuing`, queuing);
  } else problems.notSupported(`${path}.type`, type, ["Queue", "Reject"]);
}

function validateLevel(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { spec, metadata } = draft as PriorityLevelConfiguration;
  const { type = "", limited, exempt } = spec ?? {};
  if ((metadata.name === "exempt") !== (type === "Exempt")) {
    const detail = "must be 'Exempt' if and only if `name` is 'exempt'";
    problems.invalid("spec.type", type, detail);
  }
  if (type === "Exempt") {
    if (limited !== undefined) {
      problems.forbidden("spec.limited", "must be nil if the type is not Limited");
    }
    if (exempt !== undefined) validateShares(problems, "spec.exempt", exempt);
  } else if (type === "Limited") {
    if (exempt !== undefined) {
      problems.forbidden("spec.exempt", "must be nil if the type is Limited");
    }
    if (limited === undefined) {
      problems.required("spec.limited", "must not be empty when type is Limited");
    } else validateLimited(problems, "spec.limited", limited);
  } else problems.notSupported("spec.type", type, ["Exempt", "Limited"]);
  return problems.errors;
}

const queuingCell = (field: keyof QueuingConfiguration) => ({ spec }: KubeObject) =>
  spec?.limited?.limitResponse?.queuing?.[field] ?? "<none>";

export const priorityLevelRules: Rules = {
  setDefaults: setLevelDefaults,
  ...ownStatus(),
  validate: validateLevel,
  columns: [
    nameColumn,
    column("Type", "Whether the level has a limit.", ({ spec }) => spec?.type ?? ""),
    column(
      "NominalConcurrencyShares",
      "Its share of what the server does at once.",
      ({ spec }) => spec?.limited?.nominalConcurrencyShares ?? "<none>",
    ),
    column("Queues", "How many queues it has.", queuingCell("queues")),
    column("HandSize", "How many queues a flow may choose from.", queuingCell("handSize")),
    column(
      "QueueLengthLimit",
      "How many requests may wait in one.",
      queuingCell(
        "queueLengthLimit",
      ),
    ),
    ageColumn,
  ],
};
