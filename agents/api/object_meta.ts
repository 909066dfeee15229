/**
 * The rules of metadata, which all kinds share.
 * In: an object, its row, and on update the object before. Out: field errors.
 * Never: fills anything in; the API server's registry does.
 * Source: apimachinery api/validation/objectmeta.go (v1.36).
 */
import { checkCanonicalAddress } from "./ip.ts";
import type { KubeObject, LabelSelector, ObjectMeta } from "./meta.ts";
import {
  checkDns1035Label,
  checkDns1123Label,
  checkDns1123Subdomain,
  checkLabelValue,
  checkPathSegment,
  checkQualifiedName,
  type NameCheck,
} from "./names.ts";
import { Problems } from "./kinds/problems.ts";
import type { FieldError, Resource } from "./resource.ts";

/** All annotations of an object together. */
export const MAX_ANNOTATION_BYTES = 256 * 1024;
const STANDARD_FINALIZERS: ReadonlySet<string> = new Set([
  "kubernetes",
  "orphan",
  "foregroundDeletion",
]);

const NAME_CHECKS: Readonly<Record<string, NameCheck>> = {
  dns1123Subdomain: checkDns1123Subdomain,
  dns1123Label: checkDns1123Label,
  dns1035Label: checkDns1035Label,
  pathSegment: checkPathSegment,
  ipAddress: checkCanonicalAddress,
};

/**
 * Checks the metadata of an object that is to be created (names were generated before).
 * @param resource its row: scope and the syntax of names.
 */
export function validateObjectMeta(object: KubeObject, resource: Resource): FieldError[] {
  const problems = new Problems();
  const { metadata } = object;
  const check = NAME_CHECKS[resource.rules.validateName ?? "dns1123Subdomain"];
  if (metadata.generateName) {
    // A prefix may end in a dash, since more will follow.
    const prefix = metadata.generateName.replace(/-$/, "a");
    for (const detail of check(prefix)) {
      problems.invalid("metadata.generateName", metadata.generateName, detail);
    }
  }
  if (!metadata.name) problems.required("metadata.name", "name or generateName is required");
  else problems.checkName("metadata.name", metadata.name, check);
  if (resource.namespaced) {
    if (!metadata.namespace) problems.required("metadata.namespace");
    else problems.checkName("metadata.namespace", metadata.namespace, checkDns1123Label);
  } else if (metadata.namespace) {
    problems.forbidden("metadata.namespace", "not allowed on this type");
  }
  const isOwn = resource.custom === undefined && resource.group !== "apiextensions.k8s.io";
  validateSharedMeta(problems, metadata, isOwn);
  return problems.errors;
}

/**
 * What holds for create and update alike.
 * @param isOwn whether the kind is the API server's own; definitions and what they define name
 *   finalizers as they like.
 */
function validateSharedMeta(problems: Problems, metadata: ObjectMeta, isOwn = true): void {
  problems.nonNegative("metadata.generation", metadata.generation);
  validateLabels(problems, "metadata.labels", metadata.labels);
  validateAnnotations(problems, "metadata.annotations", metadata.annotations);
  validateOwners(problems, metadata);
  const finalizers = metadata.finalizers ?? [];
  finalizers.forEach((name) => {
    problems.checkName("metadata.finalizers", name, checkQualifiedName);
    if (isOwn && !name.includes("/") && !STANDARD_FINALIZERS.has(name)) {
      problems.invalid(
        "metadata.finalizers",
        name,
        "name is neither a standard finalizer name nor is it fully qualified",
      );
    }
  });
  if (finalizers.includes("orphan") && finalizers.includes("foregroundDeletion")) {
    problems.invalid(
      "metadata.finalizers",
      finalizers,
      "finalizer orphan and foregroundDeletion cannot be both set",
    );
  }
}

