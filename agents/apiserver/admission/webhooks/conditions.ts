/**
 * Whether a hook wants to be asked about a request.
 * In: a hook, a request. Out: the resource by which it matches, or null.
 * Never: asks it. Source: apiserver's webhook/generic and webhook/matchconditions (v1.36).
 */
import type { Resource } from "../../../api/resource.ts";
import type { Core } from "../../verbs/core.ts";
import type { AdmissionRequest } from "../admission.ts";
import { matchRequest } from "../matching/match_request.ts";
import type { Hook } from "./hooks.ts";

/** Errors: throws ApiError where it can't be told. */
export function hookWants(core: Core, hook: Hook, request: AdmissionRequest): Resource | null {
  return matchRequest(core, hook.matcher, request);
}
