/**
 * Requests and watch streams on kept-alive HTTP/1.1 connections, with or without TLS.
 * In: method, path, body. Out: decoded JSON, or a stream of batches of watch events.
 * Never: knows a resource, retries, or follows a redirect. Built on node:https, whose agents keep
 * connections and carry a client certificate each.
 */
import * as http from "node:http";
import * as https from "node:https";
import type { Buffer } from "node:buffer";
import type { Binding, WatchStream } from "../api/call.ts";
import type { KubeObject } from "../api/meta.ts";
import { ApiError, serviceUnavailable, type Status, type StatusReason } from "../api/status.ts";
import { WatchPipe } from "./watch_pipe.ts";

export interface HttpsTransportOptions {
  /** Such as `https://10.0.0.1:6443`. */
  readonly server: string;
  /** PEM of the authorities to trust; absent = the machine's. */
  readonly ca?: string;
  /** PEM of the client certificate and its key. */
  readonly certificate?: string;
  readonly privateKey?: string;
  /** A bearer token, or how to read the current one. */
  readonly token?: string | (() => string);
  /** The name the server's certificate must carry, where it is not the host of `server`. */
  readonly serverName?: string;
  /** Milliseconds a request other than a watch may take. Default 60,000. */
  readonly timeoutMillis?: number;
  /** Connections kept for requests; each watch has one of its own. Default 32. */
  readonly maxConnections?: number;
  readonly userAgent?: string;
}

export interface TransportRequest {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  /** Of the body. Default application/json. */
  readonly mediaType?: string;
}

const NEWLINE = 10;

export class HttpsTransport {
  readonly #options: HttpsTransportOptions;
  readonly #base: URL;
  readonly #requests: http.Agent;
  readonly #watches: http.Agent;

  constructor(options: HttpsTransportOptions) {
    this.#options = options;
    this.#base = new URL(options.server);
    if (this.#base.protocol !== "https:" && this.#base.protocol !== "http:") {
      throw new TypeError(`server must be an http or https URL, not "${options.server}"`);
    }
    const tls = {
      ...(options.ca === undefined ? {} : { ca: options.ca }),
      ...(options.certificate === undefined ? {} : { cert: options.certificate }),
      ...(options.privateKey === undefined ? {} : { key: options.privateKey }),
      ...(options.serverName === undefined ? {} : { servername: options.serverName }),
    };
    const maxSockets = options.maxConnections ?? 32;
    const secure = this.#base.protocol === "https:";
    const agent = (settings: http.AgentOptions) =>
      secure ? new https.Agent({ ...settings, ...tls }) : new http.Agent(settings);
    this.#requests = agent({ keepAlive: true, maxSockets });
    this.#watches = agent({ keepAlive: false });
  }

