/**
 * Certificates are issued by those who may sign for their signer.
 * In: updates of a signing request's status. Out: a refusal.
 * Never: minds an update that leaves certificate and conditions alone.
 * Source: plugin/pkg/admission/certificates/signing (v1.36).
 */
import { equalJson } from "../../../api/patch/json_patch.ts";
import { certificateSigningRequests } from "../../../api/resources.ts";
import { forbidden } from "../../../api/status.ts";
import { groupResourceOf } from "../../verbs/core.ts";
import type { AdmissionPlugin } from "../admission.ts";
import { mayActForSigner } from "./signer_access.ts";

export const certificateSigning: AdmissionPlugin = {
  name: "CertificateSigning",
  validate({ operation, resource, subresource, object, old, user, name }, core) {
    if (resource !== certificateSigningRequests || subresource !== "status") return;
    if (operation !== "UPDATE") return;
    const [before, now] = [old!.status ?? {}, object!.status ?? {}];
    const isSame = before.certificate === now.certificate &&
      equalJson(before.conditions ?? [], now.conditions ?? []);
    if (isSame) return;
    const signer: string = old!.spec?.signerName ?? "";
    if (mayActForSigner(core, { user, verb: "sign", signer })) return;
    const reason = `user not permitted to sign requests with signerName ${JSON.stringify(signer)}`;
    throw forbidden(groupResourceOf(resource), name, reason);
  },
};
