/**
 * The data requests of etcd's API between protobuf bytes and the types of `types.ts`.
 * In: bytes or requests. Out: requests or bytes; unknown fields are skipped.
 * Never: throws on bytes; checks a request's sense (`request_check.ts` does).
 * Source: etcd v3.6 rpc.proto, field numbers beside each case.
 */
import { malformed } from "./command.ts";
import { EMPTY_BYTES, ProtoReader, type ProtoWriter } from "./proto.ts";
import type {
  Compare,
  CompareResult,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  SortOrder,
  SortTarget,
  StoreFailure,
  TxnRequest,
} from "./types.ts";

const SORT_ORDERS: readonly SortOrder[] = ["none", "ascend", "descend"];
const SORT_TARGETS: readonly SortTarget[] = ["key", "version", "create", "mod", "value"];
const COMPARE_RESULTS: readonly CompareResult[] = ["equal", "greater", "less", "notEqual"];
const COMPARE_TARGETS: readonly Compare["target"][] = [
  "version",
  "create",
  "mod",
  "value",
  "lease",
];
/** Deeper transactions are refused before they can exhaust the stack. */
const MAX_DEPTH = 64;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** @returns the request, or `invalidRequest` / `invalidSortOption`. */
export function decodeRange(bytes: Uint8Array): RangeRequest | StoreFailure {
  return readRange(new ProtoReader(bytes));
}

function readRange(reader: ProtoReader): RangeRequest | StoreFailure {
  const request: Mutable<RangeRequest> = { kind: "range", key: EMPTY_BYTES };
  let order = 0;
  let target = 0;
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        request.key = reader.bytes();
        break;
      case 2:
        request.rangeEnd = reader.bytes();
        break;
      case 3:
        request.limit = reader.int64();
        break;
      case 4:
        request.revision = reader.int64();
        break;
      case 5:
        order = reader.enumValue();
        break;
      case 6:
        target = reader.enumValue();
        break;
      case 7:
        request.serializable = reader.bool();
        break;
      case 8:
        request.keysOnly = reader.bool();
        break;
      case 9:
        request.countOnly = reader.bool();
        break;
      case 10:
        request.minModRevision = reader.int64();
        break;
      case 11:
        request.maxModRevision = reader.int64();
        break;
      case 12:
        request.minCreateRevision = reader.int64();
        break;
      case 13:
        request.maxCreateRevision = reader.int64();
        break;
      default:
        reader.skip();
    }
  }
  if (reader.failed) return malformed("RangeRequest");
  if (SORT_ORDERS[order] === undefined || SORT_TARGETS[target] === undefined) {
    return { kind: "invalidSortOption" };
  }
  if (order !== 0) request.sortOrder = SORT_ORDERS[order];
  if (target !== 0) request.sortTarget = SORT_TARGETS[target];
  return request;
}

export function encodeRange(writer: ProtoWriter, request: RangeRequest): void {
  writer.bytesField(1, request.key);
  writer.bytesField(2, request.rangeEnd);
  writer.int64Field(3, request.limit ?? 0);
  writer.int64Field(4, request.revision ?? 0);
  writer.int64Field(5, SORT_ORDERS.indexOf(request.sortOrder ?? "none"));
  writer.int64Field(6, SORT_TARGETS.indexOf(request.sortTarget ?? "key"));
  writer.boolField(7, request.serializable);
  writer.boolField(8, request.keysOnly);
  writer.boolField(9, request.countOnly);
  writer.int64Field(10, request.minModRevision ?? 0);
  writer.int64Field(11, request.maxModRevision ?? 0);
  writer.int64Field(12, request.minCreateRevision ?? 0);
  writer.int64Field(13, request.maxCreateRevision ?? 0);
}

/** @returns the request, or `invalidRequest`. */
export function decodePut(bytes: Uint8Array): PutRequest | StoreFailure {
  return readPut(new ProtoReader(bytes));
}

function readPut(reader: ProtoReader): PutRequest | StoreFailure {
  const request: Mutable<PutRequest> = { kind: "put", key: EMPTY_BYTES, value: EMPTY_BYTES };
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        request.key = reader.bytes();
        break;
      case 2:
        request.value = reader.bytes();
        break;
      case 3:
        request.lease = reader.int64Big();
        break;
      case 4:
        request.prevKv = reader.bool();
        break;
      case 5:
        request.ignoreValue = reader.bool();
        break;
      case 6:
        request.ignoreLease = reader.bool();
        break;
      default:
        reader.skip();
    }
  }
  return reader.failed ? malformed("PutRequest") : request;
}

export function encodePut(writer: ProtoWriter, request: PutRequest): void {
  writer.bytesField(1, request.key);
  writer.bytesField(2, request.value);
  writer.bigField(3, request.lease ?? 0n);
  writer.boolField(4, request.prevKv);
  writer.boolField(5, request.ignoreValue);
  writer.boolField(6, request.ignoreLease);
}

/** @returns the request, or `invalidRequest`. */
export function decodeDeleteRange(bytes: Uint8Array): DeleteRangeRequest | StoreFailure {
  return readDeleteRange(new ProtoReader(bytes));
}

function readDeleteRange(reader: ProtoReader): DeleteRangeRequest | StoreFailure {
  const request: Mutable<DeleteRangeRequest> = { kind: "deleteRange", key: EMPTY_BYTES };
  while (reader.next()) {
    if (reader.field === 1) request.key = reader.bytes();
    else if (reader.field === 2) request.rangeEnd = reader.bytes();
    else if (reader.field === 3) request.prevKv = reader.bool();
    else reader.skip();
  }
  return reader.failed ? malformed("DeleteRangeRequest") : request;
}

