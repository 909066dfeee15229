/**
 * PURE. Deletes what lost all its owners, and lets owners go in the order they asked for.
 * In: an object's key and the view of every collectable resource. Out: deletes, patches of owner
 * references and finalizers; absent owners are asked for at the API server before anything dies.
 * Never: acts on an object whose owner's kind it does not know.
 * Source: pkg/controller/garbagecollector (v1.36): background, foreground, orphan.
 */
import { resourceName } from "../../client/informer_set.ts";
import { objectKey, parseObjectKey } from "../../client/lister.ts";
import type { KubeObject, OwnerReference } from "../../api/meta.ts";
import type { Resource } from "../../api/resource.ts";
import type { Action, Controller, Guard, PlanInput, View, Write } from "../controller.ts";

export const FOREGROUND = "foregroundDeletion";
export const ORPHAN = "orphan";
const BY_OWNER = "owner";
/** Uids never come back, so an owner that was seen to go needs no second look. */
const GONE_LIMIT = 10_000;

/**
 * The row of run.ts.
 * @param all every stored resource; those that can be listed, watched and deleted are collected.
 */
export function garbageCollector(all: readonly Resource[]): Controller {
  const collector = new GarbageCollector(all);
  return {
    name: "garbage-collector-controller",
    workers: 20,
    watches: collector.resources.map((resource) => ({
      resource,
      keysOf: (object, view) => collector.keysOf(resource, object, view),
      ignoreUpdate: hasSameOwnership,
      indexes: {
        [BY_OWNER]: (object: KubeObject) =>
          (object.metadata.ownerReferences ?? []).map((owner) => owner.uid),
      },
    })),
    plan: (key, input) => collector.plan(key, input),
  };
}

interface Item {
  readonly resource: Resource;
  readonly object: KubeObject;
}

/** What became of one owner. */
type Standing = "solid" | "dangling" | "waiting" | "unknown";

export class GarbageCollector {
  readonly resources: readonly Resource[];
  readonly #byName = new Map<string, Resource>();
  readonly #byKind = new Map<string, Resource>();
  readonly #gone = new Set<string>();

  constructor(all: readonly Resource[]) {
    this.resources = all.filter((resource) =>
      resource.plural !== "events" &&
      (["list", "watch", "delete"] as const).every((verb) => resource.verbs.includes(verb))
    );
    for (const resource of this.resources) {
      this.#byName.set(resourceName(resource), resource);
      this.#byKind.set(`${resource.group}/${resource.kind}`, resource);
    }
  }

