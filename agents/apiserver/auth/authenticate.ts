/**
 * Who asks: a verified client certificate, a bearer token, or nobody.
 * In: what the connection proved and the Authorization header. Out: a user, or a refusal.
 * Never: takes a subject from a certificate that did not verify, or logs a token.
 * Source: apiserver's authentication/request (x509, bearertoken), v1.36.
 */
import { timingSafeEqual } from "node:crypto";
import type { UserInfo } from "../../api/meta.ts";
import { ANONYMOUS, AUTHENTICATED_GROUP } from "./authorize.ts";
import type { TokenAuthority } from "./tokens.ts";

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

export type Authentication =
  | { readonly kind: "user"; readonly user: UserInfo }
  | { readonly kind: "refused" };

const ANONYMOUS_ANSWER: Authentication = { kind: "user", user: ANONYMOUS };
const REFUSED: Authentication = { kind: "refused" };

/** The user that a certificate names. One instance serves all requests of a connection. */
export function userOfPeer(peer: PeerProof): UserInfo | null {
  if (peer.commonName === null || peer.commonName === "") return null;
  return { name: peer.commonName, groups: [...peer.organizations, AUTHENTICATED_GROUP] };
}

/**
 * @param peerUser what `userOfPeer` made of the connection
 * @param authorization the header's value
 */
export function authenticate(
  peerUser: UserInfo | null,
  authorization: string | undefined,
  parts: { readonly tokens: TokenAuthority; readonly staticTokens: readonly StaticToken[] },
): Authentication | Promise<Authentication> {
  if (peerUser !== null) return { kind: "user", user: peerUser };
  if (authorization === undefined || authorization === "") return ANONYMOUS_ANSWER;
  const match = /^bearer +(\S+) *$/i.exec(authorization);
  if (match === null) return REFUSED;
  const known = parts.staticTokens.find(({ token }) => isSame(token, match[1]));
  if (known !== undefined) return { kind: "user", user: known.user };
  return parts.tokens.verify(match[1]).then((verdict) =>
    verdict.kind === "accepted" ? { kind: "user", user: verdict.user } : REFUSED
  );
}

/** Takes as long for a wrong first letter as for a wrong last one. */
function isSame(a: string, b: string): boolean {
  const encoder = new TextEncoder();
  const [left, right] = [encoder.encode(a), encoder.encode(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
