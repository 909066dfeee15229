/**
 * Unary calls without a stream: the request came whole, the answer leaves whole.
 * In: request heads, bodies that came in one frame. Out: `UnaryCall`s handed to methods.
 * Never: takes a call with an encoding, which the ordinary road has; decodes messages.
 * Source: PROTOCOL-HTTP2.md.
 */
import type { ProtoWriter } from "../../mvcc/proto.ts";
import type { AnswerFrame, BriefHandler, BriefStreams } from "../http2/brief.ts";
import { type HeaderBlock, VARYING_FIELD } from "../http2/header_block.ts";
import { encodeStateless } from "../http2/hpack.ts";
import type { PeerIdentity } from "../http2/socket.ts";
import type { Http2Stream } from "../http2/stream.ts";
import type { Deadlines, Expiring } from "./deadlines.ts";
import { beginFramed, PREFIX_BYTES, prefixLength, writePrefix } from "./framing.ts";
import {
  DEADLINE_EXCEEDED,
  encodeMessage,
  GrpcCode,
  type GrpcStatus,
  malformedTimeout,
  parseTimeout,
} from "./status.ts";

/** Head and trailers of an answer with status OK. */
export const OK_FRAME: AnswerFrame = {
  head: encodeStateless([":status", "200", "content-type", "application/grpc"]),
  trailers: encodeStateless(["grpc-status", "0"]),
};

/** A call with one message either way, as its method sees it. */
export interface UnaryCall {
  readonly peer: PeerIdentity;
  readonly path: string;
  /** No answer can be sent any more. */
  readonly over: boolean;
  /** @returns the first value of a request header field */
  metadata(name: string): string | undefined;
  /**
   * Starts the answer without an intermediate buffer: encode the message into the writer and call
   * `finishReply` in the same turn.
   */
  beginReply(): ProtoWriter;
  /** Sends what was encoded since `beginReply`, with status OK. */
  finishReply(): void;
  /** Answers with a message that is copied. */
  reply(message: Uint8Array): void;
  /** Answers with a long message in parts that never change; none is copied as a whole. */
  replyParts(parts: readonly Uint8Array[]): void;
  /** Ends the call with an error. */
  fail(status: GrpcStatus): void;
}

/** @returns fields of trailers, or of a head that is the whole answer */
export function statusFields(status: GrpcStatus): string[] {
  return ["grpc-status", String(status.code), "grpc-message", encodeMessage(status.message)];
}

/** Sends a whole answer of status OK; see `UnaryCall.replyParts`. */
export function sendParts(stream: Http2Stream, parts: readonly Uint8Array[]): void {
  const prefix = new Uint8Array(PREFIX_BYTES);
  writePrefix(prefix, 0, parts.reduce((sum, part) => sum + part.length, 0));
  stream.respondBlock(OK_FRAME.head);
  stream.write(prefix);
  for (const part of parts) stream.write(part);
  stream.endWithTrailers(OK_FRAME.trailers);
}

/** Calls of one method whose heads differ in nothing but the time they have. */
export interface BriefCallParts {
  readonly run: (message: Uint8Array, call: UnaryCall) => void;
  /** The head of the first of them. */
  readonly model: HeaderBlock;
  readonly peer: PeerIdentity;
  readonly deadlines: Deadlines;
  readonly writer: ProtoWriter;
  readonly maxMessageBytes: number;
  readonly onCallEnd: ((path: string, code: GrpcCode) => void) | undefined;
}

/** @returns the handler of requests with this head */
export function briefHandler(parts: BriefCallParts): BriefHandler {
  const { maxMessageBytes, model, run } = parts;
  const hasDeadline = model.get(VARYING_FIELD) !== undefined;
  return {
    accepts(bytes, start, end) {
      const length = end - start - PREFIX_BYTES;
      return length >= 0 && length <= maxMessageBytes && bytes[start] === 0 &&
        prefixLength(bytes, start) === length;
    },
    run(bytes, start, end, streams, id, headers) {
      const call = new BriefCall(parts, streams, id, headers);
      const message = bytes.subarray(start + PREFIX_BYTES, end);
      if (!hasDeadline) return run(message, call);
      const timeout = headers.get(VARYING_FIELD) ?? "";
      const millis = parseTimeout(timeout);
      if (millis === null) return call.fail(malformedTimeout(timeout));
      run(message, call);
      // Most reads are over by now, and need none.
      if (!call.over) parts.deadlines.add(call, millis);
    },
  };
}

class BriefCall implements UnaryCall, Expiring {
  readonly #parts: BriefCallParts;
  readonly #headers: HeaderBlock;
  readonly #streams: BriefStreams;
  readonly #id: number;
  over = false;
  bucket: Expiring[] | null = null;
  position = 0;

  constructor(parts: BriefCallParts, streams: BriefStreams, id: number, headers: HeaderBlock) {
    this.#parts = parts;
    this.#headers = headers;
    this.#streams = streams;
    this.#id = id;
  }

  get peer(): PeerIdentity {
    return this.#parts.peer;
  }

  get path(): string {
    return this.#parts.model.path;
  }

  metadata(name: string): string | undefined {
    return this.#headers.get(name);
  }

  beginReply(): ProtoWriter {
    return beginFramed(this.#parts.writer);
  }

  finishReply(): void {
    if (this.over) return;
    this.#close();
    const { onCallEnd, writer } = this.#parts;
    writePrefix(writer.bytes, 0, writer.length - PREFIX_BYTES);
    onCallEnd?.(this.path, GrpcCode.ok);
    this.#streams.answer(this.#id, OK_FRAME, writer.bytes, writer.length);
  }

  reply(message: Uint8Array): void {
    this.beginReply().raw(message);
    this.finishReply();
  }

  replyParts(parts: readonly Uint8Array[]): void {
    if (this.over) return;
    this.#close();
    this.#parts.onCallEnd?.(this.path, GrpcCode.ok);
    const stream = this.#streams.promote(this.#id);
    if (stream !== undefined) sendParts(stream, parts);
  }

  fail(status: GrpcStatus): void {
    if (this.over) return;
    this.#close();
    this.#parts.onCallEnd?.(this.path, status.code);
    const fields = ["content-type", "application/grpc", ...statusFields(status)];
    this.#streams.promote(this.#id)?.respond(200, fields, true);
  }

  expire(): void {
    this.fail(DEADLINE_EXCEEDED);
  }

  #close(): void {
    this.over = true;
    if (this.bucket !== null) this.#parts.deadlines.remove(this);
  }
}
