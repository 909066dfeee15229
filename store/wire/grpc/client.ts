/**
 * gRPC calls over one HTTP/2 connection, as a client.
 * In: an address, messages. Out: messages or a status, and whether a failed call may have run.
 * Never: retries (see `store/client.ts`); reuses a connection that refuses new streams.
 * Source: PROTOCOL-HTTP2.md.
 */
import { ErrorCode } from "../http2/frames.ts";
import { encodeStateless } from "../http2/hpack.ts";
import type { ByteSocket } from "../http2/socket.ts";
import type { Http2Stream } from "../http2/stream.ts";
import { type DialOptions, Http2Client } from "../http2_client.ts";
import { frameMessage, MessageReader } from "./framing.ts";
import { decodeMessage, formatTimeout, GrpcCode, type GrpcStatus } from "./status.ts";

export type { ClientTls } from "../http2_client.ts";

export interface ChannelOptions extends DialOptions {
  /** Largest message taken, bytes. Default 1 GiB. */
  readonly maxMessageBytes?: number;
}

export interface CallOptions {
  readonly timeoutMillis?: number;
  /** Flat `[name, value, …]`. */
  readonly metadata?: readonly string[];
}

/** How a call ended. `processed` false: the server has certainly not seen it. */
export interface CallEnd {
  readonly kind: "status";
  readonly status: GrpcStatus;
  readonly processed: boolean;
}

export type UnaryResult = { readonly kind: "message"; readonly message: Uint8Array } | CallEnd;

/** A streaming call in progress. */
export interface ClientCall {
  send(message: Uint8Array): void;
  /** No more messages from here. */
  end(): void;
  cancel(): void;
}

export interface CallEvents {
  /** A view valid during the call. */
  readonly onMessage: (message: Uint8Array) => void;
  /** Called once, also after `cancel`. */
  readonly onEnd: (end: CallEnd) => void;
}

export class GrpcChannel {
  readonly #client: Http2Client;
  readonly #options: Omit<ChannelOptions, "connectTimeoutMillis">;
  readonly #blocks = new Map<string, Uint8Array>();

  private constructor(client: Http2Client, options: Omit<ChannelOptions, "connectTimeoutMillis">) {
    this.#client = client;
    this.#options = options;
  }

  /** Takes over a connected socket. */
  static over(
    socket: ByteSocket,
    options: Omit<ChannelOptions, "connectTimeoutMillis">,
  ): GrpcChannel {
    return new GrpcChannel(new Http2Client(socket, options), options);
  }

  /** Errors: rejects when nobody answers there, or TLS does not verify or speak h2. */
  static async connect(options: ChannelOptions): Promise<GrpcChannel> {
    return new GrpcChannel(await Http2Client.connect(options), options);
  }

  /** Whether another call may start. */
  get usable(): boolean {
    return this.#client.usable;
  }

  /** Resolves when the server takes one more stream; at once, as a rule. */
  slot(): Promise<void> {
    return this.#client.slot();
  }

