/**
 * What one batch of the write-ahead log holds: hard state, entries, snapshot markers, and the head
 * of a segment.
 * In: Raft's records. Out: bytes of one frame's payload, and back.
 * Never: frames, checks sums or writes; a payload it can't read is an outcome, not an exception.
 * Source: own layout; little-endian, integers of eight bytes.
 */
import type { Entry, HardState } from "../raft/types.ts";
import { FRAME_HEADER_BYTES, readSafeInteger, sealFrame, writeSafeInteger } from "./record.ts";

/** Grows with the format; an unknown one is refused by name. */
export const WAL_VERSION = 1;

const RECORD_HEAD = 1;
const RECORD_HARD_STATE = 2;
const RECORD_ENTRY = 3;
const RECORD_MARKER = 4;

const HEAD_BYTES = 32;
const HARD_STATE_BYTES = 32;
const ENTRY_BYTES = 24;
const MARKER_BYTES = 24;

/** The state machine as of `index` is durable in a snapshot file. */
export interface SnapshotMarker {
  readonly index: number;
  readonly term: number;
}

/** First record of a segment. */
export interface SegmentHead {
  readonly segment: number;
  /** Seeds this segment's checksums, so that no client can forge a frame inside a value. */
  readonly salt: number;
  readonly clusterId: bigint;
  readonly memberId: bigint;
}

/** What a payload tells its reader, in order. */
export interface RecordVisitor {
  head(head: SegmentHead): void;
  hardState(hardState: HardState): void;
  entry(entry: Entry): void;
  marker(marker: SnapshotMarker): void;
}

/** One frame under construction; its memory is kept from batch to batch. */
export class BatchBuffer {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #end = FRAME_HEADER_BYTES;

  /** @param capacity bytes to start with */
  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get isEmpty(): boolean {
    return this.#end === FRAME_HEADER_BYTES;
  }

  /** Bytes of memory held. */
  get capacity(): number {
    return this.#bytes.length;
  }

  head(head: SegmentHead): void {
    const at = this.#reserve(HEAD_BYTES, RECORD_HEAD);
    this.#view.setUint16(at + 2, WAL_VERSION, true);
    this.#view.setUint32(at + 4, head.salt, true);
    writeSafeInteger(this.#view, at + 8, head.segment);
    this.#view.setBigUint64(at + 16, head.clusterId, true);
    this.#view.setBigUint64(at + 24, head.memberId, true);
  }

  hardState(hardState: HardState): void {
    const at = this.#reserve(HARD_STATE_BYTES, RECORD_HARD_STATE);
    writeSafeInteger(this.#view, at + 8, hardState.term);
    this.#view.setBigUint64(at + 16, hardState.vote, true);
    writeSafeInteger(this.#view, at + 24, hardState.commit);
  }

  entry(entry: Entry): void {
    const at = this.#reserve(ENTRY_BYTES + entry.data.length, RECORD_ENTRY);
    this.#bytes[at + 1] = entry.kind === "confChange" ? 1 : 0;
    this.#view.setUint32(at + 4, entry.data.length, true);
    writeSafeInteger(this.#view, at + 8, entry.term);
    writeSafeInteger(this.#view, at + 16, entry.index);
    this.#bytes.set(entry.data, at + ENTRY_BYTES);
  }

  marker(marker: SnapshotMarker): void {
    const at = this.#reserve(MARKER_BYTES, RECORD_MARKER);
    writeSafeInteger(this.#view, at + 8, marker.index);
    writeSafeInteger(this.#view, at + 16, marker.term);
  }

  /** @returns the sealed frame, valid until the next change of this buffer */
  seal(seal: { readonly sequence: number; readonly salt: number }): Uint8Array {
    this.#ensure(8);
    return this.#bytes.subarray(0, sealFrame(this.#view, 0, this.#end, seal));
  }

  clear(): void {
    this.#end = FRAME_HEADER_BYTES;
  }

  #reserve(length: number, type: number): number {
    this.#ensure(length);
    const at = this.#end;
    this.#bytes.fill(0, at, at + 8);
    this.#bytes[at] = type;
    this.#end = at + length;
    return at;
  }

  #ensure(length: number): void {
    if (this.#end + length <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#end + length + 8));
    grown.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/**
 * Reads one payload record by record.
 * @param bytes the buffer that holds the payload
 * @param range where in it, in bytes
 * @param visitor told of each record; entry data is copied
 * @returns null, or why the payload can't be read
 */
export function decodeBatch(
  bytes: Uint8Array,
  range: { readonly start: number; readonly end: number },
  visitor: RecordVisitor,
): string | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = range.start; at < range.end;) {
    const left = range.end - at;
    const type = bytes[at];
    if (left < MARKER_BYTES) return "a record is cut short";
    if (type === RECORD_HEAD && left >= HEAD_BYTES) {
      const version = view.getUint16(at + 2, true);
      if (version !== WAL_VERSION) return `format version ${version} is not ${WAL_VERSION}`;
      visitor.head({
        salt: view.getUint32(at + 4, true),
        segment: readSafeInteger(view, at + 8),
        clusterId: view.getBigUint64(at + 16, true),
        memberId: view.getBigUint64(at + 24, true),
      });
      at += HEAD_BYTES;
    } else if (type === RECORD_HARD_STATE && left >= HARD_STATE_BYTES) {
      visitor.hardState({
        term: readSafeInteger(view, at + 8),
        vote: view.getBigUint64(at + 16, true),
        commit: readSafeInteger(view, at + 24),
      });
      at += HARD_STATE_BYTES;
    } else if (type === RECORD_ENTRY) {
      const end = at + ENTRY_BYTES + view.getUint32(at + 4, true);
      if (end > range.end) return "an entry is cut short";
      visitor.entry({
        term: readSafeInteger(view, at + 8),
        index: readSafeInteger(view, at + 16),
        kind: bytes[at + 1] === 1 ? "confChange" : "normal",
        data: bytes.slice(at + ENTRY_BYTES, end),
      });
      at = end;
    } else if (type === RECORD_MARKER) {
      visitor.marker({
        index: readSafeInteger(view, at + 8),
        term: readSafeInteger(view, at + 16),
      });
      at += MARKER_BYTES;
    } else {
      return `record type ${type} is not known`;
    }
  }
  return null;
}
