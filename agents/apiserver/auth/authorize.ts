/**
 * Who may do what, as an interface, and the built-in policy: the cluster's own components may all.
 * In: a user and what it asks for. Out: yes, or no with a reason.
 * Never: reads objects; a policy over roles can stand in its place.
 */
import type { UserInfo } from "../../api/meta.ts";

export type AccessAttributes =
  & { readonly user: UserInfo; readonly verb: string }
  & (
    | { readonly path: string }
    | {
      readonly group: string;
      readonly resource: string;
      readonly subresource: string;
      readonly namespace: string;
      readonly name: string;
      readonly path?: undefined;
    }
  );

export interface Decision {
  readonly allowed: boolean;
  /** For the refused client, and for reviews. */
  readonly reason?: string;
}

export interface Authorizer {
  authorize(attributes: AccessAttributes): Decision;
  /** The status of a SelfSubjectRulesReview. */
  rulesFor(user: UserInfo, namespace: string): Record<string, unknown>;
}

export const MASTERS_GROUP = "system:masters";
export const AUTHENTICATED_GROUP = "system:authenticated";
export const UNAUTHENTICATED_GROUP = "system:unauthenticated";
export const ANONYMOUS: UserInfo = {
  name: "system:anonymous",
  groups: [UNAUTHENTICATED_GROUP],
};

/** Groups and user names of the cluster's own components. */
const COMPONENT_GROUPS = new Set([MASTERS_GROUP, "system:nodes"]);
const COMPONENT_USERS = /^system:(?:kube-|node:|balsa:|apiserver$)/;

/** Paths that say nothing about the cluster's content. */
const PUBLIC_PATHS = /^\/(?:healthz|livez|readyz)(?:\/|$)|^\/version\/?$/;
/** What any authenticated user reads to find its way. */
const DISCOVERY_PATHS =
  /^\/(?:api|apis|openapi)(?:\/|$)|^\/\.well-known\/openid-configuration$|^\/openid\/v1\/jwks$/;

const SELF_REVIEWS = new Set([
  "selfsubjectreviews",
  "selfsubjectaccessreviews",
  "selfsubjectrulesreviews",
]);

const ALLOWED: Decision = { allowed: true };
const REFUSED: Decision = { allowed: false };

function isComponent(user: UserInfo): boolean {
  return user.groups.some((group) => COMPONENT_GROUPS.has(group)) ||
    COMPONENT_USERS.test(user.name);
}

/** The policy of a cluster without roles: components may all, others find their way. */
export const componentAuthorizer: Authorizer = {
  authorize(attributes) {
    const { user } = attributes;
    if (isComponent(user)) return ALLOWED;
    if (attributes.path !== undefined) {
      if (attributes.verb !== "get") return REFUSED;
      if (PUBLIC_PATHS.test(attributes.path)) return ALLOWED;
      const isKnown = user.groups.includes(AUTHENTICATED_GROUP);
      return isKnown && DISCOVERY_PATHS.test(attributes.path) ? ALLOWED : REFUSED;
    }
    const isSelf = attributes.verb === "create" && SELF_REVIEWS.has(attributes.resource) &&
      user.groups.includes(AUTHENTICATED_GROUP);
    return isSelf ? ALLOWED : REFUSED;
  },

  rulesFor(user) {
    const everything = { verbs: ["*"], apiGroups: ["*"], resources: ["*"] };
    const self = {
      verbs: ["create"],
      apiGroups: ["authentication.k8s.io", "authorization.k8s.io"],
      resources: [...SELF_REVIEWS],
    };
    const paths = ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi"];
    return isComponent(user)
      ? {
        resourceRules: [everything],
        nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["*"] }],
        incomplete: false,
      }
      : {
        resourceRules: [self],
        nonResourceRules: [{ verbs: ["get"], nonResourceURLs: [...paths, "/readyz", "/version"] }],
        incomplete: false,
      };
  },
};
