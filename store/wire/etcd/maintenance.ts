/**
 * The Maintenance service: alarms, status, defragment, hashes, snapshot, leader, downgrade.
 * In: requests as protobuf. Out: commands, questions to the member, answers; a snapshot in slices.
 * Never: holds a snapshot in memory; it is read at the client's pace.
 * Source: etcdserverpb.Maintenance.
 */
import { createHash } from "node:crypto";
import { decodeAlarm } from "../../mvcc/admin_codec.ts";
import { ProtoReader } from "../../mvcc/proto.ts";
import type { UnaryCall } from "../grpc/brief_call.ts";
import type { Method, ServerCall } from "../grpc/server.ts";
import { GrpcCode } from "../grpc/status.ts";
import type { ServiceContext } from "./context.ts";
import { writeAdminOutcome } from "./encode.ts";
import { isMemberFailure, statusOf } from "./errors.ts";
import type { SnapshotStream } from "./member_api.ts";

const DOWNGRADE_ACTIONS = ["validate", "enable", "cancel"] as const;

const SNAPSHOT_PAGE_BYTES = 512;

type Run = (message: Uint8Array, call: UnaryCall) => void;

/** @returns the service's methods by path */
export function maintenanceMethods(context: ServiceContext): [string, Method][] {
  const service = "/etcdserverpb.Maintenance/";
  const { member } = context;
  const unary = (run: Run): Method => ({ kind: "unary", run });
  return [
    [`${service}Alarm`, unary((message, call) => alarm(context, message, call))],
    [`${service}Status`, unary((_, call) => context.asCaller(call, () => status(context, call)))],
    [
      `${service}Defragment`,
      unary((_, call) =>
        context.asAdmin(call, () => void context.replyWith(call, member.defragment()))
      ),
    ],
    [
      `${service}Hash`,
      unary((_, call) =>
        context.asAdmin(
          call,
          () =>
            void context.replyWith(call, member.hash(), (writer, result) => {
              writer.int64Field(2, result.hash);
            }),
        )
      ),
    ],
    [`${service}HashKV`, unary((message, call) => hashKv(context, message, call))],
    [`${service}Snapshot`, { kind: "stream", open: (call) => openSnapshot(context, call) }],
    [`${service}MoveLeader`, unary((message, call) => moveLeader(context, message, call))],
    [`${service}Downgrade`, unary((message, call) => downgrade(context, message, call))],
  ];
}

/** Only a change of alarms goes through the log. */
function alarm(context: ServiceContext, message: Uint8Array, call: UnaryCall): void {
  const request = decodeAlarm(message);
  if ("kind" in request) return call.fail(statusOf(request));
  if (request.action !== "get") {
    return context.asCaller(call, (caller) => {
      context.submit(call, { kind: "alarm", message, caller });
    });
  }
  context.asCaller(call, () => {
    const alarms = context.member.alarms().filter(({ alarm: type }) =>
      request.alarm === "none" || request.alarm === type
    );
    context.reply(call, (writer) => writeAdminOutcome(writer, { kind: "alarms", alarms }));
  });
}

function status(context: ServiceContext, call: UnaryCall): void {
  const now = context.member.status();
  context.reply(call, (writer) => {
    writer.stringField(2, now.version);
    writer.int64Field(3, now.dbSizeBytes);
    writer.bigField(4, now.leaderId);
    writer.int64Field(5, now.raftIndex);
    writer.int64Field(6, now.raftTerm);
    writer.int64Field(7, now.raftAppliedIndex);
    for (const error of now.errors) writer.stringField(8, error);
    writer.int64Field(9, now.dbSizeInUseBytes);
    writer.boolField(10, now.isLearner);
    writer.stringField(11, now.storageVersion);
    writer.int64Field(12, now.dbSizeQuotaBytes);
    const start = writer.beginMessage(13);
    writer.boolField(1, now.downgrade.enabled);
    writer.stringField(2, now.downgrade.targetVersion);
    writer.endMessage(start);
  });
}

