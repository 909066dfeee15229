/**
 * The client of a component on another machine: HTTPS, on HTTP/2 where the server speaks it.
 * In: the server's address, trust, a client certificate or a token. Out: a Client.
 * Never: retries, caches, or logs a credential. A broken connection reads as an ApiError with 503.
 */
import type { Binding, DeleteOptions, PodReport, WatchStream } from "../api/call.ts";
import type { KubeList, KubeObject } from "../api/meta.ts";
import type { Resource } from "../api/resource.ts";
import { pods } from "../api/resources.ts";
import { ApiError } from "../api/status.ts";
import type { Client } from "./client.ts";
import { reportPods } from "./report_pods.ts";
import { openTransport } from "./transport/https.ts";
import type { Transport, TransportOptions } from "./transport/transport.ts";

export type HttpsClientOptions = TransportOptions & {
  /** Bindings in flight at the same time. Default 256. */
  readonly bindConcurrency?: number;
};

type Selection = NonNullable<Parameters<Client["watch"]>[1]>;
type Query = Readonly<Record<string, string | number | boolean | undefined>>;

interface Place {
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: string;
}

/**
 * Makes a Client that talks to an API server over the network.
 * Errors: throws TypeError when `server` is no http or https URL.
 */
export function createHttpsClient(options: HttpsClientOptions): Client & { close(): void } {
  return new HttpsClient(options);
}

class HttpsClient implements Client {
  readonly #transport: Transport;
  readonly #bindConcurrency: number;

  constructor(options: HttpsClientOptions) {
    this.#transport = openTransport(options);
    this.#bindConcurrency = options.bindConcurrency ?? 256;
  }

  get<T extends KubeObject>(resource: Resource, target: Place): Promise<T> {
    return this.#transport.send({ method: "GET", path: pathOf(resource, target) });
  }

  list<T extends KubeObject>(resource: Resource, options: Selection = {}): Promise<KubeList<T>> {
    const { namespace, ...query } = options;
    return this.#transport.send({
      method: "GET",
      path: pathOf(resource, { namespace }, { ...query }),
    });
  }

  watch<T extends KubeObject>(
    resource: Resource,
    options: Selection = {},
  ): Promise<WatchStream<T>> {
    const { namespace, ...query } = options;
    return this.#transport.watch(pathOf(resource, { namespace }, { watch: true, ...query }));
  }

  create<T extends KubeObject>(
    resource: Resource,
    object: T,
    options: NonNullable<Parameters<Client["create"]>[2]> = {},
  ): Promise<T> {
    const { subresource, name, ...query } = options;
    const place = {
      namespace: object.metadata?.namespace,
      // The name of a new object travels inside it; a subresource hangs on a named one.
      name: subresource ? name ?? object.metadata?.name : undefined,
      subresource,
    };
    return this.#transport.send({
      method: "POST",
      path: pathOf(resource, place, writeQuery(query)),
      body: typed(resource, object),
    });
  }

  update<T extends KubeObject>(
    resource: Resource,
    object: T,
    options: NonNullable<Parameters<Client["update"]>[2]> = {},
  ): Promise<T> {
    const { subresource, ...query } = options;
    return this.#transport.send({
      method: "PUT",
      path: pathOf(resource, { ...object.metadata, subresource }, writeQuery(query)),
      body: typed(resource, object),
    });
  }

  patch<T extends KubeObject>(
    resource: Resource,
    target: Place,
    patch: Parameters<Client["patch"]>[2],
    options: NonNullable<Parameters<Client["patch"]>[3]> = {},
  ): Promise<T> {
    const { force, ...query } = options;
    return this.#transport.send({
      method: "PATCH",
      path: pathOf(resource, target, { ...writeQuery(query), force }),
      body: patch.body,
      mediaType: patch.type,
    });
  }

  delete(resource: Resource, target: Place, options?: DeleteOptions): Promise<KubeObject> {
    const path = pathOf(resource, target);
    return this.#transport.send({ method: "DELETE", path, body: deleteBody(options) });
  }

  async deleteCollection(
    resource: Resource,
    options: Parameters<Client["deleteCollection"]>[1],
  ): Promise<void> {
    const { list = {}, namespace, ...rest } = options;
    const path = pathOf(resource, { namespace }, { ...list });
    await this.#transport.send({ method: "DELETE", path, body: deleteBody(rest) });
  }

  async bindMany(bindings: readonly Binding[]): Promise<readonly (null | Error)[]> {
    const outcomes: (null | Error)[] = new Array(bindings.length).fill(null);
    let next = 0;
    const work = async () => {
      while (next < bindings.length) {
        const index = next++;
        try {
          await this.#bind(bindings[index]);
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          outcomes[index] = error;
        }
      }
    };
    const workers = Math.min(this.#bindConcurrency, bindings.length);
    await Promise.all(Array.from({ length: workers }, work));
    return outcomes;
  }

  reportMany(reports: readonly PodReport[]): Promise<readonly (null | Error)[]> {
    return reportPods(this, reports);
  }

  close(): void {
    this.#transport.close();
  }

  /** Binds one pod through its binding subresource. */
  async #bind({ namespace, name, uid, nodeName }: Binding): Promise<void> {
    await this.#transport.send({
      method: "POST",
      path: pathOf(pods, { namespace, name, subresource: "binding" }),
      body: {
        apiVersion: "v1",
        kind: "Binding",
        metadata: { namespace, name, ...(uid === undefined ? {} : { uid }) },
        target: { apiVersion: "v1", kind: "Node", name: nodeName },
      },
    });
  }
}

/**
 * The path and query of a request.
 * @param query values left undefined are left out.
 */
export function pathOf(resource: Resource, place: Place, query: Query = {}): string {
  const { group, version, plural, namespaced } = resource;
  const parts = group === "" ? ["", "api", version] : ["", "apis", group, version];
  if (namespaced && place.namespace) {
    parts.push("namespaces", encodeURIComponent(place.namespace));
  }
  parts.push(plural);
  if (place.name) parts.push(encodeURIComponent(place.name));
  if (place.subresource) parts.push(place.subresource);
  const pairs: string[] = [];
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined) pairs.push(`${key}=${encodeURIComponent(String(value))}`);
  }
  return parts.join("/") + (pairs.length === 0 ? "" : `?${pairs.join("&")}`);
}

function writeQuery(options: { dryRun?: boolean; [name: string]: unknown }): Query {
  const { dryRun, ...rest } = options;
  return { ...rest as Query, dryRun: dryRun ? "All" : undefined };
}

/** The server insists on apiVersion and kind, which callers in TypeScript may leave out. */
function typed<T extends KubeObject>(resource: Resource, object: T): KubeObject {
  if (object.apiVersion !== undefined && object.kind !== undefined) return object;
  const { group, version, kind } = resource;
  return { apiVersion: group === "" ? version : `${group}/${version}`, kind, ...object };
}

function deleteBody(options: object | undefined): unknown {
  if (options === undefined || Object.keys(options).length === 0) return undefined;
  return { kind: "DeleteOptions", apiVersion: "v1", ...options };
}
