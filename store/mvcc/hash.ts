/**
 * One number for the whole data at a revision, equal on members that hold equal data.
 * In: the map and a revision. Out: CRC-32C over what compaction would leave there, in slices.
 * Never: depends on how far a member's background compaction got, or on its segments.
 * Source: the idea of etcd's HashKV; the number itself is our own.
 */
import type { HashOutcome, HashReader } from "./api.ts";
import { OrderCursor } from "./storage/key_order.ts";
import type { Kv } from "./storage/kv.ts";
import { checkRevision } from "./storage/range.ts";
import type { StoreFailure } from "./types.ts";

/** Four tables, so that four bytes are taken at a time. */
const TABLES: readonly Int32Array[] = makeTables();

function makeTables(): Int32Array[] {
  const first = new Int32Array(256);
  for (let i = 0; i < 256; i++) {
    let value = i;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
    first[i] = value;
  }
  const tables = [first];
  for (let t = 1; t < 4; t++) {
    const before = tables[t - 1];
    tables.push(Int32Array.from(before, (value) => (value >>> 8) ^ first[value & 255]));
  }
  return tables;
}

/**
 * Continues a CRC-32C.
 * @param crc 0 to begin with, else the last answer.
 * @param bytes further input.
 * @returns u32.
 */
export function crc32c(crc: number, bytes: Uint8Array): number {
  const [t0, t1, t2, t3] = TABLES;
  let value = ~crc;
  let at = 0;
  for (const end = bytes.length - 3; at < end; at += 4) {
    value ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    value = t3[value & 255] ^ t2[(value >>> 8) & 255] ^ t1[(value >>> 16) & 255] ^ t0[value >>> 24];
  }
  for (; at < bytes.length; at++) value = (value >>> 8) ^ t0[(value ^ bytes[at]) & 255];
  return ~value >>> 0;
}

/** @returns a reader. Errors: compacted, futureRevision. @param revision 0 = now. */
export function openHash(kv: Kv, revision: number): HashReader | StoreFailure {
  return checkRevision(kv, revision) ?? new KvHash(kv, revision > 0 ? revision : kv.revision);
}

class KvHash implements HashReader {
  readonly #kv: Kv;
  readonly #revision: number;
  readonly #compactRevision: number;
  #after: Uint8Array = new Uint8Array(0);
  #crc = 0;
  #open = true;

  constructor(kv: Kv, revision: number) {
    this.#kv = kv;
    this.#revision = revision;
    this.#compactRevision = kv.compactRevision;
    kv.pins++;
  }

  step(budgetRecords: number): HashOutcome | undefined {
    const kv = this.#kv;
    const cursor = new OrderCursor();
    const end = new OrderCursor();
    kv.order.moveToEnd(end);
    kv.order.moveTo(cursor, this.#after, 0, this.#after.length);
    let last = -1;
    let left = budgetRecords;
    while (left > 0) {
      const id = kv.order.next(cursor, end);
      if (id < 0) return this.#finish();
      const seen = last < 0 && kv.keys.compare(id, this.#after, 0, this.#after.length) === 0;
      last = id;
      left -= seen ? 0 : 1 + this.#addKey(id);
    }
    if (last >= 0) this.#after = kv.keys.bytesOf(last);
    return undefined;
  }

  /** Adds a key's versions, newest first, down to the one that compaction keeps. */
  #addKey(id: number): number {
    const { versions, history, keys } = this.#kv;
    let added = 0;
    let version = versions.at(keys.newest(id), this.#revision);
    for (; version !== 0; version = versions.previousOf(version)) {
      const old = versions.revisionOf(version) <= this.#compactRevision;
      if (!old || !versions.isTombstone(version)) {
        const sub = history.subOf(version);
        this.#crc = crc32c(this.#crc, Uint8Array.of(sub, sub >>> 8, sub >>> 16, sub >>> 24));
        this.#crc = crc32c(this.#crc, history.arena.viewAt(versions.addressOf(version)));
        added++;
      }
      if (old) break;
    }
    return added;
  }

  #finish(): HashOutcome {
    this.close();
    return {
      kind: "hash",
      hash: this.#crc,
      compactRevision: this.#compactRevision,
      hashRevision: this.#revision,
      revision: this.#kv.revision,
    };
  }

  close(): void {
    if (this.#open) this.#kv.pins--;
    this.#open = false;
  }
}
