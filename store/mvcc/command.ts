/**
 * The replicated command: a small header before a client's own protobuf bytes, and batches of them.
 * In: request bytes as the wire received them. Out: log entry bytes, and cheap views of those.
 * Never: decodes a request; that happens once, at apply.
 *
 *   batch   := { varint length, command }*
 *   command := kind byte (bit 7: identity follows), request id u64 little endian,
 *              [ varint length, user UTF-8, varint auth revision ], body
 *
 * Source: bodies are messages of etcd's rpc.proto, named beside each kind.
 */
import { EMPTY_BYTES, ProtoWriter, putVarint, varintSize } from "./proto.ts";
import type { Identity } from "./outcome.ts";
import type { StoreFailure } from "./types.ts";

/** Kind bytes; they are stored in logs, so a number is never given a second meaning. */
export const COMMAND = {
  put: 1, // PutRequest
  deleteRange: 2, // DeleteRangeRequest
  txn: 3, // TxnRequest
  compaction: 4, // CompactionRequest
  leaseGrant: 5, // LeaseGrantRequest
  leaseRevoke: 6, // LeaseRevokeRequest
  leaseCheckpoint: 7, // LeaseCheckpointRequest
  alarm: 8, // AlarmRequest
  note: 9, // empty: only a place in the log
  authEnable: 16, // AuthEnableRequest
  authDisable: 17, // AuthDisableRequest
  userAdd: 18, // AuthUserAddRequest, hashedPassword set
  userDelete: 19, // AuthUserDeleteRequest
  userChangePassword: 20, // AuthUserChangePasswordRequest, hashedPassword set
  userGrantRole: 21, // AuthUserGrantRoleRequest
  userRevokeRole: 22, // AuthUserRevokeRoleRequest
  roleAdd: 23, // AuthRoleAddRequest
  roleDelete: 24, // AuthRoleDeleteRequest
  roleGrantPermission: 25, // AuthRoleGrantPermissionRequest
  roleRevokePermission: 26, // AuthRoleRevokePermissionRequest
} as const;

export type CommandName = keyof typeof COMMAND;
export type CommandKind = typeof COMMAND[CommandName];

export interface CommandHeader {
  readonly kind: CommandKind;
  /** 0..2^53, chosen by the proposer to find its waiting client again. */
  readonly requestId: number;
  /** Absent when the wire authenticated nobody. */
  readonly identity?: Identity;
}

const HAS_IDENTITY = 0x80;
const FIXED_HEADER = 9;
const TWO_32 = 4294967296;
const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder();

/**
 * Appends one command to a batch under construction.
 * @param writer the batch so far.
 * @param header kind, id and identity.
 * @param body etcd request bytes; copied.
 */
export function appendCommand(
  writer: ProtoWriter,
  header: CommandHeader,
  body: Uint8Array,
): void {
  const { kind, requestId, identity } = header;
  const user = identity === undefined ? EMPTY_BYTES : textEncoder.encode(identity.user);
  const identitySize = identity === undefined
    ? 0
    : varintSize(user.length) + user.length + varintSize(identity.authRevision);
  writer.varint(FIXED_HEADER + identitySize + body.length);
  writer.reserve(FIXED_HEADER + identitySize + body.length);
  const bytes = writer.bytes;
  let at = writer.length;
  bytes[at] = identity === undefined ? kind : kind | HAS_IDENTITY;
  const low = requestId >>> 0;
  const high = Math.floor(requestId / TWO_32);
  bytes[at + 1] = low;
  bytes[at + 2] = low >>> 8;
  bytes[at + 3] = low >>> 16;
  bytes[at + 4] = low >>> 24;
  bytes[at + 5] = high;
  bytes[at + 6] = high >>> 8;
  bytes[at + 7] = high >>> 16;
  bytes[at + 8] = high >>> 24;
  at += FIXED_HEADER;
  if (identity !== undefined) {
    at = putVarint(bytes, at, user.length);
    bytes.set(user, at);
    at = putVarint(bytes, at + user.length, identity.authRevision);
  }
  bytes.set(body, at);
  writer.length = at + body.length;
}

