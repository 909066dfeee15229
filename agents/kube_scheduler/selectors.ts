/**
 * What selects pods: services and controllers, as informers know them.
 * In: informers. Out: what to watch or read, and how it is looked up.
 * Never: judges; `spread_selector.ts` makes one selector of several.
 */
import type { Resource } from "../api/resource.ts";
import { findResource } from "../api/resources.ts";
import type { InformerSet } from "../client/informer_set.ts";
import type { Selecting } from "./kinds.ts";
import type { Selectors } from "./spread_selector.ts";

export const SERVICES = findResource("", "v1", "services");
export const CONTROLLERS = [
  findResource("", "v1", "replicationcontrollers"),
  findResource("apps", "v1", "replicasets"),
  findResource("apps", "v1", "statefulsets"),
];

/** What to watch; undefined where the API serves no such collection. */
export const SELECTING: readonly (Resource | undefined)[] = [SERVICES, ...CONTROLLERS];

export function selectorsOf(informers: InformerSet): Selectors {
  const listerOf = (resource: Resource) => informers.of<Selecting>(resource).lister;
  const known = CONTROLLERS.filter((resource) => resource !== undefined);
  const listers = new Map(known.map((resource) => [resource.kind, listerOf(resource)]));
  const services = SERVICES && listerOf(SERVICES);
  return {
    services: (namespace) => services?.list(namespace) ?? [],
    controller: (kind, place) => listers.get(kind)?.get(place),
  };
}
