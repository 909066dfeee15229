/**
 * The Store over the wire: a Balsa member or a real etcd, plain or TLS, one or several endpoints.
 * In: endpoints and credentials. Out: a `Store` that behaves as the one in process.
 * Reads move to another endpoint freely; a write is repeated only when the server has certainly
 * not seen it. Watches resume without a gap.
 * Never: caches.
 */
import { type ClientPorts, Endpoints, type RemoteStoreConfig } from "./client/endpoints.ts";
import { RemoteWatch } from "./client/remote_watch.ts";
import type { Store, StoreStatus, WatchHandle } from "./mod.ts";
import { encodeCompaction, encodeLeaseGrant, encodeLeaseRevoke } from "./mvcc/admin_codec.ts";
import { ProtoWriter } from "./mvcc/proto.ts";
import { encodeDeleteRange, encodePut, encodeRange, encodeTxn } from "./mvcc/request_codec.ts";
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
import {
  decodeDeleteRangeResponse,
  decodeLeaseResponse,
  decodePutResponse,
  decodeRangeResponse,
  decodeRevision,
  decodeStatus,
  decodeTxnResponse,
} from "./wire/etcd/decode.ts";
import { failureOf } from "./wire/etcd/errors.ts";

export type { ClientPorts, RemoteStoreConfig } from "./client/endpoints.ts";

const KV = "/etcdserverpb.KV/";
const LEASE = "/etcdserverpb.Lease/";
const MALFORMED: StoreFailure = {
  kind: "invalidRequest",
  detail: "malformed answer of the server",
};

type Lease = { readonly kind: "lease"; readonly id: bigint; readonly ttlSeconds: number };

/** Opens a remote store and waits until an endpoint answers or the request timeout passes. */
export async function openRemoteStore(
  config: RemoteStoreConfig,
  ports: ClientPorts,
): Promise<Store | StoreFailure> {
  const store = new RemoteStore(config, ports);
  const failure = await store.refreshStatus();
  if (failure === null) return store;
  await store.close();
  return failure;
}

