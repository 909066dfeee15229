/**
 * The objects of one resource as an informer last saw them, readable by name and by index.
 * In: objects to put and keys to drop. Out: synchronous reads of frozen, shared objects.
 * Never: copies an object or asks the API server.
 */
import type { KubeObject } from "../api/meta.ts";

/** The index that every store has: objects by namespace. */
export const BY_NAMESPACE = "namespace";

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

export class ObjectStore<T extends KubeObject = KubeObject> implements Lister<T> {
  readonly #objects = new Map<string, T>();
  readonly #functions = new Map<string, IndexFunction<T>>();
  /** Index name -> value -> keys, so that most updates of an object leave its indexes alone. */
  readonly #indexes = new Map<string, Map<string, Set<string>>>();

  constructor(indexes: Readonly<Record<string, IndexFunction<T>>> = {}) {
    this.addIndex(BY_NAMESPACE, (object) => [object.metadata.namespace ?? ""]);
    for (const [name, index] of Object.entries(indexes)) this.addIndex(name, index);
  }

  get size(): number {
    return this.#objects.size;
  }

  /** Adds an index and fills it; one that exists already stays as it is. */
  addIndex(name: string, index: IndexFunction<T>): void {
    if (this.#functions.has(name)) return;
    this.#functions.set(name, index);
    this.#indexes.set(name, new Map());
    for (const [key, object] of this.#objects) this.#link(name, key, [], index(object));
  }

  /** @returns what stood there before. */
  put(object: T): T | undefined {
    const key = objectKey(object);
    const old = this.#objects.get(key);
    this.#objects.set(key, object);
    for (const [name, valuesOf] of this.#functions) {
      // The key names the namespace, so another version of the object is found there already.
      if (old !== undefined && name === BY_NAMESPACE) continue;
      this.#link(name, key, old === undefined ? [] : valuesOf(old), valuesOf(object));
    }
    return old;
  }

  /** @returns what was dropped. */
  drop(key: string): T | undefined {
    const old = this.#objects.get(key);
    if (old === undefined) return undefined;
    for (const [name, valuesOf] of this.#functions) this.#link(name, key, valuesOf(old), []);
    this.#objects.delete(key);
    return old;
  }

  getByKey(key: string): T | undefined {
    return this.#objects.get(key);
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys();
  }

  get(target: { readonly namespace?: string; readonly name: string }): T | undefined {
    const { namespace, name } = target;
    return this.#objects.get(namespace ? `${namespace}/${name}` : name);
  }

  list(namespace = ""): readonly T[] {
    return namespace === "" ? [...this.#objects.values()] : this.byIndex(BY_NAMESPACE, namespace);
  }

  byIndex(index: string, value: string): readonly T[] {
    const values = this.#indexes.get(index);
    if (values === undefined) throw new Error(`no index named "${index}"`);
    const found = values.get(value);
    return found === undefined ? [] : Array.from(found, (key) => this.#objects.get(key)!);
  }

  /** Moves a key from the values it had in an index to those it has. */
  #link(name: string, key: string, before: readonly string[], now: readonly string[]): void {
    if (before.length === 1 && now.length === 1 && before[0] === now[0]) return;
    const index = this.#indexes.get(name)!;
    for (const value of before) {
      const keys = now.includes(value) ? undefined : index.get(value);
      keys?.delete(key);
      if (keys?.size === 0) index.delete(value);
    }
    for (const value of now) {
      const keys = index.get(value);
      if (keys === undefined) index.set(value, new Set([key]));
      else keys.add(key);
    }
  }
}
