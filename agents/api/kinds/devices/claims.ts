/**
 * The rules of resource claims, their templates and device classes.
 * In: drafts. Out: defaults, checks, columns. Never: allocates a device or runs an expression.
 * Source: pkg/apis/resource/validation, pkg/apis/resource/v1/defaults.go (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  checkLabelValue,
  checkQualifiedName,
} from "../../names.ts";
import type { FieldError, Rules } from "../../resource.ts";
import type {
  DeviceClass,
  DeviceClassSpec,
  DeviceConstraint,
  DeviceRequest,
  DeviceSelector,
  DeviceToleration,
  ExactDeviceRequest,
  ResourceClaim,
  ResourceClaimSpec,
  ResourceClaimTemplate,
} from "../../schema/generated/resource_v1.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { ownStatus, restoreFields } from "../prepare.ts";
import { Problems } from "../problems.ts";
import { dropFreedDevices, validateClaimStatus } from "./claim_status.ts";
import { LIST_LIMIT, requestNames, tooMany, validateNames, validateSettings } from "./requests.ts";

export type {
  DeviceClass,
  ResourceClaim,
  ResourceClaimTemplate,
} from "../../schema/generated/resource_v1.ts";

const FIRST_AVAILABLE_LIMIT = 8;
const TOLERATIONS_LIMIT = 16;
const EXPRESSION_LIMIT = 10 * 1024;
const MODES = ["All", "ExactCount"];

function setRequestDefaults(request: Partial<ExactDeviceRequest>): void {
  request.allocationMode ||= "ExactCount";
  if (request.allocationMode === "ExactCount") request.count ||= 1;
  for (const toleration of request.tolerations ?? []) toleration.operator ||= "Equal";
}

function setClaimDefaults(spec: ResourceClaimSpec | undefined): void {
  for (const { exactly, firstAvailable } of spec?.devices?.requests ?? []) {
    if (exactly !== undefined) setRequestDefaults(exactly);
    for (const request of firstAvailable ?? []) setRequestDefaults(request);
  }
}

function validateSelectors(
  problems: Problems,
  path: string,
  selectors: readonly DeviceSelector[],
): void {
  if (tooMany(problems, path, selectors.length, LIST_LIMIT)) return;
  selectors.forEach(({ cel }, index) => {
    const at = `${path}[${index}].cel`;
    if (cel === undefined) return problems.required(at);
    if (!cel.expression) problems.required(`${at}.expression`);
    else if (cel.expression.length > EXPRESSION_LIMIT) {
      problems.tooLong(`${at}.expression`, EXPRESSION_LIMIT);
    }
  });
}

function validateExact(
  problems: Problems,
  at: string,
  request: Partial<ExactDeviceRequest>,
): void {
  const { deviceClassName, selectors = [], allocationMode = "", count = 0 } = request;
  if (!deviceClassName) problems.required(`${at}.deviceClassName`);
  else problems.checkName(`${at}.deviceClassName`, deviceClassName, checkDns1123Subdomain);
  validateSelectors(problems, `${at}.selectors`, selectors);
  if (!MODES.includes(allocationMode)) {
    problems.notSupported(`${at}.allocationMode`, allocationMode, MODES);
  } else if (allocationMode === "All" && count !== 0) {
    const detail = "must not be specified when allocationMode is 'All'";
    problems.invalid(`${at}.count`, count, detail);
  } else if (allocationMode === "ExactCount" && count <= 0) {
    problems.invalid(`${at}.count`, count, "must be greater than zero");
  }
  const { tolerations = [] } = request;
  if (tooMany(problems, `${at}.tolerations`, tolerations.length, TOLERATIONS_LIMIT)) return;
  tolerations.forEach((toleration, index) =>
    validateToleration(problems, `${at}.tolerations[${index}]`, toleration)
  );
}

function validateToleration(
  problems: Problems,
  at: string,
  { key, operator, value = "", effect }: DeviceToleration,
): void {
  if (key) problems.checkName(`${at}.key`, key, checkQualifiedName);
  if (operator === "Exists") {
    const detail = "must be empty for operator `Exists`";
    if (value !== "") problems.invalid(`${at}.value`, value, detail);
  } else if (operator === "Equal") problems.checkName(`${at}.value`, value, checkLabelValue);
  else problems.oneOf(`${at}.operator`, operator, ["Equal", "Exists"]);
  if (effect) problems.oneOf(`${at}.effect`, effect, ["NoExecute", "NoSchedule", "None"]);
}

function validateRequest(problems: Problems, at: string, request: DeviceRequest): void {
  const { name, exactly, firstAvailable = [] } = request;
  if (!name) problems.required(`${at}.name`);
  else problems.checkName(`${at}.name`, name, checkDns1123Label);
  const detail = "exactly one of `exactly` or `firstAvailable` is required";
  if (exactly === undefined && firstAvailable.length === 0) problems.required(at, detail);
  else if (exactly !== undefined && firstAvailable.length > 0) {
    problems.invalid(at, null, `${detail}, but multiple fields are set`);
  }
  if (exactly !== undefined) validateExact(problems, `${at}.exactly`, exactly);
  const path = `${at}.firstAvailable`;
  if (tooMany(problems, path, firstAvailable.length, FIRST_AVAILABLE_LIMIT)) return;
  firstAvailable.forEach((part, index) => {
    const place = `${path}[${index}]`;
    if (!part.name) problems.required(`${place}.name`);
    else problems.checkName(`${place}.name`, part.name, checkDns1123Label);
    validateExact(problems, place, part);
    const isTaken = firstAvailable.slice(0, index).some((other) => other.name === part.name);
    if (isTaken) problems.duplicate(place, part.name);
  });
}

function validateConstraint(
  problems: Problems,
  at: string,
  constraint: DeviceConstraint,
  known: ReadonlySet<string>,
): void {
  const { requests = [], matchAttribute, distinctAttribute } = constraint;
  validateNames(problems, `${at}.requests`, requests, known);
  if (matchAttribute !== undefined && distinctAttribute !== undefined) {
    problems.required(
      at,
      'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields ' +
        "are set",
    );
  }
  const attribute = matchAttribute ?? distinctAttribute;
  const field = distinctAttribute === undefined ? "matchAttribute" : "distinctAttribute";
  if (!attribute) return problems.required(`${at}.${field}`);
  if (!attribute.includes("/")) {
    problems.invalid(`${at}.${field}`, attribute, "must include a domain");
  } else problems.checkName(`${at}.${field}`, attribute, checkQualifiedName);
}

function validateClaimSpec(problems: Problems, at: string, spec: ResourceClaimSpec): void {
  const { requests = [], constraints = [], config = [] } = spec.devices ?? {};
  const path = `${at}.devices`;
  if (!tooMany(problems, `${path}.requests`, requests.length, LIST_LIMIT)) {
    requests.forEach((request, index) => {
      const place = `${path}.requests[${index}]`;
      validateRequest(problems, place, request);
      const isTaken = requests.slice(0, index).some((other) => other.name === request.name);
      if (isTaken) problems.duplicate(place, request.name);
    });
  }
  const known = requestNames(requests);
  if (!tooMany(problems, `${path}.constraints`, constraints.length, LIST_LIMIT)) {
    constraints.forEach((constraint, index) =>
      validateConstraint(problems, `${path}.constraints[${index}]`, constraint, known)
    );
  }
  if (tooMany(problems, `${path}.config`, config.length, LIST_LIMIT)) return;
  config.forEach((settings, index) => {
    const place = `${path}.config[${index}]`;
    validateNames(problems, `${place}.requests`, settings.requests ?? [], known);
    validateSettings(problems, place, settings);
  });
}

function stateCell(object: KubeObject): string {
  const { metadata, status } = object as ResourceClaim;
  const isDeleted = metadata.deletionTimestamp !== undefined;
  const states = isDeleted ? ["deleted"] : [];
  if (status?.allocation === undefined) {
    if (!isDeleted) states.push("pending");
  } else {
    states.push("allocated");
    if ((status.reservedFor ?? []).length > 0) states.push("reserved");
  }
  return states.join(",");
}

/** Only the status is written, and what it tells of devices that were given back is dropped. */
function prepareForStatusUpdate(draft: KubeObject, old: KubeObject): void {
  restoreFields(draft, old, ["spec"]);
  const { labels, annotations, finalizers, ownerReferences } = old.metadata;
  const kept = Object.entries({ labels, annotations, finalizers, ownerReferences });
  for (const [field, value] of kept) {
    if (value === undefined) delete (draft.metadata as Record<string, unknown>)[field];
    else Object.assign(draft.metadata, { [field]: value });
  }
  dropFreedDevices(draft, old);
}

