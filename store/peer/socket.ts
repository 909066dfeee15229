/**
 * TCP and TLS sockets between members.
 * In: URLs and certificate files. Out: connected sockets, a listening server.
 * Never: accepts a certificate that the configured authorities did not sign.
 */
import { connect as connectTcp, createServer as createTcpServer, type Socket } from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import type { TlsFiles } from "../member/config.ts";
import { handshakeProblem } from "../wire/http2/server.ts";
import { readTlsFiles, type TlsContents } from "../tls_files.ts";

/** Where a URL of a peer points. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
}

const DEFAULT_PEER_PORT = 2380;

/** @returns where to connect or listen; the URL was validated before */
export function endpointOf(url: string): Endpoint {
  const { hostname, port, protocol } = new URL(url);
  return {
    host: hostname.replace(/^\[|\]$/g, ""),
    port: port === "" ? DEFAULT_PEER_PORT : Number(port),
    secure: protocol === "https:",
  };
}

/**
 * Dials a peer.
 * @param onConnect runs once the connection, and TLS on it, stands
 * @returns the socket; its `error` and `close` events tell the rest
 */
export function dial(url: string, tls: TlsFiles | null, onConnect: () => void): Socket {
  const { host, port, secure } = endpointOf(url);
  const socket = secure
    ? connectTls({
      host,
      port,
      ...(tls === null ? {} : readTlsFiles(tls)),
      rejectUnauthorized: true,
    }, onConnect)
    : connectTcp({ host, port }, onConnect);
  socket.setNoDelay(true);
  return socket;
}

/** A server that listens for peers. */
export interface PeerListener {
  /** The port in use, also when 0 was asked for. */
  readonly port: number;
  /** New certificates for new connections. */
  setTls(contents: TlsContents): void;
  close(): void;
}

/**
 * Listens for peers.
 * @param handlers.onRefused told of whoever did not get through the TLS handshake; for a log
 * Errors: rejects when the address can't be bound or a certificate file can't be read.
 */
export function listen(
  url: string,
  tls: TlsFiles | null,
  handlers: {
    readonly onSocket: (socket: Socket) => void;
    readonly onRefused: (detail: string, address?: string) => void;
  },
): Promise<PeerListener> {
  const { host, port, secure } = endpointOf(url);
  const secured = secure && tls !== null ? listenTls(tls, handlers) : null;
  const server = secured ?? createTcpServer(handlers.onSocket);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      const address = server.address();
      const bound = typeof address === "object" && address !== null ? address.port : port;
      resolve({
        port: bound,
        setTls: (contents) => secured?.setSecureContext(contents),
        close: () => void server.close(),
      });
    });
  });
}

function listenTls(tls: TlsFiles, { onSocket, onRefused }: Parameters<typeof listen>[2]) {
  const verifies = tls.clientCertAuth;
  const options = { requestCert: verifies, rejectUnauthorized: verifies };
  const server = createTlsServer({ ...readTlsFiles(tls), ...options }, onSocket);
  server.on("tlsClientError", (error: Error, socket: Socket) => {
    const { remoteAddress, remotePort } = socket;
    const address = remoteAddress === undefined ? undefined : `${remoteAddress}:${remotePort}`;
    onRefused(handshakeProblem(error), address);
  });
  return server;
}
