/**
 * The class that objects get which name none.
 * In: the classes of one kind, the annotations that mark a default. Out: the newest marked one.
 * Never: changes an object. Source: pkg/volume/util/storageclass.go, defaultingressclass (v1.36).
 */
import type { KubeObject } from "../../api/meta.ts";
import type { Resource } from "../../api/resource.ts";
import { cacheOf, type Core, prefixOf } from "../verbs/core.ts";

/** @returns undefined where no class is marked; of several the newest, then the first by name */
export function defaultClassOf(
  core: Core,
  resource: Resource,
  annotations: readonly string[],
): KubeObject | undefined {
  const cache = cacheOf(core, resource);
  if (cache.size === 0) return undefined;
  return cache.select({ keyPrefix: prefixOf(resource) }).map(({ object }) => object)
    .filter(({ metadata }) => annotations.some((key) => metadata.annotations?.[key] === "true"))
    .sort(byAge)[0];
}

function byAge({ metadata: a }: KubeObject, { metadata: b }: KubeObject): number {
  if (a.creationTimestamp !== b.creationTimestamp) {
    return a.creationTimestamp! > b.creationTimestamp! ? -1 : 1;
  }
  return a.name! < b.name! ? -1 : 1;
}
