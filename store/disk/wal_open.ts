/**
 * Recovery of the write-ahead log: reads every segment, cuts a torn tail, refuses damage.
 * In: a directory of segments. Out: a log ready for appending and what it held, or the file and
 * offset of the damage.
 * Never: guesses past damage; a frame that was once durable and can't be read now stops the member.
 * Source: Ongaro's thesis section 3.8; Alagappan et al., "Protocol-Aware Recovery" (FAST '18).
 */
import type { Disk, DiskFile } from "../ports.ts";
import type { Entry, HardState } from "../raft/types.ts";
import { findLaterFrame, readFrame } from "./record.ts";
import { type ClosedSegment, segmentName, Wal, type WalIdentity, type WalOptions } from "./wal.ts";
import { decodeBatch, type SegmentHead, type SnapshotMarker } from "./wal_record.ts";

/** Everything the log's segments hold, replaced entries left out. */
export interface WalContents {
  readonly identity: WalIdentity;
  readonly hardState: HardState;
  /** Without a gap; the first may lie before the newest marker. */
  readonly entries: readonly Entry[];
  /** Oldest first. */
  readonly markers: readonly SnapshotMarker[];
  /** Bytes of a torn last write that were cut off, 0 after a clean stop. */
  readonly tornBytes: number;
}

export type WalOpened =
  | { readonly kind: "opened"; readonly wal: Wal; readonly contents: WalContents }
  | {
    readonly kind: "damaged";
    readonly path: string;
    readonly offset: number;
    readonly detail: string;
  };

/** @returns whether the directory holds a log at all */
export function walExists(disk: Disk, directory: string): boolean {
  return segmentsOf(disk, directory).length > 0;
}

/**
 * Opens the log of a directory and makes it ready for appending.
 * @returns the log and its contents, or where the damage lies
 * Errors: rejects with the platform's error when a file can't be read or cut.
 */
export async function openWal(
  disk: Disk,
  directory: string,
  options: WalOptions,
): Promise<WalOpened> {
  for (const name of disk.list(directory)) {
    if (name.endsWith(".wal.tmp")) disk.remove(`${directory}/${name}`);
  }
  const names = segmentsOf(disk, directory);
  const replay = new Replay();
  const closed: ClosedSegment[] = [];
  let last: { file: DiskFile; scan: SegmentScan } | null = null;
  for (let i = 0; i < names.length; i++) {
    const path = `${directory}/${names[i]}`;
    const isLast = i === names.length - 1;
    const file = disk.open(path, { create: false });
    const bytes = readAll(file);
    const scan = scanSegment(bytes, replay);
    const detail = scan.damage ?? disagreement(scan, { isLast, replay, name: names[i] });
    if (detail !== null) {
      file.close();
      return { kind: "damaged", path, offset: scan.position, detail };
    }
    if (isLast) {
      // What a killed process wrote without a sync is in memory only; power may still take it.
      if (scan.leftoverEnd > 0) await cutTail(file, scan.position);
      else await file.sync();
      last = { file, scan };
    } else {
      file.close();
      closed.push({ path, lastIndex: replay.lastIndex });
    }
  }
  await disk.syncDirectory(directory);
  if (last === null || last.scan.head === null) throw new Error("openWal needs an existing log");
  const { file, scan } = last;
  const current = {
    file,
    head: last.scan.head,
    position: scan.position,
    sequence: scan.sequence,
    lastIndex: replay.lastIndex,
  };
  const contents = replay.contents(Math.max(0, scan.leftoverEnd - scan.position));
  const hardState = contents.hardState;
  return {
    kind: "opened",
    wal: new Wal({ disk, directory, options, closed, current, hardState }),
    contents,
  };
}

function segmentsOf(disk: Disk, directory: string): string[] {
  return disk.list(directory).filter((name) => /^[0-9a-f]{16}\.wal$/.test(name)).sort();
}

function readAll(file: DiskFile): Uint8Array {
  const bytes = new Uint8Array(file.size());
  for (let at = 0; at < bytes.length;) {
    const count = file.readAt(at, bytes.subarray(at));
    if (count === 0) throw new Error(`${file.path} shrank while it was read`);
    at += count;
  }
  return bytes;
}

/** How far one segment could be read. */
interface SegmentScan {
  readonly head: SegmentHead | null;
  /** Where the next frame goes, or where the damage lies. */
  readonly position: number;
  readonly sequence: number;
  /** One past the last byte of a torn write, 0 when there is none. */
  readonly leftoverEnd: number;
  readonly damage: string | null;
}

