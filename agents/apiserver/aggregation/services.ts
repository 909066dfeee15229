/**
 * Groups and versions that other servers serve: who serves them, and the way there.
 * In: the cache of API services, requests. Out: answers of those servers, tunnels to them.
 * Never: asks a server that is not known to be available.
 * Source: kube-aggregator's apiserver/handler_proxy.go (v1.36).
 */
import type { APIService } from "../../api/kinds/extensions/api_service.ts";
import type { KubeObject } from "../../api/meta.ts";
import { apiServices, endpointSlices, services } from "../../api/resources.ts";
import { unknownPath } from "../../api/status.ts";
import type { PemPair } from "../auth/certificates.ts";
import { refuseUnless } from "../auth/refuse_unless.ts";
import { type ApiRequest, type ApiResponse, textResponse } from "../http/message.ts";
import { type RequestInfo, requestInfoOf } from "../http/request_info.ts";
import { cacheOf, type Core, keyOf, prefixOf } from "../verbs/core.ts";
import { RemoteDocuments } from "./documents.ts";
import type { Reference } from "./plan_available.ts";
import { askRemote, passedHeaders, type Remote, targetOf } from "./remote.ts";
import { openTunnel, type TunnelEnd } from "./tunnel.ts";

const SERVICE_LABEL = "kubernetes.io/service-name";
/** Discovery is cheap, and every client waits for it. */
const DISCOVERY_MILLIS = 5000;

export class Aggregation {
  readonly documents: RemoteDocuments;
  #seen = -1;
  #byVersion = new Map<string, APIService>();

  constructor(readonly core: Core, readonly client: PemPair) {
    this.documents = new RemoteDocuments(() => this.all());
  }

  /** The service behind a path; undefined for what this server serves itself. */
  find(path: string): APIService | undefined {
    const services = this.#services();
    if (services.size === 0 || !path.startsWith("/apis/")) return undefined;
    const [, , group, version] = path.split("/", 4);
    return services.get(`${group}/${version}`);
  }

