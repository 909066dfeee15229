/**
 * Requests that two readers could take for different ones, and clients that never finish, over
 * real sockets.
 */
import assert from "node:assert/strict";
import { connect, type TLSSocket } from "node:tls";
import { type FakeApi, startFakeApi } from "../../../tests/fakes/api_server.ts";
import { Http2Client } from "../../../store/wire/http2_client.ts";
import { encodeStateless } from "../../../store/wire/http2/hpack.ts";
import { BODY_MILLIS, HEAD_MILLIS, IDLE_MILLIS } from "./overdue.ts";

const MAPS = "/api/v1/namespaces/default/configmaps";
const HEAD = `POST ${MAPS} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n`;
const GET = "GET /version HTTP/1.1\r\nHost: a\r\n";
const BODY = '{"metadata":{"name":"smuggled"}}';
const LENGTH = `Content-Length: ${BODY.length}\r\n`;
const CHUNKED = "Transfer-Encoding: chunked\r\n";

/** name, what is sent */
const REFUSED: readonly (readonly [name: string, sent: string])[] = [
  ["a length and chunks", `${HEAD}${LENGTH}${CHUNKED}\r\n0\r\n\r\n${GET}\r\n`],
  ["two lengths", `${HEAD}${LENGTH}Content-Length: 2\r\n\r\n${BODY}`],
  ["one length twice", `${HEAD}${LENGTH}${LENGTH}\r\n${BODY}`],
  ["a list of lengths", `${HEAD}Content-Length: 32, 32\r\n\r\n${BODY}`],
  ["a length with a sign", `${HEAD}Content-Length: +32\r\n\r\n${BODY}`],
  ["a length in hex", `${HEAD}Content-Length: 0x20\r\n\r\n${BODY}`],
  ["an unknown coding", `${HEAD}Transfer-Encoding: xchunked\r\n\r\n20\r\n${BODY}\r\n0\r\n\r\n`],
  ["chunks that are not last", `${HEAD}${CHUNKED}Transfer-Encoding: identity\r\n\r\n0\r\n\r\n`],
  ["a blank before the colon", `${HEAD}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`],
  ["chunks in HTTP/1.0", `${HEAD.replace("1.1", "1.0")}${CHUNKED}\r\n0\r\n\r\n`],
  ["a folded header", `${GET}X-A: b\r\n c\r\n\r\n`],
  ["lines that end in LF", "GET /version HTTP/1.1\nHost: a\n\n"],
  ["one line that ends in LF", "GET /version HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"],
  ["a CR inside of a header", "GET /version HTTP/1.1\r\nHost: a\rX: b\r\n\r\n"],
  ["a NUL inside of a header", `${GET}X: b\0c\r\n\r\n`],
  ["no host", "GET /version HTTP/1.1\r\n\r\n"],
  ["two hosts", `${GET}Host: b\r\n\r\n`],
  ["a version of its own", "GET /version HTTP/2.0\r\nHost: a\r\n\r\n"],
  ["a blank in the target", "GET /version x HTTP/1.1\r\nHost: a\r\n\r\n"],
  ["a chunk of no size", `${HEAD}${CHUNKED}\r\nZZ\r\n{}\r\n0\r\n\r\n`],
  ["a chunk beyond all sizes", `${HEAD}${CHUNKED}\r\nFFFFFFFFFFFFFFFFF\r\n`],
  ["chunks whose lines end in LF", `${HEAD}${CHUNKED}\r\n2\n{}\n0\n\n`],
];

interface Raw {
  readonly socket: TLSSocket;
  /** Everything received so far. */
  readonly text: () => string;
  readonly closed: Promise<void>;
}

function dial(api: FakeApi, port: number): Promise<Raw> {
  const { ca, admin } = api.server.pki;
  const closed = Promise.withResolvers<void>();
  let text = "";
  const socket = connect({
    host: "127.0.0.1",
    port,
    ca: ca.certificate,
    cert: admin.certificate,
    key: admin.key,
    ALPNProtocols: ["http/1.1"],
  });
  socket.on("data", (bytes: Uint8Array) => text += new TextDecoder().decode(bytes));
  socket.on("error", () => {});
  socket.on("close", () => closed.resolve());
  return new Promise((resolve) =>
    socket.on("secureConnect", () => resolve({ socket, text: () => text, closed: closed.promise }))
  );
}

