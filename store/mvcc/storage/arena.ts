/**
 * Bytes of keys and values in a few large buffers instead of one object each.
 * In: record sizes and owners. Out: 32-bit addresses and the buffers to fill.
 * Never: overwrites a record while it lives, so views of it stay true; a buffer goes away whole.
 *
 *   record  := length, owner, extra (three u32), payload padded to four bytes
 *   address := segment id << 20 | offset in four-byte units
 */

/** Owner of a record nobody needs any more. */
export const DEAD = 0xffffffff;
const HEADER_UNITS = 3;
const UNIT_BITS = 20;
const UNIT_MASK = (1 << UNIT_BITS) - 1;
const MAX_SEGMENTS = 1 << (32 - UNIT_BITS);
/** Largest ordinary segment: 4 MiB. */
export const MAX_SEGMENT_BYTES = 4 << UNIT_BITS;

export interface Segment {
  readonly id: number;
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  /** Units appended so far, and those of them that still live. */
  used: number;
  live: number;
  /** Revisions of the first and last record; kept by the value log alone. */
  firstRevision: number;
  lastRevision: number;
}

/** Segments in order of writing; records are appended to the last. */
export class Stream {
  segments: Segment[] = [];
}

export class Arena {
  readonly #segmentUnits: number;
  readonly #segments: (Segment | undefined)[] = [];
  readonly #freeIds: number[] = [];
  /** Bytes of all segments, and of the live records in them. */
  allocatedBytes = 0;
  liveBytes = 0;

  /** @param segmentBytes size of an ordinary segment, at most 4 MiB. */
  constructor(segmentBytes: number) {
    this.#segmentUnits = Math.min(segmentBytes, MAX_SEGMENT_BYTES) >>> 2;
  }

  /**
   * Appends a record; the caller fills its payload.
   * @param stream where to.
   * @param length payload bytes.
   * @param owner id found again when segments are walked.
   * @param extra 32 bits for the owner's use.
   * @returns the address.
   */
  append(stream: Stream, length: number, owner: number, extra: number): number {
    const units = HEADER_UNITS + ((length + 3) >>> 2);
    const { segments } = stream;
    let segment = segments[segments.length - 1];
    if (segment === undefined || segment.used + units > segment.words.length) {
      segment = this.#extend(stream, units);
    }
    const at = segment.used;
    const { words } = segment;
    words[at] = length;
    words[at + 1] = owner;
    words[at + 2] = extra;
    segment.used = at + units;
    segment.live += units;
    this.liveBytes += units * 4;
    return ((segment.id << UNIT_BITS) | at) >>> 0;
  }

  #extend(stream: Stream, units: number): Segment {
    const id = this.#freeIds.pop() ?? this.#segments.length;
    if (id >= MAX_SEGMENTS) throw new Error("arena: address space exhausted");
    const buffer = new ArrayBuffer(Math.max(units, this.#segmentUnits) * 4);
    const segment: Segment = {
      id,
      bytes: new Uint8Array(buffer),
      words: new Uint32Array(buffer),
      used: 0,
      live: 0,
      firstRevision: 0,
      lastRevision: 0,
    };
    this.#segments[id] = segment;
    this.allocatedBytes += buffer.byteLength;
    stream.segments.push(segment);
    return segment;
  }

  segmentOf(address: number): Segment {
    return this.#segments[address >>> UNIT_BITS]!;
  }

  bytesAt(address: number): Uint8Array {
    return this.#segments[address >>> UNIT_BITS]!.bytes;
  }

  /** First payload byte within `bytesAt`. */
  offsetOf(address: number): number {
    return ((address & UNIT_MASK) + HEADER_UNITS) << 2;
  }

  lengthAt(address: number): number {
    return this.#segments[address >>> UNIT_BITS]!.words[address & UNIT_MASK];
  }

  extraAt(address: number): number {
    return this.#segments[address >>> UNIT_BITS]!.words[(address & UNIT_MASK) + 2];
  }

  /** @returns a view of the payload; it stays true for ever, and keeps the segment's memory. */
  viewAt(address: number): Uint8Array {
    const start = this.offsetOf(address);
    return this.bytesAt(address).subarray(start, start + this.lengthAt(address));
  }

  /** Marks a record dead. */
  free(address: number): void {
    const segment = this.segmentOf(address);
    const at = address & UNIT_MASK;
    const units = HEADER_UNITS + ((segment.words[at] + 3) >>> 2);
    segment.words[at + 1] = DEAD;
    segment.live -= units;
    this.liveBytes -= units * 4;
  }

  /** Gives a segment back; the caller took it out of its stream and moved what lived. */
  drop(segment: Segment): void {
    this.#segments[segment.id] = undefined;
    this.#freeIds.push(segment.id);
    this.allocatedBytes -= segment.bytes.length;
    this.liveBytes -= segment.live * 4;
  }
}

/** Position of a record inside a segment, moved by `nextRecord`. */
export function recordAddress(segment: Segment, unit: number): number {
  return ((segment.id << UNIT_BITS) | unit) >>> 0;
}

/** @returns the unit after the record at `unit`. */
export function afterRecord(segment: Segment, unit: number): number {
  return unit + HEADER_UNITS + ((segment.words[unit] + 3) >>> 2);
}

/** @returns the owner of the record at `unit`, or DEAD. */
export function ownerAt(segment: Segment, unit: number): number {
  return segment.words[unit + 1];
}

/**
 * Copies bytes between buffers; a loop wins over `set` for short runs.
 * @param from source. @param start first byte. @param end byte after the last.
 * @param into target. @param at position in the target.
 */
export function copyBytes(
  from: Uint8Array,
  start: number,
  end: number,
  into: Uint8Array,
  at: number,
): void {
  if (end - start < 64) {
    for (let i = start; i < end; i++) into[at++] = from[i];
  } else into.set(from.subarray(start, end), at);
}
