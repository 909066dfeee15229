/**
 * The Cluster service: list, add, remove, update and promote members.
 * In: requests as protobuf. Out: questions to the member, answers.
 * Never: changes a membership by itself; checks URLs (the member does).
 * Source: etcdserverpb.Cluster.
 */
import { ProtoReader } from "../../mvcc/proto.ts";
import type { UnaryCall } from "../grpc/brief_call.ts";
import type { Method } from "../grpc/server.ts";
import type { ServiceContext } from "./context.ts";
import { writeMember } from "./encode.ts";
import type { MemberFailure, MemberList } from "./member_api.ts";

interface Request {
  readonly id: bigint;
  readonly urls: readonly string[];
  /** `isLearner` of an add, `linearizable` of a list. */
  readonly flag: boolean;
}

type Fields = Partial<Record<number, "id" | "urls" | "flag">>;

/** @returns the service's methods by path */
export function clusterMethods(context: ServiceContext): [string, Method][] {
  const service = "/etcdserverpb.Cluster/";
  const { member } = context;
  const change = (
    fields: Fields,
    ask: (request: Request) => Promise<MemberList | MemberFailure>,
  ): Method => ({
    kind: "unary",
    run: (message, call) => {
      const request = readRequest(message, fields);
      if (request === null) return context.malformed(call);
      context.asAdmin(call, () => answer(context, call, ask(request)));
    },
  });
  return [
    [`${service}MemberList`, {
      kind: "unary",
      run: (message, call) => {
        const request = readRequest(message, { 1: "flag" });
        if (request === null) return context.malformed(call);
        context.asCaller(
          call,
          () => answer(context, call, member.members({ linearizable: request.flag })),
        );
      },
    }],
    [
      `${service}MemberAdd`,
      change(
        { 1: "urls", 2: "flag" },
        ({ urls, flag }) => member.memberAdd({ peerUrls: urls, isLearner: flag }),
      ),
    ],
    [`${service}MemberRemove`, change({ 1: "id" }, ({ id }) => member.memberRemove(id))],
    [
      `${service}MemberUpdate`,
      change({ 1: "id", 2: "urls" }, ({ id, urls }) => member.memberUpdate(id, urls)),
    ],
    [`${service}MemberPromote`, change({ 1: "id" }, ({ id }) => member.memberPromote(id))],
  ];
}

/** The list is field 2, or 3 after the member that an add created; the header has no revision. */
function answer(
  context: ServiceContext,
  call: UnaryCall,
  promised: Promise<MemberList | MemberFailure>,
): void {
  void context.replyWith(call, promised, (writer, list) => {
    if (list.added !== undefined) writeMember(writer, 2, list.added);
    const field = list.added !== undefined ? 3 : 2;
    for (const info of list.members) writeMember(writer, field, info);
  }, 0);
}

function readRequest(message: Uint8Array, fields: Fields): Request | null {
  const reader = new ProtoReader(message);
  let id = 0n;
  const urls: string[] = [];
  let flag = false;
  while (reader.next()) {
    const meaning = fields[reader.field];
    if (meaning === "id") id = reader.uint64Big();
    else if (meaning === "urls") urls.push(reader.string());
    else if (meaning === "flag") flag = reader.bool();
    else reader.skip();
  }
  return reader.failed ? null : { id, urls, flag };
}
