/**
 * Whether somebody may act on signing requests for one signer.
 * In: a user, `approve` or `sign`, a signer's name. Out: yes or no.
 * Never: asks about the signing request itself.
 * Source: pkg/registry/certificates/certificates/authorization (v1.36).
 */
import type { UserInfo } from "../../../api/meta.ts";
import type { Core } from "../../verbs/core.ts";

/** The signer by its whole name, or all of its domain: `example.com/*`. */
export function mayActForSigner(
  core: Core,
  asked: { readonly user: UserInfo; readonly verb: "approve" | "sign"; readonly signer: string },
): boolean {
  const { user, verb, signer } = asked;
  const domain = `${signer.split("/", 1)[0]}/*`;
  return [signer, domain].some((name) =>
    core.authorizer.authorize({
      user,
      verb,
      group: "certificates.k8s.io",
      resource: "signers",
      subresource: "",
      namespace: "",
      name,
    }).allowed
  );
}
