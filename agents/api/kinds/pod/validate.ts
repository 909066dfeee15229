/**
 * Checks a pod, or the template of one.
 * In: a draft with defaults. Out: field errors in upstream's words. Never: changes the draft.
 * Source: pkg/apis/core/validation ValidatePodCreate, ValidatePodSpec (v1.36).
 */
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  checkQualifiedName,
  rangeMessage,
} from "../../names.ts";
import { validateAnnotations, validateLabels } from "../../object_meta.ts";
import type { FieldError } from "../../resource.ts";
import type { Pod, PodSpec, PodTemplateSpec } from "../../schema/generated/core_v1.ts";
import { Problems } from "../problems.ts";
import { validateContainers } from "./validate_containers.ts";
import { validatePodResources, validateResourceClaims } from "./validate_devices.ts";
import { validatePlacement } from "./validate_placement.ts";
import { validatePodSecurity } from "./validate_security.ts";
import { validateVolumes } from "./validate_volumes.ts";

const RESTART_POLICIES = ["Always", "Never", "OnFailure"];
const DNS_POLICIES = ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"];
const PREEMPTION_POLICIES = ["Never", "PreemptLowerPriority"];
const MAX_NAMESERVERS = 3;
const MAX_INT32 = 2 ** 31 - 1;

/** A pod on its own. */
export function validatePod(pod: Pod): FieldError[] {
  const problems = new Problems();
  validatePodSpec(problems, "spec", pod.spec);
  if (
    (pod.spec.ephemeralContainers ?? []).length > 0 && pod.metadata.resourceVersion === undefined
  ) {
    problems.forbidden("spec.ephemeralContainers", "cannot be set on create");
  }
  if (pod.spec.nodeName && (pod.spec.schedulingGates ?? []).length > 0) {
    problems.forbidden(
      "spec.nodeName",
      "cannot be set until all schedulingGates have been cleared",
    );
  }
  return problems.errors;
}

/** A controller's template. @param path of the template, such as `spec.template`. */
export function validatePodTemplate(
  problems: Problems,
  path: string,
  template: PodTemplateSpec,
): void {
  validateLabels(problems, `${path}.labels`, template.metadata?.labels);
  validateAnnotations(problems, `${path}.annotations`, template.metadata?.annotations);
  if (template.spec === undefined) return problems.required(`${path}.spec.containers`);
  validatePodSpec(problems, `${path}.spec`, template.spec);
  if ((template.spec.ephemeralContainers ?? []).length > 0) {
    problems.forbidden(
      `${path}.spec.ephemeralContainers`,
      "ephemeral containers not allowed in pod template",
    );
  }
}

/** What pods and templates share. */
export function validatePodSpec(problems: Problems, path: string, spec: PodSpec): void {
  const volumes = validateVolumes(problems, `${path}.volumes`, spec.volumes ?? []);
  validateContainers(problems, path, spec, volumes);
  problems.oneOf(`${path}.restartPolicy`, spec.restartPolicy, RESTART_POLICIES);
  problems.oneOf(`${path}.dnsPolicy`, spec.dnsPolicy, DNS_POLICIES);
  validateNames(problems, path, spec);
  validateLimits(problems, path, spec);
  validateDns(problems, path, spec);
  validatePlacement(problems, path, spec);
  validateResourceClaims(problems, `${path}.resourceClaims`, spec.resourceClaims ?? []);
  validatePodResources(problems, `${path}.resources`, spec);
  validatePodSecurity(problems, `${path}.securityContext`, spec.securityContext);
  if (spec.preemptionPolicy !== undefined) {
    problems.oneOf(`${path}.preemptionPolicy`, spec.preemptionPolicy, PREEMPTION_POLICIES);
  }
  if (spec.os !== undefined) problems.oneOf(`${path}.os.name`, spec.os.name, ["linux", "windows"]);
  const gates = new Set<string>();
  (spec.schedulingGates ?? []).forEach(({ name }, index) => {
    problems.checkName(`${path}.schedulingGates[${index}]`, name, checkQualifiedName);
    if (gates.has(name)) problems.duplicate(`${path}.schedulingGates[${index}]`, name);
    gates.add(name);
  });
  if (spec.schedulingGroup !== undefined) {
    const at = `${path}.schedulingGroup.podGroupName`;
    const name = spec.schedulingGroup.podGroupName;
    if (name === undefined) problems.invalid(at, "", "must specify one of: `podGroupName`");
    else problems.checkName(at, name, checkDns1123Subdomain);
  }
  (spec.readinessGates ?? []).forEach(({ conditionType }, index) => {
    const at = `${path}.readinessGates[${index}].conditionType`;
    problems.checkName(at, conditionType, checkQualifiedName);
  });
}

