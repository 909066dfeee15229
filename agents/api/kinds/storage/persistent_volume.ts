/**
 * The rules of persistent volumes.
 * In: drafts. Out: defaults, checks, columns, fields. Never: binds or provisions.
 * Source: pkg/registry/core/persistentvolume/strategy.go, ValidatePersistentVolumeSpec (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import { checkDns1123Label, checkDns1123Subdomain } from "../../names.ts";
import { canonicalQuantity } from "../../quantity.ts";
import type { FieldError, RuleContext, Rules } from "../../resource.ts";
import type { PersistentVolume, PersistentVolumeSpec } from "../../schema/generated/core_v1.ts";
import { formatTime } from "../../time.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { validateNodeSelector } from "../pod/validate_placement.ts";
import { restoreFields } from "../prepare.ts";
import { Problems, sameJson } from "../problems.ts";
import { checkPositive } from "../quantities.ts";
import {
  setSourceDefaults,
  validateDriverName,
  validateHostPath,
  validateSecretReference,
  validateSharedSource,
} from "./volume_sources.ts";

export type {
  PersistentVolume,
  PersistentVolumeSpec,
  PersistentVolumeStatus,
} from "../../schema/generated/core_v1.ts";

/** Older claims and volumes name their class in this annotation. */
export const CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class";

const ACCESS_MODES = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
const SHORT_MODES: Readonly<Record<string, string>> = {
  ReadWriteOnce: "RWO",
  ReadOnlyMany: "ROX",
  ReadWriteMany: "RWX",
  ReadWriteOncePod: "RWOP",
};
const VOLUME_MODES = ["Block", "Filesystem"];
const RECLAIM_POLICIES = ["Delete", "Recycle", "Retain"];
const ISCSI_NAME_LIMIT = 64;

/** Fields of a spec that name a source of storage. */
const SOURCES = [
  "hostPath",
  "gcePersistentDisk",
  "awsElasticBlockStore",
  "glusterfs",
  "flocker",
  "nfs",
  "rbd",
  "quobyte",
  "cephfs",
  "iscsi",
  "cinder",
  "fc",
  "flexVolume",
  "azureFile",
  "vsphereVolume",
  "photonPersistentDisk",
  "portworxVolume",
  "azureDisk",
  "scaleIO",
  "local",
  "storageos",
  "csi",
] as const;

const CSI_SECRETS = [
  "controllerPublishSecretRef",
  "controllerExpandSecretRef",
  "nodePublishSecretRef",
  "nodeExpandSecretRef",
] as const;

function setDefaults(draft: KubeObject): void {
  const volume = draft as PersistentVolume;
  const spec = volume.spec ??= {} as PersistentVolumeSpec;
  spec.persistentVolumeReclaimPolicy ||= "Retain";
  spec.volumeMode ??= "Filesystem";
  setSourceDefaults(spec);
  volume.status ??= {};
  volume.status.phase ||= "Pending";
}

function prepareForCreate(draft: KubeObject, context: RuleContext): void {
  draft.status = { phase: "Pending", lastPhaseTransitionTime: formatTime(context.nowMillis) };
}

/** A volume that moves to another phase is stamped, unless the writer did it. */
function prepareForStatusUpdate(draft: KubeObject, old: KubeObject, context?: RuleContext): void {
  restoreFields(draft, old, ["spec"]);
  const now = (draft as PersistentVolume).status;
  const before = (old as PersistentVolume).status;
  if (now === undefined || now.phase === before?.phase || context === undefined) return;
  if (now.lastPhaseTransitionTime === before?.lastPhaseTransitionTime) {
    now.lastPhaseTransitionTime = formatTime(context.nowMillis);
  }
}

