/**
 * The rules of pod templates and of controller revisions: shapes of pods, kept for later.
 * In: drafts. Out: defaults, checks, columns. Never: makes pods.
 * Source: ValidatePodTemplate, ValidateControllerRevisionCreate (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import type { FieldError, Rules } from "../../resource.ts";
import type { ControllerRevision } from "../../schema/generated/apps_v1.ts";
import type { PodTemplate } from "../../schema/generated/core_v1.ts";
import { formatLabelSet } from "../../selector.ts";
import { ageColumn, column, containerColumns, nameColumn } from "../columns.ts";
import { setPodTemplateDefaults } from "../pod/defaults.ts";
import { validatePodTemplate } from "../pod/validate.ts";
import { Problems } from "../problems.ts";

export type { ControllerRevision } from "../../schema/generated/apps_v1.ts";
export type { PodTemplate } from "../../schema/generated/core_v1.ts";

export const podTemplateRules: Rules = {
  setDefaults: (draft) => setPodTemplateDefaults((draft as PodTemplate).template),
  validate: (draft) => {
    const problems = new Problems();
    const template = (draft as PodTemplate).template ?? {};
    validatePodTemplate(problems, "template", template);
    return problems.errors;
  },
  generationFields: ["template"],
  columns: [
    nameColumn,
    ...containerColumns((object) => object.template).map((item) => ({
      ...item,
      priority: 0 as const,
    })),
    column(
      "Pod Labels",
      "Labels of the pods made from it.",
      ({ template }) => formatLabelSet(template?.metadata?.labels ?? {}) || "<none>",
    ),
  ],
};

function validateRevision(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { data, revision } = draft as ControllerRevision;
  if (revision !== undefined && revision < 0) {
    problems.invalid("revision", revision, "must be greater than or equal to 0");
  }
  if (data === undefined || data === null) problems.required("data", "data is mandatory");
  else if (typeof data !== "object" || Array.isArray(data)) {
    problems.required("data", "data must be a valid JSON object");
  }
  return problems.errors;
}

function controllerCell({ metadata }: KubeObject): string {
  const owner = metadata.ownerReferences?.find((reference) => reference.controller === true);
  if (owner === undefined) return "<none>";
  const group = owner.apiVersion.includes("/") ? `.${owner.apiVersion.split("/")[0]}` : "";
  return `${owner.kind.toLowerCase()}${group}/${owner.name}`;
}

export const controllerRevisionRules: Rules = {
  validate: validateRevision,
  validateUpdate: (draft, old) => {
    const problems = new Problems();
    problems.immutable("data", draft.data, old.data);
    return problems.errors;
  },
  generationFields: [],
  columns: [
    nameColumn,
    column("Controller", "Controller that it belongs to.", controllerCell),
    column("Revision", "Which one it is, counted by the controller.", (item) => item.revision ?? 0),
    ageColumn,
  ],
};
