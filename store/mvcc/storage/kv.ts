/**
 * Keys, versions and history put together: the multi-version map under every request.
 * In: puts and deletes of the current revision. Out: versions by key and revision, walks in order.
 * Never: checks a request, knows a lease or a watcher.
 * Source: etcd's data model, https://etcd.io/docs/v3.6/learning/data_model/
 */
import { EMPTY_BYTES } from "../proto.ts";
import type { KeyValue } from "../types.ts";
import { Compaction } from "./compaction.ts";
import { History } from "./history.ts";
import { KeyOrder, type OrderCursor } from "./key_order.ts";
import { hashKey, KeyTable } from "./key_table.ts";
import {
  type PutNumbers,
  putSize,
  type PutSource,
  RecordFields,
  tombstoneSize,
  writePut,
  writeTombstone,
} from "./record.ts";
import { VersionTable } from "./version_table.ts";

const DEFAULT_SEGMENT_BYTES = 4 << 20;

export class Kv {
  readonly keys: KeyTable;
  readonly order: KeyOrder;
  readonly versions = new VersionTable();
  readonly history: History;
  readonly compaction: Compaction;
  /** Highest finished revision. */
  revision = 1;
  /** History before it is gone for readers; -1 before the first compaction, as etcd shows. */
  compactRevision = -1;
  /** Keys that exist now. */
  existingCount = 0;
  /** Versions written since `begin`, in order; they become revision + 1 at `commit`. */
  readonly changes: number[] = [];
  /** Readers that need history to stay; compaction waits for zero. */
  pins = 0;
  #writing = false;
  readonly #previous = new RecordFields();
  readonly #numbers: PutNumbers = { createRevision: 0, modRevision: 0, version: 0, lease: 0n };

  constructor(segmentBytes: number = DEFAULT_SEGMENT_BYTES) {
    this.history = new History(this.versions, segmentBytes);
    this.keys = new KeyTable(this.versions, this.history);
    this.order = new KeyOrder(this.keys);
    this.compaction = new Compaction(this);
  }

  /** Starts the writes of one command. */
  begin(): void {
    this.clearChanges();
    this.#writing = true;
  }

  /** Forgets what the last command wrote. */
  clearChanges(): void {
    // One by one, as setting the length would throw the array's memory away each time.
    while (this.changes.length > 0) this.changes.pop();
  }

  /** Ends them: if anything was written, it is now the newest revision. */
  commit(): void {
    if (this.changes.length > 0) this.revision++;
    this.#writing = false;
  }

  /** What a reader within the command sees: the new revision once something was written. */
  get readRevision(): number {
    return this.#writing && this.changes.length > 0 ? this.revision + 1 : this.revision;
  }

  /** @returns the key's id, or -1 when neither it nor history of it is stored. */
  find(key: Uint8Array): number {
    return this.keys.find(key, 0, key.length, hashKey(key, 0, key.length));
  }

  /** @returns the newest version of a key, maybe a tombstone, 0 when there is none. */
  newestOf(bytes: Uint8Array, start: number, end: number): number {
    const id = this.keys.find(bytes, start, end, hashKey(bytes, start, end));
    return id < 0 ? 0 : this.keys.newest(id);
  }

  /**
   * Writes a key in the current command.
   * @param source key and value bytes, copied.
   * @param lease 0n for none.
   * @returns the version that existed before, or 0.
   */
  put(source: PutSource, lease: bigint): number {
    const { keyBytes, keyStart, keyEnd } = source;
    const hash = hashKey(keyBytes, keyStart, keyEnd);
    return this.#write(source, lease, hash, this.keys.find(keyBytes, keyStart, keyEnd, hash));
  }

  /**
   * As `put`, if the key's newest revision is the one expected.
   * @param expected 0: the key must not exist
   * @returns the version that existed before, or 0; -1 when the key is at another revision
   */
  putIf(source: PutSource, lease: bigint, expected: number): number {
    const { keyBytes, keyStart, keyEnd } = source;
    const hash = hashKey(keyBytes, keyStart, keyEnd);
    const id = this.keys.find(keyBytes, keyStart, keyEnd, hash);
    const found = id < 0 ? 0 : this.visible(id, Infinity);
    const revision = found === 0 ? 0 : this.versions.revisionOf(found);
    return revision === expected ? this.#write(source, lease, hash, id) : -1;
  }

