/**
 * UPDATE, and the read-change-write loop under every other change of a stored object.
 * In: a target and a way to make the next draft from the current object. Out: the new version.
 * Never: writes over a version it has not seen; writes nothing when nothing changed.
 * Source: apiserver's registry/rest/update.go and generic store (v1.36).
 */
import type { CallTarget, WriteOptions } from "../../api/call.ts";
import type { KubeObject } from "../../api/meta.ts";
import { equalJson } from "../../api/patch/json_patch.ts";
import type { FieldError, RuleContext } from "../../api/resource.ts";
import { services } from "../../api/resources.ts";
import { badRequest, conflict, invalid, uidConflict } from "../../api/status.ts";
import { type AdmissionRequest, admit, validate } from "../admission/admission.ts";
import type { StoredObject } from "../cache/stored_object.ts";
import { deepFreeze } from "../registry.ts";
import { commitDelete, commitPut, storedAnswer } from "./commit.ts";
import { type Core, groupResourceOf, ruleContextOf, serve, type VerbAnswer } from "./core.ts";
import { adoptIdentity } from "./create.ts";
import { readNow } from "./get.ts";
import { type ChangeOptions, trackDraft } from "./apply/managed.ts";
import { carryMeta, moveGeneration, validateMeta } from "./meta_rules.ts";
import { partRulesOf } from "./parts.ts";

/** How often a change without a resourceVersion is tried against newer versions. */
const MAX_ATTEMPTS = 6;

/** PUT. @param draft owned by this call from here on. Errors: rejects with ApiError. */
export function updateObject(
  core: Core,
  target: CallTarget,
  draft: KubeObject,
  options: WriteOptions,
): Promise<VerbAnswer> {
  adoptIdentity(target, draft);
  if (draft.metadata.name !== target.name) {
    throw badRequest(
      `the name of the object (${draft.metadata.name ?? ""}) does not match ` +
        `the name on the URL (${target.name})`,
    );
  }
  const sent = draft.metadata;
  let isFirst = true;
  return changeObject(core, target, options, () => {
    // A second attempt must not see what the first one restored from an older version.
    const metadata = { ...sent };
    const next = isFirst ? { ...draft, metadata } : { ...structuredClone(draft), metadata };
    isFirst = false;
    return next;
  });
}

/**
 * Changes a stored object until no other writer is in between.
 * @param makeDraft makes the next object from the current one, with metadata of its own; it may
 *   share other frozen parts
 */
export async function changeObject(
  core: Core,
  target: CallTarget,
  options: ChangeOptions,
  makeDraft: (current: KubeObject) => KubeObject | Promise<KubeObject>,
): Promise<VerbAnswer> {
  const { resource } = target;
  for (let attempt = 1;; attempt++) {
    const read = readNow(core, target);
    const stored = read instanceof Promise ? await read : read;
    const old = serve(resource, stored);
    const made = makeDraft(old);
    const draft = made instanceof Promise ? await made : made;
    const isPinned = refuseStale(target, draft, stored);
    const pending = prepareUpdate(core, { target, options, draft, old });
    if (pending !== undefined) await pending;
    if (options.dryRun) return { kind: "plain", object: deepFreeze(draft), created: false };
    const written = writeUpdate(core, { target, draft, old, stored });
    const answer = written instanceof Promise ? await written : written;
    if (answer !== null) return answer;
    if (isPinned || attempt === MAX_ATTEMPTS) {
      throw conflict(groupResourceOf(resource), target.name);
    }
  }
}

/** @returns whether the draft names the version that it replaces. Errors: throws ApiError 409. */
function refuseStale(target: CallTarget, draft: KubeObject, stored: StoredObject): boolean {
  const of = groupResourceOf(target.resource);
  const found = stored.object.metadata;
  const { uid, resourceVersion } = draft.metadata;
  if (uid && uid !== found.uid) {
    throw uidConflict(of, target.name, { wanted: uid, found: found.uid ?? "" });
  }
  if (!resourceVersion) return false;
  if (resourceVersion !== found.resourceVersion) throw conflict(of, target.name);
  return true;
}

interface UpdateParts {
  readonly target: CallTarget;
  readonly options: ChangeOptions;
  readonly draft: KubeObject;
  readonly old: KubeObject;
}

