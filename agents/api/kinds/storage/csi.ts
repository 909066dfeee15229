/**
 * The rules of CSI drivers, CSI nodes, storage capacities and volume attachments.
 * In: drafts. Out: defaults, checks, columns, fields. Never: talks to a driver.
 * Source: pkg/apis/storage/validation, pkg/apis/storage/v1/defaults.go (v1.36).
 */
import type { KubeObject } from "../../meta.ts";
import { checkDns1123Subdomain, checkQualifiedName, rangeMessage } from "../../names.ts";
import { validateLabelSelector } from "../../object_meta.ts";
import { canonicalQuantity } from "../../quantity.ts";
import type { FieldError, Rules } from "../../resource.ts";
import type {
  CSIDriver,
  CSIDriverSpec,
  CSINode,
  CSINodeDriver,
  CSIStorageCapacity,
  TokenRequest,
  VolumeAttachment,
  VolumeError,
} from "../../schema/generated/storage_v1.ts";
import { ageColumn, column, nameColumn } from "../columns.ts";
import { ownStatus } from "../prepare.ts";
import { Problems } from "../problems.ts";
import { checkNonNegative } from "../quantities.ts";
import { validateInlineSpec } from "./persistent_volume.ts";
import { validateDriverName } from "./volume_sources.ts";

export type {
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  VolumeAttachment,
} from "../../schema/generated/storage_v1.ts";

const NODE_ID_LIMIT = 256;
const METADATA_BYTES = 256 * 1024;
const ERROR_BYTES = 1024;
const MIN_TOKEN_SECONDS = 600;
const MAX_TOKEN_SECONDS = 2 ** 32;
const MIN_UPDATE_SECONDS = 10;
const MAX_INT32 = 2 ** 31 - 1;
const FS_GROUP_POLICIES = ["File", "None", "ReadWriteOnceWithFSType"];
const LIFECYCLE_MODES = ["Persistent", "Ephemeral"];

function setDriverDefaults(draft: KubeObject): void {
  const driver = draft as CSIDriver;
  const spec = driver.spec ??= {};
  spec.attachRequired ??= true;
  spec.podInfoOnMount ??= false;
  spec.storageCapacity ??= false;
  spec.fsGroupPolicy ??= "ReadWriteOnceWithFSType";
  if ((spec.volumeLifecycleModes ?? []).length === 0) spec.volumeLifecycleModes = ["Persistent"];
  spec.requiresRepublish ??= false;
  spec.seLinuxMount ??= false;
}

function validateTokenRequests(problems: Problems, requests: readonly TokenRequest[]): void {
  const audiences = new Set<string>();
  requests.forEach(({ audience = "", expirationSeconds: seconds }, index) => {
    const at = `spec.tokenRequests[${index}]`;
    if (audiences.has(audience)) return problems.duplicate(`${at}.audience`, audience);
    audiences.add(audience);
    if (seconds === undefined) return;
    const path = `${at}.expirationSeconds`;
    if (seconds < MIN_TOKEN_SECONDS) {
      problems.invalid(path, seconds, "may not specify a duration less than 10 minutes");
    }
    if (seconds > MAX_TOKEN_SECONDS) {
      problems.invalid(path, seconds, "may not specify a duration larger than 2^32 seconds");
    }
  });
}

function validateDriver(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const spec: CSIDriverSpec = (draft as CSIDriver).spec;
  if (spec.attachRequired === undefined) problems.required("spec.attachedRequired");
  if (spec.podInfoOnMount === undefined) problems.required("spec.podInfoOnMount");
  if (spec.storageCapacity === undefined) problems.required("spec.storageCapacity");
  if (spec.fsGroupPolicy !== undefined) {
    problems.oneOf("spec.fsGroupPolicy", spec.fsGroupPolicy, FS_GROUP_POLICIES);
  }
  const tokens = spec.tokenRequests ?? [];
  validateTokenRequests(problems, tokens);
  for (const mode of spec.volumeLifecycleModes ?? []) {
    if (LIFECYCLE_MODES.includes(mode)) continue;
    problems.notSupported("spec.volumeLifecycleModes", mode, LIFECYCLE_MODES);
  }
  if (spec.seLinuxMount === undefined) problems.required("spec.seLinuxMount");
  const period = spec.nodeAllocatableUpdatePeriodSeconds;
  if (period !== undefined && period < MIN_UPDATE_SECONDS) {
    problems.invalid(
      "spec.nodeAllocatableUpdatePeriodSeconds",
      period,
      "must be greater than or equal to 10 seconds",
    );
  }
  if (spec.serviceAccountTokenInSecrets !== undefined && tokens.length === 0) {
    problems.invalid(
      "spec.serviceAccountTokenInSecrets",
      spec.serviceAccountTokenInSecrets,
      "serviceAccountTokenInSecrets is set but no tokenRequests are specified",
    );
  }
  return problems.errors;
}

