/**
 * The rules of workloads: templates of the pod groups that a piece of work is made of.
 * In: drafts. Out: checks, columns. Never: makes a group; whoever runs the work does.
 * Source: pkg/apis/scheduling (v1alpha2 of v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import { checkDns1123Label, checkDns1123Subdomain, checkPathSegment } from "../../names.ts";
import type { FieldError, Rules } from "../../resource.ts";
import type { Workload } from "../../schema/generated/scheduling_v1alpha2.ts";
import { ageColumn, nameColumn } from "../columns.ts";
import { tooMany } from "../devices/requests.ts";
import { Problems } from "../problems.ts";
import { refuseUnserved, requireName, validateConstraints, validatePolicy } from "./pod_group.ts";

export type { Workload } from "../../schema/generated/scheduling_v1alpha2.ts";

const MAX_TEMPLATES = 8;

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { controllerRef, podGroupTemplates = [] } = (draft as Workload).spec ?? {};
  if (controllerRef !== undefined) {
    const at = "spec.controllerRef";
    const { apiGroup, kind, name } = controllerRef;
    if (apiGroup) problems.checkName(`${at}.apiGroup`, apiGroup, checkDns1123Subdomain);
    requireName(problems, `${at}.kind`, kind, checkPathSegment);
    requireName(problems, `${at}.name`, name, checkPathSegment);
  }
  const path = "spec.podGroupTemplates";
  if (podGroupTemplates.length === 0) problems.required(path);
  if (tooMany(problems, path, podGroupTemplates.length, MAX_TEMPLATES)) return problems.errors;
  const names = new Set<string>();
  podGroupTemplates.forEach((template, index) => {
    const at = `${path}[${index}]`;
    const { name } = template;
    if (names.has(name)) problems.duplicate(at, name);
    names.add(name);
    requireName(problems, `${at}.name`, name, checkDns1123Label);
    validatePolicy(problems, `${at}.schedulingPolicy`, template.schedulingPolicy);
    const constraints = template.schedulingConstraints;
    validateConstraints(problems, `${at}.schedulingConstraints`, constraints);
    refuseUnserved(problems, at, template);
  });
  return problems.errors;
}

export const workloadRules: Rules = {
  validate,
  validateUpdate: (draft, old) => {
    const problems = new Problems();
    for (const field of ["controllerRef", "podGroupTemplates"]) {
      problems.immutable(`spec.${field}`, draft.spec?.[field], old.spec?.[field]);
    }
    return problems.errors;
  },
  columns: [nameColumn, ageColumn],
};
