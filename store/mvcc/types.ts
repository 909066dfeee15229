/**
 * The vocabulary of the store's data: what a client asks and what it is answered.
 * In: nothing. Out: types only, shared by mvcc, member, wire and the door `store/mod.ts`.
 * Never: knows of Raft, sockets or pods.
 * Source: the etcd v3.6 API (rpc.proto, kv.proto), field by field.
 */

/** One key at one revision. Frozen once handed out; `key` and `value` must not be written to. */
export interface KeyValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** Revision of the put that created the key. */
  readonly createRevision: number;
  /** Revision of the last put. */
  readonly modRevision: number;
  /** 1 at creation, +1 a put, starts again after a delete. */
  readonly version: number;
  /** Lease id as a signed 64-bit integer, 0n when none. */
  readonly lease: bigint;
}

export type SortOrder = "none" | "ascend" | "descend";
export type SortTarget = "key" | "version" | "create" | "mod" | "value";

/** `rangeEnd`: empty = the one key; a single zero byte = every key from `key` on. */
export interface RangeRequest {
  readonly kind: "range";
  readonly key: Uint8Array;
  readonly rangeEnd?: Uint8Array;
  /** 0 = no limit. */
  readonly limit?: number;
  /** 0 = now. */
  readonly revision?: number;
  readonly sortOrder?: SortOrder;
  readonly sortTarget?: SortTarget;
  /** True: answered by this member alone, possibly stale; false: linearizable. */
  readonly serializable?: boolean;
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
  readonly minModRevision?: number;
  readonly maxModRevision?: number;
  readonly minCreateRevision?: number;
  readonly maxCreateRevision?: number;
}

export interface PutRequest {
  readonly kind: "put";
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly lease?: bigint;
  readonly prevKv?: boolean;
  readonly ignoreValue?: boolean;
  readonly ignoreLease?: boolean;
}

export interface DeleteRangeRequest {
  readonly kind: "deleteRange";
  readonly key: Uint8Array;
  readonly rangeEnd?: Uint8Array;
  readonly prevKv?: boolean;
}

export type CompareResult = "equal" | "greater" | "less" | "notEqual";

/** One condition of a transaction; `rangeEnd` compares every key of a range. */
export type Compare =
  & { readonly key: Uint8Array; readonly rangeEnd?: Uint8Array; readonly result: CompareResult }
  & (
    | { readonly target: "version" | "create" | "mod"; readonly value: number }
    | { readonly target: "value"; readonly value: Uint8Array }
    | { readonly target: "lease"; readonly value: bigint }
  );

export interface TxnRequest {
  readonly kind: "txn";
  readonly compare: readonly Compare[];
  readonly success: readonly RequestOp[];
  readonly failure: readonly RequestOp[];
}

export type RequestOp = RangeRequest | PutRequest | DeleteRangeRequest | TxnRequest;

export interface RangeResponse {
  readonly kind: "range";
  /** The store's revision when the answer was made. */
  readonly revision: number;
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
  /** Keys in the range, whatever the limit. */
  readonly count: number;
}

export interface PutResponse {
  readonly kind: "put";
  readonly revision: number;
  readonly prevKv?: KeyValue;
}

export interface DeleteRangeResponse {
  readonly kind: "deleteRange";
  readonly revision: number;
  readonly deleted: number;
  readonly prevKvs: readonly KeyValue[];
}

export interface TxnResponse {
  readonly kind: "txn";
  readonly revision: number;
  readonly succeeded: boolean;
  readonly responses: readonly ResponseOp[];
}

export type ResponseOp = RangeResponse | PutResponse | DeleteRangeResponse | TxnResponse;

/** Every expected failure of a request; the wire alone turns one into a gRPC status. */
export type StoreFailure =
  | { readonly kind: "compacted"; readonly compactRevision: number; readonly revision: number }
  | { readonly kind: "futureRevision"; readonly revision: number }
  | { readonly kind: "leaseNotFound" }
  | { readonly kind: "leaseExists" }
  | { readonly kind: "leaseTtlTooLarge" }
  | { readonly kind: "keyNotFound" }
  | { readonly kind: "emptyKey" }
  | { readonly kind: "valueProvided" }
  | { readonly kind: "leaseProvided" }
  | { readonly kind: "duplicateKey" }
  | { readonly kind: "tooManyOps" }
  | { readonly kind: "invalidSortOption" }
  | { readonly kind: "invalidRequest"; readonly detail: string }
  | { readonly kind: "requestTooLarge" }
  | { readonly kind: "tooManyRequests" }
  | { readonly kind: "noSpace" }
  | { readonly kind: "corrupt" }
  | { readonly kind: "noLeader" }
  | { readonly kind: "notLeader" }
  | { readonly kind: "timeout" }
  | { readonly kind: "stopped" }
  | { readonly kind: "auth"; readonly reason: AuthFailure };

/** Names after etcd's rpctypes (rpcerror.go); messages live in `store/wire`. */
export type AuthFailure =
  | "rootUserNotExist"
  | "rootRoleNotExist"
  | "rootRoleNotGranted"
  | "userAlreadyExist"
  | "userEmpty"
  | "userNotFound"
  | "roleAlreadyExist"
  | "roleNotFound"
  | "roleEmpty"
  | "authFailed"
  | "permissionNotGiven"
  | "permissionDenied"
  | "roleNotGranted"
  | "permissionNotGranted"
  | "authNotEnabled"
  | "invalidAuthToken"
  | "invalidAuthMgmt"
  | "authOldRevision"
  | "noPasswordUser";

export interface StoreEvent {
  readonly type: "put" | "delete";
  /** For a delete: key and modRevision of the deletion, the rest empty. */
  readonly kv: KeyValue;
  readonly prevKv?: KeyValue;
}

export interface WatchRequest {
  readonly key: Uint8Array;
  readonly rangeEnd?: Uint8Array;
  /** First revision wanted; 0 or absent = from now on. */
  readonly startRevision?: number;
  readonly progressNotify?: boolean;
  readonly noPut?: boolean;
  readonly noDelete?: boolean;
  readonly prevKv?: boolean;
}

/** What a watcher is told; batches hold whole revisions, in order, each once. */
export type WatchNotice =
  | { readonly kind: "events"; readonly revision: number; readonly events: readonly StoreEvent[] }
  | { readonly kind: "progress"; readonly revision: number }
  | { readonly kind: "compacted"; readonly compactRevision: number; readonly revision: number }
  /** The watcher fell too far behind its bounded queue, or the store stops. */
  | { readonly kind: "cancelled"; readonly reason: string };
