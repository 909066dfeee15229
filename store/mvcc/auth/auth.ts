/**
 * Users, roles and permissions: the replicated auth state and its rules.
 * In: auth commands in log order, questions about a request. Out: failures named as etcd's.
 * Never: sees a password (only hashes made by the runner), makes or checks a token.
 * Source: etcd's auth store; https://etcd.io/docs/v3.6/learning/design-auth-v3/
 */
import { authFailure, type Identity, type Permission } from "../outcome.ts";
import type { RoleGrantRequest, RoleRevokeRequest, UserAddRequest } from "../admin_codec.ts";
import { EMPTY_BYTES } from "../proto.ts";
import { compareBytes, isOpenEnd } from "../storage/kv.ts";
import type { StoreFailure } from "../types.ts";
import { IntervalSet } from "./intervals.ts";

const ROOT = "root";
const EVERY_KEY: Permission = { type: "readWrite", key: EMPTY_BYTES, rangeEnd: new Uint8Array(1) };

export interface User {
  readonly name: string;
  readonly hashedPassword: string;
  /** True: may not log in by password, only by certificate. */
  readonly noPassword: boolean;
  /** Sorted. */
  readonly roles: readonly string[];
}

interface Grants {
  readonly read: IntervalSet;
  readonly write: IntervalSet;
}

export class Auth {
  enabled = false;
  /** Raised by every change, so that older tokens can be told. Starts at 1 like etcd's. */
  revision = 1;
  readonly #users = new Map<string, User>();
  readonly #roles = new Map<string, readonly Permission[]>();
  /** Merged grants by user, made on demand and dropped at each change. */
  readonly #grants = new Map<string, Grants>();

  /** @returns the user with its password hash; never to be logged. */
  user(name: string): User | undefined {
    return this.#users.get(name);
  }