/** Modes of claims and volumes: known, and the exclusive one stands alone. */
export function validateAccessModes(
  problems: Problems,
  path: string,
  modes: readonly string[],
): void {
  for (const mode of modes) {
    if (!ACCESS_MODES.includes(mode)) problems.notSupported(path, mode, ACCESS_MODES);
  }
  const isExclusive = modes.includes("ReadWriteOncePod");
  const others = modes.filter((mode) => mode !== "ReadWriteOncePod" && ACCESS_MODES.includes(mode));
  if (isExclusive && others.length > 0) {
    problems.forbidden(path, "may not use ReadWriteOncePod with other access modes");
  }
}

/** How a claim or volume is to be mounted. */
export function validateVolumeMode(
  problems: Problems,
  path: string,
  mode: string | undefined,
): void {
  if (mode !== undefined && !VOLUME_MODES.includes(mode)) {
    problems.notSupported(path, mode, VOLUME_MODES);
  }
}

function validateCapacity(problems: Problems, path: string, spec: PersistentVolumeSpec): void {
  const capacity = spec.capacity ?? {};
  const names = Object.keys(capacity);
  if (names.length === 0) problems.required(path);
  if (capacity.storage === undefined || names.length > 1) {
    problems.notSupported(path, capacity, ["storage"]);
  }
  for (const name of names) checkPositive(problems, `${path}[${name}]`, capacity[name]);
}

function validateCsi(problems: Problems, at: string, spec: PersistentVolumeSpec): void {
  const { csi } = spec;
  if (csi === undefined) return;
  validateDriverName(problems, `${at}.csi.driver`, csi.driver);
  if (!csi.volumeHandle) problems.required(`${at}.csi.volumeHandle`);
  for (const field of CSI_SECRETS) {
    validateSecretReference(problems, `${at}.csi.${field}`, csi[field]);
  }
}

/** What only persistent volumes check of the older sources. */
function validateOlderSources(
  problems: Problems,
  at: string,
  { spec, volumeName }: { readonly spec: PersistentVolumeSpec; readonly volumeName: string },
): void {
  const { glusterfs, azureFile, cinder, storageos, iscsi, hostPath, local } = spec;
  if (hostPath !== undefined) validateHostPath(problems, `${at}.hostPath`, hostPath);
  if (local?.path && local.path.split("/").includes("..")) {
    problems.invalid(`${at}.local.path`, local.path, "must not contain '..'");
  }
  const namespace = glusterfs?.endpointsNamespace;
  if (namespace === "") {
    problems.invalid(
      `${at}.glusterfs.endpointsNamespace`,
      "",
      "if the endpointnamespace is set, it must be a valid namespace name",
    );
  } else if (namespace !== undefined) {
    problems.checkName(`${at}.glusterfs.endpointsNamespace`, namespace, checkDns1123Label);
  }
  if (azureFile?.secretNamespace === "") problems.required(`${at}.azureFile.secretNamespace`);
  for (const [field, source] of [["cinder", cinder], ["storageos", storageos]] as const) {
    if (source?.secretRef !== undefined && !source.secretRef.namespace) {
      problems.required(`${at}.${field}.secretRef.namespace`);
    }
  }
  if (iscsi?.secretRef !== undefined && !iscsi.secretRef.name) {
    problems.required(`${at}.iscsi.secretRef.name`);
  }
  const name = `${volumeName}:${iscsi?.targetPortal}`;
  if (iscsi?.initiatorName !== undefined && name.length > ISCSI_NAME_LIMIT) {
    problems.invalid(
      `${at}.iscsi.targetportal`,
      iscsi.targetPortal,
      "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if " +
        "iscsi.initiatorName is specified.",
    );
  }
}

