/**
 * A request to the API after decoding and before encoding: what both faces of the API server share.
 * In: nothing. Out: types only. HTTP decodes into an ApiCall; the in-process client makes one
 * directly and hands over objects without encoding. Never: headers, media types, sockets.
 */
import type { Condition, KubeObject, ListMeta, UserInfo, WatchEvent } from "./meta.ts";
import type { Resource } from "./resource.ts";

export type PatchType =
  | "application/json-patch+json"
  | "application/merge-patch+json"
  | "application/strategic-merge-patch+json"
  | "application/apply-patch+yaml";

export interface DeleteOptions {
  gracePeriodSeconds?: number;
  propagationPolicy?: "Orphan" | "Background" | "Foreground";
  preconditions?: { uid?: string; resourceVersion?: string };
  dryRun?: string[];
  orphanDependents?: boolean;
}

export interface ListOptions {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly limit?: number;
  readonly continue?: string;
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: "Exact" | "NotOlderThan";
}

export interface WatchOptions extends ListOptions {
  readonly allowWatchBookmarks?: boolean;
  readonly sendInitialEvents?: boolean;
  readonly timeoutSeconds?: number;
}

export interface WriteOptions {
  readonly dryRun?: boolean;
  readonly fieldManager?: string;
  readonly fieldValidation?: "Strict" | "Warn" | "Ignore";
}

export interface CallTarget {
  readonly resource: Resource;
  /** "" for the object itself. */
  readonly subresource: string;
  /** "" for cluster scope or all namespaces. */
  readonly namespace: string;
  /** "" for a collection. */
  readonly name: string;
  readonly user: UserInfo;
  /** What admission wants to have written down of the request; absent where nothing is. */
  readonly auditAnnotations?: Map<string, string>;
  /** Texts for the client beside the answer; absent where nobody reads them. */
  readonly warnings?: string[];
}

export type ApiCall =
  & CallTarget
  & (
    | { readonly verb: "get"; readonly resourceVersion?: string }
    | { readonly verb: "list"; readonly options: ListOptions }
    | { readonly verb: "create"; readonly object: KubeObject; readonly options: WriteOptions }
    | { readonly verb: "update"; readonly object: KubeObject; readonly options: WriteOptions }
    | {
      readonly verb: "patch";
      readonly patchType: PatchType;
      /** The decoded patch: an object, or an array for JSON patch. */
      readonly patch: unknown;
      readonly force?: boolean;
      readonly options: WriteOptions;
    }
    | { readonly verb: "delete"; readonly options: DeleteOptions }
    | {
      readonly verb: "deletecollection";
      readonly options: DeleteOptions;
      readonly list: ListOptions;
    }
  );

/** What a call is answered; failures are thrown as ApiError. Objects are frozen and shared. */
export type ApiAnswer =
  | { readonly kind: "object"; readonly object: KubeObject; readonly created: boolean }
  | { readonly kind: "list"; readonly items: readonly KubeObject[]; readonly metadata: ListMeta }
  | { readonly kind: "deleted"; readonly object: KubeObject };

/** One pod to one node. */
export interface Binding {
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
  readonly nodeName: string;
}

/** What a scheduler says of one pod. */
export interface PodReport {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Takes the place of the pod's condition of this type; absent = none does. */
  readonly condition?: Condition;
  /** Node promised to the pod; "" takes a promise back, absent leaves it. */
  readonly nominatedNodeName?: string;
  /** Whether the pod is deleted once the rest is written. */
  readonly evicts: boolean;
}

/** A running watch. Batches keep the store's order; none is empty. */
export interface WatchStream<T extends KubeObject = KubeObject>
  extends AsyncIterable<readonly WatchEvent<T>[]> {
  close(): void;
}

/** The API server's inner face, below HTTP; the in-process client is built on it. */
export interface ApiPort {
  /** Errors: rejects with ApiError. */
  call(call: ApiCall): Promise<ApiAnswer>;
  /** Errors: rejects with ApiError before the stream starts; later ones arrive as ERROR events. */
  watch(target: CallTarget, options: WatchOptions): Promise<WatchStream>;
  /** Binds many pods in one store proposal; each binding has an outcome of its own, in order. */
  bindMany(user: UserInfo, bindings: readonly Binding[]): Promise<readonly (null | Error)[]>;
  /** Writes into the status of many pods, and evicts; each report has an outcome, in order. */
  reportMany(user: UserInfo, reports: readonly PodReport[]): Promise<readonly (null | Error)[]>;
}
