/**
 * The Lease service: grant, revoke, keep alive, time to live, list.
 * In: requests as protobuf. Out: commands, questions to the member, answers.
 * Never: counts down a lease; the leader does.
 * Source: etcdserverpb.Lease.
 */
import { decodeLeaseGrant, encodeLeaseGrant } from "../../mvcc/admin_codec.ts";
import { ProtoReader } from "../../mvcc/proto.ts";
import type { UnaryCall } from "../grpc/brief_call.ts";
import type { Method, ServerCall } from "../grpc/server.ts";
import type { ServiceContext } from "./context.ts";
import { isMemberFailure, statusOf } from "./errors.ts";

/** @returns the service's methods by path */
export function leaseMethods(context: ServiceContext): [string, Method][] {
  const service = "/etcdserverpb.Lease/";
  return [
    [`${service}LeaseGrant`, {
      kind: "unary",
      run: (message, call) => grant(context, message, call),
    }],
    [`${service}LeaseRevoke`, context.command("leaseRevoke")],
    [`${service}LeaseKeepAlive`, { kind: "stream", open: (call) => keepAlive(context, call) }],
    [`${service}LeaseTimeToLive`, {
      kind: "unary",
      run: (message, call) => timeToLive(context, message, call),
    }],
    [`${service}LeaseLeases`, { kind: "unary", run: (_, call) => leases(context, call) }],
  ];
}

/** A grant without an id gets one here, because applying a command must not draw random numbers. */
function grant(context: ServiceContext, message: Uint8Array, call: UnaryCall): void {
  const request = decodeLeaseGrant(message);
  if ("kind" in request) return call.fail(statusOf(request));
  const bytes = request.id !== 0n ? message : encodeLeaseGrant({ ...request, id: randomLeaseId() });
  context.asCaller(call, (caller) => {
    context.submit(call, { kind: "leaseGrant", message: bytes, caller });
  });
}

function randomLeaseId(): bigint {
  const id = crypto.getRandomValues(new BigUint64Array(1))[0] & 0x7fffffffffffffffn;
  return id === 0n ? 1n : id;
}

/** The `ID` of any lease request is field 1, except in a grant. */
function leaseId(message: Uint8Array): { id: bigint; keys: boolean } | null {
  const reader = new ProtoReader(message);
  let id = 0n;
  let keys = false;
  while (reader.next()) {
    if (reader.field === 1) id = reader.int64Big();
    else if (reader.field === 2) keys = reader.bool();
    else reader.skip();
  }
  return reader.failed ? null : { id, keys };
}

function keepAlive(context: ServiceContext, call: ServerCall): void {
  if (context.lacksLeader(call)) return;
  let waiting = 0;
  let ended = false;
  const endIfDone = () => {
    if (ended && waiting === 0) call.end();
  };
  call.onEnd = () => {
    ended = true;
    endIfDone();
  };
  call.onMessage = (message) => {
    const request = leaseId(message);
    if (request === null) return context.malformed(call);
    const found = context.callerOf(call);
    if (found.kind !== "caller") return call.fail(statusOf(found));
    waiting++;
    context.member.leaseKeepAlive(request.id, found.caller, (result) => {
      waiting--;
      // A lease that is gone is an answer with a time to live of zero, not an error.
      if (isMemberFailure(result) && result.kind !== "leaseNotFound") {
        return call.fail(statusOf(result));
      }
      const ttlSeconds = isMemberFailure(result) ? 0 : result.ttlSeconds;
      const writer = call.beginReply();
      context.writeHeader(writer, context.member.revision);
      writer.bigField(2, request.id);
      writer.int64Field(3, ttlSeconds);
      call.sendReply();
      endIfDone();
    });
  };
}

function timeToLive(context: ServiceContext, message: Uint8Array, call: UnaryCall): void {
  const request = leaseId(message);
  if (request === null) return context.malformed(call);
  context.asCaller(call, (caller) => {
    const asked = context.member.leaseTimeToLive(request.id, { keys: request.keys, caller });
    void context.replyWith(call, asked, (writer, lease) => {
      writer.bigField(2, lease.id);
      writer.int64Field(3, lease.ttlSeconds);
      writer.int64Field(4, lease.grantedTtlSeconds);
      for (const key of lease.keys) writer.bytesFieldAlways(5, key);
    });
  });
}

function leases(context: ServiceContext, call: UnaryCall): void {
  context.asCaller(call, () => {
    void context.replyWith(call, context.member.leases(), (writer, list) => {
      for (const id of list.ids) {
        const start = writer.beginMessage(2);
        writer.bigField(1, id);
        writer.endMessage(start);
      }
    });
  });
}