function unchangedSpec(draft: KubeObject, old: KubeObject): FieldError[] {
  const problems = new Problems();
  problems.immutable("spec", draft.spec, old.spec);
  return problems.errors;
}

export const resourceClaimRules: Rules = {
  setDefaults: (draft) => setClaimDefaults((draft as ResourceClaim).spec),
  ...ownStatus(),
  validate: (draft) => {
    const problems = new Problems();
    validateClaimSpec(problems, "spec", (draft as ResourceClaim).spec ?? {});
    return problems.errors;
  },
  validateUpdate: unchangedSpec,
  prepareForStatusUpdate,
  validateStatusUpdate: validateClaimStatus,
  generationFields: [],
  columns: [
    nameColumn,
    column("State", "Whether devices are allocated and reserved.", stateCell),
    ageColumn,
  ],
};

export const resourceClaimTemplateRules: Rules = {
  setDefaults: (draft) => setClaimDefaults((draft as ResourceClaimTemplate).spec?.spec),
  validate: (draft) => {
    const problems = new Problems();
    validateClaimSpec(problems, "spec.spec", (draft as ResourceClaimTemplate).spec?.spec ?? {});
    return problems.errors;
  },
  validateUpdate: unchangedSpec,
  generationFields: [],
  columns: [nameColumn, ageColumn],
};

function validateClass(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const spec: DeviceClassSpec = (draft as DeviceClass).spec ?? {};
  validateSelectors(problems, "spec.selectors", spec.selectors ?? []);
  const config = spec.config ?? [];
  if (!tooMany(problems, "spec.config", config.length, LIST_LIMIT)) {
    config.forEach((settings, index) =>
      validateSettings(problems, `spec.config[${index}]`, settings)
    );
  }
  const name = spec.extendedResourceName;
  if (name === undefined) return problems.errors;
  const isExtended = name.includes("/") && !name.includes("kubernetes.io/") &&
    !name.startsWith("requests.") && checkQualifiedName(`requests.${name}`).length === 0;
  if (!isExtended) {
    const detail = "must be a valid extended resource name";
    problems.invalid("spec.extendedResourceName", name, detail);
  }
  return problems.errors;
}

export const deviceClassRules: Rules = {
  validate: validateClass,
  columns: [nameColumn, ageColumn],
};
