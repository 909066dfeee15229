/**
 * What the etcd API refuses while auth is enabled, by who asks, with status and words.
 * In: nothing. Out: what sets the users up, and a table; messages are raw.
 * Never: lists what etcd 3.5 and later versions answer differently (3.5 gives some maintenance
 * calls no gRPC code, and lets anyone move the leader).
 */
import { encodeFields, type Field } from "./refusals.ts";

/** Whose token goes along; `stale` is from before the last change of auth, `made up` no token. */
export type Caller = "nobody" | "root" | "guest" | "stale" | "made up";

const INVALID = 3;
const PERMISSION = 7;
const PRECONDITION = 9;
const UNAUTHENTICATED = 16;
const NOT_FOUND = 5;
const UNKNOWN = 2;

/** Method and fields, in order; then auth is enabled. */
export const AUTH_SET_UP: readonly (readonly [string, readonly Field[]])[] = [
  ["KV/Put", [[1, "open/a"], [2, "v"]]],
  ["Lease/LeaseGrant", [[1, 600], [2, 4077]]],
  ["KV/Put", [[1, "closed"], [2, "v"], [3, 4077]]],
  ["Auth/UserAdd", [[1, "root"], [2, "r"]]],
  ["Auth/UserGrantRole", [[1, "root"], [2, "root"]]],
  ["Auth/UserAdd", [[1, "guest"], [2, "g"]]],
  ["Auth/UserAdd", [[1, "certified"], [3, encodeFields([[1, 1]])]]],
  ["Auth/RoleAdd", [[1, "some"]]],
  ["Auth/RoleGrantPermission", [[1, "some"], [2, permission(0, "open/", "open0")]]],
  ["Auth/RoleGrantPermission", [[1, "some"], [2, permission(1, "write/", "write0")]]],
  ["Auth/UserGrantRole", [[1, "guest"], [2, "some"]]],
  ["Auth/AuthEnable", []],
];

function permission(type: number, key: string, end: string): Uint8Array {
  return encodeFields([[1, type], [2, key], [3, end]]);
}

const EMPTY = [INVALID, "etcdserver: user name is empty"] as const;
const DENIED = [PERMISSION, "etcdserver: permission denied"] as const;
const MANAGEMENT = [INVALID, "etcdserver: invalid auth management"] as const;
const NO_USER = [PRECONDITION, "etcdserver: user name not found"] as const;
const NO_ROLE = [PRECONDITION, "etcdserver: role name not found"] as const;
const WRONG = [
  INVALID,
  "etcdserver: authentication failed, invalid user ID or password",
] as const;

/** Null where the call is answered. */
type Row = readonly [Caller, string, readonly Field[], readonly [number, string] | null];

