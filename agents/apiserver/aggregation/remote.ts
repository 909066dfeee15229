/**
 * One request to another API server, over HTTPS, in the name of the user who asked.
 * In: where it is, whom it speaks for. Out: its answer, streamed.
 * Never: passes on a credential of the client's; the identity travels in headers that only this
 * server's certificate makes true. Source: kube-aggregator's apiserver/handler_proxy.go and
 * client-go's transport/round_trippers.go (v1.36).
 */
import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import type { UserInfo } from "../../api/meta.ts";
import type { PemPair } from "../auth/certificates.ts";
import type { ApiRequest, ApiResponse, ByteStream } from "../http/message.ts";

/** Headers of the client that go on. */
const PASSED = ["accept", "content-type", "if-match", "if-none-match", "user-agent"] as const;
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

/** Errors: rejects with the platform's error. */
export async function askRemote(
  remote: Remote,
  client: PemPair,
  asked: Pick<ApiRequest, "method" | "path" | "query" | "header" | "body" | "user">,
  signal?: AbortSignal,
): Promise<ApiResponse> {
  const incoming = await send(remote, client, asked, signal);
  const headers: string[] = [];
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (HOP_HEADERS.has(name) || value === undefined) continue;
    for (const one of [value].flat()) headers.push(name, one);
  }
  return {
    status: incoming.statusCode ?? 502,
    contentType: incoming.headers["content-type"] ?? "application/octet-stream",
    headers,
    body: { kind: "stream", stream: streamOf(incoming) },
  };
}

function send(
  remote: Remote,
  client: PemPair,
  asked: Pick<ApiRequest, "method" | "path" | "query" | "header" | "body" | "user">,
  signal?: AbortSignal,
): Promise<IncomingMessage> {
  const { hostname, port, serverName, ca, isUnverified } = remote;
  const headers: Record<string, string | string[]> = {
    host: `${serverName}:${port}`,
    ...identityHeaders(asked.user),
  };
  for (const name of PASSED) {
    const value = asked.header(name);
    if (value !== undefined) headers[name] = value;
  }
  if (asked.body.length > 0) headers["content-length"] = String(asked.body.length);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = request({
    method: asked.method,
    host: hostname,
    port,
    path: asked.query === "" ? asked.path : `${asked.path}?${asked.query}`,
    servername: serverName,
    rejectUnauthorized: !isUnverified,
    cert: client.certificate,
    key: client.key,
    ...(ca === undefined ? {} : { ca }),
    headers,
    ...(signal === undefined ? {} : { signal }),
  }, resolve);
  outgoing.on("error", reject);
  outgoing.end(asked.body.length > 0 ? Buffer.from(asked.body) : undefined);
  return promise;
}

/** The user as headers of a trusted proxy. */
export function identityHeaders(user: UserInfo): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = { "x-remote-user": user.name };
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