  /** All services of other servers. */
  all(): readonly APIService[] {
    return [...this.#services().values()];
  }

  /** Changes when an API service does. */
  get generation(): number {
    return cacheOf(this.core, apiServices).lastChangeRevision;
  }

  /** Errors: rejects with ApiError 403, 404. */
  async proxy(service: APIService, request: ApiRequest): Promise<ApiResponse> {
    const info = requestInfoOf(request);
    await authorize(this.core, request, info);
    return await this.forward(service, request, isDiscovery(info) ? DISCOVERY_MILLIS : 0);
  }

  /**
   * Passes a request on that was authorized already; 503 where nobody answers.
   * @param timeoutMillis 0 = as long as it takes
   */
  async forward(
    service: APIService,
    request: ApiRequest,
    timeoutMillis = 0,
  ): Promise<ApiResponse> {
    const remote = isAvailable(service) ? this.remoteOf(service) : "not available";
    if (typeof remote === "string") return refusal("service unavailable");
    const abort = new AbortController();
    const stop = timeoutMillis === 0
      ? () => {}
      : this.core.clock.after(timeoutMillis, () => abort.abort());
    try {
      return await askRemote(remote, this.client, {
        method: request.method,
        target: targetOf(request),
        headers: passedHeaders(request),
        body: request.body,
        user: request.user,
      }, abort.signal);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return refusal(
        `error trying to reach service: ${abort.signal.aborted ? DEADLINE : reason}`,
      );
    } finally {
      stop();
    }
  }

  /**
   * Joins a client that leaves HTTP with the server behind a service.
   * @returns the status that was answered; the answer itself where nobody is there to join with
   * Errors: rejects with ApiError 403, 404.
   */
  async tunnel(
    service: APIService,
    request: Omit<ApiRequest, "body">,
    end: TunnelEnd,
  ): Promise<number | ApiResponse> {
    await authorize(this.core, request, requestInfoOf(request));
    const remote = isAvailable(service) ? this.remoteOf(service) : "not available";
    if (typeof remote === "string") return refusal("service unavailable");
    try {
      return await openTunnel(remote, this.client, {
        method: request.method,
        target: targetOf(request),
        headers: passedHeaders(request),
        body: new Uint8Array(0),
        user: request.user,
        protocol: request.header("upgrade") ?? "",
      }, end);
    } catch (error) {
      return refusal(error instanceof Error ? error.message : String(error));
    }
  }

  /** Where a service's server is, or why that can't be said. */
  remoteOf(service: APIService): Remote | string {
    const { caBundle, insecureSkipTLSVerify } = service.spec!;
    const reference = referenceOf(service);
    const target = this.core.webhooks.targetOf(this.core, { service: reference });
    if (typeof target === "string") return target;
    return {
      hostname: target.address!.hostname,
      port: target.address!.port,
      serverName: `${reference.name}.${reference.namespace}.svc`,
      ...(caBundle ? { ca: atob(caBundle) } : {}),
      isUnverified: insecureSkipTLSVerify === true,
    };
  }

  /** A service of the cluster, and where its pods are. */
  backendOf({ namespace, name }: Reference): { service?: KubeObject; slices: KubeObject[] } {
    const key = keyOf({ resource: services, namespace, name });
    const service = cacheOf(this.core, services).get(key)?.object;
    const slices = cacheOf(this.core, endpointSlices).readable({
      keyPrefix: `${prefixOf(endpointSlices)}${namespace}/`,
      matches: ({ metadata }) => metadata.labels?.[SERVICE_LABEL] === name,
    });
    return { ...(service && { service }), slices };
  }

  /** Whether a service or an endpoint slice belongs to a server that is asked. */
  isBackend({ kind, metadata }: KubeObject): boolean {
    const all = this.#services();
    if (all.size === 0) return false;
    const name = kind === "Service" ? metadata.name : metadata.labels?.[SERVICE_LABEL];
    for (const service of all.values()) {
      const reference = referenceOf(service);
      if (reference.name === name && reference.namespace === metadata.namespace) return true;
    }
    return false;
  }

  #services(): ReadonlyMap<string, APIService> {
    const cache = cacheOf(this.core, apiServices);
    if (cache.lastChangeRevision === this.#seen) return this.#byVersion;
    this.#seen = cache.lastChangeRevision;
    this.#byVersion = new Map();
    for (const object of cache.readable({ keyPrefix: prefixOf(apiServices) })) {
      const { spec } = object as APIService;
      if (spec?.service === undefined || spec.service === null) continue;
      this.#byVersion.set(`${spec.group}/${spec.version}`, object as APIService);
    }
    return this.#byVersion;
  }
}

const DEADLINE = "context deadline exceeded";

export function isAvailable({ status }: APIService): boolean {
  return (status?.conditions ?? [])
    .some((condition) => condition.type === "Available" && condition.status === "True");
}

/** What an API service of another server points to. */
export function referenceOf({ spec }: APIService): Reference {
  const { namespace = "", name = "", port = 443 } = spec!.service!;
  return { namespace, name, port };
}

/** Clients tell a server that can't be reached from one that refuses by the lack of a Status. */
function refusal(text: string): ApiResponse {
  const response = textResponse(503, `${text}\n`, "text/plain; charset=utf-8");
  return { ...response, headers: ["x-content-type-options", "nosniff"] };
}

function isDiscovery({ isResource, path }: RequestInfo): boolean {
  return !isResource && path.split("/").filter((part) => part !== "").length === 3;
}

/** The other server may read these as another path than the one that is judged here. */
const AMBIGUOUS = /\/\/|(^|\/)\.\.?(\/|$)/;

/** Errors: throws or rejects with ApiError 403, 404. */
function authorize(
  { authorizer }: Core,
  request: Pick<ApiRequest, "user" | "trail">,
  { isResource, path, verb, ...place }: RequestInfo,
): void | Promise<void> {
  if (AMBIGUOUS.test(path)) throw unknownPath();
  const { user } = request;
  const asked = isResource ? { user, verb, ...place } : { user, verb, path };
  return refuseUnless(authorizer, request, asked, place);
}