  /** The objects to look at because this one came, changed or went. */
  keysOf(resource: Resource, object: KubeObject, view: View): string[] {
    const { namespace, name = "", uid = "" } = object.metadata;
    const owners = object.metadata.ownerReferences ?? [];
    // An owner that waits for its dependents waits for this one, perhaps.
    const waiting = owners.flatMap((owner) => {
      const found = this.#find(owner, object, view);
      return found !== undefined && isDeletingDependents(found.object) ? [keyOf(found)] : [];
    });
    const stored = view.get(resource, { namespace, name });
    if (stored?.metadata.uid !== uid) {
      this.#remember(uid);
      return [...waiting, ...this.#dependents(uid, view).map(keyOf)];
    }
    if (isDeletingDependents(object)) {
      const dependents = this.#dependents(uid, view).map(keyOf);
      return [...waiting, keyOf({ resource, object }), ...dependents];
    }
    const concerned = owners.length > 0 || isOrphaning(object);
    return concerned ? [...waiting, keyOf({ resource, object })] : waiting;
  }

  /** @param key `resource namespace/name`. */
  plan(key: string, input: PlanInput): Action[] {
    const [name, place] = key.split(" ");
    const resource = this.#byName.get(name)!;
    const object = input.view.get(resource, parseObjectKey(place));
    if (object === undefined) return [];
    const item = { resource, object };
    if (isOrphaning(object)) return this.#planOrphans(item, input.view);
    if (isDeletingDependents(object)) return this.#planForeground(item, input.view);
    if (object.metadata.deletionTimestamp !== undefined) return [];
    return this.#planDependent(item, input.view);
  }

  /** An owner goes last: when nobody who blocks it is left. */
  #planForeground(item: Item, view: View): Action[] {
    const uid = item.object.metadata.uid!;
    const blocked = this.#dependents(uid, view).some(({ object }) =>
      object.metadata.ownerReferences!.some((owner) =>
        owner.uid === uid && owner.blockOwnerDeletion === true
      )
    );
    return blocked ? [] : [dropFinalizer(item, FOREGROUND)];
  }

  /** Dependents are set free before their owner goes. */
  #planOrphans(item: Item, view: View): Action[] {
    const uid = item.object.metadata.uid!;
    const dependents = this.#dependents(uid, view);
    const release: Action[] = dependents.length === 0 ? [] : [{
      kind: "batch",
      slowStart: false,
      writes: dependents.map((dependent) => dropOwners(dependent, new Set([uid]), [])),
    }];
    return [...release, dropFinalizer(item, ORPHAN)];
  }

  #planDependent(item: Item, view: View): Action[] {
    const owners = item.object.metadata.ownerReferences ?? [];
    if (owners.length === 0) return [];
    const standings = owners.map((owner) => ({ owner, standing: this.#stand(owner, item, view) }));
    const of = (standing: Standing) =>
      standings.filter((one) => one.standing === standing).map((one) => one.owner);
    if (of("unknown").length > 0) return [];
    const dangling = of("dangling");
    const waiting = of("waiting");
    const guards = dangling
      .filter((owner) => !this.#gone.has(owner.uid))
      .map((owner) => this.#absent(owner, item));
    if (of("solid").length > 0) {
      const lost = new Set([...dangling, ...waiting].map((owner) => owner.uid));
      return lost.size === 0 ? [] : [dropOwners(item, lost, guards)];
    }
    const { uid, finalizers = [] } = item.object.metadata;
    const hasDependents = this.#dependents(uid!, view).length > 0;
    const propagationPolicy = finalizers.includes(ORPHAN)
      ? "Orphan" as const
      : finalizers.includes(FOREGROUND) || (waiting.length > 0 && hasDependents)
      ? "Foreground" as const
      : "Background" as const;
    return [{
      kind: "delete",
      resource: item.resource,
      object: item.object,
      options: { propagationPolicy, preconditions: { uid: uid! } },
      guards,
    }];
  }

  #stand(owner: OwnerReference, item: Item, view: View): Standing {
    const resource = this.#resourceOf(owner);
    if (resource === undefined) return "unknown";
    // An owner in a namespace can't own what stands outside of it.
    if (resource.namespaced && !item.object.metadata.namespace) return "unknown";
    const found = this.#find(owner, item.object, view);
    if (found === undefined) return "dangling";
    return isDeletingDependents(found.object) ? "waiting" : "solid";
  }

  #absent(owner: OwnerReference, item: Item): Guard {
    const resource = this.#resourceOf(owner)!;
    const { namespace } = item.object.metadata;
    const place = { ...(resource.namespaced ? { namespace } : {}), name: owner.name };
    return { kind: "absent", resource, place, uid: owner.uid };
  }

  #find(owner: OwnerReference, dependent: KubeObject, view: View): Item | undefined {
    const resource = this.#resourceOf(owner);
    if (resource === undefined) return undefined;
    const { namespace } = dependent.metadata;
    const object = view.get(resource, {
      ...(resource.namespaced ? { namespace } : {}),
      name: owner.name,
    });
    return object?.metadata.uid === owner.uid ? { resource, object } : undefined;
  }

  #resourceOf(owner: OwnerReference): Resource | undefined {
    const slash = owner.apiVersion.indexOf("/");
    const group = slash < 0 ? "" : owner.apiVersion.slice(0, slash);
    return this.#byKind.get(`${group}/${owner.kind}`);
  }

  #dependents(uid: string, view: View): Item[] {
    return this.resources.flatMap((resource) =>
      view.byIndex(resource, { index: BY_OWNER, value: uid })
        .map((object) => ({ resource, object }))
    );
  }

  #remember(uid: string): void {
    this.#gone.add(uid);
    if (this.#gone.size <= GONE_LIMIT) return;
    for (const oldest of this.#gone) {
      this.#gone.delete(oldest);
      return;
    }
  }
}

/** Most updates are reports of status, which change nothing here. */
function hasSameOwnership(object: KubeObject, old: KubeObject): boolean {
  const words = ({ metadata }: KubeObject) =>
    JSON.stringify([metadata.ownerReferences, metadata.finalizers, metadata.deletionTimestamp]);
  return words(object) === words(old);
}

function keyOf(item: Item): string {
  return `${resourceName(item.resource)} ${objectKey(item.object)}`;
}

function isDeletingDependents(object: KubeObject): boolean {
  return object.metadata.deletionTimestamp !== undefined &&
    (object.metadata.finalizers ?? []).includes(FOREGROUND);
}

function isOrphaning(object: KubeObject): boolean {
  return object.metadata.deletionTimestamp !== undefined &&
    (object.metadata.finalizers ?? []).includes(ORPHAN);
}

function placeOf(object: KubeObject): { namespace?: string; name: string } {
  const { namespace, name = "" } = object.metadata;
  return { ...(namespace === undefined ? {} : { namespace }), name };
}

function dropFinalizer(item: Item, finalizer: string): Write {
  const { uid, resourceVersion, finalizers = [] } = item.object.metadata;
  const left = finalizers.filter((one) => one !== finalizer);
  return {
    kind: "patch",
    resource: item.resource,
    place: placeOf(item.object),
    body: {
      metadata: { uid, resourceVersion, finalizers: left.length === 0 ? null : left },
    },
  };
}

function dropOwners(item: Item, uids: ReadonlySet<string>, guards: readonly Guard[]): Write {
  const { uid, resourceVersion, ownerReferences = [] } = item.object.metadata;
  const left = ownerReferences.filter((owner) => !uids.has(owner.uid));
  return {
    kind: "patch",
    resource: item.resource,
    place: placeOf(item.object),
    body: {
      metadata: { uid, resourceVersion, ownerReferences: left.length === 0 ? null : left },
    },
    guards,
  };
}
