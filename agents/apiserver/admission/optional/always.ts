/**
 * The two plugins that ask nothing: one lets everything pass, one nothing.
 * In: any request. Out: nothing, or 403. Never: changes a draft. Off by default.
 * Source: apiserver's plugin/pkg/admission/{admit,deny} (v1.36).
 */
import { forbidden } from "../../../api/status.ts";
import { APISERVER } from "../../auth/authorize.ts";
import { groupResourceOf } from "../../verbs/core.ts";
import type { AdmissionPlugin, AdmissionRequest } from "../admission.ts";

export const alwaysAdmit: AdmissionPlugin = { name: "AlwaysAdmit" };

function refuse({ resource, name, user }: AdmissionRequest): void {
  // What a cluster begins with is the server's own doing.
  if (user === APISERVER) return;
  throw forbidden(
    groupResourceOf(resource),
    name,
    "admission control is denying all modifications",
  );
}

export const alwaysDeny: AdmissionPlugin = { name: "AlwaysDeny", admit: refuse, validate: refuse };
