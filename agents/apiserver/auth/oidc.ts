/**
 * Users of an OpenID Connect provider: ID tokens as bearer tokens.
 * In: the provider's settings, a token. Out: its user, or not ours.
 * Never: logs a token; trusts one whose issuer, audience, algorithm or end is not as configured.
 * Source: apiserver's plugin/pkg/authenticator/token/oidc and the --oidc-* flags (v1.36); OpenID
 * Connect Core 1.0.
 */
import {
  createRemoteJWKSet,
  customFetch,
  decodeJwt,
  type JWTPayload,
  jwtVerify,
  type JWTVerifyGetKey,
} from "jose";
import type { UserInfo } from "../../api/meta.ts";
import { joinBytes } from "../../api/text/join_bytes.ts";
import type { Log } from "../ports.ts";
import type { TokenSource, TokenVerdict } from "./authenticate.ts";
import { AUTHENTICATED_GROUP } from "./authorize.ts";

export interface OidcConfig {
  /** `https://…`, without a query; equals `iss`. */
  readonly issuerUrl: string;
  /** Must be among `aud`. */
  readonly clientId: string;
  /** Claim that names the user. Default sub. */
  readonly usernameClaim: string;
  /** Put before the name; "" = the issuer and # (not for email), "-" = nothing. */
  readonly usernamePrefix: string;
  /** Claim that names groups; "" = none. */
  readonly groupsClaim: string;
  readonly groupsPrefix: string;
  /** Claims that must have these values. */
  readonly requiredClaims: Readonly<Record<string, string>>;
  /** Default RS256. */
  readonly signingAlgs: readonly string[];
  /** PEM of the provider's authority; null = the machine's own trust. */
  readonly caPem: string | null;
}

export interface OidcPorts {
  readonly nowMillis: () => number;
  readonly log: Log;
  /** Keys are fetched no more often than this for a key that is not among them. Default 30 s. */
  readonly cooldownMillis?: number;
}

/** A token that was verified is not verified again for so long. */
const REMEMBER_MILLIS = 10_000;
const MAX_REMEMBERED = 1024;
/** A provider that did not answer is asked again no sooner. */
const RETRY_MILLIS = 10_000;
const COOLDOWN_MILLIS = 30_000;
const TIMEOUT_MILLIS = 10_000;
const MAX_DOCUMENT_BYTES = 1024 * 1024;
const REFUSED: TokenVerdict = { kind: "refused", reason: "invalid bearer token" };

/** Algorithms that a provider may be configured to sign with. */
export const OIDC_ALGORITHMS: readonly string[] = [
  "RS256",
  "RS384",
  "RS512",
  "ES256",
  "ES384",
  "ES512",
  "PS256",
  "PS384",
  "PS512",
];

export class OidcSource implements TokenSource {
  readonly #config: OidcConfig;
  readonly #ports: OidcPorts;
  readonly #client: Deno.HttpClient;
  readonly #remembered = new Map<string, { verdict: TokenVerdict; untilMillis: number }>();
  #keys: Promise<JWTVerifyGetKey> | null = null;
  #nextTryMillis = 0;

