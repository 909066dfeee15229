/**
 * The replicated log in memory: entries not forgotten yet, and five marks on them.
 * In: entries of this member's leader or of itself. Out: terms, slices, what to write, what to
 * apply.
 * Never: decides what is committed; writes; changes an entry once appended.
 * Marks, each at most the next one where the runner keeps its order:
 * applied ≤ applying ≤ min(commit, stable); stable ≤ handed ≤ lastIndex.
 * Source: Ongaro's thesis, sections 3.5, 3.6 and 5.
 */
import { assert } from "./assert.ts";
import type { Entry, EntryKind, SnapshotMeta } from "./types.ts";

/** Shared so that a Ready without entries allocates none. */
export const noEntries: readonly Entry[] = Object.freeze([]);

/** Bytes counted per entry beside its data, so that empty entries fill a message too. */
const entryOverheadBytes = 16;

/** How much of a log stays in memory for whoever may fall behind. */
export interface LogTail {
  readonly entries: number;
  readonly bytes: number;
}

function bytesOf(entry: Entry): number {
  return entry.data.length + entryOverheadBytes;
}

/** What `termAt` answers for an index that is compacted or not yet written; terms are never so. */
export const unknownTerm = -1;

export class RaftLog {
  /** `#entries[i]` has index `#offset + 1 + i`. */
  #entries: Entry[];
  #offset: number;
  #offsetTerm: number;
  #bytes = 0;
  /** The newest snapshot of this member, sent to followers which fell behind `firstIndex`. */
  snapshot: SnapshotMeta;
  /** A snapshot of the leader that the runner must install; null when none. */
  pendingSnapshot: SnapshotMeta | null = null;
  commit: number;
  /** Entries up to here were handed out in a Ready to be written. */
  handed: number;
  /** Entries up to here are durable. */
  stable: number;
  /** Entries up to here were handed out to be applied. */
  applying: number;
  applied: number;

  /**
   * @param found the newest snapshot, the entries after it without a gap, the durable commit index
   * and the index applied so far
   * Errors: throws when these contradict one another, for the runner vouches for its disk.
   */
  constructor(
    found: {
      snapshot: SnapshotMeta;
      entries: readonly Entry[];
      commit: number;
      applied: number;
    },
  ) {
    this.snapshot = found.snapshot;
    this.#offset = found.snapshot.index;
    this.#offsetTerm = found.snapshot.term;
    this.#entries = found.entries.slice();
    this.commit = Math.max(found.commit, found.snapshot.index);
    this.applied = Math.max(found.applied, found.snapshot.index);
    this.applying = this.applied;
    this.handed = this.lastIndex;
    this.stable = this.lastIndex;
    for (let i = 0; i < this.#entries.length; i++) {
      assert(this.#entries[i].index === this.#offset + 1 + i, "the log on disk has no gap");
      this.#bytes += bytesOf(this.#entries[i]);
    }
    assert(this.commit <= this.lastIndex, "the durable commit index is inside the durable log");
    assert(this.applied <= this.commit, "nothing is applied before it is committed");
  }

  get firstIndex(): number {
    return this.#offset + 1;
  }

  get lastIndex(): number {
    return this.#offset + this.#entries.length;
  }

  get lastTerm(): number {
    const length = this.#entries.length;
    return length === 0 ? this.#offsetTerm : this.#entries[length - 1].term;
  }

  /** @returns the entry's term, also for the one just before `firstIndex`; else `unknownTerm`. */
  termAt(index: number): number {
    const at = index - this.#offset - 1;
    if (at === -1) return this.#offsetTerm;
    return at < -1 || at >= this.#entries.length ? unknownTerm : this.#entries[at].term;
  }

  /** The leader's own append. @returns the new entry's index. */
  append(term: number, kind: EntryKind, data: Uint8Array): number {
    const index = this.#offset + this.#entries.length + 1;
    this.#push({ term, index, kind, data });
    return index;
  }

  /**
   * A follower's append: keeps what matches, replaces what conflicts.
   * @param prevIndex index of the entry before `entries`
   * @param prevTerm its term at the leader
   * @param entries contiguous from `prevIndex + 1`
   * @returns the last index known to match the leader, or -1 when `prevIndex` does not match.
   */
  tryAppend(prevIndex: number, prevTerm: number, entries: readonly Entry[]): number {
    if (this.termAt(prevIndex) !== prevTerm) return -1;
    let known = 0;
    while (
      known < entries.length && this.termAt(entries[known].index) === entries[known].term
    ) known++;
    if (known < entries.length) {
      this.#truncateAfter(prevIndex + known);
      for (let i = known; i < entries.length; i++) this.#push(entries[i]);
    }
    return prevIndex + entries.length;
  }

  #push(entry: Entry): void {
    this.#entries.push(entry);
    this.#bytes += bytesOf(entry);
  }

  #truncateAfter(index: number): void {
    assert(index >= this.commit, "a committed entry is never replaced");
    if (index >= this.lastIndex) return;
    for (const entry of this.#entries.splice(index - this.#offset)) this.#bytes -= bytesOf(entry);
    this.handed = Math.min(this.handed, index);
    this.stable = Math.min(this.stable, index);
  }

