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
import type { Disk, Log, Timer } from "../ports.ts";
import type { SnapshotMeta } from "../raft/types.ts";

/** One slice: about 1 ms of encoding and writing; while writes are under way a quarter. */
const SLICE_BYTES = 256 * 1024;
const BUSY_SLICE_BYTES = 64 * 1024;
/** So much goes to the disk at once; the log's next sync may have to wait for it. */
const FLUSH_BYTES = 4 * 1024 * 1024;
/** A full disk is asked again after this long; each attempt costs a copy of small tables. */
const FULL_DISK_REST_MILLIS = 1_000;

export interface SnapshotPolicy {
  readonly snapshotCount: number;
  readonly snapshotLogBytes: number;
}

interface Running {
  readonly head: SnapshotHead & SnapshotMeta;
  readonly reader: SnapshotReader;
  readonly writer: SnapshotWriter;
}

export class Snapshotter {
  readonly #disk: Disk;
  readonly #timer: Timer;
  readonly #log: Log;
  readonly #directory: string;
  readonly #policy: SnapshotPolicy;
  #kept: SnapshotMarker[];
  #entries = 0;
  #bytes = 0;
  #lastBytes = 0;
  #running: Running | null = null;
  /** A sync of the unfinished or the finished file is under way. */
  #syncing = false;
  /** Overtaken by a received snapshot, or stopped, during that sync. */
  #discarded = false;
  /** One that is finished, but that the log does not name yet. */
  #adopting: SnapshotMeta | null = null;
  /** The disk was full; nothing is started before this moment of the timer. */
  #restsUntil = 0;

  /** @param parts.kept snapshots whose markers the log holds, newest first */
  constructor(parts: {
    readonly ports: { readonly disk: Disk; readonly timer: Timer; readonly log: Log };
    readonly directory: string;
    readonly policy: SnapshotPolicy;
    readonly kept: readonly SnapshotMarker[];
  }) {
    this.#disk = parts.ports.disk;
    this.#timer = parts.ports.timer;
    this.#log = parts.ports.log;
    this.#directory = parts.directory;
    this.#policy = parts.policy;
    this.#kept = [...parts.kept];
  }

  /** The newest durable snapshot. */
  get newest(): SnapshotMarker | undefined {
    return this.#kept[0];
  }

  /** Whether a slice wants to be written. */
  get isRunning(): boolean {
    return this.#running !== null && !this.#syncing;
  }

  /** Index of a snapshot that was started and that nobody can be sent yet. */
  get pendingIndex(): number | null {
    return (this.#running?.head ?? this.#adopting)?.index ?? null;
  }

  /** Counts what was applied since the last snapshot. */
  count(entries: number, bytes: number): void {
    this.#entries += entries;
    this.#bytes += bytes;
  }

  /**
   * Whether a snapshot should start. A snapshot as large as the log it replaces is not worth
   * writing yet, so the disk never writes more for snapshots than for the log.
   * @param isWanted a follower waits for one, whatever it costs
   */
  isDue(isWanted: boolean): boolean {
    if (this.pendingIndex !== null || this.#timer.now() < this.#restsUntil) return false;
    if (isWanted || this.#bytes < this.#lastBytes) return isWanted;
    return this.#entries >= this.#policy.snapshotCount ||
      this.#bytes >= this.#policy.snapshotLogBytes;
  }

  /** Starts writing; `reader` shows the state machine as of `head.index`. */
  start(head: SnapshotHead & SnapshotMeta, reader: SnapshotReader): void {
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
   * @param isBusy whether somebody waits for the thread
   * @returns null when the next slice may follow; a promise when a sync comes first: of null, or of
   * the marker of the finished snapshot
   * Errors: rejects when a write or sync fails, save for a full disk: it is tried again later.
   */
  step(isBusy: boolean): Promise<SnapshotMarker | null> | null {
    const running = this.#running;
    if (running === null || this.#syncing) return null;
    try {
      const chunk = running.reader.next(isBusy ? BUSY_SLICE_BYTES : SLICE_BYTES);
      if (chunk === undefined) return this.#finish(running);
      running.writer.write(chunk);
      return running.writer.unflushed < FLUSH_BYTES ? null : this.#flush(running);
    } catch (error) {
      running.reader.close();
      running.writer.discard();
      this.#running = null;
      this.#giveUp(error);
      return Promise.resolve(null);
    }
  }

  /** Forgets a snapshot under way. */
  abort(): void {
    this.#discarded = this.#syncing;
    if (this.#running === null || this.#syncing) return;
    this.#running.reader.close();
    this.#running.writer.abandon();
    this.#running = null;
  }

  async #flush(running: Running): Promise<null> {
    this.#syncing = true;
    try {
      await running.writer.flush();
    } catch (error) {
      running.reader.close();
      running.writer.discard();
      this.#running = null;
      this.#giveUp(error);
    } finally {
      this.#syncing = false;
    }
    const isOvertaken = this.#discarded;
    this.#discarded = false;
    if (isOvertaken) this.abort();
    return null;
  }

  /**
   * The log's marker of `marker` is durable: older files and segments may go.
   * @returns after the directory is durable: the snapshot if it is this member's own, null for a
   * received one
   */
  async adopted(marker: SnapshotMarker, wal: Wal): Promise<SnapshotMeta | null> {
    this.#kept = [marker, ...this.#kept.filter((kept) => kept.index < marker.index)]
      .slice(0, KEPT_SNAPSHOTS);
    const unfinished = this.#running?.head ?? null;
    await removeOtherSnapshots(this.#disk, this.#directory, this.#kept, unfinished);
    await wal.release(this.#kept[this.#kept.length - 1].index);
    const own = this.#adopting;
    this.#adopting = null;
    return own?.index === marker.index && own.term === marker.term ? own : null;
  }

  async #finish(running: Running): Promise<SnapshotMarker | null> {
    this.#syncing = true;
    running.reader.close();
    try {
      await running.writer.finish();
    } catch (error) {
      this.#giveUp(error);
      return null;
    } finally {
      this.#syncing = false;
      this.#running = null;
    }
    if (this.#discarded) {
      this.#discarded = false;
      return null;
    }
    const { index, term, conf } = running.head;
    this.#adopting = { index, term, conf };
    this.#lastBytes = running.writer.bytes;
    this.#log("info", "snapshot written", { index, term, bytes: running.writer.bytes });
    return { index, term };
  }

  #giveUp(error: unknown): void {
    if (!isDiskFull(error)) throw error;
    this.#restsUntil = this.#timer.now() + FULL_DISK_REST_MILLIS;
    this.#log("warn", "no space for a snapshot; it is tried again later", {});
  }
}