function scanSegment(bytes: Uint8Array, replay: Replay): SegmentScan {
  let position = 0;
  let sequence = 0;
  let salt = 0;
  replay.startSegment();
  const scan = (damage: string | null, leftoverEnd = 0): SegmentScan => {
    return { head: replay.segmentHead, position, sequence, leftoverEnd, damage };
  };
  while (true) {
    const frame = readFrame(bytes, position, { sequence, salt });
    if (frame.kind === "damaged") return scan(frame.detail);
    if (frame.kind !== "frame") {
      if (sequence === 0) return scan("the segment's head is missing");
      const afterSequence = sequence - 1;
      const later = findLaterFrame(bytes, position + 1, { afterSequence, salt });
      if (later < 0) return scan(null, lastNonZero(bytes, position));
      return scan(`unreadable, yet an intact frame follows at offset ${later}`);
    }
    const range = { start: frame.payloadStart, end: frame.payloadEnd };
    const problem = decodeBatch(bytes, range, replay) ?? replay.problem;
    if (problem !== null) return scan(problem);
    if (sequence === 0) {
      if (replay.segmentHead === null) return scan("the segment's head is missing");
      salt = replay.segmentHead.salt;
    }
    position = frame.next;
    sequence++;
  }
}

/** What is wrong with a readable segment in its place among the others. */
function disagreement(
  scan: SegmentScan,
  place: { readonly isLast: boolean; readonly replay: Replay; readonly name: string },
): string | null {
  if (!place.isLast && scan.leftoverEnd > 0) return "a torn write in a segment that others follow";
  if (scan.head !== null && segmentName(scan.head.segment) !== place.name) {
    return `the file says that it is segment ${scan.head.segment}`;
  }
  return place.replay.problem;
}

async function cutTail(file: DiskFile, position: number): Promise<void> {
  const size = file.size();
  file.truncate(position);
  file.allocate(size);
  await file.sync();
}

/** @returns one past the last byte from `from` on that is not zero, 0 when all are */
function lastNonZero(bytes: Uint8Array, from: number): number {
  for (let at = bytes.length - 1; at >= from; at--) if (bytes[at] !== 0) return at + 1;
  return 0;
}

/** Applies records in order, as the member once did. */
class Replay {
  segmentHead: SegmentHead | null = null;
  /** What can't be true of an undamaged log. */
  problem: string | null = null;
  #identity: WalIdentity | null = null;
  #previousSegment = 0;
  #hardState: HardState = { term: 0, vote: 0n, commit: 0 };
  #entries: Entry[] = [];
  #markers: SnapshotMarker[] = [];
  #floor = 0;

  get lastIndex(): number {
    return this.#entries.at(-1)?.index ?? this.#floor;
  }

  startSegment(): void {
    this.segmentHead = null;
  }

  head(head: SegmentHead): void {
    this.segmentHead = head;
    if (this.#identity === null) this.#identity = head;
    else if (
      head.clusterId !== this.#identity.clusterId || head.memberId !== this.#identity.memberId
    ) this.problem ??= "the segment belongs to another member or cluster";
    if (this.#previousSegment !== 0 && head.segment !== this.#previousSegment + 1) {
      this.problem ??= `segment ${this.#previousSegment + 1} is missing before this one`;
    }
    this.#previousSegment = head.segment;
  }

  hardState(hardState: HardState): void {
    this.#hardState = hardState;
  }

  entry(entry: Entry): void {
    const first = this.#entries[0]?.index ?? entry.index;
    if (entry.index < first) this.#entries.length = 0;
    else if (this.#entries.length > 0) {
      if (entry.index > this.lastIndex + 1) {
        this.problem ??= `entry ${entry.index} follows entry ${this.lastIndex}`;
      }
      this.#entries.length = Math.min(this.#entries.length, entry.index - first);
    }
    this.#entries.push(entry);
  }

  marker(marker: SnapshotMarker): void {
    this.#markers.push(marker);
    const first = this.#entries[0]?.index ?? marker.index;
    const held = this.#entries[marker.index - first];
    // A leader's snapshot replaces a log that does not reach it; our own leaves the log alone.
    if (held?.term === marker.term) return;
    if (this.lastIndex < marker.index || held !== undefined) {
      this.#entries.length = 0;
      this.#floor = marker.index;
    }
  }

  contents(tornBytes: number): WalContents {
    if (this.#identity === null) throw new Error("a log without a segment was replayed");
    return {
      identity: { clusterId: this.#identity.clusterId, memberId: this.#identity.memberId },
      hardState: this.#hardState,
      entries: this.#entries,
      markers: this.#markers,
      tornBytes,
    };
  }
}
