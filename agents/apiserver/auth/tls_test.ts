/**
 * Who the server takes a client for, over a real loopback listener.
 */
import assert from "node:assert/strict";
import { Agent, request } from "node:https";
import { connect } from "node:http2";
import { startFakeApi } from "../../../tests/fakes/api_server.ts";
import type { FakeApi } from "../../../tests/fakes/api_server.ts";
import { openPki } from "./ca.ts";
import { issueCertificate, makeAuthority, type PemPair } from "./certificates.ts";

const HOUR = 3_600_000;
const ADMIN = { commonName: "kubernetes-admin", organizations: ["system:masters"] };

interface Answered {
  readonly status: number;
  readonly body: string;
}

function get(
  port: number,
  options: { ca: string; client?: PemPair; token?: string; path?: string; agent?: Agent },
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const headers: Record<string, string> = {};
    if (options.token) headers.authorization = `Bearer ${options.token}`;
    const call = request({
      host: "127.0.0.1",
      port,
      path: options.path ?? "/api/v1/namespaces",
      ca: options.ca,
      cert: options.client?.certificate,
      key: options.client?.key,
      agent: options.agent ?? false,
      headers,
    }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => body += chunk);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
    call.on("error", reject);
    call.end();
  });
}

async function withListener(run: (api: FakeApi, port: number) => Promise<void>): Promise<void> {
  const api = await startFakeApi({
    port: 0,
    startMillis: Date.now(),
    staticTokens: [{
      token: "let-me-in",
      user: { name: "boot", groups: ["system:masters", "system:authenticated"] },
    }],
  });
  try {
    await run(api, await api.server.listen());
  } finally {
    await api.close();
  }
}

function tlsTest(name: string, run: (api: FakeApi, port: number) => Promise<void>): void {
  // Sockets close a little after their streams.
  Deno.test({ name, sanitizeOps: false, sanitizeResources: false, fn: () => withListener(run) });
}

tlsTest("HTTP/1.1 connections are kept for the next request", async (api, port) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let connections = 0;
  const create = agent.createConnection.bind(agent);
  agent.createConnection = (...args) => {
    connections++;
    return create(...args);
  };
  for (let i = 0; i < 3; i++) {
    const { ca } = api.server.pki;
    const answer = await get(port, { ca: ca.certificate, token: "let-me-in", agent });
    assert.equal(answer.status, 200);
  }
  agent.destroy();
  assert.equal(connections, 1);
});

tlsTest("a certificate of the cluster's CA is its subject", async (api, port) => {
  const { ca, admin } = api.server.pki;
  const answer = await get(port, { ca: ca.certificate, client: admin });
  assert.equal(answer.status, 200);
  assert.equal(JSON.parse(answer.body).kind, "NamespaceList");
});

tlsTest("no certificate is nobody", async (api, port) => {
  const { ca } = api.server.pki;
  const answer = await get(port, { ca: ca.certificate });
  assert.equal(answer.status, 403);
  assert.match(answer.body, /User \\"system:anonymous\\" cannot list resource/);
  assert.equal((await get(port, { ca: ca.certificate, path: "/healthz" })).status, 200);
});

tlsTest("a certificate of another CA is nobody", async (api, port) => {
  const nowMillis = Date.now();
  const other = await makeAuthority({
    commonName: "kubernetes",
    nowMillis,
    lifetimeMillis: HOUR,
  });
  const client = await issueCertificate(other, {
    subject: ADMIN,
    usage: "client",
    nowMillis,
    lifetimeMillis: HOUR,
  });
  const answer = await get(port, { ca: api.server.pki.ca.certificate, client });
  assert.equal(answer.status, 403);
});

