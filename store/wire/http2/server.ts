/**
 * HTTP/2 servers on TCP, unix and TLS sockets; the etcd API and the API server sit on it.
 * In: where to listen, limits, and a handler called with each stream as its head arrives. Out: a
 * handle that reports the bound address and shuts down gracefully. On plain sockets HTTP/2 is
 * recognised by its preface and anything else goes to `onHttp1`; on TLS, ALPN decides.
 * Never: trusts a client certificate that did not verify (see `tlsPeer`).
 * Source: RFC 9113 section 3.
 */
import { createServer, type TLSSocket } from "node:tls";
import type { BriefHandler } from "./brief.ts";
import type { ConnectionLimits } from "./connection_options.ts";
import { ConnectionDriver } from "./driver.ts";
import { CLIENT_PREFACE, ErrorCode } from "./frames.ts";
import type { HeaderBlock } from "./header_block.ts";
import { type ByteSocket, type PeerIdentity, socketOfConn, socketOfTls } from "./socket.ts";
import type { Http2Stream } from "./stream.ts";

/** Takes over a socket that does not speak HTTP/2. */
export interface SocketUser {
  take(bytes: Uint8Array): void | Promise<void>;
  ended(): void;
}

export interface Http2ServerOptions extends ConnectionLimits {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly onStream: (stream: Http2Stream, peer: PeerIdentity) => void;
  /** Who takes whole requests with this head without a stream; asked once a distinct head. */
  readonly briefOf?: (headers: HeaderBlock, peer: PeerIdentity) => BriefHandler | null;
  /** HTTP/1.1 on the same port; without it such connections are closed. */
  readonly onHttp1?: (socket: ByteSocket) => SocketUser;
  /**
   * TLS connections that did not agree on h2, untouched, for a `node:http` server's `connection`
   * event. Takes precedence over `onHttp1`.
   */
  readonly onHttp1Tls?: (socket: TLSSocket) => void;
  /** A connection could not be set up, broke the protocol or asked too much; for a log. */
  readonly onSocketError?: (detail: string, address?: string) => void;
}

export interface TlsServerConfig {
  /** PEM chain of the server. */
  readonly cert: string | Uint8Array;
  readonly key: string | Uint8Array;
  /** PEM authorities of client certificates. */
  readonly ca?: string | Uint8Array;
  /** Asks clients for a certificate; one that does not verify makes the client anonymous. */
  readonly requestCert?: boolean;
  /** Refuses clients without a certificate that verifies. */
  readonly requireCert?: boolean;
}

export interface Listening {
  /** Port bound, 0 for a unix socket. */
  readonly port: number;
  /** Takes no new connections. */
  close(): void;
  /** New certificates for new connections; nothing without TLS. */
  setTls(tls: TlsServerConfig): void;
}

/**
 * A handler sets `stream.onData`, `onEnd`, `onReset` before it returns, and answers, then or later,
 * with `respond`, `write` (false means: wait for `onDrain`), `end`, or `reset`:
 *
 *     new Http2Server({ now, onStream: (stream, peer) => {
 *       stream.onEnd = () => {
 *         stream.respond(200, ["content-type", "text/plain"]);
 *         stream.end(encoder.encode(`hello ${peer.commonName ?? "stranger"}`));
 *       };
 *     } }).listenTcp({ hostname: "127.0.0.1", port: 8080 });
 */
export class Http2Server {
  readonly #options: Http2ServerOptions;
  readonly #drivers = new Set<ConnectionDriver>();
  readonly #others = new Set<ByteSocket>();
  readonly #listeners = new Set<Listening>();
  /** Connections that had a stream since idle ones were last looked for. */
  readonly #busy = new WeakSet<ConnectionDriver>();
  #closing = false;
  #drained: (() => void) | null = null;

  constructor(options: Http2ServerOptions) {
    this.#options = options;
  }

  get connectionCount(): number {
    return this.#drivers.size;
  }

  /** Errors: throws the platform's error when the address can't be bound. */
  listenTcp(address: { readonly hostname: string; readonly port: number }): Listening {
    const listener = Deno.listen({ ...address, transport: "tcp" });
    return this.#accepting(listener, listener.addr.port);
  }

  /** @param path file of the socket; must not exist */
  listenUnix(path: string): Listening {
    return this.#accepting(Deno.listen({ transport: "unix", path }), 0);
  }

