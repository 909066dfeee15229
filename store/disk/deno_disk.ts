/**
 * The Disk port on Deno: positioned reads and writes on the thread, syncs where they cost least.
 * In: paths and bytes. Out: files of mode 0600 in directories of mode 0700.
 * Never: caches, retries, or hides an error of the platform.
 * Measured: write and fdatasync of 4 KiB 240 µs, onto blocks that already exist 117 µs; hence
 * `allocate` writes zeros, where a reservation alone would leave metadata for the sync to write.
 * With both cores busy a sync of 240 µs took 600 to 2,000 µs when another thread made it, for that
 * thread and then this one wait for a core; hence `SyncPace`.
 */
import { statfsSync } from "node:fs";
import type { Disk, DiskFile } from "../ports.ts";

const ZEROS = new Uint8Array(1024 * 1024);

/** Name of the file whose lock claims a data directory. */
const LOCK_NAME = "lock";

/** A sync on the thread may take this long, milliseconds. */
const QUICK_SYNC_MILLIS = 2;
/** So many slow ones in a row mean a slow disk rather than a busy machine. */
const SLOW_SYNCS = 8;
/** A slow disk is tried again after this long. */
const RETRY_MILLIS = 1_000;

/** Keeps syncs on the thread while the disk answers quickly, else sends them off it. */
export class SyncPace {
  readonly #now: () => number;
  #slow = 0;
  #retryAt = 0;

  /** @param now monotonic milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whether the next sync should run on the thread. */
  get onThread(): boolean {
    return this.#slow < SLOW_SYNCS || this.#now() >= this.#retryAt;
  }

  /** Runs a sync on the thread and learns from it. */
  run(sync: () => void): void {
    const started = this.#now();
    sync();
    const ended = this.#now();
    if (ended - started <= QUICK_SYNC_MILLIS) this.#slow = 0;
    else if (++this.#slow >= SLOW_SYNCS) this.#retryAt = ended + RETRY_MILLIS;
  }
}

class DenoFile implements DiskFile {
  readonly path: string;
  readonly #file: Deno.FsFile;
  readonly #pace: SyncPace;

  constructor(path: string, file: Deno.FsFile, pace: SyncPace) {
    this.path = path;
    this.#file = file;
    this.#pace = pace;
  }

  size(): number {
    return this.#file.statSync().size;
  }

  readAt(offset: number, into: Uint8Array): number {
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    return this.#file.readSync(into) ?? 0;
  }

  writeAt(offset: number, bytes: Uint8Array): void {
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
  }

  allocate(length: number): void {
    for (let at = this.size(); at < length;) {
      const count = Math.min(ZEROS.length, length - at);
      this.writeAt(at, ZEROS.subarray(0, count));
      at += count;
    }
  }

  truncate(length: number): void {
    this.#file.truncateSync(length);
  }

  sync(size?: "large"): Promise<void> {
    if (size === "large" || !this.#pace.onThread) return this.#file.syncData();
    try {
      this.#pace.run(() => this.#file.syncDataSync());
      return Promise.resolve();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  close(): void {
    this.#file.close();
  }
}

/** @returns the disk of this machine */
export function createDenoDisk(): Disk {
  const pace = new SyncPace(() => performance.now());
  return {
    open(path, { create }) {
      return new DenoFile(
        path,
        Deno.openSync(path, { read: true, write: true, create, mode: 0o600 }),
        pace,
      );
    },
    list: (directory) => Array.from(Deno.readDirSync(directory), (entry) => entry.name).sort(),
    rename: (from, to) => Deno.renameSync(from, to),
    remove: (path) => Deno.removeSync(path),
    removeLarge: (path) => Deno.remove(path),
    makeDirectory: (path) => Deno.mkdirSync(path, { recursive: true, mode: 0o700 }),
    async syncDirectory(path) {
      const directory = await Deno.open(path, { read: true });
      try {
        await directory.sync();
      } finally {
        directory.close();
      }
    },
    freeBytes(path) {
      const { bavail, bsize } = statfsSync(path);
      return bavail * bsize;
    },
    lock: lockDirectory,
  };
}

/** The kernel drops the lock with the process, so a crash leaves nothing to clean up. */
function lockDirectory(directory: string): (() => void) | null {
  const path = `${directory}/${LOCK_NAME}`;
  const file = Deno.openSync(path, { read: true, write: true, create: true, mode: 0o600 });
  if (!file.tryLockSync(true)) {
    file.close();
    return null;
  }
  return () => file.close();
}
