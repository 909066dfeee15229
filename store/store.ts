/**
 * What a store offers, whoever implements it: a member of this process or a client over the wire.
 * In: nothing. Out: types only; users import them from `store/mod.ts`.
 * Never: knows what its keys mean.
 */
import type {
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  StoreFailure,
  TxnRequest,
  TxnResponse,
  WatchNotice,
  WatchRequest,
} from "./mvcc/types.ts";

/** A started watch; notices arrive through the callback given to `Store.watch`. */
export interface WatchHandle {
  /** Asks for a `progress` notice once every event up to the current revision was delivered. */
  requestProgress(): void;
  cancel(): void;
}

/**
 * A linearizable key-value store with history and watches. The same interface over an in-process
 * member (`openStore`) and over the wire (`store/client.ts`).
 * Expected failures resolve as `StoreFailure`; a promise rejects only for our own bugs.
 */
export interface Store {
  range(request: RangeRequest): Promise<RangeResponse | StoreFailure>;
  put(request: PutRequest): Promise<PutResponse | StoreFailure>;
  deleteRange(request: DeleteRangeRequest): Promise<DeleteRangeResponse | StoreFailure>;
  /** Resolves after the transaction is durable on a quorum and applied here. */
  txn(request: TxnRequest): Promise<TxnResponse | StoreFailure>;
  compact(
    revision: number,
  ): Promise<{ readonly kind: "compactedTo"; readonly revision: number } | StoreFailure>;
  /**
   * Starts a watch. The callback runs synchronously from the apply loop, in revision order, and
   * must be quick; event objects are shared between watchers and must not be changed.
   */
  watch(request: WatchRequest, onNotice: (notice: WatchNotice) => void): WatchHandle;
  leaseGrant(
    request: { readonly id: bigint; readonly ttlSeconds: number },
  ): Promise<
    { readonly kind: "lease"; readonly id: bigint; readonly ttlSeconds: number } | StoreFailure
  >;
  leaseRevoke(
    id: bigint,
  ): Promise<{ readonly kind: "revoked"; readonly revision: number } | StoreFailure>;
  leaseKeepAlive(
    id: bigint,
  ): Promise<
    { readonly kind: "lease"; readonly id: bigint; readonly ttlSeconds: number } | StoreFailure
  >;
  /** Highest revision applied here. */
  readonly revision: number;
  /** Whether a leader is known, what this member is, how large its data is. */
  status(): StoreStatus;
  /** Stops cleanly: nothing acknowledged is lost whether or not this is called. */
  close(): Promise<void>;
}

export interface StoreStatus {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly leaderId: bigint;
  readonly raftTerm: number;
  readonly raftIndex: number;
  readonly raftAppliedIndex: number;
  readonly dbSizeBytes: number;
  readonly dbSizeInUseBytes: number;
  readonly isLearner: boolean;
  readonly errors: readonly string[];
}
