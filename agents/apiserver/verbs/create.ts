/**
 * CREATE: names, defaults, admission, rules, and one conditional put.
 * In: a target and a private draft. Out: the stored object, or the draft of a dry run.
 * Never: overwrites. Source: apiserver's registry/rest/create.go (v1.36).
 */
import type { CallTarget } from "../../api/call.ts";
import type { KubeObject } from "../../api/meta.ts";
import type { FieldError, Resource } from "../../api/resource.ts";
import { pods, services } from "../../api/resources.ts";
import { alreadyExists, badRequest, generateNameConflict, invalid } from "../../api/status.ts";
import { type AdmissionRequest, admit, validate } from "../admission/admission.ts";
import { copyJson, deepFreeze } from "../registry.ts";
import { commitPut } from "./commit.ts";
import {
  apiVersionOf,
  cacheOf,
  type Core,
  groupResourceOf,
  keyOf,
  ruleContextOf,
  type VerbAnswer,
} from "./core.ts";
import { type ChangeOptions, trackDraft } from "./apply/managed.ts";
import { formatTime, validateMeta } from "./meta_rules.ts";

const GENERATED_SUFFIX_LENGTH = 5;
const MAX_GENERATED_BASE = 63 - GENERATED_SUFFIX_LENGTH;
/** How often a taken generated name is replaced by another. */
const GENERATE_ATTEMPTS = 8;
/** How often a number that another server gave away meanwhile is replaced by another. */
const NUMBER_ATTEMPTS = 8;

/** Errors: rejects with ApiError. @param draft owned by this call from here on */
export async function createObject(
  core: Core,
  target: CallTarget,
  draft: KubeObject,
  options: ChangeOptions,
): Promise<VerbAnswer> {
  const { resource } = target;
  adoptIdentity(target, draft);
  if (draft.metadata.resourceVersion) {
    throw badRequest("resourceVersion should not be set on objects to be created");
  }
  const base = draft.metadata.name ? "" : draft.metadata.generateName ?? "";
  if (base === "") {
    // Only a service can lose a number that was free when it was chosen.
    const copyOf = resource === services ? copyJson : (object: KubeObject) => object;
    for (let attempt = 1;; attempt++) {
      const answer = await createNamed(core, target, copyOf(draft), options);
      if (answer !== null) return answer;
      const { namespace } = target;
      const taken = cacheOf(core, resource)
        .get(keyOf({ resource, namespace, name: draft.metadata.name! }));
      if (taken !== undefined || resource !== services || attempt === NUMBER_ATTEMPTS) {
        throw alreadyExists(groupResourceOf(resource), draft.metadata.name!);
      }
    }
  }
  for (let attempt = 1;; attempt++) {
    const copy = copyJson(draft);
    copy.metadata.name = generateName(core, base);
    const answer = await createNamed(core, target, copy, options);
    if (answer !== null) return answer;
    if (attempt === GENERATE_ATTEMPTS) {
      throw generateNameConflict(groupResourceOf(resource), copy.metadata.name);
    }
  }
}

/** @returns null when the name, or a number that only one object may have, is taken */
async function createNamed(
  core: Core,
  target: CallTarget,
  draft: KubeObject,
  options: ChangeOptions,
): Promise<VerbAnswer | null> {
  const { resource, namespace } = target;
  const pending = prepareDraft(core, target, draft, options);
  if (pending !== undefined) await pending;
  const key = keyOf({ resource, namespace, name: draft.metadata.name! });
  if (options.dryRun) {
    if (cacheOf(core, resource).get(key) !== undefined) return null;
    return { kind: "plain", object: deepFreeze(draft), created: true };
  }
  const stored = await commitPut(core, { resource, key, draft, expectedRevision: 0 });
  return stored === null ? null : { kind: "stored", stored, created: true };
}

