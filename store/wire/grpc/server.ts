/**
 * gRPC on HTTP/2 streams: finds the method, cuts messages, keeps deadlines, answers with a status.
 * In: streams of an `Http2Server`, and a table of methods by path. Out: `ServerCall`s handed to
 * the methods.
 * Never: decodes messages; runs a method twice; answers a call that is over.
 * Source: PROTOCOL-HTTP2.md.
 */
import { ProtoWriter } from "../../mvcc/proto.ts";
import type { BriefHandler } from "../http2/brief.ts";
import type { ErrorCode } from "../http2/frames.ts";
import type { HeaderBlock } from "../http2/header_block.ts";
import { encodeStateless } from "../http2/hpack.ts";
import type { PeerIdentity } from "../http2/socket.ts";
import type { Http2Stream } from "../http2/stream.ts";
import { briefHandler, OK_FRAME, sendParts, statusFields, type UnaryCall } from "./brief_call.ts";
import { beginFramed, frameMessage, MessageReader, PREFIX_BYTES, writePrefix } from "./framing.ts";
import { Deadlines } from "./deadlines.ts";
import {
  DEADLINE_EXCEEDED,
  GrpcCode,
  type GrpcStatus,
  malformedTimeout,
  parseTimeout,
} from "./status.ts";

export type Method =
  /** Called once with the only message, a view valid during the call. */
  | { readonly kind: "unary"; readonly run: (message: Uint8Array, call: UnaryCall) => void }
  /** Called as the stream opens; sets `onMessage`, `onEnd`, `onCancel` before it returns. */
  | { readonly kind: "stream"; readonly open: (call: ServerCall) => void };

export interface GrpcServerOptions {
  /** Largest message taken, bytes. */
  readonly maxMessageBytes: number;
  /** Runs a callback after a delay; returns what stops it. */
  readonly after: (delayMillis: number, callback: () => void) => () => void;
  /** Told of each call that ended, for metrics. */
  readonly onCallEnd?: (path: string, code: GrpcCode) => void;
}

const { head: RESPONSE_HEAD, trailers: TRAILERS_OK } = OK_FRAME;

const ignore = () => {};

/** One call as its method sees it. */
export class ServerCall implements UnaryCall {
  readonly peer: PeerIdentity;
  readonly path: string;
  /** Next message of a streaming call; a view valid during the callback. */
  onMessage: (message: Uint8Array) => void = ignore;
  /** The client sends no more messages. */
  onEnd: () => void = ignore;
  /** The call ended without our status: cancelled, timed out, or its connection lost. */
  onCancel: () => void = ignore;
  /** After `send` answered false: the client took what was queued. */
  onDrain: () => void = ignore;
  over = false;

  readonly #stream: Http2Stream;
  readonly #options: GrpcServerOptions;
  readonly #writer: ProtoWriter;
  stopDeadline: (() => void) | null = null;

  constructor(
    stream: Http2Stream,
    options: {
      readonly peer: PeerIdentity;
      readonly server: GrpcServerOptions;
      readonly writer: ProtoWriter;
    },
  ) {
    this.#stream = stream;
    this.#options = options.server;
    this.#writer = options.writer;
    this.peer = options.peer;
    this.path = stream.path;
    stream.onReset = (code) => this.#lost(code);
    stream.onDrain = () => this.onDrain();
  }

  metadata(name: string): string | undefined {
    return this.#stream.headers.get(name);
  }

  /** Bytes sent that wait for the client. */
  get queuedBytes(): number {
    return this.#stream.queuedBytes;
  }

