/**
 * Public keys that service account tokens are verified with.
 * In: PEM of public or private keys, RSA or EC. Out: keys by id, and the set that is published.
 * Never: keeps a private half. Source: pkg/serviceaccount/openidmetadata.go, RFC 7517, RFC 7638.
 */
import { createPublicKey } from "node:crypto";
import { calculateJwkThumbprint, importJWK, type JWK } from "jose";

export interface VerificationKey {
  readonly id: string;
  /** `ES256`, `RS256`, … */
  readonly algorithm: string;
  readonly key: CryptoKey;
  readonly jwk: JWK;
}

const CURVES: Readonly<Record<string, string>> = {
  "P-256": "ES256",
  "P-384": "ES384",
  "P-521": "ES512",
};

/** Errors: rejects when the text holds no public or private key that tokens can be signed with. */
export async function readVerificationKey(pem: string): Promise<VerificationKey> {
  const { kty, crv, x, y, n, e } = createPublicKey(pem).export({ format: "jwk" }) as JWK;
  const algorithm = kty === "RSA" ? "RS256" : CURVES[crv ?? ""];
  if (algorithm === undefined) throw new Error(`a key of type ${kty} signs no tokens`);
  const bare: JWK = kty === "RSA" ? { kty, n, e } : { kty, crv, x, y };
  const id = await calculateJwkThumbprint(bare);
  const key = await importJWK(bare, algorithm);
  if (key instanceof Uint8Array) throw new Error("a shared secret is no public key");
  return { id, algorithm, key, jwk: { ...bare, kid: id, use: "sig", alg: algorithm } };
}

/** Every key of a file: a PEM file may hold several, one after another. */
export function splitPem(text: string): string[] {
  return text.match(/-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g) ?? [];
}
