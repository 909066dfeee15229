/**
 * Classes of devices, and which of them stands for an extended resource.
 * In: classes as they come, change and go. Out: them by name, and by resource.
 * Never: two classes for one resource: the younger one has it, of equally old ones the lesser name.
 * Source: the cache of extended resources of Kubernetes v1.36 (dynamic-resource-allocation).
 */

import type { ClassRow } from "./device_row.ts";

/** A resource that stands for any class, followed by the name of the class. */
const BY_NAME = "deviceclass.resource.kubernetes.io/";

function goesFirst(a: ClassRow, b: ClassRow): boolean {
  return a.createdMs > b.createdMs || (a.createdMs === b.createdMs && a.name < b.name);
}

export class DeviceClasses {
  readonly byName = new Map<string, ClassRow>();
  /** Extended resource -> the class that has it. */
  readonly #byResource = new Map<string, ClassRow>();

  /** @returns whether another resource is, or is no longer, one that devices stand for. */
  set(name: string, row: ClassRow | null): boolean {
    const before = this.byName.get(name);
    if (row === null) this.byName.delete(name);
    else this.byName.set(name, row);
    const isSame = before !== undefined && row !== null &&
      before.extendedResource === row.extendedResource && before.createdMs === row.createdMs;
    if (isSame) return false;
    this.#byResource.clear();
    for (const one of this.byName.values()) {
      if (one.extendedResource === "") continue;
      const other = this.#byResource.get(one.extendedResource);
      if (other === undefined || goesFirst(one, other)) {
        this.#byResource.set(one.extendedResource, one);
      }
    }
    return true;
  }

  /** @returns name of the class whose devices a resource stands for, "" = none */
  ofResource(resource: string): string {
    const name = this.#byResource.get(resource)?.name;
    if (name !== undefined) return name;
    if (!resource.startsWith(BY_NAME)) return "";
    const own = resource.slice(BY_NAME.length);
    return this.byName.has(own) ? own : "";
  }
}
