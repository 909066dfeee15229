/**
 * DELETE: remove now, or mark and let grace periods and finalizers have their time.
 * In: a target and delete options. Out: the object as it is left, or a Status of success.
 * Never: removes an object whose finalizers are not done.
 * Source: apiserver's registry/rest/delete.go and generic store's Delete (v1.36).
 */
import type { CallTarget, DeleteOptions } from "../../api/call.ts";
import type { KubeObject } from "../../api/meta.ts";
import type { FieldError, Resource } from "../../api/resource.ts";
import { conflict, invalid, success, uidConflict } from "../../api/status.ts";
import { admitWhole } from "../admission/admission.ts";
import type { StoredObject } from "../cache/stored_object.ts";
import { commitDelete, commitPut, storedAnswer } from "./commit.ts";
import { type Core, groupResourceOf, serve, type VerbAnswer } from "./core.ts";
import { readNow } from "./get.ts";
import { formatTime } from "./meta_rules.ts";

export const ORPHAN_FINALIZER = "orphan";
export const FOREGROUND_FINALIZER = "foregroundDeletion";

const MAX_ATTEMPTS = 6;

/** Resources whose removal answers the object instead of a Status. */
const ANSWERS_OBJECT = new Set([
  "namespaces",
  "persistentvolumes",
  "persistentvolumeclaims",
  "pods",
  "podtemplates",
  "resourcequotas",
  "services",
  "serviceaccounts",
  "storageclasses",
  "csidrivers",
  "csinodes",
  "volumeattachments",
]);

/**
 * @param known the version that the caller has just written; default the one that a read finds
 * Errors: rejects with ApiError.
 */
export async function deleteObject(
  core: Core,
  target: CallTarget,
  options: DeleteOptions,
  known?: StoredObject,
): Promise<VerbAnswer> {
  refuseBadOptions(options);
  for (let attempt = 1;; attempt++) {
    const read = attempt === 1 && known !== undefined ? known : readNow(core, target);
    const stored = read instanceof Promise ? await read : read;
    const old = serve(target.resource, stored);
    refusePreconditions(target, old, options);
    const pending = admitWhole(core, {
      ...target,
      operation: "DELETE",
      object: null,
      old,
      options,
      dryRun: isDryRun(options),
    });
    if (pending !== undefined) await pending;
    const deleted = deleteVersion(core, target, { stored, old, options });
    const answer = deleted instanceof Promise ? await deleted : deleted;
    if (answer !== null) return answer;
    if (attempt === MAX_ATTEMPTS || options.preconditions?.resourceVersion) {
      throw conflict(groupResourceOf(target.resource), target.name);
    }
  }
}

function isDryRun(options: DeleteOptions): boolean {
  return (options.dryRun?.length ?? 0) > 0;
}

function refuseBadOptions(options: DeleteOptions): void {
  const errors: FieldError[] = [];
  const policy = options.propagationPolicy;
  if (policy !== undefined && options.orphanDependents !== undefined) {
    const detail = "orphanDependents and deletionPropagation cannot be both set";
    errors.push({ type: "invalid", path: "propagationPolicy", value: policy, detail });
  }
  if (policy !== undefined && !["Orphan", "Background", "Foreground"].includes(policy)) {
    const detail = 'supported values: "Foreground", "Background", "Orphan", "nil"';
    errors.push({ type: "notSupported", path: "propagationPolicy", value: policy, detail });
  }
  if (options.dryRun?.some((value) => value !== "All")) {
    const detail = 'supported values: "All"';
    errors.push({ type: "notSupported", path: "dryRun", value: options.dryRun, detail });
  }
  if (errors.length > 0) {
    throw invalid({ group: "meta.k8s.io", kind: "DeleteOptions" }, "", errors);
  }
}

function refusePreconditions(target: CallTarget, old: KubeObject, options: DeleteOptions): void {
  const { uid, resourceVersion } = options.preconditions ?? {};
  const of = groupResourceOf(target.resource);
  const found = old.metadata;
  if (uid && uid !== found.uid) {
    throw uidConflict(of, target.name, { wanted: uid, found: found.uid ?? "" });
  }
  if (resourceVersion && resourceVersion !== found.resourceVersion) {
    const detail = `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ` +
      `ResourceVersion in object meta: ${found.resourceVersion}`;
    throw conflict(of, target.name, detail);
  }
}

interface Version {
  readonly stored: StoredObject;
  readonly old: KubeObject;
  readonly options: DeleteOptions;
}

