/**
 * Who somebody is and what they may, as the API server knows it: a component keeps no rules itself.
 * In: a client, a bearer token, what is asked. Out: a user; yes or no.
 * Never: keeps or logs a token; takes a review that was not answered for a yes.
 * Source: apiserver's authorizerfactory and authenticatorfactory, delegating (v1.36).
 */
import type { KubeObject, UserInfo } from "../api/meta.ts";
import { subjectAccessReviews, tokenReviews } from "../api/resources.ts";
import type { Client } from "../client/client.ts";

/** What is asked: a verb on a resource, or on a path outside of the API. */
export type AskedAccess =
  | { readonly resourceAttributes: Readonly<Record<string, string>> }
  | { readonly nonResourceAttributes: { readonly path: string; readonly verb: string } };

/** The two questions; tests answer them by hand. */
export interface Access {
  /** @returns null for a token that nobody knows. Errors: rejects with ApiError. */
  identify(token: string): Promise<UserInfo | null>;
  /** Errors: rejects with ApiError. */
  allows(user: UserInfo, asked: AskedAccess): Promise<boolean>;
}

const AUTHENTICATED_GROUP = "system:authenticated";
/** Whoever shows nothing of who it is. */
export const ANONYMOUS: UserInfo = {
  name: "system:anonymous",
  groups: ["system:unauthenticated"],
};

/** Asks the API server by TokenReview and SubjectAccessReview. */
export function delegateAccess(client: Client): Access {
  return {
    async identify(token) {
      const { status } = await client.create<KubeObject>(tokenReviews, {
        metadata: {},
        spec: { token },
      });
      const { username = "", uid, groups, extra } = status?.user ?? {};
      if (status?.authenticated !== true || username === "") return null;
      return { name: username, groups: groups ?? [], ...(uid && { uid }), ...(extra && { extra }) };
    },
    async allows(user, asked) {
      const { name, groups, uid, extra } = user;
      const review = await client.create<KubeObject>(subjectAccessReviews, {
        metadata: {},
        spec: {
          user: name,
          groups: user === ANONYMOUS ? groups : [...new Set([...groups, AUTHENTICATED_GROUP])],
          ...(uid && { uid }),
          ...(extra && { extra }),
          ...asked,
        },
      });
      return review.status?.allowed === true;
    },
  };
}
