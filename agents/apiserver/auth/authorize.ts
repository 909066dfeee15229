/**
 * Who may do what, as an interface, and the names that every cluster knows.
 * In: a user and what it asks for. Out: yes, or no with a reason.
 * Never: a policy; `rbac/policy_authorizer.ts` is one.
 */
import type { UserInfo } from "../../api/meta.ts";

export type AccessAttributes =
  & { readonly user: UserInfo; readonly verb: string }
  & (
    | { readonly path: string }
    | {
      readonly group: string;
      /** Absent = none in particular. */
      readonly version?: string;
      readonly resource: string;
      readonly subresource: string;
      readonly namespace: string;
      readonly name: string;
      /** Of a list or a watch. */
      readonly fieldSelector?: string;
      readonly path?: undefined;
    }
  );

export interface Decision {
  readonly allowed: boolean;
  /** For the refused client, and for reviews. */
  readonly reason?: string;
  /** Refused for good: nobody else is asked. */
  readonly isDenied?: boolean;
  /** Whoever should have judged could not. */
  readonly isFailure?: boolean;
}

export interface Authorizer {
  /** What is known at once; a webhook's word only where it was given a moment ago. */
  authorize(attributes: AccessAttributes): Decision;
  /** The same, after asking whom it takes; a promise only where somebody has to be asked. */
  decide(attributes: AccessAttributes): Decision | Promise<Decision>;
  /** Lets go of connections; absent where there are none. */
  close?(): void;
  /** The status of a SelfSubjectRulesReview. */
  rulesFor(user: UserInfo, namespace: string): Record<string, unknown>;
}

/** On a pod that mirrors one which a kubelet has from a file. */
export const MIRROR_ANNOTATION = "kubernetes.io/config.mirror";
export const MASTERS_GROUP = "system:masters";
export const AUTHENTICATED_GROUP = "system:authenticated";
export const UNAUTHENTICATED_GROUP = "system:unauthenticated";
export const ANONYMOUS: UserInfo = {
  name: "system:anonymous",
  groups: [UNAUTHENTICATED_GROUP],
};

/** The API server's own hand. */
export const APISERVER: UserInfo = {
  name: "system:apiserver",
  groups: [MASTERS_GROUP, AUTHENTICATED_GROUP],
};