  /** One message there, one back. */
  async unary(
    path: string,
    message: Uint8Array,
    options: CallOptions = {},
  ): Promise<UnaryResult> {
    if (!this.#client.canOpen) await this.slot();
    return await new Promise((resolve) => {
      let answer: Uint8Array | null = null;
      const call = this.stream(path, {
        onMessage: (bytes) => answer = bytes.slice(),
        onEnd: (end) => {
          const ok = end.status.code === GrpcCode.ok;
          if (ok && answer !== null) return resolve({ kind: "message", message: answer });
          const status = ok
            ? { code: GrpcCode.internal, message: "answer without a message" }
            : end.status;
          resolve({ ...end, status });
        },
      }, options);
      call.send(message);
      call.end();
    });
  }

  /** Opens a call with any number of messages each way; await `slot` before many of them. */
  stream(path: string, events: CallEvents, options: CallOptions = {}): ClientCall {
    if (!this.#client.canOpen) {
      const status = { code: GrpcCode.unavailable, message: "connection is closing" };
      queueMicrotask(() => events.onEnd({ kind: "status", status, processed: false }));
      return { send: () => {}, end: () => {}, cancel: () => {} };
    }
    const stream = this.#client.request(this.#block(path, options), false);
    const onEnd = (end: CallEnd) => {
      this.#client.ended();
      events.onEnd(end);
    };
    return new OpenCall(stream, { onMessage: events.onMessage, onEnd }, {
      maxMessageBytes: this.#options.maxMessageBytes ?? 1024 ** 3,
      timeoutMillis: options.timeoutMillis,
      after: this.#options.after,
    });
  }

  close(): void {
    this.#client.close();
  }

  #block(path: string, options: CallOptions): Uint8Array {
    const key = `${path} ${options.timeoutMillis} ${options.metadata?.join(" ")}`;
    const known = this.#blocks.get(key);
    if (known !== undefined) return known;
    const timeout = options.timeoutMillis;
    const block = encodeStateless([
      ...[":method", "POST", ":scheme", this.#options.tls === undefined ? "http" : "https"],
      ...[":path", path, ":authority", this.#options.address],
      ...["content-type", "application/grpc", "te", "trailers"],
      ...(timeout === undefined ? [] : ["grpc-timeout", formatTimeout(timeout)]),
      ...(options.metadata ?? []),
    ]);
    if (this.#blocks.size > 256) this.#blocks.clear();
    this.#blocks.set(key, block);
    return block;
  }
}

class OpenCall implements ClientCall {
  readonly #stream: Http2Stream;
  readonly #events: CallEvents;
  readonly #stopTimeout: () => void;
  #over = false;

  constructor(
    stream: Http2Stream,
    events: CallEvents,
    options: {
      readonly maxMessageBytes: number;
      readonly timeoutMillis: number | undefined;
      readonly after: ChannelOptions["after"];
    },
  ) {
    this.#stream = stream;
    this.#events = events;
    const reader = new MessageReader({ maxBytes: options.maxMessageBytes });
    stream.onData = (bytes) => {
      const refused = reader.push(bytes, (message) => {
        if (!this.#over) events.onMessage(message);
      });
      if (refused !== null) this.#finish(refused, ErrorCode.cancel);
    };
    stream.onEnd = () => this.#finish(statusOfStream(stream));
    stream.onReset = (code) => this.#lost(code);
    const { timeoutMillis } = options;
    this.#stopTimeout = timeoutMillis === undefined ? () => {} : options.after(
      timeoutMillis,
      () =>
        this.#finish(
          { code: GrpcCode.deadlineExceeded, message: "context deadline exceeded" },
          ErrorCode.cancel,
        ),
    );
  }

  send(message: Uint8Array): void {
    if (!this.#over) this.#stream.write(frameMessage(message));
  }

  end(): void {
    if (!this.#over) this.#stream.end();
  }

  cancel(): void {
    this.#finish({ code: GrpcCode.cancelled, message: "cancelled" }, ErrorCode.cancel);
  }

  #lost(code: ErrorCode): void {
    const refused = code === ErrorCode.refusedStream;
    const status = { code: GrpcCode.unavailable, message: `stream ended with code ${code}` };
    this.#finish(status, undefined, !refused);
  }

  #finish(status: GrpcStatus, resetCode?: ErrorCode, processed = true): void {
    if (this.#over) return;
    this.#over = true;
    this.#stopTimeout();
    if (resetCode !== undefined) this.#stream.reset(resetCode);
    this.#events.onEnd({ kind: "status", status, processed });
  }
}

/** From the trailers, or from the head of an answer that is trailers alone. */
function statusOfStream(stream: Http2Stream): GrpcStatus {
  const fields = stream.trailers ?? stream.headers;
  const code = fields.get("grpc-status");
  if (code === undefined) {
    const message = `HTTP status ${stream.headers.status} without a gRPC status`;
    return { code: GrpcCode.unknown, message };
  }
  const message = decodeMessage(fields.get("grpc-message") ?? "");
  return { code: Number(code) as GrpcCode, message };
}
