/**
 * The rules of persistent volume claims, and of the templates that hold one.
 * In: drafts. Out: defaults, checks, columns. Never: binds or resizes.
 * Source: pkg/registry/core/persistentvolumeclaim/strategy.go, ValidatePersistentVolumeClaimSpec,
 * pkg/api/persistentvolumeclaim/util.go (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import { checkDns1123Label, checkDns1123Subdomain, checkQualifiedName } from "../../names.ts";
import { validateLabelSelector } from "../../object_meta.ts";
import { canonicalQuantity, compareQuantities } from "../../quantity.ts";
import type { FieldError, Rules } from "../../resource.ts";
import type {
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
} from "../../schema/generated/core_v1.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { restoreFields } from "../prepare.ts";
import { Problems, sameJson } from "../problems.ts";
import { checkNonNegative, checkPositive, checkWhole } from "../quantities.ts";
import {
  attributesClassColumn,
  CLASS_ANNOTATION,
  phaseOf,
  shortAccessModes,
  storageClassColumn,
  validateAccessModes,
  validateVolumeMode,
  volumeModeColumn,
} from "./persistent_volume.ts";

export type {
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
  PersistentVolumeClaimStatus,
} from "../../schema/generated/core_v1.ts";

const RESIZE_STATES = [
  "ControllerResizeInProgress",
  "ControllerResizeInfeasible",
  "NodeResizeInProgress",
  "NodeResizeInfeasible",
  "NodeResizePending",
].sort();

/** Sources of data that may stand in the older of the two fields. */
function isOldStyleSource(source: PersistentVolumeClaimSpec["dataSource"]): boolean {
  if (source === undefined) return false;
  const { apiGroup = "", kind } = source;
  return (kind === "PersistentVolumeClaim" && apiGroup === "") ||
    (kind === "VolumeSnapshot" && apiGroup === "snapshot.storage.k8s.io");
}

/** The two fields for a source of data are one: what can't stand in the older one is dropped. */
function normalizeDataSources(spec: PersistentVolumeClaimSpec): void {
  if (spec.dataSource !== undefined && spec.dataSourceRef === undefined) {
    if (!isOldStyleSource(spec.dataSource)) delete spec.dataSource;
  }
  const crossesNamespaces = Boolean(spec.dataSourceRef?.namespace);
  if (spec.dataSource !== undefined && spec.dataSourceRef === undefined) {
    spec.dataSourceRef = { ...spec.dataSource };
  } else if (
    spec.dataSourceRef !== undefined && spec.dataSource === undefined && !crossesNamespaces
  ) {
    const { namespace: _none, ...source } = spec.dataSourceRef;
    spec.dataSource = source;
  }
}

function validateDataSource(
  problems: Problems,
  at: string,
  source: NonNullable<PersistentVolumeClaimSpec["dataSourceRef"]>,
): void {
  const { apiGroup = "", kind, name, namespace } = source;
  if (!name) problems.required(`${at}.name`);
  if (!kind) problems.required(`${at}.kind`);
  if (apiGroup === "" && kind !== "PersistentVolumeClaim") {
    const detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
    problems.invalid(at, kind, detail);
  }
  if (apiGroup !== "") problems.checkName(`${at}.apiGroup`, apiGroup, checkDns1123Subdomain);
  if (namespace) problems.checkName(`${at}.namespace`, namespace, checkDns1123Label);
}

/**
 * A claim's spec, also inside a stateful set or an ephemeral volume. @param at path of the spec.
 */
export function validateClaimSpec(
  problems: Problems,
  at: string,
  spec: PersistentVolumeClaimSpec,
): void {
  const modes = spec.accessModes ?? [];
  if (modes.length === 0) {
    problems.required(`${at}.accessModes`, "at least 1 access mode is required");
  }
  validateLabelSelector(problems, `${at}.selector`, spec.selector);
  validateAccessModes(problems, `${at}.accessModes`, modes);
  const size = spec.resources?.requests?.storage;
  const sizePath = `${at}.resources[storage]`;
  if (size === undefined) problems.required(sizePath);
  else if (checkPositive(problems, sizePath, size)) checkWhole(problems, sizePath, size);
  if (spec.storageClassName) {
    problems.checkName(`${at}.storageClassName`, spec.storageClassName, checkDns1123Subdomain);
  }
  validateVolumeMode(problems, `${at}.volumeMode`, spec.volumeMode);
  const { dataSource, dataSourceRef } = spec;
  if (dataSource !== undefined) validateDataSource(problems, `${at}.dataSource`, dataSource);
  if (dataSourceRef !== undefined) {
    validateDataSource(problems, `${at}.dataSourceRef`, dataSourceRef);
  }
  if (dataSource !== undefined && dataSourceRef !== undefined) {
    const { namespace, ...rest } = dataSourceRef;
    if (namespace) {
      const detail = "may not be specified when dataSourceRef.namespace is specified";
      problems.invalid(at, `${at}.dataSource`, detail);
    } else if (!sameJson(rest, dataSource)) {
      problems.invalid(at, `${at}.dataSource`, "must match dataSourceRef");
    }
  }
  const attributes = spec.volumeAttributesClassName;
  if (attributes) {
    problems.checkName(`${at}.volumeAttributesClassName`, attributes, checkDns1123Subdomain);
  }
}

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  validateClaimSpec(problems, "spec", (draft as PersistentVolumeClaim).spec ?? {});
  return problems.errors;
}

