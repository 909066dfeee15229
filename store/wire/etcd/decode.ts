/**
 * Answers of an etcd server as the store's own types.
 * In: protobuf of responses. Out: objects of `mvcc/types.ts`, or null for malformed bytes.
 * Never: keeps a view of the input; what it returns owns its bytes.
 * Source: rpc.proto and kv.proto of etcd v3.6, field by field.
 */
import { EMPTY_BYTES, ProtoReader } from "../../mvcc/proto.ts";
import type {
  DeleteRangeResponse,
  KeyValue,
  PutResponse,
  RangeResponse,
  ResponseOp,
  StoreEvent,
  TxnResponse,
} from "../../mvcc/types.ts";

/** `bytes` of a message; the caller sees to it that nobody else writes to them. */
function readKeyValue(reader: ProtoReader): KeyValue {
  const kv = {
    key: EMPTY_BYTES,
    value: EMPTY_BYTES,
    createRevision: 0,
    modRevision: 0,
    version: 0,
    lease: 0n,
  };
  while (reader.next()) {
    if (reader.field === 1) kv.key = reader.bytes();
    else if (reader.field === 2) kv.createRevision = reader.int64();
    else if (reader.field === 3) kv.modRevision = reader.int64();
    else if (reader.field === 4) kv.version = reader.int64();
    else if (reader.field === 5) kv.value = reader.bytes();
    else if (reader.field === 6) kv.lease = reader.int64Big();
    else reader.skip();
  }
  return kv;
}

/** Revision of a ResponseHeader. */
function readRevision(reader: ProtoReader): number {
  let revision = 0;
  while (reader.next()) {
    if (reader.field === 3) revision = reader.int64();
    else reader.skip();
  }
  return revision;
}

/** The revision in the header of any response; 0 when it has none. */
export function decodeRevision(bytes: Uint8Array): number {
  const reader = new ProtoReader(bytes);
  while (reader.next()) {
    if (reader.field === 1) return readRevision(reader.message());
    reader.skip();
  }
  return 0;
}

function readRange(reader: ProtoReader): RangeResponse {
  const kvs: KeyValue[] = [];
  let revision = 0;
  let more = false;
  let count = 0;
  while (reader.next()) {
    if (reader.field === 1) revision = readRevision(reader.message());
    else if (reader.field === 2) kvs.push(readKeyValue(reader.message()));
    else if (reader.field === 3) more = reader.bool();
    else if (reader.field === 4) count = reader.int64();
    else reader.skip();
  }
  return { kind: "range", revision, kvs, more, count };
}

function readPut(reader: ProtoReader): PutResponse {
  let revision = 0;
  let prevKv: KeyValue | undefined;
  while (reader.next()) {
    if (reader.field === 1) revision = readRevision(reader.message());
    else if (reader.field === 2) prevKv = readKeyValue(reader.message());
    else reader.skip();
  }
  return prevKv === undefined ? { kind: "put", revision } : { kind: "put", revision, prevKv };
}

function readDeleteRange(reader: ProtoReader): DeleteRangeResponse {
  const prevKvs: KeyValue[] = [];
  let revision = 0;
  let deleted = 0;
  while (reader.next()) {
    if (reader.field === 1) revision = readRevision(reader.message());
    else if (reader.field === 2) deleted = reader.int64();
    else if (reader.field === 3) prevKvs.push(readKeyValue(reader.message()));
    else reader.skip();
  }
  return { kind: "deleteRange", revision, deleted, prevKvs };
}

function readTxn(reader: ProtoReader): TxnResponse {
  const responses: ResponseOp[] = [];
  let revision = 0;
  let succeeded = false;
  while (reader.next()) {
    if (reader.field === 1) revision = readRevision(reader.message());
    else if (reader.field === 2) succeeded = reader.bool();
    else if (reader.field === 3) {
      const op = readResponseOp(reader.message());
      if (op !== null) responses.push(op);
    } else reader.skip();
  }
  return { kind: "txn", revision, succeeded, responses };
}

function readResponseOp(reader: ProtoReader): ResponseOp | null {
  let op: ResponseOp | null = null;
  while (reader.next()) {
    if (reader.field === 1) op = readRange(reader.message());
    else if (reader.field === 2) op = readPut(reader.message());
    else if (reader.field === 3) op = readDeleteRange(reader.message());
    else if (reader.field === 4) op = readTxn(reader.message());
    else reader.skip();
  }
  return op;
}

