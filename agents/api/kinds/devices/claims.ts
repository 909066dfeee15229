/**
 * The rules of resource claims, their templates and device classes.
 * In: drafts. Out: defaults, checks, columns. Never: allocates a device or runs an expression.
 * Source: pkg/apis/resource/validation, pkg/apis/resource/v1/defaults.go (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import { checkDns1123Label, checkDns1123Subdomain, checkQualifiedName } from "../../names.ts";
import type { FieldError, Rules } from "../../resource.ts";
import type {
  DeviceClass,
  DeviceClassSpec,
  DeviceConfiguration,
  DeviceConstraint,
  DeviceRequest,
  DeviceSelector,
  ExactDeviceRequest,
  ResourceClaim,
  ResourceClaimSpec,
  ResourceClaimTemplate,
} from "../../schema/generated/resource_v1.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { ownStatus } from "../prepare.ts";
import { Problems } from "../problems.ts";
import { validateDriverName } from "../storage/volume_sources.ts";

export type {
  DeviceClass,
  ResourceClaim,
  ResourceClaimTemplate,
} from "../../schema/generated/resource_v1.ts";

const LIST_LIMIT = 32;
const FIRST_AVAILABLE_LIMIT = 8;
const RESERVED_LIMIT = 256;
const EXPRESSION_LIMIT = 10 * 1024;
const PARAMETERS_LIMIT = 10 * 1024;
const MODES = ["All", "ExactCount"];

/** More than fit. @returns whether it was reported; the items are not looked at then. */
export function tooMany(problems: Problems, path: string, count: number, limit: number): boolean {
  if (count <= limit) return false;
  const detail = `must have at most ${limit} items`;
  problems.errors.push({ type: "tooMany", path, value: count, detail });
  return true;
}

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

/** Names that constraints and settings may refer to: `request` and `request/part`. */
function requestNames(requests: readonly DeviceRequest[]): ReadonlySet<string> {
  return new Set(requests.flatMap(({ name, firstAvailable = [] }) => [
    name,
    ...firstAvailable.map((part) => `${name}/${part.name}`),
  ]));
}

function validateNames(
  problems: Problems,
  path: string,
  names: readonly string[],
  known: ReadonlySet<string>,
): void {
  if (tooMany(problems, path, names.length, LIST_LIMIT)) return;
  names.forEach((name, index) => {
    const at = `${path}[${index}]`;
    if (!known.has(name)) {
      problems.invalid(
        at,
        name,
        "must be the name of a request in the claim or the name of a request and a subrequest " +
          "separated by '/'",
      );
    }
    if (names.indexOf(name) < index) problems.duplicate(at, name);
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

function validateSettings(problems: Problems, at: string, settings: DeviceConfiguration): void {
  const { opaque } = settings;
  if (opaque === undefined) return problems.required(`${at}.opaque`);
  validateDriverName(problems, `${at}.opaque.driver`, opaque.driver);
  const path = `${at}.opaque.parameters`;
  if (opaque.parameters === undefined || opaque.parameters === null) problems.required(path);
  else if (typeof opaque.parameters !== "object" || Array.isArray(opaque.parameters)) {
    problems.invalid(path, "<value omitted>", "must be a valid JSON object");
  } else if (JSON.stringify(opaque.parameters).length > PARAMETERS_LIMIT) {
    problems.tooLong(path, PARAMETERS_LIMIT);
  }
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

function validateStatusUpdate(draft: KubeObject, old: KubeObject): FieldError[] {
  const problems = new Problems();
  const { allocation, reservedFor = [] } = (draft as ResourceClaim).status ?? {};
  const before = (old as ResourceClaim).status ?? {};
  const path = "status.reservedFor";
  if (!tooMany(problems, path, reservedFor.length, RESERVED_LIMIT)) {
    const uids = new Set<string>();
    reservedFor.forEach((consumer, index) => {
      const at = `${path}[${index}]`;
      for (const field of ["resource", "name", "uid"] as const) {
        if (!consumer[field]) problems.required(`${at}.${field}`);
      }
      if (uids.has(consumer.uid)) problems.duplicate(at, consumer.uid);
      uids.add(consumer.uid);
    });
  }
  if (reservedFor.length > 0 && allocation === undefined) {
    problems.forbidden(path, "may not be specified when `allocated` is not set");
  } else if (draft.metadata.deletionTimestamp !== undefined) {
    const known = new Set((before.reservedFor ?? []).map((consumer) => consumer.uid));
    if (reservedFor.some((consumer) => !known.has(consumer.uid))) {
      problems.forbidden(
        path,
        "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set",
      );
    }
  }
  if (before.allocation !== undefined && allocation !== undefined) {
    problems.immutable("status.allocation", allocation, before.allocation);
  }
  return problems.errors;
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
  validateStatusUpdate,
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
