/**
 * Which permissions a data request needs.
 * In: a decoded request and who asks. Out: the first rule it breaks, or undefined.
 * Never: executes anything.
 * Source: etcd's auth applier: prevKv needs reading; attaching to or revoking a lease needs
 * writing to every key on it.
 */
import type { Identity } from "../outcome.ts";
import type { LeaseTable } from "../lease/lease_table.ts";
import type { Kv } from "../storage/kv.ts";
import type {
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  StoreFailure,
  TxnRequest,
  WatchRequest,
} from "../types.ts";
import type { Auth } from "./auth.ts";

export class RequestAuth {
  readonly #auth: Auth;
  readonly #leases: LeaseTable;
  readonly #kv: Kv;

  constructor({ auth, leases, kv }: { auth: Auth; leases: LeaseTable; kv: Kv }) {
    this.#auth = auth;
    this.#leases = leases;
    this.#kv = kv;
  }

  range(
    request: RangeRequest | WatchRequest,
    identity: Identity | undefined,
  ): StoreFailure | undefined {
    return this.#auth.checkAccess(identity, "read", request.key, request.rangeEnd);
  }

  put(request: PutRequest, identity: Identity | undefined): StoreFailure | undefined {
    return this.#auth.checkAccess(identity, "write", request.key) ??
      this.lease(request.lease ?? 0n, identity) ??
      (request.prevKv ? this.#auth.checkAccess(identity, "read", request.key) : undefined);
  }

  deleteRange(
    request: DeleteRangeRequest,
    identity: Identity | undefined,
  ): StoreFailure | undefined {
    const { key, rangeEnd } = request;
    return this.#auth.checkAccess(identity, "write", key, rangeEnd) ??
      (request.prevKv ? this.#auth.checkAccess(identity, "read", key, rangeEnd) : undefined);
  }

  /** Both branches must be allowed, whichever will run. */
  txn(request: TxnRequest, identity: Identity | undefined): StoreFailure | undefined {
    if (!this.#auth.enabled) return undefined;
    for (const { key, rangeEnd } of request.compare) {
      const failure = this.#auth.checkAccess(identity, "read", key, rangeEnd);
      if (failure !== undefined) return failure;
    }
    for (const op of [...request.success, ...request.failure]) {
      const failure = this.#op(op, identity);
      if (failure !== undefined) return failure;
    }
    return undefined;
  }

  #op(op: RequestOp, identity: Identity | undefined): StoreFailure | undefined {
    switch (op.kind) {
      case "range":
        return this.range(op, identity);
      case "put":
        return this.put(op, identity);
      case "deleteRange":
        return this.deleteRange(op, identity);
      case "txn":
        return this.txn(op, identity);
    }
  }

  /** Whether someone may see which keys hang on a lease. */
  leaseKeys(id: bigint, identity: Identity | undefined): StoreFailure | undefined {
    const refused = this.#auth.checkAdmin(identity);
    if (refused === undefined || identity === undefined) return refused;
    for (const key of this.#leases.get(id)?.keys ?? []) {
      const failure = this.#auth.checkAccess(identity, "read", this.#kv.keys.bytesOf(key));
      if (failure !== undefined) return failure;
    }
    return undefined;
  }

  /** Whether someone may end a lease, or hang a key on it. */
  lease(id: bigint, identity: Identity | undefined): StoreFailure | undefined {
    if (id === 0n || this.#auth.checkAdmin(identity) === undefined) return undefined;
    for (const key of this.#leases.get(id)?.keys ?? []) {
      const failure = this.#auth.checkAccess(identity, "write", this.#kv.keys.bytesOf(key));
      if (failure !== undefined) return failure;
    }
    return undefined;
  }
}
