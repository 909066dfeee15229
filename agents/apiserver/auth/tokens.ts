/**
 * Service account tokens: ES256 JWTs in the shape that client libraries and pods expect.
 * In: an account and what its token is bound to, or a token. Out: the token, or its user.
 * Never: logs a token; trusts one whose account or bound object is gone.
 * Source: pkg/serviceaccount/claims.go (v1.36).
 */
import { calculateJwkThumbprint, exportJWK, jwtVerify, SignJWT } from "jose";
import type { UserInfo } from "../../api/meta.ts";
import type { BoundObject } from "../verbs/special/token.ts";
import { AUTHENTICATED_GROUP } from "./authorize.ts";
import { readSigningKey } from "./certificates.ts";

export interface TokenRequestParts {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly audiences: readonly string[];
  /** Seconds since 1970. */
  readonly expirationSeconds: number;
  readonly bound?: BoundObject;
}

export type TokenVerdict =
  | { readonly kind: "accepted"; readonly user: UserInfo }
  | { readonly kind: "refused"; readonly reason: string };

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
  /** PKCS #8 PEM of a P-256 key. */
  readonly keyPem: string;
  /** `iss` of every token, and its default audience. */
  readonly issuer: string;
  readonly nowMillis: () => number;
  readonly newId: () => string;
  readonly isAlive: IsAlive;
  /** Waits until `isAlive` knows everything written before; false when it did already. */
  readonly catchUp: () => Promise<boolean>;
}

interface KubernetesClaims {
  readonly namespace?: string;
  readonly serviceaccount?: { readonly name?: string; readonly uid?: string };
  readonly pod?: { readonly name?: string; readonly uid?: string };
  readonly secret?: { readonly name?: string; readonly uid?: string };
  readonly node?: { readonly name?: string; readonly uid?: string };
}

const MAX_VERIFIED = 4096;

/** Signs and verifies the tokens of one cluster. */
export class TokenAuthority {
  readonly #options: TokenOptions;
  readonly #privateKey: CryptoKey;
  readonly #publicKey: CryptoKey;
  readonly #keyId: string;
  /** Tokens whose signature was checked; whether their objects live is asked each time. */
  readonly #verified = new Map<
    string,
    { readonly claims: KubernetesClaims; readonly id: string | undefined; readonly until: number }
  >();
  /** Public half as a JWK set, for `/openid/v1/jwks`. */
  readonly jwks: { readonly keys: readonly Record<string, unknown>[] };

  private constructor(
    options: TokenOptions,
    keys: { privateKey: CryptoKey; publicKey: CryptoKey },
    jwk: Record<string, unknown>,
  ) {
    this.#options = options;
    this.#privateKey = keys.privateKey;
    this.#publicKey = keys.publicKey;
    this.#keyId = jwk.kid as string;
    this.jwks = { keys: [jwk] };
  }

  static async open(options: TokenOptions): Promise<TokenAuthority> {
    const keys = await readSigningKey(options.keyPem);
    const jwk = await exportJWK(keys.publicKey);
    const kid = await calculateJwkThumbprint(jwk);
    return new TokenAuthority(options, keys, { ...jwk, kid, use: "sig", alg: "ES256" });
  }

  get issuer(): string {
    return this.#options.issuer;
  }

  sign(parts: TokenRequestParts): Promise<string> {
    const now = Math.floor(this.#options.nowMillis() / 1000);
    const { bound } = parts;
    const claims = {
      namespace: parts.namespace,
      serviceaccount: { name: parts.name, uid: parts.uid },
      ...(bound ? { [bound.kind.toLowerCase()]: { name: bound.name, uid: bound.uid } } : {}),
      ...(bound?.nodeName ? { node: { name: bound.nodeName } } : {}),
    };
    return new SignJWT({ "kubernetes.io": claims })
      .setProtectedHeader({ alg: "ES256", kid: this.#keyId })
      .setIssuer(this.issuer)
      .setSubject(`system:serviceaccount:${parts.namespace}:${parts.name}`)
      .setAudience([...parts.audiences])
      .setIssuedAt(now)
      .setNotBefore(now)
      .setExpirationTime(parts.expirationSeconds)
      .setJti(this.#options.newId())
      .sign(this.#privateKey);
  }

  /** @param audiences any of these will do; absent = the API server's own */
  async verify(token: string, audiences?: readonly string[]): Promise<TokenVerdict> {
    const known = audiences?.length ? undefined : this.#verified.get(token);
    if (known !== undefined && known.until > this.#options.nowMillis()) {
      return this.#admitSurely(known.claims, known.id);
    }
    try {
      const { payload } = await jwtVerify(token, this.#publicKey, {
        issuer: this.issuer,
        audience: audiences?.length ? [...audiences] : this.issuer,
        algorithms: ["ES256"],
        currentDate: new Date(this.#options.nowMillis()),
      });
      const claims = (payload["kubernetes.io"] ?? {}) as KubernetesClaims;
      if (!audiences?.length) {
        if (this.#verified.size >= MAX_VERIFIED) this.#verified.clear();
        const until = (payload.exp ?? 0) * 1000;
        this.#verified.set(token, { claims, id: payload.jti, until });
      }
      return await this.#admitSurely(claims, payload.jti);
    } catch {
      return { kind: "refused", reason: "invalid bearer token" };
    }
  }

  /** Another server may have made the account, and its token, a moment ago. */
  async #admitSurely(claims: KubernetesClaims, id: string | undefined): Promise<TokenVerdict> {
    const verdict = this.#admit(claims, id);
    if (verdict.kind === "accepted" || !await this.#options.catchUp()) return verdict;
    return this.#admit(claims, id);
  }

  #admit(claims: KubernetesClaims, id: string | undefined): TokenVerdict {
    const { namespace = "", serviceaccount = {}, pod, secret, node } = claims;
    const { name = "", uid = "" } = serviceaccount;
    const { isAlive } = this.#options;
    if (!isAlive({ kind: "ServiceAccount", namespace, name, uid })) {
      return { kind: "refused", reason: "service account has been deleted" };
    }
    for (const [kind, bound] of [["Pod", pod], ["Secret", secret]] as const) {
      if (bound === undefined) continue;
      if (!isAlive({ kind, namespace, name: bound.name ?? "", uid: bound.uid ?? "" })) {
        return { kind: "refused", reason: "service account token has been invalidated" };
      }
    }
    const extra: Record<string, readonly string[]> = {};
    if (id) extra["authentication.kubernetes.io/credential-id"] = [`JTI=${id}`];
    if (pod) {
      extra["authentication.kubernetes.io/pod-name"] = [pod.name ?? ""];
      extra["authentication.kubernetes.io/pod-uid"] = [pod.uid ?? ""];
    }
    if (node) extra["authentication.kubernetes.io/node-name"] = [node.name ?? ""];
    return {
      kind: "accepted",
      user: {
        name: `system:serviceaccount:${namespace}:${name}`,
        uid,
        groups: [
          "system:serviceaccounts",
          `system:serviceaccounts:${namespace}`,
          AUTHENTICATED_GROUP,
        ],
        extra,
      },
    };
  }
}
