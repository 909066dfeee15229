/**
 * What the server serves, as clients discover it: aggregated (v2) and plain documents.
 * In: the table of resources. Out: documents, made once. Never: lists what has no row.
 * Source: apidiscovery.k8s.io/v2 and meta/v1 APIGroupList, APIResourceList (v1.36).
 */
import type { Resource, Subresource } from "../../api/resource.ts";
import { apiVersionOf } from "../verbs/core.ts";

type Document = Record<string, unknown>;

interface GroupVersion {
  readonly group: string;
  readonly version: string;
  readonly resources: Resource[];
}

function byGroupVersion(resources: readonly Resource[]): GroupVersion[] {
  const found = new Map<string, GroupVersion>();
  for (const resource of resources) {
    const { group, version } = resource;
    const key = apiVersionOf(resource);
    let entry = found.get(key);
    if (entry === undefined) {
      entry = { group, version, resources: [] };
      found.set(key, entry);
    }
    entry.resources.push(resource);
  }
  return [...found.values()];
}

const scopeOf = (resource: Resource) => resource.namespaced ? "Namespaced" : "Cluster";
const kindOf = (row: { group: string; version: string; kind: string }) => ({
  group: row.group,
  version: row.version,
  kind: row.kind,
});

/** All discovery documents of a table of resources. */
export class Discovery {
  readonly #versions: readonly GroupVersion[];

  constructor(resources: readonly Resource[]) {
    this.#versions = byGroupVersion(resources);
  }

  /** `/api` */
  legacyVersions(serverAddress: string): Document {
    return {
      kind: "APIVersions",
      versions: ["v1"],
      serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress }],
    };
  }

  /** `/apis` */
  groups(): Document {
    return { kind: "APIGroupList", apiVersion: "v1", groups: this.#groupNames().map(this.#group) };
  }

  /** `/apis/<group>`; undefined when there is no such group. */
  group(name: string): Document | undefined {
    if (name === "" || !this.#groupNames().includes(name)) return undefined;
    return { kind: "APIGroup", apiVersion: "v1", ...this.#group(name) };
  }

  /** `/api/v1`, `/apis/<group>/<version>`; undefined when it is not served. */
  resources(group: string, version: string): Document | undefined {
    const entry = this.#versions.find((row) => row.group === group && row.version === version);
    if (entry === undefined) return undefined;
    const groupVersion = apiVersionOf(entry);
    return {
      kind: "APIResourceList",
      // The core group's list has always travelled without a version of its own.
      ...(group === "" ? {} : { apiVersion: "v1" }),
      groupVersion,
      resources: entry.resources.flatMap(plainResources),
    };
  }

  /** `/api` and `/apis` for clients that accept aggregated discovery. */
  aggregated(isCore: boolean): Document {
    const names = isCore ? [""] : this.#groupNames();
    return {
      kind: "APIGroupDiscoveryList",
      apiVersion: "apidiscovery.k8s.io/v2",
      metadata: {},
      items: names.map((name) => ({
        metadata: name === "" ? { creationTimestamp: null } : { name, creationTimestamp: null },
        versions: this.#versions.filter((entry) => entry.group === name).map((entry) => ({
          version: entry.version,
          resources: entry.resources.map(aggregatedResource),
          freshness: "Current",
        })),
      })),
    };
  }

  #groupNames(): string[] {
    return [...new Set(this.#versions.map((entry) => entry.group))].filter((name) => name !== "");
  }

  readonly #group = (name: string): Document => {
    const versions = this.#versions.filter((entry) => entry.group === name).map((entry) => ({
      groupVersion: apiVersionOf(entry),
      version: entry.version,
    }));
    return { name, versions, preferredVersion: versions[0] };
  };
}

function plainResources(resource: Resource): Document[] {
  const { plural: name, singular, namespaced, kind, verbs, shortNames, categories } = resource;
  const own: Document = {
    name,
    singularName: singular,
    namespaced,
    kind,
    verbs,
    ...(shortNames.length > 0 ? { shortNames } : {}),
    ...(categories.length > 0 ? { categories } : {}),
  };
  return [own, ...resource.subresources.map((part) => plainPart(resource, part))];
}

function plainPart(resource: Resource, part: Subresource): Document {
  const isOwn = part.group === resource.group && part.version === resource.version;
  return {
    name: `${resource.plural}/${part.name}`,
    singularName: "",
    namespaced: resource.namespaced,
    ...(isOwn ? {} : { group: part.group, version: part.version }),
    kind: part.kind,
    verbs: part.verbs,
  };
}

function aggregatedResource(resource: Resource): Document {
  return {
    resource: resource.plural,
    responseKind: kindOf(resource),
    scope: scopeOf(resource),
    singularResource: resource.singular,
    verbs: resource.verbs,
    ...(resource.shortNames.length > 0 ? { shortNames: resource.shortNames } : {}),
    ...(resource.categories.length > 0 ? { categories: resource.categories } : {}),
    ...(resource.subresources.length > 0
      ? {
        subresources: resource.subresources.map((part) => ({
          subresource: part.name,
          responseKind: kindOf(part),
          verbs: part.verbs,
        })),
      }
      : {}),
  };
}
