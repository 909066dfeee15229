/**
 * The plugin that lets webhooks change drafts, one after the other.
 * In: a request, the mutating hooks. Out: the patched draft, or a refusal.
 * Never: costs a request anything where no hook is configured.
 * Source: apiserver's webhook/mutating/dispatcher.go (v1.36).
 */
import type { KubeObject } from "../../../api/meta.ts";
import { applyJsonPatch, equalJson } from "../../../api/patch/json_patch.ts";
import type { Resource } from "../../../api/resource.ts";
import { mutatingWebhookConfigurations } from "../../../api/resources.ts";
import { internalError } from "../../../api/status.ts";
import type { Core } from "../../verbs/core.ts";
import {
  type AdmissionPlugin,
  type AdmissionRequest,
  annotate,
  askAgain,
  roundOf,
} from "../admission.ts";
import { isExempt } from "../matching/match_request.ts";
import { asShownBy, hasOwnKind } from "../matching/request_place.ts";
import { takeDraft } from "../matching/take_draft.ts";
import { askHook, failedHook } from "./ask.ts";
import { hookWants } from "./conditions.ts";
import { type Hook, hooksIn } from "./hooks.ts";

const NAME = "MutatingAdmissionWebhook";
const MUTATION = "mutation.webhook.admission.k8s.io/";
const PATCH = "patch.webhook.admission.k8s.io/";
const FAILED_OPEN = "failed-open.mutation.webhook.admission.k8s.io/";

export const mutatingWebhooks: AdmissionPlugin = {
  name: NAME,
  admit(request, core) {
    const hooks = hooksIn(core, mutatingWebhookConfigurations);
    if (hooks.length === 0 || isExempt(request)) return undefined;
    return callAll(core, hooks, request);
  },
};

async function callAll(
  core: Core,
  hooks: readonly Hook[],
  request: AdmissionRequest,
): Promise<void> {
  const round = roundOf(request);
  const before = round.outcomes.get(NAME);
  if (round.isSecond && before !== undefined && before !== JSON.stringify(request.object)) {
    askAgain(round);
  }
  for (const [index, hook] of hooks.entries()) {
    const shown = hookWants(core, hook, request);
    if (shown === null) continue;
    // Who was not asked in the first round is not asked for the first time in the second.
    if (round.isSecond && !round.due.has(hook.id)) continue;
    const at = `round_${round.isSecond ? 1 : 0}_index_${index}`;
    const isChanged = await callOne(core, hook, { request, shown, at });
    if (isChanged) askAgain(round);
    if (hook.config.reinvocationPolicy === "IfNeeded") round.reinvocable.add(hook.id);
  }
  if (!round.isSecond) round.outcomes.set(NAME, JSON.stringify(request.object));
}

/** @returns whether the draft is another one. Errors: rejects with ApiError. */
async function callOne(
  core: Core,
  hook: Hook,
  parts: { readonly request: AdmissionRequest; readonly shown: Resource; readonly at: string },
): Promise<boolean> {
  const { request, shown, at } = parts;
  const { configuration, name: webhook } = hook;
  const asked = await askHook(core, hook, { request, shown, mayPatch: true });
  if (asked.kind === "ignored") {
    annotate(request, FAILED_OPEN + at, webhook);
    annotate(request, MUTATION + at, JSON.stringify({ configuration, webhook, mutated: false }));
    return false;
  }
  const patched = asked.patch !== "" && patch(core, hook, { ...parts, asked });
  if (patched) {
    const { patch: text, patchType } = asked;
    const told = { configuration, webhook, patch: JSON.parse(text), patchType };
    annotate(request, PATCH + at, JSON.stringify(told));
  }
  annotate(request, MUTATION + at, JSON.stringify({ configuration, webhook, mutated: patched }));
  return patched;
}

/** Errors: throws ApiError 500 for a patch that can't be applied. */
function patch(
  core: Core,
  hook: Hook,
  parts: {
    readonly request: AdmissionRequest;
    readonly shown: Resource;
    readonly asked: { readonly patch: string; readonly patchType: string };
  },
): boolean {
  const { request, shown, asked } = parts;
  const { resource, object } = request;
  let operations: unknown;
  try {
    operations = JSON.parse(asked.patch);
  } catch {
    operations = null;
  }
  if (!Array.isArray(operations)) {
    failedHook(core, hook, "received undecodable patch in webhook response: it is no list");
    return false;
  }
  if (operations.length === 0) return false;
  if (object === null) {
    throw internalError(
      `admission webhook ${JSON.stringify(hook.name)} attempted to modify the object, which is ` +
        "not supported for this operation",
    );
  }
  if (asked.patchType !== "JSONPatch") {
    failedHook(core, hook, `unsupported patch type ${JSON.stringify(asked.patchType)}`);
    return false;
  }
  const isOwnKind = hasOwnKind(request);
  const seen = isOwnKind ? object : asShownBy(resource, shown, object);
  const outcome = applyJsonPatch(seen, operations);
  if (outcome.kind !== "patched") throw internalError(outcome.message);
  const next: KubeObject = outcome.value;
  // The draft is what was seen, where no other version is.
  const isChanged = !equalJson(seen, next);
  takeDraft(request, isOwnKind ? next : asShownBy(shown, resource, next));
  return isChanged;
}