tlsTest("a forged certificate is nobody", async (api, port) => {
  const nowMillis = Date.now();
  const { ca } = api.server.pki;
  // The authority's certificate with a key that is not its own: names match, signatures do not.
  const forger = await makeAuthority({ commonName: "kubernetes", nowMillis, lifetimeMillis: HOUR });
  const client = await issueCertificate({ certificate: ca.certificate, key: forger.key }, {
    subject: ADMIN,
    usage: "client",
    nowMillis,
    lifetimeMillis: HOUR,
  });
  const answer = await get(port, { ca: ca.certificate, client });
  assert.equal(answer.status, 403);
});

tlsTest("an expired certificate is nobody", async (api, port) => {
  const { ca } = api.server.pki;
  const client = await issueCertificate(ca, {
    subject: ADMIN,
    usage: "client",
    nowMillis: Date.now() - 48 * HOUR,
    lifetimeMillis: HOUR,
  });
  const answer = await get(port, { ca: ca.certificate, client });
  assert.equal(answer.status, 403);
});

tlsTest("a server certificate does not identify a client", async (api, port) => {
  const { ca } = api.server.pki;
  const client = await issueCertificate(ca, {
    subject: ADMIN,
    usage: "server",
    nowMillis: Date.now(),
    lifetimeMillis: HOUR,
  });
  const answer = await get(port, { ca: ca.certificate, client });
  assert.equal(answer.status, 403);
});

tlsTest("bearer tokens: a known one, a wrong one, a service account's", async (api, port) => {
  const ca = api.server.pki.ca.certificate;
  assert.equal((await get(port, { ca, token: "let-me-in" })).status, 200);
  const wrong = await get(port, { ca, token: "let-me-out" });
  assert.equal(wrong.status, 401);
  assert.equal(JSON.parse(wrong.body).reason, "Unauthorized");
  const request = { spec: {} };
  const url = "/api/v1/namespaces/default/serviceaccounts/default/token";
  const { token } = (await api.ask("POST", url, request)).json.status;
  const known = await get(port, { ca, token });
  assert.equal(known.status, 403);
  assert.match(known.body, /system:serviceaccount:default:default/);
  await api.ask("DELETE", "/api/v1/namespaces/default/serviceaccounts/default");
  assert.equal((await get(port, { ca, token })).status, 401);
});

tlsTest("HTTP/2 knows its clients as HTTP/1.1 does", async (api, port) => {
  const { ca, admin } = api.server.pki;
  const ask = (client?: PemPair): Promise<number> =>
    new Promise((resolve, reject) => {
      const session = connect(`https://127.0.0.1:${port}`, {
        ca: ca.certificate,
        cert: client?.certificate,
        key: client?.key,
      });
      session.on("error", reject);
      const stream = session.request({ ":path": "/api/v1/namespaces" });
      stream.on("response", (headers) => resolve(Number(headers[":status"])));
      stream.on("data", () => {});
      stream.on("end", () => session.close());
      stream.end();
    });
  assert.equal(await ask(admin), 200);
  assert.equal(await ask(), 403);
});

Deno.test("keys stay, leaves are renewed near their end or for a new name", async () => {
  const directory = await Deno.makeTempDir();
  const nowMillis = Date.UTC(2026, 0, 1);
  const open = (parts: { nowMillis: number; serverNames?: string[] }) =>
    openPki({ directory, serverNames: [], ...parts });
  const first = await open({ nowMillis });
  const again = await open({ nowMillis });
  assert.deepEqual(again, first);
  const named = await open({ nowMillis, serverNames: ["10.0.0.9"] });
  assert.notEqual(named.server.certificate, first.server.certificate);
  assert.equal(named.admin.certificate, first.admin.certificate);
  const later = await open({ nowMillis: nowMillis + 300 * 24 * HOUR, serverNames: ["10.0.0.9"] });
  assert.notEqual(later.admin.certificate, first.admin.certificate);
  assert.equal(later.ca.certificate, first.ca.certificate);
  assert.equal(later.serviceAccountKey, first.serviceAccountKey);
  assert.equal((await Deno.stat(`${directory}/ca.key`)).mode! & 0o777, 0o600);
  await Deno.remove(directory, { recursive: true });
});
