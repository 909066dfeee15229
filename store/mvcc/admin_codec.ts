/**
 * The requests of compaction, leases, alarms and auth between protobuf bytes and objects.
 * In: bytes or requests. Out: requests or bytes; unknown fields are skipped.
 * Never: throws on bytes; hashes a password (the runner puts the hash in).
 * Source: etcd v3.6 rpc.proto and auth.proto; fields are listed beside each message.
 */
import { malformed } from "./command.ts";
import { EMPTY_BYTES, ProtoReader, ProtoWriter } from "./proto.ts";
import type { AlarmType, Permission, PermissionType } from "./outcome.ts";
import type { StoreFailure } from "./types.ts";

export interface CompactionRequest {
  readonly revision: number;
  readonly physical?: boolean;
}
export interface LeaseGrantRequest {
  readonly id: bigint;
  readonly ttlSeconds: number;
}
export interface LeaseRevokeRequest {
  readonly id: bigint;
}
export interface LeaseCheckpoint {
  readonly id: bigint;
  readonly remainingTtlSeconds: number;
}
export type AlarmAction = "get" | "activate" | "deactivate";
export interface AlarmRequest {
  readonly action: AlarmAction;
  readonly memberId: bigint;
  readonly alarm: AlarmType;
}
export interface UserAddRequest {
  readonly name: string;
  /** Salted hash in the runner's own format; empty with `noPassword`. */
  readonly hashedPassword: string;
  readonly noPassword: boolean;
}
export interface UserPasswordRequest {
  readonly name: string;
  readonly hashedPassword: string;
}
export interface UserRoleRequest {
  readonly user: string;
  readonly role: string;
}
export interface NameRequest {
  readonly name: string;
}
export interface RoleGrantRequest {
  readonly role: string;
  readonly permission?: Permission;
}
export interface RoleRevokeRequest {
  readonly role: string;
  readonly key: Uint8Array;
  readonly rangeEnd: Uint8Array;
}

const ALARM_TYPES: readonly AlarmType[] = ["none", "noSpace", "corrupt"];
const ALARM_ACTIONS: readonly AlarmAction[] = ["get", "activate", "deactivate"];
const PERMISSION_TYPES: readonly PermissionType[] = ["read", "write", "readWrite"];

function encoded(fill: (writer: ProtoWriter) => void): Uint8Array {
  const writer = new ProtoWriter(64);
  fill(writer);
  return writer.finish();
}

/** CompactionRequest: revision 1, physical 2. */
export function decodeCompaction(bytes: Uint8Array): CompactionRequest | StoreFailure {
  const reader = new ProtoReader(bytes);
  let revision = 0;
  let physical = false;
  while (reader.next()) {
    if (reader.field === 1) revision = reader.int64();
    else if (reader.field === 2) physical = reader.bool();
    else reader.skip();
  }
  return reader.failed ? malformed("CompactionRequest") : { revision, physical };
}

export function encodeCompaction(request: CompactionRequest): Uint8Array {
  return encoded((writer) => {
    writer.int64Field(1, request.revision);
    writer.boolField(2, request.physical);
  });
}

/** LeaseGrantRequest: TTL 1, ID 2. */
export function decodeLeaseGrant(bytes: Uint8Array): LeaseGrantRequest | StoreFailure {
  const reader = new ProtoReader(bytes);
  let id = 0n;
  let ttlSeconds = 0;
  while (reader.next()) {
    if (reader.field === 1) ttlSeconds = reader.int64();
    else if (reader.field === 2) id = reader.int64Big();
    else reader.skip();
  }
  return reader.failed ? malformed("LeaseGrantRequest") : { id, ttlSeconds };
}

export function encodeLeaseGrant(request: LeaseGrantRequest): Uint8Array {
  return encoded((writer) => {
    writer.int64Field(1, request.ttlSeconds);
    writer.bigField(2, request.id);
  });
}

/** LeaseRevokeRequest: ID 1. */
export function decodeLeaseRevoke(bytes: Uint8Array): LeaseRevokeRequest | StoreFailure {
  const reader = new ProtoReader(bytes);
  let id = 0n;
  while (reader.next()) {
    if (reader.field === 1) id = reader.int64Big();
    else reader.skip();
  }
  return reader.failed ? malformed("LeaseRevokeRequest") : { id };
}

