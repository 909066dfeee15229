/**
 * The rules of metadata that hold for every kind, on create and on update.
 * In: a draft, the object as it is, the request's names. Out: a draft made right, field errors.
 * Never: looks into spec. Source: apiserver's registry/rest and apimachinery's ValidateObjectMeta.
 */
import type { KubeObject } from "../../api/meta.ts";
import {
  checkDns1035Label,
  checkDns1123Label,
  checkDns1123Subdomain,
  checkLabelValue,
  checkPathSegment,
  checkQualifiedName,
  type NameCheck,
} from "../../api/names.ts";
import { equalJson } from "../../api/patch/json_patch.ts";
import type { FieldError, Resource } from "../../api/resource.ts";

const NAME_CHECKS: Record<NonNullable<Resource["rules"]["validateName"]>, NameCheck> = {
  dns1123Subdomain: checkDns1123Subdomain,
  dns1123Label: checkDns1123Label,
  dns1035Label: checkDns1035Label,
  pathSegment: checkPathSegment,
};

const ANNOTATIONS_LIMIT_BYTES = 256 * 1024;

/** The second that was formatted last; nearly every write falls into the same one. */
const lastTime = { seconds: NaN, text: "" };

/** RFC 3339 in whole seconds, as metadata carries times. */
export function formatTime(millis: number): string {
  const seconds = Math.floor(millis / 1000);
  if (seconds !== lastTime.seconds) {
    lastTime.text = new Date(seconds * 1000).toISOString().slice(0, 19) + "Z";
    lastTime.seconds = seconds;
  }
  return lastTime.text;
}

/** Checks names, labels, annotations, owners and finalizers of a draft. */
export function validateMeta(resource: Resource, draft: KubeObject): FieldError[] {
  const { metadata } = draft;
  const errors: FieldError[] = [];
  const check = NAME_CHECKS[resource.rules.validateName ?? "dns1123Subdomain"];
  if (metadata.generateName) {
    // The check sees the name with its dash taken off, as a suffix will follow.
    const prefix = metadata.generateName.replace(/-$/, "") || "a";
    for (const detail of check(prefix)) {
      errors.push(invalidAt("metadata.generateName", metadata.generateName, detail));
    }
  }
  if (!metadata.name) {
    const detail = "name or generateName is required";
    errors.push({ type: "required", path: "metadata.name", detail });
  } else {
    for (const detail of check(metadata.name)) {
      errors.push(invalidAt("metadata.name", metadata.name, detail));
    }
  }
  validateLabels(metadata.labels, errors);
  validateAnnotations(metadata.annotations, errors);
  validateOwners(metadata.ownerReferences, errors);
  for (const finalizer of metadata.finalizers ?? []) {
    for (const detail of checkQualifiedName(finalizer)) {
      errors.push(invalidAt("metadata.finalizers", finalizer, detail));
    }
  }
  return errors;
}

function invalidAt(path: string, value: unknown, detail: string): FieldError {
  return { type: "invalid", path, value, detail };
}

function validateLabels(labels: Record<string, string> | undefined, errors: FieldError[]): void {
  for (const key in labels) {
    for (const detail of checkQualifiedName(key)) {
      errors.push(invalidAt("metadata.labels", key, detail));
    }
    for (const detail of checkLabelValue(labels[key])) {
      errors.push(invalidAt("metadata.labels", labels[key], detail));
    }
  }
}

function validateAnnotations(
  annotations: Record<string, string> | undefined,
  errors: FieldError[],
): void {
  let size = 0;
  for (const key in annotations) {
    size += key.length + annotations[key].length;
    for (const detail of checkQualifiedName(key.toLowerCase())) {
      errors.push(invalidAt("metadata.annotations", key, detail));
    }
  }
  if (size > ANNOTATIONS_LIMIT_BYTES) {
    const detail = `may not be more than ${ANNOTATIONS_LIMIT_BYTES} bytes`;
    errors.push({ type: "tooLong", path: "metadata.annotations", detail });
  }
}

function validateOwners(
  owners: KubeObject["metadata"]["ownerReferences"],
  errors: FieldError[],
): void {
  const path = "metadata.ownerReferences";
  let controllers = 0;
  for (const owner of owners ?? []) {
    if (!owner.apiVersion) {
      const detail = "version must not be empty";
      errors.push(invalidAt(`${path}.apiVersion`, owner.apiVersion ?? "", detail));
    }
    for (const member of ["kind", "name", "uid"] as const) {
      if (!owner[member]) {
        errors.push(invalidAt(`${path}.${member}`, owner[member] ?? "", "must not be empty"));
      }
    }
    if (owner.controller && ++controllers === 2) {
      const detail = "Only one reference can have Controller set to true.";
      errors.push(invalidAt(path, owners, detail));
    }
  }
}

/** Restores what an update may not change. */
export function carryMeta(draft: KubeObject, old: KubeObject): void {
  const { metadata } = draft;
  const before = old.metadata;
  metadata.name = before.name;
  restore(metadata, before, "namespace");
  restore(metadata, before, "uid");
  restore(metadata, before, "creationTimestamp");
  restore(metadata, before, "deletionTimestamp");
  restore(metadata, before, "deletionGracePeriodSeconds");
  restore(metadata, before, "generateName");
  restore(metadata, before, "generation");
  if (metadata.managedFields === undefined) restore(metadata, before, "managedFields");
  delete (metadata as Record<string, unknown>).selfLink;
}

function restore<T extends object>(into: T, from: T, member: keyof T): void {
  if (from[member] === undefined) delete into[member];
  else into[member] = from[member];
}

/** Adds 1 to metadata.generation when a field that counts differs from before. */
export function moveGeneration(resource: Resource, draft: KubeObject, old: KubeObject): void {
  const fields = resource.rules.generationFields ?? ["spec"];
  for (const field of fields) {
    if (equalJson(draft[field], old[field])) continue;
    draft.metadata.generation = (old.metadata.generation ?? 0) + 1;
    return;
  }
}
