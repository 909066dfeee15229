/**
 * The KV service: Range, Put, DeleteRange, Txn, Compact.
 * In: requests as protobuf. Out: commands with the bytes as they came, reads, answers.
 * Never: proposes a transaction that writes nothing, or a request that is wrong whatever the data.
 * Source: etcdserverpb.KV.
 */
import { checkTxn } from "../../mvcc/request_check.ts";
import { decodeTxn } from "../../mvcc/request_codec.ts";
import type { TxnRequest } from "../../mvcc/types.ts";
import type { UnaryCall } from "../grpc/brief_call.ts";
import type { Method } from "../grpc/server.ts";
import type { ServiceContext } from "./context.ts";
import { isMemberFailure, statusOf } from "./errors.ts";

/** @returns the service's methods by path */
export function kvMethods(context: ServiceContext): [string, Method][] {
  const service = "/etcdserverpb.KV/";
  return [
    [`${service}Range`, { kind: "unary", run: (message, call) => range(context, message, call) }],
    [`${service}Put`, context.command("put")],
    [`${service}DeleteRange`, context.command("deleteRange")],
    [`${service}Txn`, { kind: "unary", run: (message, call) => txn(context, message, call) }],
    [`${service}Compact`, context.command("compaction")],
  ];
}

function range(context: ServiceContext, message: Uint8Array, call: UnaryCall): void {
  context.asCaller(call, (caller) => {
    context.member.range(message, caller, (result) => {
      if (result instanceof Uint8Array) call.reply(result);
      else if ("kind" in result) call.fail(statusOf(result));
      else call.replyParts(result);
    });
  });
}

function txn(context: ServiceContext, message: Uint8Array, call: UnaryCall): void {
  const request = decodeTxn(message);
  if (request.kind !== "txn") return call.fail(statusOf(request));
  const wrong = checkTxn(request, context.options.maxTxnOps);
  if (wrong !== undefined) return call.fail(statusOf(wrong));
  context.asCaller(call, (caller) => {
    if (writes(request)) return context.submit(call, { kind: "txn", message, caller });
    // The request's keys are views of the read buffer, and the read index takes a while.
    const kept = decodeTxn(message.slice()) as TxnRequest;
    const options = { serializable: serializable(kept), caller };
    context.member.readTxn(kept, options, (result) => {
      if (isMemberFailure(result)) return call.fail(statusOf(result));
      context.replyData(call, result);
    });
  });
}

function writes(request: TxnRequest): boolean {
  return [...request.success, ...request.failure].some((op) =>
    op.kind === "txn" ? writes(op) : op.kind !== "range"
  );
}

/** Every operation is a range that may be stale. */
function serializable(request: TxnRequest): boolean {
  return [...request.success, ...request.failure].every((op) =>
    op.kind === "txn" ? serializable(op) : op.kind === "range" && op.serializable === true
  );
}
