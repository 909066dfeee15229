/**
 * Tokens of users.
 * In: names, tokens. Out: tokens that every member accepts, who shows one.
 * Never: compares secrets in time that depends on them.
 * A token is signed with a key that all members derive from the replicated auth state, so none of
 * them keeps a table; a new root password ends every token.
 * Source: RFC 2104 (HMAC).
 */
import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";
import type { Auth } from "../../mvcc/auth/auth.ts";
import { authFailure, type Identity } from "../../mvcc/outcome.ts";
import type { StoreFailure } from "../../mvcc/types.ts";

const TOKEN_TTL_MILLIS = 300_000;

/**
 * Signs and reads tokens of the form `user.expiry.signature`. As etcd's simple tokens, they stand
 * for what their user may do now, and end when its password changes or it is deleted.
 */
export class Tokens {
  readonly #auth: () => Auth;
  readonly #clusterId: bigint;
  readonly #wallNow: () => number;

  /** @param parts.auth gives the current state; a restored snapshot replaces it */
  constructor(
    parts: {
      readonly auth: () => Auth;
      readonly clusterId: bigint;
      readonly wallNow: () => number;
    },
  ) {
    this.#auth = parts.auth;
    this.#clusterId = parts.clusterId;
    this.#wallNow = parts.wallNow;
  }

  issue(user: string): string {
    const expiry = this.#wallNow() + TOKEN_TTL_MILLIS;
    const claims = `${user}.${Math.floor(expiry)}`;
    return `${claims}.${this.#sign(user, claims)}`;
  }

  read(token: string): { readonly kind: "caller"; readonly caller: Identity } | StoreFailure {
    const match = /^((.+)\.(\d{1,15}))\.([\w-]{43})$/.exec(token);
    if (match === null) return authFailure("invalidAuthToken");
    const [, claims, user, expiry, signature] = match;
    const expected = Buffer.from(this.#sign(user, claims));
    const genuine = timingSafeEqual(Buffer.from(signature), expected);
    if (!genuine || Number(expiry) < this.#wallNow()) return authFailure("invalidAuthToken");
    return { kind: "caller", caller: { user, authRevision: this.#auth().revision } };
  }

  #sign(user: string, claims: string): string {
    const auth = this.#auth();
    const secretOf = (name: string) => auth.user(name)?.hashedPassword ?? "";
    const key = `${this.#clusterId}:${secretOf("root")}:${secretOf(user)}`;
    return createHmac("sha256", key).update(claims).digest("base64url");
  }
}
