/**
 * Whether a hook wants to be asked about a request.
 * In: a hook, a request. Out: the resource by which it matches, or null.
 * Never: asks it. Source: apiserver's webhook/generic and webhook/matchconditions (v1.36).
 */
import type { Resource } from "../../../api/resource.ts";
import { forbidden } from "../../../api/status.ts";
import { type Core, groupResourceOf } from "../../verbs/core.ts";
import type { AdmissionRequest } from "../admission.ts";
import { bindingsOf } from "../expressions/bindings.ts";
import { meetsAll } from "../expressions/conditions.ts";
import { matchRequest } from "../matching/match_request.ts";
import type { Hook } from "./hooks.ts";

/** Errors: throws ApiError where it can't be told. */
export function hookWants(core: Core, hook: Hook, request: AdmissionRequest): Resource | null {
  const shown = matchRequest(core, hook.matcher, request);
  if (shown === null || hook.conditions.length === 0) return shown;
  const mayFail = hook.config.failurePolicy === "Ignore";
  const met = meetsAll(hook.conditions, bindingsOf(core, request, shown), mayFail);
  if (met.kind === "met") return shown;
  if (met.kind === "unmet") return null;
  throw forbidden(groupResourceOf(request.resource), request.name, met.message);
}
