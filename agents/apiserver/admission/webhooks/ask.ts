/**
 * Asks one webhook about one request.
 * In: a hook, a request. Out: its verdict, or that it failed and may be passed over.
 * Never: decides what a patch does. Source: apiserver's webhook dispatchers (v1.36).
 */
import type { Resource } from "../../../api/resource.ts";
import { ApiError, badRequest, internalError, type StatusReason } from "../../../api/status.ts";
import type { Core } from "../../verbs/core.ts";
import { type AdmissionRequest, annotate, warn } from "../admission.ts";
import type { Hook } from "./hooks.ts";
import { encodeReview, readVerdict, type Told, type Verdict } from "./review.ts";

const DEFAULT_SECONDS = 10;
const KNOWN_VERSIONS = ["v1", "v1beta1"];

export type Asked =
  | Extract<Verdict, { kind: "allowed" }>
  /** It failed, and its policy is to go on without it. */
  | { readonly kind: "ignored" };

/**
 * @param parts.shown the resource by which the request matched
 * Errors: rejects with ApiError: the webhook's own refusal, or 500 where it failed and has to work.
 */
export async function askHook(
  core: Core,
  hook: Hook,
  parts: {
    readonly request: AdmissionRequest;
    readonly shown: Resource;
    readonly mayPatch: boolean;
  },
): Promise<Asked> {
  const { request, shown, mayPatch } = parts;
  const { config, name } = hook;
  const { sideEffects } = config;
  if (request.dryRun && sideEffects !== "None" && sideEffects !== "NoneOnDryRun") {
    throw badRequest(`admission webhook ${JSON.stringify(name)} does not support dry run`);
  }
  const version = (config.admissionReviewVersions ?? []).find((one) =>
    KNOWN_VERSIONS.includes(one)
  );
  if (version === undefined) {
    const message = "could not create admission objects: webhook does not accept known " +
      "AdmissionReview versions (v1, v1beta1)";
    return failedHook(core, hook, message);
  }
  const uid = core.random.uuid();
  const outcome = await core.webhooks.post(core, config.clientConfig, {
    body: encodeReview(request, { shown, version, uid }),
    seconds: config.timeoutSeconds ?? DEFAULT_SECONDS,
    plugin: mayPatch ? "MutatingAdmissionWebhook" : "ValidatingAdmissionWebhook",
  });
  if (outcome.kind === "failed") {
    return failedHook(core, hook, `failed to call webhook: ${outcome.message}`);
  }
  const verdict = readVerdict(outcome.text, { version, uid, mayPatch });
  if (verdict.kind === "malformed") {
    return failedHook(core, hook, `received invalid webhook response: ${verdict.message}`);
  }
  for (const [key, value] of Object.entries(verdict.notes.auditAnnotations)) {
    annotate(request, `${name}/${key}`, value);
  }
  for (const text of verdict.notes.warnings) warn(request, text);
  if (verdict.kind === "denied") throw denied(name, verdict.told);
  return verdict;
}

/** Errors: throws ApiError 500 unless the hook may fail. */
export function failedHook(core: Core, hook: Hook, reason: string): Asked {
  const { name, config } = hook;
  if (config.failurePolicy !== "Ignore") {
    throw internalError(`failed calling webhook ${JSON.stringify(name)}: ${reason}`);
  }
  core.log("warn", "a webhook failed and is passed over", { webhook: name, reason });
  return { kind: "ignored" };
}

/** The webhook's Status, made a failure in upstream's words. */
function denied(name: string, { message, reason, code, details }: Told): ApiError {
  const by = `admission webhook ${JSON.stringify(name)} denied the request`;
  const why = message || reason;
  return new ApiError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: why ? `${by}: ${why}` : `${by} without explanation`,
    ...(reason === "" ? {} : { reason: reason as StatusReason }),
    ...(details === null ? {} : { details }),
    code: code >= 400 && code < 600 ? code : 400,
  });
}
