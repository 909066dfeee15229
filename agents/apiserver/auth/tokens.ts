/**
 * Service account tokens: JWTs in the shape that client libraries and pods expect.
 * In: an account and what its token is bound to, or a token. Out: the token, or its user.
 * Never: logs a token; trusts one whose account or bound object is gone.
 * Source: pkg/serviceaccount/claims.go and jwt.go (v1.36).
 */
import { decodeJwt, decodeProtectedHeader, jwtVerify, SignJWT } from "jose";
import type { UserInfo } from "../../api/meta.ts";
import type { BoundObject } from "../verbs/special/token.ts";
import type { TokenSource, TokenVerdict } from "./authenticate.ts";
import { AUTHENTICATED_GROUP } from "./authorize.ts";
import { readSigningKey } from "./certificates.ts";
import { readVerificationKey, type VerificationKey } from "./verification_keys.ts";

export interface TokenRequestParts {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly audiences: readonly string[];
  /** Seconds since 1970. */
  readonly expirationSeconds: number;
  readonly bound?: BoundObject;
  /** `jti`, by which audit logs tell tokens apart. */
  readonly id: string;
}

/** Whether an object of that uid is still there and not past its end. */
export type IsAlive = (
  object: {
    readonly kind: string;
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
  },
) => boolean;

export interface TokenOptions {
  /** PKCS #8 PEM of the P-256 key that signs. */
  readonly keyPem: string;
  /** PEM of further keys whose tokens are taken: those that signed before. */
  readonly verificationKeys: readonly string[];
  /** `iss` of every token, and its default audience. */
  readonly issuer: string;
  readonly nowMillis: () => number;
  readonly isAlive: IsAlive;
  /** Waits until `isAlive` knows everything written before; false when it did already. */
  readonly catchUp: () => Promise<boolean>;
}

interface Named {
  readonly name?: string;
  readonly uid?: string;
}

interface KubernetesClaims {
  readonly namespace?: string;
  readonly serviceaccount?: Named;
  readonly pod?: Named;
  readonly secret?: Named;
  readonly node?: Named;
}

/** A token whose signature was checked; whether its objects live is asked each time. */
interface Verified {
  readonly claims: KubernetesClaims;
  readonly user: UserInfo;
  readonly audiences: readonly string[];
  readonly untilMillis: number;
}

const MAX_VERIFIED = 4096;
const REFUSED: TokenVerdict = { kind: "refused", reason: "invalid bearer token" };

/** Signs and verifies the tokens of one cluster. */
export class TokenAuthority implements TokenSource {
  readonly knowsAudiences = true;
  readonly #options: TokenOptions;
  readonly #privateKey: CryptoKey;
  readonly #keys: readonly VerificationKey[];
  readonly #verified = new Map<string, Verified>();

  private constructor(
    options: TokenOptions,
    privateKey: CryptoKey,
    keys: readonly VerificationKey[],
  ) {
    this.#options = options;
    this.#privateKey = privateKey;
    this.#keys = keys;
  }

  /** Errors: rejects when a key can't be read. */
  static async open(options: TokenOptions): Promise<TokenAuthority> {
    const { privateKey } = await readSigningKey(options.keyPem);
    const pems = [options.keyPem, ...options.verificationKeys];
    const keys = await Promise.all(pems.map(readVerificationKey));
    const byId = new Map(keys.map((key) => [key.id, key]));
    return new TokenAuthority(options, privateKey, [...byId.values()]);
  }

  get issuer(): string {
    return this.#options.issuer;
  }

