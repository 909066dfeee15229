/** An authority and one certificate of it, for servers and clients on 127.0.0.1. */
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { join } from "node:path";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const HOUR_MILLIS = 3_600_000;

export interface CertificateFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/**
 * Writes PEM files into `folder`, over those that are there.
 * @param authorityName two authorities of one name are still two
 */
export async function writeCertificates(
  folder: string,
  authorityName = "store test authority",
): Promise<CertificateFiles> {
  x509.cryptoProvider.set(crypto);
  const [authorityKeys, keys] = await Promise.all([newKeys(), newKeys()]);
  const validity = {
    signingAlgorithm: ALGORITHM,
    notBefore: new Date(Date.now() - HOUR_MILLIS),
    notAfter: new Date(Date.now() + HOUR_MILLIS),
  };
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity,
    name: `CN=${authorityName}`,
    keys: authorityKeys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 1, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  const { serverAuth, clientAuth } = x509.ExtendedKeyUsage;
  const certificate = await x509.X509CertificateGenerator.create({
    ...validity,
    subject: "CN=member",
    issuer: authority.subject,
    publicKey: keys.publicKey,
    signingKey: authorityKeys.privateKey,
    extensions: [
      new x509.ExtendedKeyUsageExtension([serverAuth, clientAuth]),
      new x509.SubjectAlternativeNameExtension([{ type: "ip", value: "127.0.0.1" }]),
    ],
  });
  const der = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  const files = {
    ca: join(folder, "ca.pem"),
    cert: join(folder, "cert.pem"),
    key: join(folder, "key.pem"),
  };
  await Deno.writeTextFile(files.ca, authority.toString("pem"));
  await Deno.writeTextFile(files.cert, certificate.toString("pem"));
  await Deno.writeTextFile(files.key, x509.PemConverter.encode(der, "PRIVATE KEY"));
  return files;
}

function newKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]) as Promise<CryptoKeyPair>;
}
