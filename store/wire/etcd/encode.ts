/**
 * Answers of the etcd API as protobuf, those that `mvcc/response_codec` does not have.
 * In: outcomes of the store. Out: fields appended to a `ProtoWriter`.
 * Never: decides anything; zero values are left out, as proto3 asks.
 * Source: rpc.proto and kv.proto of etcd v3.6, field by field.
 */
import type { AdminOutcome } from "../../mvcc/outcome.ts";
import { ProtoWriter } from "../../mvcc/proto.ts";
import { encodeKeyValue } from "../../mvcc/response_codec.ts";
import type { StoreEvent } from "../../mvcc/types.ts";
import type { MemberInfo } from "./member_api.ts";

const ALARM_TYPES = ["none", "noSpace", "corrupt"] as const;

/** Fields after the header for the outcome of a command that is not a data request. */
export function writeAdminOutcome(writer: ProtoWriter, outcome: AdminOutcome): void {
  if (outcome.kind === "lease") {
    writer.bigField(2, outcome.id);
    writer.int64Field(3, outcome.ttlSeconds);
  } else if (outcome.kind === "alarms") {
    for (const { memberId, alarm } of outcome.alarms) {
      const start = writer.beginMessage(2);
      writer.bigField(1, memberId);
      writer.int64Field(2, ALARM_TYPES.indexOf(alarm));
      writer.endMessage(start);
    }
  }
}

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
  encodeKeyValue(eventWriter, 2, event.kv);
  if (event.prevKv !== undefined) encodeKeyValue(eventWriter, 3, event.prevKv);
  eventWriter.endMessage(start);
  const bytes = eventWriter.finish();
  encodedEvents.set(event, bytes);
  return bytes;
}
