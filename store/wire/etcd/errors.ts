/**
 * Expected failures of the store as gRPC statuses, in etcd's own codes and words.
 * In: a failure, or a status received from a server. Out: the status, or the failure. Pure.
 * Never: invents wording; clients compare these messages byte for byte.
 * Source: etcd's rpctypes error table.
 */
import type { AuthFailure, StoreFailure } from "../../mvcc/types.ts";
import { GrpcCode, type GrpcStatus } from "../grpc/status.ts";
import type { MemberFailure } from "./member_api.ts";

type Row = readonly [code: GrpcCode, message: string];
type PlainKind = Exclude<StoreFailure["kind"], "auth" | "invalidRequest">;
type MemberReason = Extract<MemberFailure, { readonly kind: "member" }>["reason"];

const { invalidArgument, outOfRange, resourceExhausted, notFound, failedPrecondition } = GrpcCode;
const { unavailable, dataLoss, permissionDenied, unauthenticated } = GrpcCode;

const STORE: Record<PlainKind, Row> = {
  compacted: [outOfRange, "etcdserver: mvcc: required revision has been compacted"],
  futureRevision: [outOfRange, "etcdserver: mvcc: required revision is a future revision"],
  leaseNotFound: [notFound, "etcdserver: requested lease not found"],
  leaseExists: [failedPrecondition, "etcdserver: lease already exists"],
  leaseTtlTooLarge: [outOfRange, "etcdserver: too large lease TTL"],
  keyNotFound: [invalidArgument, "etcdserver: key not found"],
  emptyKey: [invalidArgument, "etcdserver: key is not provided"],
  valueProvided: [invalidArgument, "etcdserver: value is provided"],
  leaseProvided: [invalidArgument, "etcdserver: lease is provided"],
  duplicateKey: [invalidArgument, "etcdserver: duplicate key given in txn request"],
  tooManyOps: [invalidArgument, "etcdserver: too many operations in txn request"],
  invalidSortOption: [invalidArgument, "etcdserver: invalid sort option"],
  requestTooLarge: [invalidArgument, "etcdserver: request is too large"],
  tooManyRequests: [resourceExhausted, "etcdserver: too many requests"],
  noSpace: [resourceExhausted, "etcdserver: mvcc: database space exceeded"],
  corrupt: [dataLoss, "etcdserver: corrupt cluster"],
  noLeader: [unavailable, "etcdserver: no leader"],
  notLeader: [failedPrecondition, "etcdserver: not leader"],
  timeout: [unavailable, "etcdserver: request timed out"],
  stopped: [unavailable, "etcdserver: server stopped"],
};

const AUTH: Record<AuthFailure, Row> = {
  rootUserNotExist: [failedPrecondition, "etcdserver: root user does not exist"],
  rootRoleNotExist: [failedPrecondition, "etcdserver: root user does not have root role"],
  rootRoleNotGranted: [failedPrecondition, "etcdserver: root user does not have root role"],
  userAlreadyExist: [failedPrecondition, "etcdserver: user name already exists"],
  userEmpty: [invalidArgument, "etcdserver: user name is empty"],
  userNotFound: [failedPrecondition, "etcdserver: user name not found"],
  roleAlreadyExist: [failedPrecondition, "etcdserver: role name already exists"],
  roleNotFound: [failedPrecondition, "etcdserver: role name not found"],
  roleEmpty: [invalidArgument, "etcdserver: role name is empty"],
  authFailed: [
    invalidArgument,
    "etcdserver: authentication failed, invalid user ID or password",
  ],
  permissionNotGiven: [invalidArgument, "etcdserver: permission not given"],
  permissionDenied: [permissionDenied, "etcdserver: permission denied"],
  roleNotGranted: [failedPrecondition, "etcdserver: role is not granted to the user"],
  permissionNotGranted: [
    failedPrecondition,
    "etcdserver: permission is not granted to the role",
  ],
  authNotEnabled: [failedPrecondition, "etcdserver: authentication is not enabled"],
  invalidAuthToken: [unauthenticated, "etcdserver: invalid auth token"],
  invalidAuthMgmt: [invalidArgument, "etcdserver: invalid auth management"],
  authOldRevision: [invalidArgument, "etcdserver: revision of auth store is old"],
  // etcd has no status of its own for this one, so grpc-go's default shows its inner words.
  noPasswordUser: [
    GrpcCode.unknown,
    "auth: authentication failed, password was given for no password user",
  ],
};

