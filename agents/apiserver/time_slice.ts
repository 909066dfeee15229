/**
 * Long work in short turns, so that no request waits for another's list.
 * In: work that asks now and then whether its turn is over. Out: pauses in which all else runs.
 * Works take turns: between two of them sockets and timers are looked at, however many there are.
 * Never: pauses work that is done within one turn.
 */

/** Well below the 10 ms that the thread of a store member may be held. */
const TURN_MILLIS = 4;

/** Works whose turn is over, longest waiting first. */
const waiting: (() => void)[] = [];
let isScheduled = false;

function schedule(): void {
  isScheduled = true;
  // Immediates would run again and again before a socket is looked at.
  setTimeout(() => {
    isScheduled = false;
    waiting.shift()?.();
    if (waiting.length > 0 && !isScheduled) schedule();
  }, 0);
}

export class TimeSlice {
  #until = performance.now() + TURN_MILLIS;

  get isOver(): boolean {
    return performance.now() >= this.#until;
  }

  /** Resolves when it is this work's turn again. */
  async next(): Promise<void> {
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
      if (!isScheduled) schedule();
    });
    this.#until = performance.now() + TURN_MILLIS;
  }
}