function validateSources(
  problems: Problems,
  at: string,
  parts: { readonly spec: PersistentVolumeSpec; readonly volumeName: string },
): void {
  const { spec } = parts;
  const given = SOURCES.filter((field) => spec[field] !== undefined);
  if (given.length === 0) problems.required(at, "must specify a volume type");
  for (const extra of given.slice(1)) {
    problems.forbidden(`${at}.${extra}`, "may not specify more than 1 volume type");
  }
  const first = given[0];
  if (first === undefined) return;
  validateSharedSource(problems, `${at}.${first}`, { type: first, source: spec[first] });
  validateOlderSources(problems, at, parts);
  if (first === "csi") validateCsi(problems, at, spec);
  if (spec.local !== undefined && spec.nodeAffinity === undefined) {
    problems.required(`${at}.nodeAffinity`, "Local volume requires node affinity");
  }
}

/** What a volume attachment's inline spec may not say, and what it must. */
export function validateInlineSpec(
  problems: Problems,
  at: string,
  spec: PersistentVolumeSpec,
): void {
  const context = "in the context of inline volumes";
  for (const field of ["claimRef", "capacity", "nodeAffinity", "storageClassName"] as const) {
    const isSet = spec[field] !== undefined && !sameJson(spec[field], undefined);
    if (isSet && spec[field] !== "") {
      problems.forbidden(`${at}.${field}`, `may not be specified ${context}`);
    }
  }
  if (spec.csi === undefined) problems.required(`${at}.csi`, `has to be specified ${context}`);
  if ((spec.accessModes ?? []).length === 0) problems.required(`${at}.accessModes`);
  validateAccessModes(problems, `${at}.accessModes`, spec.accessModes ?? []);
  const policy = spec.persistentVolumeReclaimPolicy;
  if (policy && policy !== "Retain") {
    const detail = `may only be Retain ${context}`;
    problems.forbidden(`${at}.persistentVolumeReclaimPolicy`, detail);
  }
  if (spec.volumeMode !== undefined && spec.volumeMode !== "Filesystem") {
    const detail = `may not specify volumeMode other than Filesystem ${context}`;
    problems.forbidden(`${at}.volumeMode`, detail);
  }
  validateSources(problems, at, { spec, volumeName: "" });
}

function validate(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { spec, metadata } = draft as PersistentVolume;
  if ((spec.accessModes ?? []).length === 0) problems.required("spec.accessModes");
  validateAccessModes(problems, "spec.accessModes", spec.accessModes ?? []);
  validateCapacity(problems, "spec.capacity", spec);
  const policy = spec.persistentVolumeReclaimPolicy;
  problems.oneOf("spec.persistentVolumeReclaimPolicy", policy, RECLAIM_POLICIES);
  if (spec.nodeAffinity !== undefined) {
    const { required } = spec.nodeAffinity;
    const path = "spec.nodeAffinity.required";
    if (required === undefined) {
      problems.required(path, "must specify required node constraints");
    } else validateNodeSelector(problems, path, required);
  }
  validateSources(problems, "spec", { spec, volumeName: metadata.name ?? "" });
  if (/^\/+$/.test(spec.hostPath?.path ?? "") && policy === "Recycle") {
    problems.forbidden(
      "spec.persistentVolumeReclaimPolicy",
      "may not be 'recycle' for a hostPath mount of '/'",
    );
  }
  if (spec.storageClassName) {
    problems.checkName("spec.storageClassName", spec.storageClassName, checkDns1123Subdomain);
  }
  validateVolumeMode(problems, "spec.volumeMode", spec.volumeMode);
  validateAttributesClass(problems, spec);
  return problems.errors;
}

function validateAttributesClass(problems: Problems, spec: PersistentVolumeSpec): void {
  const name = spec.volumeAttributesClassName;
  if (name === undefined) return;
  const path = "spec.volumeAttributesClassName";
  if (name === "") problems.required(path, "an empty string is disallowed");
  else problems.checkName(path, name, checkDns1123Subdomain);
  if (spec.csi === undefined) {
    problems.required("spec.csi", "has to be specified when using volumeAttributesClassName");
  }
}