const MEMBER: Record<MemberReason, Row> = {
  memberExists: [failedPrecondition, "etcdserver: member ID already exist"],
  peerUrlExists: [failedPrecondition, "etcdserver: Peer URLs already exists"],
  notEnoughStarted: [
    failedPrecondition,
    "etcdserver: re-configuration failed due to not enough started members",
  ],
  badUrls: [invalidArgument, "etcdserver: given member URLs are invalid"],
  memberNotFound: [notFound, "etcdserver: member not found"],
  notLearner: [failedPrecondition, "etcdserver: can only promote a learner member"],
  learnerNotReady: [
    failedPrecondition,
    "etcdserver: can only promote a learner member which is in sync with leader",
  ],
  tooManyLearners: [failedPrecondition, "etcdserver: too many learner members in cluster"],
  unhealthy: [unavailable, "etcdserver: unhealthy cluster"],
  badTransferee: [failedPrecondition, "etcdserver: bad leader transferee"],
  learnerUnsupported: [unavailable, "etcdserver: rpc not supported for learner"],
  leaderChanged: [unavailable, "etcdserver: leader changed"],
  downgradeInProgress: [
    failedPrecondition,
    "etcdserver: cluster has a downgrade job in progress",
  ],
  noDowngrade: [failedPrecondition, "etcdserver: no inflight downgrade job"],
  badDowngradeVersion: [invalidArgument, "etcdserver: wrong downgrade target version format"],
  downgradeTarget: [invalidArgument, "etcdserver: invalid downgrade target version"],
  clusterVersionUnavailable: [
    unavailable,
    "etcdserver: cluster version not found during downgrade",
  ],
};

const FAILURES: ReadonlySet<string> = new Set([
  ...Object.keys(STORE),
  "auth",
  "invalidRequest",
  "member",
]);

/** Tells a failure from an answer, whatever the answer's kinds. */
export function isMemberFailure<T extends { readonly kind: string }>(
  result: T | MemberFailure,
): result is MemberFailure {
  return FAILURES.has(result.kind);
}

/** @returns the status etcd answers for a failure */
export function statusOf(failure: MemberFailure): GrpcStatus {
  switch (failure.kind) {
    case "auth":
      return toStatus(AUTH[failure.reason]);
    case "member":
      return toStatus(MEMBER[failure.reason]);
    case "invalidRequest":
      // A message that can't be decoded is refused before etcd sees it, in grpc-go's words.
      if (failure.detail.startsWith("malformed ")) {
        const message = `grpc: error unmarshalling request: ${failure.detail}`;
        return { code: GrpcCode.internal, message };
      }
      return { code: invalidArgument, message: `etcdserver: ${failure.detail}` };
    default:
      return toStatus(STORE[failure.kind]);
  }
}

function toStatus([code, message]: Row): GrpcStatus {
  return { code, message };
}

const byMessage = new Map<string, StoreFailure>();
for (const [reason, [, message]] of Object.entries(AUTH)) {
  byMessage.set(message, { kind: "auth", reason: reason as AuthFailure });
}
for (const [kind, [, message]] of Object.entries(STORE)) {
  if (kind === "compacted" || kind === "futureRevision") continue;
  byMessage.set(message, { kind: kind as Exclude<PlainKind, "compacted" | "futureRevision"> });
}

/**
 * The failure behind a status of an etcd server.
 *
 * @returns `undefined` for a status this store has no failure for
 */
export function failureOf(status: GrpcStatus): StoreFailure | undefined {
  if (status.message === STORE.compacted[1]) {
    return { kind: "compacted", compactRevision: 0, revision: 0 };
  }
  if (status.message === STORE.futureRevision[1]) return { kind: "futureRevision", revision: 0 };
  const known = byMessage.get(status.message);
  if (known !== undefined) return known;
  if (status.message.startsWith("etcdserver: request timed out")) return { kind: "timeout" };
  if (status.message === MEMBER.leaderChanged[1]) return { kind: "noLeader" };
  if (status.code === GrpcCode.deadlineExceeded) return { kind: "timeout" };
  if (status.code === GrpcCode.unavailable) return { kind: "noLeader" };
  if (status.code === GrpcCode.resourceExhausted) return { kind: "requestTooLarge" };
  if (status.code === GrpcCode.invalidArgument) {
    return { kind: "invalidRequest", detail: status.message };
  }
  return undefined;
}
