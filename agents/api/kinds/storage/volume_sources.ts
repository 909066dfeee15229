/**
 * Sources of volumes that pods and persistent volumes share: what they leave open, what is wrong.
 * In: a volume or a persistent volume's spec. Out: defaults, field errors. Never: mounts.
 * Source: the validate…VolumeSource functions of pkg/apis/core/validation (v1.36).
 */
import { checkDns1123Label, checkDns1123Subdomain, rangeMessage } from "../../names.ts";
import type { Problems } from "../problems.ts";

// Pods and persistent volumes have twin types for a source; what is checked is what they share.
// deno-lint-ignore no-explicit-any
type Source = any;

/** Text or lists that a source can't do without, by its field's name. */
const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  gcePersistentDisk: ["pdName"],
  awsElasticBlockStore: ["volumeID"],
  glusterfs: ["endpoints", "path"],
  gitRepo: ["repository"],
  rbd: ["monitors", "image"],
  cephfs: ["monitors"],
  cinder: ["volumeID"],
  flexVolume: ["driver"],
  azureFile: ["secretName", "shareName"],
  azureDisk: ["diskName", "diskURI"],
  vsphereVolume: ["volumePath"],
  photonPersistentDisk: ["pdID"],
  portworxVolume: ["volumeID"],
  scaleIO: ["gateway", "system", "volumeName"],
  storageos: ["volumeName"],
  iscsi: ["targetPortal", "iqn"],
  local: ["path"],
};

const PARTITION_LIMIT = 255;
const LUN_LIMIT = 255;
const DRIVER_LIMIT = 63;
const QUOBYTE_TENANT_LIMIT = 65;

const INITIATOR_PATTERNS: Readonly<Record<string, RegExp>> = {
  iqn: /iqn\.\d{4}-\d{2}\.([A-Za-z0-9.-]+)(:[^,;*&$|\s]+)$/,
  eui: /^eui.[A-Za-z0-9]{16}$/,
  naa: /^naa.[A-Za-z0-9]{32}$/,
};

const HOST_PATH_TYPES = [
  "",
  "BlockDevice",
  "CharDevice",
  "Directory",
  "DirectoryOrCreate",
  "File",
  "FileOrCreate",
  "Socket",
];

/** Fills in what a source of a pod's or a persistent volume leaves open. */
export function setSourceDefaults({ hostPath, iscsi, rbd, azureDisk, scaleIO }: Source): void {
  if (hostPath) hostPath.type ??= "";
  if (iscsi) iscsi.iscsiInterface ||= "default";
  if (rbd) {
    rbd.pool ||= "rbd";
    rbd.user ||= "admin";
    rbd.keyring ||= "/etc/ceph/keyring";
  }
  if (azureDisk) {
    azureDisk.cachingMode ??= "ReadWrite";
    azureDisk.kind ??= "Shared";
    azureDisk.fsType ??= "ext4";
    azureDisk.readOnly ??= false;
  }
  if (scaleIO) {
    scaleIO.storageMode ||= "ThinProvisioned";
    scaleIO.fsType ||= "xfs";
  }
}

type Check = (problems: Problems, at: string, source: Source) => void;

function isBlank(value: unknown): boolean {
  return value === undefined || value === "" || (Array.isArray(value) && value.length === 0);
}

function inRange(problems: Problems, at: string, value: number | undefined, limit: number): void {
  if (value === undefined || (value >= 0 && value <= limit)) return;
  problems.invalid(at, value, rangeMessage(0, limit));
}

const checkPartition: Check = (problems, at, source) =>
  inRange(problems, `${at}.partition`, source.partition, PARTITION_LIMIT);

function checkInitiator(problems: Problems, at: string, name: string): void {
  const pattern = INITIATOR_PATTERNS[name.slice(0, 3)];
  if (pattern === undefined) {
    problems.invalid(at, name, "must be valid format starting with iqn, eui, or naa");
  } else if (!pattern.test(name)) problems.invalid(at, name, "must be valid format");
}

const checkIscsi: Check = (problems, at, source) => {
  if (!isBlank(source.iqn)) checkInitiator(problems, `${at}.iqn`, source.iqn);
  inRange(problems, `${at}.lun`, source.lun, LUN_LIMIT);
  if ((source.chapAuthDiscovery || source.chapAuthSession) && source.secretRef === undefined) {
    problems.required(`${at}.secretRef`);
  }
  if (source.initiatorName !== undefined) {
    checkInitiator(problems, `${at}.initiatorname`, source.initiatorName);
  }
};

const checkFibreChannel: Check = (problems, at, source) => {
  const targets = source.targetWWNs ?? [];
  const wwids = source.wwids ?? [];
  const path = `${at}.targetWWNs`;
  if (targets.length === 0 && wwids.length === 0) {
    problems.required(path, "must specify either targetWWNs or wwids, but not both");
  }
  if (targets.length > 0 && wwids.length > 0) {
    problems.invalid(
      path,
      targets,
      "targetWWNs and wwids can not be specified simultaneously",
    );
  }
  if (targets.length === 0) return;
  if (source.lun === undefined) {
    problems.required(`${at}.lun`, "lun is required if targetWWNs is specified");
  } else inRange(problems, `${at}.lun`, source.lun, LUN_LIMIT);
};

const checkFlexVolume: Check = (problems, at, source) => {
  for (const key of Object.keys(source.options ?? {})) {
    const namespace = key.includes("/") ? key.slice(0, key.indexOf("/")) : key;
    if (/\.(kubernetes|k8s)\.io$/.test(`.${namespace.toLowerCase()}`)) {
      const detail = "kubernetes.io and k8s.io namespaces are reserved";
      problems.invalid(`${at}.options[${key}]`, key, detail);
    }
  }
};

