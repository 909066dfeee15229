/**
 * The write-ahead log: batches of Raft's records in preallocated segment files.
 * In: hard state, entries and snapshot markers. Out: a promise that resolves once they are durable
 * (one positioned write and one fdatasync a batch), or says that the disk is full.
 * Never: retries a failed sync (the page cache may have dropped the data: the rejection reaches the
 * member, which stops), removes a segment that a kept snapshot still needs.
 * Source: Ongaro's thesis section 3.8; Rebello et al., "Can Applications Recover from fsync
 * Failures?" (ATC '20).
 */
import type { Disk, DiskFile } from "../ports.ts";
import type { Entry, HardState } from "../raft/types.ts";
import { isDiskFull } from "./disk_full.ts";
import { DurationHistogram } from "./duration_histogram.ts";
import { BatchBuffer, type SegmentHead, type SnapshotMarker } from "./wal_record.ts";

/** A new segment starts once the current one holds this much. */
export const SEGMENT_BYTES = 64 * 1024 * 1024;
/** Zeros are written ahead of the log in pieces of this size; one costs about 0.6 ms. */
const ALLOCATE_BYTES = 2 * 1024 * 1024;
const BUFFER_BYTES = 256 * 1024;
/** A batch buffer that one huge batch grew beyond this is given back. */
const KEPT_BUFFER_BYTES = 4 * 1024 * 1024;
const NO_VOTE: HardState = { term: 0, vote: 0n, commit: 0 };

export interface WalOptions {
  /** Bytes, default SEGMENT_BYTES; tests use small ones. */
  readonly segmentBytes: number;
  /** @returns an unpredictable unsigned 32-bit integer */
  readonly newSalt: () => number;
  /** Clock for `Wal.syncs`, milliseconds; without one every sync takes no time. */
  readonly now?: () => number;
}

export interface WalIdentity {
  readonly clusterId: bigint;
  readonly memberId: bigint;
}

export interface WalWrite {
  readonly hardState: HardState | null;
  readonly entries: readonly Entry[];
  /** Names a snapshot whose file is durable already; a received one may come with what follows. */
  readonly marker: SnapshotMarker | null;
}

/** "noSpace": nothing was lost; free some space and call `retry`. */
export type WalOutcome = "durable" | "noSpace";

/** A segment that is full, and the largest index it holds. */
export interface ClosedSegment {
  readonly path: string;
  readonly lastIndex: number;
}

/** The segment that is written to, as creation or recovery leaves it. */
export interface OpenSegment {
  readonly file: DiskFile;
  readonly head: SegmentHead;
  /** Bytes used, where the next frame goes. */
  readonly position: number;
  /** Sequence of the next frame. */
  readonly sequence: number;
  readonly lastIndex: number;
}

/** @returns the file name of a segment; names sort as numbers do */
export function segmentName(segment: number): string {
  return `${segment.toString(16).padStart(16, "0")}.wal`;
}

export class Wal {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #options: WalOptions;
  readonly #closed: ClosedSegment[];
  #current: OpenSegment;
  #position: number;
  #sequence: number;
  #allocated: number;
  #lastIndex: number;
  #hardState: HardState;
  #batch = new BatchBuffer(BUFFER_BYTES);
  #spaceLow = false;
  /** Every sync of a batch so far. */
  readonly syncs = new DurationHistogram();

  /** Use `createWal` or `openWal`. */
  constructor(parts: {
    readonly disk: Disk;
    readonly directory: string;
    readonly options: WalOptions;
    readonly closed: readonly ClosedSegment[];
    readonly current: OpenSegment;
    readonly hardState: HardState;
  }) {
    this.#disk = parts.disk;
    this.#directory = parts.directory;
    this.#options = parts.options;
    this.#closed = [...parts.closed];
    this.#current = parts.current;
    this.#position = parts.current.position;
    this.#sequence = parts.current.sequence;
    this.#lastIndex = parts.current.lastIndex;
    this.#allocated = parts.current.file.size();
    this.#hardState = parts.hardState;
  }

  /** Whether the disk refused the last attempt to reserve space ahead of the log. */
  get spaceLow(): boolean {
    return this.#spaceLow;
  }

  get segmentCount(): number {
    return this.#closed.length + 1;
  }

