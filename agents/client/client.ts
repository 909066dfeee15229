/**
 * The one way every component talks to the API server, in one process or across machines.
 * In: resources, objects, options. Out: objects and watch streams; failures throw ApiError.
 * Never: caches (that is the informer) or retries (that is the caller's plan).
 */
import type {
  Binding,
  DeleteOptions,
  ListOptions,
  PatchType,
  PodReport,
  WatchOptions,
  WatchStream,
  WriteOptions,
} from "../api/call.ts";
import type { KubeList, KubeObject } from "../api/meta.ts";
import type { Resource } from "../api/resource.ts";

/** Names one object; `namespace` is absent for cluster-scoped kinds. */
export interface ObjectName {
  readonly namespace?: string;
  readonly name: string;
}

/**
 * Objects that come back are frozen and shared: copy before changing.
 * Errors: every method rejects with ApiError whose `status` is the server's answer.
 */
export interface Client {
  get<T extends KubeObject>(
    resource: Resource,
    target: ObjectName & { readonly subresource?: string },
  ): Promise<T>;
  list<T extends KubeObject>(
    resource: Resource,
    options?: ListOptions & { readonly namespace?: string },
  ): Promise<KubeList<T>>;
  watch<T extends KubeObject>(
    resource: Resource,
    options?: WatchOptions & { readonly namespace?: string },
  ): Promise<WatchStream<T>>;
  create<T extends KubeObject>(
    resource: Resource,
    object: T,
    options?: WriteOptions & { readonly subresource?: string; readonly name?: string },
  ): Promise<T>;
  update<T extends KubeObject>(
    resource: Resource,
    object: T,
    options?: WriteOptions & { readonly subresource?: string },
  ): Promise<T>;
  patch<T extends KubeObject>(
    resource: Resource,
    target: ObjectName & { readonly subresource?: string },
    patch: { readonly type: PatchType; readonly body: unknown },
    options?: WriteOptions & { readonly force?: boolean },
  ): Promise<T>;
  delete(resource: Resource, target: ObjectName, options?: DeleteOptions): Promise<KubeObject>;
  deleteCollection(
    resource: Resource,
    options: DeleteOptions & { readonly list?: ListOptions; readonly namespace?: string },
  ): Promise<void>;
  /** Outcome per binding, in order: null when bound, the failure otherwise. */
  bindMany(bindings: readonly Binding[]): Promise<readonly (null | Error)[]>;
  /** Outcome per report, in order: null when written, the failure otherwise. */
  reportMany(reports: readonly PodReport[]): Promise<readonly (null | Error)[]>;
}
