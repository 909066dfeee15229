/**
 * PURE. A lease as bytes: id 1, TTL 2, what was left of it at its last checkpoint 3.
 * In: a lease's numbers, or bytes. Out: bytes, or a lease in a table. Never: which keys hang on it.
 * Source: leasepb.Lease, which etcd keeps in its bucket `lease`; our snapshots use it as well.
 */
import { ProtoReader, type ProtoWriter } from "../proto.ts";
import type { LeaseNumbers, LeaseTable } from "./lease_table.ts";

export function writeLease(
  writer: ProtoWriter,
  { id, ttlSeconds, remainingTtlSeconds }: LeaseNumbers,
): void {
  writer.bigField(1, id);
  writer.int64Field(2, ttlSeconds);
  writer.int64Field(3, remainingTtlSeconds);
}

/** Puts a lease in its place. @returns false when the bytes are none */
export function restoreLease(leases: LeaseTable, bytes: Uint8Array): boolean {
  const reader = new ProtoReader(bytes);
  let id = 0n;
  let ttlSeconds = 0;
  let remaining = 0;
  while (reader.next()) {
    if (reader.field === 1) id = reader.int64Big();
    else if (reader.field === 2) ttlSeconds = reader.int64();
    else if (reader.field === 3) remaining = reader.int64();
    else reader.skip();
  }
  if (reader.failed) return false;
  leases.restore(id, ttlSeconds, remaining);
  return true;
}
