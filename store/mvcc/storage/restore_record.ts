/**
 * Puts one record of a snapshot back into an empty map.
 * In: records, base first and then history in revision order. Out: whether the bytes made sense.
 * Never: throws on bytes.
 */
import type { LeaseTable } from "../lease/lease_table.ts";
import { hashKey } from "./key_table.ts";
import type { Kv } from "./kv.ts";
import { RecordFields } from "./record.ts";

export interface RestoredRecord {
  readonly kv: Kv;
  readonly leases: LeaseTable;
  readonly record: Uint8Array;
  readonly sub: number;
  readonly tombstone: boolean;
  readonly base: boolean;
  /** Revision of the snapshot. */
  readonly lastRevision: number;
}

/** @returns false when the record is malformed or out of order. */
export function restoreRecord(restored: RestoredRecord): boolean {
  const { kv, leases, record, tombstone, base } = restored;
  const { keys, versions, history, order } = kv;
  const fields = new RecordFields().read(record, 0, record.length);
  if (!isCanonical(record, fields, tombstone)) return false;
  const { keyStart, keyEnd, modRevision, lease } = fields;
  if (modRevision > restored.lastRevision) return false;
  const hash = hashKey(record, keyStart, keyEnd);
  let id = keys.find(record, keyStart, keyEnd, hash);
  const isNew = id < 0;
  if (isNew) id = keys.insert(hash);
  const newest = keys.newest(id);
  if (newest !== 0 && (base || versions.revisionOf(newest) > modRevision)) return false;
  const existed = newest !== 0 && !versions.isTombstone(newest);
  const had = existed ? history.read(newest, fields).lease : 0n;
  const version = versions.allocate();
  const address = base
    ? history.arena.append(history.base, record.length, version, restored.sub)
    : history.append(record.length, version, restored.sub, modRevision);
  history.arena.bytesAt(address).set(record, history.arena.offsetOf(address));
  versions.set(version, id, hash, address, modRevision, newest, tombstone);
  keys.setNewest(id, version);
  if (isNew) order.insert(id, !tombstone, record, keyStart, keyEnd);
  else if (existed === tombstone) order.setExists(!tombstone, record, keyStart, keyEnd);
  leases.move(id, had, lease);
  if (existed === tombstone) kv.existingCount += tombstone ? -1 : 1;
  return true;
}

/** Whether the bytes are as `record.ts` writes them: nothing missing, nothing left over. */
function isCanonical(record: Uint8Array, fields: RecordFields, tombstone: boolean): boolean {
  const { keyStart, keyEnd, valueEnd, leaseAt, modRevision } = fields;
  if (record[0] !== 0x0a || keyEnd <= keyStart || keyEnd > record.length) return false;
  if (!(modRevision > 0) || !(valueEnd <= record.length)) return false;
  if (!tombstone && !(fields.createRevision > 0 && fields.version > 0)) return false;
  if (leaseAt === 0) return valueEnd === record.length;
  return record[leaseAt - 1] === 0x30 && record.length - leaseAt <= 10 &&
    record.length > leaseAt && record[record.length - 1] < 128;
}
