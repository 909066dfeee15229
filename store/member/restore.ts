/**
 * A data directory from an etcd database file, as `etcdutl snapshot restore` makes one.
 * In: the file (a snapshot of etcd's or ours), the new member's options. Out: a directory that
 * starts as a new cluster holding the file's data.
 * Never: touches a directory that holds a log; keeps who the old members were.
 */
import { createHash } from "node:crypto";
import { importBolt } from "../bolt/import.ts";
import { BoltDamage, BoltReader } from "../bolt/reader.ts";
import type { StorePorts } from "../deno_ports.ts";
import { StateMachine } from "../mvcc/state_machine.ts";
import type { DiskFile } from "../ports.ts";
import { bootstrap, hasLog } from "./bootstrap.ts";
import { type StoreOptions, validateConfig, withDefaults } from "./config.ts";

const DIGEST_BYTES = 32;
/** A snapshot is whole pages, and then its digest; a copied database has no digest. */
const ALIGNMENT_BYTES = 512;
const READ_BYTES = 1024 * 1024;

export interface Restored {
  readonly revision: number;
  readonly keyCount: number;
}

/**
 * Restores `file` into `options.dataDirectory`.
 * @param skipHashCheck takes a file without a digest, such as a stopped member's `member/snap/db`
 * Errors: rejects with a message that names the file, the directory or the flag at fault.
 */
export async function restoreSnapshot(
  file: string,
  options: StoreOptions,
  { ports, skipHashCheck }: { readonly ports: StorePorts; readonly skipHashCheck: boolean },
): Promise<Restored> {
  const config = withDefaults(options);
  const problems = validateConfig(config);
  if (problems.length > 0) throw new Error(`can't restore: ${problems.join("; ")}`);
  const machine = new StateMachine();
  const source = ports.disk.open(file, { create: false });
  try {
    if (!skipHashCheck) checkDigest(source);
    load(source, machine);
  } finally {
    source.close();
  }
  ports.disk.makeDirectory(config.dataDirectory);
  const release = ports.disk.lock(config.dataDirectory);
  if (release === null) throw new Error(`${config.dataDirectory} is in use by another process`);
  try {
    if (hasLog(ports.disk, config.dataDirectory)) {
      throw new Error(`data-dir ${config.dataDirectory} is not empty; choose another --data-dir`);
    }
    const newSalt = () => ports.random.nextInt(2 ** 32);
    const outcome = await bootstrap({ ...ports, config, machine, newSalt, joined: null });
    if (outcome.kind === "refused") throw new Error(`can't restore: ${outcome.problem}`);
    outcome.parts.wal.close();
  } finally {
    release();
  }
  return { revision: machine.revision, keyCount: machine.size().keyCount };
}

function load(source: DiskFile, machine: StateMachine): void {
  const into = machine.openRestore();
  try {
    const reader = new BoltReader((offset, length) => readAt(source, offset, length));
    for (const chunk of importBolt(reader)) {
      if (into.push(chunk) !== undefined) throw new BoltDamage("a record is malformed");
    }
    if (into.finish() !== undefined) throw new BoltDamage("its records are out of order");
  } catch (error) {
    if (!(error instanceof BoltDamage)) throw error;
    throw new Error(`${source.path} can't be restored: ${error.message}`);
  }
}

function checkDigest(source: DiskFile): void {
  const bytes = source.size() - DIGEST_BYTES;
  if (bytes <= 0 || bytes % ALIGNMENT_BYTES !== 0) {
    throw new Error(
      `${source.path} carries no digest; pass --skip-hash-check if it is a copied database`,
    );
  }
  const digest = createHash("sha256");
  for (let at = 0; at < bytes; at += READ_BYTES) {
    digest.update(readAt(source, at, Math.min(READ_BYTES, bytes - at)));
  }
  const expected = readAt(source, bytes, DIGEST_BYTES);
  if (digest.digest().compare(expected) !== 0) {
    throw new Error(`${source.path} is damaged: its SHA-256 digest is another`);
  }
}

function readAt(source: DiskFile, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  while (at < length) {
    const count = source.readAt(offset + at, bytes.subarray(at));
    if (count === 0) break;
    at += count;
  }
  return bytes.subarray(0, at);
}