function hashKv(context: ServiceContext, message: Uint8Array, call: UnaryCall): void {
  const revision = readNumber(message);
  if (revision === null) return context.malformed(call);
  context.asAdmin(call, () => {
    void context.replyWith(call, context.member.hashKv(Number(revision)), (writer, result) => {
      writer.int64Field(2, result.hash);
      writer.int64Field(3, result.compactRevision);
      writer.int64Field(4, result.revision);
    });
  });
}

function moveLeader(context: ServiceContext, message: Uint8Array, call: UnaryCall): void {
  const target = readNumber(message);
  if (target === null) return context.malformed(call);
  context.asAdmin(call, () => {
    if (context.member.status().leaderId !== context.member.memberId) {
      return call.fail(statusOf({ kind: "notLeader" }));
    }
    void context.replyWith(call, context.member.moveLeader(BigInt.asUintN(64, target)));
  });
}

function downgrade(context: ServiceContext, message: Uint8Array, call: UnaryCall): void {
  const reader = new ProtoReader(message);
  let action = 0;
  let version = "";
  while (reader.next()) {
    if (reader.field === 1) action = reader.enumValue();
    else if (reader.field === 2) version = reader.string();
    else reader.skip();
  }
  const name = DOWNGRADE_ACTIONS[action];
  if (reader.failed) return context.malformed(call);
  if (name === undefined) {
    return call.fail({
      code: GrpcCode.invalidArgument,
      message: "etcdserver: wrong downgrade target version format",
    });
  }
  context.asAdmin(call, () => {
    void context.replyWith(
      call,
      context.member.downgrade(name, version),
      (writer, result) => writer.stringField(2, result.version),
    );
  });
}

/** Field 1 as a signed number, 0 when absent. */
function readNumber(message: Uint8Array): bigint | null {
  const reader = new ProtoReader(message);
  let value = 0n;
  while (reader.next()) {
    if (reader.field === 1) value = reader.int64Big();
    else reader.skip();
  }
  return reader.failed ? null : value;
}

/** The request carries nothing, so the snapshot starts with its message or the end of requests. */
function openSnapshot(context: ServiceContext, call: ServerCall): void {
  let started = false;
  const start = () => {
    if (started) return;
    started = true;
    context.asAdmin(call, () => void sendSnapshot(context, call));
  };
  call.onMessage = start;
  call.onEnd = start;
}

async function sendSnapshot(context: ServiceContext, call: ServerCall): Promise<void> {
  const snapshot = await context.member.snapshot();
  if (isMemberFailure(snapshot)) return call.fail(statusOf(snapshot));
  try {
    await sendSlices(context, call, snapshot);
    call.end();
  } catch (error) {
    const message = error instanceof Error ? error.message : "unknown";
    call.fail({ code: GrpcCode.internal, message: `etcdserver: snapshot failed: ${message}` });
  } finally {
    snapshot.close();
  }
}

/**
 * Every slice, zeros up to a whole page, and the SHA-256 of all that. Clients look for the digest
 * behind a multiple of 512 bytes.
 */
async function sendSlices(
  context: ServiceContext,
  call: ServerCall,
  snapshot: SnapshotStream,
): Promise<void> {
  const digest = createHash("sha256");
  const { version } = context.member.status();
  let left = snapshot.totalBytes;
  let sent = 0;
  const send = async (blob: Uint8Array) => {
    const writer = call.beginReply();
    context.writeHeader(writer, context.member.revision);
    writer.int64Field(2, left);
    writer.bytesField(3, blob);
    writer.stringField(4, version);
    if (call.sendReply() || call.over) return;
    await new Promise<void>((resolve) => {
      call.onDrain = resolve;
      call.onCancel = resolve;
    });
  };
  const sendDigested = async (slice: Uint8Array) => {
    digest.update(slice);
    sent += slice.length;
    left = Math.max(0, left - slice.length);
    await send(slice);
  };
  for (let slice = await snapshot.next(); slice !== null; slice = await snapshot.next()) {
    if (call.over) return;
    await sendDigested(slice);
  }
  const padding = (SNAPSHOT_PAGE_BYTES - sent % SNAPSHOT_PAGE_BYTES) % SNAPSHOT_PAGE_BYTES;
  if (padding > 0) await sendDigested(new Uint8Array(padding));
  left = 0;
  await send(new Uint8Array(digest.digest()));
}