export const AUTH_REFUSALS: readonly Row[] = [
  ["nobody", "KV/Range", [[1, "open/a"]], EMPTY],
  ["nobody", "KV/Range", [[1, "open/a"], [8, 1]], EMPTY],
  ["nobody", "KV/Put", [[1, "open/a"], [2, "v"]], EMPTY],
  ["nobody", "KV/DeleteRange", [[1, "open/a"]], EMPTY],
  ["nobody", "Lease/LeaseRevoke", [[1, 4077]], EMPTY],
  ["nobody", "Lease/LeaseTimeToLive", [[1, 4077], [2, 1]], EMPTY],
  ["nobody", "Lease/LeaseLeases", [], null],
  ["nobody", "Cluster/MemberList", [], null],
  ["nobody", "Cluster/MemberAdd", [[1, "http://127.0.0.1:1"]], EMPTY],
  ["nobody", "Cluster/MemberPromote", [[1, 4242]], EMPTY],
  ["nobody", "Auth/UserList", [], EMPTY],
  ["nobody", "Auth/AuthStatus", [], EMPTY],
  ["nobody", "Auth/AuthDisable", [], EMPTY],
  ["nobody", "Auth/Authenticate", [[1, "root"], [2, "wrong"]], WRONG],
  ["nobody", "Auth/Authenticate", [[1, "absent"], [2, "x"]], WRONG],
  ["nobody", "Auth/Authenticate", [[1, "certified"], [2, "x"]], [
    UNKNOWN,
    "auth: authentication failed, password was given for no password user",
  ]],
  ["made up", "KV/Range", [[1, "open/a"]], [UNAUTHENTICATED, "etcdserver: invalid auth token"]],
  ["stale", "KV/Range", [[1, "open/a"]], null],
  ["stale", "KV/Put", [[1, "open/a"], [2, "v"]], DENIED],
  ["guest", "KV/Range", [[1, "open/a"]], null],
  ["guest", "KV/Range", [[1, "closed"]], DENIED],
  ["guest", "KV/Range", [[1, "open/"], [2, "p"]], DENIED],
  ["guest", "KV/Put", [[1, "write/1"], [2, "v"]], null],
  ["guest", "KV/Put", [[1, "write/1"], [2, "v"], [4, 1]], DENIED],
  ["guest", "KV/Put", [[1, "write/1"], [2, "v"], [3, 4077]], DENIED],
  ["guest", "KV/DeleteRange", [[1, "write/1"], [3, 1]], DENIED],
  ["guest", "KV/DeleteRange", [[1, "closed"]], DENIED],
  ["guest", "Lease/LeaseRevoke", [[1, 4077]], DENIED],
  ["guest", "Lease/LeaseTimeToLive", [[1, 4077], [2, 1]], DENIED],
  ["guest", "Lease/LeaseTimeToLive", [[1, 4077]], null],
  ["guest", "Cluster/MemberAdd", [[1, "http://127.0.0.1:1"]], DENIED],
  ["guest", "Cluster/MemberRemove", [[1, 4242]], DENIED],
  ["guest", "Cluster/MemberUpdate", [[1, 4242], [2, "http://127.0.0.1:1"]], DENIED],
  ["guest", "Auth/UserList", [], DENIED],
  ["guest", "Auth/UserGet", [[1, "guest"]], null],
  ["guest", "Auth/UserGet", [[1, "root"]], DENIED],
  ["guest", "Auth/RoleGet", [[1, "some"]], null],
  ["guest", "Auth/RoleGet", [[1, "root"]], DENIED],
  ["guest", "Auth/UserAdd", [[1, "x"], [2, "y"]], DENIED],
  ["guest", "Auth/AuthEnable", [], DENIED],
  ["root", "Cluster/MemberRemove", [[1, 4242]], [NOT_FOUND, "etcdserver: member not found"]],
  ["root", "Lease/LeaseRevoke", [[1, 4242]], [
    NOT_FOUND,
    "etcdserver: requested lease not found",
  ]],
  ["root", "Maintenance/Downgrade", [[1, 2]], [
    PRECONDITION,
    "etcdserver: no inflight downgrade job",
  ]],
  ["root", "Auth/UserAdd", [[1, "guest"], [2, "y"]], [
    PRECONDITION,
    "etcdserver: user name already exists",
  ]],
  ["root", "Auth/UserDelete", [[1, "root"]], MANAGEMENT],
  ["root", "Auth/UserDelete", [[1, "absent"]], NO_USER],
  ["root", "Auth/UserChangePassword", [[1, "absent"], [2, "x"]], NO_USER],
  ["root", "Auth/UserGrantRole", [[1, "absent"], [2, "some"]], NO_USER],
  ["root", "Auth/UserGrantRole", [[1, "guest"], [2, "absent"]], NO_ROLE],
  ["root", "Auth/UserRevokeRole", [[1, "root"], [2, "root"]], MANAGEMENT],
  ["root", "Auth/UserRevokeRole", [[1, "guest"], [2, "root"]], [
    PRECONDITION,
    "etcdserver: role is not granted to the user",
  ]],
  ["root", "Auth/RoleDelete", [[1, "root"]], MANAGEMENT],
  ["root", "Auth/RoleDelete", [[1, "absent"]], NO_ROLE],
  ["root", "Auth/RoleGrantPermission", [[1, "some"]], [
    INVALID,
    "etcdserver: permission not given",
  ]],
  ["root", "Auth/RoleRevokePermission", [[1, "absent"], [2, "k"]], NO_ROLE],
];
