/**
 * gRPC calls over one HTTP/2 connection, as a client.
 * In: an address, messages. Out: messages or a status, and whether a failed call may have run.
 * Never: retries (see `store/client.ts`); reuses a connection that refuses new streams.
 * Source: PROTOCOL-HTTP2.md.
 */
import { connect as connectTls } from "node:tls";
import { ConnectionDriver } from "../http2/driver.ts";
import { ErrorCode } from "../http2/frames.ts";
import { encodeStateless } from "../http2/hpack.ts";
import { type ByteSocket, socketOfConn, socketOfTls } from "../http2/socket.ts";
import type { Http2Stream } from "../http2/stream.ts";
import { frameMessage, MessageReader } from "./framing.ts";
import { decodeMessage, formatTimeout, GrpcCode, type GrpcStatus } from "./status.ts";

export interface ClientTls {
  /** PEM authorities to trust; the system's when absent. */
  readonly ca?: string;
  /** PEM certificate and key this client shows. */
  readonly cert?: string;
  readonly key?: string;
  /** Name the server's certificate must carry; the host of the address when absent. */
  readonly serverName?: string;
}

export interface ChannelOptions {
  /** `host:port`, or `unix:path`. */
  readonly address: string;
  readonly tls?: ClientTls;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly after: (delayMillis: number, callback: () => void) => () => void;
  readonly connectTimeoutMillis: number;
  /** Largest message taken, bytes. Default 1 GiB. */
  readonly maxMessageBytes?: number;
  /** The connection ended; open calls have been told. */
  readonly onClosed?: () => void;
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

const PING_EVERY_MILLIS = 10_000;
const PING_TIMEOUT_MILLIS = 10_000;

export class GrpcChannel {
  readonly #driver: ConnectionDriver;
  readonly #options: Omit<ChannelOptions, "connectTimeoutMillis">;
  readonly #blocks = new Map<string, Uint8Array>();
  readonly #stopPings: () => void;
  #pongSince = true;
  /** Calls that wait for another to end. */
  readonly #waiting: (() => void)[] = [];

  /** Takes over a connected socket. */
  constructor(socket: ByteSocket, options: Omit<ChannelOptions, "connectTimeoutMillis">) {
    this.#options = options;
    this.#driver = new ConnectionDriver(socket, {
      role: "client",
      now: options.now,
      streamWindow: 4 * 1024 * 1024,
      connectionWindow: 64 * 1024 * 1024,
      onPong: () => this.#pongSince = true,
      onClosed: () => {
        this.#stopPings();
        for (const resume of this.#waiting.splice(0)) resume();
        options.onClosed?.();
      },
    });
    this.#stopPings = this.#keepAlive();
    this.#driver.start();
  }

  /** Errors: rejects when nobody answers there, or TLS does not verify or speak h2. */
  static async connect(options: ChannelOptions): Promise<GrpcChannel> {
    let stop = () => {};
    const expired = new Promise<never>((_, reject) => {
      stop = options.after(
        options.connectTimeoutMillis,
        () => reject(new Error(`connection to ${options.address} timed out`)),
      );
    });
    const dialled = dial(options);
    try {
      return new GrpcChannel(await Promise.race([dialled, expired]), options);
    } catch (error) {
      dialled.then((socket) => socket.close(), () => {});
      throw error;
    } finally {
      stop();
    }
  }

  /** Whether another call may start. */
  get usable(): boolean {
    return this.#driver.connection.accepting;
  }

  /** Resolves when the server takes one more stream; at once, as a rule. */
  async slot(): Promise<void> {
    while (this.usable && !this.#driver.connection.canOpen) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #callEnded(): void {
    this.#waiting.shift()?.();
  }

  /** One message there, one back. */
  async unary(
    path: string,
    message: Uint8Array,
    options: CallOptions = {},
  ): Promise<UnaryResult> {
    if (!this.#driver.connection.canOpen) await this.slot();
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
    if (!this.#driver.connection.canOpen) {
      const status = { code: GrpcCode.unavailable, message: "connection is closing" };
      queueMicrotask(() => events.onEnd({ kind: "status", status, processed: false }));
      return { send: () => {}, end: () => {}, cancel: () => {} };
    }
    const stream = this.#driver.connection.request(this.#block(path, options), false);
    const onEnd = (end: CallEnd) => {
      this.#callEnded();
      events.onEnd(end);
    };
    return new OpenCall(stream, { onMessage: events.onMessage, onEnd }, {
      maxMessageBytes: this.#options.maxMessageBytes ?? 1024 ** 3,
      timeoutMillis: options.timeoutMillis,
      after: this.#options.after,
    });
  }

  close(): void {
    this.#driver.destroy();
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

  /** A peer that vanished without a word is noticed by an unanswered ping. */
  #keepAlive(): () => void {
    let stop = () => {};
    const beat = () => {
      if (!this.#pongSince) return this.#driver.destroy();
      this.#pongSince = false;
      this.#driver.connection.ping();
      stop = this.#options.after(Math.max(PING_EVERY_MILLIS, PING_TIMEOUT_MILLIS), beat);
    };
    stop = this.#options.after(PING_EVERY_MILLIS, beat);
    return () => stop();
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

async function dial(options: ChannelOptions): Promise<ByteSocket> {
  const { address, tls } = options;
  if (address.startsWith("unix:")) {
    const path = address.replace(/^unix:(\/\/)?/, "");
    return socketOfConn(await Deno.connect({ transport: "unix", path }));
  }
  const split = address.lastIndexOf(":");
  const hostname = address.slice(0, split).replace(/^\[|\]$/g, "");
  const port = Number(address.slice(split + 1));
  if (tls === undefined) return socketOfConn(await Deno.connect({ hostname, port }));
  return await new Promise((resolve, reject) => {
    const socket = connectTls({
      host: hostname,
      port,
      ca: tls.ca,
      cert: tls.cert,
      key: tls.key,
      servername: tls.serverName ?? (/^[\d.]+$|:/.test(hostname) ? undefined : hostname),
      ALPNProtocols: ["h2"],
      rejectUnauthorized: true,
    }, () => {
      if (socket.alpnProtocol === "h2") return resolve(socketOfTls(socket));
      socket.destroy();
      reject(new Error(`${address} does not speak HTTP/2`));
    });
    socket.once("error", reject);
  });
}
