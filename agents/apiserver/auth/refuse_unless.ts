/**
 * Lets a request on, or refuses it as nobody who may not.
 * In: an authorizer, what is asked, how a refusal names the place. Out: nothing, perhaps later.
 * Never: waits where nobody has to be asked. The decision goes into the request's trail.
 */
import { accessForbidden } from "../../api/status.ts";
import type { AuditTrail } from "../audit/trail.ts";
import type { AccessAttributes, Authorizer, Decision } from "./authorize.ts";

/** What a refusal says of the place. */
type Told = Omit<Parameters<typeof accessForbidden>[0], "user" | "verb" | "path" | "reason">;

/**
 * @returns a promise where somebody has to be asked
 * Errors: throws or rejects with ApiError 403.
 */
export function refuseUnless(
  authorizer: Authorizer,
  { trail }: { readonly trail?: Pick<AuditTrail, "decided"> },
  asked: AccessAttributes,
  told: Told,
): void | Promise<void> {
  const judge = (decision: Decision): void => {
    trail?.decided(decision);
    if (decision.allowed) return;
    const { user, verb } = asked;
    const path = asked.path === undefined ? {} : { path: asked.path };
    throw accessForbidden({ ...told, ...path, user: user.name, verb, reason: decision.reason });
  };
  const decision = authorizer.decide(asked);
  return decision instanceof Promise ? decision.then(judge) : judge(decision);
}
