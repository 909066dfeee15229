/**
 * The objects of one resource as an informer last saw them, readable by name and by index.
 * In: objects to put and keys to drop. Out: synchronous reads of frozen, shared objects.
 * Never: copies an object or asks the API server.
 */
import type { KubeObject } from "../api/meta.ts";

/** Gives the values under which an object is found; none leaves it out of the index. */
export type IndexFunction<T extends KubeObject = KubeObject> = (object: T) => readonly string[];

export interface Lister<T extends KubeObject = KubeObject> {
  get(target: { readonly namespace?: string; readonly name: string }): T | undefined;
  /** @param namespace absent or "" for all. */
  list(namespace?: string): readonly T[];
  /** @param index as it was registered. */
  byIndex(index: string, value: string): readonly T[];
  readonly size: number;
}

/** The key of an object: `namespace/name`, or `name` for cluster-scoped kinds. */
export function objectKey(object: KubeObject): string {
  const { namespace, name } = object.metadata;
  return namespace ? `${namespace}/${name}` : name ?? "";
}

/** Takes a key apart again. */
export function parseObjectKey(
  key: string,
): { readonly namespace?: string; readonly name: string } {
  const slash = key.indexOf("/");
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/**
 * Orders two resourceVersions of one resource.
 * @returns below 0 when `left` is older, 0 when equal, above 0 when newer.
 * Source: the API concepts page allows comparing them as decimal numbers since v1.35.
 */
export function compareResourceVersions(left: string, right: string): number {
  if (left.length !== right.length) return left.length - right.length;
  return left < right ? -1 : left > right ? 1 : 0;
}

/** What is known under one name, version after version. */
interface Kept<T> {
  object: T;
}

export class ObjectStore<T extends KubeObject = KubeObject> implements Lister<T> {
  /** Namespace, "" for objects without, -> name. */
  readonly #namespaces = new Map<string, Map<string, Kept<T>>>();
  #size = 0;
  readonly #functions = new Map<string, IndexFunction<T>>();
  /** Index name -> value; most updates of an object leave its indexes alone. */
  readonly #indexes = new Map<string, Map<string, Set<Kept<T>>>>();

  constructor(indexes: Readonly<Record<string, IndexFunction<T>>> = {}) {
    for (const [name, index] of Object.entries(indexes)) this.addIndex(name, index);
  }

  get size(): number {
    return this.#size;
  }

  /** Adds an index and fills it; one that exists already stays as it is. */
  addIndex(name: string, index: IndexFunction<T>): void {
    if (this.#functions.has(name)) return;
    this.#functions.set(name, index);
    this.#indexes.set(name, new Map());
    for (const named of this.#namespaces.values()) {
      for (const kept of named.values()) this.#link(name, kept, [], index(kept.object));
    }
  }

  /** @returns what stood there before. */
  put(object: T): T | undefined {
    const { namespace = "", name = "" } = object.metadata;
    let named = this.#namespaces.get(namespace);
    if (named === undefined) this.#namespaces.set(namespace, named = new Map());
    const known = named.get(name);
    const old = known?.object;
    const kept = known ?? { object };
    if (known === undefined) {
      named.set(name, kept);
      this.#size++;
    } else known.object = object;
    for (const [index, valuesOf] of this.#functions) {
      this.#link(index, kept, old === undefined ? [] : valuesOf(old), valuesOf(object));
    }
    return old;
  }

  /** @param metadata of any version of the object. @returns what was dropped. */
  drop({ metadata: { namespace = "", name = "" } }: KubeObject): T | undefined {
    const named = this.#namespaces.get(namespace);
    const kept = named?.get(name);
    if (named === undefined || kept === undefined) return undefined;
    for (const [index, valuesOf] of this.#functions) {
      this.#link(index, kept, valuesOf(kept.object), []);
    }
    named.delete(name);
    if (named.size === 0) this.#namespaces.delete(namespace);
    this.#size--;
    return kept.object;
  }

  get({ namespace = "", name }: Parameters<Lister["get"]>[0]): T | undefined {
    return this.#namespaces.get(namespace)?.get(name)?.object;
  }

  list(namespace = ""): readonly T[] {
    if (namespace !== "") return objectsOf(this.#namespaces.get(namespace)?.values());
    const all: T[] = [];
    for (const named of this.#namespaces.values()) {
      for (const { object } of named.values()) all.push(object);
    }
    return all;
  }

  byIndex(index: string, value: string): readonly T[] {
    const values = this.#indexes.get(index);
    if (values === undefined) throw new Error(`no index named "${index}"`);
    return objectsOf(values.get(value));
  }

  /** Moves an object from the values it had in an index to those it has. */
  #link(name: string, kept: Kept<T>, before: readonly string[], now: readonly string[]): void {
    if (before.length === 1 && now.length === 1 && before[0] === now[0]) return;
    const index = this.#indexes.get(name)!;
    for (const value of before) {
      const known = now.includes(value) ? undefined : index.get(value);
      known?.delete(kept);
      if (known?.size === 0) index.delete(value);
    }
    for (const value of now) {
      const known = index.get(value);
      if (known === undefined) index.set(value, new Set([kept]));
      else known.add(kept);
    }
  }
}

function objectsOf<T>(all: Iterable<Kept<T>> | undefined): readonly T[] {
  return all === undefined ? [] : Array.from(all, ({ object }) => object);
}
