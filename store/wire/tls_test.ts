/** TLS: whose certificate is believed and whose is not. */
import "reflect-metadata";
import assert from "node:assert/strict";
import * as x509 from "@peculiar/x509";
import type { Timer } from "../ports.ts";
import { connect as connectTls } from "node:tls";
import { openRemoteStore } from "../client.ts";
import { FakeMember } from "./etcd/fake_member.ts";
import { Http2Server } from "./http2/server.ts";
import { ConnectionDriver } from "./http2/driver.ts";
import { encodeStateless } from "./http2/hpack.ts";
import { type PeerIdentity, socketOfTls } from "./http2/socket.ts";
import { serveEtcd } from "./serve.ts";

const timer: Timer = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  every: () => () => {},
  after: (millis, callback) => {
    const handle = setTimeout(callback, millis);
    return () => clearTimeout(handle);
  },
  soon: (callback) => queueMicrotask(callback),
};
const ports = { timer, log: () => {} };
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

interface Authority {
  readonly cert: x509.X509Certificate;
  readonly keys: CryptoKeyPair;
}

interface Pem {
  readonly cert: string;
  readonly key: string;
}

x509.cryptoProvider.set(crypto);

const newKeys = () =>
  crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]) as Promise<CryptoKeyPair>;

async function authority(name: string): Promise<Authority> {
  const keys = await newKeys();
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(Date.now() - 3600_000),
    notAfter: new Date(Date.now() + 3600_000),
    extensions: [new x509.BasicConstraintsExtension(true, 1, true)],
  });
  return { cert, keys };
}

async function issue(
  by: Authority,
  name: string,
  options: { readonly server?: boolean; readonly expired?: boolean } = {},
): Promise<Pem> {
  const keys = await newKeys();
  const usage = options.server ? "serverAuth" : "clientAuth";
  const cert = await x509.X509CertificateGenerator.create({
    subject: `CN=${name}, O=balsa`,
    issuer: by.cert.subject,
    publicKey: keys.publicKey,
    signingKey: by.keys.privateKey,
    signingAlgorithm: algorithm,
    notBefore: new Date(Date.now() - 7200_000),
    notAfter: new Date(Date.now() + (options.expired ? -3600_000 : 3600_000)),
    extensions: [
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage[usage]]),
      new x509.SubjectAlternativeNameExtension([{ type: "ip", value: "127.0.0.1" }, {
        type: "dns",
        value: "localhost",
      }]),
    ],
  });
  const der = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  const key = x509.PemConverter.encode(der, "PRIVATE KEY");
  return { cert: cert.toString("pem"), key };
}

/** Connects, asks one question, and leaves. */
async function identify(port: number, ca: string, client: Pem | null): Promise<void> {
  return await new Promise<void>((resolve, reject) => {
    const socket = connectTls({
      host: "127.0.0.1",
      port,
      ca,
      ...(client ?? {}),
      ALPNProtocols: ["h2"],
    }, () => {
      const driver = new ConnectionDriver(socketOfTls(socket), {
        role: "client",
        now: () => 0,
      });
      driver.start();
      const head = [":method", "GET", ":scheme", "https", ":path", "/"];
      const stream = driver.connection.request(encodeStateless(head), true);
      stream.onEnd = () => {
        driver.destroy();
        resolve();
      };
      stream.onReset = () => reject(new Error("reset"));
    });
    socket.on("error", reject);
  });
}

Deno.test("a client is named by its certificate only when that verifies", async () => {
  const ours = await authority("ours");
  const theirs = await authority("theirs");
  const own = await issue(ours, "localhost", { server: true });
  const ca = ours.cert.toString("pem");
  const peers: PeerIdentity[] = [];
  const server = new Http2Server({
    now: () => performance.now(),
    onStream: (stream, peer) => {
      peers.push(peer);
      stream.respond(200, [], true);
    },
  });
  const { port } = await server.listenTls({ hostname: "127.0.0.1", port: 0 }, {
    ...own,
    ca,
    requestCert: true,
  });
  const good = await issue(ours, "alice");
  const cases: [string, Pem | null, string | null][] = [
    ["a verified certificate", good, "alice"],
    ["no certificate", null, null],
    ["another authority's", await issue(theirs, "root"), null],
    ["an expired one", await issue(ours, "root", { expired: true }), null],
  ];
  try {
    for (const [name, client, expected] of cases) {
      await identify(port, ca, client);
      assert.equal(peers.at(-1)?.commonName, expected, name);
    }
    assert.deepEqual(peers[0].organizations, ["balsa"]);
    assert.ok(peers[0].certificate!.length > 100);
  } finally {
    await server.shutdown(0);
  }
});

Deno.test("client-cert-auth admits a remote store with a certificate and no other", async () => {
  const ours = await authority("ours");
  const ca = ours.cert.toString("pem");
  const own = await issue(ours, "localhost", { server: true });
  const serving = await serveEtcd(
    { listenClientUrls: ["https://127.0.0.1:0"], tls: { ...own, ca, requireCert: true } },
    new FakeMember(),
    ports,
  );
  const endpoints = [`https://127.0.0.1:${serving.ports[0]}`];
  const open = (tls: { ca: string; cert?: string; key?: string }) =>
    openRemoteStore({ endpoints, tls, requestTimeoutMillis: 1500 }, ports);
  try {
    const store = await open({ ca, ...await issue(ours, "alice") });
    assert.ok(!("kind" in store));
    const key = new TextEncoder().encode("k");
    assert.equal((await store.put({ kind: "put", key, value: key })).kind, "put");
    await store.close();
    assert.ok("kind" in await open({ ca }), "no certificate");
    const other = await authority("theirs");
    assert.ok("kind" in await open({ ca: other.cert.toString("pem") }), "server not trusted");
  } finally {
    await serving.close(0);
  }
});