export function encodeDeleteRange(writer: ProtoWriter, request: DeleteRangeRequest): void {
  writer.bytesField(1, request.key);
  writer.bytesField(2, request.rangeEnd);
  writer.boolField(3, request.prevKv);
}

/** @returns the request, or a failure: malformed bytes, an unknown sort, an empty operation. */
export function decodeTxn(bytes: Uint8Array): TxnRequest | StoreFailure {
  return readTxn(new ProtoReader(bytes), 0);
}

function readTxn(reader: ProtoReader, depth: number): TxnRequest | StoreFailure {
  if (depth > MAX_DEPTH) return { kind: "invalidRequest", detail: "transaction nested too deep" };
  const compare: Compare[] = [];
  const success: RequestOp[] = [];
  const failure: RequestOp[] = [];
  while (reader.next()) {
    if (reader.field === 1) {
      const one = readCompare(reader.message());
      if ("kind" in one) return one;
      compare.push(one);
    } else if (reader.field === 2 || reader.field === 3) {
      const one = readOp(reader.message(), depth);
      if (!isOp(one)) return one;
      (reader.field === 2 ? success : failure).push(one);
    } else reader.skip();
  }
  if (reader.failed) return malformed("TxnRequest");
  return { kind: "txn", compare, success, failure };
}

function isOp(one: RequestOp | StoreFailure): one is RequestOp {
  return one.kind === "range" || one.kind === "put" || one.kind === "deleteRange" ||
    one.kind === "txn";
}

function readOp(reader: ProtoReader, depth: number): RequestOp | StoreFailure {
  let op: RequestOp | StoreFailure | undefined;
  while (reader.next()) {
    if (reader.field > 4) {
      reader.skip();
      continue;
    }
    const { field } = reader;
    const body = reader.message();
    if (reader.failed) break;
    if (field === 1) op = readRange(body);
    else if (field === 2) op = readPut(body);
    else if (field === 3) op = readDeleteRange(body);
    else op = readTxn(body, depth + 1);
    if (!isOp(op)) return op;
  }
  if (reader.failed) return malformed("RequestOp");
  // etcd answers an operation that names nothing with "key not found".
  return op ?? { kind: "keyNotFound" };
}

function readCompare(reader: ProtoReader): Compare | StoreFailure {
  let result = 0;
  let target = 0;
  let key = EMPTY_BYTES;
  let rangeEnd: Uint8Array | undefined;
  let union = 0;
  let number = 0;
  let value = EMPTY_BYTES;
  let lease = 0n;
  while (reader.next()) {
    const { field } = reader;
    if (field === 1) result = reader.enumValue();
    else if (field === 2) target = reader.enumValue();
    else if (field === 3) key = reader.bytes();
    else if (field >= 4 && field <= 8) {
      union = field - 4;
      if (field === 7) value = reader.bytes();
      else if (field === 8) lease = reader.int64Big();
      else number = reader.int64();
    } else if (field === 64) rangeEnd = reader.bytes();
    else reader.skip();
  }
  const resultName = COMPARE_RESULTS[result];
  const targetName = COMPARE_TARGETS[target];
  if (reader.failed || resultName === undefined || targetName === undefined) {
    return malformed("Compare");
  }
  const base = { key, result: resultName, ...(rangeEnd === undefined ? {} : { rangeEnd }) };
  // A value given for another target than the one named counts as zero.
  const given = union === target;
  if (targetName === "value") {
    return { ...base, target: targetName, value: given ? value : EMPTY_BYTES };
  }
  if (targetName === "lease") return { ...base, target: targetName, value: given ? lease : 0n };
  return { ...base, target: targetName, value: given ? number : 0 };
}

export function encodeTxn(writer: ProtoWriter, request: TxnRequest): void {
  for (const compare of request.compare) encodeCompare(writer, compare);
  for (const op of request.success) encodeOp(writer, 2, op);
  for (const op of request.failure) encodeOp(writer, 3, op);
}

function encodeCompare(writer: ProtoWriter, compare: Compare): void {
  const start = writer.beginMessage(1);
  writer.int64Field(1, COMPARE_RESULTS.indexOf(compare.result));
  writer.int64Field(2, COMPARE_TARGETS.indexOf(compare.target));
  writer.bytesField(3, compare.key);
  if (compare.target === "value") writer.bytesFieldAlways(7, compare.value);
  else if (compare.target === "lease") {
    writer.varint(8 << 3);
    writer.varintBig(compare.value);
  } else {
    writer.varint((4 + COMPARE_TARGETS.indexOf(compare.target)) << 3);
    writer.varint(compare.value);
  }
  writer.bytesField(64, compare.rangeEnd);
  writer.endMessage(start);
}

function encodeOp(writer: ProtoWriter, field: number, op: RequestOp): void {
  const outer = writer.beginMessage(field);
  switch (op.kind) {
    case "range": {
      const inner = writer.beginMessage(1);
      encodeRange(writer, op);
      writer.endMessage(inner);
      break;
    }
    case "put": {
      const inner = writer.beginMessage(2);
      encodePut(writer, op);
      writer.endMessage(inner);
      break;
    }
    case "deleteRange": {
      const inner = writer.beginMessage(3);
      encodeDeleteRange(writer, op);
      writer.endMessage(inner);
      break;
    }
    case "txn": {
      const inner = writer.beginMessage(4);
      encodeTxn(writer, op);
      writer.endMessage(inner);
      break;
    }
  }
  writer.endMessage(outer);
}
