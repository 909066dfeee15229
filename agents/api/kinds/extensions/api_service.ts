/**
 * The rules of API services: groups and versions that are served here or by another server.
 * In: drafts. Out: defaults, checks, columns. Never: forwards a request.
 * Source: kube-aggregator's pkg/apis/apiregistration/validation (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import { checkDns1035Label, checkDns1123Subdomain, checkPortNumber } from "../../names.ts";
import type { FieldError, Rules } from "../../resource.ts";
import type { APIService, APIServiceSpec } from "../../schema/generated/apiregistration_v1.ts";
import { formatTime } from "../../time.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { ownStatus } from "../prepare.ts";
import { Problems } from "../problems.ts";

export type {
  APIService,
  APIServiceSpec,
  APIServiceStatus,
} from "../../schema/generated/apiregistration_v1.ts";

const MAX_GROUP_PRIORITY = 20_000;
const MAX_VERSION_PRIORITY = 1000;
const STATUSES = ["True", "False", "Unknown"];

function validateService(problems: Problems, spec: APIServiceSpec): void {
  const { service, caBundle = "", insecureSkipTLSVerify = false } = spec;
  if (service === undefined) {
    if (caBundle !== "") {
      const shown = `${Math.floor(caBundle.replace(/=+$/, "").length * 3 / 4)} bytes`;
      problems.invalid("spec.caBundle", shown, "local APIServices may not have a caBundle");
    }
    if (insecureSkipTLSVerify) {
      const detail = "local APIServices may not have insecureSkipTLSVerify";
      problems.invalid("spec.insecureSkipTLSVerify", true, detail);
    }
    return;
  }
  if (!service.namespace) problems.required("spec.service.namespace");
  if (!service.name) problems.required("spec.service.name");
  const faults = checkPortNumber(service.port ?? 0);
  if (faults.length > 0) {
    const detail = `port is not valid: ${faults.join(", ")}`;
    problems.invalid("spec.service.port", service.port ?? 0, detail);
  }
  if (insecureSkipTLSVerify && caBundle !== "") {
    const detail = "may not be true if caBundle is present";
    problems.invalid("spec.insecureSkipTLSVerify", true, detail);
  }
}

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { spec, metadata } = draft as APIService;
  if (spec === undefined) {
    problems.required("spec");
    return problems.errors;
  }
  const { group = "", version = "", groupPriorityMinimum = 0, versionPriority = 0 } = spec;
  const wanted = `${version}.${group}`;
  if (metadata.name !== wanted) {
    const detail = `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(wanted)}`;
    problems.invalid("metadata.name", metadata.name ?? "", detail);
  }
  if (group === "" && version !== "v1") {
    const detail = "only v1 may have an empty group and it better be legacy kube";
    problems.required("spec.group", detail);
  }
  if (group !== "") problems.checkName("spec.group", group, checkDns1123Subdomain);
  problems.checkName("spec.version", version, checkDns1035Label);
  if (groupPriorityMinimum <= 0 || groupPriorityMinimum > MAX_GROUP_PRIORITY) {
    const detail = `must be positive and less than ${MAX_GROUP_PRIORITY}`;
    problems.invalid("spec.groupPriorityMinimum", groupPriorityMinimum, detail);
  }
  if (versionPriority <= 0 || versionPriority > MAX_VERSION_PRIORITY) {
    const detail = `must be positive and less than ${MAX_VERSION_PRIORITY}`;
    problems.invalid("spec.versionPriority", versionPriority, detail);
  }
  validateService(problems, spec);
  return problems.errors;
}

function validateStatusUpdate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  ((draft as APIService).status?.conditions ?? []).forEach(({ status }, index) => {
    if (STATUSES.includes(status)) return;
    problems.notSupported(`status.conditions[${index}].status`, status, STATUSES);
  });
  return problems.errors;
}

/** `True`, or `False (why)`. */
function availableCell(object: KubeObject): string {
  const conditions = (object as APIService).status?.conditions ?? [];
  const available = conditions.find((condition) => condition.type === "Available");
  if (available === undefined) return "Unknown";
  return available.status === "True"
    ? available.status
    : `${available.status} (${available.reason ?? ""})`;
}

function localCondition(nowMillis: number) {
  return {
    type: "Available",
    status: "True",
    lastTransitionTime: formatTime(nowMillis),
    reason: "Local",
    message: "Local APIServices are always available",
  };
}

export const apiServiceRules: Rules = {
  setDefaults: (draft) => {
    const service = (draft as APIService).spec?.service;
    if (service !== undefined) service.port ??= 443;
  },
  ...ownStatus(),
  prepareForCreate: (draft, { nowMillis }) => {
    // What is served here is there from the start.
    const isLocal = (draft as APIService).spec?.service === undefined;
    draft.status = isLocal ? { conditions: [localCondition(nowMillis)] } : {};
  },
  validate,
  validateStatusUpdate,
  validateName: "pathSegment",
  generationFields: [],
  columns: [
    nameColumn,
    column("Service", "Service that answers, or Local.", (object) => {
      const service = (object as APIService).spec?.service;
      return service === undefined ? "Local" : `${service.namespace}/${service.name}`;
    }),
    column("Available", "Whether it answers.", availableCell),
    ageColumn,
  ],
};