/** Makes kind, apiVersion and namespace those of the request, or refuses. */
export function adoptIdentity(target: CallTarget, draft: KubeObject): void {
  const { resource } = target;
  const apiVersion = apiVersionOf(resource);
  if (draft.apiVersion !== undefined && draft.apiVersion !== apiVersion) {
    throw badRequest(
      `the API version in the data (${draft.apiVersion}) does not match ` +
        `the expected API version (${apiVersion})`,
    );
  }
  if (draft.kind !== undefined && draft.kind !== resource.kind) {
    throw badRequest(
      `${draft.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: ` +
        `converting (${draft.kind}) to (${resource.kind}): unknown conversion`,
    );
  }
  draft.kind = resource.kind;
  draft.apiVersion = apiVersion;
  draft.metadata ??= {};
  const { metadata } = draft;
  if (!resource.namespaced) {
    if (metadata.namespace) {
      throw badRequest("namespace may not be set on cluster-scoped resources");
    }
    return;
  }
  if (target.namespace === "") {
    throw badRequest("an empty namespace may not be set during creation");
  }
  if (metadata.namespace && metadata.namespace !== target.namespace) {
    throw badRequest(
      "the namespace of the provided object does not match the namespace sent on the request",
    );
  }
  metadata.namespace = target.namespace;
}

function generateName(core: Core, base: string): string {
  return base.slice(0, MAX_GENERATED_BASE) + core.random.suffix(GENERATED_SUFFIX_LENGTH);
}

/** Answers a promise only where admission waits. */
function prepareDraft(
  core: Core,
  target: CallTarget,
  draft: KubeObject,
  options: ChangeOptions,
): void | Promise<void> {
  const { resource } = target;
  const { rules } = resource;
  const { metadata } = draft;
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  delete (metadata as Record<string, unknown>).selfLink;
  metadata.uid = core.random.uuid();
  metadata.creationTimestamp = formatTime(core.clock.nowMillis());
  delete metadata.generation;
  // An empty one passes; the rules take an object with one for an update's.
  delete metadata.resourceVersion;
  rules.setDefaults?.(draft);
  trackDraft(core, { target, options, draft, old: null });
  const request: AdmissionRequest = {
    ...target,
    operation: "CREATE",
    name: metadata.name ?? "",
    object: draft,
    old: null,
    options,
    dryRun: options.dryRun === true,
  };
  const pending = admit(core, request);
  if (pending !== undefined) return pending.then(() => judgeDraft(core, request, draft));
  return judgeDraft(core, request, draft);
}

/** Errors: throws ApiError 422. */
function judgeDraft(
  core: Core,
  request: AdmissionRequest,
  draft: KubeObject,
): void | Promise<void> {
  const { resource, user } = request;
  const { rules } = resource;
  // A webhook's answer may have given the draft other metadata.
  const { metadata } = draft;
  rules.prepareForCreate?.(draft, ruleContextOf(core, user));
  const counted = rules.generationFields ?? ["spec"];
  if (counted.some((field) => draft[field] !== undefined)) metadata.generation ??= 1;
  const errors = [
    ...validateMeta(resource, draft, null),
    ...validateContent(core, resource, draft),
  ];
  if (errors.length > 0) throw invalid(resource, metadata.name ?? "", errors);
  return validate(core, request);
}

/** Runs the kind's checks; a pod whose spec has passed them before shares that spec instead. */
function validateContent(core: Core, resource: Resource, draft: KubeObject): readonly FieldError[] {
  const validate = resource.rules.validateCreate ?? resource.rules.validate;
  if (resource !== pods) return validate?.(draft) ?? [];
  // The checks of a pod look at nothing but its spec.
  const text = JSON.stringify(draft.spec);
  const shared = core.podSpecs.find(text);
  if (shared !== undefined) {
    draft.spec = shared;
    return [];
  }
  const errors = validate?.(draft) ?? [];
  if (errors.length === 0) core.podSpecs.add(text, draft.spec);
  return errors;
}
