/**
 * Both ends of a snapshot's way from the leader's disk to a follower's.
 * In: a finished snapshot file; chunks and their offsets. Out: the same file, verified, under its
 * final name.
 * Never: starts again from zero after a broken connection, or hands over an unverified file.
 */
import { openSnapshotFile, snapshotName } from "../disk/snapshot_file.ts";
import type { Disk, DiskFile, Timer } from "../ports.ts";
import type { SnapshotMeta } from "../raft/types.ts";

/** Bytes of one chunk on the wire. */
const CHUNK_BYTES = 256 * 1024;
const INCOMING = ".incoming";

/** Reads a snapshot file for sending; the open file survives its removal. */
export class OutgoingSnapshot {
  readonly size: number;
  readonly #file: DiskFile;
  #offset = 0;

  /** Errors: throws the platform's error when the file is gone. */
  constructor(disk: Disk, directory: string, meta: SnapshotMeta) {
    this.#file = disk.open(`${directory}/${snapshotName(meta)}`, { create: false });
    this.size = this.#file.size();
  }

  /** The receiver has everything before `offset`. */
  seek(offset: number): void {
    this.#offset = Math.min(offset, this.size);
  }

  /** @returns the next chunk and where it belongs, or null at the end */
  next(): { readonly offset: number; readonly bytes: Uint8Array } | null {
    if (this.#offset >= this.size) return null;
    const bytes = new Uint8Array(Math.min(CHUNK_BYTES, this.size - this.#offset));
    const count = this.#file.readAt(this.#offset, bytes);
    const chunk = { offset: this.#offset, bytes: bytes.subarray(0, count) };
    this.#offset += count;
    return count === 0 ? null : chunk;
  }

  close(): void {
    this.#file.close();
  }
}

/** Receives one snapshot file. */
export class IncomingSnapshot {
  readonly meta: SnapshotMeta;
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #size: number;
  readonly #file: DiskFile;
  #received: number;

  /**
   * @param parts.size of the whole file, bytes
   * Errors: throws the platform's error when the file can't be created.
   */
  constructor(
    parts: {
      readonly disk: Disk;
      readonly directory: string;
      readonly meta: SnapshotMeta;
      readonly size: number;
    },
  ) {
    const { disk, directory, meta, size } = parts;
    this.meta = meta;
    this.#disk = disk;
    this.#directory = directory;
    this.#size = size;
    const own = snapshotName(meta) + INCOMING;
    for (const name of disk.list(directory)) {
      if (name.endsWith(INCOMING) && name !== own) disk.remove(`${directory}/${name}`);
    }
    this.#file = disk.open(`${directory}/${own}`, { create: true });
    if (this.#file.size() > size) this.#file.truncate(0);
    this.#received = this.#file.size();
  }

  /** Bytes that need not be sent again. */
  get received(): number {
    return this.#received;
  }

  /**
   * Writes one chunk. @returns false when it does not belong here
   * Errors: throws the platform's error.
   */
  write(offset: number, bytes: Uint8Array): boolean {
    if (offset !== this.#received || offset + bytes.length > this.#size) return false;
    this.#file.writeAt(offset, bytes);
    this.#received += bytes.length;
    return true;
  }

  /**
   * Syncs, verifies and names the file.
   * @returns null, or why the file is unusable; it is gone then
   * Errors: rejects with the platform's error.
   */
  async finish(timer: Timer): Promise<string | null> {
    const path = this.#file.path;
    await this.#file.sync("large");
    this.#file.close();
    const problem = this.#received === this.#size
      ? await this.#verify(timer)
      : `${this.#received} of ${this.#size} bytes arrived`;
    if (problem !== null) {
      this.#disk.remove(path);
      return problem;
    }
    this.#disk.rename(path, `${this.#directory}/${snapshotName(this.meta)}`);
    await this.#disk.syncDirectory(this.#directory);
    return null;
  }

  /** The connection broke; what arrived stays for the next attempt. */
  suspend(): void {
    this.#file.close();
  }

  async #verify(timer: Timer): Promise<string | null> {
    const opened = openSnapshotFile(this.#disk, this.#file.path, this.meta);
    if (opened.kind === "damaged") return opened.detail;
    try {
      while (true) {
        const read = opened.reader.next();
        if (read.kind === "end") return null;
        if (read.kind === "damaged") return `offset ${read.offset}: ${read.detail}`;
        await new Promise<void>((resolve) => timer.soon(resolve));
      }
    } finally {
      opened.reader.close();
    }
  }
}
