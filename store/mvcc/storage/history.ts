/**
 * The value log: every version's record, in the order of their revisions.
 * In: versions to store. Out: walks over them from a revision on.
 * Never: decides what is obsolete (`compaction.ts` does).
 *
 * Two streams: `recent` holds every record at or after the last finished compaction in exact
 * order, so watchers can replay it; `base` holds what older compactions kept, in no order. A key
 * has at most one record in `base`, older than all its records in `recent`.
 */
import { type ProtoWriter, putVarint } from "../proto.ts";
import {
  afterRecord,
  Arena,
  copyBytes,
  DEAD,
  ownerAt,
  recordAddress,
  type Segment,
  Stream,
} from "./arena.ts";
import { RecordFields } from "./record.ts";
import type { VersionTable } from "./version_table.ts";

export class History {
  readonly arena: Arena;
  readonly recent = new Stream();
  readonly base = new Stream();
  readonly #versions: VersionTable;

  constructor(versions: VersionTable, segmentBytes: number) {
    this.#versions = versions;
    this.arena = new Arena(segmentBytes);
  }

  /** Reserves the record of the next version in revision order; the caller fills it. */
  append(length: number, version: number, sub: number, revision: number): number {
    const address = this.arena.append(this.recent, length, version, sub);
    const segment = this.recent.segments[this.recent.segments.length - 1];
    if (segment.firstRevision === 0) segment.firstRevision = revision;
    segment.lastRevision = revision;
    return address;
  }

  /** Points `fields` at a version's record. */
  read(version: number, fields: RecordFields): RecordFields {
    const address = this.#versions.addressOf(version);
    const { arena } = this;
    return fields.read(arena.bytesAt(address), arena.offsetOf(address), arena.lengthAt(address));
  }

  /** Appends a version's record, which is a KeyValue as it stands, as a field of a message. */
  encodeInto(writer: ProtoWriter, field: number, version: number): void {
    const address = this.#versions.addressOf(version);
    const { arena } = this;
    const length = arena.lengthAt(address);
    const start = arena.offsetOf(address);
    writer.reserve(length + 20);
    let at = putVarint(writer.bytes, writer.length, (field << 3) | 2);
    at = putVarint(writer.bytes, at, length);
    copyBytes(arena.bytesAt(address), start, start + length, writer.bytes, at);
    writer.length = at + length;
  }

  /** Position of a version among those of its revision. */
  subOf(version: number): number {
    return this.arena.extraAt(this.#versions.addressOf(version));
  }

  /** @returns a walk over the versions with at least this revision, oldest first. */
  walkFrom(revision: number): HistoryWalk {
    const { segments } = this.recent;
    let low = 0;
    let high = segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (segments[middle].lastRevision < revision) low = middle + 1;
      else high = middle;
    }
    return new HistoryWalk(this.#versions, segments, low, revision);
  }

  /** @returns a walk over the records of the base. */
  walkBase(): HistoryWalk {
    return new HistoryWalk(this.#versions, this.base.segments, 0, 0);
  }

  /** Forgets a version and its record. */
  free(version: number): void {
    this.arena.free(this.#versions.addressOf(version));
    this.#versions.free(version);
  }

  /** Copies a base record to the end of the base; what the sweep of a sparse segment does. */
  move(version: number, from: number): void {
    const { arena } = this;
    const length = arena.lengthAt(from);
    const start = arena.offsetOf(from);
    const to = arena.append(this.base, length, version, arena.extraAt(from));
    copyBytes(arena.bytesAt(from), start, start + length, arena.bytesAt(to), arena.offsetOf(to));
    arena.free(from);
    this.#versions.setAddress(version, to);
  }
}

/** A walk that stays valid while records are appended, but not across a compaction step. */
export class HistoryWalk {
  readonly #versions: VersionTable;
  readonly #segments: readonly Segment[];
  readonly #revision: number;
  #index: number;
  #unit = 0;

  constructor(
    versions: VersionTable,
    segments: readonly Segment[],
    index: number,
    revision: number,
  ) {
    this.#versions = versions;
    this.#segments = segments;
    this.#index = index;
    this.#revision = revision;
  }

  /** @returns the next live version, 0 at the end (ask again after more was appended). */
  next(): number {
    for (;;) {
      const segment = this.#segments[this.#index];
      if (segment === undefined) return 0;
      if (this.#unit >= segment.used) {
        if (this.#index + 1 >= this.#segments.length) return 0;
        this.#index++;
        this.#unit = 0;
        continue;
      }
      const version = ownerAt(segment, this.#unit);
      this.#unit = afterRecord(segment, this.#unit);
      if (version !== DEAD && this.#versions.revisionOf(version) >= this.#revision) return version;
    }
  }
}

/** Walks one segment that left its stream, giving [version, address] of what lives in it. */
export class SegmentSweep {
  readonly segment: Segment;
  #unit = 0;
  address = 0;

  constructor(segment: Segment) {
    this.segment = segment;
  }

  /** @returns the next live version, its record at `address`; 0 at the end. */
  next(): number {
    while (this.#unit < this.segment.used) {
      const version = ownerAt(this.segment, this.#unit);
      this.address = recordAddress(this.segment, this.#unit);
      this.#unit = afterRecord(this.segment, this.#unit);
      if (version !== DEAD) return version;
    }
    return 0;
  }
}
