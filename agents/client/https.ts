/**
 * The client of a component on another machine: HTTPS over kept-alive HTTP/1.1 connections.
 * In: the server's address, trust, a client certificate or a token. Out: a Client.
 * Never: retries, caches, or logs a credential. A broken connection reads as an ApiError with 503.
 */
import type { KubeList, KubeObject } from "../api/meta.ts";
import type { Resource } from "../api/resource.ts";
import type { Client } from "./client.ts";
import { HttpsTransport, type HttpsTransportOptions } from "./https_transport.ts";

export type HttpsClientOptions = HttpsTransportOptions & {
  /** Bindings in flight at the same time. Default 64. */
  readonly bindConcurrency?: number;
};

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
  const transport = new HttpsTransport(options);
  const send = <T>(method: string, path: string, body?: unknown, mediaType?: string): Promise<T> =>
    transport.send<T>({ method, path, body, mediaType });

  const client: Client & { close(): void } = {
    get: <T extends KubeObject>(resource: Resource, target: Place) =>
      send<T>("GET", pathOf(resource, target)),

    list: <T extends KubeObject>(resource: Resource, options: Query = {}) => {
      const { namespace, ...query } = options;
      return send<KubeList<T>>("GET", pathOf(resource, { namespace: textOf(namespace) }, query));
    },

    watch: <T extends KubeObject>(resource: Resource, options: Query = {}) => {
      const { namespace, ...query } = options;
      return transport.watch<T>(
        pathOf(resource, { namespace: textOf(namespace) }, { watch: true, ...query }),
      );
    },

    create: <T extends KubeObject>(
      resource: Resource,
      object: T,
      options: Parameters<Client["create"]>[2] = {},
    ) => {
      const { subresource, name, ...query } = options;
      const place = {
        namespace: object.metadata?.namespace,
        name: subresource ? name ?? object.metadata?.name : undefined,
        subresource,
      };
      return send<T>("POST", pathOf(resource, place, writeQuery(query)), typed(resource, object));
    },

    update: <T extends KubeObject>(
      resource: Resource,
      object: T,
      options: Parameters<Client["update"]>[2] = {},
    ) => {
      const { subresource, ...query } = options;
      const path = pathOf(resource, { ...object.metadata, subresource }, writeQuery(query));
      return send<T>("PUT", path, typed(resource, object));
    },

    patch: <T extends KubeObject>(
      resource: Resource,
      target: Place,
      patch: Parameters<Client["patch"]>[2],
      options: Parameters<Client["patch"]>[3] = {},
    ) => {
      const { force, ...query } = options;
      const path = pathOf(resource, target, { ...writeQuery(query), force });
      return send<T>("PATCH", path, patch.body, patch.type);
    },

    delete: (resource, target, options) =>
      send<KubeObject>("DELETE", pathOf(resource, target), deleteBody(options)),

    async deleteCollection(resource, options) {
      const { list = {}, namespace, ...rest } = options;
      await send("DELETE", pathOf(resource, { namespace }, { ...list }), deleteBody(rest));
    },

    async bindMany(bindings) {
      const outcomes: (null | Error)[] = new Array(bindings.length).fill(null);
      let next = 0;
      const worker = async () => {
        while (next < bindings.length) {
          const index = next++;
          try {
            await transport.bind(bindings[index]);
          } catch (error) {
            outcomes[index] = error as Error;
          }
        }
      };
      const workers = Math.min(options.bindConcurrency ?? 64, bindings.length);
      await Promise.all(Array.from({ length: workers }, worker));
      return outcomes;
    },

    close: () => transport.close(),
  };
  return client;
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

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
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