  /**
   * Makes one batch durable. The caller waits for the outcome before the next call.
   * @returns "noSpace" when the batch still has to be written by `retry`
   * Errors: rejects when a write or a sync fails for any other reason; the log must not be used
   * any more.
   */
  append(write: WalWrite): Promise<WalOutcome> {
    if (!this.#batch.isEmpty) throw new Error("the log's last batch is still waiting for space");
    const hardState = write.hardState ?? (this.#isFull() ? this.#hardState : null);
    // A segment that starts must hold the hard state: the ones before it may be removed.
    if (hardState !== null) {
      this.#batch.hardState(hardState);
      this.#hardState = hardState;
    }
    const { entries, marker } = write;
    // Recovery reads in order: a leader's snapshot first, then the entries that continue it.
    const continues = marker !== null && entries.length > 0 && marker.index < entries[0].index;
    if (continues) this.#batch.marker(marker);
    for (const entry of entries) this.#batch.entry(entry);
    if (marker !== null && !continues) this.#batch.marker(marker);
    const last = entries.at(-1)?.index ?? this.#lastIndex;
    this.#lastIndex = Math.max(last, marker?.index ?? 0);
    return this.#flush();
  }

  /** Writes the batch that `append` found no space for. */
  retry(): Promise<WalOutcome> {
    return this.#flush();
  }

  /** Tries to reserve space again after `spaceLow`. @returns whether there is some */
  probeSpace(): boolean {
    if (!this.#batch.isEmpty) return false;
    this.#allocateAhead();
    return !this.#spaceLow;
  }

  /**
   * Removes segments that hold nothing but entries before `index`, and never the marker of `index`.
   * @param index of the oldest snapshot that is kept
   */
  async release(index: number): Promise<void> {
    let removed = false;
    while (this.#closed.length > 0 && this.#closed[0].lastIndex < index) {
      const { path } = this.#closed.shift()!;
      await this.#disk.removeLarge(path);
      removed = true;
    }
    if (removed) await this.#disk.syncDirectory(this.#directory);
  }

  close(): void {
    this.#current.file.close();
  }

  #isFull(): boolean {
    return this.#position >= this.#options.segmentBytes;
  }

  async #flush(): Promise<WalOutcome> {
    if (this.#batch.isEmpty) return "durable";
    try {
      if (this.#isFull()) await this.#rotate();
      const frame = this.#batch.seal({ sequence: this.#sequence, salt: this.#current.head.salt });
      this.#current.file.writeAt(this.#position, frame);
      this.#allocated = Math.max(this.#allocated, this.#position + frame.length);
      const next = this.#position + frame.length;
      this.#allocateAhead(next);
      const started = this.#options.now?.() ?? 0;
      await syncOrFail(this.#current.file);
      this.syncs.observe(((this.#options.now?.() ?? 0) - started) / 1000);
      this.#position = next;
      this.#sequence++;
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      this.#spaceLow = true;
      return "noSpace";
    }
    if (this.#batch.capacity > KEPT_BUFFER_BYTES) this.#batch = new BatchBuffer(BUFFER_BYTES);
    this.#batch.clear();
    return "durable";
  }

  async #rotate(): Promise<void> {
    const current = await createSegment(this.#disk, this.#directory, {
      ...this.#current.head,
      segment: this.#current.head.segment + 1,
      salt: this.#options.newSalt(),
    }, this.#options.segmentBytes);
    this.#closed.push({ path: this.#current.file.path, lastIndex: this.#lastIndex });
    this.#current.file.close();
    this.#current = current;
    this.#position = current.position;
    this.#sequence = current.sequence;
    this.#allocated = current.file.size();
  }

  /** Keeps zeros before the writer, so that a sync need not wait for the file to grow. */
  #allocateAhead(position = this.#position): void {
    const limit = this.#options.segmentBytes;
    const wanted = Math.min(limit, position + ALLOCATE_BYTES / 2);
    if (this.#allocated >= wanted && !this.#spaceLow) return;
    const target = Math.max(this.#allocated, Math.min(limit, this.#allocated + ALLOCATE_BYTES));
    try {
      this.#current.file.allocate(target);
      this.#spaceLow = false;
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      this.#spaceLow = true;
    }
    this.#allocated = this.#current.file.size();
  }
}

/**
 * Starts an empty log in an existing directory.
 * Errors: rejects with the platform's error.
 */
export async function createWal(
  disk: Disk,
  directory: string,
  parts: { readonly identity: WalIdentity; readonly options: WalOptions },
): Promise<Wal> {
  const current = await createSegment(disk, directory, {
    ...parts.identity,
    segment: 1,
    salt: parts.options.newSalt(),
  }, parts.options.segmentBytes);
  return new Wal({
    disk,
    directory,
    options: parts.options,
    closed: [],
    current,
    hardState: NO_VOTE,
  });
}

/** A segment gets its final name only once its head is durable. */
async function createSegment(
  disk: Disk,
  directory: string,
  head: SegmentHead,
  segmentBytes: number,
): Promise<OpenSegment> {
  const path = `${directory}/${segmentName(head.segment)}`;
  const temporary = `${path}.tmp`;
  const batch = new BatchBuffer(512);
  batch.head(head);
  const frame = batch.seal({ sequence: 0, salt: 0 });
  const started = disk.open(temporary, { create: true });
  try {
    started.truncate(0);
    started.writeAt(0, frame);
    started.allocate(Math.min(ALLOCATE_BYTES, segmentBytes));
    await syncOrFail(started);
  } finally {
    started.close();
  }
  disk.rename(temporary, path);
  await disk.syncDirectory(directory);
  const file = disk.open(path, { create: false });
  return { file, head, position: frame.length, sequence: 1, lastIndex: 0 };
}

/** A failed sync loses its platform code on purpose: it must never pass for a full disk. */
async function syncOrFail(file: DiskFile): Promise<void> {
  try {
    await file.sync();
  } catch (cause) {
    throw new Error(`syncing ${file.path} failed; its last writes may be lost`, { cause });
  }
}