  /**
   * The largest index up to `index` whose term is not above `term`: nothing later can match a log
   * whose entry at `index` has that term, because terms never fall along a log.
   */
  lastNotAbove(index: number, term: number): number {
    let at = Math.min(index, this.lastIndex);
    while (at > this.#offset && this.termAt(at) > term) at--;
    return at;
  }

  /** Whether a log ending so holds everything this one may have committed. */
  isUpToDate(lastIndex: number, lastTerm: number): boolean {
    const own = this.lastTerm;
    return lastTerm > own || (lastTerm === own && lastIndex >= this.lastIndex);
  }

  /** @returns whether the commit index moved. */
  commitTo(index: number): boolean {
    if (index <= this.commit) return false;
    assert(index <= this.lastIndex, "the commit index is inside the log");
    this.commit = index;
    return true;
  }

  /**
   * Entries from `from` on, at most to `to`: as many as fit `maxBytes`, and at least one.
   * @param from index, at least `firstIndex`
   * @param to index, inclusive
   */
  slice(from: number, to: number, maxBytes: number): readonly Entry[] {
    const last = Math.min(to, this.lastIndex);
    if (from > last) return noEntries;
    const start = from - this.#offset - 1;
    const limit = last - this.#offset;
    let bytes = 0;
    let end = start;
    while (end < limit) {
      bytes += bytesOf(this.#entries[end]);
      if (bytes > maxBytes && end > start) break;
      end++;
    }
    return this.#entries.slice(start, end);
  }

  /** The entry at `index`, which must lie inside the log. */
  at(index: number): Entry {
    const entry = this.#entries[index - this.#offset - 1];
    assert(entry !== undefined, "only entries inside the log are read");
    return entry;
  }

  /** Entries to write that no Ready has carried yet; marks them as handed out. */
  takeUnwritten(): readonly Entry[] {
    if (this.handed >= this.lastIndex) return noEntries;
    const entries = this.#entries.slice(this.handed - this.#offset);
    this.handed = this.lastIndex;
    return entries;
  }

  /** The runner made handed-out entries durable up to `index`. */
  stableTo(index: number): void {
    // Entries replaced since they were handed out lie above `handed` and do not count.
    this.stable = Math.max(this.stable, Math.min(index, this.handed));
  }

  /** Whether `takeCommitted` would hand out anything. */
  get hasCommitted(): boolean {
    return this.pendingSnapshot === null && Math.min(this.commit, this.stable) > this.applying;
  }

  /** Durable committed entries not yet handed out, at most `maxBytes` of them but at least one. */
  takeCommitted(maxBytes: number): readonly Entry[] {
    if (!this.hasCommitted) return noEntries;
    const to = Math.min(this.commit, this.stable);
    const entries = this.slice(this.applying + 1, to, maxBytes);
    this.applying += entries.length;
    return entries;
  }

  appliedTo(index: number): void {
    // An installed snapshot counts as applied once it is durable; see `installed`.
    if (index <= this.applied || index <= (this.pendingSnapshot?.index ?? 0)) return;
    assert(index <= this.applying, "only what was handed out is applied");
    this.applied = index;
  }

  /** Whether a committed membership change still waits to be applied. */
  hasUnappliedConfChange(): boolean {
    for (let index = this.applied + 1; index <= this.commit; index++) {
      if (this.at(index).kind === "confChange") return true;
    }
    return false;
  }

  /** Forgets entries up to `compactTo`, which the snapshot `meta` covers and which are applied. */
  compact(meta: SnapshotMeta, compactTo: number): void {
    assert(meta.index <= this.applied, "a snapshot holds applied entries only");
    if (meta.index > this.snapshot.index) this.snapshot = meta;
    this.#forget(Math.min(compactTo, this.snapshot.index) - this.#offset);
  }

  /**
   * Forgets applied entries before `needed`, the oldest first, until no more than `tail` is held.
   * No snapshot need hold them: one has to be made for a member that turns out to lack them.
   */
  trim(needed: number, tail: LogTail): void {
    const most = Math.min(needed - 1, this.applied) - this.#offset;
    const held = this.#entries.length;
    let bytes = this.#bytes;
    let count = 0;
    while (count < most && (held - count > tail.entries || bytes > tail.bytes)) {
      bytes -= bytesOf(this.#entries[count++]);
    }
    this.#forget(count);
  }

  #forget(count: number): void {
    if (count <= 0) return;
    this.#offsetTerm = this.#entries[count - 1].term;
    this.#offset += count;
    for (const entry of this.#entries.splice(0, count)) this.#bytes -= bytesOf(entry);
  }

  /** A leader's snapshot replaces the whole log; the runner still has to install it. */
  restore(meta: SnapshotMeta): void {
    assert(meta.index > this.commit, "a restored snapshot is ahead of the commit index");
    this.#entries = [];
    this.#bytes = 0;
    this.#offset = meta.index;
    this.#offsetTerm = meta.term;
    this.snapshot = meta;
    this.pendingSnapshot = meta;
    this.commit = meta.index;
    this.handed = meta.index;
    this.stable = Math.min(this.stable, meta.index);
  }

  /** The runner installed the snapshot `meta`, so that its state machine stands there. */
  installed(meta: SnapshotMeta): void {
    if (this.pendingSnapshot?.index === meta.index) this.pendingSnapshot = null;
    this.stable = Math.max(this.stable, Math.min(meta.index, this.handed));
    this.applying = Math.max(this.applying, meta.index);
    this.applied = Math.max(this.applied, meta.index);
  }
}
