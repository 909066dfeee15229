/**
 * The etcd v3 API as one table of gRPC methods.
 * In: a member. Out: methods by path, for a `GrpcServer`.
 * Never: listens (see `../serve.ts`).
 * Source: the services of etcd v3.6's rpc.proto.
 */
import { decodeRange } from "../../mvcc/request_codec.ts";
import type { Method } from "../grpc/server.ts";
import { authMethods } from "./auth.ts";
import { clusterMethods } from "./cluster.ts";
import { ServiceContext, type ServiceOptions } from "./context.ts";
import { statusOf } from "./errors.ts";
import { kvMethods } from "./kv.ts";
import { leaseMethods } from "./lease.ts";
import { maintenanceMethods } from "./maintenance.ts";
import type { MemberApi } from "./member_api.ts";
import { watchMethods } from "./watch.ts";

/** @returns every method of the API by path */
export function etcdMethods(
  member: MemberApi,
  options: ServiceOptions,
): ReadonlyMap<string, Method> {
  const context = new ServiceContext(member, options);
  const methods: [string, Method][] = [
    ...kvMethods(context),
    ...watchMethods(context),
    ...leaseMethods(context),
    ...clusterMethods(context),
    ...maintenanceMethods(context),
    ...authMethods(context),
  ];
  return new Map(methods.map(([path, method]) => [path, forVoters(path, method, member)]));
}

/** What a learner answers too: its status, its snapshot, and reads that ask for no agreement. */
const STATUS = "/etcdserverpb.Maintenance/Status";
const SNAPSHOT = "/etcdserverpb.Maintenance/Snapshot";
const RANGE = "/etcdserverpb.KV/Range";

/** Wraps a method so that a learner refuses it; etcd's rule, per request. */
function forVoters(path: string, method: Method, member: MemberApi): Method {
  if (path === STATUS || path === SNAPSHOT) return method;
  const refusal = statusOf({ kind: "member", reason: "learnerUnsupported" });
  if (method.kind === "stream") {
    const { open } = method;
    return { kind: "stream", open: (call) => member.isLearner ? call.fail(refusal) : open(call) };
  }
  const { run } = method;
  const isAllowed = (message: Uint8Array) => {
    const request = path === RANGE ? decodeRange(message) : null;
    return request?.kind === "range" && request.serializable === true;
  };
  return {
    kind: "unary",
    run(message, call) {
      if (member.isLearner && !isAllowed(message)) call.fail(refusal);
      else run(message, call);
    },
  };
}
