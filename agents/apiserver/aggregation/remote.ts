/**
 * One request to another API server, over HTTPS, in the name of the user who asked.
 * In: where it is, whom it speaks for. Out: its answer, streamed, or its text.
 * Never: passes on a credential of the client's; the identity travels in headers that only this
 * server's certificate makes true. Source: kube-aggregator's apiserver/handler_proxy.go and
 * client-go's transport/round_trippers.go (v1.36).
 */
import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { request, type RequestOptions } from "node:https";
import type { UserInfo } from "../../api/meta.ts";
import type { PemPair } from "../auth/certificates.ts";
import type { ApiRequest, ApiResponse, ByteStream } from "../http/message.ts";

/** Headers that speak of one connection, of this server's client, or for whom they please. */
const KEPT_BACK = new Set([
  "authorization",
  "connection",
  "content-length",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
const KEPT_BACK_PREFIXES = [":", "impersonate-", "x-remote-", "x-forwarded-"];
/** How a browser's WebSocket carries a token among its subprotocols. */
const TOKEN_PROTOCOL = /(^|, *)base64url\.bearer\.authorization\.k8s\.io\.[^,]*/g;
/** Headers of the client that go on where not all of them are known. */
const COMMON = ["accept", "content-type", "if-match", "if-none-match", "user-agent"] as const;
/** Headers of the answer that speak of the connection that carried it. */
const HOP_HEADERS = new Set([
  "connection",
  "content-length",
  "content-type",
  "keep-alive",
  "transfer-encoding",
]);

export interface Remote {
  readonly hostname: string;
  readonly port: number;
  /** The name that its certificate has to have. */
  readonly serverName: string;
  /** PEM of the authority behind its certificate; absent = those of the system. */
  readonly ca?: string;
  readonly isUnverified: boolean;
}

export type Headers = Record<string, string | string[]>;

export interface Asked {
  readonly method: string;
  /** Path and query, as they go on the request line. */
  readonly target: string;
  /** Those of the client that may go on. */
  readonly headers: Headers;
  readonly body: Uint8Array;
  /** In whose name. */
  readonly user: UserInfo;
}

export function targetOf({ path, query }: Pick<ApiRequest, "path" | "query">): string {
  return query === "" ? path : `${path}?${query}`;
}

/** What goes on of a client's headers. */
export function passedHeaders(
  request: Pick<ApiRequest, "header" | "fields" | "remoteAddress" | "trail">,
): Headers {
  const passed: Headers = {};
  const fields = request.fields?.() ?? COMMON.flatMap((name) => [name, request.header(name) ?? ""]);
  const ofConnection = (request.header("connection") ?? "").toLowerCase().split(/ *, */);
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i].toLowerCase();
    const isKept = KEPT_BACK.has(name) || KEPT_BACK_PREFIXES.some((head) => name.startsWith(head));
    if (isKept || ofConnection.includes(name)) continue;
    const value = name === "sec-websocket-protocol" ? withoutToken(fields[i + 1]) : fields[i + 1];
    if (value === "") continue;
    const before = passed[name];
    passed[name] = before === undefined ? value : [before, value].flat();
  }
  if (request.remoteAddress) passed["x-forwarded-for"] = request.remoteAddress;
  if (request.trail !== undefined) passed["audit-id"] = request.trail.id;
  return passed;
}

function withoutToken(protocols: string): string {
  return protocols.replace(TOKEN_PROTOCOL, "").replace(/^, */, "");
}

/** Errors: rejects with the platform's error. */
export async function askRemote(
  remote: Remote,
  client: PemPair,
  asked: Asked,
  signal?: AbortSignal,
): Promise<ApiResponse> {
  const incoming = await send(remote, client, asked, signal);
  return {
    status: incoming.statusCode ?? 502,
    contentType: incoming.headers["content-type"] ?? "application/octet-stream",
    headers: answeredHeaders(incoming),
    body: { kind: "stream", stream: streamOf(incoming) },
  };
}

/** Name and value in turn, of an answer that is passed on. */
export function answeredHeaders(incoming: IncomingMessage): string[] {
  const headers: string[] = [];
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (HOP_HEADERS.has(name) || value === undefined) continue;
    for (const one of [value].flat()) headers.push(name, one);
  }
  return headers;
}

export interface RemoteText {
  readonly status: number;
  readonly contentType: string;
  readonly etag: string;
  readonly text: string;
}

/** A document of another server. Errors: rejects with the platform's error, or when it is long. */
export async function fetchRemote(
  remote: Remote,
  client: PemPair,
  asked: {
    readonly path: string;
    readonly user: UserInfo;
    readonly accept: string;
    /** Of the document that is known; empty = none is. */
    readonly etag?: string;
    readonly limitBytes: number;
  },
  signal: AbortSignal,
): Promise<RemoteText> {
  const { path, user, accept, etag = "", limitBytes } = asked;
  const incoming = await send(remote, client, {
    method: "GET",
    target: path,
    headers: { accept, ...(etag === "" ? {} : { "if-none-match": etag }) },
    body: new Uint8Array(0),
    user,
  }, signal);
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of incoming) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    if (text.length > limitBytes) throw new Error("the answer is too long");
  }
  return {
    status: incoming.statusCode ?? 502,
    contentType: incoming.headers["content-type"] ?? "",
    etag: incoming.headers.etag ?? "",
    text: text + decoder.decode(),
  };
}

/** What every connection to a server needs; its headers go in the name of the user. */
export function optionsOf(remote: Remote, client: PemPair, asked: Asked): RequestOptions {
  const { hostname, port, serverName, ca, isUnverified } = remote;
  return {
    method: asked.method,
    host: hostname,
    port,
    path: asked.target,
    servername: serverName,
    rejectUnauthorized: !isUnverified,
    cert: client.certificate,
    key: client.key,
    ...(ca === undefined ? {} : { ca }),
    headers: { ...asked.headers, host: `${serverName}:${port}`, ...identityHeaders(asked.user) },
  };
}

function send(
  remote: Remote,
  client: PemPair,
  asked: Asked,
  signal?: AbortSignal,
): Promise<IncomingMessage> {
  const options = optionsOf(remote, client, asked);
  const headers: Headers = { ...options.headers as Headers };
  if (asked.body.length > 0) headers["content-length"] = String(asked.body.length);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = request({
    ...options,
    headers,
    ...(signal === undefined ? {} : { signal }),
  }, resolve);
  outgoing.on("error", reject);
  outgoing.end(asked.body.length > 0 ? Buffer.from(asked.body) : undefined);
  return promise;
}

/** The user as headers of a trusted proxy. */
export function identityHeaders(user: UserInfo): Headers {
  const headers: Headers = { "x-remote-user": user.name };
  if (user.uid) headers["x-remote-uid"] = user.uid;
  if (user.groups.length > 0) headers["x-remote-group"] = [...user.groups];
  for (const [key, values] of Object.entries(user.extra ?? {})) {
    headers[`x-remote-extra-${encodeURIComponent(key.toLowerCase())}`] = [...values];
  }
  return headers;
}

function streamOf(incoming: IncomingMessage): ByteStream {
  return {
    close: () => void incoming.destroy(),
    async *[Symbol.asyncIterator]() {
      for await (const chunk of incoming) yield chunk as Uint8Array;
    },
  };
}
