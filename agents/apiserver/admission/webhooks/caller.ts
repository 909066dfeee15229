/**
 * Speaks HTTPS to webhooks, over connections that are kept.
 * In: a client configuration, a review. Out: the text of the answer, or why there is none.
 * Never: trusts another authority than the caBundle's where there is one, follows a redirect, or
 * reads an answer without end. Source: apiserver's util/webhook/client.go (v1.36).
 */
import { type IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { endpointSlices, services } from "../../../api/resources.ts";
import type { WebhookClientConfig } from "../../../api/schema/generated/admissionregistration_v1.ts";
import { BODY_LIMIT_BYTES, cacheOf, type Core, keyOf, prefixOf } from "../../verbs/core.ts";

export type CallOutcome =
  | { readonly kind: "answered"; readonly text: string }
  | { readonly kind: "failed"; readonly message: string };

export interface Target {
  readonly url: URL;
  /** Where to connect instead of what the URL names: one of a service's pods. */
  readonly address: { readonly hostname: string; readonly port: number } | null;
}

const encoder = new TextEncoder();

/** Patches travel in base64 beside what they tell. */
const ANSWER_LIMIT_BYTES = 2 * BODY_LIMIT_BYTES;
/** Connections to one webhook; what comes beyond waits. */
const MAX_SOCKETS = 64;
const IDLE_MILLIS = 60_000;

interface Answer {
  readonly status: number;
  /** Null for one beyond the limit. */
  readonly text: string | null;
}

export class WebhookCaller {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS, timeout: IDLE_MILLIS });
  #nextEndpoint = 0;

  /** @param parts.seconds how long the webhook may take */
  async post(
    core: Core,
    config: WebhookClientConfig,
    parts: { readonly body: string; readonly seconds: number },
  ): Promise<CallOutcome> {
    const target = this.targetOf(core, config);
    if (typeof target === "string") return { kind: "failed", message: target };
    target.url.searchParams.set("timeout", `${parts.seconds}s`);
    const fail = (reason: string): CallOutcome => ({
      kind: "failed",
      message: `Post ${JSON.stringify(String(target.url))}: ${reason}`,
    });
    const abort = new AbortController();
    const stop = core.clock.after(parts.seconds * 1000, () => abort.abort());
    try {
      const asked = { target, caBundle: config.caBundle, body: parts.body, signal: abort.signal };
      const { status, text } = await this.#send(asked, true);
      if (text === null) return fail(`the answer is longer than ${ANSWER_LIMIT_BYTES} bytes`);
      if (status >= 200 && status < 300) return { kind: "answered", text };
      return { kind: "failed", message: refusalOf(status, text) };
    } catch (error) {
      return fail(abort.signal.aborted ? "context deadline exceeded" : wordsOf(error));
    } finally {
      stop();
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Errors: rejects with the platform's error. */
  #send(asked: Post, mayRetry: boolean): Promise<Answer> {
    const { target: { url, address }, caBundle = "", body, signal } = asked;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const outgoing = request({
      agent: this.#agent,
      method: "POST",
      host: address?.hostname ?? url.hostname.replace(/^\[|\]$/g, ""),
      port: address?.port ?? (Number(url.port) || 443),
      path: url.pathname + url.search,
      ...(isAddress(url.hostname) ? {} : { servername: url.hostname }),
      ...(caBundle === "" ? {} : { ca: atob(caBundle) }),
      headers: {
        host: url.host,
        "content-type": "application/json",
        accept: "application/json",
        "content-length": encoder.encode(body).length,
      },
      signal,
    }, (incoming) => {
      readAnswer(incoming).then(
        (text) => resolve({ status: incoming.statusCode ?? 0, text }),
        reject,
      );
    });
    outgoing.on("error", (error: Error & { code?: string }) => {
      // A kept connection may have been closed by the other side while the request was on its way.
      const isStale = mayRetry && outgoing.reusedSocket && error.code === "ECONNRESET";
      if (isStale) this.#send(asked, false).then(resolve, reject);
      else reject(error);
    });
    outgoing.end(body);
    return promise;
  }

  /** Where a webhook, or any service of the cluster, is; or why that can't be said. */
  targetOf(core: Core, config: WebhookClientConfig): Target | string {
    const { service, url } = config;
    if (url !== undefined) return { url: new URL(url), address: null };
    if (service === undefined) return "webhook configuration must have either service or URL";
    const { namespace, name, port = 443, path = "" } = service;
    const key = keyOf({ resource: services, namespace, name });
    const found = cacheOf(core, services).get(key)?.object;
    if (found === undefined) return `service ${JSON.stringify(name)} not found`;
    const isServed = (found.spec?.ports ?? []).some((one: { port: number }) => one.port === port);
    if (!isServed) return `no service port ${port} found for service ${JSON.stringify(name)}`;
    const address = this.#endpointOf(core, { namespace, name, port, spec: found.spec });
    if (address === null) return `no endpoints available for service ${JSON.stringify(name)}`;
    const slash = path.startsWith("/") ? "" : "/";
    return { url: new URL(`https://${name}.${namespace}.svc:${port}${slash}${path}`), address };
  }

  /** A ready pod of the service; the server needs no proxy on its machine. */
  #endpointOf(
    core: Core,
    service: {
      readonly namespace: string;
      readonly name: string;
      readonly port: number;
      // deno-lint-ignore no-explicit-any
      readonly spec: any;
    },
  ): Target["address"] {
    const { namespace, name, port, spec } = service;
    if (spec.type === "ExternalName") return { hostname: spec.externalName, port };
    const row = spec.ports.find((one: { port: number }) => one.port === port);
    const places = cacheOf(core, endpointSlices)
      .select({
        keyPrefix: `${prefixOf(endpointSlices)}${namespace}/`,
        matches: ({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] === name,
      })
      .flatMap(({ object }) => {
        const found = (object.ports ?? []).find((one: { name?: string }) =>
          (one.name ?? "") === (row.name ?? "")
        );
        if (found === undefined) return [];
        const ready = (object.endpoints ?? []).filter((one: { conditions?: { ready?: boolean } }) =>
          one.conditions?.ready !== false
        );
        return ready.map((one: { addresses: string[] }) => ({
          hostname: one.addresses[0],
          port: found.port,
        }));
      });
    return places.length === 0 ? null : places[this.#nextEndpoint++ % places.length];
  }
}

interface Post {
  readonly target: Target;
  readonly caBundle: string | undefined;
  readonly body: string;
  readonly signal: AbortSignal;
}

function isAddress(hostname: string): boolean {
  return /^[\d.]+$/.test(hostname) || hostname.startsWith("[");
}

/** @returns null for an answer beyond the limit */
async function readAnswer(incoming: IncomingMessage): Promise<string | null> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  // Leaving the loop gives the rest of the stream, and its connection, up.
  for await (const chunk of incoming) {
    size += chunk.length;
    if (size > ANSWER_LIMIT_BYTES) return null;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** What a client says of an answer that is no success. */
function refusalOf(status: number, text: string): string {
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
function wordsOf(error: unknown): string {
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