function listenerTest(name: string, run: (api: FakeApi, port: number) => Promise<void>): void {
  Deno.test({
    name,
    // Sockets close a little after their streams.
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      const api = await startFakeApi({ port: 0, startMillis: Date.now() });
      try {
        await run(api, await api.server.listen());
      } finally {
        await api.close();
      }
    },
  });
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

listenerTest(
  "HTTP/1.1 that can be read in two ways is refused, and nothing after it is read",
  async (api, port) => {
    for (const [name, sent] of REFUSED) {
      const raw = await dial(api, port);
      raw.socket.write(sent);
      await raw.closed;
      assert.doesNotMatch(raw.text(), /HTTP\/1\.1 2\d\d/, name);
    }
    assert.equal((await api.ask("GET", `${MAPS}/smuggled`)).status, 404);
    // The body of a GET is not the next request.
    const raw = await dial(api, port);
    const hidden = `${GET}\r\n`;
    raw.socket.write(`${GET}Content-Length: ${hidden.length}\r\n\r\n${hidden}${GET}X: end\r\n\r\n`);
    await until(() => (raw.text().match(/HTTP\/1\.1 200/g) ?? []).length === 2);
    raw.socket.destroy();
    await raw.closed;
    assert.equal(raw.text().match(/HTTP\/1\.1/g)?.length, 2);
  },
);

listenerTest("HTTP/1.1 clients that never finish are sent away", async (api, port) => {
  const silent = await dial(api, port);
  const inHead = await dial(api, port);
  inHead.socket.write(GET);
  const inBody = await dial(api, port);
  inBody.socket.write(`${HEAD}${LENGTH}\r\n${BODY.slice(0, 5)}`);
  const idle = await dial(api, port);
  idle.socket.write(`${GET}\r\n`);
  await until(() => idle.text().includes("200 OK"));
  // The server has seen the other heads too by the time it answers one that came after them.
  await api.ask("GET", "/version");
  api.clock.advance(HEAD_MILLIS + 5_000);
  await Promise.all([silent.closed, inHead.closed]);
  assert.equal(idle.socket.destroyed, false);
  idle.socket.write(`${GET}\r\n`);
  await until(() => idle.text().split("200 OK").length === 3);
  api.clock.advance(BODY_MILLIS - HEAD_MILLIS);
  await inBody.closed;
  assert.equal(idle.socket.destroyed, false);
  api.clock.advance(IDLE_MILLIS);
  await idle.closed;
});

listenerTest("HTTP/2 clients that never finish are sent away", async (api, port) => {
  const { ca, admin } = api.server.pki;
  let isClosed = false;
  const client = await Http2Client.connect({
    address: `127.0.0.1:${port}`,
    tls: { ca: ca.certificate, cert: admin.certificate, key: admin.key },
    now: () => performance.now(),
    after: () => () => {},
    connectTimeoutMillis: 5_000,
    onClosed: () => isClosed = true,
  });
  const head = (method: string, path: string) =>
    encodeStateless([
      ...[":method", method, ":scheme", "https", ":path", path, ":authority", "a"],
      ...["content-type", "application/json"],
    ]);
  const slow = client.request(head("POST", MAPS), false);
  let isReset = false;
  slow.onReset = () => isReset = true;
  slow.write(new TextEncoder().encode(BODY.slice(0, 5)));
  const quick = client.request(head("GET", "/version"), true);
  let isAnswered = false;
  quick.onEnd = () => isAnswered = true;
  await until(() => isAnswered);
  api.clock.advance(BODY_MILLIS + 5_000);
  await until(() => isReset);
  assert.equal(client.usable, true);
  // Busy until the first look, idle at the second.
  api.clock.advance(2 * IDLE_MILLIS);
  await until(() => isClosed);
});
