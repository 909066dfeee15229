/**
 * SPDY/3.1 from bytes to streams: header blocks of a peer that compresses, frames in pieces,
 * streams between two sessions.
 */
import assert from "node:assert/strict";
import { constants, createDeflate } from "node:zlib";
import { Buffer } from "node:buffer";
import { DICTIONARY } from "./dictionary.ts";
import { formatControl, formatData, FrameReader, PING, SpdyError } from "./frames.ts";
import { HeaderReader, HeaderWriter } from "./header_block.ts";
import { linkPair } from "./link_pair.ts";
import { SpdySession } from "./session.ts";
import { encode, readAll, write } from "./testing.ts";

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