const checkAzureDisk: Check = (problems, at, source) => {
  const { cachingMode, kind, diskURI = "" } = source;
  if (cachingMode !== undefined) {
    problems.oneOf(`${at}.cachingMode`, cachingMode, ["None", "ReadOnly", "ReadWrite"]);
  }
  if (kind === undefined) return;
  problems.oneOf(`${at}.kind`, kind, ["Dedicated", "Managed", "Shared"]);
  const isManaged = kind === "Managed";
  if (isManaged && !diskURI.startsWith("/subscriptions/")) {
    problems.notSupported(`${at}.diskURI`, diskURI, [
      "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/" +
      "disks/{disk-id}",
    ]);
  } else if (!isManaged && !diskURI.startsWith("https://")) {
    problems.notSupported(`${at}.diskURI`, diskURI, [
      "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd",
    ]);
  }
};

const checkFlocker: Check = (problems, at, source) => {
  if (!source.datasetName && !source.datasetUUID) {
    problems.required(at, "one of datasetName and datasetUUID is required");
  }
  if (source.datasetName && source.datasetUUID) {
    const detail = "datasetName and datasetUUID can not be specified simultaneously";
    problems.invalid(at, "resource", detail);
  }
  if (source.datasetName?.includes("/")) {
    problems.invalid(`${at}.datasetName`, source.datasetName, "must not contain '/'");
  }
};

const checkQuobyte: Check = (problems, at, source) => {
  const { registry, tenant, volume } = source;
  if (!registry) {
    problems.required(
      `${at}.registry`,
      "must be a host:port pair or multiple pairs separated by" +
        " commas",
    );
  } else if ((tenant ?? "").length >= QUOBYTE_TENANT_LIMIT) {
    const detail = "must be a UUID and may not exceed a length of 64 characters";
    problems.required(`${at}.tenant`, detail);
  } else {
    for (const pair of registry.split(",")) {
      if (!/^[^:]+:\d+$/.test(pair)) {
        const detail = "must be a host:port pair or multiple pairs separated by commas";
        problems.invalid(`${at}.registry`, registry, detail);
      }
    }
  }
  if (!volume) problems.required(`${at}.volume`);
};

const checkStorageOs: Check = (problems, at, source) => {
  for (const field of ["volumeName", "volumeNamespace"]) {
    if (source[field]) problems.checkName(`${at}.${field}`, source[field], checkDns1123Label);
  }
};

const checkNfs: Check = (problems, at, source) => {
  if (!source.server) problems.required(`${at}.server`);
  if (!source.path) problems.required(`${at}.path`);
  else if (!source.path.startsWith("/")) {
    problems.invalid(`${at}.path`, source.path, "must be an absolute path");
  }
};

const CHECKS: Readonly<Record<string, Check>> = {
  gcePersistentDisk: checkPartition,
  awsElasticBlockStore: checkPartition,
  iscsi: checkIscsi,
  fc: checkFibreChannel,
  flexVolume: checkFlexVolume,
  azureDisk: checkAzureDisk,
  flocker: checkFlocker,
  quobyte: checkQuobyte,
  storageos: checkStorageOs,
  nfs: checkNfs,
};

/** Sources whose secret must be named when it is referred to. */
const WITH_SECRET: ReadonlySet<string> = new Set(["cinder", "storageos"]);

/**
 * What pods and persistent volumes check alike of one source.
 * @param type the source's field, such as `iscsi`; unknown ones pass.
 * @param at path of the source.
 */
export function validateSharedSource(
  problems: Problems,
  at: string,
  { type, source }: { readonly type: string; readonly source: Source },
): void {
  for (const field of REQUIRED[type] ?? []) {
    if (isBlank(source[field])) problems.required(`${at}.${field}`);
  }
  CHECKS[type]?.(problems, at, source);
  if (WITH_SECRET.has(type) && source.secretRef !== undefined && !source.secretRef.name) {
    problems.required(`${at}.secretRef.name`);
  }
}

/** A folder or file of the node. */
export function validateHostPath(
  problems: Problems,
  at: string,
  { path, type }: { readonly path?: string; readonly type?: string },
): void {
  if (!path) problems.required(`${at}.path`);
  else if (path.split("/").includes("..")) {
    problems.invalid(`${at}.path`, path, "must not contain '..'");
  }
  if (type !== undefined && !HOST_PATH_TYPES.includes(type)) {
    problems.notSupported(`${at}.type`, type, HOST_PATH_TYPES);
  }
}

/** The name of a CSI driver. */
export function validateDriverName(
  problems: Problems,
  path: string,
  name: string | undefined,
): void {
  if (!name) problems.required(path);
  if ((name ?? "").length > DRIVER_LIMIT) problems.tooLong(path, DRIVER_LIMIT);
  for (const detail of checkDns1123Subdomain((name ?? "").toLowerCase())) {
    problems.invalid(path, name ?? "", detail);
  }
}

/** A secret that a cluster-scoped object names with its namespace. */
export function validateSecretReference(
  problems: Problems,
  at: string,
  secret: { readonly name?: string; readonly namespace?: string } | undefined,
): void {
  if (secret === undefined) return;
  if (!secret.name) problems.required(`${at}.name`);
  else problems.checkName(`${at}.name`, secret.name, checkDns1123Subdomain);
  if (!secret.namespace) problems.required(`${at}.namespace`);
  else problems.checkName(`${at}.namespace`, secret.namespace, checkDns1123Label);
}
