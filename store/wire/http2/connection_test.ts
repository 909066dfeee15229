/** The HTTP/2 connection: streams, windows, settings, errors, floods. */
import assert from "node:assert/strict";
import { Http2Connection } from "./connection.ts";
import type { CloseReason } from "./connection_options.ts";
import {
  CLIENT_PREFACE,
  ErrorCode,
  Flag,
  FrameType,
  OutputBuffer,
  readUint24,
  readUint31,
  readUint32,
  Setting,
  writeFrameHeader,
  writeHeaders,
  writePing,
  writeRstStream,
  writeSettings,
  writeWindowUpdate,
} from "./frames.ts";
import { encodeStateless } from "./hpack.ts";
import type { Http2Stream } from "./stream.ts";

const GET = encodeStateless([":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a"]);
const POST = encodeStateless([":method", "POST", ":scheme", "http", ":path", "/x"]);

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Uint8Array;
}

function framesOf(bytes: Uint8Array): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 9 + readUint24(bytes, at);
    frames.push({
      type: bytes[at + 3],
      flags: bytes[at + 4],
      streamId: readUint31(bytes, at + 5),
      payload: bytes.slice(at + 9, end),
    });
    at = end;
  }
  return frames;
}

/** A server connection whose clock stands still, and a recorder of what it says. */
class Bench {
  readonly streams: Http2Stream[] = [];
  readonly bodies: string[] = [];
  readonly resets: number[] = [];
  ended = 0;
  reason: CloseReason | null = null;
  nowMillis = 0;
  readonly connection: Http2Connection;

  constructor(options: { maxConcurrentStreams?: number; streamWindow?: number } = {}) {
    this.connection = new Http2Connection({
      role: "server",
      now: () => this.nowMillis,
      onOutput: () => {},
      onClosing: (reason) => this.reason = reason,
      onStream: (stream) => {
        this.streams.push(stream);
        stream.onData = (bytes) => this.bodies.push(new TextDecoder().decode(bytes));
        stream.onEnd = () => this.ended++;
        stream.onReset = (code) => this.resets.push(code);
      },
      ...options,
    });
  }

  send(write: (out: OutputBuffer) => void): Frame[] {
    const out = new OutputBuffer();
    write(out);
    this.connection.receive(out.copy());
    return this.output();
  }

  output(): Frame[] {
    const all: Frame[] = [];
    for (;;) {
      const chunk = this.connection.takeOutput();
      if (chunk.length === 0) return all;
      all.push(...framesOf(chunk));
    }
  }

  open(settings: [number, number][] = []): this {
    this.send((out) => {
      out.append(CLIENT_PREFACE);
      writeSettings(out, settings);
    });
    return this;
  }

  get(streamId: number): Frame[] {
    return this.send((out) =>
      writeHeaders(out, GET, streamId, { endStream: true, maxFrameSize: 16384 })
    );
  }
}

function raw(
  out: OutputBuffer,
  frame: { type: number; flags?: number; streamId?: number; payload?: Uint8Array },
): void {
  const payload = frame.payload ?? new Uint8Array(0);
  writeFrameHeader(out, payload.length, frame.type, frame.flags ?? 0, frame.streamId ?? 0);
  out.append(payload);
}

const post = (out: OutputBuffer, streamId: number) =>
  writeHeaders(out, POST, streamId, { endStream: false, maxFrameSize: 16384 });

Deno.test("a request is answered, byte by byte as well as at once", () => {
  for (const chunk of [1, 7, 100000]) {
    const bench = new Bench();
    const out = new OutputBuffer();
    out.append(CLIENT_PREFACE);
    writeSettings(out, []);
    post(out, 1);
    raw(out, { type: FrameType.data, streamId: 1, flags: 1, payload: new Uint8Array([104, 105]) });
    const bytes = out.copy();
    for (let at = 0; at < bytes.length; at += chunk) {
      bench.connection.receive(bytes.slice(at, at + chunk));
    }
    assert.equal(bench.bodies.join(""), "hi");
    assert.equal(bench.ended, 1);
    bench.streams[0].respond(200, ["content-type", "text/plain"]);
    bench.streams[0].end(new Uint8Array([111, 107]));
    const frames = bench.output().filter((frame) => frame.streamId === 1);
    assert.deepEqual(frames.map((frame) => [frame.type, frame.flags]), [
      [FrameType.headers, Flag.endHeaders],
      [FrameType.data, Flag.endStream],
    ]);
    assert.equal(bench.connection.streamCount, 0);
  }
});

