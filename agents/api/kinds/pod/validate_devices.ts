/**
 * Checks a pod's claims to devices, which were made for it, its resources as a whole, and how
 * containers may be resized.
 * In: a spec with defaults, a status. Out: field errors. Never: looks a claim up.
 * Source: validatePodResourceClaims, validatePodResourceClaimStatuses,
 * validatePodExtendedResourceClaimStatus, validatePodResources, validateResizePolicy (v1.36).
 */
import { checkDns1123Label, checkDns1123Subdomain, checkQualifiedName } from "../../names.ts";
import { addQuantities, canonicalQuantity, compareQuantities } from "../../quantity.ts";
import type {
  Container,
  ContainerResizePolicy,
  Pod,
  PodExtendedResourceClaimStatus,
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

/** What a status says of the claims that were made for the pod. */
export function validateClaimStatuses(problems: Problems, { spec, status }: Pod): void {
  const { resourceClaimStatuses = [], extendedResourceClaimStatus } = status ?? {};
  if (resourceClaimStatuses.length === 0 && extendedResourceClaimStatus === undefined) return;
  const names = new Set<string>();
  resourceClaimStatuses.forEach(({ name, resourceClaimName }, index) => {
    const at = `status.resourceClaimStatuses[${index}]`;
    if (!spec?.resourceClaims?.some((claim) => claim.name === name)) {
      const detail = "must match the name of an entry in `spec.resourceClaims`";
      problems.invalid(`${at}.name`, name, detail);
    }
    if (names.has(name)) problems.duplicate(`${at}.name`, name);
    names.add(name);
    if (resourceClaimName !== undefined) {
      problems.checkName(`${at}.resourceClaimName`, resourceClaimName, checkDns1123Subdomain);
    }
  });
  if (extendedResourceClaimStatus === undefined || spec === undefined) return;
  validateExtendedStatus(problems, extendedResourceClaimStatus, [
    ...spec.initContainers ?? [],
    ...spec.containers,
  ]);
}

function validateExtendedStatus(
  problems: Problems,
  { requestMappings = [], resourceClaimName }: PodExtendedResourceClaimStatus,
  containers: readonly Container[],
): void {
  const path = "status.extendedResourceClaimStatus";
  if (requestMappings.length === 0) {
    problems.required(`${path}.requestMappings`, "at least one request mapping is required");
  }
  const seen = new Set<string>();
  requestMappings.forEach(({ containerName, resourceName, requestName }, index) => {
    const at = `${path}.requestMappings[${index}]`;
    const container = containers.find(({ name }) => name === containerName);
    if (container === undefined) {
      const detail = "must match the name of an entry in spec.initContainers.name or " +
        "spec.containers.name";
      problems.invalid(`${at}.containerName`, containerName, detail);
    } else if (container.resources?.requests?.[resourceName] === undefined) {
      const detail = "must match the extended resource name of an entry in " +
        "spec.initContainers.resources.requests or spec.containers.resources.requests";
      problems.invalid(`${at}.resourceName`, resourceName, detail);
    }
    problems.checkName(`${path}.requestName`, requestName, checkDns1123Label);
    const key = JSON.stringify([containerName, resourceName, requestName]);
    if (seen.has(key)) {
      const parts = Object.entries({ containerName, resourceName, requestName });
      for (const [field, value] of parts) problems.duplicate(`${at}.${field}`, value);
    }
    seen.add(key);
  });
  if (!resourceClaimName) problems.required(`${path}.resourceClaimName`);
  else problems.checkName(`${path}.resourceClaimName`, resourceClaimName, checkDns1123Subdomain);
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
