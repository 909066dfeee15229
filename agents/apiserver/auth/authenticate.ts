/**
 * Who asks: a verified client certificate, a bearer token, or nobody.
 * In: what the connection proved and the Authorization header. Out: a user, or a refusal.
 * Never: takes a subject from a certificate that did not verify, or logs a token.
 * Source: apiserver's authentication/request (x509, bearertoken, union), v1.36.
 */
import { timingSafeEqual } from "node:crypto";
import type { UserInfo } from "../../api/meta.ts";
import { ANONYMOUS, AUTHENTICATED_GROUP } from "./authorize.ts";

/** What a TLS connection proved about its client. */
export interface PeerProof {
  /** Common name of a certificate that verified and whose key the peer holds; null otherwise. */
  readonly commonName: string | null;
  readonly organizations: readonly string[];
}

/** A token that is configured and does not expire. */
export interface StaticToken {
  readonly token: string;
  readonly user: UserInfo;
}

export type TokenVerdict =
  | {
    readonly kind: "accepted";
    readonly user: UserInfo;
    /** Whom the token is for, where it says so. */
    readonly audiences?: readonly string[];
  }
  | { readonly kind: "refused"; readonly reason: string };

/** One kind of bearer tokens. */
export interface TokenSource {
  /** Whether its tokens say whom they are for; others are for the API server alone. */
  readonly knowsAudiences?: boolean;
  /**
   * @param audiences any of which must be the token's; empty = the API server's own
   * @returns null for a token that is none of this source's
   */
  verify(
    token: string,
    audiences: readonly string[],
  ): TokenVerdict | null | Promise<TokenVerdict | null>;
  /** Lets go of connections; absent where there are none. */
  close?(): void;
}

/** Who may come without a name: everybody, for roles to judge; probes only; nobody. */
export type AnonymousAccess = "all" | "health" | "none";

export type Authentication =
  | { readonly kind: "user"; readonly user: UserInfo }
  | { readonly kind: "refused" };

const ANONYMOUS_ANSWER: Authentication = { kind: "user", user: ANONYMOUS };
const REFUSED: Authentication = { kind: "refused" };
const INVALID: TokenVerdict = { kind: "refused", reason: "invalid bearer token" };
const HEALTH_PATH = /^\/(healthz|livez|readyz)$/;

/** The user that a certificate names. One instance serves all requests of a connection. */
export function userOfPeer(peer: PeerProof): UserInfo | null {
  if (peer.commonName === null || peer.commonName === "") return null;
  return { name: peer.commonName, groups: [...peer.organizations, AUTHENTICATED_GROUP] };
}

export interface AuthenticatorOptions {
  /** Asked in their order; the first that knows a token decides. */
  readonly sources: readonly TokenSource[];
  readonly anonymous: AnonymousAccess;
  /** The API server's own audience. */
  readonly apiAudience: string;
}

/** Knows every kind of proof that the server takes. */
export class Authenticator {
  readonly #options: AuthenticatorOptions;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  /**
   * @param peerUser what `userOfPeer` made of the connection
   * @param authorization the header's value
   * @param path what is asked for, for those that come without a name
   */
  authenticate(
    peerUser: UserInfo | null,
    authorization: string | undefined,
    path: string,
  ): Authentication | Promise<Authentication> {
    if (peerUser !== null) return { kind: "user", user: peerUser };
    if (authorization === undefined || authorization === "") return this.#nameless(path);
    const match = /^bearer +(\S+) *$/i.exec(authorization);
    if (match === null) return REFUSED;
    const verdict = this.verify(match[1], []);
    return verdict instanceof Promise ? verdict.then(answerOf) : answerOf(verdict);
  }

  /** Who a token is. @param audiences any of which must be the token's; empty = our own */
  verify(token: string, audiences: readonly string[]): TokenVerdict | Promise<TokenVerdict> {
    return this.#verifyFrom(0, token, audiences);
  }

  /** Lets go of what its sources hold. */
  close(): void {
    for (const source of this.#options.sources) source.close?.();
  }

  #verifyFrom(
    first: number,
    token: string,
    audiences: readonly string[],
  ): TokenVerdict | Promise<TokenVerdict> {
    const { sources, apiAudience } = this.#options;
    const isForUs = audiences.length === 0 || audiences.includes(apiAudience);
    for (let i = first; i < sources.length; i++) {
      const source = sources[i];
      if (!source.knowsAudiences && !isForUs) continue;
      const verdict = source.verify(token, source.knowsAudiences ? audiences : []);
      if (verdict instanceof Promise) {
        return verdict.then((known) => known ?? this.#verifyFrom(i + 1, token, audiences));
      }
      if (verdict !== null) return verdict;
    }
    return INVALID;
  }

  #nameless(path: string): Authentication {
    const { anonymous } = this.#options;
    const isLetIn = anonymous === "all" ||
      (anonymous === "health" && HEALTH_PATH.test(path));
    return isLetIn ? ANONYMOUS_ANSWER : REFUSED;
  }
}

function answerOf(verdict: TokenVerdict): Authentication {
  return verdict.kind === "accepted" ? { kind: "user", user: verdict.user } : REFUSED;
}

/** Tokens of a file. @param tokens those of now; the list may change between calls */
export function staticTokenSource(tokens: () => readonly StaticToken[]): TokenSource {
  return {
    verify(token) {
      const known = tokens().find((entry) => isSame(entry.token, token));
      return known === undefined ? null : { kind: "accepted", user: known.user };
    },
  };
}

const encoder = new TextEncoder();

/** Takes as long for a wrong first letter as for a wrong last one. */
export function isSame(a: string, b: string): boolean {
  const [left, right] = [encoder.encode(a), encoder.encode(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
