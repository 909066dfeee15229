/**
 * Checks what pods and containers say of their confinement: users, profiles, mounts of /proc.
 * In: security contexts. Out: field errors. Never: confines anything.
 * Source: ValidateSecurityContext, validateSeccompProfileField and ValidateAppArmorProfileField
 * of pkg/apis/core/validation (v1.36).
 */
import { rangeMessage } from "../../names.ts";
import type {
  AppArmorProfile,
  PodSecurityContext,
  SeccompProfile,
  SecurityContext,
} from "../../schema/generated/core_v1.ts";
import type { Problems } from "../problems.ts";

const MAX_ID = 2 ** 31 - 1;
const PROFILE_TYPES = ["Localhost", "RuntimeDefault", "Unconfined"];
const PROC_MOUNTS = ["Default", "Unmasked"];
const GROUP_POLICIES = ["Merge", "Strict"];
const PATH_LIMIT = 4095;
/** What a sysctl's name looks like: parts of letters and digits, by dots or slashes. */
const SYSCTL = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;
const SYSCTL_LIMIT = 253;

export function validateContainerSecurity(
  problems: Problems,
  at: string,
  security: SecurityContext | undefined,
): void {
  if (security === undefined) return;
  for (const field of ["runAsUser", "runAsGroup"] as const) {
    const id = security[field];
    if (id !== undefined && (id < 0 || id > MAX_ID)) {
      problems.invalid(`${at}.${field}`, id, rangeMessage(0, MAX_ID));
    }
  }
  const { procMount, allowPrivilegeEscalation, capabilities } = security;
  if (procMount !== undefined && !PROC_MOUNTS.includes(procMount)) {
    problems.notSupported(`${at}.procMount`, procMount, PROC_MOUNTS);
  }
  validateSeccomp(problems, `${at}.seccompProfile`, security.seccompProfile);
  const addsAdmin = (capabilities?.add ?? []).includes("CAP_SYS_ADMIN");
  if (allowPrivilegeEscalation === false && addsAdmin) {
    problems.invalid(
      at,
      security,
      "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN",
    );
  }
  validateAppArmor(problems, `${at}.appArmorProfile`, security.appArmorProfile);
}

/** What a pod sets for all its containers, besides users and file groups. */
export function validatePodSecurity(
  problems: Problems,
  at: string,
  security: PodSecurityContext | undefined,
): void {
  if (security === undefined) return;
  validateSeccomp(problems, `${at}.seccompProfile`, security.seccompProfile);
  validateAppArmor(problems, `${at}.appArmorProfile`, security.appArmorProfile);
  (security.supplementalGroups ?? []).forEach((id, index) => {
    if (id >= 0 && id <= MAX_ID) return;
    problems.invalid(`${at}.supplementalGroups[${index}]`, id, rangeMessage(0, MAX_ID));
  });
  const policy = security.supplementalGroupsPolicy;
  if (policy !== undefined && !GROUP_POLICIES.includes(policy)) {
    problems.notSupported(`${at}.supplementalGroupsPolicy`, policy, GROUP_POLICIES);
  }
  const names = new Set<string>();
  (security.sysctls ?? []).forEach(({ name }, index) => {
    const path = `${at}.sysctls[${index}].name`;
    if (!name) return problems.required(path);
    if (name.length > SYSCTL_LIMIT || !SYSCTL.test(name)) {
      problems.invalid(
        path,
        name,
        `must have at most ${SYSCTL_LIMIT} characters and match regex ${SYSCTL.source}`,
      );
    } else if (names.has(name)) problems.duplicate(path, name);
    names.add(name);
  });
}

function validateSeccomp(
  problems: Problems,
  at: string,
  profile: SeccompProfile | undefined,
): void {
  if (profile === undefined) return;
  const { type, localhostProfile: path } = profile;
  if (!type) problems.required(`${at}.type`, "type is required when seccompProfile is set");
  else if (!PROFILE_TYPES.includes(type)) {
    problems.notSupported(`${at}.type`, type, PROFILE_TYPES);
  }
  const place = `${at}.localhostProfile`;
  if (type !== "Localhost") {
    if (path === undefined) return;
    return problems.invalid(place, profile, "can only be set when seccomp type is Localhost");
  }
  if (path === undefined) {
    return problems.required(place, "must be set when seccomp type is Localhost");
  }
  if (path.startsWith("/")) problems.invalid(place, path, "must be a relative path");
  if (path.split("/").includes("..")) problems.invalid(place, path, "must not contain '..'");
}

function validateAppArmor(
  problems: Problems,
  at: string,
  profile: AppArmorProfile | undefined,
): void {
  if (profile === undefined) return;
  const { type, localhostProfile: name } = profile;
  const place = `${at}.localhostProfile`;
  if (!type) {
    return problems.required(`${at}.type`, "type is required when appArmorProfile is set");
  }
  if (!PROFILE_TYPES.includes(type)) {
    return problems.notSupported(`${at}.type`, type, PROFILE_TYPES);
  }
  if (type !== "Localhost") {
    if (name === undefined) return;
    return problems.invalid(place, name, "can only be set when AppArmor type is Localhost");
  }
  if (name === undefined || name === "") {
    return problems.required(place, "must be set when AppArmor type is Localhost");
  }
  if (name.trim() !== name) {
    problems.invalid(place, name, "must not be padded with whitespace");
  }
  if (name.length > PATH_LIMIT) problems.tooLong(place, PATH_LIMIT);
}
