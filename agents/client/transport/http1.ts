/**
 * Requests and watch streams on kept-alive HTTP/1.1 connections, with or without TLS.
 * In: method, path, body. Out: decoded JSON, or a stream of batches of watch events.
 * Never: knows a resource, retries, or follows a redirect. Built on node:https, whose agents keep
 * connections and carry a client certificate each. For servers that do not speak HTTP/2.
 */
import * as http from "node:http";
import * as https from "node:https";
import type { WatchStream } from "../../api/call.ts";
import type { KubeObject } from "../../api/meta.ts";
import { ApiError } from "../../api/status.ts";
import { WatchPipe } from "../watch_pipe.ts";
import {
  BodyText,
  encodeBody,
  EventLines,
  parseAnswer,
  parseFailure,
  unreachable,
} from "./answer.ts";
import {
  bearerOf,
  DEFAULT_TIMEOUT_MILLIS,
  DEFAULT_USER_AGENT,
  type Transport,
  type TransportOptions,
  type TransportRequest,
} from "./transport.ts";

export class Http1Transport implements Transport {
  readonly #options: TransportOptions;
  readonly #base: URL;
  readonly #requests: http.Agent;
  readonly #watches: http.Agent;

  /** @param options.server an http or https URL */
  constructor(options: TransportOptions) {
    this.#options = options;
    this.#base = new URL(options.server);
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

  send<T>(request: TransportRequest): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const timeoutMillis = this.#options.timeoutMillis ?? DEFAULT_TIMEOUT_MILLIS;
      const body = encodeBody(request);
      const outgoing = this.#open({ ...request, body }, this.#requests, (response) => {
        readText(response).then((text) => {
          const answer = parseAnswer(response.statusCode ?? 0, text);
          if (answer instanceof ApiError) reject(answer);
          else resolve(answer as T);
        }, reject);
      });
      outgoing.setTimeout(timeoutMillis, () => {
        outgoing.destroy(new Error(`no answer within ${timeoutMillis} ms`));
      });
      outgoing.on("error", (error: Error) => reject(unreachable(error)));
      outgoing.end(body);
    });
  }

  watch<T extends KubeObject>(path: string): Promise<WatchStream<T>> {
    const request = { method: "GET", path };
    return new Promise((resolve, reject) => {
      const outgoing = this.#open(request, this.#watches, (response) => {
        if (response.statusCode === 200) {
          resolve(readEvents<T>(response, () => outgoing.destroy()));
          return;
        }
        readText(response)
          .then((text) => reject(parseFailure(response.statusCode ?? 0, text)), reject);
      });
      outgoing.on("error", (error: Error) => reject(unreachable(error)));
      outgoing.end();
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
    const bearer = bearerOf(this.#options);
    const { body } = request;
    const headers: Record<string, string | number> = {
      accept: "application/json",
      "user-agent": this.#options.userAgent ?? DEFAULT_USER_AGENT,
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

/** Errors: rejects with ApiError when the connection breaks. */
function readText(response: http.IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const text = new BodyText();
    response.on("data", (chunk: Uint8Array) => text.push(chunk));
    response.on("error", (error: Error) => reject(unreachable(error)));
    response.on("end", () => resolve(text.finish()));
  });
}

function readEvents<T extends KubeObject>(
  response: http.IncomingMessage,
  destroy: () => void,
): WatchStream<T> {
  const pipe = new WatchPipe<T>({
    onClose: destroy,
    onFull: () => response.pause(),
    onDrained: () => response.resume(),
  });
  const lines = new EventLines<T>();
  response.on("data", (chunk: Uint8Array) => {
    try {
      pipe.push(lines.push(chunk));
    } catch (error) {
      pipe.fail(error as ApiError);
      destroy();
    }
  });
  response.on("end", () => pipe.end());
  response.on("error", (error: Error) => pipe.fail(unreachable(error)));
  response.on("close", () => pipe.end());
  return pipe;
}
