/**
 * Snapshot files: the state machine as of one log index, in checksummed chunks.
 * In: chunks of bytes, a slice at a time. Out: a durable file, or its chunks read and verified.
 * Never: lets an unfinished file carry a final name, holds more than one chunk in memory, knows
 * what the chunks mean.
 * Layout: frames of `record.ts`; frame 0 is the head, an empty frame is the end.
 */
import type { Disk, DiskFile } from "../ports.ts";
import {
  alignFrame,
  crc32c,
  FRAME_HEADER_BYTES,
  readFrame,
  readSafeInteger,
  sealFrame,
  writeSafeInteger,
} from "./record.ts";
import type { SnapshotMarker } from "./wal_record.ts";

/** Snapshots that are kept, so that one unreadable file does not stop a member. */
export const KEPT_SNAPSHOTS = 2;
const SNAPSHOT_VERSION = 1;
const HEAD_FIXED_BYTES = 24;
/** No chunk is longer; a longer length read from a disk is damage. */
export const MAX_CHUNK_BYTES = 64 * 1024 * 1024;

/** What a snapshot file says of itself. */
export interface SnapshotHead extends SnapshotMarker {
  /** The membership as of `index`, encoded by the member. */
  readonly membership: Uint8Array;
}

/** @returns the name of a snapshot; names sort by index, then term */
export function snapshotName(marker: SnapshotMarker): string {
  const hex = (value: number) => value.toString(16).padStart(16, "0");
  return `${hex(marker.index)}-${hex(marker.term)}.snap`;
}

/** @returns the finished snapshots of a directory, newest first */
export function listSnapshots(disk: Disk, directory: string): SnapshotMarker[] {
  const found: SnapshotMarker[] = [];
  for (const name of disk.list(directory)) {
    const match = /^([0-9a-f]{16})-([0-9a-f]{16})\.snap$/.exec(name);
    if (match !== null) {
      found.push({ index: Number.parseInt(match[1], 16), term: Number.parseInt(match[2], 16) });
    }
  }
  return found.sort((a, b) => b.index - a.index || b.term - a.term);
}

/**
 * Removes what newer snapshots replace: finished files that are not kept, and unfinished ones.
 * A finished file newer than all of `keep` stays: it was received and is about to be named.
 * @param keep markers whose files stay, newest first
 * @param unfinished one that is being written now, null = none
 * Errors: rejects with the platform's error.
 */
export async function removeOtherSnapshots(
  disk: Disk,
  directory: string,
  keep: readonly SnapshotMarker[],
  unfinished: SnapshotMarker | null = null,
): Promise<void> {
  const newest = keep[0]?.index ?? 0;
  const replaced = listSnapshots(disk, directory).filter((marker) =>
    marker.index <= newest &&
    !keep.some(({ index, term }) => index === marker.index && term === marker.term)
  ).map(snapshotName);
  // What is begun after this call must not be taken for a leftover either.
  const written = unfinished === null ? "" : `${snapshotName(unfinished)}.tmp`;
  const leftovers = disk.list(directory).filter((name) =>
    name.endsWith(".snap.tmp") && name !== written
  );
  for (const name of [...replaced, ...leftovers]) await disk.removeLarge(`${directory}/${name}`);
  await disk.syncDirectory(directory);
}

/** Writes one snapshot; `write` may be called from many turns of the thread. */
export class SnapshotWriter {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #marker: SnapshotMarker;
  readonly #file: DiskFile;
  #position = 0;
  #flushed = 0;
  #sequence = 0;

  /** Errors: throws the platform's error when the file can't be created. */
  constructor(disk: Disk, directory: string, head: SnapshotHead) {
    this.#disk = disk;
    this.#directory = directory;
    this.#marker = head;
    this.#file = disk.open(`${directory}/${snapshotName(head)}.tmp`, { create: true });
    this.#file.truncate(0);
    this.write(encodeHead(head));
  }

  /** Bytes written so far. */
  get bytes(): number {
    return this.#position;
  }

