/**
 * Speaks HTTPS to webhooks, over connections that are kept.
 * In: a client configuration, a review. Out: the text of the answer, or why there is none.
 * Never: trusts another authority than the caBundle's where there is one.
 * Source: apiserver's util/webhook/client.go (v1.36).
 */
import { endpointSlices, services } from "../../../api/resources.ts";
import type { WebhookClientConfig } from "../../../api/schema/generated/admissionregistration_v1.ts";
import { type Credentials, Poster, refusalOf, wordsOf } from "../../outgoing/post.ts";
import { BODY_LIMIT_BYTES, cacheOf, type Core, keyOf, prefixOf } from "../../verbs/core.ts";

export type CallOutcome =
  | { readonly kind: "answered"; readonly text: string }
  | { readonly kind: "failed"; readonly message: string };

export interface Target {
  readonly url: URL;
  /** Where to connect instead of what the URL names: one of a service's pods. */
  readonly address: { readonly hostname: string; readonly port: number } | null;
}

/** Patches travel in base64 beside what they tell. */
const ANSWER_LIMIT_BYTES = 2 * BODY_LIMIT_BYTES;
/** Which of an admission configuration's files speaks of a webhook. */
export type WebhookPlugin = "MutatingAdmissionWebhook" | "ValidatingAdmissionWebhook";

/** What to show a webhook, by plugin and `HOST:PORT`. */
export type CredentialsFor = (plugin: WebhookPlugin, hostPort: string) => Credentials;

const NOBODY: Credentials = {};

export class WebhookCaller {
  readonly #poster = new Poster(ANSWER_LIMIT_BYTES);
  readonly #credentialsFor: CredentialsFor;
  #nextEndpoint = 0;

  constructor(credentialsFor: CredentialsFor = () => NOBODY) {
    this.#credentialsFor = credentialsFor;
  }

  /**
   * @param parts.seconds how long the webhook may take
   * @param parts.plugin absent = it is shown nothing
   */
  async post(
    core: Core,
    config: WebhookClientConfig,
    parts: {
      readonly body: string;
      readonly seconds: number;
      readonly plugin?: WebhookPlugin;
    },
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
      const { status, text } = await this.#poster.send({
        ...this.#credentials(target, parts.plugin),
        ...target,
        ...(config.caBundle ? { ca: atob(config.caBundle) } : {}),
        body: parts.body,
        signal: abort.signal,
      });
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
    this.#poster.close();
  }

  #credentials({ url }: Target, plugin: WebhookPlugin | undefined): Credentials {
    return plugin === undefined
      ? NOBODY
      : this.#credentialsFor(plugin, `${url.hostname}:${url.port || 443}`);
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
