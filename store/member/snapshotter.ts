/**
 * Decides when the log has grown enough, writes a snapshot a slice at a time, and forgets what it
 * replaces.
 * In: how much was logged, the state machine's snapshot reader. Out: files, and the marker that the
 * next write of the log must carry.
 * Never: holds the thread longer than a slice, or removes what the oldest kept snapshot needs.
 */
import { isDiskFull } from "../disk/disk_full.ts";
import {
  KEPT_SNAPSHOTS,
  removeOtherSnapshots,
  type SnapshotHead,
  SnapshotWriter,
} from "../disk/snapshot_file.ts";
import type { Wal } from "../disk/wal.ts";
import type { SnapshotMarker } from "../disk/wal_record.ts";
import type { SnapshotReader } from "../mvcc/api.ts";
import type { Disk, Log } from "../ports.ts";

/** One slice: about 1 ms of encoding and writing. */
const SLICE_BYTES = 256 * 1024;

export interface SnapshotPolicy {
  readonly snapshotCount: number;
  readonly snapshotLogBytes: number;
}

interface Running {
  readonly head: SnapshotHead;
  readonly reader: SnapshotReader;
  readonly writer: SnapshotWriter;
}

export class Snapshotter {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #policy: SnapshotPolicy;
  readonly #log: Log;
  #kept: SnapshotMarker[];
  #entries = 0;
  #bytes = 0;
  #lastBytes = 0;
  #running: Running | null = null;
  #finishing = false;
  /** Overtaken by a received snapshot while it was finishing. */
  #discarded = false;
  /** Index of one that is finished, but that the log does not name yet. */
  #adopting: number | null = null;

  /** @param parts.kept snapshots whose markers the log holds, newest first */
  constructor(parts: {
    readonly disk: Disk;
    readonly directory: string;
    readonly policy: SnapshotPolicy;
    readonly log: Log;
    readonly kept: readonly SnapshotMarker[];
  }) {
    this.#disk = parts.disk;
    this.#directory = parts.directory;
    this.#policy = parts.policy;
    this.#log = parts.log;
    this.#kept = [...parts.kept];
  }

  /** The newest durable snapshot. */
  get newest(): SnapshotMarker | undefined {
    return this.#kept[0];
  }

  /** Whether a slice wants to be written. */
  get isRunning(): boolean {
    return this.#running !== null && !this.#finishing;
  }

  /** Whether another snapshot may be started. */
  get isIdle(): boolean {
    return this.pendingIndex === null;
  }

  /** Index of a snapshot that was started and that nobody can be sent yet. */
  get pendingIndex(): number | null {
    return this.#running?.head.index ?? this.#adopting;
  }

  /** Counts what was applied since the last snapshot. */
  count(entries: number, bytes: number): void {
    this.#entries += entries;
    this.#bytes += bytes;
  }

  /**
   * Whether a snapshot should start. A snapshot as large as the log it replaces is not worth
   * writing yet, so the disk never writes more for snapshots than for the log.
   */
  get isDue(): boolean {
    if (!this.isIdle || this.#bytes < this.#lastBytes) return false;
    return this.#entries >= this.#policy.snapshotCount ||
      this.#bytes >= this.#policy.snapshotLogBytes;
  }

  /** Starts writing; `reader` shows the state machine as of `head.index`. */
  start(head: SnapshotHead, reader: SnapshotReader): void {
    try {
      const writer = new SnapshotWriter(this.#disk, this.#directory, head);
      this.#running = { head, reader, writer };
      this.#entries = 0;
      this.#bytes = 0;
    } catch (error) {
      reader.close();
      this.#giveUp(error);
    }
  }

  /**
   * Writes one slice.
   * @returns null while there is more, or a promise of the finished snapshot (null when the disk
   * was full; the snapshot is tried again later)
   * Errors: rejects when a write or sync fails otherwise.
   */
  step(): Promise<SnapshotMarker | null> | null {
    const running = this.#running;
    if (running === null || this.#finishing) return null;
    try {
      const chunk = running.reader.next(SLICE_BYTES);
      if (chunk !== undefined) {
        running.writer.write(chunk);
        return null;
      }
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      running.reader.close();
      running.writer.discard();
      this.#running = null;
      this.#giveUp(error);
      return Promise.resolve(null);
    }
    return this.#finish(running);
  }

  /** Forgets a snapshot under way. */
  abort(): void {
    this.#discarded = this.#finishing;
    if (this.#running === null || this.#finishing) return;
    this.#running.reader.close();
    this.#running.writer.abandon();
    this.#running = null;
  }

  /**
   * The log's marker of `marker` is durable: older files and segments may go.
   * @returns after the directory is durable
   */
  async adopted(marker: SnapshotMarker, wal: Wal): Promise<void> {
    this.#kept = [marker, ...this.#kept.filter((kept) => kept.index < marker.index)]
      .slice(0, KEPT_SNAPSHOTS);
    const unfinished = this.#running?.head ?? null;
    await removeOtherSnapshots(this.#disk, this.#directory, this.#kept, unfinished);
    await wal.release(this.#kept[this.#kept.length - 1].index);
    this.#adopting = null;
  }

  async #finish(running: Running): Promise<SnapshotMarker | null> {
    this.#finishing = true;
    running.reader.close();
    try {
      await running.writer.finish();
    } catch (error) {
      this.#giveUp(error);
      return null;
    } finally {
      this.#finishing = false;
      this.#running = null;
    }
    if (this.#discarded) {
      this.#discarded = false;
      return null;
    }
    this.#adopting = running.head.index;
    this.#lastBytes = running.writer.bytes;
    const { index, term } = running.head;
    this.#log("info", "snapshot written", { index, term, bytes: running.writer.bytes });
    return { index, term };
  }

  #giveUp(error: unknown): void {
    if (!isDiskFull(error)) throw error;
    this.#log("warn", "no space for a snapshot; it is tried again later", {});
  }
}
