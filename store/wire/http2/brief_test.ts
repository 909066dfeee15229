/**
 * Requests without a stream object.
 * In: frames of a client in every order that matters. Out: answers by id, or an ordinary stream.
 * Never: opens a socket.
 */
import assert from "node:assert/strict";
import type { BriefStreams } from "./brief.ts";
import { Http2Connection } from "./connection.ts";
import {
  CLIENT_PREFACE,
  ErrorCode,
  Flag,
  FrameType,
  OutputBuffer,
  readUint24,
  readUint31,
  Setting,
  writeFrameHeader,
  writeHeaders,
  writeRstStream,
  writeSettings,
  writeWindowUpdate,
} from "./frames.ts";
import { encodeStateless, HpackEncoder } from "./hpack.ts";

const BRIEF = encodeStateless([":method", "POST", ":scheme", "http", ":path", "/brief"]);
const FRAME = {
  head: encodeStateless([":status", "200"]),
  trailers: encodeStateless(["grpc-status", "0"]),
};
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A server that takes bodies starting with `b` without a stream. */
function serve(settings: [number, number][] = []) {
  const taken: { body: string; id: number; streams: BriefStreams }[] = [];
  const opened: { id: number; body: string; resets: number[] }[] = [];
  let isClosing = false;
  const connection = new Http2Connection({
    role: "server",
    now: () => 0,
    onOutput: () => {},
    onClosing: () => isClosing = true,
    onStream: (stream) => {
      const one = { id: stream.id, body: "", resets: [] as number[] };
      opened.push(one);
      stream.onData = (bytes) => one.body += decoder.decode(bytes);
      stream.onEnd = () => stream.respondWhole(FRAME.head, encoder.encode("o"), FRAME.trailers);
      stream.onReset = (code) => one.resets.push(code);
    },
    briefOf: ({ path }) =>
      path !== "/brief" ? null : {
        accepts: (bytes, start) => bytes[start] === 98,
        run: (bytes, start, end, streams, id) =>
          void taken.push({ body: decoder.decode(bytes.subarray(start, end)), id, streams }),
      },
  });
  const send = (write: (out: OutputBuffer) => void): string[] => {
    const out = new OutputBuffer();
    write(out);
    connection.receive(out.copy());
    return output();
  };
  const output = (): string[] => {
    const said: string[] = [];
    for (;;) {
      const bytes = connection.takeOutput();
      if (bytes.length === 0) return said;
      for (let at = 0; at < bytes.length; at += 9 + readUint24(bytes, at)) {
        said.push(`${readUint31(bytes, at + 5)}:${bytes[at + 3]}:${bytes[at + 4]}`);
      }
    }
  };
  send((out) => {
    out.append(CLIENT_PREFACE);
    writeSettings(out, settings);
  });
  const answer = (index: number, text = "answer") => {
    const { id, streams } = taken[index];
    const body = encoder.encode(text);
    streams.answer(id, FRAME, body, body.length);
    return output();
  };
  return { answer, connection, opened, send, taken, isClosing: () => isClosing };
}

const head = (out: OutputBuffer, id: number, endStream = false) =>
  writeHeaders(out, BRIEF, id, { endStream, maxFrameSize: 16384 });

function data(out: OutputBuffer, id: number, text: string, flags: number = Flag.endStream): void {
  writeFrameHeader(out, text.length, FrameType.data, flags, id);
  out.append(encoder.encode(text));
}

const whole = (out: OutputBuffer, id: number) => {
  head(out, id);
  data(out, id, `b${id}`);
};

/** Frames of one answer: head, data, trailers that end the stream. */
const answered = (id: number) => [`${id}:1:4`, `${id}:0:0`, `${id}:1:5`];

Deno.test("whole requests are taken without a stream and answered in any order", () => {
  const server = serve();
  server.send((out) => {
    for (const id of [1, 3, 5]) head(out, id);
    for (const id of [3, 1, 5]) data(out, id, `b${id}`);
  });
  assert.deepEqual(server.taken.map(({ body }) => body), ["b3", "b1", "b5"]);
  assert.equal(server.connection.streamCount, 3);
  assert.deepEqual(server.answer(1), answered(1));
  assert.deepEqual(server.answer(0), answered(3));
  assert.deepEqual(server.answer(2), answered(5));
  assert.equal(server.connection.streamCount, 0);
  assert.deepEqual(server.opened, []);
});

Deno.test("a body in pieces, or one the handler does not take, goes the ordinary way", () => {
  const server = serve();
  const said = server.send((out) => {
    head(out, 1);
    data(out, 1, "b", 0);
    data(out, 1, "c");
    head(out, 3);
    data(out, 3, "other");
    head(out, 5, true);
  });
  assert.deepEqual(server.taken, []);
  assert.deepEqual(server.opened.map(({ id, body }) => [id, body]), [[1, "bc"], [3, "other"], [
    5,
    "",
  ]]);
  assert.deepEqual(said, [...answered(1), ...answered(3), ...answered(5)]);
});

