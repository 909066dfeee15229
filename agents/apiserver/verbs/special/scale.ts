/**
 * The scale subresource: a replica count seen and changed as autoscaling/v1 Scale.
 * In: a target whose object has spec.replicas. Out: a Scale.
 * Never: touches another field. Source: pkg/registry/apps/deployment/storage (ScaleREST, v1.36).
 */
import type { CallTarget, WriteOptions } from "../../../api/call.ts";
import type { KubeObject, LabelSelector } from "../../../api/meta.ts";
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
  const object = scaleOf(serve(target.resource, await readStored(core, target)));
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
    const before = scaleOf(old);
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
    return { ...old, metadata: { ...metadata, ...pin }, spec: { ...old.spec, replicas } };
  });
  if (answer.kind === "list" || answer.kind === "plainList") return answer;
  const object = answer.kind === "stored" ? serve(target.resource, answer.stored) : answer.object;
  return { kind: "plain", object: scaleOf(object), created: false };
}

function scaleOf(object: KubeObject): KubeObject {
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

/** Replication controllers carry a bare map where the others have a LabelSelector. */
function selectorText(raw: LabelSelector & Record<string, string> | undefined): string {
  if (raw === undefined) return "";
  const { matchLabels, matchExpressions } = raw;
  if (matchLabels === undefined && matchExpressions === undefined) return formatLabelSet(raw);
  if (matchExpressions === undefined) return formatLabelSet(matchLabels!);
  const parsed = fromLabelSelector(raw);
  return parsed === null ? "" : formatLabelSelector(parsed);
}
