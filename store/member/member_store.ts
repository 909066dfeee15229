/**
 * The Store interface over a member of this process.
 * In: requests as objects. Out: promises of their outcomes, watches.
 * Never: copies answers, or encodes anything but what must travel through the log.
 */
import { COMMAND, type CommandKind } from "../mvcc/command.ts";
import { encodeCompaction, encodeLeaseGrant, encodeLeaseRevoke } from "../mvcc/admin_codec.ts";
import type { ApplyOutcome, Identity } from "../mvcc/outcome.ts";
import { isFailure } from "../mvcc/outcome.ts";
import { ProtoWriter } from "../mvcc/proto.ts";
import { encodeDeleteRange, encodePut, encodeTxn } from "../mvcc/request_codec.ts";
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
} from "../mvcc/types.ts";
import type { Store, StoreStatus, WatchHandle } from "../store.ts";
import type { Member } from "./member.ts";
import type { OpenedMember } from "./open.ts";

export class MemberStore implements Store {
  readonly #member: Member;
  readonly #opened: OpenedMember;
  readonly #caller: () => Identity | undefined;
  readonly #writer = new ProtoWriter(4096);

  /** @param caller in whose name requests are made while auth is enabled; default nobody's */
  constructor(opened: OpenedMember, caller: () => Identity | undefined = () => undefined) {
    this.#opened = opened;
    this.#member = opened.member;
    this.#caller = caller;
  }

  get revision(): number {
    return this.#member.machine.revision;
  }

  range(request: RangeRequest): Promise<RangeResponse | StoreFailure> {
    const caller = this.#caller();
    const { machine } = this.#member;
    if (request.serializable) return Promise.resolve(machine.range(request, caller));
    return new Promise((resolve) => {
      this.#member.readIndex((failure) => resolve(failure ?? machine.range(request, caller)));
    });
  }

  put(request: PutRequest): Promise<PutResponse | StoreFailure> {
    this.#writer.reset();
    encodePut(this.#writer, request);
    return this.#propose<PutResponse>(COMMAND.put, this.#writer.view());
  }

  deleteRange(request: DeleteRangeRequest): Promise<DeleteRangeResponse | StoreFailure> {
    this.#writer.reset();
    encodeDeleteRange(this.#writer, request);
    return this.#propose<DeleteRangeResponse>(COMMAND.deleteRange, this.#writer.view());
  }

  txn(request: TxnRequest): Promise<TxnResponse | StoreFailure> {
    this.#writer.reset();
    encodeTxn(this.#writer, request);
    return this.#propose<TxnResponse>(COMMAND.txn, this.#writer.view());
  }

  async compact(
    revision: number,
  ): Promise<{ readonly kind: "compactedTo"; readonly revision: number } | StoreFailure> {
    const outcome = await this.#outcome(
      COMMAND.compaction,
      encodeCompaction({ revision, physical: false }),
    );
    return outcome.kind === "compactedTo"
      ? { kind: "compactedTo", revision: outcome.revision }
      : expectFailure(outcome);
  }

  watch(request: WatchRequest, onNotice: (notice: WatchNotice) => void): WatchHandle {
    const watcher = this.#member.machine.watch(request, onNotice, this.#caller());
    if ("kind" in watcher) {
      onNotice({ kind: "cancelled", reason: watcher.kind });
      return { requestProgress: () => {}, cancel: () => {} };
    }
    if (!watcher.synced) this.#member.nudge();
    return {
      requestProgress: () => watcher.requestProgress(),
      cancel: () => watcher.cancel(),
    };
  }

  async leaseGrant(
    request: { readonly id: bigint; readonly ttlSeconds: number },
  ): Promise<
    { readonly kind: "lease"; readonly id: bigint; readonly ttlSeconds: number } | StoreFailure
  > {
    const outcome = await this.#outcome(COMMAND.leaseGrant, encodeLeaseGrant(request));
    return outcome.kind === "lease" ? outcome : expectFailure(outcome);
  }

  async leaseRevoke(
    id: bigint,
  ): Promise<{ readonly kind: "revoked"; readonly revision: number } | StoreFailure> {
    const outcome = await this.#outcome(COMMAND.leaseRevoke, encodeLeaseRevoke({ id }));
    return outcome.kind === "revoked" ? outcome : expectFailure(outcome);
  }

  leaseKeepAlive(
    id: bigint,
  ): Promise<
    { readonly kind: "lease"; readonly id: bigint; readonly ttlSeconds: number } | StoreFailure
  > {
    return this.#opened.leases.keepAlive(id);
  }

  status(): StoreStatus {
    return memberStatus(this.#member);
  }

  close(): Promise<void> {
    return this.#opened.close();
  }

  #propose<Response extends ApplyOutcome>(
    kind: CommandKind,
    body: Uint8Array,
  ): Promise<Response | StoreFailure> {
    return this.#outcome(kind, body) as Promise<Response | StoreFailure>;
  }

  #outcome(kind: CommandKind, body: Uint8Array): Promise<ApplyOutcome> {
    return new Promise((resolve) => this.#member.submit(kind, body, this.#caller(), resolve));
  }
}

/** @returns what a member says of itself */
export function memberStatus(member: Member): StoreStatus {
  const { raft, machine } = member;
  const { dbSizeBytes, dbSizeInUseBytes } = machine.size();
  const alarms = machine.alarms("none").map(({ memberId, alarm }) =>
    `memberID:${memberId} alarm:${alarm === "noSpace" ? "NOSPACE" : "CORRUPT"} `
  );
  return {
    memberId: member.id,
    clusterId: member.clusterId,
    leaderId: raft.leader,
    raftTerm: raft.term,
    raftIndex: raft.commit,
    raftAppliedIndex: member.applied,
    dbSizeBytes,
    dbSizeInUseBytes,
    isLearner: member.membership.get(member.id)?.isLearner ?? false,
    errors: [...alarms, ...member.errors, ...(raft.leader === 0n ? ["no leader"] : [])],
  };
}

function expectFailure(outcome: ApplyOutcome): StoreFailure {
  if (isFailure(outcome)) return outcome;
  throw new Error(`a command was answered with ${outcome.kind}`);
}
