/**
 * A View over plain lists, so that a plan can be tested as a table.
 * In: a controller (for its indexes) and objects by resource. Out: a View of frozen objects.
 * Never: watches or changes.
 */
import type { KubeObject } from "../../agents/api/meta.ts";
import type { Resource } from "../../agents/api/resource.ts";
import { resourceName } from "../../agents/client/informer_set.ts";
import { ObjectStore } from "../../agents/client/lister.ts";
import type { Controller, View } from "../../agents/controller_manager/controller.ts";

/** Makes a View; resources of the controller without an entry are empty. */
export function memoryView(
  controller: Controller,
  entries: readonly (readonly [Resource, readonly KubeObject[]])[],
): View {
  const stores = new Map<string, ObjectStore>();
  for (const watch of controller.watches) {
    const name = resourceName(watch.resource);
    const store = stores.get(name) ?? new ObjectStore();
    stores.set(name, store);
    for (const [index, valuesOf] of Object.entries(watch.indexes ?? {})) {
      store.addIndex(index, valuesOf);
    }
  }
  for (const [resource, objects] of entries) {
    for (const object of objects) stores.get(resourceName(resource))!.put(Object.freeze(object));
  }
  const storeOf = (resource: Resource) => stores.get(resourceName(resource))!;
  return {
    get: <T extends KubeObject>(resource: Resource, place: { namespace?: string; name: string }) =>
      storeOf(resource).get(place) as T | undefined,
    list: <T extends KubeObject>(resource: Resource, namespace?: string) =>
      storeOf(resource).list(namespace) as readonly T[],
    byIndex: <T extends KubeObject>(resource: Resource, at: { index: string; value: string }) =>
      storeOf(resource).byIndex(at.index, at.value) as readonly T[],
  };
}
