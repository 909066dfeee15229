/**
 * SPDY/3.1 from bytes to port-forward: header blocks of a peer that compresses, frames in pieces,
 * streams between two sessions, pairs and refusals.
 */
import assert from "node:assert/strict";
import { constants, createDeflate } from "node:zlib";
import { Buffer } from "node:buffer";
import type { ByteDuplex } from "../../ports.ts";
import { DICTIONARY } from "./dictionary.ts";
import { openSpdyExec } from "./exec_streams.ts";
import { formatControl, formatData, FrameReader, PING, SpdyError } from "./frames.ts";
import { HeaderReader, HeaderWriter } from "./header_block.ts";
import { servePortForward } from "./port_forward.ts";
import { type Link, SpdySession, type SpdyStream } from "./session.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const noTimer = () => () => {};

async function readAll(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const bytes of stream) text += decode(bytes);
  return text;
}

async function write(stream: SpdyStream, text: string): Promise<void> {
  const writer = stream.writable.getWriter();
  await writer.write(encode(text));
  await writer.close();
}

/** Two ends of one connection; bytes travel in pieces of five. */
function linkPair(): [Link, Link] {
  const pipes = [new TransformStream<Uint8Array>(), new TransformStream<Uint8Array>()];
  const end = (
    incoming: ReadableStream<Uint8Array>,
    outgoing: WritableStream<Uint8Array>,
  ): Link => {
    const writer = outgoing.getWriter();
    let last: Promise<void> = Promise.resolve();
    return {
      incoming,
      write(bytes) {
        const pieces: Uint8Array[] = [];
        for (let at = 0; at < bytes.length; at += 5) pieces.push(bytes.slice(at, at + 5));
        last = Promise.all(pieces.map((piece) => writer.write(piece))).then(() => {});
        return last;
      },
      close: () => void last.catch(() => {}).then(() => writer.close()).catch(() => {}),
    };
  };
  return [
    end(pipes[0].readable, pipes[1].writable),
    end(pipes[1].readable, pipes[0].writable),
  ];
}

Deno.test("header blocks of a compressing peer are read, one after the other", async () => {
  const deflate = createDeflate({ dictionary: Buffer.from(DICTIONARY) });
  const compress = (plain: Uint8Array) =>
    new Promise<Uint8Array>((resolve) => {
      deflate.write(plain);
      deflate.flush(constants.Z_SYNC_FLUSH, () => {
        const chunks: Uint8Array[] = [];
        for (let chunk; (chunk = deflate.read()) !== null;) chunks.push(chunk);
        resolve(Buffer.concat(chunks));
      });
    });
  const pair = (name: string, value: string) => {
    const out = new Uint8Array(12 + name.length + value.length);
    const view = new DataView(out.buffer);
    view.setUint32(0, 1);
    view.setUint32(4, name.length);
    out.set(encode(name), 8);
    view.setUint32(8 + name.length, value.length);
    out.set(encode(value), 12 + name.length);
    return out;
  };
  const reader = new HeaderReader();
  for (const value of ["error", "data", "data"]) {
    const headers = await reader.read(await compress(pair("Streamtype", value)));
    assert.deepEqual([...headers], [["streamtype", value]]);
  }
  reader.close();
  deflate.destroy();
});

Deno.test("header blocks of our own are read back; what is none is refused", async () => {
  const writer = new HeaderWriter();
  const reader = new HeaderReader();
  for (let i = 0; i < 3; i++) {
    const headers = new Map([["port", "80"], ["requestid", String(i)]]);
    assert.deepEqual(await reader.read(writer.write(headers)), headers);
  }
  reader.close();
  await assert.rejects(new HeaderReader().read(encode("not zlib at all")));
});

Deno.test("frames are cut from any pieces; another version is refused", () => {
  const bytes = [formatData(1, encode("hello"), true), formatControl(PING, 0, new Uint8Array(4))];
  const all = new Uint8Array([...bytes[0], ...bytes[1]]);
  for (let size = 1; size <= all.length; size++) {
    const reader = new FrameReader();
    const frames = [];
    for (let at = 0; at < all.length; at += size) {
      frames.push(...reader.push(all.slice(at, at + size)));
    }
    assert.equal(frames.length, 2);
    assert.deepEqual(frames[0], { kind: "data", streamId: 1, fin: true, payload: encode("hello") });
  }
  const wrong = formatControl(PING, 0, new Uint8Array(4));
  wrong[1] = 2;
  assert.throws(() => new FrameReader().push(wrong), SpdyError);
  assert.throws(
    () => new FrameReader().push(Uint8Array.of(0, 0, 0, 1, 0, 255, 255, 255)),
    SpdyError,
  );
});

