/**
 * The scale subresource: a replica count seen and changed as autoscaling/v1 Scale.
 * In: a target whose object has spec.replicas. Out: a Scale.
 * Never: touches another field. Source: pkg/registry/apps/deployment/storage (ScaleREST, v1.36).
 */
import type { CallTarget, WriteOptions } from "../../../api/call.ts";
import type { KubeObject, LabelSelector } from "../../../api/meta.ts";
import type { CustomType, Resource } from "../../../api/resource.ts";
import { formatLabelSelector, formatLabelSet, fromLabelSelector } from "../../../api/selector.ts";
import { badRequest, invalid } from "../../../api/status.ts";
import { type AdmissionRequest, admit, validate } from "../../admission/admission.ts";
import { copyJson } from "../../registry.ts";
import { type Core, serve, type VerbAnswer } from "../core.ts";
import { readStored } from "../get.ts";
import { applyPatch, type PatchParts } from "../patch.ts";
import { changeObject } from "../update.ts";

const SCALE = { group: "autoscaling", kind: "Scale" } as const;

export async function getScale(core: Core, target: CallTarget): Promise<VerbAnswer> {
  const { resource } = target;
  const object = scaleOf(serve(resource, await readStored(core, target)), resource);
  return { kind: "plain", object, created: false };
}

/** PUT of a Scale. Errors: rejects with ApiError. */
export function updateScale(
  core: Core,
  target: CallTarget,
  scale: KubeObject,
  options: WriteOptions,
): Promise<VerbAnswer> {
  return changeScale(core, target, options, () => scale);
}

/** PATCH of a Scale. Errors: rejects with ApiError. */
export function patchScale(
  core: Core,
  target: CallTarget,
  parts: PatchParts,
): Promise<VerbAnswer> {
  return changeScale(
    core,
    target,
    parts.options,
    (current) => applyPatch(target, current, parts),
  );
}

async function changeScale(
  core: Core,
  target: CallTarget,
  options: WriteOptions,
  next: (current: KubeObject) => KubeObject,
): Promise<VerbAnswer> {
  const onObject = { ...target, subresource: "" };
  const admitted = { ...options, spokenTo: "scale" };
  const answer = await changeObject(core, onObject, admitted, async (old) => {
    const before = scaleOf(old, target.resource);
    const scale = copyJson(next(before));
    const request: AdmissionRequest = {
      ...target,
      operation: "UPDATE",
      object: scale,
      old: before,
      options,
      dryRun: options.dryRun === true,
    };
    await admit(core, request);
    const replicas = scale.spec?.replicas ?? 0;
    if (!Number.isInteger(replicas)) {
      throw badRequest('Scale in version "v1" cannot be handled as a Scale: spec.replicas');
    }
    if (replicas < 0) {
      const detail = "must be greater than or equal to 0";
      throw invalid(SCALE, target.name, [
        { type: "invalid", path: "spec.replicas", value: replicas, detail },
      ]);
    }
    await validate(core, request);
    const { resourceVersion, ...metadata } = old.metadata;
    const sent = scale.metadata?.resourceVersion;
    const pin = sent && sent !== resourceVersion ? { resourceVersion: sent } : {};
    const draft = { ...old, metadata: { ...metadata, ...pin } };
    const path = target.resource.custom?.scale?.specReplicas ?? SPEC_REPLICAS;
    return withValue(draft, path, replicas) as KubeObject;
  });
  if (answer.kind === "list" || answer.kind === "plainList") return answer;
  const object = answer.kind === "stored" ? serve(target.resource, answer.stored) : answer.object;
  return { kind: "plain", object: scaleOf(object, target.resource), created: false };
}

const SPEC_REPLICAS = ["spec", "replicas"];

/** What stands at the end of a path of names; undefined where it ends early. */
function valueAt(object: unknown, path: readonly string[]): unknown {
  let value = object;
  for (const name of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) {
      return undefined;
    }
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/** A copy with another value at the end of a path; what lies beside the path is shared. */
function withValue(object: unknown, path: readonly string[], value: unknown): unknown {
  if (path.length === 0) return value;
  const [name, ...rest] = path;
  const inside = typeof object === "object" && object !== null
    ? object as Record<string, unknown>
    : {};
  return { ...inside, [name]: withValue(inside[name], rest, value) };
}

function scaleOf(object: KubeObject, { custom }: Resource): KubeObject {
  if (custom?.scale !== undefined) return customScaleOf(object, custom.scale);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const { selector: raw, replicas = 0 } = object.spec ?? {};
  const selector = selectorText(raw);
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas },
    status: {
      replicas: object.status?.replicas ?? 0,
      ...(selector === "" ? {} : { selector }),
    },
  };
}

/** A custom object says by paths where its numbers stand; its selector is text already. */
function customScaleOf(
  object: KubeObject,
  { specReplicas, statusReplicas, labelSelector }: NonNullable<CustomType["scale"]>,
): KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = labelSelector === undefined ? undefined : valueAt(object, labelSelector);
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: valueAt(object, specReplicas) ?? 0 },
    status: {
      replicas: valueAt(object, statusReplicas) ?? 0,
      ...(typeof selector === "string" && selector !== "" ? { selector } : {}),
    },
  };
}

/** Replication controllers carry a bare map where the others have a LabelSelector. */
function selectorText(raw: LabelSelector & Record<string, string> | undefined): string {
  if (raw === undefined) return "";
  const { matchLabels, matchExpressions } = raw;
  if (matchLabels === undefined && matchExpressions === undefined) return formatLabelSet(raw);
  if (matchExpressions === undefined) return formatLabelSet(matchLabels!);
  const parsed = fromLabelSelector(raw);
  return parsed === null ? "" : formatLabelSelector(parsed);
}
