/**
 * Makes Readys durable, one at a time.
 * In: hard state, entries, markers of finished snapshots. Out: a promise per write.
 * Never: has two writes under way; gives up a batch because the disk is full (it waits for space);
 * survives a failed sync.
 */
import type { Wal } from "../disk/wal.ts";
import type { SnapshotMarker } from "../disk/wal_record.ts";
import type { Entry, HardState } from "../raft/types.ts";

export class LogWriter {
  readonly #wal: Wal;
  #busy = false;
  #stopped = false;
  #hardState: HardState | null = null;
  #marker: SnapshotMarker | null = null;
  #spaceWaiter: (() => void) | null = null;
  /** Settles, never rejects, once the write under way has ended. */
  #ended: Promise<void> = Promise.resolve();

  constructor(wal: Wal) {
    this.#wal = wal;
  }

  /** Whether a write is under way. */
  get busy(): boolean {
    return this.#busy;
  }

  /** Whether a finished snapshot's marker waits for the next write. */
  get hasMarker(): boolean {
    return this.#marker !== null;
  }

  /** Keeps a hard state for the next write; a commit index alone is not worth a sync. */
  hold(hardState: HardState): void {
    this.#hardState = hardState;
  }

  /** The snapshot of `marker` is durable and the log has to name it. */
  mark(marker: SnapshotMarker): void {
    this.#marker = marker;
  }

  /**
   * Writes and syncs what is held, `entries`, and the marker of a received snapshot. Waits for a
   * write under way: Raft knows of its own, but not of one that carries nothing but a marker.
   * @param prepare runs before the log is written: installs the received snapshot
   * @returns the marker that became durable, null when there was none; "stopped" when the writer
   * was stopped while it waited for space
   * Errors: rejects when the disk fails.
   */
  async write(
    entries: readonly Entry[],
    received: SnapshotMarker | null,
    prepare: (() => Promise<void>) | null,
  ): Promise<SnapshotMarker | null | "stopped"> {
    while (this.#busy) await this.#ended;
    if (this.#stopped) return "stopped";
    this.#busy = true;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ended = promise;
    const marker = received ?? this.#marker;
    const hardState = this.#hardState;
    this.#hardState = null;
    // A received snapshot is newer than any of this member's own.
    this.#marker = null;
    try {
      if (prepare !== null) await prepare();
      let outcome = await this.#wal.append({ hardState, entries, marker });
      while (outcome === "noSpace") {
        if (this.#stopped) return "stopped";
        await new Promise<void>((resolve) => this.#spaceWaiter = resolve);
        outcome = await this.#wal.retry();
      }
      return this.#stopped ? "stopped" : marker;
    } catch (error) {
      // Whoever waits must not write after a failed sync.
      this.#stopped = true;
      throw error;
    } finally {
      this.#busy = false;
      resolve();
    }
  }

  /** Has a write that found the disk full try again, and reserves space when there was none. */
  probeSpace(): void {
    if (this.#spaceWaiter !== null) this.#resumeWaiting();
    else if (this.#wal.spaceLow && !this.#busy) this.#wal.probeSpace();
  }

  /** No further write is wanted; one that waits for space is given up. */
  stop(): void {
    this.#stopped = true;
    this.#resumeWaiting();
  }

  #resumeWaiting(): void {
    const resume = this.#spaceWaiter;
    this.#spaceWaiter = null;
    resume?.();
  }
}
