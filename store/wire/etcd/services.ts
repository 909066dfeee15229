/**
 * The etcd v3 API as one table of gRPC methods.
 * In: a member. Out: methods by path, for a `GrpcServer`.
 * Never: listens (see `../serve.ts`).
 * Source: the services of etcd v3.6's rpc.proto.
 */
import type { Method } from "../grpc/server.ts";
import { authMethods } from "./auth.ts";
import { clusterMethods } from "./cluster.ts";
import { ServiceContext, type ServiceOptions } from "./context.ts";
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
  return new Map([
    ...kvMethods(context),
    ...watchMethods(context),
    ...leaseMethods(context),
    ...clusterMethods(context),
    ...maintenanceMethods(context),
    ...authMethods(context),
  ]);
}
