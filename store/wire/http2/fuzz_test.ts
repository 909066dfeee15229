/** Random frames and bytes against the connection, with a fixed budget. */
import fc from "fast-check";
import assert from "node:assert/strict";
import { Http2Connection } from "./connection.ts";
import { CLIENT_PREFACE, OutputBuffer, writeFrameHeader, writeSettings } from "./frames.ts";
import { encodeStateless } from "./hpack.ts";

const BLOCK = encodeStateless([":method", "POST", ":scheme", "http", ":path", "/a"]);

const frame = fc.record({
  type: fc.integer({ min: 0, max: 11 }),
  flags: fc.constantFrom(0, 1, 4, 5, 8, 9, 12, 13, 32, 36, 255),
  streamId: fc.constantFrom(0, 1, 2, 3, 5, 7, 9, 0x7fffffff),
  payload: fc.oneof(
    fc.constant(BLOCK),
    fc.constant(new Uint8Array(8)),
    fc.constant(new Uint8Array(4)),
    fc.uint8Array({ maxLength: 40 }),
  ),
});

function serve(chunks: readonly Uint8Array[]): void {
  let pending = 0;
  const connection = new Http2Connection({
    role: "server",
    now: () => 0,
    onOutput: () => {},
    onClosing: () => pending = 0,
    onStream: (stream) => {
      pending++;
      stream.onEnd = () => {
        stream.respond(200, ["content-type", "text/plain"]);
        stream.end(new Uint8Array(100));
      };
      stream.onReset = () => pending--;
    },
  });
  for (const chunk of chunks) {
    connection.receive(chunk);
    while (connection.takeOutput().length > 0);
  }
  connection.disconnected();
  assert.equal(connection.streamCount, 0);
}

Deno.test("frames in any order, cut anywhere, never throw and leave no stream behind", () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 30 }),
      fc.integer({ min: 1, max: 400 }),
      (frames, cut) => {
        const out = new OutputBuffer();
        out.append(CLIENT_PREFACE);
        writeSettings(out, []);
        for (const { type, flags, streamId, payload } of frames) {
          writeFrameHeader(out, payload.length, type, flags, streamId);
          out.append(payload);
        }
        const bytes = out.copy();
        const chunks: Uint8Array[] = [];
        for (let at = 0; at < bytes.length; at += cut) chunks.push(bytes.slice(at, at + cut));
        serve(chunks);
      },
    ),
    { numRuns: 4000 },
  );
});

Deno.test("random bytes never throw", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }), (chunks) => {
      const start = new OutputBuffer();
      start.append(CLIENT_PREFACE);
      writeSettings(start, []);
      serve([start.copy(), ...chunks]);
      serve(chunks);
    }),
    { numRuns: 1000 },
  );
});
