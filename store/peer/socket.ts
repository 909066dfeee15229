/**
 * TCP and TLS sockets between members.
 * In: URLs and certificate files. Out: connected sockets, a listening server.
 * Never: accepts a certificate that the configured authorities did not sign.
 */
import { readFileSync } from "node:fs";
import { connect as connectTcp, createServer as createTcpServer, type Socket } from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import type { TlsFiles } from "../member/config.ts";

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
    ? connectTls({ host, port, ...readTls(tls), rejectUnauthorized: true }, onConnect)
    : connectTcp({ host, port }, onConnect);
  socket.setNoDelay(true);
  return socket;
}

/** A server that listens for peers. */
export interface PeerListener {
  /** The port in use, also when 0 was asked for. */
  readonly port: number;
  close(): void;
}

/**
 * Listens for peers.
 * Errors: rejects when the address can't be bound or a certificate file can't be read.
 */
export function listen(
  url: string,
  tls: TlsFiles | null,
  onSocket: (socket: Socket) => void,
): Promise<PeerListener> {
  const { host, port, secure } = endpointOf(url);
  const verifies = tls?.clientCertAuth ?? false;
  const server = secure
    ? createTlsServer(
      { ...readTls(tls), requestCert: verifies, rejectUnauthorized: verifies },
      onSocket,
    )
    : createTcpServer(onSocket);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      const address = server.address();
      const bound = typeof address === "object" && address !== null ? address.port : port;
      resolve({ port: bound, close: () => void server.close() });
    });
  });
}

function readTls(tls: TlsFiles | null): { cert?: string; key?: string; ca?: string } {
  if (tls === null) return {};
  return {
    ...(tls.certFile === "" ? {} : { cert: readFileSync(tls.certFile, "utf8") }),
    ...(tls.keyFile === "" ? {} : { key: readFileSync(tls.keyFile, "utf8") }),
    ...(tls.trustedCaFile === "" ? {} : { ca: readFileSync(tls.trustedCaFile, "utf8") }),
  };
}