class RemoteStore implements Store {
  readonly #endpoints: Endpoints;
  readonly #ports: ClientPorts;
  readonly #watches = new Set<WatchHandle>();
  #revision = 0;
  #status: StoreStatus = {
    memberId: 0n,
    clusterId: 0n,
    leaderId: 0n,
    raftTerm: 0,
    raftIndex: 0,
    raftAppliedIndex: 0,
    dbSizeBytes: 0,
    dbSizeInUseBytes: 0,
    isLearner: false,
    errors: [],
  };
  #refreshing = false;

  constructor(config: RemoteStoreConfig, ports: ClientPorts) {
    this.#endpoints = new Endpoints(config, ports);
    this.#ports = ports;
  }

  /** Highest revision any answer has shown. */
  get revision(): number {
    return this.#revision;
  }

  range(request: RangeRequest): Promise<RangeResponse | StoreFailure> {
    const message = encoded((writer) => encodeRange(writer, request));
    return this.#ask(`${KV}Range`, message, { decode: decodeRangeResponse, idempotent: true });
  }

  put(request: PutRequest): Promise<PutResponse | StoreFailure> {
    const message = encoded((writer) => encodePut(writer, request));
    return this.#ask(`${KV}Put`, message, { decode: decodePutResponse, idempotent: false });
  }

  deleteRange(request: DeleteRangeRequest): Promise<DeleteRangeResponse | StoreFailure> {
    const message = encoded((writer) => encodeDeleteRange(writer, request));
    const decode = decodeDeleteRangeResponse;
    return this.#ask(`${KV}DeleteRange`, message, { decode, idempotent: false });
  }

  txn(request: TxnRequest): Promise<TxnResponse | StoreFailure> {
    const message = encoded((writer) => encodeTxn(writer, request));
    const idempotent = !writes(request);
    return this.#ask(`${KV}Txn`, message, { decode: decodeTxnResponse, idempotent });
  }

  compact(
    revision: number,
  ): Promise<{ readonly kind: "compactedTo"; readonly revision: number } | StoreFailure> {
    const message = encodeCompaction({ revision, physical: false });
    const decode = () => ({ kind: "compactedTo" as const, revision });
    return this.#ask(`${KV}Compact`, message, { decode, idempotent: false });
  }

  watch(request: WatchRequest, onNotice: (notice: WatchNotice) => void): WatchHandle {
    const watch = new RemoteWatch(this.#endpoints, {
      timer: this.#ports.timer,
      request,
      onNotice: (notice) => {
        if (notice.kind === "compacted" || notice.kind === "cancelled") this.#watches.delete(watch);
        onNotice(notice);
      },
      onRevision: (revision) => this.#saw(revision),
    });
    this.#watches.add(watch);
    return {
      requestProgress: () => watch.requestProgress(),
      cancel: () => {
        this.#watches.delete(watch);
        watch.cancel();
      },
    };
  }

  leaseGrant(
    request: { readonly id: bigint; readonly ttlSeconds: number },
  ): Promise<Lease | StoreFailure> {
    const decode = decodeLeaseResponse;
    const message = encodeLeaseGrant(request);
    return this.#ask(`${LEASE}LeaseGrant`, message, { decode, idempotent: false });
  }

  leaseRevoke(
    id: bigint,
  ): Promise<{ readonly kind: "revoked"; readonly revision: number } | StoreFailure> {
    const decode = (message: Uint8Array) => ({
      kind: "revoked" as const,
      revision: decodeRevision(message),
    });
    return this.#ask(`${LEASE}LeaseRevoke`, encodeLeaseRevoke({ id }), {
      decode,
      idempotent: false,
    });
  }

  async leaseKeepAlive(id: bigint): Promise<Lease | StoreFailure> {
    const { promise, resolve } = Promise.withResolvers<Lease | StoreFailure>();
    const call = await this.#endpoints.stream(`${LEASE}LeaseKeepAlive`, {
      onMessage: (message) => {
        const lease = decodeLeaseResponse(message);
        const alive = lease !== null && lease.ttlSeconds > 0;
        resolve(lease === null ? MALFORMED : alive ? lease : { kind: "leaseNotFound" });
      },
      onEnd: ({ status }) => resolve(failureOf(status) ?? { kind: "timeout" }),
    });
    if (call === null) return { kind: "noLeader" };
    const stop = this.#ports.timer.after(KEEP_ALIVE_MILLIS, () => call.cancel());
    call.send(encoded((writer) => writer.bigField(1, id)));
    call.end();
    const result = await promise;
    stop();
    return result;
  }

  /** What the current endpoint last said of itself; asks again for the next caller. */
  status(): StoreStatus {
    if (!this.#refreshing && !this.#endpoints.closed) {
      this.#refreshing = true;
      void this.refreshStatus().finally(() => this.#refreshing = false);
    }
    return this.#status;
  }

  /** @returns the failure, or null once the status is fresh */
  async refreshStatus(): Promise<StoreFailure | null> {
    const path = "/etcdserverpb.Maintenance/Status";
    const answer = await this.#endpoints.call(path, new Uint8Array(0), { idempotent: true });
    if (answer.kind !== "message") return answer;
    this.#saw(decodeRevision(answer.message));
    const status = decodeStatus(answer.message);
    if (status === null) return MALFORMED;
    this.#status = status;
    return null;
  }

  close(): Promise<void> {
    this.#endpoints.close();
    for (const watch of this.#watches) watch.cancel();
    this.#watches.clear();
    return Promise.resolve();
  }

  async #ask<T extends { readonly kind: string }>(
    path: string,
    message: Uint8Array,
    options: {
      readonly decode: (message: Uint8Array) => T | null;
      readonly idempotent: boolean;
    },
  ): Promise<T | StoreFailure> {
    const answer = await this.#endpoints.call(path, message, options);
    if (answer.kind !== "message") return answer;
    this.#saw(decodeRevision(answer.message));
    return options.decode(answer.message) ?? MALFORMED;
  }

  #saw(revision: number): void {
    if (revision > this.#revision) this.#revision = revision;
  }
}

const KEEP_ALIVE_MILLIS = 5000;

function encoded(write: (writer: ProtoWriter) => void): Uint8Array {
  const writer = new ProtoWriter(256);
  write(writer);
  return writer.finish();
}

function writes(request: TxnRequest): boolean {
  return [...request.success, ...request.failure].some((op) =>
    op.kind === "txn" ? writes(op) : op.kind !== "range"
  );
}