/**
 * Encodes a single command, as `StateMachine.apply` takes it.
 * @param header kind, id and identity.
 * @param body etcd request bytes.
 * @returns the command, without a batch's length before it.
 */
export function encodeCommand(header: CommandHeader, body: Uint8Array): Uint8Array {
  const writer = new ProtoWriter(body.length + 64);
  appendCommand(writer, header, body);
  const batch = new BatchReader(writer.view());
  batch.next();
  return writer.bytes.slice(batch.start, batch.end);
}

/**
 * Joins encoded commands into one log entry.
 * @param commands each from `encodeCommand`.
 * @returns the batch.
 */
export function encodeBatch(commands: Iterable<Uint8Array>): Uint8Array {
  const writer = new ProtoWriter(1024);
  for (const command of commands) {
    writer.varint(command.length);
    writer.raw(command);
  }
  return writer.finish();
}

/** Walks the commands of a batch without a copy or an object each. */
export class BatchReader {
  readonly bytes: Uint8Array;
  /** First byte of the command that `next` found, and the byte after its last. */
  start = 0;
  end = 0;
  failed = false;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** @returns false at the end and at the first malformed length. */
  next(): boolean {
    const { bytes } = this;
    let at = this.end;
    if (this.failed || at >= bytes.length) return false;
    let length = 0;
    let scale = 1;
    for (;;) {
      const byte = bytes[at++];
      if (byte === undefined || scale > 0x10000000) {
        this.failed = true;
        return false;
      }
      length += (byte & 127) * scale;
      if (byte < 128) break;
      scale *= 128;
    }
    if (length > bytes.length - at || length < FIXED_HEADER) {
      this.failed = true;
      return false;
    }
    this.start = at;
    this.end = at + length;
    return true;
  }
}

/**
 * Iterates a batch; convenient where speed does not matter.
 * @param batch from `encodeBatch` or `appendCommand`.
 * @returns views of the commands; a broken tail ends the iteration.
 */
export function* iterateBatch(batch: Uint8Array): Generator<Uint8Array> {
  const reader = new BatchReader(batch);
  while (reader.next()) yield batch.subarray(reader.start, reader.end);
}

/** A parsed header that one apply loop reuses; `failed` says the bytes were malformed. */
export class CommandView {
  kind = 0;
  requestId = 0;
  identity: Identity | undefined = undefined;
  bodyStart = 0;
  failed = false;

  /** @param bytes buffer. @param start first byte of the command. @param end byte after it. */
  parse(bytes: Uint8Array, start: number, end: number): void {
    this.identity = undefined;
    this.failed = end - start < FIXED_HEADER;
    if (this.failed) return;
    const first = bytes[start];
    this.kind = first & 0x7f;
    const low = bytes[start + 1] | (bytes[start + 2] << 8) | (bytes[start + 3] << 16) |
      (bytes[start + 4] << 24);
    const high = bytes[start + 5] | (bytes[start + 6] << 8) | (bytes[start + 7] << 16) |
      (bytes[start + 8] << 24);
    this.requestId = (high >>> 0) * TWO_32 + (low >>> 0);
    this.bodyStart = start + FIXED_HEADER;
    if ((first & HAS_IDENTITY) !== 0) this.#parseIdentity(bytes, end);
  }

  #parseIdentity(bytes: Uint8Array, end: number): void {
    const userLength = this.#varint(bytes, end);
    if (this.failed || userLength > end - this.bodyStart) {
      this.failed = true;
      return;
    }
    const userStart = this.bodyStart;
    this.bodyStart += userLength;
    const authRevision = this.#varint(bytes, end);
    const user = textDecoder.decode(bytes.subarray(userStart, userStart + userLength));
    this.identity = { user, authRevision };
  }

  #varint(bytes: Uint8Array, end: number): number {
    let value = 0;
    let scale = 1;
    while (this.bodyStart < end && scale <= 2 ** 49) {
      const byte = bytes[this.bodyStart++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
    this.failed = true;
    return 0;
  }
}

/**
 * Names what is wrong with bytes that should have been a request.
 * @param what the message's name.
 * @returns the failure the client sees.
 */
export function malformed(what: string): StoreFailure {
  return { kind: "invalidRequest", detail: `malformed ${what}` };
}
