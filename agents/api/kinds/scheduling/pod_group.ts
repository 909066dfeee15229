/**
 * The rules of pod groups: pods that are placed together, and how many it takes.
 * In: drafts. Out: checks, columns. Never: places a pod; the scheduler does.
 * Source: pkg/apis/scheduling (v1alpha2 of v1.36), its printers; the gates GenericWorkload,
 * GangScheduling and TopologyAwareWorkloadScheduling on. Fields of others are refused by name.
 */
import type { Condition, KubeObject } from "../../meta.ts";
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  checkQualifiedName,
  type NameCheck,
} from "../../names.ts";
import type { FieldError, Rules } from "../../resource.ts";
import type {
  PodGroup,
  PodGroupSchedulingConstraints,
  PodGroupSchedulingPolicy,
  PodGroupSpec,
  PodGroupTemplate,
  PodGroupTemplateReference,
} from "../../schema/generated/scheduling_v1alpha2.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { ownStatus } from "../prepare.ts";
import { tooMany } from "../devices/requests.ts";
import { Problems } from "../problems.ts";

export type { PodGroup } from "../../schema/generated/scheduling_v1alpha2.ts";

/** What later features bring, and what a user would call each. */
const NOT_SERVED = {
  resourceClaims: "claims shared by a group are not supported",
  priorityClassName: "a group's own priority is not supported, its pods' priorities count",
  priority: "a group's own priority is not supported, its pods' priorities count",
} as const;

/** Refuses what a group or its template may not ask for here. */
export function refuseUnserved(
  problems: Problems,
  at: string,
  spec: PodGroupSpec | PodGroupTemplate,
): void {
  for (const [field, detail] of Object.entries(NOT_SERVED)) {
    const value: unknown = spec[field as keyof typeof NOT_SERVED];
    const isEmpty = value === undefined || value === null || value === "" ||
      (Array.isArray(value) && value.length === 0);
    if (!isEmpty) problems.forbidden(`${at}.${field}`, detail);
  }
  // Pods are evicted one by one, which is what the default asks for.
  if ((spec.disruptionMode ?? "Pod") !== "Pod") {
    problems.forbidden(`${at}.disruptionMode`, "evicting a group as a whole is not supported");
  }
}

/** At most one label of nodes that keeps the group together. */
export function validateConstraints(
  problems: Problems,
  at: string,
  { topology = [] }: PodGroupSchedulingConstraints = {},
): void {
  const path = `${at}.topology`;
  if (tooMany(problems, path, topology.length, 1)) return;
  topology.forEach(({ key }, index) =>
    requireName(problems, `${path}[${index}].key`, key, checkQualifiedName)
  );
}

/** Exactly one policy, and a gang of at least one pod. */
export function validatePolicy(
  problems: Problems,
  at: string,
  policy: PodGroupSchedulingPolicy = {},
): void {
  const given = (["basic", "gang"] as const).filter((field) => policy[field] !== undefined);
  if (given.length === 0) problems.invalid(at, "", "must specify one of: `basic`, `gang`");
  if (given.length > 1) {
    problems.invalid(at, "{`basic`, `gang`}", "must specify exactly one of: `basic`, `gang`");
  }
  if (policy.gang === undefined) return;
  const { minCount = 0 } = policy.gang;
  const path = `${at}.gang.minCount`;
  if (minCount === 0) problems.required(path);
  else if (minCount < 1) problems.invalid(path, minCount, "must be greater than or equal to 1");
}

/** A name that must be there and be well formed. */
export function requireName(
  problems: Problems,
  path: string,
  value: string | undefined,
  check: NameCheck,
): void {
  if (!value) problems.required(path);
  else problems.checkName(path, value, check);
}

function validateReference(
  problems: Problems,
  at: string,
  reference: PodGroupTemplateReference,
): void {
  const { workload } = reference;
  if (workload === undefined) return problems.invalid(at, "", "must specify one of: `workload`");
  const path = `${at}.workload`;
  requireName(problems, `${path}.workloadName`, workload.workloadName, checkDns1123Subdomain);
  requireName(
    problems,
    `${path}.podGroupTemplateName`,
    workload.podGroupTemplateName,
    checkDns1123Label,
  );
}

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { spec } = draft as PodGroup;
  if (spec?.podGroupTemplateRef !== undefined) {
    validateReference(problems, "spec.podGroupTemplateRef", spec.podGroupTemplateRef);
  }
  validatePolicy(problems, "spec.schedulingPolicy", spec?.schedulingPolicy);
  if (spec === undefined) return problems.errors;
  validateConstraints(problems, "spec.schedulingConstraints", spec.schedulingConstraints);
  refuseUnserved(problems, "spec", spec);
  return problems.errors;
}

function validateUpdate(draft: KubeObject, old: KubeObject): FieldError[] {
  const problems = new Problems();
  const fixed = [
    "podGroupTemplateRef",
    "schedulingPolicy",
    "schedulingConstraints",
    "disruptionMode",
  ];
  for (const field of fixed) {
    problems.immutable(`spec.${field}`, draft.spec?.[field], old.spec?.[field]);
  }
  return problems.errors;
}

const STATUSES = ["False", "True", "Unknown"];

function validateStatusUpdate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { conditions = [], resourceClaimStatuses = [] } = (draft as PodGroup).status ?? {};
  const types = new Set<string>();
  conditions.forEach(({ type, status, reason, lastTransitionTime }, index) => {
    const at = `status.conditions[${index}]`;
    if (types.has(type)) problems.duplicate(`${at}.type`, type);
    types.add(type);
    problems.checkName(`${at}.type`, type, checkQualifiedName);
    if (!STATUSES.includes(status)) problems.notSupported(`${at}.status`, status, STATUSES);
    if (!lastTransitionTime) problems.required(`${at}.lastTransitionTime`);
    if (!reason) problems.required(`${at}.reason`);
  });
  resourceClaimStatuses.forEach(({ name }, index) => {
    const detail = "must match the name of an entry in `spec.resourceClaims`";
    problems.invalid(`status.resourceClaimStatuses[${index}].name`, name, detail);
  });
  return problems.errors;
}

function stateCell({ status }: KubeObject): string {
  const find = (type: string): Condition | undefined =>
    ((status?.conditions ?? []) as Condition[]).find((condition) => condition.type === type);
  const disrupted = find("DisruptionTarget");
  if (disrupted !== undefined) return disrupted.reason ?? "";
  const scheduled = find("PodGroupScheduled");
  if (scheduled === undefined) return "Pending";
  return scheduled.status === "True" ? "Scheduled" : "Unschedulable";
}

export const podGroupRules: Rules = {
  ...ownStatus(),
  validate,
  validateUpdate,
  validateStatusUpdate,
  columns: [
    nameColumn,
    column(
      "Policy",
      "Whether its pods start together.",
      ({ spec }) => spec?.schedulingPolicy?.gang === undefined ? "Basic" : "Gang",
    ),
    column(
      "Workload",
      "Name of the workload that it was made for.",
      ({ spec }) => spec?.podGroupTemplateRef?.workload?.workloadName ?? "<none>",
    ),
    column("Status", "Whether its pods have nodes.", stateCell),
    ageColumn,
  ],
};