  beginReply(): ProtoWriter {
    return beginFramed(this.#writer);
  }

  finishReply(): void {
    if (this.over) return;
    const writer = this.#writer;
    writePrefix(writer.bytes, 0, writer.length - PREFIX_BYTES);
    const body = writer.view();
    this.#close(GrpcCode.ok);
    this.#stream.respondWhole(RESPONSE_HEAD, body, TRAILERS_OK);
  }

  reply(message: Uint8Array): void {
    this.beginReply().raw(message);
    this.finishReply();
  }

  replyParts(parts: readonly Uint8Array[]): void {
    if (this.over) return;
    this.#close(GrpcCode.ok);
    sendParts(this.#stream, parts);
  }

  /**
   * Sends one message of a streaming call; the bytes are copied.
   * @returns false when the client is slow: stop until `onDrain`
   */
  send(message: Uint8Array): boolean {
    return this.sendFramed(frameMessage(message));
  }

  /** Sends one message that was encoded since `beginReply` in the same turn; as `send`. */
  sendReply(): boolean {
    if (this.over) return false;
    if (!this.#stream.headSent) this.#stream.respondBlock(RESPONSE_HEAD);
    const writer = this.#writer;
    writePrefix(writer.bytes, 0, writer.length - PREFIX_BYTES);
    return this.#stream.writeCopy(writer.bytes, writer.length);
  }

  /** As `send`, for bytes that carry their prefix and never change, shared between calls. */
  sendFramed(framed: Uint8Array): boolean {
    if (this.over) return false;
    if (!this.#stream.headSent) this.#stream.respondBlock(RESPONSE_HEAD);
    return this.#stream.write(framed);
  }

  /** Ends a streaming call well. */
  end(): void {
    if (this.over) return;
    if (!this.#stream.headSent) this.#stream.respondBlock(RESPONSE_HEAD);
    this.#close(GrpcCode.ok);
    this.#stream.endWithTrailers(TRAILERS_OK);
  }

  fail(status: GrpcStatus): void {
    if (this.over) return;
    this.#close(status.code);
    const fields = statusFields(status);
    if (this.#stream.headSent) return this.#stream.endWithTrailers(encodeStateless(fields));
    this.#stream.respond(200, ["content-type", "application/grpc", ...fields], true);
  }

  #lost(_code: ErrorCode): void {
    if (this.over) return;
    this.#close(GrpcCode.cancelled);
    this.onCancel();
  }

  #close(code: GrpcCode): void {
    this.over = true;
    this.stopDeadline?.();
    this.#options.onCallEnd?.(this.path, code);
  }
}

export class GrpcServer {
  readonly #methods: ReadonlyMap<string, Method>;
  readonly #services: ReadonlySet<string>;
  readonly #options: GrpcServerOptions;
  /** Answers are encoded and copied out within one turn, so all calls share one buffer. */
  readonly #writer = new ProtoWriter(64 * 1024);
  readonly #deadlines: Deadlines;

  /** @param methods by path, `/package.Service/Method` */
  constructor(methods: ReadonlyMap<string, Method>, options: GrpcServerOptions) {
    this.#methods = methods;
    this.#services = new Set([...methods.keys()].map((path) => path.split("/")[1]));
    this.#options = options;
    this.#deadlines = new Deadlines(options.after);
  }

  /** The `briefOf` of an `Http2Server`: unary calls whose messages are not encoded. */
  briefOf(headers: HeaderBlock, peer: PeerIdentity): BriefHandler | null {
    const method = this.#methods.get(headers.path);
    if (method?.kind !== "unary" || headers.method !== "POST") return null;
    if (!(headers.get("content-type") ?? "").startsWith("application/grpc")) return null;
    if (headers.get("grpc-encoding") !== undefined) return null;
    return briefHandler({
      run: method.run,
      model: headers,
      peer,
      deadlines: this.#deadlines,
      writer: this.#writer,
      maxMessageBytes: this.#options.maxMessageBytes,
      onCallEnd: this.#options.onCallEnd,
    });
  }

  /** The `onStream` of an `Http2Server`. */
  serve(stream: Http2Stream, peer: PeerIdentity): void {
    if (stream.method !== "POST") return stream.respond(405, [], true);
    if (!(stream.headers.get("content-type") ?? "").startsWith("application/grpc")) {
      return stream.respond(415, [], true);
    }
    const call = new ServerCall(stream, { peer, server: this.#options, writer: this.#writer });
    const method = this.#methods.get(stream.path);
    if (method === undefined) return call.fail(this.#unknown(stream.path));
    const timeout = stream.headers.get("grpc-timeout");
    if (timeout !== undefined && !this.#startDeadline(call, timeout)) return;
    const encoding = stream.headers.get("grpc-encoding");
    const reader = new MessageReader({ maxBytes: this.#options.maxMessageBytes, encoding });
    if (method.kind === "unary") this.#unary(stream, call, { reader, run: method.run });
    else this.#streaming(stream, call, { reader, open: method.open });
  }

  #unary(
    stream: Http2Stream,
    call: ServerCall,
    method: {
      readonly reader: MessageReader;
      readonly run: (message: Uint8Array, call: UnaryCall) => void;
    },
  ): void {
    let held: Uint8Array | null = null;
    let messages = 0;
    const onMessage = (message: Uint8Array) => {
      // A message that ends its stream is handled in place; one that may be followed is copied.
      if (++messages > 1) return;
      if (stream.remoteClosed) held = message;
      else held = message.slice();
    };
    stream.onData = (bytes) => {
      const refused = method.reader.push(bytes, onMessage);
      if (refused !== null) return call.fail(refused);
      if (stream.remoteClosed) finish();
    };
    const finish = () => {
      stream.onEnd = ignore;
      if (call.over) return;
      if (held !== null && messages === 1 && !method.reader.partial) return method.run(held, call);
      call.fail({
        code: GrpcCode.internal,
        message: `expected one request message, received ${messages}`,
      });
    };
    stream.onEnd = finish;
  }

  #streaming(
    stream: Http2Stream,
    call: ServerCall,
    method: { readonly reader: MessageReader; readonly open: (call: ServerCall) => void },
  ): void {
    const onMessage = (message: Uint8Array) => {
      if (!call.over) call.onMessage(message);
    };
    stream.onData = (bytes) => {
      const refused = method.reader.push(bytes, onMessage);
      if (refused === null || call.over) return;
      call.onCancel();
      call.fail(refused);
    };
    stream.onEnd = () => {
      if (!call.over) call.onEnd();
    };
    method.open(call);
  }

  #startDeadline(call: ServerCall, value: string): boolean {
    const millis = parseTimeout(value);
    if (millis === null) {
      call.fail(malformedTimeout(value));
      return false;
    }
    call.stopDeadline = this.#options.after(millis, () => {
      if (call.over) return;
      call.onCancel();
      call.fail(DEADLINE_EXCEEDED);
    });
    return true;
  }

  #unknown(path: string): GrpcStatus {
    const [, service, method] = path.split("/");
    const message = this.#services.has(service)
      ? `unknown method ${method} for service ${service}`
      : method === undefined
      ? `malformed method name: "${path}"`
      : `unknown service ${service}`;
    return { code: GrpcCode.unimplemented, message };
  }
}
