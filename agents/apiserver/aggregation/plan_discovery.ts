/**
 * PURE. What another server says it serves, of one group and version.
 * In: its discovery documents, of either form. Out: resources as aggregated discovery has them.
 * Never: asks. Source: apidiscovery.k8s.io/v2, kube-aggregator's apiserver/handler_discovery.go
 * and apiserver's endpoints/installer.go (v1.36).
 */
import type { Prioritized } from "./priorities.ts";

// deno-lint-ignore no-explicit-any
type Json = any;
export type Document = Readonly<Record<string, unknown>>;

export interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

/** A version as discovery lists it. */
export interface RemoteVersion extends Prioritized {
  /** In the form of aggregated discovery. */
  readonly resources: readonly Document[];
  /** Nobody answers now. */
  readonly isStale: boolean;
}

const NO_KIND = { group: "", version: "", kind: "" };

/** Resources of a version in an APIGroupDiscoveryList; none where the list does not have it. */
export function fromAggregated(list: Json, of: GroupVersion): Document[] {
  const groups: Json[] = Array.isArray(list?.items) ? list.items : [];
  const group = groups.find((one) => (one?.metadata?.name ?? "") === of.group);
  const versions: Json[] = Array.isArray(group?.versions) ? group.versions : [];
  const found: Json[] = versions.find((one) => one?.version === of.version)?.resources ?? [];
  // Clients of some versions stumble over a missing kind.
  return found.map((resource) => ({
    ...resource,
    responseKind: resource.responseKind ?? NO_KIND,
    ...(Array.isArray(resource.subresources)
      ? {
        subresources: resource.subresources.map((part: Json) => ({
          ...part,
          responseKind: part.responseKind ?? NO_KIND,
        })),
      }
      : {}),
  }));
}

/** Resources of an APIResourceList. */
export function fromPlain(list: Json, of: GroupVersion): Document[] {
  const rows: Json[] = Array.isArray(list?.resources) ? list.resources : [];
  const kindOf = (row: Json) => ({
    group: row.group || of.group,
    version: row.version || of.version,
    kind: row.kind ?? "",
  });
  const found = new Map<string, Record<string, unknown>>();
  for (const row of rows.filter(({ name }) => !String(name).includes("/"))) {
    const { name, singularName = "", namespaced, verbs = [], shortNames, categories } = row;
    found.set(name, {
      resource: name,
      responseKind: kindOf(row),
      scope: namespaced ? "Namespaced" : "Cluster",
      singularResource: singularName,
      verbs,
      ...(shortNames?.length > 0 ? { shortNames } : {}),
      ...(categories?.length > 0 ? { categories } : {}),
    });
  }
  for (const row of rows.filter(({ name }) => String(name).includes("/"))) {
    const [name, ...rest] = String(row.name).split("/");
    let parent = found.get(name);
    if (parent === undefined) {
      const scope = row.namespaced ? "Namespaced" : "Cluster";
      // A part whose whole is not served, such as a review of a kind of somebody else's.
      parent = { resource: name, responseKind: NO_KIND, scope, singularResource: "", verbs: [] };
      found.set(name, parent);
    }
    const part = {
      subresource: rest.join("/"),
      responseKind: kindOf(row),
      verbs: row.verbs ?? [],
    };
    parent.subresources = [...(parent.subresources as Document[] | undefined ?? []), part];
  }
  return [...found.values()];
}