  /** @param found id of the key, -1 for a new one */
  #write(source: PutSource, lease: bigint, hash: number, found: number): number {
    const { keyBytes, keyStart, keyEnd } = source;
    const isNew = found < 0;
    const id = isNew ? this.keys.insert(hash) : found;
    const newest = this.keys.newest(id);
    const existed = newest !== 0 && !this.versions.isTombstone(newest);
    const revision = this.revision + 1;
    const numbers = this.#numbers;
    numbers.modRevision = revision;
    numbers.lease = lease;
    if (existed) {
      const previous = this.history.read(newest, this.#previous);
      numbers.createRevision = previous.createRevision;
      numbers.version = previous.version + 1;
    } else {
      numbers.createRevision = revision;
      numbers.version = 1;
      this.existingCount++;
    }
    const size = putSize(keyEnd - keyStart, source.valueEnd - source.valueStart, numbers);
    const version = this.versions.allocate();
    const address = this.history.append(size, version, this.changes.length, revision);
    const { arena } = this.history;
    writePut(arena.bytesAt(address), arena.offsetOf(address), source, numbers);
    this.versions.set(version, id, hash, address, revision, newest, false);
    this.keys.setNewest(id, version);
    if (isNew) this.order.insert(id, true, keyBytes, keyStart, keyEnd);
    else if (!existed) this.order.setExists(true, keyBytes, keyStart, keyEnd);
    this.changes.push(version);
    return existed ? newest : 0;
  }

  /** Deletes an existing key in the current command. */
  delete(id: number): void {
    const key = this.keys.bytesOf(id);
    const revision = this.revision + 1;
    const version = this.versions.allocate();
    const size = tombstoneSize(key.length, revision);
    const address = this.history.append(size, version, this.changes.length, revision);
    const { arena } = this.history;
    writeTombstone(arena.bytesAt(address), arena.offsetOf(address), key, revision);
    const hash = this.keys.hashOf(id);
    this.versions.set(version, id, hash, address, revision, this.keys.newest(id), true);
    this.keys.setNewest(id, version);
    this.order.setExists(false, key, 0, key.length);
    this.existingCount--;
    this.changes.push(version);
  }

  /** @returns the key's version visible at a revision, 0 when it did not exist then. */
  visible(id: number, revision: number): number {
    const version = this.versions.at(this.keys.newest(id), revision);
    return version === 0 || this.versions.isTombstone(version) ? 0 : version;
  }

  /** @returns the version as an object. */
  keyValue(version: number, keysOnly = false): KeyValue {
    return this.history.read(version, new RecordFields()).toKeyValue(keysOnly);
  }

  /** @returns a deletion as an event shows it: key and modRevision, the rest empty. */
  tombstone(version: number): KeyValue {
    return {
      key: this.keys.bytesOf(this.versions.keyOf(version)),
      value: EMPTY_BYTES,
      createRevision: 0,
      modRevision: this.versions.revisionOf(version),
      version: 0,
      lease: 0n,
    };
  }

  /** Drops a key whose last version is about to be freed. */
  forget(id: number): void {
    const key = this.keys.bytesOf(id);
    this.order.remove(key, 0, key.length);
    this.keys.remove(id);
  }

  /**
   * Sets two cursors around [key, rangeEnd); `rangeEnd` of one zero byte is open ended.
   * @returns how many keys between them exist now.
   */
  bounds(key: Uint8Array, rangeEnd: Uint8Array, from: OrderCursor, to: OrderCursor): number {
    const { order } = this;
    const isOpen = isOpenEnd(rangeEnd);
    // An end before the beginning is an empty range.
    const end = isOpen || compareBytes(key, rangeEnd) < 0 ? rangeEnd : key;
    const before = order.moveTo(from, key, 0, key.length);
    return (isOpen ? order.moveToEnd(to) : order.moveTo(to, end, 0, end.length)) - before;
  }

  /** Bytes held, and bytes of them in live use. */
  get dbSizeBytes(): number {
    return this.history.arena.allocatedBytes + this.#indexBytes;
  }

  get dbSizeInUseBytes(): number {
    return this.history.arena.liveBytes + this.#indexBytes;
  }

  get #indexBytes(): number {
    return this.keys.indexBytes + this.order.indexBytes + this.versions.indexBytes;
  }
}

/** @returns whether a range end means "and every key after". */
export function isOpenEnd(rangeEnd: Uint8Array): boolean {
  return rangeEnd.length === 1 && rangeEnd[0] === 0;
}

/** @returns below, at or above zero as `a` sorts before, at or after `b`. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = a[i] - b[i];
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
