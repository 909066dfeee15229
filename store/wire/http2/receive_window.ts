/**
 * The window this side grants its peer for a whole connection, and a memory of streams it reset.
 * In: lengths of DATA frames, ids of streams. Out: whether the peer kept to the window, when and
 * how much to credit, whether a late frame belongs to a stream that was reset from here.
 * Never: writes frames.
 * Source: RFC 9113 sections 5.1 and 6.9.
 */

export class ReceiveWindow {
  readonly #size: number;
  #left: number;
  #uncredited = 0;

  /** @param size bytes granted at the start and kept up by credits */
  constructor(size: number) {
    this.#size = size;
    this.#left = size;
  }

  /** Counts a frame's whole payload; @returns false when the peer sent more than it may */
  take(length: number): boolean {
    this.#left -= length;
    this.#uncredited += length;
    return this.#left >= 0;
  }

  /** @returns bytes to credit now, 0 while that is not worth a frame */
  due(): number {
    if (this.#uncredited * 2 < this.#size) return 0;
    const credit = this.#uncredited;
    this.#left += credit;
    this.#uncredited = 0;
    return credit;
  }
}

const REMEMBERED = 256;

/** Ids of streams reset from here, whose late frames are ignored; the oldest are forgotten. */
export class ResetMemory {
  readonly #ids = new Set<number>();

  add(streamId: number): void {
    this.#ids.add(streamId);
    if (this.#ids.size <= REMEMBERED) return;
    for (const oldest of this.#ids) {
      this.#ids.delete(oldest);
      break;
    }
  }

  has(streamId: number): boolean {
    return this.#ids.has(streamId);
  }
}
