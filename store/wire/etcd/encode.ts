/**
 * Answers of the etcd API as protobuf.
 * In: outcomes of the store. Out: fields appended to a `ProtoWriter`.
 * Never: decides anything; zero values are left out, as proto3 asks.
 * Source: rpc.proto and kv.proto of etcd v3.6, field by field.
 */
import type { ApplyOutcome } from "../../mvcc/outcome.ts";
import { ProtoWriter } from "../../mvcc/proto.ts";
import type { KeyValue, ResponseOp, StoreEvent } from "../../mvcc/types.ts";
import type { MemberInfo } from "./member_api.ts";

/** What every answer carries besides its revision. */
export interface HeaderSource {
  readonly clusterId: bigint;
  readonly memberId: bigint;
  readonly raftTerm: number;
}

/** ResponseHeader as field 1. */
export function writeHeader(writer: ProtoWriter, source: HeaderSource, revision: number): void {
  const start = writer.beginMessage(1);
  writer.bigField(1, source.clusterId);
  writer.bigField(2, source.memberId);
  writer.int64Field(3, revision);
  writer.int64Field(4, source.raftTerm);
  writer.endMessage(start);
}

export function writeKeyValue(writer: ProtoWriter, field: number, kv: KeyValue): void {
  const start = writer.beginMessage(field);
  writer.bytesField(1, kv.key);
  writer.int64Field(2, kv.createRevision);
  writer.int64Field(3, kv.modRevision);
  writer.int64Field(4, kv.version);
  writer.bytesField(5, kv.value);
  writer.bigField(6, kv.lease);
  writer.endMessage(start);
}

/** Fields after the header of a Put, Range, DeleteRange or Txn response. */
export function writeBody(writer: ProtoWriter, response: ResponseOp): void {
  switch (response.kind) {
    case "put":
      if (response.prevKv !== undefined) writeKeyValue(writer, 2, response.prevKv);
      return;
    case "range":
      for (const kv of response.kvs) writeKeyValue(writer, 2, kv);
      writer.boolField(3, response.more);
      writer.int64Field(4, response.count);
      return;
    case "deleteRange":
      writer.int64Field(2, response.deleted);
      for (const kv of response.prevKvs) writeKeyValue(writer, 3, kv);
      return;
    case "txn":
      writer.boolField(2, response.succeeded);
      for (const op of response.responses) writeResponseOp(writer, op);
  }
}

const RESPONSE_OP_FIELD = { range: 1, put: 2, deleteRange: 3, txn: 4 } as const;

/** One ResponseOp of a txn; its header holds the revision alone, as etcd's does. */
function writeResponseOp(writer: ProtoWriter, op: ResponseOp): void {
  const outer = writer.beginMessage(3);
  const inner = writer.beginMessage(RESPONSE_OP_FIELD[op.kind]);
  const header = writer.beginMessage(1);
  writer.int64Field(3, op.revision);
  writer.endMessage(header);
  writeBody(writer, op);
  writer.endMessage(inner);
  writer.endMessage(outer);
}

/** Fields after the header for the outcome of any command. */
export function writeOutcome(writer: ProtoWriter, outcome: ApplyOutcome): void {
  switch (outcome.kind) {
    case "put":
    case "range":
    case "deleteRange":
    case "txn":
      return writeBody(writer, outcome);
    case "lease":
      writer.bigField(2, outcome.id);
      writer.int64Field(3, outcome.ttlSeconds);
      return;
    case "alarms":
      for (const { memberId, alarm } of outcome.alarms) {
        const start = writer.beginMessage(2);
        writer.bigField(1, memberId);
        writer.int64Field(2, ALARM_TYPES.indexOf(alarm));
        writer.endMessage(start);
      }
      return;
    default:
      return;
  }
}

export const ALARM_TYPES = ["none", "noSpace", "corrupt"] as const;

/** Member message, as a member list (or an added member) carries it. */
export function writeMember(writer: ProtoWriter, field: number, member: MemberInfo): void {
  const start = writer.beginMessage(field);
  writer.bigField(1, member.id);
  writer.stringField(2, member.name);
  for (const url of member.peerUrls) writer.stringField(3, url);
  for (const url of member.clientUrls) writer.stringField(4, url);
  writer.boolField(5, member.isLearner);
  writer.endMessage(start);
}

const encodedEvents = new WeakMap<StoreEvent, Uint8Array>();
const eventWriter = new ProtoWriter(4096);

/**
 * An event as field 11 of a WatchResponse. Watchers share event objects, so each is encoded once,
 * however many watch it.
 */
export function encodeEvent(event: StoreEvent): Uint8Array {
  const known = encodedEvents.get(event);
  if (known !== undefined) return known;
  eventWriter.reset();
  const start = eventWriter.beginMessage(11);
  eventWriter.int64Field(1, event.type === "delete" ? 1 : 0);
  writeKeyValue(eventWriter, 2, event.kv);
  if (event.prevKv !== undefined) writeKeyValue(eventWriter, 3, event.prevKv);
  eventWriter.endMessage(start);
  const bytes = eventWriter.finish();
  encodedEvents.set(event, bytes);
  return bytes;
}