/** The spec as far as it may not change, with what may change taken from before. */
function frozenPart(now: PersistentVolumeClaim, old: PersistentVolumeClaim) {
  const spec = structuredClone(now.spec);
  if (!old.spec.volumeName) delete spec.volumeName;
  const annotation = old.metadata.annotations?.[CLASS_ANNOTATION];
  const gainsClass = old.spec.storageClassName === undefined &&
    spec.storageClassName !== undefined &&
    (annotation === undefined || annotation === spec.storageClassName);
  if (gainsClass) delete spec.storageClassName;
  if (now.status?.phase === "Bound") {
    const before = old.spec.resources?.requests?.storage;
    if (spec.resources?.requests !== undefined && before !== undefined) {
      spec.resources.requests.storage = before;
    }
    delete spec.volumeAttributesClassName;
    if (old.spec.volumeAttributesClassName !== undefined) {
      spec.volumeAttributesClassName = old.spec.volumeAttributesClassName;
    }
  }
  return spec;
}

function validateUpdate(draft: KubeObject, old: KubeObject): FieldError[] {
  const problems = new Problems();
  const now = draft as PersistentVolumeClaim;
  const before = old as PersistentVolumeClaim;
  problems.immutable(
    `metadata.annotations[${CLASS_ANNOTATION}]`,
    now.metadata.annotations?.[CLASS_ANNOTATION],
    before.metadata.annotations?.[CLASS_ANNOTATION],
  );
  if (!sameJson(frozenPart(now, before), frozenPart(before, before))) {
    problems.forbidden(
      "spec",
      "spec is immutable after creation except resources.requests and " +
        "volumeAttributesClassName for bound claims",
    );
  }
  const size = now.spec.resources?.requests?.storage ?? "0";
  const sizeBefore = before.spec.resources?.requests?.storage ?? "0";
  const capacity = before.status?.capacity?.storage ?? "0";
  if (compareQuantities(size, sizeBefore) < 0 && compareQuantities(size, capacity) <= 0) {
    problems.forbidden(
      "spec.resources.requests.storage",
      "field can not be less than status.capacity",
    );
  }
  problems.immutable("volumeMode", now.spec.volumeMode, before.spec.volumeMode);
  const attributes = now.spec.volumeAttributesClassName;
  if (before.status?.currentVolumeAttributesClassName !== undefined && !attributes) {
    const to = attributes === undefined ? "nil" : "empty string";
    problems.forbidden(
      "spec.volumeAttributesClassName",
      `update to ${to} is forbidden when status.currentVolumeAttributesClassName is not nil`,
    );
  }
  return problems.errors;
}

function validateResourceKey(problems: Problems, path: string, name: string): boolean {
  const faults = checkQualifiedName(name);
  for (const detail of faults) problems.invalid(path, name, detail);
  if (faults.length > 0) return false;
  const isNative = !name.includes("/") || name.includes("kubernetes.io/");
  if (isNative && name !== "storage") {
    problems.notSupported(path, name, ["storage"]);
    return false;
  }
  return true;
}

function validateStatusUpdate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { status = {} } = draft as PersistentVolumeClaim;
  for (const [name, amount] of Object.entries(status.capacity ?? {})) {
    checkNonNegative(problems, `status.capacity[${name}]`, amount);
  }
  const statesPath = "status.allocatedResourceStatuses";
  for (const [name, state] of Object.entries(status.allocatedResourceStatuses ?? {})) {
    validateResourceKey(problems, statesPath, name);
    if (!RESIZE_STATES.includes(state)) problems.notSupported(statesPath, name, RESIZE_STATES);
  }
  for (const [name, amount] of Object.entries(status.allocatedResources ?? {})) {
    if (!validateResourceKey(problems, "status.allocatedResources", name)) continue;
    const path = `status.allocatedResources[${name}]`;
    if (checkNonNegative(problems, path, amount)) checkWhole(problems, path, amount);
  }
  return problems.errors;
}

const whenBound = (read: (claim: PersistentVolumeClaim) => string) => (object: KubeObject) =>
  object.spec?.volumeName ? read(object as PersistentVolumeClaim) : "";

export const persistentVolumeClaimRules: Rules = {
  setDefaults: (draft) => {
    const claim = draft as PersistentVolumeClaim;
    claim.spec ??= {};
    claim.spec.volumeMode ??= "Filesystem";
    claim.status ??= {};
    claim.status.phase ||= "Pending";
  },
  prepareForCreate: (draft) => {
    draft.status = { phase: "Pending" };
    normalizeDataSources((draft as PersistentVolumeClaim).spec);
  },
  prepareForUpdate: (draft, old) => {
    restoreFields(draft, old, ["status"]);
    normalizeDataSources((draft as PersistentVolumeClaim).spec);
  },
  prepareForStatusUpdate: (draft, old) => restoreFields(draft, old, ["spec"]),
  validate,
  validateUpdate,
  validateStatusUpdate,
  generationFields: [],
  columns: [
    nameColumn,
    column("Status", "Whether it is bound.", phaseOf),
    column("Volume", "Volume that it is bound to.", (claim) => claim.spec?.volumeName ?? ""),
    column(
      "Capacity",
      "How much its volume holds.",
      whenBound((claim) => canonicalQuantity(claim.status?.capacity?.storage ?? "0") ?? ""),
    ),
    column(
      "Access Modes",
      "How many may use its volume.",
      whenBound((claim) => shortAccessModes(claim.status?.accessModes)),
    ),
    storageClassColumn,
    attributesClassColumn,
    ageColumn,
    volumeModeColumn,
  ],
};

/** The VolumeAttributesClasses that a claim wants, has, or is on its way to. */
export function attributesClassesOf({ spec, status }: KubeObject): readonly string[] {
  return [
    spec?.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ].filter(Boolean);
}
