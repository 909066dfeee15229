/**
 * The rules of resource quotas.
 * In: drafts. Out: checks, columns. Never: counts what is used.
 * Source: ValidateResourceQuota, pkg/apis/core/helper (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import { checkQualifiedName } from "../../names.ts";
import { canonicalQuantity } from "../../quantity.ts";
import type { FieldError, Rules } from "../../resource.ts";
import type { ResourceQuota, ResourceQuotaSpec } from "../../schema/generated/core_v1.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { ownStatus } from "../prepare.ts";
import { Problems, sameJson } from "../problems.ts";
import { checkNonNegative, checkWhole } from "../quantities.ts";

export type {
  ResourceQuota,
  ResourceQuotaSpec,
  ResourceQuotaStatus,
} from "../../schema/generated/core_v1.ts";

const COUNTED = [
  "pods",
  "resourcequotas",
  "services",
  "replicationcontrollers",
  "secrets",
  "configmaps",
  "persistentvolumeclaims",
  "services.nodeports",
  "services.loadbalancers",
];
const COMPUTE = ["cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"];
const STORAGE = [
  "ephemeral-storage",
  "requests.storage",
  "requests.ephemeral-storage",
  "limits.ephemeral-storage",
];
const STANDARD: ReadonlySet<string> = new Set([...COUNTED, ...COMPUTE, ...STORAGE]);
/** Standard names that are no names for quotas. */
const STANDARD_ELSEWHERE: ReadonlySet<string> = new Set(["storage"]);

const POD_SCOPES = [
  "Terminating",
  "NotTerminating",
  "NotBestEffort",
  "PriorityClass",
  "CrossNamespacePodAffinity",
];
const SCOPES: ReadonlySet<string> = new Set([...POD_SCOPES, "BestEffort", "VolumeAttributesClass"]);
const EXISTS_ONLY: ReadonlySet<string> = new Set([
  "BestEffort",
  "NotBestEffort",
  "Terminating",
  "NotTerminating",
  "CrossNamespacePodAffinity",
]);
const CONFLICTS = [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]];

/** Whether a name without a prefix is one that quotas know. */
function isStandard(name: string): boolean {
  return STANDARD.has(name) || /^(requests\.|limits\.)?hugepages-/.test(name);
}

/** Prefixed names outside the cluster's own domain are devices, which can't be divided. */
function isExtended(name: string): boolean {
  return name.includes("/") && !name.includes("kubernetes.io/") && !name.startsWith("requests.");
}

function appliesTo(scope: string, name: string): boolean {
  if (POD_SCOPES.includes(scope)) return name === "pods" || COMPUTE.includes(name);
  if (scope === "BestEffort") return name === "pods";
  if (scope === "VolumeAttributesClass") {
    return name === "persistentvolumeclaims" || name === "requests.storage";
  }
  return true;
}

function validateHard(problems: Problems, spec: ResourceQuotaSpec): void {
  for (const [name, amount] of Object.entries(spec.hard ?? {})) {
    const path = `spec.hard[${name}]`;
    const faults = checkQualifiedName(name);
    for (const detail of faults) problems.invalid(path, name, detail);
    if (!name.includes("/") && !isStandard(name)) {
      if (faults.length === 0 && !STANDARD_ELSEWHERE.has(name)) {
        const detail = "must be a standard resource type or fully qualified";
        problems.invalid(path, name, detail);
      }
      problems.invalid(path, name, "must be a standard resource for quota");
    }
    const isCount = COUNTED.includes(name) || isExtended(name);
    if (checkNonNegative(problems, path, amount) && isCount) checkWhole(problems, path, amount);
  }
}

interface ScopeUse {
  readonly scope: string;
  /** Where a scope that nobody knows is reported, and with which value. */
  readonly path: string;
  readonly value: unknown;
  readonly listPath: string;
  readonly list: unknown;
}