  constructor(config: OidcConfig, ports: OidcPorts) {
    this.#config = config;
    this.#ports = ports;
    this.#client = Deno.createHttpClient({
      caCerts: config.caPem === null ? [] : [config.caPem],
    });
  }

  verify(token: string): TokenVerdict | null | Promise<TokenVerdict> {
    if (!this.#isOurs(token)) return null;
    const known = this.#remembered.get(token);
    if (known !== undefined && known.untilMillis > this.#ports.nowMillis()) return known.verdict;
    return this.#verify(token);
  }

  close(): void {
    this.#client.close();
  }

  #isOurs(token: string): boolean {
    try {
      return decodeJwt(token).iss === this.#config.issuerUrl;
    } catch {
      return false;
    }
  }

  async #verify(token: string): Promise<TokenVerdict> {
    const { issuerUrl, clientId, signingAlgs } = this.#config;
    const { nowMillis, log } = this.#ports;
    const keys = await this.#openKeys();
    if (keys === null) return REFUSED;
    let payload: JWTPayload;
    try {
      ({ payload } = await jwtVerify(token, keys, {
        issuer: issuerUrl,
        audience: clientId,
        algorithms: [...signingAlgs],
        requiredClaims: ["exp"],
        currentDate: new Date(nowMillis()),
      }));
    } catch (error) {
      // The reason names a claim or an algorithm, never the token.
      log("debug", "an ID token was refused", { why: (error as { code?: string }).code ?? "" });
      return REFUSED;
    }
    const user = userOfClaims(this.#config, payload);
    if (typeof user === "string") {
      log("debug", "an ID token was refused", { why: user });
      return REFUSED;
    }
    const verdict = { kind: "accepted", user } as const;
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
    const untilMillis = Math.min(nowMillis() + REMEMBER_MILLIS, payload.exp! * 1000);
    this.#remembered.set(token, { verdict, untilMillis });
    return verdict;
  }

  /** @returns null while the provider does not answer */
  async #openKeys(): Promise<JWTVerifyGetKey | null> {
    const { nowMillis, log } = this.#ports;
    if (this.#keys === null) {
      if (nowMillis() < this.#nextTryMillis) return null;
      this.#keys = this.#discover();
    }
    try {
      return await this.#keys;
    } catch (error) {
      this.#keys = null;
      this.#nextTryMillis = nowMillis() + RETRY_MILLIS;
      log("warn", "the OIDC provider can't be used", {
        issuer: this.#config.issuerUrl,
        error: (error as Error).message,
      });
      return null;
    }
  }

  async #discover(): Promise<JWTVerifyGetKey> {
    const { issuerUrl } = this.#config;
    const url = `${issuerUrl.replace(/\/$/, "")}/.well-known/openid-configuration`;
    const response = await this.#fetch(url, {});
    if (!response.ok) throw new Error(`${url}: HTTP ${response.status}`);
    const document = JSON.parse(await response.text()) as { issuer?: string; jwks_uri?: string };
    if (document.issuer !== issuerUrl) throw new Error(`${url}: names another issuer`);
    const keysUrl = new URL(document.jwks_uri ?? "");
    if (keysUrl.protocol !== "https:") throw new Error(`${url}: jwks_uri is not https`);
    return createRemoteJWKSet(keysUrl, {
      timeoutDuration: TIMEOUT_MILLIS,
      cooldownDuration: this.#ports.cooldownMillis ?? COOLDOWN_MILLIS,
      [customFetch]: (at, options) => this.#fetch(at, options as RequestInit),
    });
  }

  async #fetch(url: string, options: RequestInit): Promise<Response> {
    const signal = options.signal ?? AbortSignal.timeout(TIMEOUT_MILLIS);
    const request: RequestInit & { client: Deno.HttpClient } = {
      ...options,
      signal,
      client: this.#client,
    };
    const response = await fetch(url, request);
    return new Response(await readBounded(response), { status: response.status });
  }
}

async function readBounded(response: Response): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MAX_DOCUMENT_BYTES) throw new Error("the provider's answer is too long");
    chunks.push(chunk);
  }
  return joinBytes(chunks, size);
}

/** @returns the user, or why the claims name none */
export function userOfClaims(config: OidcConfig, claims: JWTPayload): UserInfo | string {
  for (const [claim, value] of Object.entries(config.requiredClaims)) {
    if (claims[claim] !== value) return `claim ${claim} is not the required one`;
  }
  const { usernameClaim, groupsClaim } = config;
  const name = claims[usernameClaim];
  if (typeof name !== "string" || name === "") return `claim ${usernameClaim} names nobody`;
  if (usernameClaim === "email" && (claims.email_verified ?? true) !== true) {
    return "email not verified";
  }
  const groups = groupsClaim === "" ? [] : listOf(claims[groupsClaim]);
  if (groups === null) return `claim ${groupsClaim} is no list of names`;
  const extra = claims.jti === undefined
    ? {}
    : { extra: { "authentication.kubernetes.io/credential-id": [`JTI=${claims.jti}`] } };
  return {
    name: prefixOf(config) + name,
    groups: [...groups.map((group) => config.groupsPrefix + group), AUTHENTICATED_GROUP],
    ...extra,
  };
}

/** A name of another issuer must not be taken for one of ours. */
function prefixOf({ usernamePrefix, usernameClaim, issuerUrl }: OidcConfig): string {
  if (usernamePrefix === "-") return "";
  if (usernamePrefix !== "") return usernamePrefix;
  return usernameClaim === "email" ? "" : `${issuerUrl}#`;
}

function listOf(claim: unknown): string[] | null {
  if (claim === undefined || claim === null) return [];
  const list = Array.isArray(claim) ? claim : [claim];
  return list.every((item) => typeof item === "string") ? list : null;
}
