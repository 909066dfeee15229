/**
 * Makes X.509 v3 certificates of P-256 keys: a CA, servers, clients.
 * In: names, lifetimes, the signer. Out: PEM pairs.
 * Never: stores or logs a key.
 * Source: RFC 5280; kubeadm's certificate list for subjects and usages.
 */
import "reflect-metadata";
import * as x509 from "@peculiar/x509";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
/** A certificate is valid from a little before it was made: clocks differ. */
const BACKDATE_MILLIS = 5 * 60_000;

x509.cryptoProvider.set(crypto);

/** A certificate and its private key, PEM. */
export interface PemPair {
  readonly certificate: string;
  readonly key: string;
}

export interface Subject {
  readonly commonName: string;
  readonly organizations?: readonly string[];
}

export interface CertificateRequest {
  readonly subject: Subject;
  readonly usage: "server" | "client";
  /** DNS names and IP addresses that a server answers for. */
  readonly names?: readonly string[];
  readonly nowMillis: number;
  readonly lifetimeMillis: number;
}

/** Makes a self-signed authority. */
export async function makeAuthority(
  request: { commonName: string; nowMillis: number; lifetimeMillis: number },
): Promise<PemPair> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: formatName({ commonName: request.commonName }),
    notBefore: new Date(request.nowMillis - BACKDATE_MILLIS),
    notAfter: new Date(request.nowMillis + request.lifetimeMillis),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign |
          x509.KeyUsageFlags.digitalSignature,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: certificate.toString("pem") + "\n", key: await exportKey(keys.privateKey) };
}

/** Makes a key and a certificate for it, signed by `authority`. */
export async function issueCertificate(
  authority: PemPair,
  request: CertificateRequest,
): Promise<PemPair> {
  const issuer = new x509.X509Certificate(authority.certificate);
  const signingKey = await importKey(authority.key);
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const purpose = request.usage === "server"
    ? x509.ExtendedKeyUsage.serverAuth
    : x509.ExtendedKeyUsage.clientAuth;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: formatName(request.subject),
    issuer: issuer.subject,
    notBefore: new Date(request.nowMillis - BACKDATE_MILLIS),
    notAfter: new Date(
      Math.min(request.nowMillis + request.lifetimeMillis, issuer.notAfter.getTime()),
    ),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([purpose]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ...(request.names?.length ? [alternativeNames(request.names)] : []),
    ],
  });
  return { certificate: certificate.toString("pem") + "\n", key: await exportKey(keys.privateKey) };
}

/** What of a stored certificate decides whether it must be made again. */
export interface CertificateFacts {
  readonly notAfterMillis: number;
  /** Names it answers for, as given at its making. */
  readonly names: readonly string[];
  /** Whether the authority's key signed it. */
  readonly isSignedBy: (authority: PemPair) => Promise<boolean>;
}

/** Throws when the PEM does not hold a certificate. */
export function readCertificate(pem: string): CertificateFacts {
  const certificate = new x509.X509Certificate(pem);
  const names = certificate.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? [];
  return {
    notAfterMillis: certificate.notAfter.getTime(),
    names: names.map((name) => name.value),
    isSignedBy: async (authority) => {
      const { publicKey } = new x509.X509Certificate(authority.certificate);
      return await certificate.verify({ publicKey, signatureOnly: true });
    },
  };
}

/** A fresh P-256 key, PEM, PKCS #8. */
export async function makeSigningKey(): Promise<string> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  return exportKey(keys.privateKey);
}

/** The private and public halves of a PEM key, for signing tokens. */
export async function readSigningKey(
  pem: string,
): Promise<{ privateKey: CryptoKey; publicKey: CryptoKey }> {
  const privateKey = await importKey(pem, true);
  const { d: _secret, key_ops: _ops, ...jwk } = await crypto.subtle.exportKey("jwk", privateKey);
  const publicKey = await crypto.subtle.importKey("jwk", jwk, ALGORITHM, true, ["verify"]);
  return { privateKey, publicKey };
}

function alternativeNames(names: readonly string[]): x509.SubjectAlternativeNameExtension {
  return new x509.SubjectAlternativeNameExtension(
    names.map((value) => ({ type: isAddress(value) ? "ip" as const : "dns" as const, value })),
  );
}

function isAddress(name: string): boolean {
  return /^\d+\.\d+\.\d+\.\d+$/.test(name) || name.includes(":");
}

function formatName(subject: Subject): x509.JsonName {
  const organizations = (subject.organizations ?? []).map((name) => ({ O: [name] }));
  return [...organizations, { CN: [subject.commonName] }];
}

function newSerial(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  // A positive INTEGER of DER: the top bit stays clear, the next one keeps the length.
  bytes[0] = (bytes[0] & 0x3f) | 0x40;
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function exportKey(key: CryptoKey): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.exportKey("pkcs8", key));
  return x509.PemConverter.encode(bytes, "PRIVATE KEY") + "\n";
}

function importKey(pem: string, extractable = false): Promise<CryptoKey> {
  const [bytes] = x509.PemConverter.decode(pem);
  return crypto.subtle.importKey("pkcs8", bytes, ALGORITHM, extractable, ["sign"]);
}
