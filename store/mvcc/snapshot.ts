/**
 * The whole state as a stream of bytes at one revision, and the way back.
 * In: the parts of the state machine; or chunks cut anywhere. Out: chunks; or fresh parts.
 * Never: blocks writes (history is pinned instead), trusts the bytes it restores.
 *
 *   stream := "BALSAKV1", { type byte, u32 length little endian, payload }*
 *   1 meta   { revision 1, compact 2, finished compaction 3, auth enabled 4, auth revision 5 }
 *   2 lease  { id 1, ttl 2, remaining 3 }      3 user { name 1, hash 2, no password 3, role 4* }
 *   4 role   { name 1, permission 2* }         5 alarm { member 1, type 2 }
 *   6 record: flags (1 tombstone, 2 base), varint sub, mvccpb.KeyValue; base first, then history
 *   7 end    { number of records 1 }
 *
 * Integrity (a CRC) is added by the layer that stores the stream.
 */
import { encodePermission, readPermission } from "./admin_codec.ts";
import { AlarmSet } from "./alarm.ts";
import type { SnapshotReader } from "./api.ts";
import { Auth } from "./auth/auth.ts";
import { malformed } from "./command.ts";
import { restoreLease, writeLease } from "./lease/lease_codec.ts";
import { type LeaseCopy, type LeaseNumbers, LeaseTable } from "./lease/lease_table.ts";
import type { AlarmType, Permission } from "./outcome.ts";
import { ProtoReader, ProtoWriter } from "./proto.ts";
import type { HistoryWalk } from "./storage/history.ts";
import { Kv } from "./storage/kv.ts";
import { restoreRecord } from "./storage/restore_record.ts";
import type { StoreFailure } from "./types.ts";

const MAGIC = new TextEncoder().encode("BALSAKV1");
const FRAME = { meta: 1, lease: 2, user: 3, role: 4, alarm: 5, record: 6, end: 7 } as const;
const FRAME_HEADER = 5;
const TOMBSTONE = 1;
const BASE = 2;
const ALARMS: readonly AlarmType[] = ["none", "noSpace", "corrupt"];

/** Everything a snapshot holds. */
export interface MachineState {
  readonly kv: Kv;
  readonly leases: LeaseTable;
  readonly auth: Auth;
  readonly alarms: AlarmSet;
}

/** @returns a reader of the state as it is now. */
export function openSnapshot(state: MachineState): SnapshotReader {
  return new StateReader(state);
}

class StateReader implements SnapshotReader {
  readonly revision: number;
  readonly #kv: Kv;
  readonly #encoder = new SnapshotEncoder();
  readonly #leases: LeaseCopy;
  #lease = 0;
  #walk: HistoryWalk;
  #inBase = true;
  #ended = false;
  #open = true;

  constructor(state: MachineState) {
    const { kv, leases, auth, alarms } = state;
    this.#kv = kv;
    this.revision = kv.revision;
    // A segment half emptied is in no stream; its rest must be moved before it can be read.
    kv.compaction.settle();
    kv.pins++;
    this.#walk = kv.history.walkBase();
    const { revision, compactRevision } = kv;
    const { finishedRevision } = kv.compaction;
    this.#encoder.begin({ revision, compactRevision, finishedRevision, auth, alarms });
    this.#leases = leases.copy();
  }

