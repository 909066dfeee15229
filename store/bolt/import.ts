/**
 * An etcd database file as a snapshot that a state machine restores.
 * In: the file's buckets. Out: the snapshot's bytes in slices; or what is wrong with the file.
 * Never: takes over who the members were: a restored member belongs to a new cluster.
 * Source: etcd's buckets (server/storage/schema); `mvcc/snapshot.ts` describes what comes out.
 */
import { readPermission } from "../mvcc/admin_codec.ts";
import { AlarmSet } from "../mvcc/alarm.ts";
import { Auth } from "../mvcc/auth/auth.ts";
import { restoreLease } from "../mvcc/lease/lease_codec.ts";
import { LeaseTable } from "../mvcc/lease/lease_table.ts";
import type { Permission } from "../mvcc/outcome.ts";
import { ProtoReader } from "../mvcc/proto.ts";
import { RecordFields, tombstoneSize, writeTombstone } from "../mvcc/storage/record.ts";
import { type MachineState, SnapshotEncoder, type SnapshotParts } from "../mvcc/snapshot.ts";
import { BoltDamage, type BoltReader } from "./reader.ts";
import { decodeRevision } from "./revision_walk.ts";

const CHUNK_BYTES = 256 * 1024;

/**
 * Translates a file.
 * Errors: throws BoltDamage, naming the bucket.
 */
export function* importBolt(file: BoltReader): Generator<Uint8Array> {
  if (!file.bucketNames.includes("key")) throw new BoltDamage("no bucket named key: not etcd's");
  const encoder = new SnapshotEncoder();
  const { leases, ...parts } = readParts(file);
  encoder.begin(parts);
  for (const lease of leases.all()) encoder.lease(lease);
  const { finished } = compaction(file);
  const fields = new RecordFields();
  for (const { key, value } of file.entries("key")) {
    const revision = decodeRevision(key);
    if (revision === null || value.length === 0) throw new BoltDamage("bucket key: no revision");
    const { main, sub, isDeleted } = revision;
    const isBase = main <= finished;
    // A finished compaction leaves at most the deletion itself, which nobody can see any more.
    if (isDeleted && isBase) continue;
    const record = isDeleted ? deletion(fields, value, main) : value;
    encoder.record(record, sub, { isDeleted, isBase });
    if (encoder.length >= CHUNK_BYTES) yield encoder.take();
  }
  encoder.end();
  yield encoder.take();
}

/** etcd keeps the key of a deletion; the event of it also shows the revision. */
function deletion(fields: RecordFields, value: Uint8Array, revision: number): Uint8Array {
  const { keyStart, keyEnd } = fields.read(value, 0, value.length);
  if (keyEnd > value.length) throw new BoltDamage("bucket key: a deletion without a key");
  const record = new Uint8Array(tombstoneSize(keyEnd - keyStart, revision));
  writeTombstone(record, 0, value.subarray(keyStart, keyEnd), revision);
  return record;
}

function readParts(file: BoltReader): SnapshotParts & Pick<MachineState, "leases"> {
  const { scheduled, finished } = compaction(file);
  let revision = Math.max(1, scheduled);
  for (const { key } of file.entries("key")) {
    revision = Math.max(revision, decodeRevision(key)?.main ?? 0);
  }
  return {
    revision,
    compactRevision: scheduled,
    finishedRevision: finished,
    leases: readLeases(file),
    auth: readAuth(file),
    alarms: readAlarms(file),
  };
}

/** -1 where nothing was ever compacted. */
function compaction(file: BoltReader): { readonly scheduled: number; readonly finished: number } {
  const mark = (name: string) => {
    const bytes = lookUp(file, "meta", name);
    return bytes === null ? -1 : decodeRevision(bytes)?.main ?? -1;
  };
  return { scheduled: mark("scheduledCompactRev"), finished: mark("finishedCompactRev") };
}

function lookUp(file: BoltReader, bucket: string, name: string): Uint8Array | null {
  for (const { key, value } of file.entries(bucket)) {
    if (new TextDecoder().decode(key) === name) return value.slice();
  }
  return null;
}

function readLeases(file: BoltReader): LeaseTable {
  const leases = new LeaseTable(1);
  for (const { value } of file.entries("lease")) {
    if (!restoreLease(leases, value)) throw new BoltDamage("bucket lease: no lease");
  }
  return leases;
}

function readAlarms(file: BoltReader): AlarmSet {
  const alarms = new AlarmSet();
  for (const { key } of file.entries("alarm")) {
    const reader = new ProtoReader(key);
    let memberId = 0n;
    let type = 0;
    while (reader.next()) {
      if (reader.field === 1) memberId = reader.uint64Big();
      else if (reader.field === 2) type = reader.enumValue();
      else reader.skip();
    }
    const alarm = (["none", "noSpace", "corrupt"] as const)[type];
    if (reader.failed || alarm === undefined) throw new BoltDamage("bucket alarm: no alarm");
    alarms.apply({ action: "activate", memberId, alarm });
  }
  return alarms;
}

function readAuth(file: BoltReader): Auth {
  const auth = new Auth();
  for (const { value } of file.entries("authRoles")) {
    const { name, permissions } = readRole(value);
    auth.restoreRole(name, permissions);
  }
  for (const { value } of file.entries("authUsers")) auth.restoreUser(readUser(value));
  auth.enabled = lookUp(file, "auth", "authEnabled")?.[0] === 1;
  const revision = lookUp(file, "auth", "authRevision");
  if (revision?.length === 8) {
    auth.revision = Number(new DataView(revision.buffer).getBigUint64(0));
  }
  return auth;
}

function readRole(value: Uint8Array): { name: string; permissions: Permission[] } {
  const reader = new ProtoReader(value);
  let name = "";
  const permissions: Permission[] = [];
  while (reader.next()) {
    if (reader.field === 1) name = reader.string();
    else if (reader.field === 2) {
      const permission = readPermission(reader.message());
      if (permission === undefined) throw new BoltDamage("bucket authRoles: no permission");
      permissions.push(permission);
    } else reader.skip();
  }
  if (reader.failed) throw new BoltDamage("bucket authRoles: no role");
  return { name, permissions };
}

function readUser(value: Uint8Array) {
  const reader = new ProtoReader(value);
  let name = "";
  let hashedPassword = "";
  let noPassword = false;
  const roles: string[] = [];
  while (reader.next()) {
    if (reader.field === 1) name = reader.string();
    else if (reader.field === 2) hashedPassword = reader.string();
    else if (reader.field === 3) roles.push(reader.string());
    else if (reader.field === 4) {
      const options = reader.message();
      while (options.next()) {
        if (options.field === 1) noPassword = options.bool();
        else options.skip();
      }
    } else reader.skip();
  }
  if (reader.failed) throw new BoltDamage("bucket authUsers: no user");
  return { name, hashedPassword, noPassword, roles };
}
