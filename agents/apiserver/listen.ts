/**
 * The HTTPS face: one port, HTTP/2 by ALPN and HTTP/1.1 beside it, client certificates asked for.
 * In: a handler, keys, an address. Out: a listening server that closes within five seconds.
 * Never: routes or decodes; takes a certificate's subject only where the peer proved its key.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { Http2Server } from "../../store/wire/http2/server.ts";
import type { PeerIdentity } from "../../store/wire/http2/socket.ts";
import type { UserInfo } from "../api/meta.ts";
import { badRequest, requestEntityTooLarge, unauthorized } from "../api/status.ts";
import { type Authenticator, userOfPeer } from "./auth/authenticate.ts";
import type { PemPair } from "./auth/certificates.ts";
import type { RequestHead } from "./audit/audit.ts";
import type { Handler } from "./http/handler.ts";
import { type ApiResponse, type ByteStream, errorResponse } from "./http/message.ts";
import { IDLE_MILLIS, limitHttp1, Overdue } from "./http/overdue.ts";
import { type Chunks, slabsOf } from "./http/slabs.ts";
import { serveStream } from "./http/http2_face.ts";
import { joinBytes } from "../api/text/join_bytes.ts";
import type { Clock, Log } from "./ports.ts";
import { BODY_LIMIT_BYTES } from "./verbs/core.ts";
import { drained } from "../spdy/drained.ts";

export interface ListenOptions {
  readonly bindAddress: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly server: PemPair;
  /** PEM of the authority of client certificates. */
  readonly clientCa: string;
  readonly handler: Handler;
  /** Told of requests that were not let in, before they are answered so. */
  readonly onRefused?: (request: RequestHead) => void;
  /** Takes over an HTTP/1.1 connection that asks for an upgrade. */
  readonly upgrade: (request: UpgradeRequest) => void;
  readonly authenticator: Authenticator;
  readonly clock: Clock;
  readonly log: Log;
}

/** A connection that leaves HTTP: exec, attach, port-forward. */
export interface UpgradeRequest {
  readonly message: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Uint8Array;
  readonly user: UserInfo;
  /** Of the peer, without its port. */
  readonly address: string;
}

export interface Listener {
  readonly port: number;
  /** Stops taking requests, ends watches, and waits for what runs, five seconds at most. */
  close(): Promise<void>;
}

const CLOSE_GRACE_MILLIS = 5000;

/** Binds and serves. Errors: rejects with the platform's error when the address is taken. */
export async function listen(options: ListenOptions): Promise<Listener> {
  const { authenticator, handler, log } = options;
  const streams = new Set<ByteStream>();
  const who: Face["who"] = (peer, authorization, path) =>
    authenticator.authenticate(peer, authorization, path);
  const overdue = new Overdue(options.clock);
  const onRefused = options.onRefused ?? (() => {});
  const face = { handler, who, onRefused, streams, overdue, log };
  const http1 = createHttp1(options, face);
  limitHttp1(http1, overdue);
  const server = new Http2Server({
    now: () => performance.now(),
    onStream: (stream, identity) => serveStream(face, stream, peerOf(identity)),
    onHttp1Tls: (socket) => void http1.emit("connection", socket),
    onSocketError: (detail) => log("debug", "connection failed", { detail }),
  });
  const listening = await server.listenTls(
    { hostname: options.bindAddress, port: options.port },
    {
      cert: options.server.certificate,
      key: options.server.key,
      ca: options.clientCa,
      requestCert: true,
    },
  );
  const stopIdle = options.clock.every(IDLE_MILLIS, () => server.closeIdle());
  return {
    port: listening.port,
    async close() {
      stopIdle();
      overdue.close();
      listening.close();
      for (const stream of [...streams]) stream.close();
      await server.shutdown(CLOSE_GRACE_MILLIS);
      http1.closeAllConnections?.();
      http1.close();
    },
  };
}

/** What both protocols share. */
export interface Face {
  readonly handler: Handler;
  readonly onRefused: (request: RequestHead) => void;
  readonly who: (
    peer: UserInfo | null,
    authorization: string | undefined,
    path: string,
  ) => ReturnType<Authenticator["authenticate"]>;
  /** Streams now running, for a close. */
  readonly streams: Set<ByteStream>;
  /** Clients that owe the rest of a request. */
  readonly overdue: Overdue;
  readonly log: Log;
}

function createHttp1(options: ListenOptions, face: Face): Server {
  const server = createServer((message, response) => {
    serveMessage(face, message, response).catch((error) => {
      face.log("debug", "response failed", { error: String(error) });
      response.destroy();
    });
  });
  // Its connections are accepted elsewhere. One that says it does not listen is taken for closing,
  // and ends each connection after one answer.
  Object.defineProperty(server, "listening", { get: () => true });
  server.on("upgrade", (message: IncomingMessage, socket: Duplex, head: Uint8Array) => {
    upgradeMessage(options, face, { message, socket, head }).catch((error) => {
      face.log("debug", "upgrade failed", { error: String(error) });
      socket.destroy();
    });
  });
  return server;
}

/** The other end of a connection. */
export interface Peer {
  /** Whom its certificate names; null = nobody. */
  readonly user: UserInfo | null;
  /** Without the port. */
  readonly address: string;
}

/** Who is at the other end of a connection never changes, and asking takes a while. */
const peers = new WeakMap<TLSSocket | PeerIdentity, Peer>();