Deno.test("streams carry bytes both ways and end apart", async () => {
  const [left, right] = linkPair();
  const server = new SpdySession({
    link: left,
    side: "server",
    onStream: (stream) => {
      void stream.readable.pipeTo(stream.writable);
      return stream.headers.get("streamtype") === "echo";
    },
  });
  const client = new SpdySession({ link: right, side: "client", onStream: () => false });
  const streams = [1, 2, 3].map(() => client.open(new Map([["streamtype", "echo"]])));
  const long = "x".repeat(100_000);
  const answers = streams.map((stream) => readAll(stream.readable));
  await Promise.all(streams.map((stream, i) => write(stream, `${i}${long}`)));
  assert.deepEqual(await Promise.all(answers), [`0${long}`, `1${long}`, `2${long}`]);
  const refused = client.open(new Map([["streamtype", "other"]]));
  await assert.rejects(readAll(refused.readable), /reset/);
  client.close();
  await server.done;
});

const upperCase = (): ByteDuplex =>
  new TransformStream<Uint8Array, Uint8Array>({
    transform: (bytes, controller) => controller.enqueue(encode(decode(bytes).toUpperCase())),
  });

function forwarding(connect: (port: number) => Promise<ByteDuplex>): SpdySession {
  const [left, right] = linkPair();
  servePortForward({ link: left, connect, pod: { name: "p", uid: "u" }, after: noTimer });
  return new SpdySession({ link: right, side: "client", onStream: () => false });
}

function openPair(client: SpdySession, port: string, requestid: string) {
  const open = (streamtype: string) =>
    client.open(new Map(Object.entries({ streamtype, port, requestid })));
  return { error: open("error"), data: open("data") };
}

Deno.test("each pair of streams is a connection to a port", async () => {
  const ports: number[] = [];
  const client = forwarding((port) => {
    ports.push(port);
    return Promise.resolve(upperCase());
  });
  const pairs = [openPair(client, "80", "0"), openPair(client, "8080", "1")];
  const answers = pairs.map(({ data }) => readAll(data.readable));
  await Promise.all(pairs.map(({ data }, i) => write(data, `hello ${i}`)));
  assert.deepEqual(await Promise.all(answers), ["HELLO 0", "HELLO 1"]);
  assert.equal(await readAll(pairs[0].error.readable), "");
  assert.deepEqual(ports, [80, 8080]);
  client.close();
});

Deno.test("a port that refuses is told on the error stream, and the next one works", async () => {
  const client = forwarding((port) =>
    port === 1 ? Promise.reject(new Error("connection refused")) : Promise.resolve(upperCase())
  );
  const bad = openPair(client, "1", "0");
  assert.equal(
    await readAll(bad.error.readable),
    "error forwarding port 1 to pod p, uid u: connection refused",
  );
  const good = openPair(client, "2", "1");
  const answer = readAll(good.data.readable);
  await write(good.data, "x");
  assert.equal(await answer, "X");
  const wrong = openPair(client, "0", "2");
  await assert.rejects(readAll(wrong.data.readable));
  client.close();
});

Deno.test("an exec over SPDY begins when its streams are there and ends with a Status", async () => {
  const [left, right] = linkPair();
  const wanted = { stdin: true, stdout: true, stderr: true, tty: false };
  const opened = openSpdyExec({ link: left, wanted, after: noTimer });
  const client = new SpdySession({ link: right, side: "client", onStream: () => false });
  const streams = Object.fromEntries(
    ["error", "stdin", "stdout", "stderr"].map((name) => [
      name,
      client.open(new Map([["streamtype", name]])),
    ]),
  );
  const session = await opened;
  void session.streams.stdin!.pipeTo(session.streams.stdout!);
  const out = readAll(streams.stdout.readable);
  await write(streams.stdin, "typed");
  assert.equal(await out, "typed");
  session.finish({ kind: "exited", exitCode: 3 });
  const status = JSON.parse(await readAll(streams.error.readable));
  assert.deepEqual(status.details.causes, [{ reason: "ExitCode", message: "3" }]);
});

Deno.test("an exec whose client goes before its streams came fails", async () => {
  const [left, right] = linkPair();
  const wanted = { stdin: true, stdout: true, stderr: false, tty: false };
  const opened = openSpdyExec({ link: left, wanted, after: noTimer });
  right.close();
  await assert.rejects(opened, /went away/);
});