/** @returns null when another writer was faster; at once where nothing is to be written */
function deleteVersion(
  core: Core,
  { resource }: CallTarget,
  { stored, old, options }: Version,
): VerbAnswer | Promise<VerbAnswer | null> {
  const grace = graceOf(resource, old, options);
  const finalizers = finalizersAfter(resource, old, options);
  const isNamespace = resource.group === "" && resource.plural === "namespaces";
  const isHeld = finalizers.length > 0 || grace > 0 ||
    (isNamespace && (old.spec?.finalizers?.length ?? 0) > 0);
  if (!isHeld) {
    if (isDryRun(options)) return deletedAnswer(resource, old);
    return commitDelete(core, { resource, current: stored }).then((revision) =>
      revision === null ? null : deletedAnswer(resource, old)
    );
  }
  const draft = markDeleted(core, { old, grace, finalizers, isNamespace });
  if (draft === null) return { kind: "stored", stored, created: false };
  if (isDryRun(options)) return { kind: "plain", object: draft, created: false };
  const { key, revision } = stored;
  const parts = { resource, key, draft, expectedRevision: revision, before: stored };
  return commitPut(core, parts).then(storedAnswer);
}

function deletedAnswer(resource: Resource, old: KubeObject): VerbAnswer {
  if (ANSWERS_OBJECT.has(resource.plural)) return { kind: "plain", object: old, created: false };
  const status = success(groupResourceOf(resource), old.metadata.name ?? "", old.metadata.uid);
  return { kind: "plain", object: status as unknown as KubeObject, created: false };
}

/** Seconds that the object may still have; 0 for kinds that know no grace. */
function graceOf(resource: Resource, old: KubeObject, options: DeleteOptions): number {
  const { defaultGraceSeconds } = resource.rules;
  if (defaultGraceSeconds === undefined) return 0;
  const ruled = defaultGraceSeconds(old);
  // A pod that no kubelet runs has nothing to wait for, whatever was asked.
  if (ruled === 0) return 0;
  const wanted = options.gracePeriodSeconds ?? ruled;
  return wanted < 0 ? 1 : wanted;
}

function finalizersAfter(
  resource: Resource,
  old: KubeObject,
  options: DeleteOptions,
): readonly string[] {
  const before = old.metadata.finalizers ?? [];
  const policy = options.propagationPolicy ??
    (options.orphanDependents === undefined
      ? undefined
      : options.orphanDependents
      ? "Orphan"
      : "Background");
  const chosen = policy ?? standingPolicy(before) ?? resource.rules.defaultPropagation ??
    "Background";
  const isFirst = old.metadata.deletionTimestamp === undefined;
  const awaited = isFirst ? resource.rules.deletionFinalizers ?? [] : [];
  const held = awaited.length === 0 ? before : [...new Set([...before, ...awaited])];
  const others = held.filter((name) => name !== ORPHAN_FINALIZER && name !== FOREGROUND_FINALIZER);
  if (chosen === "Orphan") return [...others, ORPHAN_FINALIZER];
  if (chosen === "Foreground") return [...others, FOREGROUND_FINALIZER];
  return others;
}

function standingPolicy(finalizers: readonly string[]): "Orphan" | "Foreground" | undefined {
  if (finalizers.includes(ORPHAN_FINALIZER)) return "Orphan";
  return finalizers.includes(FOREGROUND_FINALIZER) ? "Foreground" : undefined;
}

/** The object marked for deletion; null when it is already marked as strictly. */
function markDeleted(
  core: Core,
  parts: {
    readonly old: KubeObject;
    readonly grace: number;
    readonly finalizers: readonly string[];
    readonly isNamespace: boolean;
  },
): KubeObject | null {
  const { old, grace, finalizers, isNamespace } = parts;
  const { resourceVersion: _, ...before } = old.metadata;
  const isMarked = before.deletionTimestamp !== undefined;
  const isSooner = !isMarked || grace < (before.deletionGracePeriodSeconds ?? 0);
  const sameFinalizers = finalizers.length === (before.finalizers?.length ?? 0) &&
    finalizers.every((name) => before.finalizers!.includes(name));
  if (isMarked && !isSooner && sameFinalizers) return null;
  const draft: KubeObject = { ...old, metadata: { ...before } };
  if (finalizers.length > 0) draft.metadata.finalizers = [...finalizers];
  else delete draft.metadata.finalizers;
  if (isSooner) {
    draft.metadata.deletionTimestamp = formatTime(core.clock.nowMillis() + grace * 1000);
    draft.metadata.deletionGracePeriodSeconds = grace;
    if (!isMarked && before.generation) draft.metadata.generation = before.generation + 1;
  }
  if (isNamespace) {
    delete draft.metadata.deletionGracePeriodSeconds;
    draft.status = { ...old.status, phase: "Terminating" };
  }
  return draft;
}
