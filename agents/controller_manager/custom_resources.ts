/**
 * Which custom resources there are, for the controllers that look at every resource.
 * In: the definitions, as an informer shows them. Out: rows to watch, and a call when they change.
 * Never: a row of a resource that is not served. Source: the discovery that upstream's garbage
 * collector and namespace controller poll (v1.36).
 */
import type { CustomResourceDefinition } from "../api/kinds/extensions/custom_resource_definition.ts";
import type { Resource } from "../api/resource.ts";
import { customResourceDefinitions } from "../api/resources.ts";
import { standInOf } from "../api/row.ts";
import { type InformerSet, resourceName } from "../client/informer_set.ts";

/** One row of each established definition, by the version it is kept in where that is served. */
export function customRows(definitions: readonly CustomResourceDefinition[]): Resource[] {
  const rows: Resource[] = [];
  for (const { metadata, spec, status } of definitions) {
    const isEstablished = status?.conditions?.some((condition) =>
      condition.type === "Established" && condition.status === "True"
    );
    const served = spec?.versions.filter((version) => version.served) ?? [];
    const version = served.find((one) => one.storage) ?? served[0];
    // What is being deleted is emptied by the API server itself.
    const isLeaving = metadata.deletionTimestamp !== undefined;
    if (!isEstablished || isLeaving || version === undefined) continue;
    const { group, names, scope } = spec!;
    const { kind, plural } = names;
    const place = scope === "Cluster" ? "Cluster" : "Namespaced";
    rows.push(standInOf({ group, version: version.name, kind, plural, scope: place }));
  }
  return rows;
}

/** Calls back with all rows, now and whenever they differ. @returns a function that ends it */
export function followCustomResources(
  informers: InformerSet,
  onChange: (rows: readonly Resource[]) => void,
): () => void {
  const informer = informers.of<CustomResourceDefinition>(customResourceDefinitions);
  let known: string | undefined;
  const look = () => {
    const rows = customRows(informer.lister.list());
    const text = rows.map((row) => `${resourceName(row)}/${row.version}`).sort().join(" ");
    if (text === known) return;
    known = text;
    onChange(rows);
  };
  const stop = informer.addHandler(look);
  look();
  return stop;
}
