/**
 * HTTP/2 streams to ApiRequests and back.
 * In: a stream of `store/wire/http2`, the user of its connection. Out: an answered stream.
 * Never: holds a body beyond the limit, or writes to a stream whose queue is full.
 */
import type { Http2Stream } from "../../../store/wire/http2/stream.ts";
import { requestEntityTooLarge, unauthorized } from "../../api/status.ts";
import { joinBytes } from "../../api/text/join_bytes.ts";
import type { Face, Peer } from "../listen.ts";
import { BODY_LIMIT_BYTES } from "../verbs/core.ts";
import { BODY_MILLIS } from "./overdue.ts";
import { type Chunks, slabsOf } from "./slabs.ts";
import { type ApiResponse, type ByteStream, errorResponse } from "./message.ts";

/** Answers one stream; returns once its callbacks are set. */
export function serveStream(face: Face, stream: Http2Stream, peer: Peer): void {
  const chunks: Uint8Array[] = [];
  let size = 0;
  stream.onData = (bytes) => {
    size += bytes.length;
    if (size <= BODY_LIMIT_BYTES) chunks.push(bytes.slice());
    else chunks.length = 0;
  };
  const { overdue } = face;
  overdue.expect(stream, BODY_MILLIS, () => stream.reset());
  stream.onReset = () => overdue.settled(stream);
  stream.onEnd = () => {
    overdue.settled(stream);
    answer(face, stream, { peer, body: size > BODY_LIMIT_BYTES ? null : joinBytes(chunks, size) })
      .catch((error) => {
        face.log("debug", "response failed", { error: String(error) });
        stream.reset();
      });
  };
}

async function answer(
  face: Face,
  stream: Http2Stream,
  parts: { readonly peer: Peer; readonly body: Uint8Array | null },
): Promise<void> {
  const { peer } = parts;
  const mark = stream.path.indexOf("?");
  const head = {
    method: stream.method,
    path: mark < 0 ? stream.path : stream.path.slice(0, mark),
    query: mark < 0 ? "" : stream.path.slice(mark + 1),
    header: (name: string) => stream.headers.get(name) ?? undefined,
    fields: () => stream.headers.fields,
    remoteAddress: peer.address,
  };
  const pending = face.who(peer.user, head.header("authorization"), head.path);
  const who = pending instanceof Promise ? await pending : pending;
  if (who.kind === "refused") {
    face.onRefused({ ...head, user: null });
    return write(face, stream, errorResponse(unauthorized()));
  }
  if (parts.body === null) {
    return write(face, stream, errorResponse(requestEntityTooLarge(BODY_LIMIT_BYTES)));
  }
  const { body } = parts;
  return write(face, stream, await face.handler({ ...head, body, user: who.user }));
}

async function write(face: Face, stream: Http2Stream, response: ApiResponse): Promise<void> {
  const { body } = response;
  const fields = ["content-type", response.contentType, ...response.headers];
  if (stream.method === "HEAD") {
    stream.respond(response.status, fields, true);
    return;
  }
  if (body.kind === "bytes") {
    stream.respond(response.status, [...fields, "content-length", String(body.bytes.length)]);
    stream.end(body.bytes);
  } else if (body.kind === "chunks") {
    stream.respond(response.status, fields);
    await writeChunks(stream, body);
    stream.end();
  } else {
    stream.respond(response.status, fields);
    await pipe(face, stream, body.stream);
  }
}

async function writeChunks(stream: Http2Stream, body: Chunks): Promise<void> {
  for await (const slab of slabsOf(body)) {
    if (!stream.write(slab)) await drained(stream);
    if (!stream.writable) return;
  }
}

function drained(stream: Http2Stream): Promise<void> {
  return new Promise((resolve) => {
    const onReset = stream.onReset;
    stream.onDrain = resolve;
    stream.onReset = (code) => {
      onReset(code);
      resolve();
    };
  });
}

async function pipe(face: Face, stream: Http2Stream, source: ByteStream): Promise<void> {
  face.streams.add(source);
  stream.onReset = () => source.close();
  try {
    for await (const bytes of source) {
      if (!stream.writable) break;
      if (!stream.write(bytes)) await drained(stream);
    }
    if (stream.writable) stream.end();
  } finally {
    face.streams.delete(source);
    source.close();
  }
}