  /** @returns sorted names. */
  userNames(): string[] {
    return [...this.#users.keys()].sort();
  }

  roleNames(): string[] {
    return [...this.#roles.keys()].sort();
  }

  /** @returns the role's permissions, of root every key; undefined when there is no such role. */
  role(name: string): readonly Permission[] | undefined {
    const permissions = this.#roles.get(name);
    return permissions !== undefined && name === ROOT ? [EVERY_KEY] : permissions;
  }

  #changed(): void {
    this.revision++;
    this.#grants.clear();
  }

  /** Errors: rootUserNotExist, rootRoleNotExist. */
  enable(): StoreFailure | undefined {
    if (this.enabled) return undefined;
    const root = this.#users.get(ROOT);
    if (root === undefined) return authFailure("rootUserNotExist");
    if (!root.roles.includes(ROOT)) return authFailure("rootRoleNotExist");
    this.enabled = true;
    this.#grants.clear();
    return undefined;
  }

  disable(): void {
    if (!this.enabled) return;
    this.enabled = false;
    this.#changed();
  }

  userAdd(request: UserAddRequest): StoreFailure | undefined {
    const { name, noPassword } = request;
    if (name.length === 0) return authFailure("userEmpty");
    if (this.#users.has(name)) return authFailure("userAlreadyExist");
    const hashedPassword = noPassword ? "" : request.hashedPassword;
    this.#users.set(name, { name, hashedPassword, noPassword, roles: [] });
    this.#changed();
    return undefined;
  }

  userDelete(name: string): StoreFailure | undefined {
    if (this.enabled && name === ROOT) return authFailure("invalidAuthMgmt");
    if (!this.#users.delete(name)) return authFailure("userNotFound");
    this.#changed();
    return undefined;
  }

  userChangePassword(name: string, hashedPassword: string): StoreFailure | undefined {
    const user = this.#users.get(name);
    if (user === undefined) return authFailure("userNotFound");
    this.#users.set(name, { ...user, hashedPassword: user.noPassword ? "" : hashedPassword });
    this.#changed();
    return undefined;
  }

  userGrantRole(name: string, role: string): StoreFailure | undefined {
    const user = this.#users.get(name);
    if (user === undefined) return authFailure("userNotFound");
    if (role !== ROOT && !this.#roles.has(role)) return authFailure("roleNotFound");
    if (user.roles.includes(role)) return undefined;
    this.#users.set(name, { ...user, roles: [...user.roles, role].sort() });
    this.#changed();
    return undefined;
  }

  userRevokeRole(name: string, role: string): StoreFailure | undefined {
    if (this.enabled && name === ROOT && role === ROOT) return authFailure("invalidAuthMgmt");
    const user = this.#users.get(name);
    if (user === undefined) return authFailure("userNotFound");
    if (!user.roles.includes(role)) return authFailure("roleNotGranted");
    this.#users.set(name, { ...user, roles: user.roles.filter((one) => one !== role) });
    this.#changed();
    return undefined;
  }

  roleAdd(name: string): StoreFailure | undefined {
    if (name.length === 0) return authFailure("roleEmpty");
    if (this.#roles.has(name)) return authFailure("roleAlreadyExist");
    this.#roles.set(name, []);
    this.#changed();
    return undefined;
  }

  roleDelete(name: string): StoreFailure | undefined {
    if (this.enabled && name === ROOT) return authFailure("invalidAuthMgmt");
    if (!this.#roles.delete(name)) return authFailure("roleNotFound");
    for (const user of this.#users.values()) {
      if (!user.roles.includes(name)) continue;
      this.#users.set(user.name, { ...user, roles: user.roles.filter((one) => one !== name) });
    }
    this.#changed();
    return undefined;
  }

  roleGrantPermission(request: RoleGrantRequest): StoreFailure | undefined {
    const { role, permission } = request;
    if (permission === undefined) return authFailure("permissionNotGiven");
    if (!isValidGrant(permission)) return authFailure("invalidAuthMgmt");
    const old = this.#roles.get(role);
    if (old === undefined) return authFailure("roleNotFound");
    const kept = old.filter((one) => !isSameRange(one, permission));
    this.#roles.set(
      role,
      [...kept, permission].sort((a, b) => compareBytes(a.key, b.key)),
    );
    this.#changed();
    return undefined;
  }

  roleRevokePermission(request: RoleRevokeRequest): StoreFailure | undefined {
    const old = this.#roles.get(request.role);
    if (old === undefined) return authFailure("roleNotFound");
    const kept = old.filter((one) => !isSameRange(one, request));
    if (kept.length === old.length) return authFailure("permissionNotGranted");
    this.#roles.set(request.role, kept);
    this.#changed();
    return undefined;
  }

  /** Errors: authNotEnabled, authFailed, noPasswordUser. @returns the user to check against. */
  authenticate(name: string): User | StoreFailure {
    if (!this.enabled) return authFailure("authNotEnabled");
    const user = this.#users.get(name);
    if (user === undefined) return authFailure("authFailed");
    return user.noPassword ? authFailure("noPasswordUser") : user;
  }

  /** Whether someone may change users. Errors: userEmpty, userNotFound, permissionDenied. */
  checkAdmin(identity: Identity | undefined): StoreFailure | undefined {
    if (!this.enabled) return undefined;
    if (identity === undefined || identity.user === "") return authFailure("userEmpty");
    const user = this.#users.get(identity.user);
    if (user === undefined) return authFailure("userNotFound");
    return user.roles.includes(ROOT) ? undefined : authFailure("permissionDenied");
  }

  /**
   * Whether someone may read or write a key or range.
   * Errors: userEmpty (no token), authOldRevision, permissionDenied.
   */
  checkAccess(
    identity: Identity | undefined,
    access: "read" | "write",
    key: Uint8Array,
    rangeEnd: Uint8Array = EMPTY_BYTES,
  ): StoreFailure | undefined {
    if (!this.enabled) return undefined;
    if (identity === undefined || identity.authRevision === 0) return authFailure("userEmpty");
    if (identity.authRevision < this.revision) return authFailure("authOldRevision");
    const user = this.#users.get(identity.user);
    if (user === undefined) return authFailure("permissionDenied");
    if (user.roles.includes(ROOT)) return undefined;
    return this.#grantsOf(user)[access].covers(key, rangeEnd)
      ? undefined
      : authFailure("permissionDenied");
  }

  #grantsOf(user: User): Grants {
    let grants = this.#grants.get(user.name);
    if (grants === undefined) {
      const all = user.roles.flatMap((role) => this.#roles.get(role) ?? []);
      grants = {
        read: new IntervalSet(all.filter(({ type }) => type !== "write")),
        write: new IntervalSet(all.filter(({ type }) => type !== "read")),
      };
      this.#grants.set(user.name, grants);
    }
    return grants;
  }

  /** Puts a snapshot's user or role in place. */
  restoreUser(user: User): void {
    this.#users.set(user.name, user);
  }

  restoreRole(name: string, permissions: readonly Permission[]): void {
    this.#roles.set(name, permissions);
  }

  /** @returns the permissions as granted, for a snapshot. */
  storedRole(name: string): readonly Permission[] {
    return this.#roles.get(name) ?? [];
  }
}

function isSameRange(
  a: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array },
  b: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array },
): boolean {
  return compareBytes(a.key, b.key) === 0 && compareBytes(a.rangeEnd, b.rangeEnd) === 0;
}

function isValidGrant({ key, rangeEnd }: Permission): boolean {
  if (key.length === 0) return false;
  return rangeEnd.length === 0 || isOpenEnd(rangeEnd) || compareBytes(key, rangeEnd) < 0;
}