  next(budgetBytes: number): Uint8Array | undefined {
    const encoder = this.#encoder;
    if (this.#ended && encoder.length === 0) return undefined;
    while (!this.#ended && encoder.length < budgetBytes) {
      if (this.#lease < this.#leases.count) encoder.lease(this.#leases.at(this.#lease++));
      else this.#writeRecord();
    }
    return encoder.take();
  }

  #writeRecord(): void {
    const { versions, history } = this.#kv;
    let version = this.#walk.next();
    if (version === 0 && this.#inBase) {
      this.#inBase = false;
      this.#walk = history.walkFrom(0);
      version = this.#walk.next();
    }
    if (version === 0 || versions.revisionOf(version) > this.revision) {
      this.#encoder.end();
      this.#ended = true;
      return;
    }
    const record = history.arena.viewAt(versions.addressOf(version));
    const isDeleted = versions.isTombstone(version);
    this.#encoder.record(record, history.subOf(version), { isDeleted, isBase: this.#inBase });
  }

  close(): void {
    if (this.#open) this.#kv.pins--;
    this.#open = false;
  }
}

/** What a snapshot holds besides leases and records. */
export interface SnapshotParts extends Pick<MachineState, "auth" | "alarms"> {
  readonly revision: number;
  readonly compactRevision: number;
  readonly finishedRevision: number;
}

/**
 * Puts the stream together: `begin`, leases, records with the base first, `end`; `take` what is
 * there.
 */
export class SnapshotEncoder {
  readonly #writer = new ProtoWriter(1 << 16);
  #records = 0;

  /** Bytes that `take` would give. */
  get length(): number {
    return this.#writer.length;
  }

  begin(parts: SnapshotParts): void {
    this.#writer.raw(MAGIC);
    writeSmallParts(this.#writer, parts);
  }

  lease(lease: LeaseNumbers): void {
    frame(this.#writer, FRAME.lease, () => writeLease(this.#writer, lease));
  }

  /** @param record its mvccpb.KeyValue @param sub position among those of its revision */
  record(
    record: Uint8Array,
    sub: number,
    { isDeleted, isBase }: { readonly isDeleted: boolean; readonly isBase: boolean },
  ): void {
    const writer = this.#writer;
    this.#records++;
    frame(writer, FRAME.record, () => {
      writer.byte((isDeleted ? TOMBSTONE : 0) | (isBase ? BASE : 0));
      writer.varint(sub);
      writer.raw(record);
    });
  }

  end(): void {
    frame(this.#writer, FRAME.end, () => this.#writer.int64Field(1, this.#records));
  }

  take(): Uint8Array {
    const chunk = this.#writer.finish();
    this.#writer.reset();
    return chunk;
  }
}

function frame(writer: ProtoWriter, type: number, fill: () => void): void {
  writer.byte(type);
  writer.reserve(4);
  writer.length += 4;
  const start = writer.length;
  fill();
  const size = writer.length - start;
  for (let i = 0; i < 4; i++) writer.bytes[start - 4 + i] = size >>> (8 * i);
}

/** Writes what is small, so that it is copied at once and later changes don't show. */
function writeSmallParts(writer: ProtoWriter, parts: SnapshotParts): void {
  const { auth, alarms } = parts;
  frame(writer, FRAME.meta, () => {
    writer.int64Field(1, parts.revision);
    writer.int64Field(2, parts.compactRevision);
    writer.int64Field(3, parts.finishedRevision);
    writer.boolField(4, auth.enabled);
    writer.int64Field(5, auth.revision);
  });
  for (const name of auth.userNames()) {
    const user = auth.user(name)!;
    frame(writer, FRAME.user, () => {
      writer.stringField(1, name);
      writer.stringField(2, user.hashedPassword);
      writer.boolField(3, user.noPassword);
      for (const role of user.roles) writer.stringField(4, role);
    });
  }
  for (const name of auth.roleNames()) {
    frame(writer, FRAME.role, () => {
      writer.stringField(1, name);
      for (const permission of auth.storedRole(name)) encodePermission(writer, 2, permission);
    });
  }
  for (const { memberId, alarm } of alarms.list("none")) {
    frame(writer, FRAME.alarm, () => {
      writer.bigField(1, memberId);
      writer.int64Field(2, ALARMS.indexOf(alarm));
    });
  }
}

/** Builds a state from chunks; it is whole when `finish` answers nothing. */
export class StateRestore {
  readonly state: MachineState;
  #rest: Uint8Array = new Uint8Array(0);
  #sawMagic = false;
  #sawMeta = false;
  #records = 0;
  #ended = false;
  #broken = false;
  #meta = { revision: 1, compactRevision: -1, finishedRevision: -1 };

  constructor(options: { minLeaseTtlSeconds: number; segmentBytes: number }) {
    this.state = {
      kv: new Kv(options.segmentBytes),
      leases: new LeaseTable(options.minLeaseTtlSeconds),
      auth: new Auth(),
      alarms: new AlarmSet(),
    };
  }

  push(chunk: Uint8Array): StoreFailure | undefined {
    let bytes = chunk;
    if (this.#rest.length > 0) {
      bytes = new Uint8Array(this.#rest.length + chunk.length);
      bytes.set(this.#rest);
      bytes.set(chunk, this.#rest.length);
    }
    const used = this.#consume(bytes);
    this.#rest = bytes.slice(used);
    return this.#broken ? malformed("snapshot") : undefined;
  }

  #consume(bytes: Uint8Array): number {
    let at = 0;
    if (!this.#sawMagic) {
      if (bytes.length < MAGIC.length) return 0;
      this.#broken = MAGIC.some((byte, i) => bytes[i] !== byte);
      this.#sawMagic = true;
      at = MAGIC.length;
    }
    while (!this.#broken && bytes.length - at >= FRAME_HEADER) {
      const size = (bytes[at + 1] | (bytes[at + 2] << 8) | (bytes[at + 3] << 16) |
        (bytes[at + 4] << 24)) >>> 0;
      if (bytes.length - at - FRAME_HEADER < size) break;
      const start = at + FRAME_HEADER;
      if (this.#ended || !this.#frame(bytes[at], bytes.subarray(start, start + size))) {
        this.#broken = true;
      }
      at = start + size;
    }
    return at;
  }

  #frame(type: number, payload: Uint8Array): boolean {
    if ((type === FRAME.meta) === this.#sawMeta) return false;
    switch (type) {
      case FRAME.meta:
        return this.#readMeta(payload);
      case FRAME.lease:
        return restoreLease(this.state.leases, payload);
      case FRAME.user:
        return this.#readUser(payload);
      case FRAME.role:
        return this.#readRole(payload);
      case FRAME.alarm:
        return this.#readAlarm(payload);
      case FRAME.record:
        return this.#readRecord(payload);
      case FRAME.end: {
        const [count] = readNumbers(payload, 1) ?? [-1];
        this.#ended = true;
        return count === this.#records;
      }
      default:
        return false;
    }
  }

  #readMeta(payload: Uint8Array): boolean {
    const numbers = readNumbers(payload, 5);
    if (numbers === undefined || numbers[0] < 1) return false;
    const [revision, compactRevision, finishedRevision, enabled, authRevision] = numbers;
    this.#meta = { revision, compactRevision, finishedRevision };
    this.state.auth.enabled = enabled !== 0;
    this.state.auth.revision = authRevision;
    this.#sawMeta = true;
    return true;
  }

  #readUser(payload: Uint8Array): boolean {
    const reader = new ProtoReader(payload);
    let name = "";
    let hashedPassword = "";
    let noPassword = false;
    const roles: string[] = [];
    while (reader.next()) {
      if (reader.field === 1) name = reader.string();
      else if (reader.field === 2) hashedPassword = reader.string();
      else if (reader.field === 3) noPassword = reader.bool();
      else if (reader.field === 4) roles.push(reader.string());
      else reader.skip();
    }
    this.state.auth.restoreUser({ name, hashedPassword, noPassword, roles });
    return !reader.failed;
  }

  #readRole(payload: Uint8Array): boolean {
    const reader = new ProtoReader(payload);
    let name = "";
    const permissions: Permission[] = [];
    while (reader.next()) {
      if (reader.field === 1) name = reader.string();
      else if (reader.field === 2) {
        const permission = readPermission(reader.message());
        if (permission === undefined) return false;
        permissions.push(permission);
      } else reader.skip();
    }
    this.state.auth.restoreRole(name, permissions);
    return !reader.failed;
  }

  #readAlarm(payload: Uint8Array): boolean {
    const reader = new ProtoReader(payload);
    let memberId = 0n;
    let type = 0;
    while (reader.next()) {
      if (reader.field === 1) memberId = reader.uint64Big();
      else if (reader.field === 2) type = reader.enumValue();
      else reader.skip();
    }
    const alarm = ALARMS[type];
    if (reader.failed || alarm === undefined) return false;
    this.state.alarms.apply({ action: "activate", memberId, alarm });
    return true;
  }

  #readRecord(payload: Uint8Array): boolean {
    let at = 1;
    let sub = 0;
    for (let scale = 1; at < payload.length; scale *= 128) {
      const byte = payload[at++];
      sub += (byte & 127) * scale;
      if (byte < 128) break;
    }
    const { kv, leases } = this.state;
    const flags = payload[0];
    this.#records++;
    return restoreRecord({
      kv,
      leases,
      record: payload.subarray(at),
      sub,
      tombstone: (flags & TOMBSTONE) !== 0,
      base: (flags & BASE) !== 0,
      lastRevision: this.#meta.revision,
    });
  }

  finish(): StoreFailure | undefined {
    if (this.#broken || !this.#ended || this.#rest.length > 0) return malformed("snapshot");
    const { kv } = this.state;
    kv.revision = this.#meta.revision;
    kv.compactRevision = this.#meta.compactRevision;
    kv.compaction.finishedRevision = this.#meta.finishedRevision;
    return undefined;
  }
}

/** Reads int64 fields 1..count; undefined when malformed. */
function readNumbers(payload: Uint8Array, count: number): number[] | undefined {
  const reader = new ProtoReader(payload);
  const numbers = new Array<number>(count).fill(0);
  while (reader.next()) {
    if (reader.field <= count) numbers[reader.field - 1] = reader.int64();
    else reader.skip();
  }
  return reader.failed ? undefined : numbers;
}