function tokensCell(object: KubeObject): string {
  const requests = (object as CSIDriver).spec?.tokenRequests;
  return requests === undefined ? "<unset>" : requests.map((item) => item.audience).join(",");
}

const flag = (field: string, fallback = false) => (object: KubeObject) =>
  object.spec?.[field] ?? fallback;
const asBoolean = { type: "boolean" } as const;

export const csiDriverRules: Rules = {
  setDefaults: setDriverDefaults,
  validate: validateDriver,
  validateUpdate: (draft, old) => {
    const problems = new Problems();
    const now = (draft as CSIDriver).spec;
    const before = (old as CSIDriver).spec;
    problems.immutable("spec.attachedRequired", now.attachRequired, before.attachRequired);
    problems.immutable(
      "spec.volumeLifecycleModes",
      now.volumeLifecycleModes,
      before.volumeLifecycleModes,
    );
    return problems.errors;
  },
  columns: [
    nameColumn,
    column(
      "AttachRequired",
      "Whether volumes are attached first.",
      flag("attachRequired", true),
      asBoolean,
    ),
    column("PodInfoOnMount", "Whether it is told of pods.", flag("podInfoOnMount"), asBoolean),
    column(
      "StorageCapacity",
      "Whether it reports how much is left.",
      flag("storageCapacity"),
      asBoolean,
    ),
    column("TokenRequests", "Audiences of the tokens that it needs.", tokensCell),
    column(
      "RequiresRepublish",
      "Whether it is called again and again.",
      flag("requiresRepublish"),
      asBoolean,
    ),
    column(
      "Modes",
      "Lifecycles of volumes that it supports.",
      (item) => (item.spec?.volumeLifecycleModes ?? []).join(",") || "<none>",
    ),
    ageColumn,
  ],
};

function validateNodeDriver(problems: Problems, at: string, driver: CSINodeDriver): void {
  validateDriverName(problems, `${at}.name`, driver.name);
  const { nodeID = "", allocatable, topologyKeys = [] } = driver;
  if (nodeID === "") problems.required(`${at}.nodeID`);
  if (nodeID.length > NODE_ID_LIMIT) {
    problems.invalid(`${at}.nodeID`, nodeID, `must be ${NODE_ID_LIMIT} characters or less`);
  }
  problems.nonNegative(`${at}.allocatable.count`, allocatable?.count);
  const keys = new Set<string>();
  for (const key of topologyKeys ?? []) {
    if (key === "") problems.required(at);
    if (keys.has(key)) problems.duplicate(at, key);
    keys.add(key);
    problems.checkName(at, key, checkQualifiedName);
  }
}

function validateNode(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const names = new Set<string>();
  ((draft as CSINode).spec?.drivers ?? []).forEach((driver, index) => {
    const at = `spec.drivers[${index}]`;
    validateNodeDriver(problems, at, driver);
    if (names.has(driver.name)) problems.duplicate(`${at}.name`, driver.name);
    names.add(driver.name);
  });
  return problems.errors;
}

export const csiNodeRules: Rules = {
  validate: validateNode,
  validateUpdate: (draft, old) => {
    const problems = new Problems();
    const before = new Map(((old as CSINode).spec?.drivers ?? []).map((item) => [item.name, item]));
    for (const { allocatable: _now, ...driver } of (draft as CSINode).spec?.drivers ?? []) {
      const known = before.get(driver.name);
      if (known === undefined) continue;
      // How much can be attached is found out again and again.
      const { allocatable: _before, ...rest } = known;
      problems.immutable("spec.drivers", driver, rest);
    }
    return problems.errors;
  },
  generationFields: [],
  columns: [
    nameColumn,
    column("Drivers", "How many drivers run there.", (item) => (item.spec?.drivers ?? []).length, {
      type: "integer",
    }),
    ageColumn,
  ],
};

