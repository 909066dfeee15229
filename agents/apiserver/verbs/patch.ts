/**
 * PATCH: JSON patch, merge patch, strategic merge patch as an update of the current object, and
 * apply.
 * In: a target, the patch's type and body. Out: the new version.
 * Never: changes the stored object in place; a conflict is tried again, a stale version in the
 * patch itself is not. Source: apiserver's endpoints/handlers/patch.go (v1.36).
 */
import type { CallTarget, PatchType, WriteOptions } from "../../api/call.ts";
import type { KubeObject } from "../../api/meta.ts";
import { applyJsonPatch } from "../../api/patch/json_patch.ts";
import { applyMergePatch } from "../../api/patch/merge_patch.ts";
import type { PatchOutcome } from "../../api/patch/outcome.ts";
import { applyStrategicMergePatch } from "../../api/patch/strategic_merge.ts";
import {
  badRequest,
  invalid,
  requestEntityTooLarge,
  unsupportedMediaType,
} from "../../api/status.ts";
import { typeInfo } from "../../api/schema/fields.ts";
import { goText } from "../../api/schema/go_text.ts";
import { checkAs, strictMessage } from "../../api/schema/strict.ts";
import { copyJson } from "../registry.ts";
import { applyObject } from "./apply/apply.ts";
import type { Core, VerbAnswer } from "./core.ts";
import { adoptIdentity } from "./create.ts";
import { changeObject } from "./update.ts";

const STRATEGIC = "application/strategic-merge-patch+json";

/** The patch types that are served. */
export const PATCH_TYPES: readonly string[] = [
  "application/json-patch+json",
  "application/merge-patch+json",
  STRATEGIC,
  "application/apply-patch+yaml",
];

export interface PatchParts {
  readonly patchType: PatchType;
  /** Decoded: an object, or an array for JSON patch. */
  readonly patch: unknown;
  readonly options: WriteOptions;
  /** Of an apply: takes fields from other managers. */
  readonly force?: boolean;
  /** Called with each patched object before the rules see it; refuses by throwing ApiError. */
  readonly check?: (patched: KubeObject) => void;
}

/** Errors: rejects with ApiError. */
export function patchObject(
  core: Core,
  target: CallTarget,
  parts: PatchParts,
): Promise<VerbAnswer> {
  const { patchType, patch, force = false, options } = parts;
  if (patchType === "application/apply-patch+yaml") {
    return applyObject(core, target, { config: patch, force, options });
  }
  if (patchType === STRATEGIC && target.resource.custom !== undefined) {
    throw unsupportedMediaType(PATCH_TYPES.filter((type) => type !== STRATEGIC));
  }
  if (force) {
    const detail = "may not be specified for non-apply patch";
    throw invalid({ group: "meta.k8s.io", kind: "PatchOptions" }, "", [
      { type: "forbidden", path: "force", detail },
    ]);
  }
  return changeObject(core, target, parts.options, (current) => {
    const patched = applyPatch(target, current, parts);
    parts.check?.(patched);
    adoptIdentity(target, patched);
    if (patched.metadata.name !== target.name) {
      throw badRequest(
        `the name of the object (${patched.metadata.name ?? ""}) does not match ` +
          `the name on the URL (${target.name})`,
      );
    }
    // An untouched version means "whatever is current": only a version in the patch pins.
    if (patched.metadata.resourceVersion === current.metadata.resourceVersion) {
      delete patched.metadata.resourceVersion;
    }
    return patched;
  });
}

/** A patched, private copy of an object. Errors: throws ApiError 400 or 422. */
export function applyPatch(
  target: CallTarget,
  current: KubeObject,
  parts: Pick<PatchParts, "patchType" | "patch" | "options">,
): KubeObject {
  const { resource } = target;
  const outcome = patchOutcome(resource.typeName, current, parts);
  if (outcome.kind === "malformed") throw badRequest(outcome.message);
  if (outcome.kind === "oversized") throw requestEntityTooLarge(outcome.message);
  if (outcome.kind === "unappliable") {
    const { message: detail } = outcome;
    throw invalid(resource, target.name, [{ type: "invalid", path: "patch", detail }]);
  }
  const { value } = outcome;
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value) &&
    typeof value.metadata === "object" && value.metadata !== null;
  if (!isObject) throw badRequest("the patch does not leave an object with metadata");
  return checkTouched(target, { patched: value as KubeObject, current }, parts);
}

/**
 * Merge patches share untouched parts with the frozen original, which was checked when it was
 * stored. A rule may change any part of an object but, of one whose status is written, only that.
 */
function checkTouched(
  target: CallTarget,
  { patched, current }: { readonly patched: KubeObject; readonly current: KubeObject },
  parts: Pick<PatchParts, "patchType" | "patch" | "options">,
): KubeObject {
  if (target.subresource !== "status" || parts.patchType !== STRATEGIC) {
    return checkPatched(target, copyJson(patched), parts);
  }
  const fields = Object.keys(patched);
  const isTouched = (field: string) => patched[field] !== current[field];
  const touched = fields.filter(isTouched).map((field) => [field, copyJson(patched[field])]);
  const checked = checkPatched(target, Object.fromEntries(touched), parts);
  const draft: Record<string, unknown> = {};
  for (const field of fields) {
    if (isTouched(field)) {
      if (Object.hasOwn(checked, field)) draft[field] = checked[field];
    } else draft[field] = field === "metadata" ? copyJson(patched.metadata) : patched[field];
  }
  return draft as unknown as KubeObject;
}

/**
 * What a patch makes is decoded as a body is: of the right types, and without unknown fields.
 * Errors: throws ApiError 422.
 */
function checkPatched(
  target: CallTarget,
  patched: KubeObject,
  { patchType, patch, options }: Pick<PatchParts, "patchType" | "patch" | "options">,
): KubeObject {
  const part = target.resource.subresources.find(({ name }) => name === target.subresource);
  const type = part ?? target.resource;
  if (type.custom === undefined && typeInfo(type.typeName) === undefined) return patched;
  const isStrategic = patchType === "application/strategic-merge-patch+json";
  const refuse = (detail: string): never => {
    const value = isStrategic ? goText(patch) : JSON.stringify(patched);
    throw invalid({ group: "", kind: "" }, "", [{ type: "invalid", path: "patch", value, detail }]);
  };
  const checked = checkAs(type, patched);
  if (checked.kind === "error") return refuse(checked.message);
  if (checked.unknown.length > 0) {
    const { fieldValidation = "Warn" } = options;
    if (fieldValidation === "Strict") return refuse(strictMessage(checked.unknown));
    if (fieldValidation === "Warn") target.warnings?.push(...checked.unknown);
  }
  return checked.value;
}

function patchOutcome(
  typeName: string,
  current: KubeObject,
  parts: Pick<PatchParts, "patchType" | "patch">,
): PatchOutcome {
  switch (parts.patchType) {
    case "application/json-patch+json":
      return applyJsonPatch(current, parts.patch);
    case "application/merge-patch+json":
      return applyMergePatch(current, parts.patch);
    case "application/strategic-merge-patch+json":
      return applyStrategicMergePatch(typeName, current, parts.patch);
    case "application/apply-patch+yaml":
      throw unsupportedMediaType(PATCH_TYPES);
  }
}
