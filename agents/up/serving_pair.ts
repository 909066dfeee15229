/**
 * The certificate that a kubelet or another component of its own serves with.
 * In: the flags that name files, the names to answer for. Out: a PEM pair, an authority's PEM.
 * Never: stores a key of its own making, and the next start makes another; takes files that would
 * only fail its clients.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { issueCertificate, makeAuthority, type PemPair } from "../apiserver/auth/certificates.ts";
import { readNamed, refused } from "./named_file.ts";

const LIFETIME_MILLIS = 365 * 86_400_000;

export interface ServingFiles {
  /** null = one of its own making. */
  readonly tlsCertFile: string | null;
  readonly tlsKeyFile: string | null;
}

/**
 * @param names DNS names and addresses to answer for; the first is the subject's
 * Errors: rejects with StartupError naming the flag and the file.
 */
export async function servingPair(
  { tlsCertFile, tlsKeyFile }: ServingFiles,
  names: readonly string[],
): Promise<PemPair> {
  if (tlsCertFile !== null && tlsKeyFile !== null) {
    const certificate = await readCertificate("--tls-cert-file", tlsCertFile);
    const keyFlag = "--tls-private-key-file";
    const key = await readNamed(keyFlag, tlsKeyFile);
    if (!isKeyOf(certificate, key)) {
      throw refused(keyFlag, tlsKeyFile, [`is not the key of ${tlsCertFile}`]);
    }
    return { certificate, key };
  }
  const nowMillis = Date.now();
  const lifetimeMillis = LIFETIME_MILLIS;
  const [commonName] = names;
  const authority = await makeAuthority({ commonName, nowMillis, lifetimeMillis });
  const subject = { commonName };
  return issueCertificate(authority, {
    subject,
    usage: "server",
    names,
    nowMillis,
    lifetimeMillis,
  });
}

/** Errors: rejects with StartupError naming the flag and the file. */
export function readClientCa(path: string): Promise<string> {
  return readCertificate("--client-ca-file", path);
}

async function readCertificate(flag: string, path: string): Promise<string> {
  const pem = await readNamed(flag, path);
  try {
    new X509Certificate(pem);
  } catch {
    throw refused(flag, path, ["holds no certificate"]);
  }
  return pem;
}

function isKeyOf(certificate: string, key: string): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

/** PEM of an authority that has signed nobody, and never will: its key is gone. */
export async function nobodysAuthority(): Promise<string> {
  const request = { commonName: "nobody", nowMillis: Date.now(), lifetimeMillis: LIFETIME_MILLIS };
  return (await makeAuthority(request)).certificate;
}
