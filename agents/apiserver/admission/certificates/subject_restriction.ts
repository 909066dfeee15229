/**
 * Nobody becomes a master of the cluster by a signed request.
 * In: signing requests about to be created. Out: a refusal. Never: verifies a signature.
 * Source: plugin/pkg/admission/certificates/subjectrestriction (v1.36).
 */
import "reflect-metadata";
import { Pkcs10CertificateRequest } from "@peculiar/x509";
import { certificateSigningRequests } from "../../../api/resources.ts";
import { forbidden } from "../../../api/status.ts";
import { MASTERS_GROUP } from "../../auth/authorize.ts";
import { groupResourceOf } from "../../verbs/core.ts";
import type { AdmissionPlugin } from "../admission.ts";

const CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client";

export const certificateSubjectRestriction: AdmissionPlugin = {
  name: "CertificateSubjectRestriction",
  validate({ operation, resource, subresource, object, name }) {
    if (resource !== certificateSigningRequests || subresource !== "") return;
    if (operation !== "CREATE" || object!.spec?.signerName !== CLIENT_SIGNER) return;
    const refuse = (reason: string) => forbidden(groupResourceOf(resource), name, reason);
    const organizations = organizationsOf(object!.spec.request);
    if (organizations === null) throw refuse("failed to parse CSR: it is no PKCS #10 request");
    if (organizations.includes(MASTERS_GROUP)) {
      throw refuse(`use of ${CLIENT_SIGNER} signer with ${MASTERS_GROUP} group is not allowed`);
    }
  },
};

/** @param request base64 of PEM. @returns null for what is no signing request */
function organizationsOf(request: unknown): readonly string[] | null {
  try {
    return new Pkcs10CertificateRequest(atob(String(request))).subjectName.getField("O");
  } catch {
    return null;
  }
}
