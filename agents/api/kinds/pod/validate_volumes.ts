/**
 * Checks the volumes of a pod.
 * In: the list. Out: field errors, and the names that containers may mount.
 * Never: looks a claim or a config map up. Source: ValidateVolumes (v1.36).
 */
import { checkDns1123Label } from "../../names.ts";
import { parseQuantity } from "../../quantity.ts";
import { validateLabels } from "../../object_meta.ts";
import type { DownwardAPIVolumeFile, KeyToPath, Volume } from "../../schema/generated/core_v1.ts";
import type { Problems } from "../problems.ts";
import { validateClaimSpec } from "../storage/persistent_volume_claim.ts";
import {
  validateDriverName,
  validateHostPath,
  validateSharedSource,
} from "../storage/volume_sources.ts";
import { validateFieldRef, validateResourceFieldRef } from "./validate_references.ts";

const MAX_MODE = 0o777;
const MIN_TOKEN_SECONDS = 600;
const MAX_TOKEN_SECONDS = 2 ** 32;

/** @returns the names of the sound volumes. */
export function validateVolumes(
  problems: Problems,
  path: string,
  volumes: readonly Volume[],
): Set<string> {
  const names = new Set<string>();
  volumes.forEach((volume, index) => {
    const at = `${path}[${index}]`;
    const before = problems.errors.length;
    validateSource(problems, at, volume);
    if (!volume.name) problems.required(`${at}.name`);
    else problems.checkName(`${at}.name`, volume.name, checkDns1123Label);
    if (names.has(volume.name)) problems.duplicate(`${at}.name`, volume.name);
    if (problems.errors.length === before) names.add(volume.name);
  });
  return names;
}

function validateSource(problems: Problems, at: string, volume: Volume): void {
  const sources = Object.keys(volume).filter((key) => key !== "name");
  if (sources.length === 0) return problems.required(at, "must specify a volume type");
  for (const extra of sources.slice(1)) {
    problems.forbidden(`${at}.${extra}`, "may not specify more than 1 volume type");
  }
  const { hostPath, secret, configMap, emptyDir, persistentVolumeClaim, csi } = volume;
  if (hostPath !== undefined) validateHostPath(problems, `${at}.hostPath`, hostPath);
  if (secret !== undefined) {
    if (!secret.secretName) problems.required(`${at}.secret.secretName`);
    validateFiles(problems, `${at}.secret`, secret);
  }
  if (configMap !== undefined) {
    if (!configMap.name) problems.required(`${at}.configMap.name`);
    validateFiles(problems, `${at}.configMap`, configMap);
  }
  if (emptyDir?.sizeLimit !== undefined) {
    const limit = parseQuantity(emptyDir.sizeLimit);
    if (limit.kind === "error" || limit.quantity.nanos < 0n) {
      const detail = "SizeLimit field must be a valid resource quantity";
      problems.forbidden(`${at}.emptyDir.sizeLimit`, detail);
    }
  }
  if (persistentVolumeClaim !== undefined && !persistentVolumeClaim.claimName) {
    problems.required(`${at}.persistentVolumeClaim.claimName`);
  }
  if (csi !== undefined) {
    validateDriverName(problems, `${at}.csi.driver`, csi.driver);
    if (csi.nodePublishSecretRef !== undefined && !csi.nodePublishSecretRef.name) {
      problems.required(`${at}.csi.nodePublishSecretRef.name`);
    }
  }
  const template = volume.ephemeral?.volumeClaimTemplate;
  const templatePath = `${at}.ephemeral.volumeClaimTemplate`;
  if (template !== undefined) {
    validateLabels(problems, `${templatePath}.metadata.labels`, template.metadata?.labels);
    validateClaimSpec(problems, `${templatePath}.spec`, template.spec ?? {});
  } else if (volume.ephemeral !== undefined) problems.required(templatePath);
  validateDownward(problems, `${at}.downwardAPI`, volume.downwardAPI);
  const type = sources[0];
  const source = volume[type as keyof Volume];
  validateSharedSource(problems, `${at}.${type}`, { type, source });
  validateProjected(problems, `${at}.projected`, volume);
}