  /** Resolves once bound; rejects with the platform's error. */
  listenTls(
    address: { readonly hostname: string; readonly port: number },
    tls: TlsServerConfig,
  ): Promise<Listening> {
    const server = createServer({
      ...pemOf(tls),
      requestCert: tls.requestCert === true || tls.requireCert === true,
      rejectUnauthorized: tls.requireCert === true,
      minVersion: "TLSv1.2",
      ALPNProtocols: ["h2", "http/1.1"],
    }, (socket) => this.#acceptTls(socket));
    server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
      this.#options.onSocketError?.(handshakeProblem(error), addressOf(socket));
    });
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(address.port, address.hostname, () => {
        const bound = server.address();
        const port = typeof bound === "object" && bound !== null ? bound.port : 0;
        const setTls = (next: TlsServerConfig) => server.setSecureContext(pemOf(next));
        const listening = { port, close: () => void server.close(), setTls };
        this.#listeners.add(listening);
        resolve(listening);
      });
    });
  }

  /** Asks connections without a stream since the last call to go; ends those asked before. */
  closeIdle(): void {
    for (const driver of [...this.#drivers]) {
      const { connection } = driver;
      if (this.#busy.delete(driver) || connection.streamCount > 0) continue;
      if (connection.accepting) connection.shutdown();
      else driver.destroy();
    }
  }

  /**
   * Stops listening, lets open streams end, then closes; after `graceMillis` closes anyway.
   * Streams without an end, such as watches, should be ended by their owner first.
   */
  async shutdown(graceMillis: number): Promise<void> {
    this.#closing = true;
    for (const listener of this.#listeners) listener.close();
    this.#listeners.clear();
    for (const socket of this.#others) socket.close();
    for (const driver of this.#drivers) driver.connection.shutdown();
    if (this.#drivers.size > 0) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
        timer = setTimeout(resolve, graceMillis);
      });
      clearTimeout(timer);
    }
    for (const driver of [...this.#drivers]) driver.destroy();
  }

  #accepting(listener: Deno.Listener, port: number): Listening {
    const listening = { port, close: () => listener.close(), setTls: () => {} };
    this.#listeners.add(listening);
    void this.#acceptLoop(listener);
    return listening;
  }

  async #acceptLoop(listener: Deno.Listener): Promise<void> {
    while (!this.#closing) {
      let conn: Deno.Conn;
      try {
        conn = await listener.accept();
      } catch (error) {
        if (error instanceof Deno.errors.BadResource || this.#closing) return;
        this.#options.onSocketError?.(String(error));
        // Out of descriptors, most likely: leave time for some to be given back.
        await new Promise((resolve) => setTimeout(resolve, 50));
        continue;
      }
      try {
        this.#sniff(socketOfConn(conn));
      } catch (error) {
        this.#options.onSocketError?.(String(error));
      }
    }
  }

  #acceptTls(socket: TLSSocket): void {
    const { onHttp1, onHttp1Tls } = this.#options;
    socket.on("error", (error: Error) => {
      this.#options.onSocketError?.(error.message, addressOf(socket));
    });
    if (this.#closing) return void socket.destroy();
    if (socket.alpnProtocol === "h2") return this.#serve(socketOfTls(socket)).start();
    if (onHttp1Tls !== undefined) return onHttp1Tls(socket);
    if (onHttp1 === undefined) return void socket.destroy();
    const wrapped = socketOfTls(socket);
    const user = onHttp1(wrapped);
    this.#others.add(wrapped);
    wrapped.start((bytes) => user.take(bytes), () => {
      this.#others.delete(wrapped);
      user.ended();
    });
  }

  /** Reads until the preface is complete or refuted, then hands the socket on. */
  #sniff(socket: ByteSocket): void {
    let seen = new Uint8Array(0);
    let user: SocketUser | null = null;
    this.#others.add(socket);
    const decide = (bytes: Uint8Array): void | Promise<void> => {
      const joined = new Uint8Array(seen.length + bytes.length);
      joined.set(seen);
      joined.set(bytes, seen.length);
      seen = joined;
      const common = Math.min(seen.length, CLIENT_PREFACE.length);
      for (let i = 0; i < common; i++) {
        if (seen[i] === CLIENT_PREFACE[i]) continue;
        user = this.#options.onHttp1?.(socket) ?? null;
        return user === null ? socket.close() : user.take(seen);
      }
      if (common < CLIENT_PREFACE.length) return;
      this.#others.delete(socket);
      const driver = this.#serve(socket);
      user = { take: (more) => driver.take(more), ended: () => driver.connection.disconnected() };
      return user.take(seen);
    };
    socket.start((bytes) => user === null ? decide(bytes) : user.take(bytes), () => {
      this.#others.delete(socket);
      if (user === null) socket.close();
      else user.ended();
    });
  }

  #serve(socket: ByteSocket): ConnectionDriver {
    const { briefOf, onStream, onSocketError } = this.#options;
    const { address } = socket.peer;
    const driver: ConnectionDriver = new ConnectionDriver(socket, {
      role: "server",
      now: this.#options.now,
      maxConcurrentStreams: this.#options.maxConcurrentStreams,
      streamWindow: this.#options.streamWindow,
      connectionWindow: this.#options.connectionWindow,
      maxHeaderListBytes: this.#options.maxHeaderListBytes,
      onStream: (stream) => {
        this.#busy.add(driver);
        onStream(stream, socket.peer);
      },
      ...(briefOf === undefined ? {} : { briefOf: (headers) => briefOf(headers, socket.peer) }),
      onRefused: (detail) => onSocketError?.(detail, address),
      onClosed: ({ code, detail, byPeer }) => {
        if (!byPeer && code !== ErrorCode.noError) onSocketError?.(detail, address);
        this.#drivers.delete(driver);
        if (this.#drivers.size === 0) this.#drained?.();
      },
    });
    this.#drivers.add(driver);
    this.#busy.add(driver);
    if (this.#closing) driver.connection.shutdown();
    return driver;
  }
}

function pemOf({ cert, key, ca }: TlsServerConfig) {
  const pem = (value: string | Uint8Array | undefined) =>
    value === undefined || typeof value === "string" ? value : new TextDecoder().decode(value);
  return { cert: pem(cert), key: pem(key), ca: pem(ca) };
}

/** @returns `host:port`, undefined where the socket has forgotten it */
function addressOf({ remoteAddress, remotePort }: TLSSocket): string | undefined {
  return remoteAddress === undefined ? undefined : `${remoteAddress}:${remotePort}`;
}

/** A socket whose certificate is not trusted is destroyed before anyone is told why. */
export function handshakeProblem({ message }: Error): string {
  return message === "socket hang up"
    ? "TLS handshake not finished: the other side left, or its certificate is of no known authority"
    : message;
}
