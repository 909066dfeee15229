/**
 * Cluster role bindings by whom they name, so that a decision looks at a user's own alone.
 * In: the bindings' cache. Out: the bindings that may reach a user, in the order of their names.
 * Never: is older than the cache: it is made anew when the cache has changed.
 */
import type { KubeObject, UserInfo } from "../../../api/meta.ts";
import type { ClusterRoleBinding, Subject } from "../../../api/schema/generated/rbac_v1.ts";
import type { ResourceCache } from "../../cache/resource_cache.ts";

interface Entry {
  /** Place among all bindings. */
  readonly order: number;
  readonly binding: KubeObject;
}

export class BindingIndex {
  readonly #cache: ResourceCache;
  #revision = -1;
  #bySubject = new Map<string, Entry[]>();

  constructor(cache: ResourceCache) {
    this.#cache = cache;
  }

  /** Bindings with a subject that is the user or one of its groups. */
  reaching(user: UserInfo): readonly KubeObject[] {
    if (this.#cache.lastChangeRevision !== this.#revision) this.#build();
    const found = new Set(this.#bySubject.get(`User ${user.name}`));
    for (const group of user.groups) {
      for (const entry of this.#bySubject.get(`Group ${group}`) ?? []) found.add(entry);
    }
    return [...found].sort((a, b) => a.order - b.order).map(({ binding }) => binding);
  }

  #build(): void {
    this.#bySubject = new Map();
    const all = this.#cache.readable({ keyPrefix: this.#cache.prefix });
    all.forEach((object, order) => {
      const binding = object as ClusterRoleBinding;
      const entry = { order, binding };
      for (const subject of binding.subjects ?? []) {
        const key = keyOf(subject);
        const known = this.#bySubject.get(key);
        if (known === undefined) this.#bySubject.set(key, [entry]);
        else if (known[known.length - 1] !== entry) known.push(entry);
      }
    });
    this.#revision = this.#cache.lastChangeRevision;
  }
}

/** An account is known by the name that its tokens give it. */
function keyOf({ kind, name, namespace }: Subject): string {
  return kind === "ServiceAccount"
    ? `User system:serviceaccount:${namespace ?? ""}:${name}`
    : `${kind} ${name}`;
}
