/**
 * The cluster's keys and certificates in the data directory, made on the first start.
 * In: a directory, the names the server answers for, the time. Out: PEM pairs, renewed when near
 * their end or when names are missing.
 * Never: replaces a CA or a token key that is there; files are 0600 in a folder of 0700.
 */
import {
  issueCertificate,
  makeAuthority,
  makeSigningKey,
  type PemPair,
  readCertificate,
  type Subject,
} from "./certificates.ts";

const DAY_MILLIS = 86_400_000;
const CA_LIFETIME_MILLIS = 3650 * DAY_MILLIS;
const LEAF_LIFETIME_MILLIS = 365 * DAY_MILLIS;
/** A leaf is made again when less than this is left. */
const RENEW_BEFORE_MILLIS = 90 * DAY_MILLIS;

export interface Pki {
  readonly ca: PemPair;
  readonly server: PemPair;
  /** O=system:masters, CN=kubernetes-admin. */
  readonly admin: PemPair;
  /** What this server shows kubelets. O=system:masters, CN=kube-apiserver-kubelet-client. */
  readonly kubeletClient: PemPair;
  /** What tells the servers of other groups that it is this server that names a user. */
  readonly frontProxy: { readonly ca: PemPair; readonly client: PemPair };
  /** PKCS #8 PEM of the key that signs service account tokens. */
  readonly serviceAccountKey: string;
}

export interface PkiOptions {
  /** Folder for the files; made when missing. */
  readonly directory: string;
  /** Extra DNS names and addresses of the server. */
  readonly serverNames: readonly string[];
  readonly nowMillis: number;
}

/** The name of whoever may name users. */
export const FRONT_PROXY_CLIENT = "front-proxy-client";

const SERVER_NAMES = [
  "kubernetes",
  "kubernetes.default",
  "kubernetes.default.svc",
  "kubernetes.default.svc.cluster.local",
  "localhost",
  "127.0.0.1",
  "::1",
];

/**
 * Reads the cluster's keys, making what is missing or about to expire. Servers that share the
 * folder take turns, so that all have the same authority, and one certificate names them all.
 */
export async function openPki(options: PkiOptions): Promise<Pki> {
  const { directory } = options;
  await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
  // The system lets go of it too when this process dies.
  const turn = await Deno.open(`${directory}/lock`, { create: true, write: true, mode: 0o600 });
  await turn.lock(true);
  try {
    return await readOrMake(options);
  } finally {
    turn.close();
  }
}

async function readOrMake(options: PkiOptions): Promise<Pki> {
  const { directory, nowMillis } = options;
  const ca = await keep(
    directory,
    "ca",
    null,
    () =>
      makeAuthority({ commonName: "kubernetes", nowMillis, lifetimeMillis: CA_LIFETIME_MILLIS }),
  );
  const all = [...await namesIn(directory), ...SERVER_NAMES, ...options.serverNames];
  const names = [...new Map(all.map((name) => [canonicalName(name), name])).values()];
  const issue = (subject: Subject, usage: "server" | "client", names?: readonly string[]) => () =>
    issueCertificate(ca, {
      subject,
      usage,
      names,
      nowMillis,
      lifetimeMillis: LEAF_LIFETIME_MILLIS,
    });
  const isGood = (wanted: readonly string[]) => async (pair: PemPair) => {
    const facts = readCertificate(pair.certificate);
    if (facts.notAfterMillis - nowMillis < RENEW_BEFORE_MILLIS) return false;
    const have = new Set(facts.names.map(canonicalName));
    return wanted.every((name) => have.has(canonicalName(name))) && await facts.isSignedBy(ca);
  };
  const server = await keep(
    directory,
    "apiserver",
    isGood(names),
    issue({ commonName: "kube-apiserver" }, "server", names),
  );
  const admin = await keep(
    directory,
    "admin",
    isGood([]),
    issue({ commonName: "kubernetes-admin", organizations: ["system:masters"] }, "client"),
  );
  const kubeletClient = await keep(
    directory,
    "apiserver-kubelet-client",
    isGood([]),
    issue(
      { commonName: "kube-apiserver-kubelet-client", organizations: ["system:masters"] },
      "client",
    ),
  );
  const frontProxy = await keepFrontProxy(directory, nowMillis);
  const serviceAccountKey = await keepKey(directory);
  return { ca, server, admin, kubeletClient, frontProxy, serviceAccountKey };
}

/** An authority of its own: whom it signs for may speak in anybody's name. */
async function keepFrontProxy(directory: string, nowMillis: number): Promise<Pki["frontProxy"]> {
  const lifetimeMillis = CA_LIFETIME_MILLIS;
  const ca = await keep(
    directory,
    "front-proxy-ca",
    null,
    () => makeAuthority({ commonName: "front-proxy-ca", nowMillis, lifetimeMillis }),
  );
  const isGood = async (pair: PemPair) => {
    const facts = readCertificate(pair.certificate);
    return facts.notAfterMillis - nowMillis >= RENEW_BEFORE_MILLIS && await facts.isSignedBy(ca);
  };
  const client = await keep(
    directory,
    "front-proxy-client",
    isGood,
    () => issueClient(ca, { commonName: FRONT_PROXY_CLIENT }, nowMillis),
  );
  return { ca, client };
}

/** Names that the server's certificate has so far: another server may need them. */
async function namesIn(directory: string): Promise<readonly string[]> {
  const certificate = await readText(`${directory}/apiserver.crt`);
  return certificate === null ? [] : readCertificate(certificate).names;
}

/** Certificates spell IPv6 addresses in full; 0:0:…:1 and ::1 are one name. */
function canonicalName(name: string): string {
  if (!name.includes(":")) return name;
  try {
    return new URL(`http://[${name}]`).hostname;
  } catch {
    return name;
  }
}

/** A signed client certificate for a component of the cluster. */
export function issueClient(ca: PemPair, subject: Subject, nowMillis: number): Promise<PemPair> {
  return issueCertificate(ca, {
    subject,
    usage: "client",
    nowMillis,
    lifetimeMillis: LEAF_LIFETIME_MILLIS,
  });
}

async function keep(
  directory: string,
  name: string,
  isGood: ((pair: PemPair) => Promise<boolean>) | null,
  make: () => Promise<PemPair>,
): Promise<PemPair> {
  const [certificatePath, keyPath] = [`${directory}/${name}.crt`, `${directory}/${name}.key`];
  const [certificate, key] = [await readText(certificatePath), await readText(keyPath)];
  if (certificate !== null && key !== null) {
    const pair = { certificate, key };
    if (isGood === null || await isGood(pair)) return pair;
  } else if (isGood === null && (certificate !== null || key !== null)) {
    throw new Error(`${directory}: ${name}.crt and ${name}.key must both be there or neither`);
  }
  const pair = await make();
  await writeSecret(keyPath, pair.key);
  await writeSecret(certificatePath, pair.certificate);
  return pair;
}

async function keepKey(directory: string): Promise<string> {
  const path = `${directory}/sa.key`;
  const found = await readText(path);
  if (found !== null) return found;
  const made = await makeSigningKey();
  await writeSecret(path, made);
  return made;
}

async function readText(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** Writes a file that only its owner reads, whole or not at all. */
export async function writeSecret(path: string, text: string): Promise<void> {
  const draft = `${path}.new`;
  await Deno.writeTextFile(draft, text, { mode: 0o600 });
  await Deno.chmod(draft, 0o600);
  await Deno.rename(draft, path);
}
