/**
 * A user that acts as another: the Impersonate-* headers.
 * In: who asks and its headers. Out: who is meant. Never: acts as somebody without the right to.
 * Source: apiserver's endpoints/filters/impersonation (v1.36).
 */
import type { UserInfo } from "../../api/meta.ts";
import { accessForbidden, badRequest } from "../../api/status.ts";
import {
  ANONYMOUS,
  AUTHENTICATED_GROUP,
  type Authorizer,
  type Decision,
  UNAUTHENTICATED_GROUP,
} from "./authorize.ts";

const ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;
const PREFIX = "impersonate-";
const EXTRA_PREFIX = "extra-";
const EXTRA_GROUP = "authentication.k8s.io";

/** A request's headers. */
export interface HeaderSource {
  /** One header by its lower-case name. */
  readonly header: (name: string) => string | undefined;
  /** All of them, name and value in turn; several of one name as they came. */
  readonly fields?: () => readonly string[];
}

/** What the headers ask for. */
interface Wanted {
  user?: string;
  uid?: string;
  readonly groups: string[];
  readonly extra: [key: string, value: string][];
}

/**
 * @returns the user to go on with; the asker itself when no header is there
 * Errors: throws ApiError 400 for parts of a user without the user, 403 for a missing right.
 */
export function impersonate(
  user: UserInfo,
  source: HeaderSource,
  authorizer: Authorizer,
): UserInfo | Promise<UserInfo> {
  const wanted = readWanted(source);
  if (wanted === null) return user;
  const { user: name, uid, extra } = wanted;
  if (name === undefined || name === "") {
    throw badRequest("requested impersonation without impersonating a user");
  }
  const account = ACCOUNT.exec(name);
  const pending: Promise<void>[] = [];
  const ask = (place: Partial<Place> & { resource: string; name: string }) => {
    const whole = { group: "", subresource: "", namespace: "", ...place };
    const judged = refuseUnlessAllowed(user, authorizer, whole);
    if (judged !== undefined) pending.push(judged);
  };
  if (account === null) ask({ resource: "users", name });
  else ask({ resource: "serviceaccounts", namespace: account[1], name: account[2] });
  for (const group of wanted.groups) ask({ resource: "groups", name: group });
  for (const [key, value] of extra) {
    ask({ group: EXTRA_GROUP, resource: "userextras", subresource: key, name: value });
  }
  if (uid !== undefined) ask({ group: EXTRA_GROUP, resource: "uids", name: uid });
  const acting: UserInfo = {
    name,
    groups: groupsOf(name, wanted.groups),
    ...(uid === undefined ? {} : { uid }),
    ...(extra.length === 0 ? {} : { extra: gathered(extra) }),
  };
  return pending.length === 0 ? acting : Promise.all(pending).then(() => acting);
}

/** @returns null where no header asks for another user */
function readWanted({ header, fields }: HeaderSource): Wanted | null {
  if (fields === undefined) return readNamed(header);
  let wanted: Wanted | null = null;
  const list = fields();
  for (let i = 0; i < list.length; i += 2) {
    if (list[i].length <= PREFIX.length || !/^i/i.test(list[i])) continue;
    const field = list[i].toLowerCase();
    if (!field.startsWith(PREFIX)) continue;
    const what = field.slice(PREFIX.length);
    const value = list[i + 1];
    wanted ??= { groups: [], extra: [] };
    if (what === "user") wanted.user ??= value;
    else if (what === "uid") wanted.uid ??= value;
    else if (what === "group") wanted.groups.push(value);
    else if (what.startsWith(EXTRA_PREFIX)) {
      wanted.extra.push([decodeKey(what.slice(EXTRA_PREFIX.length)), value]);
    }
  }
  return wanted;
}

/** Where headers can only be asked for by name, several groups stand in one of them. */
function readNamed(header: HeaderSource["header"]): Wanted | null {
  const user = header("impersonate-user");
  const groupText = header("impersonate-group");
  const uid = header("impersonate-uid");
  if (user === undefined && groupText === undefined && uid === undefined) return null;
  const groups = (groupText ?? "").split(",").map((text) => text.trim())
    .filter((text) => text !== "");
  return { user, uid, groups, extra: [] };
}

/** Keys travel percent-encoded, for a header's name holds few letters. */
function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}

interface Place {
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
}

/** Errors: throws ApiError 403. */
function refuseUnlessAllowed(
  user: UserInfo,
  authorizer: Authorizer,
  place: Place,
): void | Promise<void> {
  const access = { verb: "impersonate", ...place };
  const judge = ({ allowed, reason }: Decision): void => {
    if (!allowed) throw accessForbidden({ ...access, user: user.name, reason });
  };
  const decision = authorizer.decide({ ...access, user });
  return decision instanceof Promise ? decision.then(judge) : judge(decision);
}

function groupsOf(name: string, asked: readonly string[]): string[] {
  const groups = [...asked];
  const account = ACCOUNT.exec(name);
  // An account that is meant without groups has those of its place.
  if (account !== null && groups.length === 0) {
    groups.push("system:serviceaccounts", `system:serviceaccounts:${account[1]}`);
  }
  if (name === ANONYMOUS.name) {
    if (!groups.includes(UNAUTHENTICATED_GROUP)) groups.push(UNAUTHENTICATED_GROUP);
  } else if (![AUTHENTICATED_GROUP, UNAUTHENTICATED_GROUP].some((one) => groups.includes(one))) {
    groups.push(AUTHENTICATED_GROUP);
  }
  return groups;
}

function gathered(extra: readonly [string, string][]): Record<string, readonly string[]> {
  const byKey = new Map<string, string[]>();
  for (const [key, value] of extra) byKey.set(key, [...byKey.get(key) ?? [], value]);
  return Object.fromEntries(byKey);
}