  /** Public keys as a JWK set, for `/openid/v1/jwks`. */
  get jwks(): { readonly keys: readonly Record<string, unknown>[] } {
    return { keys: this.#keys.map(({ jwk }) => ({ ...jwk })) };
  }

  /** What tokens are signed with, for `/.well-known/openid-configuration`. */
  get algorithms(): readonly string[] {
    return [...new Set(this.#keys.map(({ algorithm }) => algorithm))];
  }

  sign(parts: TokenRequestParts): Promise<string> {
    const now = Math.floor(this.#options.nowMillis() / 1000);
    const { bound } = parts;
    const claims = {
      namespace: parts.namespace,
      serviceaccount: { name: parts.name, uid: parts.uid },
      ...(bound ? { [bound.kind.toLowerCase()]: { name: bound.name, uid: bound.uid } } : {}),
      ...(bound?.node ? { node: bound.node } : {}),
    };
    return new SignJWT({ "kubernetes.io": claims })
      .setProtectedHeader({ alg: "ES256", kid: this.#keys[0].id })
      .setIssuer(this.issuer)
      .setSubject(`system:serviceaccount:${parts.namespace}:${parts.name}`)
      .setAudience([...parts.audiences])
      .setIssuedAt(now)
      .setNotBefore(now)
      .setExpirationTime(parts.expirationSeconds)
      .setJti(parts.id)
      .sign(this.#privateKey);
  }

  /** A token that another issuer signed is left to others. */
  verify(
    token: string,
    audiences: readonly string[] = [],
  ): TokenVerdict | null | Promise<TokenVerdict> {
    if (audiences.length === 0) {
      const known = this.#verified.get(token);
      if (known !== undefined && known.untilMillis > this.#options.nowMillis()) {
        const verdict = this.#admit(known);
        return verdict.kind === "accepted" ? verdict : this.#admitSurely(known);
      }
    }
    return this.#isOurs(token) ? this.#verifyOurs(token, audiences) : null;
  }

  #isOurs(token: string): boolean {
    try {
      return decodeJwt(token).iss === this.issuer;
    } catch {
      return false;
    }
  }

  async #verifyOurs(token: string, asked: readonly string[]): Promise<TokenVerdict> {
    for (const { key, algorithm } of this.#keysFor(token)) {
      try {
        const { payload } = await jwtVerify(token, key, {
          issuer: this.issuer,
          audience: asked.length > 0 ? [...asked] : this.issuer,
          algorithms: [algorithm],
          currentDate: new Date(this.#options.nowMillis()),
        });
        const claims = (payload["kubernetes.io"] ?? {}) as KubernetesClaims;
        // A token without an end is none of those that this server has ever made.
        const untilMillis = (payload.exp ?? 0) * 1000;
        const audiences = [payload.aud ?? []].flat();
        const verified = { claims, user: userOf(claims, payload.jti), audiences, untilMillis };
        if (asked.length === 0) this.#remember(token, verified);
        return await this.#admitSurely(verified);
      } catch {
        // Another key may have signed it.
      }
    }
    return REFUSED;
  }

  /** The key that a token names; all of its kind where it names none that is known. */
  #keysFor(token: string): readonly VerificationKey[] {
    try {
      const { kid, alg } = decodeProtectedHeader(token);
      const named = this.#keys.find(({ id }) => id === kid);
      return named ? [named] : this.#keys.filter(({ algorithm }) => algorithm === alg);
    } catch {
      return [];
    }
  }

  #remember(token: string, verified: Verified): void {
    if (this.#verified.size >= MAX_VERIFIED) this.#verified.clear();
    this.#verified.set(token, verified);
  }

  /** Another server may have made the account, and its token, a moment ago. */
  async #admitSurely(verified: Verified): Promise<TokenVerdict> {
    const verdict = this.#admit(verified);
    if (verdict.kind === "accepted" || !await this.#options.catchUp()) return verdict;
    return this.#admit(verified);
  }

  #admit({ claims, user, audiences }: Verified): TokenVerdict {
    const { namespace = "", serviceaccount, pod, secret, node } = claims;
    const isAlive = (kind: string, of: Named | undefined, at = namespace) =>
      this.#options.isAlive({ kind, namespace: at, name: of?.name ?? "", uid: of?.uid ?? "" });
    if (!isAlive("ServiceAccount", serviceaccount)) {
      return { kind: "refused", reason: "service account has been deleted" };
    }
    // A pod's token only tells of the node; one of a node alone dies with it.
    const isBound = (pod === undefined || isAlive("Pod", pod)) &&
      (secret === undefined || isAlive("Secret", secret)) &&
      (node === undefined || pod !== undefined || isAlive("Node", node, ""));
    return isBound
      ? { kind: "accepted", user, audiences }
      : { kind: "refused", reason: "service account token has been invalidated" };
  }
}

const EXTRA = "authentication.kubernetes.io";

function userOf(claims: KubernetesClaims, id: string | undefined): UserInfo {
  const { namespace = "", serviceaccount = {}, pod, node } = claims;
  const { name = "", uid = "" } = serviceaccount;
  const extra: Record<string, readonly string[]> = {};
  const tell = (key: string, value: string | undefined) => {
    if (value) extra[`${EXTRA}/${key}`] = [value];
  };
  tell("credential-id", id && `JTI=${id}`);
  tell("pod-name", pod?.name);
  tell("pod-uid", pod?.uid);
  tell("node-name", node?.name);
  tell("node-uid", node?.uid);
  return {
    name: `system:serviceaccount:${namespace}:${name}`,
    uid,
    groups: [
      "system:serviceaccounts",
      `system:serviceaccounts:${namespace}`,
      AUTHENTICATED_GROUP,
    ],
    extra,
  };
}
