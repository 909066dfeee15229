/**
 * Checks a pod's claims to devices, its resources as a whole, and how containers may be resized.
 * In: a spec with defaults. Out: field errors. Never: looks a claim up.
 * Source: validatePodResourceClaims, validatePodResources, validateResizePolicy (v1.36).
 */
import { checkDns1123Label, checkDns1123Subdomain, checkQualifiedName } from "../../names.ts";
import { addQuantities, canonicalQuantity, compareQuantities } from "../../quantity.ts";
import type {
  ContainerResizePolicy,
  PodResourceClaim,
  PodSpec,
  ResourceRequirements,
} from "../../schema/generated/core_v1.ts";
import type { Problems } from "../problems.ts";
import { checkNonNegative } from "../quantities.ts";

const POD_RESOURCES = ["cpu", "memory"];
const RESIZE_POLICIES = ["NotRequired", "RestartContainer"];

/** The claims that a pod names. */
export function validateResourceClaims(
  problems: Problems,
  path: string,
  claims: readonly PodResourceClaim[],
): void {
  const names = new Set<string>();
  claims.forEach((claim, index) => {
    const at = `${path}[${index}]`;
    const { name, resourceClaimName, resourceClaimTemplateName } = claim;
    if (!name) problems.required(`${at}.name`);
    else if (names.has(name)) problems.duplicate(`${at}.name`, name);
    else problems.checkName(`${at}.name`, name, checkDns1123Label);
    names.add(name);
    if (resourceClaimName !== undefined && resourceClaimTemplateName !== undefined) {
      const detail = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be " +
        "specified";
      problems.invalid(at, claim, detail);
    }
    if (resourceClaimName === undefined && resourceClaimTemplateName === undefined) {
      const detail = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`";
      problems.invalid(at, claim, detail);
    }
    for (const [field, value] of Object.entries({ resourceClaimName, resourceClaimTemplateName })) {
      if (value !== undefined) {
        problems.checkName(`${at}.${field}`, value, checkDns1123Subdomain);
      }
    }
  });
}

/** Which of the pod's claims a container uses. @param known names of the pod's claims. */
export function validateClaimUses(
  problems: Problems,
  path: string,
  resources: ResourceRequirements | undefined,
  known: ReadonlySet<string>,
): void {
  const used = new Set<string>();
  (resources?.claims ?? []).forEach(({ name, request }, index) => {
    const at = `${path}[${index}]`;
    if (!name) return problems.required(at);
    if (request) problems.checkName(`${at}.request`, request, checkDns1123Label);
    const key = request ? `${name}/${request}` : name;
    const overlaps = used.has(name) || used.has(key) ||
      (!request && [...used].some((other) => other.startsWith(`${name}/`)));
    if (overlaps) problems.duplicate(at, used.has(name) || !request ? name : key);
    used.add(key);
    if (known.has(name)) return;
    const listed = [...known].sort().join(", ");
    problems.errors.push({
      type: "notFound",
      path: at,
      value: name,
      detail: "must be one of the names in pod.spec.resourceClaims" +
        (listed === "" ? " which is empty" : `: ${listed}`),
    });
  });
}

/** Resources of the pod as a whole. */
export function validatePodResources(problems: Problems, at: string, spec: PodSpec): void {
  const { resources } = spec;
  if (resources === undefined) return;
  if (spec.os?.name === "windows") {
    return problems.forbidden(at, "may not be set for a windows pod");
  }
  if (resources.claims !== undefined) {
    const detail = "claims may not be set for Resources at pod-level";
    problems.forbidden(`${at}.claims`, detail);
  }
  const { limits = {}, requests = {} } = resources;
  for (const [field, list] of Object.entries({ limits, requests })) {
    for (const [name, amount] of Object.entries(list)) {
      const isKnown = POD_RESOURCES.includes(name) || name.startsWith("hugepages-");
      const path = `${at}.${field}`;
      problems.checkName(path, name, checkQualifiedName);
      if (!isKnown) problems.notSupported(path, name, POD_RESOURCES);
      checkNonNegative(problems, `${path}[${name}]`, amount);
    }
  }
  for (const [name, amount] of Object.entries(requests)) {
    const limit = limits[name];
    if (limit === undefined || compareQuantities(amount, limit) <= 0) continue;
    const detail = `must be less than or equal to ${name} limit of ${canonicalQuantity(limit)}`;
    problems.invalid(`${at}.requests`, canonicalQuantity(amount), detail);
  }
  validateSums(problems, at, spec);
}

/** The containers together ask for no more than the pod does, and each is limited below it. */
function validateSums(problems: Problems, at: string, spec: PodSpec): void {
  const { limits = {}, requests = {} } = spec.resources ?? {};
  const containers = spec.containers ?? [];
  for (const [name, amount] of Object.entries(requests)) {
    let sum = "0";
    for (const container of containers) {
      const asked = container.resources?.requests?.[name];
      if (asked !== undefined && canonicalQuantity(asked) !== null) sum = addQuantities(sum, asked);
    }
    if (compareQuantities(sum, amount) <= 0) continue;
    const detail = `must be greater than or equal to aggregate container requests of ${sum}`;
    problems.invalid(`${at}.requests[${name}]`, canonicalQuantity(amount), detail);
  }
  containers.forEach((container, index) => {
    for (const [name, amount] of Object.entries(container.resources?.limits ?? {})) {
      const limit = limits[name];
      if (limit === undefined || compareQuantities(amount, limit) <= 0) continue;
      const detail = `must be less than or equal to pod limits of ${canonicalQuantity(limit)}`;
      const path = `${at}.containers[${index}][${name}].limits`;
      problems.invalid(path, canonicalQuantity(amount), detail);
    }
  });
}

/** What a container needs when its resources change. */
export function validateResizePolicy(
  problems: Problems,
  path: string,
  policies: readonly ContainerResizePolicy[],
  pod: { readonly restartPolicy: string },
): void {
  const seen = new Set<string>();
  policies.forEach(({ resourceName, restartPolicy }, index) => {
    if (seen.has(resourceName)) problems.duplicate(`${path}[${index}]`, resourceName);
    seen.add(resourceName);
    problems.oneOf(path, resourceName, POD_RESOURCES);
    problems.oneOf(path, restartPolicy, RESIZE_POLICIES);
    if (pod.restartPolicy === "Never" && restartPolicy !== "NotRequired") {
      const detail = "must be 'NotRequired' when pod `restartPolicy` is 'Never'";
      problems.invalid(path, restartPolicy, detail);
    }
  });
}