function validateScope(problems: Problems, spec: ResourceQuotaSpec, use: ScopeUse): void {
  if (!SCOPES.has(use.scope)) problems.invalid(use.path, use.value, "unsupported scope");
  for (const name of Object.keys(spec.hard ?? {}).sort()) {
    if (!isStandard(name) || appliesTo(use.scope, name)) continue;
    problems.invalid(use.listPath, use.list, "unsupported scope applied to resource");
  }
}

function validateConflicts(
  problems: Problems,
  path: string,
  scopes: readonly string[],
  shown: unknown,
): void {
  for (const pair of CONFLICTS) {
    if (pair.every((scope) => scopes.includes(scope))) {
      problems.invalid(path, shown, "conflicting scopes");
    }
  }
}

function validateSelector(problems: Problems, spec: ResourceQuotaSpec): void {
  const requirements = spec.scopeSelector?.matchExpressions ?? [];
  const path = "spec.scopeSelector.matchExpressions";
  for (const { scopeName, operator, values = [] } of requirements) {
    validateScope(problems, spec, {
      scope: scopeName,
      path: `${path}.scopeName`,
      value: scopeName,
      listPath: path,
      list: spec.scopeSelector,
    });
    if (EXISTS_ONLY.has(scopeName) && operator !== "Exists") {
      problems.invalid(
        `${path}.operator`,
        operator,
        "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, " +
          "ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, " +
          "ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
      );
    }
    if (operator === "In" || operator === "NotIn") {
      if (values.length === 0) {
        const detail =
          "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
        problems.required(`${path}.values`, detail);
      }
    } else if (operator === "Exists" || operator === "DoesNotExist") {
      if (values.length > 0) {
        const detail =
          "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
        problems.invalid(`${path}.values`, values, detail);
      }
    } else problems.invalid(`${path}.operator`, operator, "not a valid selector operator");
  }
  const names = requirements.map((requirement) => requirement.scopeName);
  validateConflicts(problems, path, names, spec.scopes ?? null);
}

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const spec: ResourceQuotaSpec = (draft as ResourceQuota).spec ?? {};
  validateHard(problems, spec);
  const scopes = spec.scopes ?? [];
  for (const scope of scopes) {
    validateScope(problems, spec, {
      scope,
      path: "spec.scopes",
      value: scopes,
      listPath: "spec.scopes",
      list: scopes,
    });
  }
  validateConflicts(problems, "spec.scopes", scopes, scopes);
  validateSelector(problems, spec);
  return problems.errors;
}

function validateUpdate(draft: KubeObject, old: KubeObject): FieldError[] {
  const problems = new Problems();
  const sorted = (object: KubeObject) =>
    [...new Set((object as ResourceQuota).spec?.scopes ?? [])].sort();
  if (!sameJson(sorted(draft), sorted(old))) {
    problems.invalid("spec.scopes", draft.spec?.scopes ?? null, "field is immutable");
  }
  return problems.errors;
}

/** `cpu: 1/2, memory: 1Gi/2Gi`; what is limited stands apart from what is requested. */
function usageCell(object: KubeObject, ofLimits: boolean): string {
  const { hard = {}, used = {} } = (object as ResourceQuota).status ?? {};
  return Object.keys(hard).sort().filter((name) => name.startsWith("limits.") === ofLimits)
    .map((name) => {
      const amounts = [used[name] ?? "0", hard[name]].map((amount) => canonicalQuantity(amount));
      return `${name}: ${amounts.join("/")}`;
    }).join(", ");
}

export const resourceQuotaRules: Rules = {
  ...ownStatus(),
  validate,
  validateUpdate,
  generationFields: [],
  columns: [
    nameColumn,
    column("Request", "Used and allowed, of requests.", (quota) => usageCell(quota, false)),
    column("Limit", "Used and allowed, of limits.", (quota) => usageCell(quota, true)),
    ageColumn,
  ],
};