export const csiStorageCapacityRules: Rules = {
  validate: (draft) => {
    const problems = new Problems();
    const { nodeTopology, storageClassName = "", capacity } = draft as CSIStorageCapacity;
    validateLabelSelector(problems, "nodeTopology", nodeTopology);
    problems.checkName("storageClassName", storageClassName, checkDns1123Subdomain);
    if (capacity !== undefined) checkNonNegative(problems, "capacity", capacity);
    return problems.errors;
  },
  validateUpdate: (draft, old) => {
    const problems = new Problems();
    problems.immutable("nodeTopology", draft.nodeTopology, old.nodeTopology);
    problems.immutable("storageClassName", draft.storageClassName, old.storageClassName);
    return problems.errors;
  },
  generationFields: [],
  columns: [
    nameColumn,
    column("StorageClassName", "Class that it is about.", (item) => item.storageClassName ?? ""),
    column(
      "Capacity",
      "How much is left.",
      (item) => item.capacity === undefined ? "<unset>" : canonicalQuantity(item.capacity) ?? "",
    ),
  ],
};

function validateVolumeError(problems: Problems, at: string, error: VolumeError | undefined): void {
  if (error === undefined) return;
  if ((error.message ?? "").length > ERROR_BYTES) {
    problems.tooLong(`${at}.message`, METADATA_BYTES);
  }
  const code = error.errorCode;
  if (code !== undefined && code < 0) {
    problems.invalid(`${at}.errorCode`, code, rangeMessage(0, MAX_INT32));
  }
}

function validateAttachment(draft: KubeObject): FieldError[] {
  const problems = new Problems();
  const { spec, status } = draft as VolumeAttachment;
  validateDriverName(problems, "spec.attacher", spec.attacher);
  const { persistentVolumeName, inlineVolumeSpec } = spec.source ?? {};
  const detail = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
  if (persistentVolumeName === undefined && inlineVolumeSpec === undefined) {
    problems.required("spec.source", detail);
  } else if (persistentVolumeName !== undefined && inlineVolumeSpec !== undefined) {
    problems.forbidden("spec.source", detail);
  } else if (persistentVolumeName === "") {
    const path = "spec.source.persistentVolumeName";
    problems.required(path, "must specify non empty persistentVolumeName");
  } else if (inlineVolumeSpec !== undefined) {
    validateInlineSpec(problems, "spec.source.inlineVolumeSpec", inlineVolumeSpec);
  }
  problems.checkName("spec.nodeName", spec.nodeName ?? "", checkDns1123Subdomain);
  let bytes = 0;
  for (const [key, value] of Object.entries(status?.attachmentMetadata ?? {})) {
    bytes += key.length + value.length;
  }
  if (bytes > METADATA_BYTES) problems.tooLong("status.attachmentMetadata", METADATA_BYTES);
  validateVolumeError(problems, "status.attachError", status?.attachError);
  validateVolumeError(problems, "status.detachError", status?.detachError);
  if (persistentVolumeName !== undefined) {
    const path = "spec.source.persistentVolumeName";
    problems.checkName(path, persistentVolumeName, checkDns1123Subdomain);
  }
  return problems.errors;
}

export const volumeAttachmentRules: Rules = {
  setDefaults: (draft) => {
    const attachment = draft as VolumeAttachment;
    attachment.spec ??= {} as VolumeAttachment["spec"];
    attachment.spec.source ??= {};
    const inline = attachment.spec.source.inlineVolumeSpec;
    if (inline !== undefined) inline.volumeMode ??= "Filesystem";
  },
  ...ownStatus(() => ({ attached: false })),
  validate: validateAttachment,
  validateStatusUpdate: validateAttachment,
  validateUpdate: (draft, old) => {
    const problems = new Problems();
    problems.immutable("spec", draft.spec, old.spec);
    return problems.errors;
  },
  generationFields: [],
  columns: [
    nameColumn,
    column("Attacher", "Driver that attaches it.", (item) => item.spec?.attacher ?? "", {
      format: "name",
    }),
    column(
      "PV",
      "Volume that is attached.",
      (item) => item.spec?.source?.persistentVolumeName ?? "",
    ),
    column("Node", "Node that it is attached to.", (item) => item.spec?.nodeName ?? ""),
    column("Attached", "Whether it is attached.", (item) => item.status?.attached === true, {
      type: "boolean",
    }),
    ageColumn,
  ],
};