export function encodeLeaseRevoke(request: LeaseRevokeRequest): Uint8Array {
  return encoded((writer) => writer.bigField(1, request.id));
}

/** LeaseCheckpointRequest: checkpoints 1 { ID 1, remaining_TTL 2 }. */
export function decodeLeaseCheckpoints(bytes: Uint8Array): LeaseCheckpoint[] | StoreFailure {
  const reader = new ProtoReader(bytes);
  const checkpoints: LeaseCheckpoint[] = [];
  while (reader.next()) {
    if (reader.field !== 1) {
      reader.skip();
      continue;
    }
    const one = reader.message();
    let id = 0n;
    let remainingTtlSeconds = 0;
    while (one.next()) {
      if (one.field === 1) id = one.int64Big();
      else if (one.field === 2) remainingTtlSeconds = one.int64();
      else one.skip();
    }
    if (one.failed) return malformed("LeaseCheckpoint");
    checkpoints.push({ id, remainingTtlSeconds });
  }
  return reader.failed ? malformed("LeaseCheckpointRequest") : checkpoints;
}

export function encodeLeaseCheckpoints(checkpoints: readonly LeaseCheckpoint[]): Uint8Array {
  return encoded((writer) => {
    for (const { id, remainingTtlSeconds } of checkpoints) {
      const start = writer.beginMessage(1);
      writer.bigField(1, id);
      writer.int64Field(2, remainingTtlSeconds);
      writer.endMessage(start);
    }
  });
}

/** AlarmRequest: action 1, memberID 2, alarm 3. */
export function decodeAlarm(bytes: Uint8Array): AlarmRequest | StoreFailure {
  const reader = new ProtoReader(bytes);
  let action = 0;
  let memberId = 0n;
  let alarm = 0;
  while (reader.next()) {
    if (reader.field === 1) action = reader.enumValue();
    else if (reader.field === 2) memberId = reader.uint64Big();
    else if (reader.field === 3) alarm = reader.enumValue();
    else reader.skip();
  }
  const actionName = ALARM_ACTIONS[action];
  const alarmName = ALARM_TYPES[alarm];
  if (reader.failed || actionName === undefined || alarmName === undefined) {
    return malformed("AlarmRequest");
  }
  return { action: actionName, memberId, alarm: alarmName };
}

export function encodeAlarm(request: AlarmRequest): Uint8Array {
  return encoded((writer) => {
    writer.int64Field(1, ALARM_ACTIONS.indexOf(request.action));
    writer.bigField(2, request.memberId);
    writer.int64Field(3, ALARM_TYPES.indexOf(request.alarm));
  });
}

/** AuthUserAddRequest: name 1, password 2, options 3 { no_password 1 }, hashedPassword 4. */
export function decodeUserAdd(bytes: Uint8Array): UserAddRequest | StoreFailure {
  const reader = new ProtoReader(bytes);
  let name = "";
  let hashedPassword = "";
  let noPassword = false;
  while (reader.next()) {
    if (reader.field === 1) name = reader.string();
    else if (reader.field === 3) {
      const options = reader.message();
      while (options.next()) {
        if (options.field === 1) noPassword = options.bool();
        else options.skip();
      }
      if (options.failed) return malformed("UserAddOptions");
    } else if (reader.field === 4) hashedPassword = reader.string();
    else reader.skip();
  }
  if (reader.failed) return malformed("AuthUserAddRequest");
  return { name, hashedPassword, noPassword };
}

export function encodeUserAdd(request: UserAddRequest): Uint8Array {
  return encoded((writer) => {
    writer.stringField(1, request.name);
    if (request.noPassword) {
      const start = writer.beginMessage(3);
      writer.boolField(1, true);
      writer.endMessage(start);
    }
    writer.stringField(4, request.hashedPassword);
  });
}

/** AuthUserChangePasswordRequest: name 1, password 2, hashedPassword 3. */
export function decodeUserPassword(bytes: Uint8Array): UserPasswordRequest | StoreFailure {
  const texts = readTexts(bytes, 3);
  if (texts === undefined) return malformed("AuthUserChangePasswordRequest");
  return { name: texts[1], hashedPassword: texts[3] };
}

export function encodeUserPassword(request: UserPasswordRequest): Uint8Array {
  return encoded((writer) => {
    writer.stringField(1, request.name);
    writer.stringField(3, request.hashedPassword);
  });
}