function validateProjected(problems: Problems, at: string, { projected }: Volume): void {
  if (projected === undefined) return;
  validateMode(problems, `${at}.defaultMode`, projected.defaultMode);
  (projected.sources ?? []).forEach((source, index) => {
    const path = `${at}.sources[${index}]`;
    if (Object.keys(source).length > 1) {
      problems.forbidden(path, "may not specify more than 1 volume type");
    }
    if (source.secret !== undefined) {
      if (!source.secret.name) problems.required(`${path}.secret.name`);
      validateFiles(problems, `${path}.secret`, source.secret);
    }
    if (source.configMap !== undefined) {
      if (!source.configMap.name) problems.required(`${path}.configMap.name`);
      validateFiles(problems, `${path}.configMap`, source.configMap);
    }
    if (source.downwardAPI !== undefined) {
      validateDownwardFiles(problems, `${path}.downwardAPI`, source.downwardAPI.items ?? []);
    }
    const token = source.serviceAccountToken;
    if (token === undefined) return;
    if ((token.expirationSeconds ?? 0) > MAX_TOKEN_SECONDS) {
      problems.invalid(
        `${path}.serviceAccountToken.expirationSeconds`,
        token.expirationSeconds,
        "may not specify a duration larger than 2^32 seconds",
      );
    }
    if ((token.expirationSeconds ?? MIN_TOKEN_SECONDS) < MIN_TOKEN_SECONDS) {
      problems.invalid(
        `${path}.serviceAccountToken.expirationSeconds`,
        token.expirationSeconds,
        "may not specify a duration less than 10 minutes",
      );
    }
    if (!token.path) problems.required(`${path}.serviceAccountToken.path`);
    else validateLocalPath(problems, `${path}.serviceAccountToken.path`, token.path);
  });
}

function validateDownward(problems: Problems, at: string, source: Volume["downwardAPI"]): void {
  if (source === undefined) return;
  validateMode(problems, `${at}.defaultMode`, source.defaultMode);
  validateDownwardFiles(problems, at, source.items ?? []);
}

/** Files that show the pod's own fields. Upstream names their list, not the item. */
function validateDownwardFiles(
  problems: Problems,
  at: string,
  files: readonly DownwardAPIVolumeFile[],
): void {
  for (const { path, fieldRef, resourceFieldRef, mode } of files) {
    if (!path) problems.required(`${at}.path`);
    else validateLocalPath(problems, `${at}.path`, path);
    if (fieldRef !== undefined) {
      validateFieldRef(problems, `${at}.fieldRef`, fieldRef, "volume");
      if (resourceFieldRef !== undefined) {
        const detail = "fieldRef and resourceFieldRef can not be specified simultaneously";
        problems.invalid(at, "resource", detail);
      }
    } else if (resourceFieldRef !== undefined) {
      validateResourceFieldRef(problems, `${at}.resourceFieldRef`, resourceFieldRef, "volume");
    } else problems.required(at, "one of fieldRef and resourceFieldRef is required");
    validateMode(problems, `${at}.mode`, mode);
  }
}

function validateFiles(
  problems: Problems,
  at: string,
  source: { readonly defaultMode?: number; readonly items?: readonly KeyToPath[] },
): void {
  validateMode(problems, `${at}.defaultMode`, source.defaultMode);
  (source.items ?? []).forEach((item, index) => {
    const path = `${at}.items[${index}]`;
    if (!item.key) problems.required(`${path}.key`);
    if (!item.path) problems.required(`${path}.path`);
    else validateLocalPath(problems, `${path}.path`, item.path);
    validateMode(problems, `${path}.mode`, item.mode);
  });
}

function validateMode(problems: Problems, at: string, mode: number | undefined): void {
  if (mode === undefined || (mode >= 0 && mode <= MAX_MODE)) return;
  problems.invalid(
    at,
    mode,
    "must be a number between 0 and 0777 (octal), both inclusive",
  );
}

function hasBackstep(path: string): boolean {
  return path.split("/").includes("..");
}

/** A path that stays below where it starts. */
export function validateLocalPath(problems: Problems, at: string, path: string): void {
  if (path.startsWith("/")) problems.invalid(at, path, "must be a relative path");
  if (hasBackstep(path)) problems.invalid(at, path, "must not contain '..'");
  else if (path.startsWith("..")) problems.invalid(at, path, "must not start with '..'");
}