const checked = <T>(read: (reader: ProtoReader) => T) => (bytes: Uint8Array): T | null => {
  const reader = new ProtoReader(bytes);
  const value = read(reader);
  return reader.failed ? null : value;
};

export const decodeRangeResponse = checked(readRange);
export const decodePutResponse = checked(readPut);
export const decodeDeleteRangeResponse = checked(readDeleteRange);
export const decodeTxnResponse = checked(readTxn);

/** ID 2 and TTL 3, of a grant or a keep-alive. */
export const decodeLeaseResponse = checked((reader) => {
  let id = 0n;
  let ttlSeconds = 0;
  while (reader.next()) {
    if (reader.field === 2) id = reader.int64Big();
    else if (reader.field === 3) ttlSeconds = reader.int64();
    else reader.skip();
  }
  return { kind: "lease" as const, id, ttlSeconds };
});

export interface WatchAnswer {
  readonly revision: number;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: number;
  readonly reason: string;
  readonly fragment: boolean;
  readonly events: readonly StoreEvent[];
}

/** The bytes must not change afterwards: events point into them. */
export const decodeWatchResponse = checked((reader): WatchAnswer => {
  const answer = {
    revision: 0,
    created: false,
    canceled: false,
    compactRevision: 0,
    reason: "",
    fragment: false,
  };
  const events: StoreEvent[] = [];
  while (reader.next()) {
    if (reader.field === 1) answer.revision = readRevision(reader.message());
    else if (reader.field === 3) answer.created = reader.bool();
    else if (reader.field === 4) answer.canceled = reader.bool();
    else if (reader.field === 5) answer.compactRevision = reader.int64();
    else if (reader.field === 6) answer.reason = reader.string();
    else if (reader.field === 7) answer.fragment = reader.bool();
    else if (reader.field === 11) events.push(readEvent(reader.message()));
    else reader.skip();
  }
  return { ...answer, events };
});

function readEvent(reader: ProtoReader): StoreEvent {
  let type: StoreEvent["type"] = "put";
  let kv: KeyValue | null = null;
  let prevKv: KeyValue | undefined;
  while (reader.next()) {
    if (reader.field === 1) type = reader.enumValue() === 1 ? "delete" : "put";
    else if (reader.field === 2) kv = readKeyValue(reader.message());
    else if (reader.field === 3) prevKv = readKeyValue(reader.message());
    else reader.skip();
  }
  kv ??= readKeyValue(new ProtoReader(EMPTY_BYTES));
  return prevKv === undefined ? { type, kv } : { type, kv, prevKv };
}

export const decodeToken = checked((reader) => {
  let token = "";
  while (reader.next()) {
    if (reader.field === 2) token = reader.string();
    else reader.skip();
  }
  return token;
});

/** What a StatusResponse tells, with its header's ids. */
export const decodeStatus = checked((reader) => {
  const status = {
    clusterId: 0n,
    memberId: 0n,
    leaderId: 0n,
    raftTerm: 0,
    raftIndex: 0,
    raftAppliedIndex: 0,
    dbSizeBytes: 0,
    dbSizeInUseBytes: 0,
    isLearner: false,
    errors: [] as string[],
  };
  while (reader.next()) {
    if (reader.field === 1) {
      const header = reader.message();
      while (header.next()) {
        if (header.field === 1) status.clusterId = header.uint64Big();
        else if (header.field === 2) status.memberId = header.uint64Big();
        else header.skip();
      }
    } else if (reader.field === 3) status.dbSizeBytes = reader.int64();
    else if (reader.field === 4) status.leaderId = reader.uint64Big();
    else if (reader.field === 5) status.raftIndex = reader.int64();
    else if (reader.field === 6) status.raftTerm = reader.int64();
    else if (reader.field === 7) status.raftAppliedIndex = reader.int64();
    else if (reader.field === 8) status.errors.push(reader.string());
    else if (reader.field === 9) status.dbSizeInUseBytes = reader.int64();
    else if (reader.field === 10) status.isLearner = reader.bool();
    else reader.skip();
  }
  return status;
});
