/**
 * Signing requests are approved by those who may approve for their signer.
 * In: updates of the subresource approval. Out: a refusal. Never: trusts the draft's signer.
 * Source: plugin/pkg/admission/certificates/approval (v1.36).
 */
import { certificateSigningRequests } from "../../../api/resources.ts";
import { forbidden } from "../../../api/status.ts";
import { groupResourceOf } from "../../verbs/core.ts";
import type { AdmissionPlugin } from "../admission.ts";
import { mayActForSigner } from "./signer_access.ts";

export const certificateApproval: AdmissionPlugin = {
  name: "CertificateApproval",
  validate({ operation, resource, subresource, old, user, name }, core) {
    if (resource !== certificateSigningRequests || subresource !== "approval") return;
    if (operation !== "UPDATE") return;
    const signer: string = old!.spec?.signerName ?? "";
    if (mayActForSigner(core, { user, verb: "approve", signer })) return;
    const reason = "user not permitted to approve requests with signerName " +
      JSON.stringify(signer);
    throw forbidden(groupResourceOf(resource), name, reason);
  },
};
