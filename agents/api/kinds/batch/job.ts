/**
 * The rules of jobs.
 * In: drafts. Out: defaults, checks, columns, the generated selector. Never: counts pods.
 * Source: pkg/registry/batch/job/strategy.go, ValidateJobSpec (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import { validateLabelSelector } from "../../object_meta.ts";
import type { FieldError, RuleContext, Rules } from "../../resource.ts";
import { matchesLabelSelector } from "../../selector.ts";
import type { Job, JobSpec } from "../../schema/generated/batch_v1.ts";
import { formatAge, parseMillis } from "../../time.ts";
import { selectorCell } from "../apps/replica_set.ts";
import { ageColumn, column, containerColumns, nameColumn } from "../columns.ts";
import { ownStatus } from "../prepare.ts";
import { setPodTemplateDefaults } from "../pod/defaults.ts";
import { validatePodTemplate } from "../pod/validate.ts";
import { Problems } from "../problems.ts";

export type { Job, JobSpec, JobStatus } from "../../schema/generated/batch_v1.ts";

const UID_LABEL = "batch.kubernetes.io/controller-uid";
const NAME_LABEL = "batch.kubernetes.io/job-name";
const FOREVER = 2 ** 31 - 1;

/** Also run on the template of a cron job. */
export function setJobSpecDefaults(spec: JobSpec): void {
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  spec.parallelism ??= 1;
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : FOREVER;
  spec.completionMode ??= "NonIndexed";
  spec.suspend ??= false;
  spec.podReplacementPolicy ??= spec.podFailurePolicy === undefined
    ? "TerminatingOrFailed"
    : "Failed";
  spec.manualSelector ??= false;
  setPodTemplateDefaults(spec.template);
}

function setDefaults(draft: KubeObject): void {
  const job = draft as Job;
  job.spec ??= {} as JobSpec;
  setJobSpecDefaults(job.spec);
  const labels = job.spec.template?.metadata?.labels;
  if (labels !== undefined && Object.keys(job.metadata.labels ?? {}).length === 0) {
    job.metadata.labels = { ...labels };
  }
}

/** Pods of a job are found by a label that no other job's pods have. */
function prepareForCreate(draft: KubeObject, context: RuleContext): void {
  const job = draft as Job;
  job.status = {};
  if (job.spec.manualSelector || job.spec.template === undefined) return;
  const uid = job.metadata.uid ??= context.newUid();
  const name = job.metadata.name ?? "";
  const { template } = job.spec;
  template.metadata = {
    ...template.metadata,
    labels: {
      ...template.metadata?.labels,
      [UID_LABEL]: uid,
      [NAME_LABEL]: name,
      "controller-uid": uid,
      "job-name": name,
    },
  };
  job.spec.selector ??= {};
  job.spec.selector.matchLabels = { ...job.spec.selector.matchLabels, [UID_LABEL]: uid };
}

/** Also run on the template of a cron job. */
export function validateJobSpec(problems: Problems, path: string, spec: JobSpec): void {
  for (
    const field of [
      "parallelism",
      "completions",
      "activeDeadlineSeconds",
      "backoffLimit",
      "backoffLimitPerIndex",
      "maxFailedIndexes",
      "ttlSecondsAfterFinished",
    ] as const
  ) problems.nonNegative(`${path}.${field}`, spec[field]);
  problems.oneOf(`${path}.completionMode`, spec.completionMode, ["Indexed", "NonIndexed"]);
  if (spec.completionMode === "Indexed" && spec.completions === undefined) {
    const detail = "when completion mode is Indexed";
    problems.required(`${path}.completions`, detail);
  }
  if (spec.template === undefined) return problems.required(`${path}.template`);
  validatePodTemplate(problems, `${path}.template`, spec.template);
  const policy = spec.template.spec?.restartPolicy;
  if (policy !== "OnFailure" && policy !== "Never") {
    const at = `${path}.template.spec.restartPolicy`;
    if (policy === "Always" || policy === undefined) {
      problems.required(at, 'valid values: "OnFailure", "Never"');
    } else problems.notSupported(at, policy, ["OnFailure", "Never"]);
  }
}

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { spec } = draft as Job;
  validateJobSpec(problems, "spec", spec);
  if (spec.selector === undefined) problems.required("spec.selector");
  else {
    validateLabelSelector(problems, "spec.selector", spec.selector);
    const labels = spec.template?.metadata?.labels ?? {};
    if (!matchesLabelSelector(spec.selector, labels)) {
      problems.invalid(
        "spec.template.metadata.labels",
        labels,
        "`selector` does not match template `labels`",
      );
    }
  }
  return problems.errors;
}

function validateUpdate(draft: KubeObject, old: KubeObject): FieldError[] {
  const problems = new Problems();
  const now = (draft as Job).spec;
  const before = (old as Job).spec;
  // An indexed job may grow or shrink as long as both counts stay one.
  const scales = now.completionMode === "Indexed" && now.completions === now.parallelism;
  if (!scales) problems.immutable("spec.completions", now.completions, before.completions);
  problems.immutable("spec.selector", now.selector, before.selector);
  problems.immutable("spec.completionMode", now.completionMode, before.completionMode);
  // A suspended job that never started may still be given other nodes.
  const isOpen = before.suspend === true && (old as Job).status?.startTime === undefined;
  if (!isOpen) problems.immutable("spec.template", now.template, before.template);
  return problems.errors;
}

const WORDS = ["Complete", "Failed", "", "Suspended", "FailureTarget", "SuccessCriteriaMet"];

function statusCell(object: KubeObject): string {
  const conditions = (object as Job).status?.conditions ?? [];
  for (const word of WORDS) {
    if (word === "") {
      if (object.metadata.deletionTimestamp !== undefined) return "Terminating";
    } else if (conditions.some((c) => c.type === word && c.status === "True")) return word;
  }
  return "Running";
}

function completionsCell(object: KubeObject): string {
  const { spec, status } = object as Job;
  const succeeded = status?.succeeded ?? 0;
  if (spec.completions !== undefined) return `${succeeded}/${spec.completions}`;
  const parallelism = spec.parallelism ?? 0;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function durationCell(object: KubeObject, nowMillis: number): string {
  const { startTime, completionTime } = (object as Job).status ?? {};
  if (startTime === undefined) return "";
  const end = completionTime === undefined ? nowMillis : parseMillis(completionTime);
  return formatAge(end - parseMillis(startTime));
}

export const jobRules: Rules = {
  setDefaults,
  ...ownStatus(),
  prepareForCreate,
  validate,
  validateUpdate,
  selectableFields: { "status.successful": (job) => String(job.status?.succeeded ?? 0) },
  defaultPropagation: "Background",
  columns: [
    nameColumn,
    column("Status", "State of the job in one word.", statusCell),
    column("Completions", "Runs that succeeded, of those wanted.", completionsCell),
    column("Duration", "How long it took or has been running.", durationCell),
    ageColumn,
    ...containerColumns((job) => job.spec?.template),
    column("Selector", "Labels of the job's pods.", selectorCell, { wide: true }),
  ],
};
