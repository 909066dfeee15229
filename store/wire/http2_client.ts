/**
 * One HTTP/2 connection as a client: dialled, kept alive, its streams counted.
 * In: an address, trust, a clock. Out: streams; who waits for one is told when another ended.
 * Never: knows what streams carry, retries, or dials again: its owner does.
 * Source: RFC 9113 sections 3.3 and 5.1.2.
 */
import { connect as connectTls } from "node:tls";
import { ConnectionDriver } from "./http2/driver.ts";
import { type ByteSocket, socketOfConn, socketOfTls } from "./http2/socket.ts";
import type { Http2Stream } from "./http2/stream.ts";

export interface ClientTls {
  /** PEM authorities to trust; the system's when absent. */
  readonly ca?: string;
  /** PEM certificate and key this client shows. */
  readonly cert?: string;
  readonly key?: string;
  /** Name the server's certificate must carry; the host of the address when absent. */
  readonly serverName?: string;
}

export interface Http2ClientOptions {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly after: (delayMillis: number, callback: () => void) => () => void;
  /** Bytes one stream may receive before they are credited. Default 4 MiB. */
  readonly streamWindow?: number;
  /** The connection ended; open streams have been told. */
  readonly onClosed?: () => void;
}

export interface DialOptions extends Http2ClientOptions {
  /** `host:port`, or `unix:path`. */
  readonly address: string;
  readonly tls?: ClientTls;
  readonly connectTimeoutMillis: number;
}

/** The server is there and verified, and agreed on something else than HTTP/2. */
export class NotHttp2Error extends Error {
  override readonly name = "NotHttp2Error";
}

const STREAM_WINDOW_BYTES = 4 * 1024 * 1024;
const CONNECTION_WINDOW_BYTES = 64 * 1024 * 1024;
/** A ping that is unanswered when the next one is due ends the connection. */
const PING_EVERY_MILLIS = 10_000;

export class Http2Client {
  readonly #driver: ConnectionDriver;
  readonly #options: Http2ClientOptions;
  readonly #stopPings: () => void;
  #pongSince = true;
  /** Callers that wait for a stream to end. */
  readonly #waiting: (() => void)[] = [];

  /** Takes over a connected socket. */
  constructor(socket: ByteSocket, options: Http2ClientOptions) {
    this.#options = options;
    this.#driver = new ConnectionDriver(socket, {
      role: "client",
      now: options.now,
      streamWindow: options.streamWindow ?? STREAM_WINDOW_BYTES,
      connectionWindow: CONNECTION_WINDOW_BYTES,
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

  /**
   * Errors: rejects when nobody answers there in time or TLS does not verify; with NotHttp2Error
   * when the server does not speak h2.
   */
  static async connect(options: DialOptions): Promise<Http2Client> {
    let stop = () => {};
    const expired = new Promise<never>((_, reject) => {
      stop = options.after(
        options.connectTimeoutMillis,
        () => reject(new Error(`connection to ${options.address} timed out`)),
      );
    });
    const dialled = dial(options);
    try {
      return new Http2Client(await Promise.race([dialled, expired]), options);
    } catch (error) {
      dialled.then((socket) => socket.close(), () => {});
      throw error;
    } finally {
      stop();
    }
  }

  /** Whether another stream may start, now or once others have ended. */
  get usable(): boolean {
    return this.#driver.connection.accepting;
  }

  /** Whether `request` may be called now. */
  get canOpen(): boolean {
    return this.#driver.connection.canOpen;
  }

  /** Resolves when the server takes one more stream, or the connection is no longer usable. */
  async slot(): Promise<void> {
    while (this.usable && !this.canOpen) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /**
   * Opens a stream; only while `canOpen`.
   * @param block request head from `encodeStateless`, pseudo-header fields first
   */
  request(block: Uint8Array, endStream: boolean): Http2Stream {
    return this.#driver.connection.request(block, endStream);
  }

  /** A stream of this connection has ended: lets one that waits in `slot` go on. */
  ended(): void {
    this.#waiting.shift()?.();
  }

  /** Closes at once; open streams are told. */
  close(): void {
    this.#driver.destroy();
  }

  /** A peer that vanished without a word is noticed by an unanswered ping. */
  #keepAlive(): () => void {
    let stop = () => {};
    const beat = () => {
      if (!this.#pongSince) return this.#driver.destroy();
      this.#pongSince = false;
      this.#driver.connection.ping();
      stop = this.#options.after(PING_EVERY_MILLIS, beat);
    };
    stop = this.#options.after(PING_EVERY_MILLIS, beat);
    return () => stop();
  }
}

async function dial(options: DialOptions): Promise<ByteSocket> {
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
      ALPNProtocols: ["h2", "http/1.1"],
      rejectUnauthorized: true,
    }, () => {
      if (socket.alpnProtocol === "h2") return resolve(socketOfTls(socket));
      socket.destroy();
      reject(new NotHttp2Error(`${address} does not speak HTTP/2`));
    });
    socket.once("error", reject);
  });
}