function validateNames(problems: Problems, path: string, spec: PodSpec): void {
  const subdomains = ["serviceAccountName", "nodeName", "priorityClassName", "runtimeClassName"];
  for (const field of subdomains as (keyof PodSpec)[]) {
    const value = spec[field];
    if (typeof value === "string" && value !== "") {
      problems.checkName(`${path}.${field}`, value, checkDns1123Subdomain);
    }
  }
  for (const field of ["hostname", "subdomain"] as const) {
    const value = spec[field];
    if (value) problems.checkName(`${path}.${field}`, value, checkDns1123Label);
  }
  (spec.imagePullSecrets ?? []).forEach(({ name }, index) => {
    if (!name) problems.required(`${path}.imagePullSecrets[${index}].name`);
  });
}

function validateLimits(problems: Problems, path: string, spec: PodSpec): void {
  const grace = spec.terminationGracePeriodSeconds;
  if (grace === undefined) problems.required(`${path}.terminationGracePeriodSeconds`);
  const deadline = spec.activeDeadlineSeconds;
  if (deadline !== undefined && (deadline < 1 || deadline > MAX_INT32)) {
    problems.invalid(`${path}.activeDeadlineSeconds`, deadline, rangeMessage(1, MAX_INT32));
  }
  const security = spec.securityContext ?? {};
  for (const field of ["runAsUser", "runAsGroup", "fsGroup"] as const) {
    const value = security[field];
    if (value !== undefined && (value < 0 || value > MAX_INT32)) {
      problems.invalid(`${path}.securityContext.${field}`, value, rangeMessage(0, MAX_INT32));
    }
  }
  if (security.fsGroupChangePolicy !== undefined) {
    const at = `${path}.securityContext.fsGroupChangePolicy`;
    problems.oneOf(at, security.fsGroupChangePolicy, ["Always", "OnRootMismatch"]);
  }
  if (spec.shareProcessNamespace && spec.hostPID) {
    problems.invalid(
      `${path}.shareProcessNamespace`,
      true,
      "ShareProcessNamespace and HostPID cannot both be enabled",
    );
  }
}

function validateDns(problems: Problems, path: string, spec: PodSpec): void {
  const config = spec.dnsConfig;
  const nameservers = config?.nameservers ?? [];
  const at = `${path}.dnsConfig.nameservers`;
  if (spec.dnsPolicy === "None" && nameservers.length === 0) {
    const detail = "must provide at least one DNS nameserver when `dnsPolicy` is None";
    if (config === undefined) {
      problems.required(
        `${path}.dnsConfig`,
        `must provide \`dnsConfig\` when \`dnsPolicy\` is None`,
      );
    } else problems.required(at, detail);
  }
  if (nameservers.length > MAX_NAMESERVERS) {
    problems.invalid(
      at,
      nameservers,
      `must not have more than ${MAX_NAMESERVERS} nameservers`,
    );
  }
  (config?.options ?? []).forEach(({ name }, index) => {
    if (!name) problems.required(`${path}.dnsConfig.options[${index}]`, "must not be empty");
  });
}
