/**
 * Every stored version in the order of revisions, as the `key` bucket of an etcd file holds them.
 * In: the map, pinned for as long as this is open. Out: walks of (revision key, KeyValue bytes).
 * Never: holds the thread for long: what compactions kept lies in no order and is sorted in runs, a
 * slice at a time, before the first walk.
 * Source: etcd's mvcc revisions (main 8 bytes, `_`, sub 8 bytes, `t` behind a deletion).
 */
import type { HistoryWalk } from "../mvcc/storage/history.ts";
import type { Kv } from "../mvcc/storage/kv.ts";
import { RecordFields } from "../mvcc/storage/record.ts";
import type { EntryWalk } from "./writer.ts";

/** Versions sorted in one slice: about 0.5 ms. */
const RUN_VERSIONS = 1_024;
const REVISION_BYTES = 17;
const TWO_32 = 4294967296;
const SEPARATOR = 0x5f;
const DELETED = 0x74;

/** @returns a revision as a key of the bucket */
export function encodeRevision(main: number, sub: number, isDeleted: boolean): Uint8Array {
  const bytes = new Uint8Array(REVISION_BYTES + (isDeleted ? 1 : 0));
  writeRevision(bytes, main, sub, isDeleted);
  return bytes;
}

function writeRevision(into: Uint8Array, main: number, sub: number, isDeleted: boolean): void {
  writeBigEndian(into, 0, main);
  into[8] = SEPARATOR;
  writeBigEndian(into, 9, sub);
  if (isDeleted) into[REVISION_BYTES] = DELETED;
}

/** Eight bytes of a safe integer. */
function writeBigEndian(into: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / TWO_32);
  for (let i = 0; i < 4; i++) {
    into[at + i] = high >>> (24 - 8 * i);
    into[at + 4 + i] = value >>> (24 - 8 * i);
  }
}

/** @returns a revision, or null when the bytes are none */
export function decodeRevision(
  bytes: Uint8Array,
): { readonly main: number; readonly sub: number; readonly isDeleted: boolean } | null {
  if (bytes.length < REVISION_BYTES || bytes.length > REVISION_BYTES + 1) return null;
  const isDeleted = bytes.length > REVISION_BYTES;
  if (bytes[8] !== SEPARATOR || (isDeleted && bytes[REVISION_BYTES] !== DELETED)) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const main = Number(view.getBigUint64(0));
  const sub = Number(view.getBigUint64(9));
  return Number.isSafeInteger(main) && Number.isSafeInteger(sub) ? { main, sub, isDeleted } : null;
}

/** The versions up to the revision at which this was opened. */
export class RevisionOrder {
  readonly #kv: Kv;
  readonly #revision: number;
  readonly #base: HistoryWalk;
  /** Versions of the base, each run sorted. */
  readonly #runs: Uint32Array[] = [];
  #isSorted = false;
  #isOpen = true;

  constructor(kv: Kv) {
    this.#kv = kv;
    this.#revision = kv.revision;
    kv.compaction.settle();
    kv.pins++;
    this.#base = kv.history.walkBase();
  }

  /** Sorts one run. @returns true when there is more to sort */
  sort(): boolean {
    if (this.#isSorted) return false;
    const run = new Uint32Array(RUN_VERSIONS);
    let count = 0;
    while (count < RUN_VERSIONS) {
      const version = this.#base.next();
      if (version === 0) {
        this.#isSorted = true;
        break;
      }
      run[count++] = version;
    }
    this.#runs.push(run.subarray(0, count).sort((a, b) => this.#compare(a, b)));
    return !this.#isSorted;
  }

  /** A new walk from the first revision on; `sort` must have returned false. */
  walk(): EntryWalk {
    return new RevisionWalk(this.#kv, this.#revision, new RunMerge(this.#runs, this.#compare));
  }

  /** Must be called: history is held back until then. */
  close(): void {
    if (this.#isOpen) this.#kv.pins--;
    this.#isOpen = false;
  }

  #compare = (a: number, b: number): number => {
    const { versions, history } = this.#kv;
    return versions.revisionOf(a) - versions.revisionOf(b) || history.subOf(a) - history.subOf(b);
  };
}

class RevisionWalk implements EntryWalk {
  readonly #kv: Kv;
  readonly #revision: number;
  readonly #base: RunMerge;
  readonly #recent: HistoryWalk;
  readonly #fields = new RecordFields();
  readonly #key = new Uint8Array(REVISION_BYTES + 1);
  #version = 0;
  #isDeleted = false;

  constructor(kv: Kv, revision: number, base: RunMerge) {
    this.#kv = kv;
    this.#revision = revision;
    this.#base = base;
    this.#recent = kv.history.walkFrom(0);
  }

  next(): boolean {
    const { versions } = this.#kv;
    const version = this.#base.next() || this.#recent.next();
    if (version === 0 || versions.revisionOf(version) > this.#revision) return false;
    this.#version = version;
    this.#isDeleted = versions.isTombstone(version);
    return true;
  }

  get keyBytes(): number {
    return REVISION_BYTES + (this.#isDeleted ? 1 : 0);
  }

  get valueBytes(): number {
    const { arena } = this.#kv.history;
    if (!this.#isDeleted) return arena.lengthAt(this.#kv.versions.addressOf(this.#version));
    return this.value.length;
  }

  get key(): Uint8Array {
    const { versions, history } = this.#kv;
    const version = this.#version;
    const main = versions.revisionOf(version);
    writeRevision(this.#key, main, history.subOf(version), this.#isDeleted);
    return this.#key.subarray(0, this.keyBytes);
  }

  get value(): Uint8Array {
    const { bytes, start, end, keyEnd } = this.#kv.history.read(this.#version, this.#fields);
    // Of a deletion etcd keeps the key alone, which is the record's first field.
    return bytes.subarray(start, this.#isDeleted ? keyEnd : end);
  }
}

/** Merges sorted runs; a heap of run numbers by their next version. */
class RunMerge {
  readonly #runs: readonly Uint32Array[];
  readonly #compare: (a: number, b: number) => number;
  readonly #positions: Uint32Array;
  readonly #heap: number[] = [];

  constructor(runs: readonly Uint32Array[], compare: (a: number, b: number) => number) {
    this.#runs = runs.filter((run) => run.length > 0);
    this.#compare = compare;
    this.#positions = new Uint32Array(this.#runs.length);
    for (let run = 0; run < this.#runs.length; run++) {
      this.#heap.push(run);
      this.#up(run);
    }
  }

  /** @returns the next version, 0 at the end */
  next(): number {
    if (this.#heap.length === 0) return 0;
    const run = this.#heap[0];
    const version = this.#runs[run][this.#positions[run]++];
    if (this.#positions[run] === this.#runs[run].length) {
      const last = this.#heap.pop()!;
      if (this.#heap.length > 0) this.#heap[0] = last;
    }
    this.#down();
    return version;
  }

  #isBefore(a: number, b: number): boolean {
    const head = (at: number) => this.#runs[this.#heap[at]][this.#positions[this.#heap[at]]];
    return this.#compare(head(a), head(b)) < 0;
  }

  #swap(a: number, b: number): void {
    [this.#heap[a], this.#heap[b]] = [this.#heap[b], this.#heap[a]];
  }

  #up(at: number): void {
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #down(): void {
    let at = 0;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < this.#heap.length && this.#isBefore(child, least)) least = child;
      }
      if (least === at) return;
      this.#swap(at, least);
      at = least;
    }
  }
}