const connectionErrors: [string, number, (out: OutputBuffer) => void][] = [
  ["DATA on stream 0", 1, (out) => raw(out, { type: 0 })],
  ["DATA on an idle stream", 1, (out) => raw(out, { type: 0, streamId: 5 })],
  ["HEADERS on stream 0", 1, (out) => raw(out, { type: 1, flags: 4, payload: GET })],
  [
    "HEADERS on an even stream",
    1,
    (out) => raw(out, { type: 1, flags: 5, streamId: 2, payload: GET }),
  ],
  ["RST_STREAM on an idle stream", 1, (out) => writeRstStream(out, 9, 8)],
  [
    "RST_STREAM of 3 bytes",
    6,
    (out) => raw(out, { type: 3, streamId: 1, payload: new Uint8Array(3) }),
  ],
  ["SETTINGS on a stream", 1, (out) => raw(out, { type: 4, streamId: 1 })],
  ["SETTINGS of 5 bytes", 6, (out) => raw(out, { type: 4, payload: new Uint8Array(5) })],
  [
    "SETTINGS ACK with a payload",
    6,
    (out) => raw(out, { type: 4, flags: 1, payload: new Uint8Array(6) }),
  ],
  ["ENABLE_PUSH of 2", 1, (out) => writeSettings(out, [[Setting.enablePush, 2]])],
  [
    "initial window above 2^31-1",
    3,
    (out) => writeSettings(out, [[Setting.initialWindowSize, 0x80000000]]),
  ],
  ["max frame size below 16384", 1, (out) => writeSettings(out, [[Setting.maxFrameSize, 16383]])],
  [
    "max frame size above 2^24-1",
    1,
    (out) => writeSettings(out, [[Setting.maxFrameSize, 16777216]]),
  ],
  ["PUSH_PROMISE", 1, (out) => raw(out, { type: 5, streamId: 1, payload: new Uint8Array(4) })],
  ["PING on a stream", 1, (out) => raw(out, { type: 6, streamId: 1, payload: new Uint8Array(8) })],
  ["PING of 6 bytes", 6, (out) => raw(out, { type: 6, payload: new Uint8Array(6) })],
  [
    "GOAWAY on a stream",
    1,
    (out) => raw(out, { type: 7, streamId: 1, payload: new Uint8Array(8) }),
  ],
  ["WINDOW_UPDATE of 0 on the connection", 1, (out) => writeWindowUpdate(out, 0, 0)],
  ["WINDOW_UPDATE of 3 bytes", 6, (out) => raw(out, { type: 8, payload: new Uint8Array(3) })],
  ["WINDOW_UPDATE on an idle stream", 1, (out) => writeWindowUpdate(out, 7, 1)],
  ["connection window overflow", 3, (out) => writeWindowUpdate(out, 0, 0x7fffffff)],
  ["CONTINUATION without HEADERS", 1, (out) => raw(out, { type: 9, flags: 4, streamId: 1 })],
  ["a frame between HEADERS and CONTINUATION", 1, (out) => {
    raw(out, { type: 1, streamId: 1, payload: GET });
    writePing(out, false, new Uint8Array(8));
  }],
  ["CONTINUATION of another stream", 1, (out) => {
    raw(out, { type: 1, streamId: 1, payload: GET.slice(0, 2) });
    raw(out, { type: 9, flags: 4, streamId: 3, payload: GET.slice(2) });
  }],
  ["PRIORITY on stream 0", 1, (out) => raw(out, { type: 2, payload: new Uint8Array(5) })],
  [
    "PRIORITY of 4 bytes",
    6,
    (out) => raw(out, { type: 2, streamId: 1, payload: new Uint8Array(4) }),
  ],
  ["padding longer than DATA", 1, (out) => {
    post(out, 1);
    raw(out, { type: 0, flags: 8, streamId: 1, payload: new Uint8Array([9, 1, 2]) });
  }],
  [
    "padding longer than HEADERS",
    1,
    (out) => raw(out, { type: 1, flags: 12, streamId: 1, payload: new Uint8Array([250, 1, 2]) }),
  ],
  [
    "an undecodable block",
    9,
    (out) =>
      raw(out, { type: 1, flags: 5, streamId: 1, payload: new Uint8Array([0xff, 0xff, 0xff]) }),
  ],
  ["a frame larger than announced", 6, (out) => writeFrameHeader(out, 16385, FrameType.data, 0, 1)],
  ["HEADERS on a closed stream", 5, (out) => {
    raw(out, { type: 1, flags: 5, streamId: 7, payload: GET });
    raw(out, { type: 1, flags: 5, streamId: 3, payload: GET });
  }],
];

