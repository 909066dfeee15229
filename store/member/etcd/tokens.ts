/**
 * Passwords and tokens of users.
 * In: names, passwords, tokens. Out: salted hashes for the log, tokens that every member accepts.
 * Never: logs or stores a password; compares secrets in time that depends on them.
 * A token is signed with a key that all members derive from the replicated auth state, so none of
 * them keeps a table; a new root password ends every token.
 * Source: RFC 7914 (scrypt), RFC 2104 (HMAC).
 */
import { Buffer } from "node:buffer";
import { createHmac, randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import type { Auth } from "../../mvcc/auth/auth.ts";
import { authFailure, type Identity } from "../../mvcc/outcome.ts";
import type { StoreFailure } from "../../mvcc/types.ts";

const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** CPU and memory cost: 16 MiB and about 40 ms. */
const COST = { N: 16384, r: 8, p: 1 };
const TOKEN_TTL_MILLIS = 300_000;

/** @returns a salted hash; never the same twice */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt);
  return `scrypt$${COST.N}$${salt.toString("base64")}$${hash.toString("base64")}`;
}

/** @returns whether `stored` was made of this password */
export async function checkPassword(password: string, stored: string): Promise<boolean> {
  const [kind, cost, salt, hash] = stored.split("$");
  if (kind !== "scrypt" || cost !== String(COST.N) || hash === undefined) return false;
  const expected = Buffer.from(hash, "base64");
  const actual = await derive(password, Buffer.from(salt, "base64"));
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

function derive(password: string, salt: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, HASH_BYTES, COST, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

/** Signs and reads tokens of the form `user.revision.expiry.signature`. */
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
    const claims = `${user}.${this.#auth().revision}.${Math.floor(expiry)}`;
    return `${claims}.${this.#sign(claims)}`;
  }

  read(token: string): { readonly kind: "caller"; readonly caller: Identity } | StoreFailure {
    const match = /^((.+)\.(\d{1,15})\.(\d{1,15}))\.([\w-]{43})$/.exec(token);
    if (match === null) return authFailure("invalidAuthToken");
    const [, claims, user, revision, expiry, signature] = match;
    const genuine = timingSafeEqual(Buffer.from(signature), Buffer.from(this.#sign(claims)));
    if (!genuine || Number(expiry) < this.#wallNow()) return authFailure("invalidAuthToken");
    return { kind: "caller", caller: { user, authRevision: Number(revision) } };
  }

  #sign(claims: string): string {
    const secret = this.#auth().user("root")?.hashedPassword ?? "";
    const key = `${this.#clusterId}:${secret}`;
    return createHmac("sha256", key).update(claims).digest("base64url");
  }
}