function validateOwners(problems: Problems, metadata: ObjectMeta): void {
  let controller = "";
  (metadata.ownerReferences ?? []).forEach((owner, index) => {
    const path = `metadata.ownerReferences[${index}]`;
    const { apiVersion, kind, name, uid } = owner;
    if (!apiVersion) problems.invalid(`${path}.apiVersion`, "", "version must not be empty");
    if (!kind) problems.invalid(`${path}.kind`, "", "must not be empty");
    if (!name) problems.invalid(`${path}.name`, "", "must not be empty");
    if (!uid) problems.invalid(`${path}.uid`, "", "must not be empty");
    if (apiVersion === "v1" && kind === "Event") {
      problems.invalid(path, owner, `/v1, Kind=Event is disallowed from being an owner`);
    }
    if (!owner.controller) return;
    if (controller !== "") {
      problems.invalid(
        "metadata.ownerReferences",
        metadata.ownerReferences,
        'Only one reference can have Controller set to true. Found "true" in references for ' +
          `${controller} and ${name}`,
      );
    }
    controller = name;
  });
}

/** Labels' keys and values. */
export function validateLabels(
  problems: Problems,
  path: string,
  labels: Readonly<Record<string, string>> | undefined,
): void {
  for (const [key, value] of Object.entries(labels ?? {})) {
    problems.checkName(path, key, checkQualifiedName);
    problems.checkName(path, value, checkLabelValue);
  }
}

/** Annotations' keys, and the size of all together. */
export function validateAnnotations(
  problems: Problems,
  path: string,
  annotations: Readonly<Record<string, string>> | undefined,
): void {
  let bytes = 0;
  for (const [key, value] of Object.entries(annotations ?? {})) {
    for (const detail of checkQualifiedName(key.toLowerCase())) problems.invalid(path, key, detail);
    // UTF-16 units are a lower bound of bytes; only long texts are worth encoding.
    bytes += value.length > 1024 ? new TextEncoder().encode(value).length : value.length;
    bytes += key.length;
  }
  if (bytes > MAX_ANNOTATION_BYTES) problems.tooLong(path, MAX_ANNOTATION_BYTES);
}

/** Checks what an update did to metadata; server-set fields must be as they were. */
export function validateObjectMetaUpdate(object: KubeObject, old: KubeObject): FieldError[] {
  const problems = new Problems();
  const now = object.metadata;
  const before = old.metadata;
  validateSharedMeta(problems, now);
  if (!now.resourceVersion) {
    problems.invalid("metadata.resourceVersion", "", "must be specified for an update");
  }
  if (before.deletionTimestamp !== undefined) {
    const known = new Set(before.finalizers ?? []);
    const added = (now.finalizers ?? []).filter((name) => !known.has(name));
    if (added.length > 0) {
      problems.forbidden(
        "metadata.finalizers",
        "no new finalizers can be added if the object is being deleted, " +
          `found new finalizers ${JSON.stringify(added)}`,
      );
    }
  }
  for (
    const field of [
      "name",
      "namespace",
      "uid",
      "creationTimestamp",
      "deletionTimestamp",
      "deletionGracePeriodSeconds",
    ] as const
  ) {
    problems.immutable(`metadata.${field}`, now[field], before[field]);
  }
  return problems.errors;
}

/** A spec's label selector. */
export function validateLabelSelector(
  problems: Problems,
  path: string,
  selector: LabelSelector | undefined,
): void {
  validateLabels(problems, `${path}.matchLabels`, selector?.matchLabels);
  (selector?.matchExpressions ?? []).forEach((requirement, index) => {
    const at = `${path}.matchExpressions[${index}]`;
    const { key, operator, values = [] } = requirement;
    if (operator === "In" || operator === "NotIn") {
      if (values.length === 0) {
        problems.required(
          `${at}.values`,
          "must be specified when `operator` is 'In' or 'NotIn'",
        );
      }
    } else if (operator === "Exists" || operator === "DoesNotExist") {
      if (values.length > 0) {
        problems.forbidden(
          `${at}.values`,
          "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        );
      }
    } else problems.invalid(`${at}.operator`, operator, "not a valid selector operator");
    problems.checkName(`${at}.key`, key, checkQualifiedName);
    values.forEach((value, at2) => {
      problems.checkName(`${at}.values[${at2}]`, value, checkLabelValue);
    });
  });
}