for (const [name, code, write] of connectionErrors) {
  Deno.test(`connection error: ${name}`, () => {
    const bench = new Bench().open();
    const frames = bench.send(write);
    const goAway = frames.find((frame) => frame.type === FrameType.goAway);
    assert.ok(goAway, "GOAWAY expected");
    assert.equal(readUint32(goAway.payload, 4), code);
    assert.equal(bench.reason?.code, code);
    assert.ok(bench.connection.closed);
  });
}

const upper = encodeStateless([":method", "GET", ":scheme", "http", ":path", "/", "X-Up", "1"]);
const late = encodeStateless([":method", "GET", ":scheme", "http", "a", "b", ":path", "/"]);
const streamErrors: [string, number, (out: OutputBuffer) => void][] = [
  ["an upper-case name", 1, (out) => raw(out, { type: 1, flags: 5, streamId: 1, payload: upper })],
  ["a late pseudo-header", 1, (out) => raw(out, { type: 1, flags: 5, streamId: 1, payload: late })],
  ["a request without a path", 1, (out) =>
    raw(out, {
      type: 1,
      flags: 5,
      streamId: 1,
      payload: encodeStateless([":method", "GET", ":scheme", "http"]),
    })],
  ["a connection-specific field", 1, (out) =>
    raw(out, {
      type: 1,
      flags: 5,
      streamId: 1,
      payload: encodeStateless([
        ":method",
        "GET",
        ":scheme",
        "http",
        ":path",
        "/",
        "connection",
        "close",
      ]),
    })],
  ["WINDOW_UPDATE of 0 on a stream", 1, (out) => {
    post(out, 1);
    writeWindowUpdate(out, 1, 0);
  }],
  ["stream window overflow", 3, (out) => {
    post(out, 1);
    writeWindowUpdate(out, 1, 0x7fffffff);
  }],
  ["DATA after the end", 5, (out) => {
    writeHeaders(out, GET, 1, { endStream: true, maxFrameSize: 16384 });
    raw(out, { type: 0, streamId: 1, payload: new Uint8Array(1) });
  }],
  ["HEADERS after the end", 5, (out) => {
    writeHeaders(out, GET, 1, { endStream: true, maxFrameSize: 16384 });
    writeHeaders(out, GET, 1, { endStream: true, maxFrameSize: 16384 });
  }],
  ["trailers without END_STREAM", 1, (out) => {
    post(out, 1);
    raw(out, { type: 1, flags: 4, streamId: 1, payload: encodeStateless(["a", "b"]) });
  }],
  ["content-length that does not match", 1, (out) => {
    const head = encodeStateless([
      ":method",
      "POST",
      ":scheme",
      "http",
      ":path",
      "/",
      "content-length",
      "5",
    ]);
    writeHeaders(out, head, 1, { endStream: false, maxFrameSize: 16384 });
    raw(out, { type: 0, flags: 1, streamId: 1, payload: new Uint8Array(2) });
  }],
];

for (const [name, code, write] of streamErrors) {
  Deno.test(`stream error: ${name}`, () => {
    const bench = new Bench().open();
    const frames = bench.send(write);
    const reset = frames.find((frame) => frame.type === FrameType.rstStream);
    assert.ok(reset, "RST_STREAM expected");
    assert.equal(readUint32(reset.payload, 0), code);
    assert.ok(!bench.connection.closed);
    bench.get(9);
    assert.ok(bench.streams.some((stream) => stream.id === 9), "the connection goes on");
  });
}