function validateUpdate(draft: KubeObject, old: KubeObject): FieldError[] {
  const problems = new Problems();
  const now = (draft as PersistentVolume).spec;
  const before = (old as PersistentVolume).spec;
  const changed = SOURCES.filter((field) => {
    if (field !== "csi" || before.csi === undefined || now.csi === undefined) {
      return !sameJson(now[field], before[field]);
    }
    if (before.csi.controllerExpandSecretRef !== undefined) return !sameJson(now.csi, before.csi);
    // The secret for expanding may be added later.
    const { controllerExpandSecretRef: _added, ...rest } = now.csi;
    return !sameJson(rest, before.csi);
  });
  if (changed.length > 0) {
    problems.forbidden(
      "spec.persistentvolumesource",
      `spec.persistentvolumesource is immutable after creation\n${changed.join(", ")}`,
    );
  }
  problems.immutable("volumeMode", now.volumeMode, before.volumeMode);
  if (before.nodeAffinity !== undefined && !sameJson(now.nodeAffinity, before.nodeAffinity)) {
    problems.invalid("nodeAffinity", now.nodeAffinity ?? null, "field is immutable");
  }
  const hadClass = before.volumeAttributesClassName !== undefined;
  if (hadClass && now.volumeAttributesClassName === undefined) {
    problems.forbidden(
      "spec.volumeAttributesClassName",
      "update from non-nil value to nil is forbidden",
    );
  }
  return problems.errors;
}

/** `RWO,ROX`, in the fixed order in which they are printed. */
export function shortAccessModes(modes: readonly string[] | undefined): string {
  const given = new Set(modes ?? []);
  return Object.keys(SHORT_MODES).filter((mode) => given.has(mode))
    .map((mode) => SHORT_MODES[mode]).join(",");
}

/** The class that a claim or volume names. */
export function storageClassOf(object: KubeObject): string {
  return object.metadata.annotations?.[CLASS_ANNOTATION] ?? object.spec?.storageClassName ?? "";
}

/** Phase, or what deletion makes of it. */
export function phaseOf(object: KubeObject): string {
  if (object.metadata.deletionTimestamp !== undefined) return "Terminating";
  return object.status?.phase ?? "";
}

export const attributesClassColumn = column(
  "VolumeAttributesClass",
  "Class of the attributes that may change while in use.",
  (object) => object.spec?.volumeAttributesClassName ?? "<unset>",
);

export const volumeModeColumn = column(
  "VolumeMode",
  "Whether it is mounted as a file system or as a block device.",
  (object) => object.spec?.volumeMode ?? "<unset>",
  { wide: true },
);

export const storageClassColumn = column(
  "StorageClass",
  "Class that it belongs to.",
  storageClassOf,
);

function claimCell(object: KubeObject): string {
  const claim = (object as PersistentVolume).spec?.claimRef;
  return claim === undefined ? "" : `${claim.namespace ?? ""}/${claim.name ?? ""}`;
}

export const persistentVolumeRules: Rules = {
  setDefaults,
  prepareForCreate,
  prepareForUpdate: (draft, old) => restoreFields(draft, old, ["status"]),
  prepareForStatusUpdate,
  validate,
  validateUpdate,
  generationFields: [],
  columns: [
    nameColumn,
    column(
      "Capacity",
      "How much it holds.",
      (volume) => canonicalQuantity(volume.spec?.capacity?.storage ?? "0") ?? "",
    ),
    column("Access Modes", "How many may use it.", (v) => shortAccessModes(v.spec?.accessModes)),
    column(
      "Reclaim Policy",
      "What becomes of it when it is released.",
      (volume) => volume.spec?.persistentVolumeReclaimPolicy ?? "",
    ),
    column("Status", "Whether it is bound.", phaseOf),
    column("Claim", "Claim that it is bound to.", claimCell),
    storageClassColumn,
    attributesClassColumn,
    column("Reason", "Why it is in its phase.", (volume) => volume.status?.reason ?? ""),
    ageColumn,
    volumeModeColumn,
  ],
};
