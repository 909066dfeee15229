/**
 * JSON to servers outside: one POST over connections that are kept, and what came back.
 * In: where, what proves who asks, a body. Out: status and text of the answer.
 * Never: trusts another authority than the one given, where one is; follows a redirect, or reads an
 * answer without end. Source: apiserver's util/webhook/client.go (v1.36).
 */
import { Agent as PlainAgent, type IncomingMessage, request as plainRequest } from "node:http";
import { Agent, request as tlsRequest } from "node:https";

/** What proves to a server who asks. */
export interface Credentials {
  /** PEM of a client certificate and its key. */
  readonly certificate?: string;
  readonly key?: string;
  /** A bearer token. */
  readonly token?: string;
}

export interface Post extends Credentials {
  readonly url: URL;
  /** Where to connect instead of what the URL names. */
  readonly address?: { readonly hostname: string; readonly port: number } | null;
  /** PEM of the server's authority; absent = the machine's own. */
  readonly ca?: string;
  /** Name that the server's certificate must have; absent = the URL's. */
  readonly serverName?: string;
  readonly body: string;
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  /** Null for one beyond the limit. */
  readonly text: string | null;
}

/** Connections to one server; what comes beyond waits. */
const MAX_SOCKETS = 64;
const IDLE_MILLIS = 60_000;
const encoder = new TextEncoder();

export class Poster {
  readonly #limitBytes: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS, timeout: IDLE_MILLIS });
  readonly #plain = new PlainAgent({ keepAlive: true, maxSockets: MAX_SOCKETS });

  /** @param limitBytes longest answer that is read */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  close(): void {
    this.#agent.destroy();
    this.#plain.destroy();
  }

  /** Errors: rejects with the platform's error. */
  send(post: Post, mayRetry = true): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const outgoing = this.#request(post, (incoming) => {
      readAnswer(incoming, this.#limitBytes).then(
        (text) => resolve({ status: incoming.statusCode ?? 0, text }),
        reject,
      );
    });
    outgoing.on("error", (error: Error & { code?: string }) => {
      // A kept connection may have been closed by the other side while the request was on its way.
      const isStale = mayRetry && outgoing.reusedSocket && error.code === "ECONNRESET";
      if (isStale) this.send(post, false).then(resolve, reject);
      else reject(error);
    });
    outgoing.end(post.body);
    return promise;
  }

  #request(post: Post, onAnswer: (incoming: IncomingMessage) => void) {
    const { url, address, ca, certificate, key, token, body, signal } = post;
    const isPlain = url.protocol === "http:";
    const serverName = post.serverName ?? (isAddress(url.hostname) ? undefined : url.hostname);
    const common = {
      method: "POST",
      host: address?.hostname ?? url.hostname.replace(/^\[|\]$/g, ""),
      port: address?.port ?? (Number(url.port) || (isPlain ? 80 : 443)),
      path: url.pathname + url.search,
      headers: {
        host: url.host,
        "content-type": "application/json",
        accept: "application/json",
        "content-length": encoder.encode(body).length,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      signal,
    };
    if (isPlain) return plainRequest({ ...common, agent: this.#plain }, onAnswer);
    return tlsRequest({
      ...common,
      agent: this.#agent,
      ...(serverName === undefined ? {} : { servername: serverName }),
      ...(ca === undefined ? {} : { ca }),
      ...(certificate === undefined ? {} : { cert: certificate, key }),
    }, onAnswer);
  }
}

function isAddress(hostname: string): boolean {
  return /^[\d.]+$/.test(hostname) || hostname.startsWith("[");
}

/** @returns null for an answer beyond the limit */
async function readAnswer(incoming: IncomingMessage, limit: number): Promise<string | null> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  // Leaving the loop gives the rest of the stream, and its connection, up.
  for await (const chunk of incoming) {
    size += chunk.length;
    if (size > limit) return null;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** What a client says of an answer that is no success. */
export function refusalOf(status: number, text: string): string {
  try {
    const { kind, message } = JSON.parse(text);
    if (kind === "Status" && typeof message === "string") return message;
  } catch {
    // No Status: the code says what there is to say.
  }
  if (status === 404) return "the server could not find the requested resource";
  if (status >= 500) {
    const shown = JSON.stringify(text.trim().slice(0, 512) || "unknown");
    return `an error on the server (${shown}) has prevented the request from succeeding`;
  }
  return "the server rejected our request for an unknown reason";
}

/** Why no connection came about, as upstream's clients say it. */
export function wordsOf(error: unknown): string {
  const { code = "", message = String(error) } = error as { code?: string; message?: string };
  if (code === "ECONNREFUSED") {
    const where = /(\S+:\d+)$/.exec(message)?.[1];
    return `dial tcp ${where === undefined ? "" : `${where}: `}connect: connection refused`;
  }
  if (code === "ENOTFOUND") return `dial tcp: lookup ${message.split(" ").pop()}: no such host`;
  if (/UNABLE_TO|SELF_SIGNED|BadSignature|UnknownIssuer/.test(`${code} ${message}`)) {
    return "tls: failed to verify certificate: x509: certificate signed by unknown authority";
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return `tls: failed to verify certificate: x509: ${message}`;
  }
  return code === "ECONNRESET" ? "EOF" : message;
}
