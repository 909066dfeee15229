/**
 * What the server serves, as clients discover it: aggregated (v2) and plain documents.
 * In: the table of resources, versions that other servers serve. Out: documents, made once.
 * Never: lists what has no row. A version that is served here is not taken from elsewhere, but for
 * metrics.k8s.io, which is a registered server's.
 * Source: apidiscovery.k8s.io/v2 and meta/v1 APIGroupList, APIResourceList (v1.36).
 */
import type { Resource, Subresource } from "../../../api/resource.ts";
import { metricsRows } from "../../../api/resources.ts";
import type { RemoteVersion } from "../../aggregation/plan_discovery.ts";
import { type Prioritized, priorityOf, sortGroups } from "../../aggregation/priorities.ts";
import { apiVersionOf } from "../../verbs/core.ts";

type Document = Record<string, unknown>;

interface OwnVersion extends Prioritized {
  readonly own: readonly Resource[];
}

type AnyVersion = OwnVersion | RemoteVersion;

function ownVersions(resources: readonly Resource[]): OwnVersion[] {
  return [...Map.groupBy(resources, apiVersionOf).values()].map((own) => {
    const [{ group, version }] = own;
    return { group, version, priority: priorityOf(group, version), own };
  });
}

const scopeOf = (resource: Resource) => resource.namespaced ? "Namespaced" : "Cluster";
const kindOf = (row: { group: string; version: string; kind: string }) => ({
  group: row.group,
  version: row.version,
  kind: row.kind,
});

/** All discovery documents of a table of resources, and of what stands beside it. */
export class Discovery {
  readonly #own: readonly OwnVersion[];
  /** Versions of a group, by its name, in order. */
  readonly #groups: ReadonlyMap<string, readonly AnyVersion[]>;

  constructor(resources: readonly Resource[], remote: readonly RemoteVersion[] = []) {
    const taken = new Set(remote.map(apiVersionOf));
    // Who only stands in for another server makes way for it.
    this.#own = ownVersions(resources).filter((entry) =>
      !metricsRows.includes(entry.own[0]) || !taken.has(apiVersionOf(entry))
    );
    const known = new Set(this.#own.map(apiVersionOf));
    const others = remote.filter((entry) => !known.has(apiVersionOf(entry)));
    this.#groups = new Map(
      sortGroups<AnyVersion>([...this.#own, ...others]).map((rows) => [rows[0].group, rows]),
    );
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
    return { kind: "APIGroupList", apiVersion: "v1", groups: this.#names().map(this.#group) };
  }

  /** `/apis/<group>`; undefined when there is no such group. */
  group(name: string): Document | undefined {
    if (name === "" || !this.#groups.has(name)) return undefined;
    return { kind: "APIGroup", apiVersion: "v1", ...this.#group(name) };
  }

  /** `/api/v1`, `/apis/<group>/<version>`; undefined when it is not served. */
  resources(group: string, version: string): Document | undefined {
    const entry = this.#own.find((row) => row.group === group && row.version === version);
    if (entry === undefined) return undefined;
    const groupVersion = apiVersionOf(entry);
    return {
      kind: "APIResourceList",
      // The core group's list has always travelled without a version of its own.
      ...(group === "" ? {} : { apiVersion: "v1" }),
      groupVersion,
      resources: entry.own.flatMap(plainResources),
    };
  }

  /** `/api` and `/apis` for clients that accept aggregated discovery. */
  aggregated(isCore: boolean): Document {
    const names = isCore ? [""] : this.#names();
    return {
      kind: "APIGroupDiscoveryList",
      apiVersion: "apidiscovery.k8s.io/v2",
      metadata: {},
      items: names.map((name) => ({
        metadata: name === "" ? {} : { name },
        versions: (this.#groups.get(name) ?? []).map(aggregatedVersion),
      })),
    };
  }

  #names(): string[] {
    return [...this.#groups.keys()].filter((name) => name !== "");
  }

  readonly #group = (name: string): Document => {
    const versions = this.#groups.get(name)!.map((entry) => ({
      groupVersion: apiVersionOf(entry),
      version: entry.version,
    }));
    return { name, versions, preferredVersion: versions[0] };
  };
}

function aggregatedVersion(entry: AnyVersion): Document {
  const { version } = entry;
  if ("own" in entry) {
    return { version, resources: entry.own.map(aggregatedResource), freshness: "Current" };
  }
  const { resources, isStale } = entry;
  return {
    version,
    ...(resources.length > 0 ? { resources } : {}),
    freshness: isStale ? "Stale" : "Current",
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
