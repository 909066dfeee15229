/**
 * What all etcd services share: the member, who calls, and the usual ways to answer.
 * In: calls and outcomes. Out: replies and statuses on the calls.
 * Never: knows a single method.
 */
import type { Identity } from "../../mvcc/outcome.ts";
import type { HeaderFields } from "../../mvcc/api.ts";
import type { ProtoWriter } from "../../mvcc/proto.ts";
import { encodeResponse, HeaderEncoder } from "../../mvcc/response_codec.ts";
import type { ResponseOp, StoreFailure } from "../../mvcc/types.ts";
import type { UnaryCall } from "../grpc/brief_call.ts";
import type { Method } from "../grpc/server.ts";
import { GrpcCode } from "../grpc/status.ts";
import { writeAdminOutcome } from "./encode.ts";
import { isMemberFailure, statusOf } from "./errors.ts";
import type { MemberApi, MemberFailure, WireCommand } from "./member_api.ts";

export interface ServiceOptions {
  /** Largest request of a client, bytes; etcd's `--max-request-bytes`. */
  readonly maxRequestBytes: number;
  /** Operations in one transaction branch; etcd's `--max-txn-ops`. */
  readonly maxTxnOps: number;
  /** Whether a client certificate's common name counts as an auth user. */
  readonly certificateUsers: boolean;
}

type Caller = { readonly kind: "caller"; readonly caller: Identity | null } | StoreFailure;

const NOBODY: Caller = { kind: "caller", caller: null };

export class ServiceContext {
  readonly member: MemberApi;
  readonly options: ServiceOptions;
  readonly #headers = new HeaderEncoder();
  #fields: HeaderFields;

  constructor(member: MemberApi, options: ServiceOptions) {
    this.member = member;
    this.options = options;
    this.#fields = headerFields(member);
  }

  /** Appends a ResponseHeader as field 1. */
  writeHeader(writer: ProtoWriter, revision: number): void {
    this.#headers.encode(writer, this.#currentFields(), revision);
  }

  /** The encoder keeps the bytes of one object's fields, so a new term makes a new object. */
  #currentFields(): HeaderFields {
    if (this.#fields.raftTerm !== this.member.raftTerm) this.#fields = headerFields(this.member);
    return this.#fields;
  }

  /** Who calls: by token, else by verified client certificate, else nobody. */
  callerOf(call: UnaryCall): Caller {
    const auth = this.member.auth;
    if (!auth.enabled()) return NOBODY;
    const token = call.metadata("token") ?? call.metadata("authorization");
    if (token !== undefined) return auth.callerOfToken(token);
    const { commonName } = call.peer;
    if (!this.options.certificateUsers || commonName === null || commonName === "") return NOBODY;
    return { kind: "caller", caller: auth.callerOfCertificate(commonName) };
  }

  /** Fails the call of a client that insists on a leader (`hasleader`) while none is known. */
  lacksLeader(call: UnaryCall): boolean {
    if (call.metadata("hasleader") !== "true") return false;
    if (this.member.status().leaderId !== 0n) return false;
    call.fail(statusOf({ kind: "noLeader" }));
    return true;
  }

  /** Runs `body` with the caller, or fails the call. */
  asCaller(call: UnaryCall, body: (caller: Identity | null) => void): void {
    if (this.lacksLeader(call)) return;
    const found = this.callerOf(call);
    if (found.kind !== "caller") return call.fail(statusOf(found));
    body(found.caller);
  }

  /** As `asCaller`, for what only root may do. */
  asAdmin(call: UnaryCall, body: (caller: Identity | null) => void): void {
    this.asCaller(call, (caller) => {
      const refused = this.member.auth.requireAdmin(caller);
      if (refused !== null) call.fail(statusOf(refused));
      else body(caller);
    });
  }

  /** A method that goes through the log with the bytes as they came. */
  command(kind: WireCommand): Method {
    return {
      kind: "unary",
      run: (message, call) => {
        if (this.lacksLeader(call)) return;
        const found = this.callerOf(call);
        if (found.kind !== "caller") call.fail(statusOf(found));
        else this.submit(call, { kind, message, caller: found.caller });
      },
    };
  }

  submit(
    call: UnaryCall,
    command: {
      readonly kind: WireCommand;
      readonly message: Uint8Array;
      readonly caller: Identity | null;
    },
  ): void {
    if (command.message.length > this.options.maxRequestBytes) {
      return call.fail(statusOf({ kind: "requestTooLarge" }));
    }
    this.member.submit(command.kind, command.message, command.caller, (outcome) => {
      if (isMemberFailure(outcome)) return call.fail(statusOf(outcome));
      switch (outcome.kind) {
        case "put":
        case "range":
        case "deleteRange":
        case "txn":
          return this.replyData(call, outcome);
        default: {
          const revision = "revision" in outcome ? outcome.revision : this.member.revision;
          this.reply(call, (writer) => writeAdminOutcome(writer, outcome), revision);
        }
      }
    });
  }

  /** Answers a data request. */
  replyData(call: UnaryCall, response: ResponseOp): void {
    encodeResponse(call.beginReply(), response, this.#headers, this.#currentFields());
    call.finishReply();
  }

  /** Answers with a header and what `body` writes after it. */
  reply(
    call: UnaryCall,
    body?: (writer: ProtoWriter) => void,
    revision = this.member.revision,
  ): void {
    const writer = call.beginReply();
    this.writeHeader(writer, revision);
    body?.(writer);
    call.finishReply();
  }

  /** Answers with a promised outcome; a rejection is our own bug and answered as internal. */
  async replyWith<T extends { readonly kind: string }>(
    call: UnaryCall,
    promised: Promise<T | MemberFailure>,
    body?: (writer: ProtoWriter, result: T) => void,
    revision?: number,
  ): Promise<void> {
    let result: T | MemberFailure;
    try {
      result = await promised;
    } catch (error) {
      const message = error instanceof Error ? error.message : "unknown";
      return call.fail({ code: GrpcCode.internal, message: `etcdserver: ${message}` });
    }
    if (isMemberFailure(result)) return call.fail(statusOf(result));
    const answer: T = result;
    this.reply(call, (writer) => body?.(writer, answer), revision);
  }

  /** Ends a call whose message could not be decoded, in grpc-go's words. */
  malformed(call: UnaryCall): void {
    call.fail({
      code: GrpcCode.internal,
      message: "grpc: error unmarshalling request: proto: illegal wireType",
    });
  }
}

function headerFields(member: MemberApi): HeaderFields {
  const { clusterId, memberId, raftTerm } = member;
  return { clusterId, memberId, raftTerm };
}
