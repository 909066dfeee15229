/**
 * Applies commands that are not data requests: compaction, leases, alarms, users and roles.
 * In: kind and body of a command. Out: outcomes.
 * Never: decides by time; leases end by command only.
 * Source: etcd's applier, which checks admin rights before alarms and alarms before the request.
 */
import {
  decodeAlarm,
  decodeCompaction,
  decodeLeaseCheckpoints,
  decodeLeaseGrant,
  decodeLeaseRevoke,
  decodeName,
  decodeRoleGrant,
  decodeRoleRevoke,
  decodeUserAdd,
  decodeUserPassword,
  decodeUserRole,
} from "./admin_codec.ts";
import type { RequestAuth } from "./auth/request_auth.ts";
import { COMMAND } from "./command.ts";
import type { Executor } from "./executor.ts";
import type { Lease } from "./lease/lease_table.ts";
import { type ApplyOutcome, type Identity, isFailure } from "./outcome.ts";
import type { MachineState } from "./snapshot.ts";
import { compareBytes } from "./storage/kv.ts";
import type { StoreFailure } from "./types.ts";

export class AdminApplier {
  readonly #state: MachineState;
  readonly #executor: Executor;
  readonly #requestAuth: RequestAuth;

  constructor(state: MachineState, executor: Executor, requestAuth: RequestAuth) {
    this.#state = state;
    this.#executor = executor;
    this.#requestAuth = requestAuth;
  }

  apply(kind: number, body: Uint8Array, identity: Identity | undefined): ApplyOutcome {
    switch (kind) {
      case COMMAND.compaction:
        return this.#compact(body);
      case COMMAND.leaseGrant:
        return this.#leaseGrant(body);
      case COMMAND.leaseRevoke:
        return this.#leaseRevoke(body, identity);
      case COMMAND.leaseCheckpoint:
        return this.#leaseCheckpoint(body);
      case COMMAND.alarm:
        return this.#alarm(body);
      case COMMAND.note:
        return { kind: "noted" };
      default:
        return this.#state.auth.checkAdmin(identity) ?? this.#auth(kind, body) ??
          { kind: "authChanged", authRevision: this.#state.auth.revision };
    }
  }

  #compact(body: Uint8Array): ApplyOutcome {
    const request = decodeCompaction(body);
    if ("kind" in request) return request;
    const { kv, alarms } = this.#state;
    const failure = alarms.checkData();
    if (failure !== undefined) return failure;
    const { revision } = request;
    if (revision <= kv.compactRevision) {
      return { kind: "compacted", compactRevision: kv.compactRevision, revision: kv.revision };
    }
    if (revision > kv.revision) return { kind: "futureRevision", revision: kv.revision };
    kv.compactRevision = revision;
    return { kind: "compactedTo", revision: kv.revision, compactRevision: revision };
  }

  #leaseGrant(body: Uint8Array): ApplyOutcome {
    const request = decodeLeaseGrant(body);
    if ("kind" in request) return request;
    const failure = this.#state.alarms.checkGrowth();
    if (failure !== undefined) return failure;
    const lease = this.#state.leases.grant(request.id, request.ttlSeconds);
    if ("kind" in lease) return lease;
    return { kind: "lease", id: lease.id, ttlSeconds: lease.ttlSeconds };
  }

  #leaseRevoke(body: Uint8Array, identity: Identity | undefined): ApplyOutcome {
    const request = decodeLeaseRevoke(body);
    if ("kind" in request) return request;
    const { leases, alarms, kv } = this.#state;
    const failure = alarms.checkData() ?? this.#requestAuth.lease(request.id, identity);
    if (failure !== undefined) return failure;
    const lease = leases.get(request.id);
    if (lease === undefined) return { kind: "leaseNotFound" };
    this.#executor.deleteKeys(this.keysOf(lease));
    leases.remove(request.id);
    return { kind: "revoked", revision: kv.revision };
  }

  /** Ids of the keys of a lease in byte order, so that all members delete them alike. */
  keysOf(lease: Lease): number[] {
    const { keys } = this.#state.kv;
    return [...lease.keys]
      .map((id) => ({ id, bytes: keys.bytesOf(id) }))
      .sort((a, b) => compareBytes(a.bytes, b.bytes))
      .map(({ id }) => id);
  }

  #leaseCheckpoint(body: Uint8Array): ApplyOutcome {
    const request = decodeLeaseCheckpoints(body);
    if ("kind" in request) return request;
    for (const { id, remainingTtlSeconds } of request) {
      this.#state.leases.checkpoint(id, remainingTtlSeconds);
    }
    return { kind: "checkpointed" };
  }

  #alarm(body: Uint8Array): ApplyOutcome {
    const request = decodeAlarm(body);
    if ("kind" in request) return request;
    return { kind: "alarms", alarms: this.#state.alarms.apply(request) };
  }

  /** @returns the failure of an auth command, undefined when it is done. */
  #auth(kind: number, body: Uint8Array): StoreFailure | undefined {
    const { auth } = this.#state;
    switch (kind) {
      case COMMAND.authEnable:
        return auth.enable();
      case COMMAND.authDisable:
        auth.disable();
        return undefined;
      case COMMAND.userAdd:
        return when(decodeUserAdd(body), (request) => auth.userAdd(request));
      case COMMAND.userDelete:
        return when(decodeName(body), ({ name }) => auth.userDelete(name));
      case COMMAND.userChangePassword:
        return when(
          decodeUserPassword(body),
          ({ name, hashedPassword }) => auth.userChangePassword(name, hashedPassword),
        );
      case COMMAND.userGrantRole:
        return when(decodeUserRole(body), ({ user, role }) => auth.userGrantRole(user, role));
      case COMMAND.userRevokeRole:
        return when(decodeUserRole(body), ({ user, role }) => auth.userRevokeRole(user, role));
      case COMMAND.roleAdd:
        return when(decodeName(body), ({ name }) => auth.roleAdd(name));
      case COMMAND.roleDelete:
        return when(decodeName(body), ({ name }) => auth.roleDelete(name));
      case COMMAND.roleGrantPermission:
        return when(decodeRoleGrant(body), (request) => auth.roleGrantPermission(request));
      case COMMAND.roleRevokePermission:
        return when(decodeRoleRevoke(body), (request) => auth.roleRevokePermission(request));
      default:
        return { kind: "invalidRequest", detail: `unknown command ${kind}` };
    }
  }
}

/** Goes on with a decoded request, or answers why it could not be decoded. */
function when<T extends object>(
  decoded: T | StoreFailure,
  then: (request: T) => StoreFailure | undefined,
): StoreFailure | undefined {
  if ("kind" in decoded && isFailure(decoded)) return decoded;
  return then(decoded as T);
}
