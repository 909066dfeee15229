/**
 * What applying one replicated command, or asking one local question, can answer.
 * In: nothing. Out: types and the two narrow tests on them, shared with `store/member`.
 * Never: says how an outcome looks on the wire; `response_codec.ts` does.
 * Source: the responses of the etcd v3.6 API (rpc.proto), less their headers.
 */
import type {
  AuthFailure,
  DeleteRangeResponse,
  PutResponse,
  RangeResponse,
  StoreFailure,
  TxnResponse,
} from "./types.ts";

export type AlarmType = "none" | "noSpace" | "corrupt";

export interface AlarmMember {
  /** Unsigned 64-bit member id. */
  readonly memberId: bigint;
  readonly alarm: AlarmType;
}

export type PermissionType = "read" | "write" | "readWrite";

/** A grant on one key (`rangeEnd` empty) or a range; `rangeEnd` of one zero byte = open ended. */
export interface Permission {
  readonly type: PermissionType;
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

/** Answers that are neither data nor failure. Lists are sorted. */
export type AdminOutcome =
  | { readonly kind: "compactedTo"; readonly revision: number; readonly compactRevision: number }
  | { readonly kind: "lease"; readonly id: bigint; readonly ttlSeconds: number }
  | { readonly kind: "revoked"; readonly revision: number }
  | { readonly kind: "checkpointed" }
  | { readonly kind: "alarms"; readonly alarms: readonly AlarmMember[] }
  | { readonly kind: "authChanged"; readonly authRevision: number }
  /** A linearizable mark in the log, used for reads that must follow every earlier write. */
  | { readonly kind: "noted" };

export type ApplyOutcome =
  | PutResponse
  | DeleteRangeResponse
  | TxnResponse
  | RangeResponse
  | AdminOutcome
  | StoreFailure;

/** Who asks, as the wire authenticated it; absent = no token given. */
export interface Identity {
  readonly user: string;
  /** Auth revision at which the token was checked. */
  readonly authRevision: number;
}

const FAILURES: ReadonlySet<string> = new Set<StoreFailure["kind"]>([
  "compacted",
  "futureRevision",
  "leaseNotFound",
  "leaseExists",
  "leaseTtlTooLarge",
  "keyNotFound",
  "emptyKey",
  "valueProvided",
  "leaseProvided",
  "duplicateKey",
  "tooManyOps",
  "invalidSortOption",
  "invalidRequest",
  "requestTooLarge",
  "tooManyRequests",
  "noSpace",
  "corrupt",
  "noLeader",
  "notLeader",
  "timeout",
  "stopped",
  "auth",
]);

/**
 * Tells a failure from an answer.
 * @param outcome any outcome of this folder.
 * @returns true when it is a `StoreFailure`.
 */
export function isFailure(outcome: { readonly kind: string }): outcome is StoreFailure {
  return FAILURES.has(outcome.kind);
}

/**
 * Makes the failure of an auth rule.
 * @param reason etcd's name of the broken rule.
 * @returns the failure.
 */
export function authFailure(reason: AuthFailure): StoreFailure {
  return { kind: "auth", reason };
}