Deno.test("a bad preface ends the connection", () => {
  const bench = new Bench();
  bench.connection.receive(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
  assert.equal(bench.reason?.code, ErrorCode.protocolError);
});

Deno.test("data waits for the stream window and then for the connection window", () => {
  const bench = new Bench().open([[Setting.initialWindowSize, 10]]);
  bench.get(1);
  bench.streams[0].respond(200);
  bench.streams[0].write(new Uint8Array(25));
  bench.streams[0].end(new Uint8Array(5));
  const sizes = (frames: Frame[]) =>
    frames.filter((frame) => frame.type === FrameType.data).map((frame) => frame.payload.length);
  assert.deepEqual(sizes(bench.output()), [10]);
  assert.deepEqual(sizes(bench.send((out) => writeWindowUpdate(out, 1, 7))), [7]);
  const rest = bench.send((out) => writeSettings(out, [[Setting.initialWindowSize, 100]]));
  assert.deepEqual(sizes(rest), [13]);
  assert.equal(bench.connection.streamCount, 0);

  bench.get(3);
  bench.send((out) => writeWindowUpdate(out, 3, 1 << 20));
  bench.streams[1].respond(200);
  bench.streams[1].end(new Uint8Array(100000));
  const sum = (list: number[]) => list.reduce((a, b) => a + b, 0);
  assert.equal(sum(sizes(bench.output())), 65535 - 30);
  assert.equal(sum(sizes(bench.send((out) => writeWindowUpdate(out, 0, 1 << 20)))), 34495);
});

Deno.test("a lowered initial window may turn negative and blocks until it is positive", () => {
  const bench = new Bench().open([[Setting.initialWindowSize, 10]]);
  bench.get(1);
  bench.streams[0].respond(200);
  bench.streams[0].write(new Uint8Array(10));
  bench.output();
  bench.send((out) => writeSettings(out, [[Setting.initialWindowSize, 0]]));
  bench.streams[0].write(new Uint8Array(4));
  assert.equal(bench.output().length, 0);
  assert.equal(bench.send((out) => writeWindowUpdate(out, 1, 10)).length, 0);
  assert.equal(bench.send((out) => writeWindowUpdate(out, 1, 4))[0].payload.length, 4);
});

Deno.test("write says when to wait and onDrain when to go on", () => {
  const bench = new Bench().open();
  bench.get(1);
  const stream = bench.streams[0];
  stream.respond(200);
  let drained = 0;
  stream.onDrain = () => drained++;
  assert.equal(stream.write(new Uint8Array(65535)), true);
  assert.equal(stream.write(new Uint8Array(65537)), false);
  bench.send((out) => writeWindowUpdate(out, 0, 1 << 20));
  assert.equal(drained, 0);
  bench.send((out) => writeWindowUpdate(out, 1, 1 << 20));
  assert.equal(drained, 1);
});

Deno.test("received data is credited, by the user when it asks for that", () => {
  const bench = new Bench({ streamWindow: 100 }).open();
  bench.send((out) => post(out, 1));
  bench.streams[0].manualCredit = true;
  const data = (out: OutputBuffer) =>
    raw(out, { type: 0, streamId: 1, payload: new Uint8Array(60) });
  assert.deepEqual(bench.send(data), []);
  bench.streams[0].credit(60);
  assert.deepEqual(bench.output().map((frame) => [frame.type, frame.streamId]), [[8, 1]]);
  assert.deepEqual(bench.send(data), []);
  assert.equal(bench.send(data)[0].type, FrameType.rstStream, "window exceeded");
});

const floods: [string, (out: OutputBuffer, i: number) => void][] = [
  ["ping", (out) => writePing(out, false, new Uint8Array(8))],
  ["settings", (out) => writeSettings(out, [])],
  ["rapid reset", (out, i) => {
    writeHeaders(out, GET, 3 + 2 * i, { endStream: true, maxFrameSize: 16384 });
    writeRstStream(out, 3 + 2 * i, ErrorCode.cancel);
  }],
  ["empty DATA", (out) => raw(out, { type: 0, streamId: 1 })],
  ["priority", (out) => raw(out, { type: 2, streamId: 1, payload: new Uint8Array(5) })],
];

for (const [name, write] of floods) {
  Deno.test(`flood refused: ${name}`, () => {
    const bench = new Bench().open();
    bench.send((out) => post(out, 1));
    for (let i = 0; i < 1002 && !bench.connection.closed; i++) bench.send((out) => write(out, i));
    assert.equal(bench.reason?.code, ErrorCode.enhanceYourCalm);
  });
}

Deno.test("a ping a second goes on for ever", () => {
  const bench = new Bench().open();
  for (let i = 0; i < 5000; i++) {
    bench.nowMillis += 1000;
    bench.send((out) => writePing(out, false, new Uint8Array(8)));
  }
  assert.ok(!bench.connection.closed);
});

Deno.test("flood refused: endless CONTINUATION", () => {
  const bench = new Bench().open();
  bench.send((out) => raw(out, { type: 1, streamId: 1, payload: GET }));
  for (let i = 0; i < 200 && !bench.connection.closed; i++) {
    bench.send((out) => raw(out, { type: 9, streamId: 1 }));
  }
  assert.equal(bench.reason?.code, ErrorCode.enhanceYourCalm);
});

Deno.test("streams beyond the limit are refused, and headers beyond it answered 431", () => {
  const bench = new Bench({ maxConcurrentStreams: 1 }).open();
  bench.get(1);
  const refused = bench.get(3).find((frame) => frame.type === FrameType.rstStream);
  assert.equal(readUint32(refused!.payload, 0), ErrorCode.refusedStream);

  const other = new Bench().open();
  const long = encodeStateless([
    ...[":method", "GET", ":scheme", "http", ":path", "/"],
    ...["a", "x".repeat(70000)],
  ]);
  const frames = other.send((out) =>
    writeHeaders(out, long, 1, { endStream: true, maxFrameSize: 16384 })
  );
  assert.equal(frames.some((frame) => frame.type === FrameType.headers), true);
  assert.equal(other.streams.length, 0);
});

Deno.test("shutdown lets open streams end and refuses later ones", () => {
  const bench = new Bench().open();
  bench.get(1);
  bench.connection.shutdown();
  const [goAway, ping] = bench.output();
  assert.equal(readUint31(goAway.payload, 0), 0x7fffffff);
  bench.get(3);
  bench.send((out) => writePing(out, true, ping.payload));
  bench.get(5);
  assert.deepEqual(bench.streams.map((stream) => stream.id), [1, 3]);
  for (const stream of bench.streams) stream.respond(200, [], true);
  assert.equal(bench.reason?.code, ErrorCode.noError);
});

Deno.test("an answer before the end of the request resets without an error", () => {
  const bench = new Bench().open();
  bench.send((out) => post(out, 1));
  bench.streams[0].respond(413, [], true);
  const frames = bench.output();
  assert.equal(frames[1].type, FrameType.rstStream);
  assert.equal(readUint32(frames[1].payload, 0), ErrorCode.noError);
  const late = bench.send((out) =>
    raw(out, { type: 0, flags: 1, streamId: 1, payload: new Uint8Array(3) })
  );
  assert.deepEqual(late, []);
});

Deno.test("a client and a server connection talk", () => {
  const server = new Bench();
  let answer = "";
  let ended = false;
  const client = new Http2Connection({
    role: "client",
    now: () => 0,
    onOutput: () => {},
    onClosing: () => {},
  });
  const exchange = () => {
    for (let i = 0; i < 4; i++) {
      server.connection.receive(client.takeOutput().slice());
      client.receive(server.connection.takeOutput().slice());
    }
  };
  const stream = client.request(POST, false);
  stream.onData = (bytes) => answer += new TextDecoder().decode(bytes);
  stream.onEnd = () => ended = true;
  stream.end(new TextEncoder().encode("question"));
  exchange();
  assert.deepEqual(server.bodies, ["question"]);
  server.streams[0].respondWhole(
    encodeStateless([":status", "200"]),
    new TextEncoder().encode("answer"),
    encodeStateless(["grpc-status", "0"]),
  );
  exchange();
  assert.equal(answer, "answer");
  assert.ok(ended);
  assert.equal(stream.trailers?.get("grpc-status"), "0");
  assert.equal(client.streamCount, 0);
});