  /**
   * Appends one chunk of at most MAX_CHUNK_BYTES, not empty.
   * Errors: throws the platform's error; call `discard` then.
   */
  write(chunk: Uint8Array): void {
    const frame = new Uint8Array(alignFrame(FRAME_HEADER_BYTES + chunk.length));
    frame.set(chunk, FRAME_HEADER_BYTES);
    const view = new DataView(frame.buffer);
    const seal = { sequence: this.#sequence++, salt: 0 };
    sealFrame(view, 0, FRAME_HEADER_BYTES + chunk.length, seal);
    this.#file.writeAt(this.#position, frame);
    this.#position += frame.length;
  }

  /**
   * Has the disk take what was written so far, so that `finish` need not wait for all of it, nor
   * the log behind it.
   * Errors: rejects when the sync fails; call `discard` then.
   */
  flush(): Promise<void> {
    this.#flushed = this.#position;
    return this.#file.sync("large");
  }

  /** Bytes that `flush` would write. */
  get unflushed(): number {
    return this.#position - this.#flushed;
  }

  /**
   * Makes the snapshot durable under its final name.
   * Errors: rejects when a write or sync fails; call `discard` then.
   */
  async finish(): Promise<void> {
    this.write(new Uint8Array(0));
    await this.#file.sync("large");
    this.#file.close();
    const path = `${this.#directory}/${snapshotName(this.#marker)}`;
    this.#disk.rename(`${path}.tmp`, path);
    await this.#disk.syncDirectory(this.#directory);
  }

  /** Stops writing and leaves the unfinished file to the next sweep. */
  abandon(): void {
    this.#file.close();
  }

  /** Stops writing and gives the space back. Errors: throws the platform's error. */
  discard(): void {
    this.#file.close();
    this.#disk.remove(this.#file.path);
  }
}

export type SnapshotRead =
  | { readonly kind: "chunk"; readonly bytes: Uint8Array }
  | { readonly kind: "end" }
  | { readonly kind: "damaged"; readonly offset: number; readonly detail: string };

/** Reads one snapshot chunk by chunk, verifying each. */
export class SnapshotReader {
  readonly #file: DiskFile;
  readonly #header = new Uint8Array(FRAME_HEADER_BYTES);
  #position = 0;
  #sequence = 0;

  /** Use `openSnapshot`. */
  constructor(file: DiskFile) {
    this.#file = file;
  }

  get path(): string {
    return this.#file.path;
  }

  /** @returns the next chunk, in memory of its own */
  next(): SnapshotRead {
    const start = this.#position;
    const damaged = (detail: string): SnapshotRead => ({ kind: "damaged", offset: start, detail });
    if (!this.#fill(start, this.#header)) return damaged("the file ends without its end mark");
    const view = new DataView(this.#header.buffer);
    const length = view.getUint32(4, true);
    const headerCrc = crc32c(this.#header, 0, 20, 0);
    if (headerCrc !== view.getUint32(20, true) || length > MAX_CHUNK_BYTES) {
      return damaged("the frame header fails its checksum");
    }
    const frame = new Uint8Array(alignFrame(FRAME_HEADER_BYTES + length));
    if (!this.#fill(start, frame)) return damaged("a chunk is cut short");
    const read = readFrame(frame, 0, { sequence: this.#sequence, salt: 0 });
    if (read.kind !== "frame") {
      return damaged(read.kind === "damaged" ? read.detail : "a chunk is incomplete");
    }
    this.#position += frame.length;
    this.#sequence++;
    if (length === 0) return { kind: "end" };
    return { kind: "chunk", bytes: frame.subarray(read.payloadStart, read.payloadEnd) };
  }

  close(): void {
    this.#file.close();
  }

  #fill(offset: number, into: Uint8Array): boolean {
    for (let at = 0; at < into.length;) {
      const count = this.#file.readAt(offset + at, into.subarray(at));
      if (count === 0) return false;
      at += count;
    }
    return true;
  }
}

export type SnapshotOpened =
  | { readonly kind: "opened"; readonly head: SnapshotHead; readonly reader: SnapshotReader }
  | { readonly kind: "damaged"; readonly path: string; readonly detail: string };

/**
 * Opens a finished snapshot and reads its head.
 * Errors: throws the platform's error when the file is missing or can't be read.
 */
export function openSnapshot(
  disk: Disk,
  directory: string,
  marker: SnapshotMarker,
): SnapshotOpened {
  return openSnapshotFile(disk, `${directory}/${snapshotName(marker)}`, marker);
}

/** As `openSnapshot`, for a file that does not have its final name yet. */
export function openSnapshotFile(
  disk: Disk,
  path: string,
  marker: SnapshotMarker,
): SnapshotOpened {
  const reader = new SnapshotReader(disk.open(path, { create: false }));
  const first = reader.next();
  const head = first.kind === "chunk" ? decodeHead(first.bytes) : "the head is missing";
  if (typeof head === "string") {
    reader.close();
    return { kind: "damaged", path, detail: first.kind === "damaged" ? first.detail : head };
  }
  if (head.index !== marker.index || head.term !== marker.term) {
    reader.close();
    return { kind: "damaged", path, detail: `the file says index ${head.index}` };
  }
  return { kind: "opened", head, reader };
}

function encodeHead(head: SnapshotHead): Uint8Array {
  const bytes = new Uint8Array(HEAD_FIXED_BYTES + head.membership.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, SNAPSHOT_VERSION, true);
  writeSafeInteger(view, 8, head.index);
  writeSafeInteger(view, 16, head.term);
  bytes.set(head.membership, HEAD_FIXED_BYTES);
  return bytes;
}

function decodeHead(bytes: Uint8Array): SnapshotHead | string {
  if (bytes.length < HEAD_FIXED_BYTES) return "the head is cut short";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint32(0, true);
  if (version !== SNAPSHOT_VERSION) {
    return `format version ${version} is not ${SNAPSHOT_VERSION}`;
  }
  return {
    index: readSafeInteger(view, 8),
    term: readSafeInteger(view, 16),
    membership: bytes.slice(HEAD_FIXED_BYTES),
  };
}
