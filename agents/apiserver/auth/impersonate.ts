/**
 * A user that acts as another: the Impersonate-* headers.
 * In: who asks and its headers. Out: who is meant. Never: acts as somebody without the right to.
 * Source: apiserver's endpoints/filters/impersonation (v1.36).
 */
import type { UserInfo } from "../../api/meta.ts";
import { accessForbidden, badRequest } from "../../api/status.ts";
import { AUTHENTICATED_GROUP, type Authorizer } from "./authorize.ts";

const ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;

type Header = (name: string) => string | undefined;

/**
 * @returns the user to go on with; the asker itself when no header is there
 * Errors: throws ApiError 400 for groups without a user, 403 for a missing right.
 */
export function impersonate(user: UserInfo, header: Header, authorizer: Authorizer): UserInfo {
  const name = header("impersonate-user");
  const groupText = header("impersonate-group");
  const uid = header("impersonate-uid");
  if (name === undefined) {
    if (groupText === undefined && uid === undefined) return user;
    throw badRequest("requested impersonation without impersonating a user");
  }
  const groups = (groupText ?? "").split(",").map((text) => text.trim()).filter((text) =>
    text !== ""
  );
  const isAllowed = (resource: string, value: string, namespace = "") => {
    const access = {
      verb: "impersonate",
      group: "",
      resource,
      subresource: "",
      namespace,
      name: value,
    };
    const decision = authorizer.authorize({ ...access, user });
    if (decision.allowed) return;
    throw accessForbidden({ ...access, user: user.name, reason: decision.reason });
  };
  const account = ACCOUNT.exec(name);
  if (account === null) isAllowed("users", name);
  else isAllowed("serviceaccounts", account[2], account[1]);
  for (const group of groups) isAllowed("groups", group);
  if (uid !== undefined) isAllowed("uids", uid);
  const isAnonymous = name === "system:anonymous";
  // An account that is meant without groups has those of its place.
  if (account !== null && groups.length === 0) {
    groups.push("system:serviceaccounts", `system:serviceaccounts:${account[1]}`);
  }
  return {
    name,
    groups: isAnonymous ? groups : [...new Set([...groups, AUTHENTICATED_GROUP])],
    ...(uid === undefined ? {} : { uid }),
  };
}
