/**
 * Forgets history before the compact revision, a little at a time.
 * In: budgets. Out: freed versions, keys and segments.
 * Never: changes what any allowed read answers; runs while a reader has history pinned.
 * Source: etcd's rule: of each key keep the newest version at or before the compact revision,
 * unless it is a deletion made before it.
 *
 * A run walks only the records between the last compaction and this one: whatever a record in
 * there follows is obsolete. Then segments wholly before the revision leave the ordered part of
 * the log, and sparse ones are emptied into denser ones.
 */
import { type HistoryWalk, SegmentSweep } from "./history.ts";
import type { Kv } from "./kv.ts";

/** A base segment is rewritten when less than this part of it lives. */
const SPARSE = 0.6;
/** Moving that much costs about as much as looking at a record. */
const MOVED_BYTES_PER_UNIT = 64;

export class Compaction {
  readonly #kv: Kv;
  /** Every key has at most one version at or before this revision. */
  finishedRevision = -1;
  #target = -1;
  #walk: HistoryWalk | undefined;
  #sweep: SegmentSweep | undefined;
  #phase: "idle" | "versions" | "segments" = "idle";

  constructor(kv: Kv) {
    this.#kv = kv;
  }

  /**
   * Works on.
   * @param budget units of work, about 2 million a second: a record looked at is one, and so are
   *   64 bytes moved, so that large values make no long step.
   * @returns true when there is more to do now.
   */
  step(budget: number): boolean {
    if (this.#kv.pins > 0) return false;
    let left = budget;
    while (left > 0) {
      if (this.#phase === "idle") {
        if (this.finishedRevision >= this.#kv.compactRevision) return false;
        this.#target = this.#kv.compactRevision;
        this.#walk = this.#kv.history.walkFrom(this.finishedRevision);
        this.#phase = "versions";
        left--;
      } else if (this.#phase === "versions") {
        left = this.#freeVersions(left);
      } else left = this.#sweepSegments(left);
    }
    return true;
  }

  #freeVersions(budget: number): number {
    const { versions } = this.#kv;
    let left = budget;
    for (; left > 0; left--) {
      const version = this.#walk!.next();
      if (version === 0 || versions.revisionOf(version) > this.#target) {
        this.finishedRevision = this.#target;
        this.#walk = undefined;
        this.#retire();
        this.#phase = "segments";
        return left;
      }
      this.#freeBefore(version);
    }
    return left;
  }

  #freeBefore(version: number): void {
    const { versions, keys, history } = this.#kv;
    const previous = versions.previousOf(version);
    if (previous !== 0) history.free(previous);
    if (!versions.isTombstone(version) || versions.revisionOf(version) >= this.#target) {
      versions.cutBefore(version);
      return;
    }
    // A deletion before the compact revision hides nothing any more.
    const key = versions.keyOf(version);
    if (keys.newest(key) === version) this.#kv.forget(key);
    history.free(version);
  }

  /** Takes the segments that hold nothing at or after the compact revision out of the order. */
  #retire(): void {
    const { recent, base, arena } = this.#kv.history;
    let count = 0;
    while (
      count < recent.segments.length - 1 &&
      recent.segments[count].lastRevision < this.finishedRevision
    ) count++;
    for (const segment of recent.segments.splice(0, count)) {
      if (segment.live === 0) arena.drop(segment);
      else base.segments.unshift(segment);
    }
  }

  #sweepSegments(budget: number): number {
    const { history } = this.#kv;
    let left = budget;
    while (left > 0) {
      const sweep = this.#sweep ??= this.#nextSweep();
      if (sweep === undefined) {
        this.#phase = "idle";
        return left;
      }
      const version = sweep.next();
      left--;
      if (version === 0) {
        history.arena.drop(sweep.segment);
        this.#sweep = undefined;
        continue;
      }
      left -= Math.ceil(history.arena.lengthAt(sweep.address) / MOVED_BYTES_PER_UNIT);
      history.move(version, sweep.address);
    }
    return left;
  }

  #nextSweep(): SegmentSweep | undefined {
    const { segments } = this.#kv.history.base;
    // The last segment is the one being filled.
    const index = segments.findIndex((segment, i) =>
      i < segments.length - 1 && segment.live < segment.used * SPARSE
    );
    return index < 0 ? undefined : new SegmentSweep(segments.splice(index, 1)[0]);
  }

  /** Finishes the segment being emptied, so that every live record is in a stream again. */
  settle(): void {
    while (this.#sweep !== undefined) {
      const version = this.#sweep.next();
      if (version !== 0) this.#kv.history.move(version, this.#sweep.address);
      else {
        this.#kv.history.arena.drop(this.#sweep.segment);
        this.#sweep = undefined;
      }
    }
  }
}
