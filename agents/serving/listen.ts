/**
 * HTTPS of a component that is no API server: it listens, and says who a connection proved to be.
 * In: a certificate to serve with, the authority of clients. Out: a listening server.
 * Never: turns away who shows no certificate: health is for everybody, and tokens come later.
 * Source: apiserver's server/dynamiccertificates and authentication/request/x509 (v1.36).
 */
import { X509Certificate } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { UserInfo } from "../api/meta.ts";

export interface SecureOptions {
  readonly bind: string;
  /** 0 = any free one. */
  readonly port: number;
  /** PEM to serve with. */
  readonly certificate: string;
  readonly key: string;
  /** PEM of the authority whose clients are known. */
  readonly clientCa: string;
}

export interface SecureListener {
  readonly server: Server;
  readonly port: number;
  /**
   * From the next connection on, clients of this authority are known, and of no other.
   * Errors: throws where that is no certificate.
   */
  trust(clientCa: string): void;
  /** Cuts the connections that are there. */
  close(): Promise<void>;
}

/** Errors: rejects where the port can't be had or a PEM can't be read. */
export async function listenSecurely(
  options: SecureOptions,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<SecureListener> {
  const secure = (clientCa: string) => {
    // TLS without one would take the clients of every authority that the machine trusts.
    new X509Certificate(clientCa);
    return {
      cert: options.certificate,
      key: options.key,
      ca: clientCa,
      requestCert: true,
      // Whoever does not verify is nobody, and still gets an answer: see `provenUser`.
      rejectUnauthorized: false,
    };
  };
  const server = createServer(secure(options.clientCa), answer);
  const port = await new Promise<number>((resolve, reject) => {
    server.once("error", reject);
    server.listen(
      options.port,
      options.bind,
      () => resolve((server.address() as { port: number }).port),
    );
  });
  return {
    server,
    port,
    trust: (clientCa) => server.setSecureContext(secure(clientCa)),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Who a connection's certificate says it is, where its key was proven; null otherwise. */
export function provenUser(connection: Socket): UserInfo | null {
  const socket = connection as TLSSocket;
  const { subject } = socket.getPeerCertificate?.() ?? {};
  const name = subject?.CN;
  // A subject is worth something only where its key was proven.
  if (!socket.authorized || typeof name !== "string" || name === "") return null;
  return { name, groups: [subject.O ?? []].flat() };
}
