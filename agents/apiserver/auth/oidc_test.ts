/**
 * Users of an OpenID Connect provider that runs in the test: HTTPS, its own authority, its keys.
 */
import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { exportJWK, SignJWT } from "jose";
import { issueCertificate, makeAuthority, type PemPair } from "./certificates.ts";
import { type OidcConfig, OidcSource, userOfClaims } from "./oidc.ts";

const CONFIG: OidcConfig = {
  issuerUrl: "https://id.example",
  clientId: "balsa",
  usernameClaim: "sub",
  usernamePrefix: "",
  groupsClaim: "",
  groupsPrefix: "",
  requiredClaims: {},
  signingAlgs: ["RS256"],
  caPem: null,
};

interface Key {
  readonly id: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

function makeKey(id: string): Key {
  return { id, ...generateKeyPairSync("rsa", { modulusLength: 2048 }) };
}

/** A provider that a test may break. */
interface Provider {
  readonly url: string;
  readonly ca: PemPair;
  keys: Key[];
  /** Replaces the discovery document. */
  document: Record<string, unknown> | null;
  /** Requests so far, by path. */
  readonly asked: string[];
}

async function withProvider(run: (provider: Provider) => Promise<void>): Promise<void> {
  const nowMillis = Date.now();
  const lifetimeMillis = 3_600_000;
  const ca = await makeAuthority({ commonName: "id", nowMillis, lifetimeMillis });
  const { certificate, key } = await issueCertificate(ca, {
    subject: { commonName: "id" },
    usage: "server",
    names: ["localhost", "127.0.0.1"],
    nowMillis,
    lifetimeMillis,
  });
  const server = createServer({ cert: certificate, key }, (request, response) => {
    provider.asked.push(request.url ?? "");
    const send = (value: unknown) => {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(value));
    };
    if (request.url === "/.well-known/openid-configuration") {
      return send(provider.document ?? { issuer: provider.url, jwks_uri: `${provider.url}/keys` });
    }
    Promise.all(provider.keys.map(async ({ id, publicKey }) => ({
      ...await exportJWK(publicKey),
      kid: id,
      alg: "RS256",
    }))).then((keys) => send({ keys }));
  });
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve));
  const url = `https://localhost:${(server.address() as AddressInfo).port}`;
  const provider: Provider = { url, ca, keys: [makeKey("one")], document: null, asked: [] };
  try {
    await run(provider);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

async function tokenOf(
  provider: Provider,
  claims: Record<string, unknown> = {},
  key: Key = provider.keys[0],
): Promise<string> {
  const all = {
    iss: provider.url,
    aud: ["other", "balsa"],
    sub: "ann",
    exp: Math.floor(Date.now() / 1000) + 600,
    ...claims,
  };
  const header = { alg: "RS256", kid: key.id };
  return await new SignJWT(all).setProtectedHeader(header).sign(key.privateKey);
}

function oidcTest(name: string, run: (provider: Provider) => Promise<void>): void {
  // Connections that are kept close a little after their client.
  Deno.test({ name, sanitizeOps: false, sanitizeResources: false, fn: () => withProvider(run) });
}

oidcTest("an ID token is its user; what is not as configured is nobody", async (provider) => {
  const said: unknown[] = [];
  const log = (...line: unknown[]) => said.push(line);
  const source = new OidcSource({
    ...CONFIG,
    issuerUrl: provider.url,
    groupsClaim: "groups",
    groupsPrefix: "oidc:",
    requiredClaims: { hd: "example.com" },
    caPem: provider.ca.certificate,
  }, { nowMillis: () => Date.now(), log });
  const good = { hd: "example.com", groups: ["devs", "ops"], jti: "7" };
  const token = await tokenOf(provider, good);
  const verdict = await source.verify(token);
  assert.deepEqual(verdict, {
    kind: "accepted",
    user: {
      name: `${provider.url}#ann`,
      groups: ["oidc:devs", "oidc:ops", "system:authenticated"],
      extra: { "authentication.kubernetes.io/credential-id": ["JTI=7"] },
    },
  });
  assert.equal(await source.verify(token), verdict, "it is not verified twice");
  const past = Math.floor(Date.now() / 1000) - 60;
  const refused: [string, string][] = [
    ["audience", await tokenOf(provider, { ...good, aud: "other" })],
    ["expired", await tokenOf(provider, { ...good, exp: past })],
    ["endless", await tokenOf(provider, { ...good, exp: undefined })],
    ["required claim", await tokenOf(provider, { ...good, hd: "evil.example" })],
    ["no name", await tokenOf(provider, { ...good, sub: "" })],
    ["odd groups", await tokenOf(provider, { ...good, groups: [{ a: 1 }] })],
    ["forged", await tokenOf(provider, good, makeKey("one"))],
    ["early", await tokenOf(provider, { ...good, nbf: past + 3600 })],
  ];
  for (const [name, bad] of refused) {
    assert.equal((await source.verify(bad))?.kind, "refused", name);
    assert(!JSON.stringify(said).includes(bad), "a log holds no token");
  }
  assert.equal(source.verify(await tokenOf(provider, { ...good, iss: "https://x" })), null);
  for (const odd of ["", "a.b.c", "opaque"]) assert.equal(source.verify(odd), null);
  const discoveries = provider.asked.filter((path) => path.includes("well-known"));
  assert.equal(discoveries.length, 1);
  assert.equal(provider.asked.length, 2, "keys are asked for once");
  source.close();
});

oidcTest("a provider's new key is fetched when its first token comes", async (provider) => {
  let now = Date.now();
  const source = new OidcSource({
    ...CONFIG,
    issuerUrl: provider.url,
    caPem: provider.ca.certificate,
  }, { nowMillis: () => now, log: () => {}, cooldownMillis: 0 });
  const old = await tokenOf(provider);
  assert.equal((await source.verify(old))?.kind, "accepted");
  provider.keys = [makeKey("two")];
  assert.equal((await source.verify(await tokenOf(provider)))?.kind, "accepted");
  // What was verified just now is not verified again for a few seconds.
  assert.equal((await source.verify(old))?.kind, "accepted");
  now += 10_001;
  assert.equal((await source.verify(old))?.kind, "refused");
  source.close();
});

oidcTest("a provider that is not who it says, or not known, names nobody", async (provider) => {
  const open = (caPem: string | null) => {
    let now = Date.now();
    const source = new OidcSource({ ...CONFIG, issuerUrl: provider.url, caPem }, {
      nowMillis: () => now,
      log: () => {},
    });
    return { source, later: () => now += 10_001 };
  };
  const token = await tokenOf(provider);
  const stranger = open(null);
  assert.equal((await stranger.source.verify(token))?.kind, "refused");
  stranger.source.close();
  const { source, later } = open(provider.ca.certificate);
  provider.document = { issuer: "https://elsewhere", jwks_uri: `${provider.url}/keys` };
  assert.equal((await source.verify(token))?.kind, "refused");
  const asked = provider.asked.length;
  assert.equal((await source.verify(token))?.kind, "refused");
  assert.equal(provider.asked.length, asked, "it is not asked again at once");
  later();
  provider.document = { issuer: provider.url, jwks_uri: "http://localhost/keys" };
  assert.equal((await source.verify(token))?.kind, "refused");
  later();
  provider.document = null;
  assert.equal((await source.verify(token))?.kind, "accepted");
  source.close();
});

Deno.test("names and groups come from the claims that are configured", () => {
  const name = (config: Partial<OidcConfig>, claims: Record<string, unknown>) => {
    const user = userOfClaims({ ...CONFIG, ...config }, claims);
    return typeof user === "string" ? null : user.name;
  };
  assert.equal(name({}, { sub: "ann" }), "https://id.example#ann");
  assert.equal(name({ usernamePrefix: "-" }, { sub: "ann" }), "ann");
  assert.equal(name({ usernamePrefix: "id:" }, { sub: "ann" }), "id:ann");
  const email = { usernameClaim: "email" };
  assert.equal(name(email, { email: "a@b", email_verified: true }), "a@b");
  assert.equal(name(email, { email: "a@b" }), "a@b");
  assert.equal(name(email, { email: "a@b", email_verified: false }), null);
  assert.equal(name(email, { email: "a@b", email_verified: "true" }), null);
  assert.equal(name({}, { sub: 7 }), null);
  const groups = userOfClaims({ ...CONFIG, groupsClaim: "g" }, { sub: "a", g: "one" });
  assert(typeof groups !== "string");
  assert.deepEqual(groups.groups, ["one", "system:authenticated"]);
});
