/**
 * The certificate that a kubelet or another component of its own serves with.
 * In: the flags that name files, the names to answer for. Out: a PEM pair.
 * Never: stores a key of its own making; the next start makes another.
 */
import { issueCertificate, makeAuthority, type PemPair } from "../apiserver/auth/certificates.ts";
import { readNamed } from "./named_file.ts";

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
    return {
      certificate: await readNamed("--tls-cert-file", tlsCertFile),
      key: await readNamed("--tls-private-key-file", tlsKeyFile),
    };
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

/** PEM of an authority that has signed nobody, and never will: its key is gone. */
export async function nobodysAuthority(): Promise<string> {
  const request = { commonName: "nobody", nowMillis: Date.now(), lifetimeMillis: LIFETIME_MILLIS };
  return (await makeAuthority(request)).certificate;
}