function peerOfSocket(socket: TLSSocket): Peer {
  let peer = peers.get(socket);
  if (peer === undefined) {
    peer = { user: readPeerUser(socket), address: socket.remoteAddress ?? "" };
    peers.set(socket, peer);
  }
  return peer;
}

function peerOf(identity: PeerIdentity): Peer {
  let peer = peers.get(identity);
  if (peer === undefined) {
    const address = identity.address.replace(/:\d+$/, "");
    peers.set(identity, peer = { user: userOfPeer(identity), address });
  }
  return peer;
}

/** The subject of a certificate that verified; anything less is nobody. */
function readPeerUser(socket: TLSSocket): UserInfo | null {
  if (socket.authorized !== true) return null;
  const certificate = socket.getPeerCertificate?.();
  if (!certificate?.subject) return null;
  const { CN, O } = certificate.subject as { CN?: string | string[]; O?: string | string[] };
  const commonName = Array.isArray(CN) ? CN[CN.length - 1] : CN ?? null;
  const organizations = O === undefined ? [] : Array.isArray(O) ? O : [O];
  return userOfPeer({ commonName, organizations });
}

const UNAUTHORIZED = errorResponse(unauthorized());

const AMBIGUOUS = {
  ...errorResponse(badRequest("the request names two hosts, or another protocol than HTTP/1")),
  headers: ["connection", "close"],
};

/** A proxy before this server may have understood it differently. */
function isAmbiguous({ httpVersionMajor, rawHeaders }: IncomingMessage): boolean {
  const hosts = rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === "host");
  return httpVersionMajor !== 1 || hosts.length > 1;
}

async function serveMessage(
  face: Face,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (isAmbiguous(message)) return writeResponse(face, response, AMBIGUOUS);
  const peer = peerOfSocket(message.socket as TLSSocket);
  const head = headOf(message, peer);
  const who = await face.who(peer.user, message.headers.authorization, head.path);
  if (who.kind === "refused") {
    face.onRefused(head);
    return writeResponse(face, response, UNAUTHORIZED);
  }
  const body = await readBody(message);
  if (body === null) {
    // The rest of the body is not worth reading.
    response.setHeader("connection", "close");
    return writeResponse(face, response, errorResponse(requestEntityTooLarge(BODY_LIMIT_BYTES)));
  }
  await writeResponse(face, response, await face.handler({ ...head, body, user: who.user }));
}

/** What a message says before its body; nobody sent it yet. */
export function headOf(message: IncomingMessage, peer: Pick<Peer, "address">) {
  const url = message.url ?? "/";
  const mark = url.indexOf("?");
  return {
    method: message.method ?? "GET",
    path: mark < 0 ? url : url.slice(0, mark),
    query: mark < 0 ? "" : url.slice(mark + 1),
    header: (name: string) => message.headers[name] as string | undefined,
    fields: () => message.rawHeaders,
    remoteAddress: peer.address,
    user: null,
  };
}

const NO_BODY = new Uint8Array(0);

/** @returns null when the body is larger than any object may be */
async function readBody(message: IncomingMessage): Promise<Uint8Array | null> {
  if (message.method === "GET" || message.method === "HEAD") return NO_BODY;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of message) {
    size += chunk.length;
    if (size > BODY_LIMIT_BYTES) return null;
    chunks.push(chunk);
  }
  return joinBytes(chunks, size);
}

async function writeResponse(
  face: Face,
  response: ServerResponse,
  answer: ApiResponse,
): Promise<void> {
  response.statusCode = answer.status;
  response.setHeader("content-type", answer.contentType);
  for (let i = 0; i < answer.headers.length; i += 2) {
    response.appendHeader(answer.headers[i], answer.headers[i + 1]);
  }
  const { body } = answer;
  if (body.kind === "bytes") {
    response.setHeader("content-length", body.bytes.length);
    response.end(body.bytes);
  } else if (body.kind === "chunks") {
    await writeChunks(response, body);
  } else await pipe(face, response, body.stream);
}

/** A body that one slab holds has its length before it. */
async function writeChunks(
  response: ServerResponse,
  body: Chunks,
): Promise<void> {
  const slabs = slabsOf(body);
  let slab = await slabs.next();
  let following = await slabs.next();
  if (following.done && !slab.done) response.setHeader("content-length", slab.value.length);
  while (!slab.done) {
    if (response.destroyed) return void await slabs.return(undefined);
    if (!response.write(slab.value)) await drained(response);
    slab = following;
    if (!slab.done) following = await slabs.next();
  }
  response.end();
}

async function pipe(face: Face, response: ServerResponse, stream: ByteStream): Promise<void> {
  face.streams.add(stream);
  response.on("close", () => stream.close());
  try {
    response.flushHeaders();
    for await (const bytes of stream) {
      if (response.destroyed) break;
      if (!response.write(bytes)) await drained(response);
    }
    response.end();
  } finally {
    face.streams.delete(stream);
    stream.close();
  }
}

async function upgradeMessage(
  options: ListenOptions,
  face: Face,
  parts: { message: IncomingMessage; socket: Duplex; head: Uint8Array },
): Promise<void> {
  const peer = peerOfSocket(parts.message.socket as TLSSocket);
  const head = headOf(parts.message, peer);
  const who = await face.who(peer.user, parts.message.headers.authorization, head.path);
  if (who.kind === "refused") {
    face.onRefused(head);
    parts.socket.end("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    return;
  }
  options.upgrade({ ...parts, user: who.user, address: peer.address });
}