Deno.test("an answer beyond the window waits for it", () => {
  const server = serve([[Setting.initialWindowSize, 4]]);
  server.send((out) => whole(out, 1));
  assert.deepEqual(server.answer(0, "123456"), ["1:1:4", "1:0:0"]);
  assert.deepEqual(server.send((out) => writeWindowUpdate(out, 1, 2)), ["1:0:0", "1:1:5"]);
  assert.equal(server.connection.streamCount, 0);
});

Deno.test("a window opened before the answer counts", () => {
  const server = serve([[Setting.initialWindowSize, 4]]);
  server.send((out) => whole(out, 1));
  server.send((out) => writeWindowUpdate(out, 1, 2));
  assert.deepEqual(server.answer(0, "123456"), answered(1));
});

Deno.test("after a reset nothing is answered, before the body and after it", () => {
  const server = serve();
  server.send((out) => {
    head(out, 1);
    writeRstStream(out, 1, ErrorCode.cancel);
    whole(out, 3);
    writeRstStream(out, 3, ErrorCode.cancel);
  });
  assert.deepEqual(server.answer(0), []);
  assert.deepEqual(server.opened.map(({ id, resets }) => [id, resets]), [[1, [8]]]);
  assert.equal(server.connection.streamCount, 0);
});

Deno.test("frames after the end of a request are an error of that stream alone", () => {
  const server = serve();
  const said = server.send((out) => {
    whole(out, 1);
    data(out, 1, "more");
    whole(out, 3);
  });
  assert.deepEqual(said, ["1:3:0"]);
  assert.deepEqual(server.answer(0), []);
  assert.deepEqual(server.answer(1), answered(3));
});

Deno.test("a shutdown waits for requests that were taken", () => {
  const server = serve();
  server.send((out) => whole(out, 1));
  server.connection.shutdown();
  server.send((out) => {
    writeFrameHeader(out, 8, FrameType.ping, Flag.ack, 0);
    out.append(Uint8Array.of(0x62, 0x61, 0x6c, 0x73, 0x61, 0x62, 0x79, 0x65));
  });
  assert.equal(server.isClosing(), false);
  assert.deepEqual(server.answer(0), answered(1));
  assert.equal(server.isClosing(), true);
});

Deno.test("requests that differ in their time alone share a handler, and keep their own time", () => {
  const asked: string[] = [];
  const ran: string[] = [];
  let opened = 0;
  const connection = new Http2Connection({
    role: "server",
    now: () => 0,
    onOutput: () => {},
    onClosing: () => {},
    onStream: () => void opened++,
    briefOf: ({ path }) => {
      asked.push(path);
      return {
        accepts: () => true,
        run: (_bytes, _start, _end, _streams, _id, headers) => {
          const { fields, path } = headers;
          const time = headers.get("grpc-timeout") ?? "";
          assert.equal(fields[fields.indexOf("grpc-timeout") + 1], time);
          ran.push(`${path} ${time} ${headers.get("token")}`);
        },
      };
    },
  });
  const encoder = new HpackEncoder();
  let id = 1;
  const send = (path: string, timeout: string, token: string) => {
    const head = new OutputBuffer();
    const fields = [":method", "POST", ":scheme", "http", ":path", path, "grpc-timeout", timeout];
    for (let i = 0; i < fields.length; i += 2) encoder.field(head, fields[i], fields[i + 1]);
    encoder.field(head, "token", token);
    const out = new OutputBuffer();
    if (id === 1) out.append(CLIENT_PREFACE);
    if (id === 1) writeSettings(out, []);
    const block = head.bytes.subarray(0, head.length);
    writeHeaders(out, block, id, { endStream: false, maxFrameSize: 16384 });
    writeFrameHeader(out, 1, FrameType.data, Flag.endStream, id);
    out.appendByte(98);
    id += 2;
    connection.receive(out.copy());
  };
  for (let i = 0; i < 200; i++) send(i % 3 === 0 ? "/a" : "/b", `${4_999_999 - i}u`, `t${i % 2}`);
  assert.equal(ran.length, 200);
  assert.deepEqual(ran.slice(0, 2), ["/a 4999999u t0", "/b 4999998u t1"]);
  assert.equal(ran[199], "/b 4999800u t1");
  assert.equal(asked.length, 4);
  // What might need a look is looked at: such a value makes a malformed request.
  send("/a", " 5S", "t0");
  assert.equal(ran.length, 200);
  assert.equal(opened, 0);
});
