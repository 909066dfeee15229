/**
 * The rules of cron jobs.
 * In: drafts. Out: defaults, checks, columns. Never: tells when it is time.
 * Source: pkg/registry/batch/cronjob/strategy.go, validateCronJobSpec (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import type { FieldError, Rules } from "../../resource.ts";
import type { CronJob, CronJobSpec } from "../../schema/generated/batch_v1.ts";
import { ageSince } from "../../time.ts";
import { selectorCell } from "../apps/replica_set.ts";
import { ageColumn, column, containerColumns, nameColumn } from "../columns.ts";
import { ownStatus } from "../prepare.ts";
import { Problems } from "../problems.ts";
import { setJobSpecDefaults, validateJobSpec } from "./job.ts";

export type { CronJob, CronJobSpec, CronJobStatus } from "../../schema/generated/batch_v1.ts";

/** A name, a dash and the minute must fit into a job's name. */
const MAX_NAME = 52;
const POLICIES = ["Allow", "Forbid", "Replace"];
const MACRO = /^@(yearly|annually|monthly|weekly|daily|midnight|hourly|every .+)$/;
const FIELD = /^(\*|\?|[\dA-Za-z]+(-[\dA-Za-z]+)?)(\/\d+)?$/;

function setDefaults(draft: KubeObject): void {
  const job = draft as CronJob;
  const spec: CronJobSpec = job.spec ??= {} as CronJobSpec;
  spec.concurrencyPolicy ??= "Allow";
  spec.suspend ??= false;
  spec.successfulJobsHistoryLimit ??= 3;
  spec.failedJobsHistoryLimit ??= 1;
  if (spec.jobTemplate === undefined) return;
  spec.jobTemplate.metadata ??= {};
  if (spec.jobTemplate.spec !== undefined) setJobSpecDefaults(spec.jobTemplate.spec);
}

/** @returns whether the text has five well-formed fields, or is a macro. */
function isSchedule(text: string): boolean {
  if (MACRO.test(text)) return true;
  const fields = text.trim().split(/\s+/);
  return fields.length === 5 &&
    fields.every((field) => field.split(",").every((part) => FIELD.test(part)));
}

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { spec, metadata } = draft as CronJob;
  if (!spec.schedule) problems.required("spec.schedule");
  else if (/TZ/.test(spec.schedule)) {
    const detail = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
    problems.invalid("spec.schedule", spec.schedule, detail);
  } else if (!isSchedule(spec.schedule)) {
    const count = spec.schedule.trim().split(/\s+/).length;
    const detail = count === 5
      ? `failed to parse schedule: ${spec.schedule}`
      : `expected exactly 5 fields, found ${count}: [${spec.schedule.trim()}]`;
    problems.invalid("spec.schedule", spec.schedule, detail);
  }
  problems.nonNegative("spec.startingDeadlineSeconds", spec.startingDeadlineSeconds);
  problems.oneOf("spec.concurrencyPolicy", spec.concurrencyPolicy, POLICIES);
  problems.nonNegative("spec.successfulJobsHistoryLimit", spec.successfulJobsHistoryLimit);
  problems.nonNegative("spec.failedJobsHistoryLimit", spec.failedJobsHistoryLimit);
  if ((metadata.name ?? "").length > MAX_NAME) {
    const detail = `must be no more than ${MAX_NAME} characters`;
    problems.invalid("metadata.name", metadata.name, detail);
  }
  if (spec.jobTemplate?.spec === undefined) problems.required("spec.jobTemplate.spec.template");
  else validateJobSpec(problems, "spec.jobTemplate.spec", spec.jobTemplate.spec);
  return problems.errors;
}

export const cronJobRules: Rules = {
  setDefaults,
  ...ownStatus(),
  validate,
  defaultPropagation: "Background",
  columns: [
    nameColumn,
    column("Schedule", "When it runs.", (job) => job.spec?.schedule ?? ""),
    column("Timezone", "Time zone of the schedule.", (job) => job.spec?.timeZone ?? "<none>"),
    column(
      "Suspend",
      "Whether it is paused.",
      (job) => job.spec?.suspend === true ? "True" : "False",
      {
        type: "boolean",
      },
    ),
    column("Active", "Jobs running now.", (job) => (job.status?.active ?? []).length, {
      type: "integer",
    }),
    column(
      "Last Schedule",
      "Time since it last ran.",
      (job, nowMillis) =>
        job.status?.lastScheduleTime === undefined
          ? "<none>"
          : ageSince(job.status.lastScheduleTime, nowMillis),
    ),
    ageColumn,
    ...containerColumns((job) => job.spec?.jobTemplate?.spec?.template),
    column(
      "Selector",
      "Labels of the jobs' pods.",
      (job) => selectorCell({ metadata: {}, spec: job.spec?.jobTemplate?.spec }),
      { wide: true },
    ),
  ],
};