/** AuthUserGrantRoleRequest: user 1, role 2. AuthUserRevokeRoleRequest: name 1, role 2. */
export function decodeUserRole(bytes: Uint8Array): UserRoleRequest | StoreFailure {
  const texts = readTexts(bytes, 2);
  return texts === undefined
    ? malformed("AuthUserGrantRoleRequest")
    : { user: texts[1], role: texts[2] };
}

export function encodeUserRole(request: UserRoleRequest): Uint8Array {
  return encoded((writer) => {
    writer.stringField(1, request.user);
    writer.stringField(2, request.role);
  });
}

/** AuthUserDeleteRequest, AuthRoleAddRequest, AuthRoleDeleteRequest: name (or role) 1. */
export function decodeName(bytes: Uint8Array): NameRequest | StoreFailure {
  const texts = readTexts(bytes, 1);
  return texts === undefined ? malformed("auth request") : { name: texts[1] };
}

export function encodeName(name: string): Uint8Array {
  return encoded((writer) => writer.stringField(1, name));
}

/** AuthRoleGrantPermissionRequest: name 1, perm 2 { permType 1, key 2, range_end 3 }. */
export function decodeRoleGrant(bytes: Uint8Array): RoleGrantRequest | StoreFailure {
  const reader = new ProtoReader(bytes);
  let role = "";
  let permission: Permission | undefined;
  while (reader.next()) {
    if (reader.field === 1) role = reader.string();
    else if (reader.field === 2) {
      permission = readPermission(reader.message());
      if (permission === undefined) return malformed("Permission");
    } else reader.skip();
  }
  if (reader.failed) return malformed("AuthRoleGrantPermissionRequest");
  return permission === undefined ? { role } : { role, permission };
}

/**
 * Reads authpb.Permission: permType 1, key 2, range_end 3.
 * @returns undefined when malformed; key and end are copies, as they outlive the request.
 */
export function readPermission(reader: ProtoReader): Permission | undefined {
  let type = 0;
  let key = EMPTY_BYTES;
  let rangeEnd = EMPTY_BYTES;
  while (reader.next()) {
    if (reader.field === 1) type = reader.enumValue();
    else if (reader.field === 2) key = reader.bytes().slice();
    else if (reader.field === 3) rangeEnd = reader.bytes().slice();
    else reader.skip();
  }
  const typeName = PERMISSION_TYPES[type];
  return reader.failed || typeName === undefined ? undefined : { type: typeName, key, rangeEnd };
}

export function encodePermission(
  writer: ProtoWriter,
  field: number,
  permission: Permission,
): void {
  const start = writer.beginMessage(field);
  writer.int64Field(1, PERMISSION_TYPES.indexOf(permission.type));
  writer.bytesField(2, permission.key);
  writer.bytesField(3, permission.rangeEnd);
  writer.endMessage(start);
}

export function encodeRoleGrant(request: RoleGrantRequest): Uint8Array {
  return encoded((writer) => {
    writer.stringField(1, request.role);
    if (request.permission !== undefined) encodePermission(writer, 2, request.permission);
  });
}

/** AuthRoleRevokePermissionRequest: role 1, key 2, range_end 3. */
export function decodeRoleRevoke(bytes: Uint8Array): RoleRevokeRequest | StoreFailure {
  const reader = new ProtoReader(bytes);
  let role = "";
  let key = EMPTY_BYTES;
  let rangeEnd = EMPTY_BYTES;
  while (reader.next()) {
    if (reader.field === 1) role = reader.string();
    else if (reader.field === 2) key = reader.bytes();
    else if (reader.field === 3) rangeEnd = reader.bytes();
    else reader.skip();
  }
  if (reader.failed) return malformed("AuthRoleRevokePermissionRequest");
  return { role, key, rangeEnd };
}

export function encodeRoleRevoke(request: RoleRevokeRequest): Uint8Array {
  return encoded((writer) => {
    writer.stringField(1, request.role);
    writer.bytesField(2, request.key);
    writer.bytesField(3, request.rangeEnd);
  });
}

/** Reads a message of strings with fields 1..count; index 0 is unused. */
function readTexts(bytes: Uint8Array, count: number): string[] | undefined {
  const reader = new ProtoReader(bytes);
  const texts = new Array<string>(count + 1).fill("");
  while (reader.next()) {
    if (reader.field <= count) texts[reader.field] = reader.string();
    else reader.skip();
  }
  return reader.failed ? undefined : texts;
}
