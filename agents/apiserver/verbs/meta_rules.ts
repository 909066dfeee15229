/**
 * The rules of metadata that hold for every kind, on create and on update.
 * In: a draft, the object as it is, the request's names. Out: a draft made right, field errors.
 * Never: looks into spec. Source: apiserver's registry/rest and apimachinery's ValidateObjectMeta.
 */
import type { KubeObject } from "../../api/meta.ts";
import { validateObjectMeta } from "../../api/object_meta.ts";
import { equalJson } from "../../api/patch/json_patch.ts";
import type { FieldError, Resource } from "../../api/resource.ts";

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

/**
 * Checks names, labels, annotations, owners and finalizers of a draft.
 * @param old what the draft replaces; null on create. Its identity has been carried over.
 */
export function validateMeta(
  resource: Resource,
  draft: KubeObject,
  old: KubeObject | null,
): FieldError[] {
  if (old !== null && isKept(draft.metadata, old.metadata)) return [];
  const errors = validateObjectMeta(draft, resource);
  if (old?.metadata.deletionTimestamp === undefined) return errors;
  const known = new Set(old.metadata.finalizers);
  const added = [...new Set(draft.metadata.finalizers)].filter((name) => !known.has(name)).sort();
  if (added.length > 0) {
    const listed = added.map((name) => JSON.stringify(name)).join(", ");
    errors.push({
      type: "forbidden",
      path: "metadata.finalizers",
      detail: "no new finalizers can be added if the object is being deleted, " +
        `found new finalizers []string{${listed}}`,
    });
  }
  return errors;
}

/** Whether metadata says nothing new: all of it was checked when it was written. */
function isKept(metadata: KubeObject["metadata"], before: KubeObject["metadata"]): boolean {
  for (const name in metadata) {
    const member = name as keyof typeof metadata;
    if (metadata[member] !== before[member]) return false;
  }
  return true;
}

/** Restores what an update may not change; which version a draft names has been looked at. */
export function carryMeta(draft: KubeObject, old: KubeObject): void {
  const { metadata } = draft;
  const before = old.metadata;
  metadata.name = before.name;
  restore(metadata, before, "namespace");
  restore(metadata, before, "uid");
  restore(metadata, before, "resourceVersion");
  restore(metadata, before, "creationTimestamp");
  restore(metadata, before, "deletionTimestamp");
  restore(metadata, before, "deletionGracePeriodSeconds");
  restore(metadata, before, "generateName");
  restore(metadata, before, "generation");
  if (metadata.managedFields === undefined) restore(metadata, before, "managedFields");
  if ("selfLink" in metadata) delete metadata.selfLink;
}

function restore<T extends object>(into: T, from: T, member: keyof T): void {
  if (from[member] !== undefined) into[member] = from[member];
  else if (member in into) delete into[member];
}

/** Adds 1 to metadata.generation when a field that counts differs from before. */
export function moveGeneration(resource: Resource, draft: KubeObject, old: KubeObject): void {
  const { generationFields = ["spec"], isNewGeneration } = resource.rules;
  if (isNewGeneration?.(draft, old)) {
    draft.metadata.generation = (old.metadata.generation ?? 0) + 1;
    return;
  }
  for (const field of generationFields) {
    if (equalJson(draft[field], old[field])) continue;
    draft.metadata.generation = (old.metadata.generation ?? 0) + 1;
    return;
  }
}