  /** Errors: rejects with ApiError, also where the connection fails. */
  send<T>(request: TransportRequest): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const timeoutMillis = this.#options.timeoutMillis ?? 60_000;
      const body = encodeBody(request);
      const outgoing = this.#open({ ...request, body }, this.#requests, (response) => {
        const chunks: Uint8Array[] = [];
        response.on("data", (chunk: Uint8Array) => chunks.push(chunk));
        response.on("error", (error: Error) => reject(unreachable(error)));
        response.on("end", () => {
          const answer = parseAnswer(response.statusCode ?? 0, decodeText(chunks));
          if (answer instanceof ApiError) reject(answer);
          else resolve(answer as T);
        });
      });
      outgoing.setTimeout(timeoutMillis, () => {
        outgoing.destroy(new Error(`no answer within ${timeoutMillis} ms`));
      });
      outgoing.on("error", (error: Error) => reject(unreachable(error)));
      outgoing.end(body);
    });
  }

  /** Errors: rejects with ApiError when refused; later failures end the iteration with one. */
  watch<T extends KubeObject>(path: string): Promise<WatchStream<T>> {
    const request = { method: "GET", path };
    return new Promise((resolve, reject) => {
      const outgoing = this.#open(request, this.#watches, (response) => {
        if (response.statusCode === 200) {
          resolve(readEvents<T>(response, () => outgoing.destroy()));
          return;
        }
        const chunks: Uint8Array[] = [];
        response.on("data", (chunk: Uint8Array) => chunks.push(chunk));
        response.on("end", () => {
          const answer = parseAnswer(response.statusCode ?? 0, decodeText(chunks));
          reject(answer instanceof ApiError ? answer : unreadable(response.statusCode ?? 0, ""));
        });
      });
      outgoing.on("error", (error: Error) => reject(unreachable(error)));
      outgoing.end();
    });
  }

  /** Binds one pod through its binding subresource. */
  async bind(binding: Binding): Promise<void> {
    const { namespace, name, uid, nodeName } = binding;
    await this.send({
      method: "POST",
      path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${
        encodeURIComponent(name)
      }/binding`,
      body: {
        apiVersion: "v1",
        kind: "Binding",
        metadata: { namespace, name, ...(uid === undefined ? {} : { uid }) },
        target: { apiVersion: "v1", kind: "Node", name: nodeName },
      },
    });
  }

  close(): void {
    this.#requests.destroy();
    this.#watches.destroy();
  }

  #open(
    request: TransportRequest & { readonly body?: Uint8Array },
    agent: http.Agent,
    onResponse: (response: http.IncomingMessage) => void,
  ): http.ClientRequest {
    const { token, userAgent = "balsa" } = this.#options;
    const bearer = typeof token === "function" ? token() : token;
    const { body } = request;
    const headers: Record<string, string | number> = {
      accept: "application/json",
      "user-agent": userAgent,
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      ...(body === undefined ? {} : {
        "content-type": request.mediaType ?? "application/json",
        "content-length": body.byteLength,
      }),
    };
    const prefix = this.#base.pathname.replace(/\/$/, "");
    const settings = {
      method: request.method,
      hostname: this.#base.hostname.replace(/^\[|\]$/g, ""),
      port: this.#base.port || (this.#base.protocol === "https:" ? 443 : 80),
      path: prefix + request.path,
      headers,
      agent,
    };
    return this.#base.protocol === "https:"
      ? https.request(settings, onResponse)
      : http.request(settings, onResponse);
  }
}

const encoder = new TextEncoder();

function encodeBody({ body }: TransportRequest): Uint8Array | undefined {
  return body === undefined ? undefined : encoder.encode(JSON.stringify(body));
}

function decodeText(chunks: readonly Uint8Array[]): string {
  const decoder = new TextDecoder();
  let text = "";
  for (const chunk of chunks) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

/** Splits the body of a watch into lines and hands on all whole lines of a chunk as one batch. */
function readEvents<T extends KubeObject>(
  response: http.IncomingMessage,
  destroy: () => void,
): WatchStream<T> {
  const pipe = new WatchPipe<T>({
    onClose: destroy,
    onFull: () => response.pause(),
    onDrained: () => response.resume(),
  });
  const decoder = new TextDecoder();
  let rest = "";
  response.on("data", (chunk: Buffer) => {
    const text = rest + decoder.decode(chunk, { stream: true });
    if (chunk.indexOf(NEWLINE) < 0) {
      rest = text;
      return;
    }
    const lines = text.split("\n");
    rest = lines.pop() ?? "";
    try {
      pipe.push(lines.filter((line) => line !== "").map((line) => JSON.parse(line)));
    } catch {
      pipe.fail(unreadable(200, "an event of the watch is no JSON"));
      destroy();
    }
  });
  response.on("end", () => pipe.end());
  response.on("error", (error: Error) => pipe.fail(unreachable(error)));
  response.on("close", () => pipe.end());
  return pipe;
}

function parseAnswer(code: number, text: string): unknown | ApiError {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return unreadable(code, text);
  }
  if (code >= 200 && code < 300) return answer;
  const status = answer as Partial<Status> | null;
  return status?.kind === "Status" ? new ApiError(status as Status) : unreadable(code, text);
}

const REASONS: Readonly<Record<number, StatusReason>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  405: "MethodNotAllowed",
  406: "NotAcceptable",
  409: "Conflict",
  410: "Gone",
  413: "RequestEntityTooLarge",
  415: "UnsupportedMediaType",
  422: "Invalid",
  429: "TooManyRequests",
  503: "ServiceUnavailable",
  504: "Timeout",
};

/** An answer that is no Status, as proxies and load balancers give. */
function unreadable(code: number, text: string): ApiError {
  const excerpt = text.slice(0, 200).trim();
  return new ApiError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: `the server answered with code ${code}${excerpt === "" ? "" : `: ${excerpt}`}`,
    reason: REASONS[code] ?? "InternalError",
    code: code < 400 ? 500 : code,
  });
}

function unreachable(error: Error): ApiError {
  return serviceUnavailable(`no answer: ${error.message}`);
}
