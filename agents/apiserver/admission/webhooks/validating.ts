/**
 * The plugin that lets webhooks refuse what would be stored, all at once.
 * In: a request, the validating hooks. Out: nothing, or the first refusal in the hooks' order.
 * Never: costs a request anything where no hook is configured.
 * Source: apiserver's webhook/validating/dispatcher.go (v1.36).
 */
import { validatingWebhookConfigurations } from "../../../api/resources.ts";
import type { Core } from "../../verbs/core.ts";
import { type AdmissionPlugin, type AdmissionRequest, annotate } from "../admission.ts";
import { isExempt } from "../matching/match_request.ts";
import { askHook } from "./ask.ts";
import { hookWants } from "./conditions.ts";
import { type Hook, hooksIn } from "./hooks.ts";

const FAILED_OPEN = "failed-open.validating.webhook.admission.k8s.io/";

export const validatingWebhooks: AdmissionPlugin = {
  name: "ValidatingAdmissionWebhook",
  validate(request, core) {
    const hooks = hooksIn(core, validatingWebhookConfigurations);
    if (hooks.length === 0 || isExempt(request)) return undefined;
    return callAll(core, hooks, request);
  },
};

async function callAll(
  core: Core,
  hooks: readonly Hook[],
  request: AdmissionRequest,
): Promise<void> {
  const wanted = hooks.flatMap((hook) => {
    const shown = hookWants(core, hook, request);
    return shown === null ? [] : [{ hook, shown }];
  });
  const outcomes = await Promise.allSettled(wanted.map(async ({ hook, shown }, index) => {
    const asked = await askHook(core, hook, { request, shown, mayPatch: false });
    if (asked.kind === "ignored") {
      annotate(request, `${FAILED_OPEN}round_0_index_${index}`, hook.name);
    }
  }));
  const refusal = outcomes.find((outcome) => outcome.status === "rejected");
  if (refusal !== undefined) throw refusal.reason;
}
