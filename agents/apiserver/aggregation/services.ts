/**
 * Groups and versions that other servers serve: who serves them, and the way there.
 * In: the cache of API services, requests. Out: answers of those servers; rows for discovery.
 * Never: asks a server that is not known to be available.
 * Source: kube-aggregator's apiserver/handler_proxy.go (v1.36).
 */
import type { APIService } from "../../api/kinds/extensions/api_service.ts";
import type { Resource, Verb } from "../../api/resource.ts";
import { apiServices } from "../../api/resources.ts";
import { accessForbidden, serviceUnavailable } from "../../api/status.ts";
import type { PemPair } from "../auth/certificates.ts";
import type { ApiRequest, ApiResponse } from "../http/message.ts";
import { requestInfoOf } from "../http/request_info.ts";
import { cacheOf, type Core, prefixOf } from "../verbs/core.ts";
import { askRemote, type Remote } from "./remote.ts";

/** How a server describes one resource of a version. */
interface ApiResource {
  readonly name: string;
  readonly singularName?: string;
  readonly namespaced: boolean;
  readonly kind: string;
  readonly group?: string;
  readonly version?: string;
  readonly verbs: readonly Verb[];
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
}

export class Aggregation {
  #seen = -1;
  #byVersion = new Map<string, APIService>();
  #rowsByName = new Map<string, readonly Resource[]>();
  #rowsRevision = 0;

  constructor(readonly core: Core, readonly client: PemPair) {}

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

  /** Rows of what other servers said they serve. */
  get rows(): readonly Resource[] {
    return this.all().flatMap(({ metadata }) => this.#rowsByName.get(metadata.name!) ?? []);
  }

  /** Changes when the rows may have changed. */
  get generation(): number {
    return cacheOf(this.core, apiServices).lastChangeRevision + this.#rowsRevision;
  }

  /** Takes the answer to a discovery request. */
  learn(service: APIService, resources: readonly ApiResource[]): void {
    this.#rowsByName.set(service.metadata.name!, rowsOf(service, resources));
    this.#rowsRevision++;
  }

  /** Errors: rejects with ApiError 403, 503. */
  async proxy(service: APIService, request: ApiRequest): Promise<ApiResponse> {
    authorize(this.core, request);
    const remote = isAvailable(service) ? this.remoteOf(service) : "not available";
    if (typeof remote === "string") throw serviceUnavailable("service unavailable");
    try {
      return await askRemote(remote, this.client, request);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw serviceUnavailable(`error trying to reach service: ${reason}`);
    }
  }

  /** Where a service's server is, or why that can't be said. */
  remoteOf({ spec }: APIService): Remote | string {
    const { service, caBundle, insecureSkipTLSVerify } = spec!;
    const { namespace = "", name = "", port = 443 } = service!;
    const target = this.core.webhooks.targetOf(this.core, { service: { namespace, name, port } });
    if (typeof target === "string") return target;
    return {
      hostname: target.address!.hostname,
      port: target.address!.port,
      serverName: `${name}.${namespace}.svc`,
      ...(caBundle ? { ca: atob(caBundle) } : {}),
      isUnverified: insecureSkipTLSVerify === true,
    };
  }

  #services(): ReadonlyMap<string, APIService> {
    const cache = cacheOf(this.core, apiServices);
    if (cache.lastChangeRevision === this.#seen) return this.#byVersion;
    this.#seen = cache.lastChangeRevision;
    this.#byVersion = new Map();
    for (const { object } of cache.select({ keyPrefix: prefixOf(apiServices) })) {
      const { spec } = object as APIService;
      if (spec?.service === undefined || spec.service === null) continue;
      this.#byVersion.set(`${spec.group}/${spec.version}`, object as APIService);
    }
    return this.#byVersion;
  }
}

export function isAvailable({ status }: APIService): boolean {
  return (status?.conditions ?? [])
    .some((condition) => condition.type === "Available" && condition.status === "True");
}

/** Errors: throws ApiError 403. */
function authorize(core: Core, request: ApiRequest): void {
  const info = requestInfoOf(request);
  const { user } = request;
  const { verb, path, group, resource, subresource, namespace, name } = info;
  const decision = core.authorizer.authorize(
    info.isResource
      ? { user, verb, group, resource, subresource, namespace, name }
      : { user, verb, path },
  );
  request.trail?.decided(decision);
  if (decision.allowed) return;
  throw accessForbidden({
    user: user.name,
    verb,
    ...(info.isResource ? {} : { path }),
    group,
    resource,
    subresource,
    namespace,
    name,
    reason: decision.reason,
  });
}

function rowsOf({ spec }: APIService, resources: readonly ApiResource[]): Resource[] {
  const { group = "", version = "" } = spec!;
  return resources.filter(({ name }) => !name.includes("/")).map((resource) => ({
    group,
    version,
    kind: resource.kind,
    plural: resource.name,
    singular: resource.singularName ?? "",
    shortNames: resource.shortNames ?? [],
    categories: resource.categories ?? [],
    namespaced: resource.namespaced,
    typeName: "",
    verbs: resource.verbs,
    subresources: resources.filter(({ name }) => name.startsWith(`${resource.name}/`))
      .map((part) => ({
        name: part.name.slice(resource.name.length + 1),
        kind: part.kind,
        group: part.group || group,
        version: part.version || version,
        typeName: "",
        verbs: part.verbs,
      })),
    rules: {},
  }));
}
