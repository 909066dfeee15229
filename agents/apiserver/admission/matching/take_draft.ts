/**
 * A draft that came back from a webhook or a policy.
 * In: a request, the object that its draft is to become. Out: the draft, defaulted, or an ApiError.
 * Never: lets it become another object, or one of another kind.
 */
import type { KubeObject } from "../../../api/meta.ts";
import { checkAs } from "../../../api/schema/strict.ts";
import { internalError } from "../../../api/status.ts";
import { copyJson } from "../../registry.ts";
import { type AdmissionRequest, replaceDraft } from "../admission.ts";
import { hasOwnKind } from "./request_place.ts";

/** @param made may share frozen parts with others. Errors: throws ApiError 500 */
export function takeDraft(request: AdmissionRequest, made: KubeObject): void {
  const next = copyJson(made);
  const { resource, subresource } = request;
  const { kind, apiVersion } = request.object!;
  if (next.kind !== kind || next.apiVersion !== apiVersion) {
    const found = `${next.apiVersion}, Kind=${next.kind}`;
    throw internalError(`expected ${apiVersion}, Kind=${kind}, got ${found}`);
  }
  const part = resource.subresources.find((row) => row.name === subresource);
  const isOwn = hasOwnKind(request);
  const checked = checkAs(isOwn ? part! : resource, next);
  if (checked.kind === "error") throw internalError(checked.message);
  replaceDraft(request, next);
  if (!isOwn) resource.rules.setDefaults?.(request.object!);
}
