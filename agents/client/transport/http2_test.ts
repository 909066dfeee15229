/** HTTP/2 of the client: shared connections, refusals, GOAWAY, deadlines, slow readers. */
import assert from "node:assert/strict";
import { ErrorCode } from "../../../store/wire/http2/frames.ts";
import { Http2Server } from "../../../store/wire/http2/server.ts";
import type { Http2Stream } from "../../../store/wire/http2/stream.ts";
import { type Identities, makeIdentities } from "../../../tests/fakes/https_api.ts";
import { ManualClock } from "../../../tests/fakes/manual_clock.ts";
import { ApiError } from "../../api/status.ts";
import { Http2Transport } from "./http2.ts";

interface World {
  readonly transport: Http2Transport;
  readonly server: Http2Server;
  readonly port: number;
  /** Requests so far that were not for `/at-once`, oldest first. */
  readonly streams: Http2Stream[];
}

const identities = makeIdentities();
const encoder = new TextEncoder();

/** A server whose answers the test gives by hand, and a transport to it. */
async function withServer(
  test: (world: World) => Promise<void>,
  options: {
    readonly maxConcurrentStreams?: number;
    readonly clock?: ManualClock;
    readonly timeoutMillis?: number;
  } = {},
): Promise<void> {
  const { ca, server: pair }: Identities = await identities;
  const { clock, timeoutMillis, maxConcurrentStreams } = options;
  const streams: Http2Stream[] = [];
  const server = new Http2Server({
    now: () => performance.now(),
    maxConcurrentStreams,
    onStream: (stream) => {
      if (stream.path === "/at-once") reply(stream, "first server");
      else streams.push(stream);
    },
  });
  const { port } = await server.listenTls({ hostname: "127.0.0.1", port: 0 }, pair);
  const transport = new Http2Transport(
    { server: `https://127.0.0.1:${port}`, ca, timeoutMillis },
    clock && { now: () => clock.nowMillis(), after: (delay, action) => clock.after(delay, action) },
  );
  try {
    await test({ transport, server, port, streams });
  } finally {
    transport.close();
    await server.shutdown(0);
  }
}

function reply(stream: Http2Stream, value: unknown): void {
  stream.respond(200, ["content-type", "application/json"]);
  stream.end(encoder.encode(JSON.stringify(value)));
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

const get = (path: string) => ({ method: "GET", path });

function isUnavailable(error: unknown): boolean {
  return error instanceof ApiError && error.code === 503;
}

Deno.test("http2 transport: requests share a connection and are answered in any order", () =>
  withServer(async ({ transport, server, streams }) => {
    const answers = Array.from({ length: 50 }, (_, i) => transport.send(get(`/${i}`)));
    await until(() => streams.length === 50);
    for (const stream of [...streams].reverse()) reply(stream, stream.path);
    assert.deepEqual(await Promise.all(answers), Array.from({ length: 50 }, (_, i) => `/${i}`));
    assert.equal(server.connectionCount, 1);
  }));

Deno.test("http2 transport: a full connection gets a companion", () =>
  withServer(async ({ transport, server, streams }) => {
    // The first answer shows that the server's settings have arrived.
    const first = transport.send(get("/first"));
    await until(() => streams.length === 1);
    reply(streams[0], {});
    await first;
    const answers = Array.from({ length: 5 }, (_, i) => transport.send(get(`/${i}`)));
    await until(() => streams.length === 6);
    assert.equal(server.connectionCount, 3);
    for (const stream of streams) reply(stream, {});
    await Promise.all(answers);
  }, { maxConcurrentStreams: 2 }));

Deno.test("http2 transport: what the server refused unseen is offered again, else nothing", () =>
  withServer(async ({ transport, streams }) => {
    const create = { method: "POST", path: "/", body: { a: 1 } };
    const refused = transport.send(create);
    await until(() => streams.length === 1);
    streams[0].reset(ErrorCode.refusedStream);
    await until(() => streams.length === 2);
    reply(streams[1], "second");
    assert.equal(await refused, "second");

    const broken = transport.send(create);
    await until(() => streams.length === 3);
    streams[2].reset(ErrorCode.internalError);
    await assert.rejects(broken, isUnavailable);
    assert.equal(streams.length, 3);
  }));

Deno.test("http2 transport: after GOAWAY open requests end, new ones dial again", () =>
  withServer(async ({ transport, server, port, streams }) => {
    const open = transport.send(get("/open"));
    await until(() => streams.length === 1);
    const ended = server.shutdown(10_000);
    const successor = new Http2Server({
      now: () => performance.now(),
      onStream: (stream) => reply(stream, "second server"),
    });
    const { server: pair } = await identities;
    await successor.listenTls({ hostname: "127.0.0.1", port }, pair);
    // Until GOAWAY has arrived the first server still takes requests.
    while (await transport.send(get("/at-once")) !== "second server");
    reply(streams[0], "open");
    assert.equal(await open, "open");
    await ended;
    assert.equal(await transport.send(get("/at-once")), "second server");
    await successor.shutdown(0);
  }));

Deno.test("http2 transport: a request without an answer in time fails alone", async () => {
  const clock = new ManualClock();
  await withServer(async ({ transport, server, streams }) => {
    const late = transport.send(get("/late"));
    const rejected = assert.rejects(late, isUnavailable);
    await until(() => streams.length === 1);
    const resets: number[] = [];
    streams[0].onReset = (code) => void resets.push(code);
    await clock.advance(600);
    const inTime = transport.send(get("/in-time"));
    await until(() => streams.length === 2);
    await clock.advance(500);
    await rejected;
    await until(() => resets.length === 1);
    assert.deepEqual(resets, [ErrorCode.cancel]);
    reply(streams[1], "in time");
    assert.equal(await inTime, "in time");
    assert.equal(server.connectionCount, 1);
  }, { clock, timeoutMillis: 1000 });
});

Deno.test("http2 transport: a slow reader of a watch stops the server, and loses nothing", () =>
  withServer(async ({ transport, streams }) => {
    const starting = transport.watch("/watch");
    await until(() => streams.length === 1);
    const [stream] = streams;
    stream.respond(200);
    const watch = await starting;
    const padding = "x".repeat(10_000);
    let sent = 0;
    const send = () => {
      const object = { metadata: { name: String(sent), annotations: { padding } } };
      return stream.write(encoder.encode(`${JSON.stringify({ type: "ADDED", object })}\n`));
    };
    // Each batch of the pipe is one event here: more than it holds, more than the window takes.
    for (let isTaken = true; isTaken; sent++) {
      isTaken = send();
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    assert.ok(sent < 500, `${sent} events of 10 kB for a reader that takes none`);
    stream.end();
    const names: string[] = [];
    for await (const batch of watch) {
      names.push(...batch.map(({ object }) => object.metadata.name!));
    }
    assert.deepEqual(names, Array.from({ length: sent }, (_, i) => String(i)));
  }));

Deno.test("http2 transport: a closed watch cancels its stream; a lost one says so", () =>
  withServer(async ({ transport, streams }) => {
    const [left, lost] = [transport.watch("/left"), transport.watch("/lost")];
    await until(() => streams.length === 2);
    for (const stream of streams) stream.respond(200);
    const resets: number[] = [];
    streams[0].onReset = (code) => void resets.push(code);
    (await left).close();
    await until(() => resets.length === 1);
    const reading = (async () => {
      for await (const _ of await lost);
    })();
    streams[1].reset(ErrorCode.internalError);
    await assert.rejects(reading, isUnavailable);
  }));