/** Answers a promise only where admission waits. */
function prepareUpdate(core: Core, parts: UpdateParts): void | Promise<void> {
  const { target, draft, old } = parts;
  const { resource, subresource } = target;
  carryMeta(draft, old);
  applyRules(core, parts);
  if (resource === services && subresource === "") refuseChange(parts);
  trackDraft(core, parts);
  const request: AdmissionRequest = {
    ...target,
    operation: "UPDATE",
    object: draft,
    old,
    options: parts.options,
    dryRun: parts.options.dryRun === true,
  };
  // A Scale was looked at as what it is.
  const isAdmitted = parts.options.spokenTo !== undefined;
  const judge = (): void | Promise<void> => {
    if (request.isRemade) applyRules(core, parts);
    if (subresource !== "status") moveGeneration(resource, draft, old);
    refuseInvalid(parts);
    return isAdmitted ? undefined : validate(core, request);
  };
  const pending = isAdmitted ? undefined : admit(core, request);
  return pending === undefined ? judge() : pending.then(judge);
}

/** Fills defaults and puts back what the endpoint does not write. */
function applyRules(core: Core, { target, draft, old }: UpdateParts): void {
  const { rules } = target.resource;
  const context = ruleContextOf(core, target.user);
  if (target.subresource === "status") {
    keepAllButStatus(target, { draft, old, context });
    return;
  }
  rules.setDefaults?.(draft);
  const part = partRulesOf(target);
  if (part === undefined) rules.prepareForUpdate?.(draft, old, context);
  else part.prepare(draft, old, context);
}

/**
 * Refuses a change that a service may not make before admission claims addresses for it. The other
 * rules wait: admission also drops the addresses that a service's new type has no use for.
 */
function refuseChange(parts: UpdateParts): void {
  const errors = parts.target.resource.rules.validateUpdate?.(parts.draft, parts.old) ?? [];
  if (errors.length > 0) refuseInvalid(parts);
}

/** Errors: throws ApiError 422. */
function refuseInvalid(parts: UpdateParts): void {
  const { resource, name } = parts.target;
  const errors = ruleErrors(parts);
  if (errors.length > 0) throw invalid(resource, name, errors);
}

function ruleErrors({ target, draft, old }: UpdateParts): readonly FieldError[] {
  const { resource, subresource } = target;
  const { rules } = resource;
  const errors = validateMeta(resource, draft, old);
  if (subresource === "status") errors.push(...(rules.validateStatusUpdate?.(draft, old) ?? []));
  else {
    const { validateUpdate } = partRulesOf(target) ?? rules;
    errors.push(...(rules.validate?.(draft) ?? []), ...(validateUpdate?.(draft, old) ?? []));
  }
  return errors;
}

function keepAllButStatus(
  target: CallTarget,
  parts: { readonly draft: KubeObject; readonly old: KubeObject; readonly context: RuleContext },
): void {
  const { draft, old, context } = parts;
  const { prepareForStatusUpdate } = target.resource.rules;
  if (prepareForStatusUpdate !== undefined) {
    prepareForStatusUpdate(draft, old, context);
    return;
  }
  for (const field of new Set([...Object.keys(draft), ...Object.keys(old)])) {
    if (field === "status" || field === "metadata") continue;
    if (old[field] === undefined) delete draft[field];
    else draft[field] = old[field];
  }
  for (const field of ["labels", "ownerReferences"] as const) {
    if (old.metadata[field] === undefined) delete draft.metadata[field];
    else Object.assign(draft.metadata, { [field]: old.metadata[field] });
  }
}

interface UpdatedParts {
  readonly target: CallTarget;
  readonly draft: KubeObject;
  readonly old: KubeObject;
  readonly stored: StoredObject;
}

/** @returns null when another writer was faster; at once where nothing is to be written */
function writeUpdate(
  core: Core,
  { target: { resource }, draft, old, stored }: UpdatedParts,
): VerbAnswer | Promise<VerbAnswer | null> {
  if (isFinished(draft)) {
    return commitDelete(core, { resource, current: stored }).then((revision) =>
      revision === null ? null : { kind: "plain", object: deepFreeze(draft), created: false }
    );
  }
  if (equalJson(draft, old) && !core.isStale(stored.key)) {
    return { kind: "stored", stored, created: false };
  }
  const { key, revision } = stored;
  const parts = { resource, key, draft, expectedRevision: revision, before: stored };
  return commitPut(core, parts).then(storedAnswer);
}

/** Whether a terminating object has nothing left that keeps it. */
function isFinished(draft: KubeObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds, finalizers } = draft.metadata;
  if (deletionTimestamp === undefined || (finalizers?.length ?? 0) > 0) return false;
  if (draft.kind === "Namespace" && draft.apiVersion === "v1") {
    return (draft.spec?.finalizers?.length ?? 0) === 0;
  }
  return (deletionGracePeriodSeconds ?? 0) === 0;
}
