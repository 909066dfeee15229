/**
 * What a leader believes about one member's log, and how fast it may send to it.
 * In: acknowledgements, rejections, what was sent. Out: the next index to send, and whether to
 * wait.
 * Never: sends; reads the log.
 * Three states: `probe` (one message, then wait), `replicate` (a window of messages in flight),
 * `snapshot` (wait until the snapshot arrived). match < next always.
 * Source: Ongaro's thesis, section 10.2.1; the states' names are those of etcd-io/raft.
 */

export type ProgressState = "probe" | "replicate" | "snapshot";

/** The last indexes of the append messages in flight, oldest first, at most `capacity`. */
export class Inflights {
  readonly #ring: Float64Array;
  #start = 0;
  #count = 0;

  constructor(capacity: number) {
    this.#ring = new Float64Array(capacity);
  }

  get count(): number {
    return this.#count;
  }

  get full(): boolean {
    return this.#count === this.#ring.length;
  }

  /** A message whose last entry is `lastIndex` was sent; the caller asked `full` before. */
  add(lastIndex: number): void {
    this.#ring[(this.#start + this.#count) % this.#ring.length] = lastIndex;
    this.#count++;
  }

  /** Every message up to `index` has arrived. */
  freeTo(index: number): void {
    while (this.#count > 0 && this.#ring[this.#start] <= index) {
      this.#start = (this.#start + 1) % this.#ring.length;
      this.#count--;
    }
  }

  clear(): void {
    this.#start = 0;
    this.#count = 0;
  }
}

export class Progress {
  readonly id: bigint;
  learner: boolean;
  state: ProgressState = "probe";
  /** Known to be durable at the member and equal to the leader's log. */
  match = 0;
  next: number;
  /** The largest commit index sent, so that idle followers are told of a commit once. */
  sentCommit = 0;
  /** Heard from since the leader last counted its quorum. */
  recentActive: boolean;
  /** A probe is out: send nothing until it is answered or a heartbeat is. */
  probeSent = false;
  /** Send one append although there may be nothing new: it shows whether earlier ones were lost. */
  poked = false;
  /** Largest heartbeat round answered; see `read_index.ts`. */
  ackedRound = 0;
  readonly inflights: Inflights;

  constructor(
    init: {
      id: bigint;
      learner: boolean;
      next: number;
      recentActive: boolean;
      maxInflightMessages: number;
    },
  ) {
    this.id = init.id;
    this.learner = init.learner;
    this.next = Math.max(1, init.next);
    this.recentActive = init.recentActive;
    this.inflights = new Inflights(init.maxInflightMessages);
  }

  /** A new leader knows nothing yet and tries the end of its own log first. */
  reset(next: number): void {
    this.#enter("probe");
    this.match = 0;
    this.next = next;
    this.sentCommit = 0;
    this.recentActive = false;
    this.ackedRound = 0;
  }

  #enter(state: ProgressState): void {
    this.state = state;
    this.probeSent = false;
    this.poked = false;
    this.inflights.clear();
  }

  becomeProbe(): void {
    // After a snapshot the member is expected to stand at its index, which `next` already follows.
    if (this.state !== "snapshot") this.next = this.match + 1;
    this.#enter("probe");
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
  }

  becomeReplicate(): void {
    this.#enter("replicate");
    this.next = this.match + 1;
  }

  becomeSnapshot(index: number): void {
    this.#enter("snapshot");
    this.next = Math.max(index, this.match) + 1;
    this.sentCommit = index;
  }

  /** The snapshot never arrived: probe from what is known instead of from its index. */
  snapshotFailed(): void {
    this.#enter("probe");
    this.next = this.match + 1;
    this.sentCommit = Math.min(this.sentCommit, this.match);
  }

  /** An append with `count` entries was sent from `next`, telling of `commit`. */
  sent(count: number, commit: number): void {
    this.poked = false;
    this.sentCommit = commit;
    if (this.state === "probe") {
      this.probeSent = true;
    } else if (count > 0) {
      this.next += count;
      this.inflights.add(this.next - 1);
    }
  }

  /** The member acknowledged everything up to `index`. @returns whether that is news. */
  acknowledged(index: number): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.probeSent = false;
    return true;
  }

  /**
   * The member refused an append after `rejected`.
   * @param rejected index before the refused entries
   * @param hint the largest index where the logs may still match
   * @returns false when the refusal is of an older message and changes nothing.
   */
  rejected(rejected: number, hint: number): boolean {
    if (this.state === "replicate") {
      if (rejected <= this.match) return false;
      this.becomeProbe();
      return true;
    }
    if (this.state === "snapshot" || this.next - 1 !== rejected) return false;
    this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
    this.probeSent = false;
    return true;
  }

  /** Whether an otherwise empty append would move the member's commit index. */
  needsCommit(commit: number): boolean {
    return commit > this.sentCommit && this.sentCommit < this.next - 1;
  }
}
